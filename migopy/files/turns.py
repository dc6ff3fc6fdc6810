"""The functions of several files, called one after the other as if they were one's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from migopy.files.loaded import LoadedMigration
from migopy.files.shapes import Functions


class InTurn(NamedTuple):
    """The `up` or the `down` of several files, in the order in which they are called.

    Invariant: each of the files has that function.
    """

    function: str
    parts: Sequence[LoadedMigration]

    def __call__(self, db: Any) -> None:
        """Call each with a database; what a run asks before and after it is not."""
        for part in self.parts:
            part.function(self.function)(db)


def in_turn(parts: Sequence[LoadedMigration]) -> Functions:
    """Give the functions of a file that does what several others have done.

    Its `down` undoes the last one first; there is none where one of them has none.
    """
    orders = {'up': parts, 'down': parts[::-1]}
    return {
        name: InTurn(name, order)
        for name, order in orders.items()
        if parts and all(callable(each.functions.get(name)) for each in parts)
    }
