"""One deploy at a time: a lock in the database, on the server's clock."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from migopy.signals import sleep
from migopy.state.agent import Agent, place
from migopy.state.concerns import DURABLE, PAUSE, no_majority, told_if_slow
from migopy.state.documents import raw, readable
from migopy.state.helm import Helm
from migopy.state.holder import WORKER, Holder, Locked, LockLost
from migopy.state.renewal import RENEWAL, Renewal, expiry, freed
from migopy.state.usable import NOT_WRITTEN, require_known, require_lockable

Document = dict[str, Any]


class Lock:
    """The right to change a database's migrations, in one document.

    Invariant: at most one command is the owner, and only the owner releases; time is
    the server's. While the lock is held a thread renews it, so it lasts as long as the
    work; if the holder dies it is free after `ttl` seconds. Each renewal writes what
    the helm reports, and reads what others ask.
    """

    ID = 'lock'
    #: The document of the worker's lock, under which migrations run in the background
    #: while other commands hold theirs.
    WORKER = WORKER

    def __init__(
        self,
        collection: Collection[Document],
        ttl: float,
        own_work: Callable[[], AbstractContextManager[object]] = nullcontext,
        which: str = ID,
        spare: Callable[[], Any] | None = None,
    ) -> None:
        """Take the lock's collection and `ttl`, the seconds it lasts unrenewed.

        `own_work` is entered by the thread that renews, and `which` is its document.
        `spare` gives a client for that thread, as all connections may be in use.
        """
        self.id = which
        self.collection = collection.with_options(write_concern=DURABLE)
        self.ttl = ttl
        #: A random id, new each time that the lock is held.
        self.owner = ''
        #: The helm of the command that holds it.
        self.helm = Helm()
        #: The owners that had it before and did not release it.
        self.formers: list[str] = []
        #: The owners that it was waited for, while it is held.
        self.awaited: set[str] = set()
        self._own_work = own_work
        self._spare = spare
        self._renewal = self._new_renewal()
        self._block = threading.Lock()
        self._thread: int | None = None
        #: The server's time, and this process's at the same moment.
        self._since = (datetime.min, 0.0)

    def of_worker(self) -> Lock:
        """Give the worker's lock of the same database."""
        return Lock(self.collection, self.ttl, self._own_work, self.WORKER, self._spare)

    @property
    def is_held(self) -> bool:
        """Tell whether this thread is in the object's `held` block."""
        return self._thread == threading.get_ident()

    @property
    def is_lost(self) -> bool:
        """Tell whether it was found lost; this asks no server."""
        return self._renewal.is_lost

    def now(self) -> datetime:
        """Give the server's time, in UTC without a zone, while the lock is held.

        The clocks of deploying machines may differ; this gives one order to all.
        """
        since, then = self._since
        now = since + timedelta(seconds=time.monotonic() - then)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def holder(self) -> Holder | None:
        """Read who holds the lock at this moment, by the server's clock."""
        return next(iter(self._holders([self.id])), None)

    def holders(self) -> list[Holder]:
        """Read who holds the lock and who holds the worker's."""
        return self._holders([self.ID, self.WORKER])

    def _holders(self, which: Sequence[str]) -> list[Holder]:
        # A command of this machine whose process is gone does not hold it any more.
        return [each for each in self.with_gone(which) if not each.is_gone]

    def with_gone(self, which: Sequence[str]) -> list[Holder]:
        """Read who holds those locks, those whose processes are gone among them."""
        held = self.documents(which)
        return [Holder.of(document, now, self.ttl) for document, now in held]

    def documents(self, which: Sequence[str]) -> list[tuple[Document, datetime]]:
        """Read the documents of those locks that are held, with the server's time."""
        pipeline: list[Document] = [
            {'$match': {'_id': {'$in': list(which)}}},
            {'$match': {'$expr': {'$gt': ['$expires', '$$NOW']}}},
            {'$replaceWith': {'lock': '$$ROOT', 'now': '$$NOW'}},
        ]
        try:
            found = raw(self.collection).aggregate(pipeline)
        except OperationFailure as error:
            require_known(error)
            raise
        options = self.collection.codec_options
        return [(readable(each['lock'], options), each['now']) for each in found]

    @contextmanager
    def held(
        self, command: str, wait: float, waiting: Callable[[Holder], None]
    ) -> Iterator[None]:
        """Hold the lock during the block.

        It waits up to `wait` seconds for another holder, which `waiting` is told once,
        and then raises `Locked`. Errors of the network are raised as they are. Another
        thread with the same object waits until the block has ended.
        """
        with self._block:
            self._thread = threading.get_ident()
            self.owner = uuid.uuid4().hex
            self.helm = Helm()
            self.formers = []
            self._renewal = self._new_renewal()
            try:
                self._acquire(command, wait, waiting)
                with self._renewal.running():
                    yield
            finally:
                self._thread = None
                self.awaited = set()
                # What comes later without the lock, a dry run say, has lost none.
                self._renewal = self._new_renewal()

    def check(self) -> None:
        """Make sure, by a write to the server, that the lock is still ours.

        Raises `LockLost`.
        """
        with self._own_work():
            is_ours = self._renewal.renew()
        if not is_ours:
            raise LockLost(self.holder())

    def _acquire(
        self, command: str, wait: float, waiting: Callable[[Holder], None]
    ) -> None:
        deadline = time.monotonic() + wait
        told = False
        while True:
            holder = told_if_slow(partial(self._try, command), self.collection)
            if holder.owner == self.owner:
                self._since = (holder.since or datetime.min, time.monotonic())
                self.formers += filter(None, [holder.former])
                return
            if holder.is_gone and self._freed(holder):
                self.formers.append(holder.owner)
                waiting(holder)
                continue
            if not told:
                waiting(self.holder() or holder)
                told = True
            self.awaited.add(holder.owner)
            if time.monotonic() >= deadline:
                raise Locked(self.holder() or holder, wait)
            sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))

    def _try(self, command: str) -> Holder:
        """Take the lock if it is free; give who holds it then."""
        free = {'$not': [{'$gt': ['$expires', '$$NOW']}]}
        taken = {'$cond': [free, self._mine(command), '$$ROOT']}
        collection: Collection[Any] = self.collection
        while True:
            try:
                document: Any = collection.find_one_and_update(
                    {'_id': self.id},
                    [{'$replaceWith': taken}],
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
                return self.holder_of(document)
            except InvalidBSON:
                # The same again gives the same answer, as bytes. Not the first time:
                # PyMongo does not look at how old an error is that comes as bytes, and
                # would for seconds not know what a secondary is.
                collection = raw(self.collection)
            except DuplicateKeyError as error:
                if (error.details or {}).get('keyPattern', {'_id': 1}) != {'_id': 1}:
                    require_lockable(self.collection)
                    raise
                # Two upserts met, and the other one made the document: look again.
                continue
            except PyMongoError as error:
                missing = no_majority(error, self.collection.database.client)
                if missing is None:
                    if getattr(error, 'code', None) in NOT_WRITTEN:
                        require_lockable(self.collection)
                    require_known(error)
                    raise
                self._renewal.release()
                raise missing from error

    def _mine(self, command: str) -> Document:
        """Give the document of the lock in our hands, as an expression of MongoDB's."""
        agent = Agent.current()
        return {
            '_id': self.id,
            'owner': self.owner,
            'former': '$owner',
            'user': {'$literal': agent.user},
            'host': {'$literal': agent.host},
            'pid': agent.pid,
            'subtask': {'$literal': command},
            'since': '$$NOW',
            'expires': expiry(self.ttl),
            'place': place(),
            'ttl': self.ttl,
        }

    def _new_renewal(self) -> Renewal:
        mine = {'_id': self.id, 'owner': self.owner}
        return Renewal(
            self.collection, mine, self.ttl, self.helm, self._own_work, self._spare
        )

    def seems_alive(self, holder: Holder) -> bool:
        """Tell whether a holder still renews the lock."""
        if holder.renewed is None:
            return False
        return holder.renewed < 1.2 * (holder.ttl or self.ttl) * RENEWAL

    def _freed(self, holder: Holder) -> bool:
        """Free the lock of a process that is gone; tell whether it still had it."""
        gone = {'_id': self.id, 'owner': holder.owner}
        collection = raw(self.collection)
        took = freed(collection.find_one_and_delete, collection, gone)
        return took is not None

    def holder_of(self, document: Document | RawBSONDocument) -> Holder:
        """Read who holds the lock from its document."""
        if isinstance(document, RawBSONDocument):
            document = readable(document, self.collection.codec_options)
        return Holder.of(document, usual=self.ttl)
