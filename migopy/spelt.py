"""Tell a known word that is spelt wrong from another word."""

from __future__ import annotations

#: Letters of a word for each one that may be wrong in it.
LETTERS_FOR_A_SLIP = 6

#: Words of fewer letters are like too many others.
SHORTEST = 4


def is_misspelling(name: str, word: str) -> bool:
    """Tell whether a name is a word in other capitals, its plural, or a slip of it.

    A slip is a letter that is wrong, is missing, is there too much, or has changed
    places with its neighbour. None begins a word, or is a digit: `down2` is a name. An
    underscore at the end puts a word out of use on purpose.
    """
    if name.rstrip('_') == word:
        return False
    name, word = name.lower(), word.lower()
    if name == word:
        return True
    if len(word) < SHORTEST or name[:1] != word[:1] or any(map(str.isdigit, name)):
        return False
    if abs(len(name) - len(word)) > max(2, len(word) // LETTERS_FOR_A_SLIP):
        return False
    slips = max(1, len(word) // LETTERS_FOR_A_SLIP)
    return (
        _slips(name, word) <= slips
        or _slips(_singular(name), _singular(word)) <= slips
        or _undoubled(name) == _undoubled(word)
    )


def _singular(name: str) -> str:
    return name[:-1] if len(name) > SHORTEST and name.endswith('s') else name


def _undoubled(name: str) -> str:
    """Leave out each letter that repeats the one before it."""
    return ''.join(
        letter for before, letter in zip(f' {name}', name) if letter != before
    )


def _slips(name: str, word: str) -> int:
    """Count the slips that lead from the one to the other."""
    before: list[int] = []
    row = list(range(len(word) + 1))
    for i, letter in enumerate(name, start=1):
        before, above, row = row, before, [i]
        for j, right in enumerate(word, start=1):
            least = min(
                before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != right)
            )
            if i > 1 and j > 1 and (letter, name[i - 2]) == (word[j - 2], right):
                least = min(least, above[j - 2] + 1)
            row.append(least)
    return row[-1]
