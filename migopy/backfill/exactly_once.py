"""A page, its writes and its checkpoint in one transaction: each document once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from migopy.backfill.changes import Batch, Change, Failed
from migopy.backfill.checkpoints import REMEMBERED, Checkpoint, Place, images_here
from migopy.backfill.throttle import Throttle
from migopy.backfill.transactions import (
    EXACTLY_ONCE,
    UNDO,
    NotOnce,
    PageTransaction,
)
from migopy.backfill.writes import EndedTransaction, Writes, Written
from migopy.codes import NOT_IN_TRANSACTION
from migopy.server import reason_of
from migopy.state import commit, is_passing

#: How often a page is tried that the server aborts, as others write its documents or
#: its cache is too small; and how often if it must be written exactly once.
CONFLICTS = 3
CONFLICTS_IF_REQUIRED = 30

#: Seconds to the next try, times the number of tries, and at most.
PAUSE = 0.05
LONGEST_PAUSE = 1.0

#: For how many seconds a page is tried if the network or the primary fails.
PATIENCE = 120.0

#: Round trips of a page, one after the other: its checkpoint, its writes, the commit;
#: with images also the documents before and after, and the images.
TRIPS = 3
TRIPS_WITH_IMAGES = 6

#: Documents of a page that the server may refuse; each costs one more try.
REFUSED_AT_MOST = 20


class TooLarge(Exception):
    """A page is too large for a transaction; one of so many `documents` may not be.

    `is_retried` is whether it has what failed in the run before.
    """

    def __init__(self, documents: int, is_retried: bool) -> None:
        self.documents = documents
        self.is_retried = is_retried
        super().__init__(documents)


class ExactlyOnce:
    """Writes batches, one at a time, each with its checkpoint in one transaction.

    Invariant: a batch and the checkpoint after it are both written or both not, and a
    batch never twice, whatever reply is lost and whoever is killed.
    """

    def __init__(
        self,
        collection: Collection[Any],
        raw: Collection[RawBSONDocument],
        checkpoint: Checkpoint,
        session: ClientSession,
        is_required: bool,
        throttle: Throttle,
    ) -> None:
        """Write to `collection`; `raw` is the same collection, for reading.

        The run must keep pages; `session` is used for these transactions alone.
        `throttle` hears how long their first commands take, and what is tried again.
        """
        self._namespace = collection.full_name
        self._writes = Writes(collection, raw, in_transaction=True, session=session)
        self._checkpoint = checkpoint
        self._images = images_here()
        if self._images is not None:
            self._images.begin(self._namespace)
        self._session = session
        self._throttle = throttle
        self.trips = TRIPS if self._images is None else TRIPS_WITH_IMAGES
        self.is_required = is_required or self._images is not None
        self._wanted = EXACTLY_ONCE if self._images is None else UNDO
        self._transaction = PageTransaction(
            collection.full_name,
            self._writes.concern,
            checkpoint,
            session,
            CONFLICTS_IF_REQUIRED if self.is_required else CONFLICTS,
            self._wanted,
        )
        self._pages = self._transaction.pages

    def write(self, batch: Batch) -> Written:
        """Write a batch together with the checkpoint after it, in any thread.

        Documents that the server refuses are left out and are among the failures. If
        some are to be seen `again`, nothing was written. Raises `NotOnce`, `LockLost`,
        and errors that are the fault of no single document.
        """
        refused: list[Failed] = []
        while True:
            keys = [id(each.id) for each in refused]
            changes = [each for each in batch.changes if id(each.id) not in keys]
            try:
                written = self._write(batch, changes, refused)
            except EndedTransaction as ended:
                self._session.abort_transaction()
                refused.append(ended.failed)
                if getattr(ended.failed.error, 'code', None) == NOT_IN_TRANSACTION:
                    # A capped collection, say: so it is no fault of the document.
                    reason = 'the server writes nothing to it in a transaction'
                    raise self._not_once(reason) from ended.failed.error
                if len(refused) > REFUSED_AT_MOST:
                    reason = 'the server refuses too many documents of a page'
                    error = self._not_once(reason, is_for_all=False)
                    raise error from ended.failed.error
            else:
                written.failures += refused
                return written

    def _write(
        self, batch: Batch, changes: Sequence[Change], refused: Sequence[Failed]
    ) -> Written:
        """Write the rest of a batch, trying again when the server asks for that."""
        known = [each.id for each in (*batch.failures, *refused)]
        if not changes:
            self._checkpoint.passed(batch, known)
            return Written()
        self._transaction.look_at_the_lock()
        began = time.monotonic()
        deadline = began + PATIENCE
        conflicts = 0
        #: What the last attempt had sent to be committed, and the place after it.
        sent: tuple[Written, Place] | None = None
        while True:
            self._pages.is_unsure = True
            try:
                self._transaction.begin()
                place = self._place(batch, known)
                if self._add(place):
                    written = self._write_kept(changes)
                    if written.again:
                        self._session.abort_transaction()
                        self._pages.is_unsure = False
                        return written
                    if written.failures:
                        place = self._corrected(batch, known, written.failures)
                    sent = written, place
                    commit(self._session, deadline)
                else:
                    # So a commit before, whose reply was lost, has succeeded.
                    self._session.abort_transaction()
                    self._pages.require_added()
                    written, place = sent or (Written(), place)
                self._settle(place)
                return written
            except PyMongoError as error:
                if self._session.in_transaction:
                    self._session.abort_transaction()
                conflicts += not is_passing(error)
                self._transaction.require_another_try(error, conflicts, deadline)
                self._throttle.tries_again(reason_of(error), began)
            time.sleep(min(PAUSE * max(conflicts, 1), LONGEST_PAUSE))

    def _corrected(
        self, batch: Batch, known: Sequence[Any], failures: Sequence[Failed]
    ) -> Place:
        """Take documents that have failed out of the checkpoint that was added."""
        place = self._place(batch, [*known, *(each.id for each in failures)])
        self._pages.correct(self._transaction.kept(place), self._session)
        return place

    def _settle(self, place: Place) -> None:
        """Hear that a batch was committed, after which the call is at a place."""
        self._checkpoint.go_to(place)
        self._pages.count()
        self._throttle.goes_on()
        if self._images is not None:
            self._images.settle()

    def _add(self, place: Place) -> bool:
        """Write the checkpoint first, which costs the server next to nothing."""
        began = time.monotonic()
        is_added = self._pages.add(self._transaction.kept(place), self._session)
        self._throttle.sizes.round_trip.saw(time.monotonic() - began)
        return is_added

    def _write_kept(self, changes: Sequence[Change]) -> Written:
        """Make changes, and keep images of their documents where that is wanted."""
        if self._images is None:
            return self._writes.write(changes)
        ids = [each.id for each in changes]
        seen = [each.seen for each in changes]
        before = self._images.look(self._namespace, ids, seen)
        written = self._writes.write(changes)
        if not written.again:
            self._images.keep(self._namespace, before)
        return written

    def _place(self, batch: Batch, failed: Sequence[Any]) -> Place:
        place = self._checkpoint.following(batch, failed)
        if not place.is_certain:
            reason = f'more than {REMEMBERED:,} documents have failed'
            raise self._not_once(reason)
        return place

    def _not_once(self, reason: str, is_for_all: bool = True) -> NotOnce:
        return NotOnce(self._namespace, reason, is_for_all, self._wanted)
