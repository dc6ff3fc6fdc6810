"""Keep images of what pages of `update_each` change, with each page."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession

from migopy.differences import (
    Difference,
    IdQuery,
    aligned,
    collection_of,
    documents,
    fetch,
    id_of,
    match_to_ids,
    queries_for,
    range_queries,
)
from migopy.undo.capture import NO_RUNS, in_chunks, keep
from migopy.undo.errors import OfNoImages
from migopy.undo.image_sets import CurrentSet
from migopy.undo.images import Images
from migopy.undo.loop_images import LoopImager
from migopy.undo.transaction_keepers import UnkeptCollections


class PageBefore(NamedTuple):
    """The documents of a page before it is written, and the queries for them.

    If no other documents stand among them in the collection, they are in `in_a_row`,
    one by one; if not, they are in `before`, concatenated.
    """

    queries: list[IdQuery]
    before: bytes = b''
    in_a_row: Sequence[bytes] = ()


class PageImager:
    """Keeps images of the pages of `update_each`, and of the batches of loops.

    Invariant: a page is written together with its images and their set, or not at all.
    """

    def __init__(
        self,
        images: Images,
        known: CurrentSet,
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
        #: How many pages, one after another, did not stand in a row.
        self._no_runs = 0

    def begin(self, namespace: str) -> None:
        """Hear that a call is about to write pages of a collection.

        Raises `OfNoImages`, `PyMongoError`.
        """
        with self._images.own_work():
            reason = UnkeptCollections(self._images).reason(namespace)
        if reason is not None:
            raise OfNoImages(reason)
        self._no_runs = 0
        with self._known.lock:
            kept = self._known.kept
            kept.add_paged(namespace, comes_again=namespace in kept.paged)

    def loop(self, namespace: str) -> LoopImager:
        """Give what keeps images of the batches of a collection."""
        return LoopImager(
            self._images, self._known, self.session, self._limit, self._own, namespace
        )

    def look(
        self, namespace: str, ids: Sequence[Any], seen: Sequence[bytes]
    ) -> PageBefore:
        """Give the documents with these `_id`s as they are before the page.

        `seen` is what they were when the page was read.
        """
        collection = collection_of(self._images.client, namespace)
        if self._no_runs < NO_RUNS:
            # Read in a row, they cost the server two thirds as much, the client half.
            run = range_queries(seen)
            if fetch(collection, run, self.session) == b''.join(seen):
                self._no_runs = 0
                return PageBefore(run, in_a_row=seen)
            self._no_runs += 1
        queries = queries_for(ids)
        return PageBefore(queries, fetch(collection, queries, self.session))

    def keep(self, namespace: str, before: PageBefore) -> None:
        """Keep what `look` gave, and what the documents are now.

        Raises `TooManyImages`.
        """
        pairs = self._pairs(namespace, before)
        with self._known.lock:
            self._sent = kept = replace(self._known.kept)
        chunks = in_chunks(pairs)
        keep(
            self._images, kept, namespace, chunks, self.session, self._limit, saves=True
        )

    def _pairs(self, namespace: str, page: PageBefore) -> list[Difference]:
        collection = collection_of(self._images.client, namespace)
        queries, before, run = page
        data = fetch(collection, queries, self.session)
        if run:
            now = list(documents(data))
            # A page makes no document, so if none is gone these are the same ones.
            if len(now) == len(run):
                return [Difference(*two) for two in zip(run, now) if two[0] != two[1]]
            before = b''.join(run)
        pairs = aligned(before, data)
        if pairs is not None:
            return pairs
        # Some are gone.
        old = {id_of(each): each for each in documents(before)}
        after = match_to_ids(collection, list(old), data, self.session)
        return [
            Difference(each, after.get(id))
            for id, each in old.items()
            if each != after.get(id)
        ]

    def settle(self) -> None:
        """Hear that the page was committed."""
        with self._known.lock:
            self._known.kept = self._sent
