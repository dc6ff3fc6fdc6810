"""What others have changed since a migration, and how many such conflicts there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from migopy.differences import Value
from migopy.errors import MOST

#: What to do about what others have changed as well: restore nothing at all; leave
#: those documents as they are; leave others' fields alone; or undo others' changes.
STOP, KEEP, THEIRS, OURS = 'stop', 'keep', 'theirs', 'ours'

#: What others have done.
DELETED = 'was deleted since'
MADE_AGAIN = 'was made again since'
DROPPED_STAYS = f'{MADE_AGAIN}, and what was dropped is set aside'
CHANGED = 'was changed since'
LOST = 'has lost its value'
REORDERED = 'was changed since, in the order of its fields'


class Conflict(NamedTuple):
    """What others have changed where the migration had changed it.

    It is a document, or if `id` is `None`, a part of a definition. If another document
    has taken a unique value that this one had, `lost` is the index and the `_id` of
    that other document.
    """

    namespace: str
    id: Value | None
    what: str
    fields: Sequence[str] = ()
    lost: tuple[str, Value] | None = None


#: What others have done to a document, and to which of its fields.
Met = tuple[str, Sequence[str]]


class FoundConflicts:
    """The conflicts of an undo: the first ones, and how many there are.

    Invariant: each document counts once.
    """

    def __init__(self, repeated: Collection[str] = ()) -> None:
        """Take the collections whose images may hold a document several times."""
        self._repeated = repeated
        self._noted: set[tuple[str, Value]] = set()
        self.first: list[Conflict] = []
        self.count = 0
        #: How many of them are of definitions, and how many have lost a unique value.
        self.defined = self.lost = 0

    def note(self, namespace: str, id: Value, conflict: Met | None) -> None:
        """Count a document if a conflict was met there."""
        if conflict is None or (namespace, id) in self._noted:
            return
        if namespace in self._repeated:
            self._noted.add((namespace, id))
        self.add(Conflict(namespace, id, *conflict))

    def add(self, conflict: Conflict) -> None:
        """Count a conflict; those of definitions are all kept."""
        self.count += 1
        self.defined += conflict.id is None
        self.lost += conflict.lost is not None
        if conflict.id is None or len(self.first) < MOST:
            self.first.append(conflict)
