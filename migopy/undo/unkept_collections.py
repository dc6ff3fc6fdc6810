"""Refuse writes to kinds of collections that no images can be kept of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import PyMongoError

from migopy.differences import collection_of
from migopy.effects import namespace_of
from migopy.undo.images import Images


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
