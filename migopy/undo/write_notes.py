"""Note what a transaction may change, before each of its writes is sent."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from migopy.differences import Value
from migopy.effects import namespace_of, parts_of
from migopy.undo.targeted_ids import aimed_at
from migopy.undo.unkept_collections import TransactionKeeper, UnkeptCollections


class WriteNotes(TransactionKeeper):
    """Notes the collections and the documents that writes in a transaction are for.

    Invariant: `noted` has, by collection, the `_id`s of all documents that the
    transaction may have changed, or `None` where they are not known. A write that no
    image can be kept of is refused, and so is one past the transaction.
    """

    def __init__(self, kinds: UnkeptCollections, own: Set[str]) -> None:
        """Take what knows the kinds of collections, and those that migopy keeps."""
        self.noted: dict[str, dict[Value, None] | None] = {}
        self._kinds = kinds
        self._own = own

    def inside(
        self, name: str, database: str, command: Mapping[str, Any]
    ) -> str | None:
        """Note a write of the transaction; say why no image can be kept of it."""
        namespace = namespace_of(name, database, command)
        if namespace is None:
            return None
        reason = self._kinds.inside(name, database, command)
        if reason is not None:
            return reason
        parts = parts_of(name, database, command)
        names = [str(namespace_of(*each)) for each in parts]
        if any('.' not in each for each in names):
            return 'it is not known what it writes to'
        if not self._own.isdisjoint(names):
            return 'migopy keeps that for itself'
        for namespace, (kind, _, part) in zip(names, parts):
            ids = aimed_at(kind, part)
            known = self.noted.setdefault(namespace, {})
            if ids is None:
                self.noted[namespace] = None
            elif known is not None:
                known.update(dict.fromkeys(ids))
        return None
