"""What a person sees: coloured lines and tables on stderr."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TextIO

from migopy.terminal.stdout import STDOUT, is_closed

#: How many characters are between columns, and in the narrowest column.
GAP = 2
NARROWEST = 10

#: A word of up to so many characters, such as a migration's name, is never broken.
UNBROKEN = 80

#: The second and further lines of a cell make a column at most this wide.
WRAPPED = 30


#: What the line under the titles of a table is made of.
RULE = '─'

ROWS_AT_ONCE = 1000


class Str(str):
    """A string that can be coloured for a terminal: `Str('x').color(Str.RED)`.

    Invariant: the text itself is unchanged; `color` gives a new `Str` (as in 1.0).
    """

    RED = '\033[91m'
    GREEN = '\033[92m'
    WHITE = '\033[37m'
    BOLD = '\033[1m'
    END = '\033[0m'

    def color(self, color_value: str, bold: bool = False) -> Str:
        """Wrap the text in a colour, one of this class's constants."""
        return Str(f'{self.BOLD if bold else ""}{color_value}{self}{self.END}')


def is_coloured(stream: TextIO) -> bool:
    """Tell whether colours suit a stream.

    `NO_COLOR` switches them off and `FORCE_COLOR` on, where set and not empty;
    else they are for terminals only.
    """
    if os.environ.get('NO_COLOR'):
        return False
    if os.environ.get('FORCE_COLOR'):
        return True
    return is_terminal(stream) and os.environ.get('TERM') != 'dumb'


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal, also while rich shows a bar there."""
    # rich's stand-in for the stream says it is none.
    stream = getattr(stream, 'rich_proxied_file', stream)
    # None is a stream that was closed before Python began, as by `2>&-`.
    return stream is not None and not is_closed(stream) and stream.isatty()


class ColorsLogger:
    """Write one message a call to stderr, in the colour that the method names.

    Invariant: a message is written whole, with one line end, to what `sys.stderr`
    is at that moment. A manager's `logger` may be anything with these methods.
    """

    def __init__(self, stream: str = 'stderr') -> None:
        """Take the stream's name in `sys`."""
        self._stream = stream

    def white(self, message: object) -> None:
        """Write in the terminal's own colour."""
        self._write(str(message), '')

    def white_bold(self, message: object) -> None:
        """Write in bold."""
        self._write(str(message), Str.BOLD)

    def red(self, message: object) -> None:
        """Write in red: an error, or a migration that has not run."""
        self._write(str(message), Str.RED)

    def green(self, message: object) -> None:
        """Write in green: all is well."""
        self._write(str(message), Str.GREEN)

    def _write(self, message: str, colour: str) -> None:
        stream: TextIO | None = getattr(sys, self._stream)
        if stream is None or is_closed(stream):
            return
        if colour and is_coloured(stream):
            message = Str(message).color(colour)
        # A migration goes on though nobody may be listening any more, as when the
        # connection to a remote machine is lost.
        try:
            _write_line(stream, message)
        except OSError as error:
            if self._stream == 'stdout':
                STDOUT.miss(error)


def _write_line(stream: TextIO, line: str) -> None:
    """Write a line at once, in what characters the stream has."""
    try:
        stream.write(f'{line}\n')
    except UnicodeEncodeError:
        encoding = stream.encoding or 'ascii'
        plain = line.replace(RULE, '-').encode(encoding, 'backslashreplace')
        stream.write(f'{plain.decode(encoding)}\n')
    stream.flush()


def duration(milliseconds: int) -> str:
    """Set a time as a person says it: `12 ms`, `1.2 s`, `3 min 5 s`, `2 h 13 min`."""
    if milliseconds < 1000:
        return f'{milliseconds} ms'
    if milliseconds < 60_000:
        return f'{milliseconds / 1000:.1f} s'
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f'{minutes} min {seconds} s'
    return f'{minutes // 60} h {minutes % 60} min'


def wrapped(text: str, indent: int = 0) -> str:
    """Wrap a line between words on a terminal, all but the first part indented."""
    if not is_terminal(sys.stderr):
        return text
    return textwrap.fill(
        text,
        width(),
        subsequent_indent=' ' * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def width() -> int:
    """Give the terminal's columns, 80 where there is none."""
    return shutil.get_terminal_size().columns


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows under titles, as wide as the terminal.

    Nothing is cut off: long cells are wrapped between words. Where that is not enough,
    rows are wider than the terminal, so that names stay in one piece. In a pipe or a
    file, where `grep` looks for whole rows, rows are as wide as they need to be, unless
    the environment variable `COLUMNS` sets a width.
    """
    return '\n'.join(table_rows(titles, rows))


def table_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Set rows as `table` does; give the text of the titles, then of each row."""
    is_limited = is_terminal(sys.stdout) or bool(os.environ.get('COLUMNS'))
    if is_limited:
        widths = _fitted(list(zip(titles, *rows)), width())
    else:
        widths = _unlimited([titles, *rows])
    line = RULE * min(sum(widths) + (len(widths) - 1) * GAP, width())
    yield '\n'.join([*_set(titles, widths, is_limited), line])
    for row in rows:
        yield '\n'.join(_set(row, widths, is_limited))


def texts_of(rows: Iterable[str]) -> Iterator[str]:
    """Join rows, a thousand in a text; one of all would be copied some times."""
    rows = iter(rows)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield '\n'.join(some)


def _set(row: Sequence[str], widths: Sequence[int], is_limited: bool) -> list[str]:
    """Set a row in as many lines as its highest cell takes."""
    if all(_is_plain(cell) and len(cell) <= room for cell, room in zip(row, widths)):
        # As nearly all are, of ten thousand.
        return [(' ' * GAP).join(map(str.ljust, row, widths)).rstrip()]
    cells = [
        _folded(cell, width) if is_limited else cell.split('\n')
        for cell, width in zip(row, widths)
    ]
    pad = _padded if is_limited else _padded_at_least
    return [
        (' ' * GAP).join(map(pad, parts, widths)).rstrip()
        for parts in zip_longest(*cells, fillvalue='')
    ]


def _folded(cell: str, width: int) -> list[str]:
    """Break a cell into lines, between words where that can be."""
    lines = cell.split('\n')
    is_simple = len(lines) == 1 or all(map(_is_plain, lines))
    if is_simple and all(_columns(each) <= width for each in lines):
        return lines
    from rich.console import Console
    from rich.text import Text

    console = Console(file=io.StringIO(), width=width, color_system=None)
    return [line.plain for line in Text(cell).wrap(console, width, overflow='fold')]


def _padded(text: str, width: int) -> str:
    """Make a text as wide as its column."""
    columns = _columns(text)
    if columns <= width:
        return text + ' ' * (width - columns)
    from rich.cells import set_cell_size

    return set_cell_size(text, width)


def _padded_at_least(text: str, width: int) -> str:
    """Make a text as wide as its column, unless it is wider."""
    return text + ' ' * (width - _columns(text))


def _columns(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    if _is_plain(text):
        return len(text)
    # rich takes a tenth of a second to import, and few tables need it.
    from rich.cells import cell_len

    return cell_len(text)


def _is_plain(text: str) -> bool:
    """Tell whether each character is one column wide, as nearly always."""
    return text.isascii() and text.isprintable()


def _fitted(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """Give each column's width; those on the right are the first to be narrowed.

    That is done between words as far as it goes, but for the first column, then within
    the words of the last one. Elsewhere only a very long word is broken.
    """
    count = len(columns)
    fitted = [max(map(_wanted, column)) for column in columns]
    widest = max(room, UNBROKEN)
    room -= (count - 1) * GAP
    excess = sum(fitted) - room
    if excess <= 0:
        return fitted
    words = [fitted[0], *(max(map(_longest_word, column)) for column in columns[1:])]
    in_words = [min(max(word, NARROWEST), widest) for word in words]
    for floors in (in_words, [*in_words[:-1], NARROWEST]):
        for place in reversed(range(count)):
            less = max(0, min(excess, fitted[place] - floors[place]))
            fitted[place] -= less
            excess -= less
    return fitted


def _wanted(cell: str) -> int:
    if '\n' not in cell:
        return _columns(cell)
    first, *others = cell.split('\n')
    return max(_columns(first), *(min(_columns(each), WRAPPED) for each in others))


def _unlimited(rows: Sequence[Sequence[str]]) -> list[int]:
    """Give each column's width where rows may be as wide as they need to be.

    The further lines of a row's last cell that has any run on under those beside it:
    an error of many words moves no column to the right.
    """
    widths = [0] * len(rows[0])
    for row in rows:
        last = max((n for n, cell in enumerate(row) if '\n' in cell), default=-1)
        for place, cell in enumerate(row):
            lines = cell.split('\n')
            counted = lines[:1] if place == last else lines
            widths[place] = max(widths[place], *map(_columns, counted))
    return widths


def _longest_word(cell: str) -> int:
    return max(map(_columns, cell.split()), default=0)
