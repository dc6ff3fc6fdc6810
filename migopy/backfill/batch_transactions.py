"""The batches of a loop, each in a transaction of its own."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from pymongo import WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from migopy.backfill.batch_timer import BatchTimer
from migopy.backfill.changes import Batch
from migopy.backfill.checkpoints import Checkpoint, Place, images_here
from migopy.backfill.images import LoopImages, NoLoopImages, OpenBatch
from migopy.backfill.left_loops import Call, Left, Loop, names_written
from migopy.backfill.loops import CaughtInBatch, NotInBatch, OutsideBatch, outside
from migopy.backfill.throttle import Throttle
from migopy.backfill.transactions import TRANSACTION, UNDO, PageTransaction
from migopy.effects import FailedCommand, Recording
from migopy.errand import is_typed
from migopy.server import end_sessions, reason_of
from migopy.state import commit, is_passing
from migopy.terminal import Meter

#: How often a batch is given that the server does not commit, and seconds to the next
#: time, times the number of those before.
CONFLICTS = 5
PAUSE = 0.1

#: For how many seconds a commit is tried where a network or a primary fails.
PATIENCE = 120.0

#: Round trips of a batch whose commands are not heard: it is read, its checkpoint is
#: added, and all is committed.
READS_AND_COMMITS = 3


@dataclass
class Attempts:
    """What is known of the attempts at one batch.

    `deadline` is until when to try, `conflicts` how often the server would not have it,
    `sent` how far the loop is if a commit has succeeded whose reply was lost.
    """

    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)
    conflicts: int = 0
    sent: Place | None = None
    #: An error of a command that the loop's body has caught in this attempt.
    caught: FailedCommand | None = None


class BatchTransactions:
    """Gives the batches of one loop, each in a transaction with the loop's position.

    Invariant: what the loop's body has written and the checkpoint behind it are both
    committed, or neither is. A batch that the server does not commit is given again.
    """

    def __init__(
        self,
        collection: Collection[Any],
        throttle: Throttle,
        call: Call,
        checkpoint: Checkpoint,
        effects: Recording | None,
        session: ClientSession,
    ) -> None:
        """Take a session for them alone; `effects` are those of the loop."""
        images = images_here()
        concern = collection.write_concern
        self._collection = collection
        self._throttle = throttle
        self._call = call
        self._checkpoint = checkpoint
        self._effects = effects
        self._session = session
        #: What the transactions are for.
        self._wanted = TRANSACTION if images is None else UNDO
        self._images: LoopImages = NoLoopImages()
        if images is not None:
            self._images = images.loop(collection.full_name)
        self._transaction = PageTransaction(
            collection.full_name,
            # What is not acknowledged cannot be taken for written.
            concern if concern.acknowledged else WriteConcern(1),
            checkpoint,
            session,
            CONFLICTS,
            self._wanted,
        )

    def give(
        self,
        read: Callable[[], tuple[list[Any], Batch]],
        show: Meter,
        total: int | None,
    ) -> Loop:
        """Give batch after batch, as `read` gives those after the checkpoint."""
        name, throttle = self._collection.name, self._throttle
        attempts = Attempts()
        while True:
            show(name, self._checkpoint.count, total)
            throttle.wait(throttle.size)
            timed = BatchTimer(self._effects)
            attempts.caught = None
            try:
                given = yield from self._give_one(read, attempts)
                if given is None:
                    return
                throttle.goes_on()
                attempts = Attempts()
                timed.tell(throttle, given, READS_AND_COMMITS)
            except PyMongoError as error:
                if self._session.in_transaction:
                    self._session.abort_transaction()
                if attempts.caught is not None:
                    left = Left(self._collection.full_name, self._checkpoint.count)
                    raise CaughtInBatch(left, str(attempts.caught)) from error
                attempts.conflicts += not is_passing(error)
                conflicts, deadline = attempts.conflicts, attempts.deadline
                self._transaction.require_another_try(error, conflicts, deadline)
                throttle.tries_again(reason_of(error), deadline - PATIENCE)
                time.sleep(PAUSE * max(conflicts, 1))
            finally:
                self._abort()

    def _give_one(
        self, read: Callable[[], tuple[list[Any], Batch]], attempts: Attempts
    ) -> Generator[list[Any], None, int | None]:
        """Give the next batch in a transaction; return how many documents it has.

        If there is no other one, it returns `None`.
        """
        checkpoint, session, effects = self._checkpoint, self._session, self._effects
        transaction, pages = self._transaction, self._transaction.pages
        transaction.look_at_the_lock()
        transaction.begin()
        with self._images.batch() as opened:
            with session.bind(end_session=False):
                documents, batch = read()
            if not documents and attempts.sent is None:
                session.abort_transaction()
                return None
            place = checkpoint.following(batch, [])
            is_added = pages.add(transaction.kept(place), session)
            if is_added:
                pages.is_unsure = False
                with self._inside(opened):
                    if documents:  # others may have deleted them since the last try
                        done = checkpoint.count
                        yield from self._call.give(documents, done, effects)
                attempts.caught = effects.failed if effects is not None else None
                self._require_nothing_left_out(attempts.caught)
                place.entry['wrote'] = names_written(checkpoint.wrote, effects)
                if place.entry['wrote'] != checkpoint.wrote:
                    pages.correct(transaction.kept(place), session)
                self._images.keep(opened, batch.ids, effects)
        if is_added:
            pages.is_unsure, attempts.sent = True, place
            attempts.deadline = time.monotonic() + PATIENCE
            self._throttle.silence.answer(partial(commit, session, attempts.deadline))
        else:
            # So a commit before, whose reply was lost, has succeeded.
            session.abort_transaction()
            pages.require_added()
        checkpoint.go_to(attempts.sent or place)
        pages.count()
        self._images.settle()
        return len(documents)

    def _require_nothing_left_out(self, caught: FailedCommand | None) -> None:
        """Raise `NotInBatch` where the body caught that no transaction does this."""
        if caught is not None and caught.is_refused:
            left = Left(self._collection.full_name, self._checkpoint.count)
            raise NotInBatch(left, str(caught))

    @contextmanager
    def _inside(self, opened: OpenBatch | None) -> Iterator[None]:
        """Have all that is written in the block be in the session's transaction.

        Raises `OutsideBatch` after the block, or what was refused where images are
        kept.
        """
        effects, session = self._effects, self._session
        with ExitStack() as stack:
            if effects is not None:
                strays = is_typed()
                keeper = opened.keeper if opened is not None else None
                stack.enter_context(effects.kept_to(session.session_id, strays, keeper))
            stack.enter_context(session.bind(end_session=False))
            yield
        if effects is not None and effects.refused is not None:
            raise effects.refused if opened is not None else outside(effects.refused)
        if effects is not None and effects.outside.wrote:
            database = self._collection.database.name
            raise OutsideBatch(effects.outside.describe(database), self._wanted)

    def _abort(self) -> None:
        """Abort what is left of a transaction where the loop was left within it."""
        session = self._session
        if session.in_transaction:
            # An abort would wait for a command that goes on in it.
            client = self._collection.database.client
            end_sessions(client, [session.session_id['id']])
            session.abort_transaction()
