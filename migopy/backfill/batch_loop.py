"""One loop over `batches`: batch after batch, each done when the next is asked for."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from migopy.backfill.answers import Counts
from migopy.backfill.batch_timer import BatchTimer
from migopy.backfill.changes import Batch
from migopy.backfill.checkpoints import CHECKPOINTS, Checkpoint, Place, images_here
from migopy.backfill.documents import RAW, id_of, on_primary
from migopy.backfill.images import Looked, LoopImages, NoLoopImages
from migopy.backfill.left_loops import Call, Left, Loop, written
from migopy.backfill.loops import (
    LOOP,
    CaughtInBatch,
    OutsideBatch,
    outside,
    require_no_loop,
)
from migopy.backfill.pages import Pages
from migopy.backfill.resuming import begin, say_where
from migopy.backfill.target import Target, require_the_same
from migopy.backfill.throttle import Throttle
from migopy.backfill.transactions import (
    TRANSACTION,
    UNDO,
    PageTransaction,
    session_for,
)
from migopy.effects import FailedCommand, Recording
from migopy.errand import is_typed
from migopy.server import end_sessions, reason_of
from migopy.state import commit, is_passing
from migopy.terminal import Meter, meter, total_of

#: How often a batch is given that the server does not commit, and seconds to the next
#: time, times the number of those before.
CONFLICTS = 5
PAUSE = 0.1

#: For how many seconds a commit is tried where a network or a primary fails.
PATIENCE = 120.0

#: Round trips of a batch whose commands are not heard: one reads it; in a transaction
#: there are the checkpoint and the commit as well.
READS = 1
READS_AND_COMMITS = 3


class BatchLoop:
    """One call of `batches`.

    Invariant: the checkpoint is behind a batch only if the loop has gone on from it,
    and in transactions it is written with what the loop wrote, or neither is.
    """

    def __init__(
        self,
        collection: Collection[Any],
        target: Target,
        query: Mapping[str, Any],
        throttle: Throttle,
        is_once: bool,
        call: Call,
        tried: Recording | None,
    ) -> None:
        """Go through the documents of `collection` that fit `query`.

        `is_once` is whether each batch is a transaction, which it can be here; `call`
        is this one. `tried` hears what is written where each batch would be one if it
        were no dry run.
        """
        #: The loop itself; held weakly, it ends with its `for`.
        self._reference: weakref.ref[Loop] | None = None
        self._collection = collection
        self._name = collection.name
        self._target = target
        self._query = query
        self._throttle = throttle
        self._is_once = is_once
        self._call = call
        self._tried = tried
        there = on_primary(collection)
        raw: Collection[RawBSONDocument] = there.with_options(RAW)
        self._everything = there.find(query)
        self._pages = Pages(raw, query)

    def begin(self) -> Loop:
        """Give the batches; to go on raises what `_batches` does."""
        loop = self._batches()
        self._reference = weakref.ref(loop)
        return loop

    def _batches(self) -> Loop:
        """Go from batch to batch.

        Raises `InLoop`, `NotOnce`, `OutsideBatch`, `CaughtInBatch`, `Stopped`.
        """
        require_no_loop('migopy.batches', self._collection.full_name)
        LOOP.set(self._reference)
        try:
            uuid = self._target.uuid
            checkpoint = begin(self._collection, uuid, 'migopy.batches', self._query)
            if not say_where(self._name, checkpoint):
                return
            with ExitStack() as stack:
                show = stack.enter_context(meter())
                checkpoints = CHECKPOINTS.get()
                effects = None
                if checkpoints is not None:
                    effects = stack.enter_context(checkpoints.recording())
                if self._is_once:
                    client = self._collection.database.client
                    session = stack.enter_context(session_for(client))
                    yield from self._in_transactions(checkpoint, effects, session, show)
                else:
                    yield from self._plain(checkpoint, effects, show)
            require_the_same(self._collection, self._target)
            checkpoint.finish()
            self._call.has_ended()
        finally:
            LOOP.set(None)

    def _plain(
        self, checkpoint: Checkpoint, effects: Recording | None, show: Meter
    ) -> Loop:
        total = total_of(self._everything)
        while True:
            done = checkpoint.count
            show(self._name, done, total)
            self._throttle.wait(self._throttle.size)
            timed = BatchTimer(effects)
            documents, batch = self._next(checkpoint)
            if not documents:
                return
            if self._tried is None:
                yield documents
            else:
                yield from self._call.give(documents, done, self._tried, is_tried=True)
            timed.tell(self._throttle, len(documents), READS)
            wrote = written(checkpoint.wrote, effects)
            if wrote != checkpoint.wrote:
                checkpoint.entry['wrote'] = wrote
            checkpoint.passed(batch, [])

    def _in_transactions(
        self,
        checkpoint: Checkpoint,
        effects: Recording | None,
        session: ClientSession,
        show: Meter,
    ) -> Loop:
        """Give batches, each in a transaction of its own with its checkpoint.

        One that the server does not commit is given again.
        """
        total = total_of(self._everything)
        transaction = self._transaction(checkpoint, session)
        pages = transaction.pages
        images = self._images_of_loop()
        deadline = time.monotonic() + PATIENCE
        conflicts = 0
        #: How far the loop is if a commit has succeeded whose reply was lost.
        sent: Place | None = None
        while True:
            show(self._name, checkpoint.count, total)
            self._throttle.wait(self._throttle.size)
            timed = BatchTimer(effects)
            caught: FailedCommand | None = None
            try:
                transaction.look_at_the_lock()
                transaction.begin()
                with images.batch() as looked:
                    with session.bind(end_session=False):
                        documents, batch = self._next(checkpoint)
                    if not documents and sent is None:
                        session.abort_transaction()
                        return
                    place = checkpoint.following(batch, [])
                    is_added = pages.add(transaction.kept(place), session)
                    if is_added:
                        pages.is_unsure = False
                        with self._inside(session, effects, looked):
                            done = checkpoint.count
                            yield from self._call.give(documents, done, effects)
                        caught = effects.failed if effects is not None else None
                        place.entry['wrote'] = written(checkpoint.wrote, effects)
                        if place.entry['wrote'] != checkpoint.wrote:
                            pages.correct(transaction.kept(place), session)
                        images.keep(looked, batch.ids, effects)
                if is_added:
                    pages.is_unsure, sent = True, place
                    deadline = time.monotonic() + PATIENCE
                    commit(session, deadline)
                else:
                    # So a commit before, whose reply was lost, has succeeded.
                    session.abort_transaction()
                    pages.require_added()
                checkpoint.go_to(sent or place)
                pages.count()
                images.settle()
                self._throttle.goes_on()
                conflicts, sent = 0, None
                timed.tell(self._throttle, len(documents), READS_AND_COMMITS)
            except PyMongoError as error:
                if session.in_transaction:
                    session.abort_transaction()
                if caught is not None:
                    left = Left(self._collection.full_name, checkpoint.count)
                    raise CaughtInBatch(left, str(caught)) from error
                conflicts += not is_passing(error)
                transaction.require_another_try(error, conflicts, deadline)
                self._throttle.tries_again(reason_of(error), deadline - PATIENCE)
                time.sleep(PAUSE * max(conflicts, 1))
            finally:
                self._abort(session)

    def _transaction(
        self, checkpoint: Checkpoint, session: ClientSession
    ) -> PageTransaction:
        """Give the transaction of each batch, one after the other."""
        concern = self._collection.write_concern
        return PageTransaction(
            self._collection.full_name,
            # What is not acknowledged cannot be taken for written.
            concern if concern.acknowledged else WriteConcern(1),
            checkpoint,
            session,
            CONFLICTS,
            self._wanted,
        )

    @property
    def _wanted(self) -> str:
        """Say what the transactions are for."""
        return TRANSACTION if images_here() is None else UNDO

    def _images_of_loop(self) -> LoopImages:
        images = images_here()
        name = self._collection.full_name
        return NoLoopImages() if images is None else images.loop(name)

    @contextmanager
    def _inside(
        self, session: ClientSession, effects: Recording | None, looked: Looked | None
    ) -> Iterator[None]:
        """Have all that is written in the block be in the session's transaction.

        Raises `OutsideBatch` after the block, or what was refused where images are
        kept.
        """
        with ExitStack() as stack:
            if effects is not None:
                strays = is_typed()
                keeper = looked.keeper if looked is not None else None
                stack.enter_context(effects.kept_to(session.session_id, strays, keeper))
            stack.enter_context(session.bind(end_session=False))
            yield
        if effects is not None and effects.refused is not None:
            raise effects.refused if looked is not None else outside(effects.refused)
        if effects is not None and effects.outside.wrote:
            database = self._collection.database.name
            raise OutsideBatch(effects.outside.describe(database), self._wanted)

    def _abort(self, session: ClientSession) -> None:
        """Abort what is left of a transaction where the loop was left within it."""
        if session.in_transaction:
            # An abort would wait for a command that goes on in it.
            client = self._collection.database.client
            end_sessions(client, [session.session_id['id']])
            session.abort_transaction()

    def _next(self, checkpoint: Checkpoint) -> tuple[list[Any], Batch]:
        """Read the next documents; none where there are no more."""
        after = [checkpoint.after] if checkpoint.begun else []
        page = self._pages.after(self._throttle.size, *after)
        batch = Batch(counts=Counts(matched=len(page)))
        if page:
            batch.last = id_of(page[-1])
        if images_here() is not None:
            batch.ids = [id_of(each) for each in page]
        options = self._collection.codec_options
        return [bson.decode(each.raw, codec_options=options) for each in page], batch
