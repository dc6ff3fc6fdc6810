"""See a transaction's writes: note each, and refuse what no image can be kept of."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from pymongo.errors import PyMongoError

from migopy.differences import Value, collection_of
from migopy.effects import namespace_of, parts_of
from migopy.undo.images import Images
from migopy.undo.targeted_ids import targeted_by


class TransactionKeeper:
    """A keeper for a step in one transaction, which lets nothing past it."""

    def take(
        self, name: str, database: str, command: Mapping[str, Any], address: Any
    ) -> str | None:
        """Take no write past the transaction."""
        return ''

    def settle(self, command: Mapping[str, Any]) -> None:
        """Hear that a command was answered: nothing is to be done."""


class UnkeptCollections(TransactionKeeper):
    """Refuses the first write to a collection that no images can be kept of.

    Invariant: each collection is looked up once, before anything is written to it.
    """

    def __init__(self, images: Images) -> None:
        """Take the images, whose client is asked."""
        self._images = images
        self._known: set[str] = set()

    def inside(
        self, name: str, database: str, command: Mapping[str, Any]
    ) -> str | None:
        """Say why no image can be kept of a write, `None` where one can."""
        written = namespace_of(name, database, command)
        if written is None or written in self._known:
            return None
        self._known.add(written)
        # Looking needs a second connection.
        if self._images.client.options.pool_options.max_pool_size == 1:
            return None
        try:
            with self._images.own_work():
                reasons = map(self.reason, written.split(' + '))
                return next((each for each in reasons if each), None)
        except PyMongoError:
            # Then the server says what it is, when it is written to.
            return None

    def reason(self, namespace: str) -> str | None:
        """Say why no images can be kept of a collection; raises `PyMongoError`."""
        collection = collection_of(self._images.client, namespace)
        with self._images.client.start_session() as session:
            for each in collection.database.list_collections(
                filter={'name': collection.name},
                authorizedCollections=True,
                session=session,
            ):
                if each['type'] == 'timeseries':
                    return f'{namespace} is a time series'
                if each['options'].get('capped'):
                    return f'{namespace} is capped'
        return None


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
            ids = targeted_by(kind, part)
            known = self.noted.setdefault(namespace, {})
            if ids is None:
                self.noted[namespace] = None
            elif known is not None:
                known.update(dict.fromkeys(ids))
        return None
