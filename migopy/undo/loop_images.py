"""Keep images of what batches change, with each batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession

from migopy.effects import Effects
from migopy.terminal import say
from migopy.undo.capture import Capture, capturing, keep
from migopy.undo.image_sets import CurrentSet, ImageSet
from migopy.undo.images import Images
from migopy.undo.made_collections import name_here
from migopy.undo.targeted_ids import values_of
from migopy.undo.transaction_keepers import UnkeptCollections, WriteNotes

#: If the images of a batch take longer, a person is told so; in seconds.
SLOW = 1.0


class OpenBatch(NamedTuple):
    """What sees the writes of a batch, and what finds out what they have changed."""

    capture: Capture
    keeper: WriteNotes


class LoopImager:
    """Keeps images of what the body of a loop over `batches` changes.

    Invariant: a batch is written together with its images and their set, or not at all.
    Documents are looked up if the writes name their `_id`s; after any other write its
    whole collection is read.
    """

    def __init__(
        self,
        images: Images,
        known: CurrentSet,
        session: ClientSession,
        limit: float,
        own: Set[str],
        namespace: str,
    ) -> None:
        """Take the session of all batches, of the documents of `namespace`.

        `limit` is in MB, `own` are the collections that migopy keeps beside them.
        """
        self._images = images
        self._known = known
        self._session = session
        self._limit = limit
        self._own = {*own, images.collection.full_name}
        self._namespace = namespace
        self._kinds = UnkeptCollections(images)
        self._sent = known.kept
        #: The collections that a person was told are slow.
        self._told: set[str] = set()
        #: Whether, before this loop, no document of its collection had an image.
        self._is_first = namespace not in known.kept.paged

    @contextmanager
    def batch(self) -> Iterator[OpenBatch]:
        """Open the session's transaction, so that in the block `keep` can be called."""
        collection = self._images.collection
        database = collection.database.name
        with capturing(self._session, database, collection.name) as capture:
            yield OpenBatch(capture, WriteNotes(self._kinds, self._own))

    def keep(
        self, batch: OpenBatch, ids: Sequence[Any], effects: Effects | None
    ) -> None:
        """Keep images of what a batch of documents with these `_id`s has changed.

        `effects` are those of the loop. Raises `TooManyImages`, `PyMongoError`.
        """
        with self._known.lock:
            self._sent = kept = replace(self._known.kept)
        if not batch.keeper.noted:
            return
        total = effects.changes if effects is not None else {}
        with self._images.own_work():
            for namespace in batch.keeper.noted:
                was_there = batch.capture.exists(namespace)
                count = self._keep(kept, batch, namespace, was_there, ids)
                changes = total.get(namespace)
                # An insert makes the collection even if the document is gone again.
                makes = changes and (
                    changes.inserted or changes.collection or changes.indexes
                )
                if not was_there and (count or makes):
                    kept.add_made(namespace)
        self._images.save(kept, self._session)

    def settle(self) -> None:
        """Hear that the batch was committed."""
        with self._known.lock:
            self._known.kept = self._sent

    def _keep(
        self,
        kept: ImageSet,
        batch: OpenBatch,
        namespace: str,
        was_there: bool,
        ids: Sequence[Any],
    ) -> int:
        """Keep images of a collection's documents, and count them."""
        capture, notes = batch
        targeted = notes.noted[namespace]
        began = time.monotonic()
        if targeted is None:
            chunks = capture.pairs(namespace, was_there)
        else:
            chunks = capture.pairs_of(namespace, list(targeted), was_there)
        is_own = self._is_first and namespace == self._namespace
        own = set(values_of(list(ids))) if is_own else set()
        strange = False
        count = 0
        for pairs in chunks:
            strange = strange or not own.issuperset(each.id for each in pairs)
            count += keep(
                self._images, kept, namespace, [pairs], self._session, self._limit
            )
        if targeted is None:
            self._tell(namespace, time.monotonic() - began)
        if not count:
            return 0
        comes_again = strange if is_own else namespace in kept.paged
        kept.add_paged(namespace, comes_again)
        return count

    def _tell(self, namespace: str, seconds: float) -> None:
        """Say once why a batch is slow whose collection has to be read."""
        if seconds > SLOW and namespace not in self._told:
            self._told.add(namespace)
            name = name_here(self._images, namespace)
            say(
                f'{name}: a write that names no _id has all of it read with each batch,'
                f' to find what it changed, which takes {seconds:.1f} s; write by _id'
            )
