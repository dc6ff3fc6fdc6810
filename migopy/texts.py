"""Texts from files, databases and errors, made fit to compare and to show."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import AnyStr

#: Control characters but the line end and the tab, the marks that turn the direction
#: of writing, and halves of surrogate pairs, which no terminal can be given.
UNFIT = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)

#: A command as a server shows one that it refuses: with its documents, its session and
#: a signature.
REFUSED_COMMAND = re.compile(r'(?s)( to execute command) {\s*(\w+): ("[^"]*")?.*')

#: Characters of a line from a database: names of files are shorter.
LONGEST_LINE = 1000

#: Digits of a number in a file's name.
LONGEST_NUMBER = 255


def same_name(name: str) -> str:
    """Give a file name as it is compared: macOS may spell an accent in two parts."""
    return name if name.isascii() else unicodedata.normalize('NFC', name)


def is_utf8(text: str) -> bool:
    """Tell whether a text can be written as UTF-8, as a database keeps it."""
    # A file's name may have bytes that are none.
    return text.isascii() or not any('\ud800' <= letter <= '\udfff' for letter in text)


def fit(text: str) -> str:
    r"""Show what could steer a terminal as an escape: `\x1b`.

    Line ends and tabs stay. So one that a text brings along may begin a line; what is
    to be one line goes through `one_line`.
    """
    if text.isprintable():
        return text
    return UNFIT.sub(_escaped, text)


def fit_in_json(text: str) -> str:
    r"""Show in JSON what could steer a terminal as JSON has it: `\u001b`."""
    return UNFIT.sub(lambda match: f'\\u{ord(match[0]):04x}', text)


def one_line(value: object) -> str:
    r"""Show a value that came from elsewhere in one line, line ends as `\n`."""
    text = fit(text_of(value))
    if '\n' in text or '\t' in text or '\u2028' in text or '\u2029' in text:
        for sign in '\n\t\u2028\u2029':
            text = text.replace(sign, sign.encode('unicode_escape').decode())
    return text


def kept_line(value: object) -> str:
    """Show a value that a database keeps in one line, cut where no name is so long."""
    if type(value) is str and len(value) <= LONGEST_LINE and value.isprintable():
        return value  # as nearly all are, of ten thousand
    return shortened(one_line(value), LONGEST_LINE)


def text_of(value: object) -> str:
    """Give a value as text, whatever its `__str__` does."""
    try:
        return str(value)
    except Exception as error:
        return (
            f'<{type(value).__name__} whose text cannot be had: {type(error).__name__}>'
        )


def whole_number(text: str) -> int | None:
    """Read a number without a sign; give `None` for anything else.

    That includes numbers with more digits than the name of a file can have; Python
    refuses thousands of them.
    """
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def name_given(given: object) -> str:
    """Give the name that stands for a migration: as text, a number or a path.

    Whoever calls a manager from Python has them in any of these.
    """
    return os.path.basename(str(given).strip())


def shortened(text: str, width: int) -> str:
    """Cut a text that is longer than so many characters, and show that it is."""
    return text if len(text) <= width else f'{text[: width - 1]}…'


def counted(count: int, what: str) -> str:
    """Set a number of things: `1 document`, `1,200 documents`, `2 indexes`."""
    many = what if count == 1 else {'index': 'indexes'}.get(what, f'{what}s')
    return f'{count:,} {many}'


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode('unicode_escape').decode()


def alike(one: AnyStr, other: AnyStr) -> int:
    """Count the characters or bytes that both begin with, by bisection."""
    low, high = 0, min(len(one), len(other)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def without_command(text: str) -> str:
    """Cut a command that a server has refused to its name and its collection."""
    if ' to execute command ' not in text:
        return text
    return REFUSED_COMMAND.sub(_named, text)


def _named(command: re.Match[str]) -> str:
    said, name, collection = command.groups()
    return f'{said} {name}' + (f' on {collection}' if collection else '')
