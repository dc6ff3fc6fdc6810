"""Which file names are migrations, and in what order they run."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter

from migopy.commands import Command, Where
from migopy.errors import MigopyException, listing
from migopy.texts import is_utf8, same_name, whole_number


class BadFileNames(MigopyException):
    """Files that cannot be migrations lie among them; `names` are theirs."""

    def __init__(
        self, names: list[str], pattern: str, twins: Sequence[str] = ()
    ) -> None:
        """Take the names; `twins` differ from other names by their spelling only."""
        self.names = names
        why = f'do not fit MIGRATIONS_FILE_PATTERN ({pattern})'
        parts = ''
        remedy = (
            'Rename them (001_add_index.py), or begin the name of a helper with _ or '
            'put it into MIGRATIONS_HELPERS'
        )
        if any(map(is_misread, names)):
            names = list(filter(is_misread, names))
            why = 'are UTF-8, which the locale of this process is not'
            # Whoever renames them has them executed again.
            remedy = 'Leave them as they are, set LC_ALL to C.UTF-8'
        elif twins:
            names = list(twins)
            why = 'are those of other files, but for the way an accent is spelled'
        elif not any(map(is_utf8, names)):
            why = 'are no UTF-8, so that no database can keep them'
        elif any(re.match(pattern, name) for name in names if is_ending(name)):
            why = f'have no number in the group of MIGRATIONS_FILE_PATTERN ({pattern})'
            parts = (
                'A number of several parts needs a group for each: '
                r'(?P<migr_nr_1>\d+)-(?P<migr_nr_2>\d+)'
                '\n'
            )
        super().__init__(
            f'Found files whose names {why}:\n{listing(names)}\n{parts}'
            f'{remedy}, then type: ',
            Command(),
        )


class BadPattern(MigopyException):
    """`MIGRATIONS_FILE_PATTERN` cannot be used; `pattern` is its text."""

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern = pattern
        super().__init__(
            f'MIGRATIONS_FILE_PATTERN {pattern!r} {reason}. Correct it ',
            Where(('MIGRATIONS_FILE_PATTERN',)),
            r', for example: (?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py',
        )


#: The names of the groups that make the number begin with this.
NUMBER = 'migr_nr'

#: Numbers as a name may begin with them, in one part or in several.
NUMBERS = re.compile(r'\d(?:[\d._-]*\d)?')


def is_ending(name: str) -> bool:
    """Tell whether a name ends as a migration's, once and in small letters."""
    return name.endswith('.py') and not name.endswith('.py.py')


def is_misread(name: str) -> bool:
    """Tell whether a file's name is UTF-8, and only this process's locale is not."""
    if is_utf8(name):
        return False
    try:
        os.fsencode(name).decode('utf-8')
    except UnicodeError:
        return False
    return True


class FileNames:
    """Which file names are migrations, and in what order they run.

    Invariant: every `.py` name fits the pattern, or begins with `_`, or is one of the
    `helpers`; any other is an error, so no migration is passed over because of its
    name.
    """

    def __init__(self, pattern: str, helpers: Collection[str] = ()) -> None:
        self.pattern = pattern
        self._helpers = frozenset(map(same_name, helpers))
        try:
            self._regex = re.compile(pattern)
        except re.error as error:
            raise BadPattern(pattern, f'is no regular expression: {error}') from error
        self._groups = [
            name for name in self._regex.groupindex if name.startswith(NUMBER)
        ]
        if not self._groups:
            raise BadPattern(pattern, 'has no group (?P<migr_nr>…) for the number')

    def sorted(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Order by number, equal numbers by name.

        The pattern is matched from the start of the name, as in 1.0. Several groups
        (a year, a month and a day) make one number, the first one being the most
        significant: 2020-7-24 is 20200724 beside 2020-12-01. Raises `BadFileNames`.
        """
        numbered, bad = self.sorted_out(names)
        if bad:
            taken = {same_name(name) for _, name in numbered if not name.isascii()}
            twins = [name for name in bad if same_name(name) in taken]
            raise BadFileNames(bad, self.pattern, twins)
        return numbered

    def sorted_out(
        self, names: Iterable[str]
    ) -> tuple[list[tuple[int, str]], list[str]]:
        """Order what fits as `sorted` does, and list the names that do not fit."""
        found: list[tuple[tuple[str, ...], str]] = []
        numbered: list[tuple[int, str]] = []
        bad: list[str] = []
        helpers, matching = self._helpers, self._regex.match
        [first, *others] = self._groups
        spelled: set[str] = set()
        for name in sorted(names):
            # What begins with a dot is an editor's or a system's own (._1_x.py).
            if name[-3:].lower() != '.py' or name[0] in '_.':
                continue
            is_plain = name.isascii()
            known = name if is_plain else same_name(name)
            if helpers and known in helpers:
                continue
            match = matching(known) if is_ending(name) else None
            number = whole_number(match[first] or '') if match else None
            # If a name is there in two spellings, one would count as registered by the
            # other.
            is_kept = is_plain or (is_utf8(name) and known not in spelled)
            if match is None or number is None or not is_kept:
                bad.append(name)
            elif not others:
                numbered.append((number, name))
                spelled |= set() if is_plain else {known}
            # A further one may be there or not: 20200724_x.py, 20200724_2_x.py.
            elif all(match[each] is None or _is_number(match[each]) for each in others):
                found.append((match.group(*self._groups), name))
                spelled |= set() if is_plain else {known}
            else:
                bad.append(name)
        # By name they are in order already.
        return sorted(numbered or _numbered(found), key=itemgetter(0)), bad

    def numbers_in(self, name: str) -> str:
        """Give the digits that make a name's number, `''` where it is no migration's.

        They stand as they are in the name, of several groups one after the other.
        """
        match = self._regex.match(same_name(name))
        texts = [match[group] or '' for group in self._groups] if match else []
        return ''.join(texts)

    def number(self, name: str) -> int | None:
        """Give the number in a file's name, `None` where there is none."""
        return whole_number(self.numbers_in(name))


def _is_number(text: str) -> bool:
    return whole_number(text) is not None


def _numbered(
    found: Sequence[tuple[Sequence[str | None], str]],
) -> Iterator[tuple[int, str]]:
    """Make one number of a name's parts, each as wide as it is in any name."""
    rows = [([part or '' for part in parts], name) for parts, name in found]
    columns = zip(*(parts for parts, _ in rows))
    widths = [max(map(len, column)) for column in columns]
    for parts, name in rows:
        wide = [part.zfill(width) for part, width in zip(parts, widths)]
        yield int(''.join(wide)), name


def begins_with(name: str, typed: str) -> bool:
    """Tell whether a name begins with the very numbers that were typed: 2020-07-24."""
    return (
        NUMBERS.fullmatch(typed) is not None
        and name.startswith(typed)
        and not name[len(typed) :][:1].isalnum()
    )
