"""An undo: a migration's documents as they were before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from bson import ObjectId
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from migopy.backfill import bound_session, is_bound
from migopy.state import DURABLE, TRANSIENT, commit
from migopy.undo.deciding import STOP
from migopy.undo.errors import Conflicts, InTheWay
from migopy.undo.images import Chunk, Images, Kept
from migopy.undo.made import drop_made
from migopy.undo.pairs import Damaged
from migopy.undo.restoring import Restoring, look_for_conflicts
from migopy.undo.rules import RulesOf
from migopy.undo.writing import DUPLICATE

#: Documents and bytes of them up to which all is restored in one transaction.
DOCUMENTS = 50_000
BYTES = 32_000_000

#: How often a chunk is tried that the server aborts, and for how many seconds a
#: transaction at most.
ATTEMPTS = 30
PATIENCE = 120.0

#: Seconds to the next try, times the number of tries.
PAUSE = 0.05

#: Seconds between two looks at the lock.
LOCK_EVERY = 1.0


class Undo:
    """Restores what a migration has changed, as its `down` would.

    Invariant: called in a transaction, all is done in that. Else each chunk is restored
    in a transaction of its own, with which its images go; so an undo that was killed
    goes on where it was, and no chunk is restored twice.
    """

    def __init__(
        self,
        images: Images,
        kept: Kept,
        wish: str,
        check: Callable[[], object],
        say: Callable[[str], None],
        why: str,
        is_trial: bool,
    ) -> None:
        """Take images, and what decides conflicts.

        `check` looks at the lock, `say` takes what a person reads, and `why` says why
        it is an undo. `is_trial` is whether it is a dry run.
        """
        self._images = images
        self._kept = kept
        self._wish = wish
        self._check = check
        self._say = say
        self._why = why
        self._is_trial = is_trial
        self._rules = RulesOf(images.client)
        self._is_told = False

    @property
    def is_small(self) -> bool:
        """Tell whether all can be done in one transaction."""
        kept = self._kept
        fits = kept.documents <= DOCUMENTS and kept.bytes <= BYTES
        return fits and not kept.made

    def __call__(self, db: Any) -> None:
        """Do it; raises `Conflicts`, `InTheWay`, `NotExact`, `Damaged`, `LockLost`."""
        self._tell()
        if is_bound():
            session = bound_session()
            if session is not None and not self._is_trial:
                self._images.begin_undo(self._kept, session)
            self._in_one(None)
            for namespace in self._kept.made:
                # Only a dry run comes here, whose stand-in answers it.
                database, _, name = namespace.partition('.')
                is_own = database == db.name
                (db if is_own else db.client[database]).drop_collection(name)
            return
        self._look_through()
        self._in_chunks()
        self._check()
        drop_made(self._images, self._kept, self._say)

    def _tell(self) -> None:
        if not self._is_told:
            kept = self._kept
            count = kept.documents
            what = '1 document' if count == 1 else f'{count:,} documents'
            at = f'{kept.at:%Y-%m-%d %H:%M:%S} UTC'
            self._say(f'{self._why}; restoring {what} as before {at}')
            self._is_told = True

    def _in_one(self, session: ClientSession | None) -> None:
        restoring = self._restoring(session)
        for chunk in self._images.chunks(self._kept, session):
            restoring.restore(chunk.namespace, chunk.pairs)
        self._require_agreed(restoring)
        restoring.finish()
        self._images.forget([self._kept.id], session)

    def _look_through(self) -> None:
        """Make sure that all images are there, and that nobody is in the way."""
        client, kept = self._images.client, self._kept
        chunks = self._images.chunks(kept)
        conflicts = look_for_conflicts(client, chunks, self._wish, kept.repeats)
        if conflicts.count and self._wish == STOP:
            raise Conflicts(self._kept.name, conflicts.first, conflicts.count)

    def _in_chunks(self) -> None:
        mark = ObjectId()
        self._check()
        checked = time.monotonic()
        with self._images.client.start_session() as session:
            self._images.begin_undo(self._kept, session, mark)
            for chunk in self._images.chunks(self._kept):
                try:
                    self._in_transaction(lambda: [chunk], mark, session)  # noqa: B023
                except InTheWay as error:
                    if error.code != DUPLICATE:
                        raise
                    # Documents of several chunks may have exchanged their values.
                    self._in_transaction(self._rest, mark, session)
                    return
                if time.monotonic() - checked > LOCK_EVERY:
                    self._check()
                    checked = time.monotonic()

    def _rest(self) -> Iterable[Chunk]:
        return self._images.chunks(self._images.again(self._kept))

    def _in_transaction(
        self,
        chunks: Callable[[], Iterable[Chunk]],
        mark: ObjectId,
        session: ClientSession,
    ) -> None:
        """Restore chunks in a transaction, tried again where others are in its way."""
        deadline = time.monotonic() + PATIENCE
        for number in range(1, ATTEMPTS + 1):
            try:
                with session.start_transaction(
                    read_concern=ReadConcern('local'),
                    write_concern=DURABLE,
                    read_preference=ReadPreference.PRIMARY,
                ):
                    self._restore(chunks(), mark, session)
                    commit(session, deadline)
                return
            except PyMongoError as error:
                again = error.has_error_label(TRANSIENT) and number < ATTEMPTS
                if not again or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE * number)

    def _restore(
        self, chunks: Iterable[Chunk], mark: ObjectId, session: ClientSession
    ) -> None:
        restoring = self._restoring(session)
        for chunk in chunks:
            if not self._images.drop_chunk(chunk, mark, session):
                self._check()
                raise Damaged(self._kept.name)
            restoring.restore(chunk.namespace, chunk.pairs)
        self._require_agreed(restoring, is_begun=True)
        restoring.finish()

    def _restoring(self, session: ClientSession | None) -> Restoring:
        return Restoring(
            self._images.client, session, self._kept.name, self._wish, self._rules
        )

    def _require_agreed(self, restoring: Restoring, is_begun: bool = False) -> None:
        """Make sure that somebody has decided of what others have changed."""
        found = restoring.conflicts
        if found.count and self._wish == STOP:
            raise Conflicts(self._kept.name, found.first, found.count, is_begun)
