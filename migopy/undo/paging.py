"""What pages of documents have changed, as images, with each page."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession

from migopy.differences import (
    Asked,
    Difference,
    aligned,
    asked_for,
    collection_of,
    documents,
    found,
    id_of,
    told_by_id,
)
from migopy.undo.capture import in_chunks, keep
from migopy.undo.errors import OfNoImages
from migopy.undo.images import Images
from migopy.undo.kept import Known
from migopy.undo.kinds import Kinds
from migopy.undo.looping import Looping


class Looked(NamedTuple):
    """The documents of a page before it is written, and how they were asked for."""

    asked: list[Asked]
    before: bytes


class Paging:
    """Keeps images of the pages of `update_each`, and of the batches of loops.

    Invariant: a page is written with its images and with what is known of them, or not
    at all. `kept` is what is known of the pages that were committed.
    """

    def __init__(
        self,
        images: Images,
        known: Known,
        session: ClientSession,
        limit: float,
        own: Set[str],
    ) -> None:
        """Take the session that all pages are written in; `limit` is in MB.

        `own` are the collections that migopy keeps beside the images.
        """
        self.session = session
        self._images = images
        self._known = known
        self._limit = limit
        self._own = own
        self._sent = known.kept

    def begin(self, namespace: str) -> None:
        """Hear that a call is about to write pages of a collection.

        Raises `OfNoImages`, `PyMongoError`.
        """
        with self._images.own_work():
            reason = Kinds(self._images).reason(namespace)
        if reason is not None:
            raise OfNoImages(reason)
        with self._known.lock:
            kept = self._known.kept
            if namespace not in kept.paged:
                kept.paged = [*kept.paged, namespace]
            elif namespace not in kept.repeated:
                kept.repeated = [*kept.repeated, namespace]

    def loop(self, namespace: str) -> Looping:
        """Give what keeps images of the batches of a collection."""
        return Looping(
            self._images, self._known, self.session, self._limit, self._own, namespace
        )

    def look(self, namespace: str, ids: Sequence[Any]) -> Looked:
        """Give the documents with these `_id`s as they are before the page."""
        asked = asked_for(ids)
        collection = collection_of(self._images.client, namespace)
        return Looked(asked, found(collection, asked, self.session))

    def keep(self, namespace: str, looked: Looked) -> None:
        """Keep what `look` gave, and what the documents are now.

        Raises `TooManyImages`.
        """
        pairs = self._pairs(namespace, looked)
        with self._known.lock:
            self._sent = replace(self._known.kept)
        chunks = in_chunks(iter(pairs))
        keep(self._images, self._sent, namespace, chunks, self.session, self._limit)
        self._images.save(self._sent, self.session)

    def _pairs(self, namespace: str, looked: Looked) -> list[Difference]:
        collection = collection_of(self._images.client, namespace)
        asked, before = looked
        data = found(collection, asked, self.session)
        pairs = aligned(before, data)
        if pairs is not None:
            return pairs
        # Some are gone.
        old = {id_of(each): each for each in documents(before)}
        after = told_by_id(collection, list(old), data, self.session)
        return [
            Difference(each, after.get(id))
            for id, each in old.items()
            if each != after.get(id)
        ]

    def settle(self) -> None:
        """Hear that the page was committed."""
        with self._known.lock:
            self._known.kept = self._sent
