"""Restore documents from pairs, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from migopy.codes import OF_CONSTRAINTS
from migopy.differences import Difference, Value, collection_of, id_of, look_up
from migopy.server import reason_of
from migopy.undo.collection_rules import CollectionRules
from migopy.undo.conflicts import FoundConflicts
from migopy.undo.document_decisions import Decision, decide
from migopy.undo.errors import InTheWay, NotExact
from migopy.undo.image_sets import ImageSet
from migopy.undo.raw_writer import RawWriter, is_replaceable

#: Documents of a collection by `_id`.
Documents = dict[Value, bytes]


class DocumentRestorer:
    """Restores documents in the transaction of a session.

    Invariant: only what `decide` says is written, for documents as the transaction sees
    them, so that it fails if others commit a change meanwhile. What was written is read
    again and compared, byte by byte. Documents that a unique index may tell apart are
    deleted first and come back in `finish`, so that their order does not matter; so are
    those that the server takes for no replacement.
    """

    def __init__(
        self,
        client: Any,
        session: ClientSession | None,
        kept: ImageSet,
        wish: str,
        rules: CollectionRules,
        left: Set[tuple[str, Value]],
    ) -> None:
        """Take the session, `None` for the one that is bound.

        `wish` decides conflicts, `left` are documents that are not restored, by
        collection and `_id`.
        """
        self._client = client
        self._session = session
        self._name = kept.name
        self._wish = wish
        self._rules = rules
        self._left = left
        self._writer = RawWriter(client, session)
        #: What comes back in `finish`, by collection and `_id`.
        self._away: dict[str, Documents] = {}
        self.conflicts = FoundConflicts(kept.repeated)

    def restore(self, namespace: str, pairs: Sequence[Difference]) -> None:
        """Restore documents of a collection, except those that come back in `finish`.

        Raises `InTheWay`, `NotExact`, `PyMongoError`.
        """
        rules = self._rules.of(namespace)
        away = self._away.setdefault(namespace, {})
        ids = [each.id for each in pairs]
        now = self._look_up(namespace, ids)
        gone: list[Value] = []
        changed: Documents = {}
        for id, pair in zip(ids, pairs):
            if (namespace, id) in self._left:
                continue
            current = away.get(id, now.get(id))
            decision = self._decide(namespace, pair, current)
            if decision.is_left:
                continue
            wanted = decision.wanted
            if id in away or current is None:
                away.pop(id, None)
            else:
                there = id_of(current)
                # With an `_id` of another type it is another document.
                is_same = wanted is not None and there == id_of(wanted)
                if (
                    wanted
                    and is_same
                    and is_replaceable(wanted)
                    and not rules.keep_apart(current, wanted)
                ):
                    changed[there] = wanted
                    continue
                gone.append(there)
            if wanted is not None:
                away[id] = wanted
        with self._told(namespace):
            self._writer.delete(namespace, gone)
            self._writer.replace(namespace, changed, rules.passes)
        self._require_exact(namespace, changed)

    def finish(self) -> None:
        """Bring back what was deleted first; raises what `restore` does."""
        for namespace, away in self._away.items():
            documents = list(away.values())
            with self._told(namespace):
                passes = self._rules.of(namespace).passes
                self._writer.insert(namespace, documents, passes)
            self._require_exact(namespace, {id_of(each): each for each in documents})
        self._away.clear()

    def _decide(
        self, namespace: str, pair: Difference, current: bytes | None
    ) -> Decision:
        decision = decide(pair, current, self._wish)
        self.conflicts.note(namespace, pair.id, decision.conflict)
        return decision

    def _require_exact(self, namespace: str, wanted: Mapping[Value, bytes]) -> None:
        found = self._look_up(namespace, list(wanted))
        for id, each in wanted.items():
            if found.get(id) != each:
                raise NotExact(self._name, namespace, id)

    def _look_up(self, namespace: str, ids: Sequence[Value]) -> Documents:
        if not ids:
            return {}
        collection = collection_of(self._client, namespace)
        return look_up(collection, ids, self._session)

    @contextmanager
    def _told(self, namespace: str) -> Iterator[None]:
        """Raise `InTheWay` for a document that the server refuses in the block."""
        try:
            yield
        except OperationFailure as error:
            if error.code not in OF_CONSTRAINTS:
                raise
            reason = reason_of(error)
            raise InTheWay(self._name, namespace, reason, error.code) from error
