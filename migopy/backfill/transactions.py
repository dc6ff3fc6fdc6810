"""What can be written in transactions with checkpoints, and one such transaction."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from migopy.backfill.checkpoints import CHECKPOINTS, Checkpoint, Place, images_here
from migopy.backfill.documents import Document
from migopy.codes import NEVER_IN_TRANSACTION, TOO_LARGE
from migopy.errors import MigopyException
from migopy.server import (
    BULK_ERRORS,
    code_of,
    is_bound,
    is_in_transaction,
    is_transient,
    reason_of,
)
from migopy.state import KeptPages, begin
from migopy.terminal import say
from migopy.texts import one_line

#: The options of calls that want it.
EXACTLY_ONCE = 'exactly_once=True'
TRANSACTION = 'transaction=True'
UNDO = 'undo = True'


class NotOnce(MigopyException):
    """Documents of `namespace` cannot be written exactly once; `reason` is why."""

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(
        self,
        namespace: str,
        reason: str,
        is_for_all: bool = True,
        wanted: str = EXACTLY_ONCE,
        is_too_large: bool = False,
    ) -> None:
        """Take why what was `wanted` cannot be."""
        self.namespace = namespace
        self.reason = reason
        #: Whether it holds for the whole collection, not for one page alone.
        self.is_for_all = is_for_all
        self.wanted = wanted
        #: Whether fewer documents may be written so.
        self.is_too_large = is_too_large
        super().__init__(
            f'{one_line(namespace)}: {wanted} cannot be kept, as {reason}.'
        )

    @property
    def in_place_of_it(self) -> str:
        """Say what happens instead, where nobody insists on it."""
        name = self.namespace.partition('.')[2]
        return (
            f'{name}: {self.reason}; if this run is killed, the next one may write the'
            ' last documents twice'
        )


def can_be_once(
    collection: Collection[Any], is_required: bool, wanted: str = EXACTLY_ONCE
) -> bool:
    """Tell whether each page of a collection can be a transaction of its own here.

    If it cannot, a run of a migration says so. Raises `NotOnce` if it is required, as
    `wanted` says; but not in a transaction, where all is done once or not at all.
    """
    if is_in_transaction():
        return False
    checkpoints = CHECKPOINTS.get()
    pages = checkpoints.pages if checkpoints else None
    reason = _why_not(collection, pages)
    if not reason:
        return True
    error = NotOnce(collection.full_name, reason, wanted=wanted)
    if images_here() is not None:
        raise NotOnce(collection.full_name, reason, wanted=UNDO)
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
    kinds = {each.server_type_name for each in members}
    if kinds & {'Mongos', 'LoadBalancer'}:
        return 'the server is a router of a sharded cluster'
    if not any(each.startswith('RS') for each in kinds):
        return 'the server is no replica set and has no transactions'
    return 'a session is bound where it is called' if is_bound() else ''


class PageTransaction:
    """The transaction of a page, with its checkpoint in it; one after the other.

    Invariant: none begins unless the lock was seen to be ours within the last second.
    """

    def __init__(
        self,
        namespace: str,
        concern: WriteConcern,
        checkpoint: Checkpoint,
        session: ClientSession,
        conflicts: int,
        wanted: str,
    ) -> None:
        """Take the session, which is for them alone; the run must keep pages.

        A page is tried up to `conflicts` times if the server aborts it for conflicts;
        `concern` is its write concern, `wanted` what it is for.
        """
        checkpoints = CHECKPOINTS.get()
        assert checkpoints is not None and checkpoints.pages is not None  # noqa: S101
        self._checkpoints = checkpoints
        self.pages = checkpoints.pages
        self._namespace = namespace
        self._concern = concern
        self._checkpoint = checkpoint
        self._session = session
        self._conflicts = conflicts
        self._wanted = wanted
        self._is_open = False

    def begin(self) -> None:
        """Begin one; the server hears of it with its first command."""
        begin(self._session, self._concern)

    def kept(self, place: Place) -> list[Document]:
        """Give the entries to keep with a page, after which the call is at `place`."""
        return self._checkpoints.kept_with(self._checkpoint.entry, place.entry)

    def look_at_the_lock(self) -> None:
        """Make sure once a second that the lock is still ours; raises `LockLost`."""
        if not self._is_open:
            self.pages.open(self._session, self._checkpoints.kept)
            self._is_open = True
        elif self._checkpoints.is_time():
            self.pages.check()
        else:
            return
        self._checkpoints.note_time()

    def require_another_try(
        self, error: PyMongoError, conflicts: int, deadline: float
    ) -> None:
        """Raise the error, or `NotOnce`, if another try would meet it as well."""
        if (code := code_of(error)) in NEVER_IN_TRANSACTION:
            reason = reason_of(error)
            if code in TOO_LARGE:
                reason = f'{reason} (give it fewer documents at a time)'
            # A bulk's error shows all that was sent.
            cause = None if isinstance(error, BULK_ERRORS) else error
            raise NotOnce(
                self._namespace,
                reason,
                wanted=self._wanted,
                is_too_large=code in TOO_LARGE,
            ) from cause
        if not is_transient(error) or time.monotonic() > deadline:
            raise error
        if conflicts >= self._conflicts:
            reason = f'the server aborted a page {conflicts} times'
            why = f'{reason} ({reason_of(error)})'
            raise NotOnce(self._namespace, why, False, self._wanted) from error
