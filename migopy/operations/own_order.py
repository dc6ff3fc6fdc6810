"""Make sure that an override of `sorted`, as 1.0 had it, gives no other order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from migopy.commands import Where
from migopy.errors import MigopyException, listing
from migopy.files import FileNames, Migration
from migopy.origins import ORIGINAL


class Sorting(Protocol):
    """The parts of a manager that order its files."""

    MIGRATIONS_FILE_PATTERN: str
    MIGRATIONS_HELPERS: Sequence[str]

    def sorted(self, file_names: Iterable[str]) -> list[str]:
        """Sort names of migration files."""


class OtherOrder(MigopyException):
    """The fabfile's `sorted` gives another order than the numbers in the names.

    `theirs` and `by_number` are the two.
    """

    def __init__(self, theirs: Sequence[str], by_number: Sequence[str]) -> None:
        self.theirs = theirs
        self.by_number = by_number
        super().__init__(
            "The fabfile's sorted() gives another order, or other names, than the"
            ' numbers in the names; nothing was done. It gives:\n'
            f'{listing(theirs)}\nBy number, which is how they run, it is:\n'
            f'{listing(by_number)}\n'
            'Take sorted() away, and rename files or set MIGRATIONS_FILE_PATTERN ',
            Where(('MIGRATIONS_FILE_PATTERN',)),
            ' so that their numbers give the order that you want',
        )


def require_same_order(manager: Sorting, migrations: Sequence[Migration]) -> None:
    """Make sure that an override of `sorted` agrees with how migrations run.

    In 1.0 it decided that. Raises `OtherOrder`.
    """
    if hasattr(manager.sorted, ORIGINAL):
        return
    names = [each.name for each in migrations]
    file_names = FileNames(manager.MIGRATIONS_FILE_PATTERN, manager.MIGRATIONS_HELPERS)
    by_number = [name for _, name in file_names.sorted(names)]
    theirs = list(manager.sorted(names))
    if theirs != by_number:
        raise OtherOrder(theirs, by_number)
