"""What a person sees: coloured lines and tables on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO


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
    return stream.isatty() and os.environ.get('TERM') != 'dumb'


class ColorsLogger:
    """Write one message a call to stderr, in the colour that the method names.

    Invariant: a message is written whole, with one line end, to what `sys.stderr`
    is at that moment. A manager's `logger` may be anything with these methods.
    """

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
        if colour and is_coloured(sys.stderr):
            message = Str(message).color(colour)
        # A migration goes on though nobody may be listening any more, as when the
        # connection to a remote machine is lost.
        with contextlib.suppress(OSError):
            sys.stderr.write(f'{message}\n')
            sys.stderr.flush()


def duration(milliseconds: int) -> str:
    """Set a time as a person says it: `12 ms`, `1.2 s`, `3 min 5 s`."""
    if milliseconds < 1000:
        return f'{milliseconds} ms'
    if milliseconds < 60_000:
        return f'{milliseconds / 1000:.1f} s'
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f'{minutes} min {seconds} s'


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Set rows under titles, as wide as the terminal, 80 columns where there is none.

    Long cells are wrapped; nothing is cut off.
    """
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        grid.add_column(title, overflow='fold')
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    text = io.StringIO()
    width = shutil.get_terminal_size().columns
    Console(file=text, width=width, color_system=None).print(grid)
    return '\n'.join(line.rstrip() for line in text.getvalue().splitlines())
