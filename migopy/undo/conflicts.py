"""Count what others have changed since a migration."""

from __future__ import annotations

from collections.abc import Collection

from migopy.differences import Value
from migopy.errors import MOST
from migopy.undo.document_decisions import Conflict, Decision


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

    def note(self, namespace: str, id: Value, decision: Decision) -> None:
        """Count a document if the decision about it met a conflict."""
        if decision.conflict is None or (namespace, id) in self._noted:
            return
        if namespace in self._repeated:
            self._noted.add((namespace, id))
        self.add(Conflict(namespace, id, *decision.conflict))

    def add(self, conflict: Conflict) -> None:
        """Count a conflict; those of definitions are all kept."""
        self.count += 1
        self.defined += conflict.id is None
        self.lost += conflict.lost is not None
        if conflict.id is None or len(self.first) < MOST:
            self.first.append(conflict)
