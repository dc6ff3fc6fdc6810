"""One step of a run: a function of a loaded migration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from migopy.files import (
    CONDITIONS,
    Directory,
    InTurn,
    LoadedMigration,
    Migration,
    load_all,
    require_spelt,
)


class Step(NamedTuple):
    """One function of a loaded migration, to be run.

    Invariant: the function is there and can be called. `require` is asked before an
    `up` and `verify` after it, where the file has them.
    """

    loaded: LoadedMigration
    direction: str
    in_transaction: bool
    require: Callable[[Any], object] | None = None
    verify: Callable[[Any], object] | None = None
    #: What takes the place of `down`: documents are restored from images.
    undo: Callable[[Any], object] | None = None
    #: Whether images are kept of what an `up` changes, or `BEST_EFFORT`.
    images: bool | str = False
    #: The steps of other files that it consists of, in order.
    parts: Sequence[Step] = ()

    @classmethod
    def of(
        cls, loaded: LoadedMigration, direction: str, transaction: bool = False
    ) -> Step:
        """Make a step of `up` or `down`; `transaction` is the manager's default.

        Raises `NoSuchFunction`, `BadTransaction`, `BadParallel`, `BadUndo`,
        `BadSaid`.
        """
        function = loaded.function(direction)
        loaded.in_parallel()
        loaded.images(default=False)
        loaded.said()
        inside = loaded.in_transaction(transaction)
        require_spelt(loaded, direction)
        others = function.parts if isinstance(function, InTurn) else ()
        # A tuple, as there is one empty one for all: ten thousand lists take 0.5 MB.
        parts = tuple(cls.of(each, direction, inside) for each in others)
        if direction != 'up':
            return cls(loaded, direction, inside, parts=parts)
        require, verify = map(loaded.condition, CONDITIONS)
        return cls(loaded, direction, inside, require, verify, parts=parts)

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Give the context in which the step runs when it is its turn.

        With `parallel = False` in the file it runs for one database at a time.
        """
        return nullcontext() if self.loaded.in_parallel() else self.loaded.turn

    @property
    def migration(self) -> Migration:
        """Give the migration's file."""
        return self.loaded.migration

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.loaded.name

    @property
    def doing(self) -> str:
        """Give what it is called to a person: `up`, `down` or `undo`."""
        return 'undo' if self.undo else self.direction

    @property
    def function(self) -> Callable[[Any], object]:
        """Give the function to be run."""
        return self.undo or self.loaded.function(self.direction)


def steps_of(
    migrations: Sequence[Migration],
    directory: Directory,
    direction: str,
    transaction: bool,
) -> list[Step]:
    """Import all that is going to run, before the first one does.

    Raises `ImportFailed`, `NoSuchFunction`, `BadTransaction`.
    """
    return [
        Step.of(loaded, direction, transaction)
        for loaded in load_all(migrations, directory)
    ]
