"""What is typed behind `only=`: words that fit databases, and the word for just one."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

#: `only=failed` selects those whose last run failed, by their own histories.
FAILED_ONES = 'failed'

#: A character by its number, `[U+00A0]`: the way to type what a terminal does not show,
#: or changes when it is copied.
BY_NUMBER = r'\[U\+((?:10|[1-9A-F])?[0-9A-F]{4})\]'

#: A class that one character alone fits: `[*]`.
OF_ONE = rf'{BY_NUMBER}|\[([^]!])\]'

#: A class of any kind, or a character.
CLASS_OR_LETTER = re.compile(r'\[!?\]?[^]]*\]|.', re.DOTALL)


def words_of(words: str) -> list[str]:
    """Split what was typed at its spaces, and at nothing else.

    A space alone can stand in no database's name; a tab, a line end and a no-break
    space can.
    """
    return [word for word in words.split(' ') if word] or [words]


def typed_only(title: str) -> str:
    """Give the word that fits one database alone, whatever it is called.

    Invariant: it is printable, has no space, and is no word with a meaning of its own.
    """
    return '[f]ailed' if title == FAILED_ONES else typable(glob.escape(title), ' ')


def typable(words: str, more: str = '') -> str:
    """Give words with what is not printable by its number, and so what `more` has."""
    if words.isprintable() and not any(letter in words for letter in more):
        return words

    def by_number(match: re.Match[str]) -> str:
        part = match[0]
        # In a class of several a class cannot stand.
        is_plain = len(part) > 1 or (part.isprintable() and part not in more)
        return part if is_plain else f'[U+{ord(part):04X}]'

    return CLASS_OR_LETTER.sub(by_number, words)


def untypable(words: str) -> str:
    """Give words with all that stands there by its number as it is."""
    return re.sub(BY_NUMBER, _letter, words)


def only_name(word: str) -> str | None:
    """Give the name that a word fits if it fits no other one, else `None`."""
    if re.search(r'[*?[]', re.sub(OF_ONE, '', word)):
        return None
    return re.sub(OF_ONE, _letter, word)


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern of several: `tenant_*`."""
    return glob.escape(name) != name


def matcher(word: str) -> Callable[[str], bool]:
    """Give what tells whether a word, a name or a pattern, fits a name."""
    pattern = re.sub(BY_NUMBER, lambda match: glob.escape(_letter(match)), word)
    return lambda name: fnmatchcase(name, pattern)


def _letter(match: re.Match[str]) -> str:
    number, *letter = match.groups()
    return letter[0] if number is None else chr(int(number, 16))
