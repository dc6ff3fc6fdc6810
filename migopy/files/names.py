"""Which file names are migrations, and in what order they run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migopy.commands import Command, Where
from migopy.errors import MigopyException, listing
from migopy.texts import same_name, whole_number


class BadFileNames(MigopyException):
    """Files that are no migrations lie among them; `names` are theirs."""

    def __init__(self, names: list[str], pattern: str) -> None:
        self.names = names
        super().__init__(
            'Found files whose names do not fit MIGRATIONS_FILE_PATTERN '
            f'({pattern}):\n{listing(names)}\n'
            'Rename them (001_add_index.py), or begin the name of a helper with _, '
            'then type: ',
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


class FileNames:
    """Which file names are migrations, and in what order they run.

    Invariant: every `.py` name either fits the pattern, begins with `_`, or is an
    error: no migration is passed over because of its name.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            self._regex = re.compile(pattern)
        except re.error as error:
            raise BadPattern(pattern, f'is no regular expression: {error}') from error
        if 'migr_nr' not in self._regex.groupindex:
            raise BadPattern(pattern, 'has no group (?P<migr_nr>…) for the number')

    def sorted(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Order by number, equal numbers by name.

        The pattern is matched from the start of the name, as in 1.0. Raises
        `BadFileNames`.
        """
        numbered, bad = self.sorted_out(names)
        if bad:
            raise BadFileNames(bad, self.pattern)
        return numbered

    def sorted_out(
        self, names: Iterable[str]
    ) -> tuple[list[tuple[int, str]], list[str]]:
        """Order what fits as `sorted` does, and list the names that do not fit."""
        numbered: list[tuple[int, str]] = []
        bad: list[str] = []
        matching = self._regex.match
        for name in names:
            # What begins with a dot is an editor's or a system's own (._1_x.py).
            if name.startswith(('_', '.')) or not name.endswith('.py'):
                continue
            match = None if name.endswith('.py.py') else matching(same_name(name))
            number = whole_number(match['migr_nr'] or '') if match else None
            if number is not None:
                numbered.append((number, name))
            else:
                bad.append(name)
        numbered.sort()
        bad.sort()
        return numbered, bad

    def number(self, name: str) -> int | None:
        """Give the number in a file's name, `None` where there is none."""
        match = self._regex.match(same_name(name))
        return whole_number(match['migr_nr'] or '') if match else None
