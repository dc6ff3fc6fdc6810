"""A page, its writes and its checkpoint in one transaction: each document once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from migopy.backfill.changes import Batch, Change, Failed
from migopy.backfill.checkpoints import (
    CHECKPOINTS,
    REMEMBERED,
    Checkpoint,
    Place,
    images_here,
)
from migopy.backfill.documents import Document
from migopy.backfill.session import is_bound, is_in_transaction
from migopy.backfill.writes import EndedTransaction, Writes, Written
from migopy.errors import MigopyException
from migopy.server import reason_of
from migopy.state import TRANSIENT, KeptPages, commit, is_passing
from migopy.terminal import say

#: How often a page is tried that the server aborts, as others write its documents or as
#: its cache is too small; and how often where it is to be exactly once.
CONFLICTS = 3
CONFLICTS_IF_REQUIRED = 30

#: Seconds to the next try, times the number of tries, and at most.
PAUSE = 0.05
LONGEST_PAUSE = 1.0

#: For how many seconds a page is tried where a network or a primary fails.
PATIENCE = 120.0

#: Documents of a page that the server may refuse; each of them is one more try.
REFUSED_AT_MOST = 20

#: What the server answers where no transaction can do it (IllegalOperation,
#: TransactionTooLarge, OperationNotSupportedInTransaction and the next one too large).
NEVER = frozenset({20, 257, 263, 388})


class NotOnce(MigopyException):
    """Documents of `namespace` cannot be written exactly once; `reason` is why."""

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(
        self,
        namespace: str,
        reason: str,
        is_for_all: bool = True,
        wanted: str = 'exactly_once=True',
    ) -> None:
        """Take why what was `wanted` cannot be."""
        self.namespace = namespace
        self.reason = reason
        #: Whether it holds for the whole collection, not for one page alone.
        self.is_for_all = is_for_all
        self.wanted = wanted
        super().__init__(f'{namespace}: {wanted} cannot be kept, as {reason}.')

    @property
    def in_place_of_it(self) -> str:
        """Say what holds instead, where it is not insisted on."""
        name = self.namespace.partition('.')[2]
        return (
            f'{name}: {self.reason}; if this run is killed, the next one may write the'
            ' last documents twice'
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self.namespace,
            self.reason,
            self.is_for_all,
            self.wanted,
        )


def can_be_once(collection: Collection[Any], is_required: bool) -> bool:
    """Tell whether each page of a collection can be a transaction of its own here.

    Where it cannot, that is said in a run of a migration. Raises `NotOnce` if it is
    required, but not in a transaction: there all is done once, or not at all.
    """
    if is_in_transaction():
        return False
    checkpoints = CHECKPOINTS.get()
    pages = checkpoints.pages if checkpoints else None
    reason = _why_not(collection, pages)
    if not reason:
        return True
    error = NotOnce(collection.full_name, reason)
    if images_here() is not None:
        raise NotOnce(collection.full_name, reason, wanted='undo = True')
    if is_required:
        raise error
    if pages is not None:
        say(error.in_place_of_it)
    return False


def session_for(client: Any) -> AbstractContextManager[ClientSession]:
    """Give a session for transactions, the one of the run that is going on here."""
    images = images_here()
    if images is not None:
        return nullcontext(images.session)
    session: ClientSession = client.start_session()
    return session


def _why_not(collection: Collection[Any], pages: KeptPages | None) -> str:
    if pages is None:
        return 'only a run of a migration keeps how far it has come'
    client: object = collection.database.client
    if not isinstance(client, MongoClient) or client is not pages.client:
        return "it is reached by another client than the fabfile's"
    members = client.topology_description.server_descriptions().values()
    if not any(each.server_type_name.startswith('RS') for each in members):
        return 'the server is no replica set and has no transactions'
    return 'a session is bound where it is called' if is_bound() else ''


class Once:
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
    ) -> None:
        """Write to `collection`; `raw` is the same one, as documents are read.

        In a run whose pages are kept; `session` is for the transactions alone.
        """
        checkpoints = CHECKPOINTS.get()
        assert checkpoints is not None and checkpoints.pages is not None  # noqa: S101
        self._checkpoints = checkpoints
        self._pages = checkpoints.pages
        self._namespace = collection.full_name
        self._writes = Writes(collection, raw, in_transaction=True, session=session)
        self._checkpoint = checkpoint
        self._images = checkpoints.images
        if self._images is not None:
            self._images.begin(self._namespace)
        self._session = session
        self._is_open = False
        self.is_required = is_required or self._images is not None
        self._conflicts = CONFLICTS_IF_REQUIRED if self.is_required else CONFLICTS

    def write(self, batch: Batch) -> Written:
        """Write a batch, in any thread; the checkpoint goes past it with that.

        What is refused is left out of it and among the failures. Where documents are
        to be seen `again` nothing was written. Raises `NotOnce`, `LockLost`, and what
        is the fault of no single document.
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
                if len(refused) > REFUSED_AT_MOST:
                    reason = 'the server refuses too many documents of a page'
                    raise self._not_once(reason) from ended.failed.error
            else:
                written.failures += refused
                return written

    def _write(
        self, batch: Batch, changes: Sequence[Change], refused: Sequence[Failed]
    ) -> Written:
        """Write what is left of a batch, trying again where the server asks for it."""
        known = [each.id for each in (*batch.failures, *refused)]
        if not changes:
            self._checkpoint.passed(batch, known)
            return Written()
        self._look_at_the_lock()
        deadline = time.monotonic() + PATIENCE
        conflicts = 0
        #: What the last attempt had written before its commit, and the place after it.
        sent: tuple[Written, Place] | None = None
        while True:
            self._pages.is_unsure = True
            try:
                self._begin()
                place = self._place(batch, known)
                if not self._pages.add(self._kept(place), self._session):
                    self._session.abort_transaction()
                    self._pages.require_added()
                    # So the commit of an attempt had succeeded.
                    written, place = sent or (Written(), place)
                else:
                    written = self._write_kept(changes)
                    if written.again:
                        self._session.abort_transaction()
                        self._pages.is_unsure = False
                        return written
                    if written.failures:
                        failed = [each.id for each in written.failures]
                        place = self._place(batch, known + failed)
                        self._pages.correct(self._kept(place), self._session)
                    sent = written, place
                    commit(self._session, deadline)
                self._checkpoint.go_to(place)
                self._pages.count()
                if self._images is not None:
                    self._images.settle()
                return written
            except PyMongoError as error:
                if self._session.in_transaction:
                    self._session.abort_transaction()
                conflicts += not is_passing(error)
                self._require_another_try(error, conflicts, deadline)
            time.sleep(min(PAUSE * max(conflicts, 1), LONGEST_PAUSE))

    def _write_kept(self, changes: Sequence[Change]) -> Written:
        """Make changes, and keep images of their documents where that is wanted."""
        if self._images is None:
            return self._writes.write(changes)
        ids = [each.id for each in changes]
        before = self._images.look(self._namespace, ids)
        written = self._writes.write(changes)
        if not written.again:
            self._images.keep(self._namespace, ids, before)
        return written

    def _begin(self) -> None:
        # All that a transaction reads is of one snapshot with `local`, too.
        self._session.start_transaction(
            read_concern=ReadConcern('local'),
            write_concern=self._writes.concern,
            read_preference=ReadPreference.PRIMARY,
        )

    def _place(self, batch: Batch, failed: Sequence[Any]) -> Place:
        place = self._checkpoint.following(batch, failed)
        if not place.is_certain:
            reason = f'more than {REMEMBERED:,} documents have failed'
            raise NotOnce(self._namespace, reason)
        return place

    def _kept(self, place: Place) -> list[Document]:
        return self._checkpoints.kept_with(self._checkpoint.entry, place.entry)

    def _look_at_the_lock(self) -> None:
        """Make sure once a second that the lock is still ours; raises `LockLost`."""
        if not self._is_open:
            self._pages.open(self._session, self._checkpoints.kept)
            self._is_open = True
        elif self._checkpoints.is_time():
            self._pages.check()
        else:
            return
        self._checkpoints.note_time()

    def _require_another_try(
        self, error: PyMongoError, conflicts: int, deadline: float
    ) -> None:
        """Raise an error, or `NotOnce`, if another try would meet it as well."""
        if isinstance(error, OperationFailure) and error.code in NEVER:
            raise NotOnce(self._namespace, reason_of(error)) from error
        if not error.has_error_label(TRANSIENT) or time.monotonic() > deadline:
            raise error
        if conflicts >= self._conflicts:
            reason = f'the server aborted a page {conflicts} times'
            raise self._not_once(f'{reason} ({reason_of(error)})') from error

    def _not_once(self, reason: str) -> NotOnce:
        return NotOnce(self._namespace, reason, is_for_all=False)
