"""Renew a lock while it is held, then release it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pymongo
from bson import encode
from bson.errors import InvalidBSON
from pymongo import ReturnDocument, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import UNAUTHORIZED
from migopy.machine import LACKING
from migopy.state.concerns import DURABLE, MARK, PAUSE, RELEASE_SECONDS
from migopy.state.helm import Helm

Document = dict[str, Any]

#: The part of a lock's time after which it is renewed.
RENEWAL = 1 / 3

#: Seconds between two looks whether a renewal or a report is due.
TICK = 0.2


class Renewal:
    """Renews a lock that this process has.

    Invariant: once found lost, it stays lost. Each renewal writes what the helm
    reports, and reads what others ask.
    """

    def __init__(
        self,
        collection: Collection[Document],
        mine: Mapping[str, Any],
        ttl: float,
        helm: Helm,
        own_work: Callable[[], AbstractContextManager[object]],
        spare: Callable[[], Any] | None = None,
    ) -> None:
        """Take the lock's collection and what finds it while it is ours.

        `own_work` is entered by the thread that renews, which writes with the client
        that `spare` gives; `ttl` is in seconds.
        """
        self._collection = collection
        self._mine = mine
        self._ttl = ttl
        self._helm = helm
        self._own_work = own_work
        self._spare = spare
        self._lost = threading.Event()

    @property
    def is_lost(self) -> bool:
        """Tell whether it was found lost."""
        return self._lost.is_set()

    def renew(self) -> bool:
        """Renew it now, unless it is lost; tell whether it is ours then."""
        if self._lost.is_set() or not self._renew(self._collection, DURABLE):
            self._lost.set()
        return not self._lost.is_set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Renew the lock during the block, then release it."""
        released = threading.Event()
        renewal = threading.Thread(
            target=self._renew_until, args=(released,), name='migopy-lock', daemon=True
        )
        try:
            renewal.start()
            yield
        finally:
            released.set()
            if renewal.is_alive():
                renewal.join(timeout=PAUSE)
            self.release()

    def release(self) -> None:
        """Release the lock."""
        # If a failover undoes that, the lock frees itself when its time is up.
        collection = self._collection.with_options(write_concern=MARK)
        try:
            with pymongo.timeout(RELEASE_SECONDS):
                freed(collection.delete_one, collection, self._mine)
        except PyMongoError:
            # It frees itself when its time is up; this must not hide a first error.
            return

    def _renew_until(self, released: threading.Event) -> None:
        with self._own_work():
            collection = self._of_thread()
            often = self._ttl * RENEWAL
            due = time.monotonic() + often
            while not released.wait(min(TICK, often)):
                is_due = time.monotonic() >= due
                if is_due:
                    due = time.monotonic() + often
                if not (is_due or self._helm.is_due):
                    continue
                if not self._stays_ours(collection, is_due):
                    self._lost.set()
                    self._helm.lose()
                    return

    def _of_thread(self) -> Collection[Document]:
        """Give the lock's collection for the thread that renews."""
        if self._spare is None:
            return self._collection
        plain = self._spare()[self._collection.database.name][self._collection.name]
        options = self._collection.codec_options
        renewing: Collection[Document] = plain.with_options(codec_options=options)
        return renewing

    def _stays_ours(self, collection: Collection[Document], is_due: bool) -> bool:
        """Renew it; tell whether it is still ours, as far as that is known.

        If nobody answers, or the machine has no memory or thread at this moment, the
        next turn asks again, and every write asks anyway.
        """
        try:
            # Reports between two renewals need not outlive a failover.
            return self._renew(collection, DURABLE if is_due else MARK)
        except (PyMongoError, *LACKING):
            return True

    def _renew(self, collection: Collection[Document], concern: WriteConcern) -> bool:
        """Renew it, write the helm's report, and let the helm hear what is asked."""
        renewed = {'expires': expiry(self._ttl), 'doing': self._report()}
        collection = collection.with_options(write_concern=concern)
        try:
            found = collection.find_one_and_update(
                self._mine,
                [{'$set': renewed}],
                projection=['asked'],
                return_document=ReturnDocument.AFTER,
            )
        except InvalidBSON:
            # The request cannot be read, but the lock is ours.
            return True
        if found is None:
            return False
        self._helm.hear(found.get('asked'))
        return True

    def _report(self) -> Any:
        """Give what the helm reports, or nothing where that cannot be sent.

        Titles and figures come from migrations. Whatever is in them, the lock is to be
        renewed: unrenewed, another command would run the same migration beside this.
        """
        try:
            told = self._helm.told()
            encode({'doing': told})
        except Exception:
            return '$$REMOVE'
        return told


def freed(
    remove: Callable[[Mapping[str, Any]], Any],
    collection: Collection[Any],
    which: Mapping[str, Any],
) -> Any:
    """Free a lock by what removes its document, and give what that gives.

    A user without the right to remove lets it run out at once, and gets the document.
    """
    try:
        return remove(which)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
    ran_out: list[Document] = [{'$set': {'expires': '$$NOW'}}, {'$unset': 'owner'}]
    return collection.find_one_and_update(which, ran_out)


def expiry(ttl: float) -> Document:
    """Give the time at which a lock runs out, as an expression of MongoDB's."""
    return {'$add': ['$$NOW', int(ttl * 1000)]}
