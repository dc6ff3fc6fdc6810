"""One loop over `batches`: batch after batch, each done when the next is asked for."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from migopy.backfill.answers import Counts
from migopy.backfill.batch_timer import BatchTimer
from migopy.backfill.batch_transactions import BatchTransactions
from migopy.backfill.changes import Batch
from migopy.backfill.checkpoints import CHECKPOINTS, Checkpoint, images_here
from migopy.backfill.documents import RAW, id_of, on_primary
from migopy.backfill.left_loops import Call, Loop, names_written
from migopy.backfill.loops import LOOP, require_no_loop
from migopy.backfill.pages import Pages
from migopy.backfill.resuming import begin, say_where, total_of_call
from migopy.backfill.target import Target, require_the_same
from migopy.backfill.throttle import Throttle
from migopy.backfill.transactions import session_for
from migopy.effects import Recording
from migopy.terminal import Meter, meter

#: Round trips of a batch whose commands are not heard: one reads it.
READS = 1


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
        self._total = partial(total_of_call, there, query)
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
                stack.enter_context(self._throttle.silence.told())
                checkpoints = CHECKPOINTS.get()
                effects = None
                if checkpoints is not None:
                    effects = stack.enter_context(checkpoints.recording())
                if self._is_once:
                    client = self._collection.database.client
                    session = stack.enter_context(session_for(client))
                    batches = BatchTransactions(
                        self._collection,
                        self._throttle,
                        self._call,
                        checkpoint,
                        effects,
                        session,
                    )
                    read = partial(self._next, checkpoint)
                    yield from batches.give(read, show, self._total(checkpoint))
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
        total = self._total(checkpoint)
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
            wrote = names_written(checkpoint.wrote, effects)
            if wrote != checkpoint.wrote:
                checkpoint.entry['wrote'] = wrote
            checkpoint.passed(batch, [])

    def _next(self, checkpoint: Checkpoint) -> tuple[list[Any], Batch]:
        """Read the next documents; none where there are no more."""
        after = [checkpoint.after] if checkpoint.is_begun else []
        read = partial(self._pages.after, self._throttle.size, *after)
        page = self._throttle.silence.answer(read)
        batch = Batch(counts=Counts(matched=len(page)))
        if page:
            batch.last = id_of(page[-1])
        if images_here() is not None:
            batch.ids = [id_of(each) for each in page]
        options = self._collection.codec_options
        return [bson.decode(each.raw, codec_options=options) for each in page], batch
