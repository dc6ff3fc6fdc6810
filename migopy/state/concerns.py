"""How migopy's own writes are acknowledged and sent again, and told of if slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from typing import Any, TypeVar

from pymongo import ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.terminal import SILENCE, say

Answer = TypeVar('Answer')

#: What is acknowledged with it, a majority has on disk. A server of 4.4 without a
#: replica set writes it to disk only if `j` says so.
MAJORITY = WriteConcern('majority', j=True)

#: Milliseconds to wait for a majority. It may never come: in a set of a primary, a
#: secondary and an arbiter, if the secondary is down.
MAJORITY_MS = 20_000

#: For migopy's own writes that no failover may take back.
DURABLE = WriteConcern('majority', j=True, wtimeout=MAJORITY_MS)

#: For writes that need not wait: they come before all later ones in the server's log,
#: so that they survive if any of those do.
MARK = WriteConcern(1)

#: For writes whose loss does no harm, so that no reply is waited for.
UNHEARD = WriteConcern(0)

#: For transactions: with `local`, too, all reads are from one snapshot on the primary;
#: `snapshot` would refuse to make the indexes of a new collection.
LOCAL = ReadConcern('local')

#: Seconds for what a command writes at its end: how a run has failed, for which there
#: may be an election first, what is known of others, and that the lock is free. With
#: PyMongo's 30 for a migration whose server is gone, it is told within a minute.
FAILURE_SECONDS = 15
FAREWELL_SECONDS = 4
RELEASE_SECONDS = 10

#: Seconds for what a command begins with, where there may be an election.
PREPARE_SECONDS = 15

#: Errors of a server that stops or is no longer primary, after which the same command
#: may be sent again: the codes of MongoDB's specification of retryable writes.
PASSING = frozenset(
    {6, 7, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)

#: Seconds between two tries, and between two tries of a commit.
PAUSE = 0.2
COMMIT_PAUSE = 0.1

#: The label of a commit that may have succeeded.
UNKNOWN_COMMIT = 'UnknownTransactionCommitResult'


def is_passing(error: Exception) -> bool:
    """Tell whether the same command may succeed if it is sent again."""
    return isinstance(error, ConnectionFailure) or (
        isinstance(error, OperationFailure) and error.code in PASSING
    )


class NoMajority(MigopyException):
    """A majority of the replica set has not confirmed a write in time.

    `missing` are the addresses of the members that do not answer.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = missing
        who = f' No answer from {", ".join(missing)}.' if missing else ''
        super().__init__(
            'A majority of the replica set has not confirmed a write within'
            f' {MAJORITY_MS / 1000:g} s, though the primary has it.{who} Members that'
            ' have the data must answer, an arbiter does not count.\n'
            'Start the missing member, then see what is unfinished: ',
            Command(),
        )


def no_majority(error: PyMongoError, client: Any) -> NoMajority | None:
    """Give `NoMajority` for an error that means so, with who has not answered."""
    if not isinstance(error, WTimeoutError) and getattr(error, 'code', None) != 64:
        return None
    members = client.topology_description.server_descriptions()
    return NoMajority(
        sorted(
            f'{host}:{port}'
            for (host, port), member in members.items()
            if member.server_type_name == 'Unknown'
        )
    )


def repeat(work: Callable[[], object], seconds: float) -> None:
    """Call `work`, which may be repeated, until the network lets it succeed.

    Raises what `work` raises, if that is not passing or goes on after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            work()
            return
        except (ConnectionFailure, OperationFailure) as error:
            if not is_passing(error) or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)


def told_if_slow(write: Callable[[], Answer], to: Collection[Any]) -> Answer:
    """Call what writes to a collection; say so once if that takes long."""
    said = (
        f'Waiting for the server, which has not answered a write to {to.full_name} for'
        f' {SILENCE:g} s: it may be busy, wait for another member, or be locked against'
        ' writes, as for a backup (db.fsyncUnlock() ends that)'
    )
    reminder = threading.Timer(SILENCE, copy_context().run, (say, said))
    reminder.daemon = True
    try:
        # Where the machine has no thread to spare it is written all the same.
        with suppress(RuntimeError):
            reminder.start()
        return write()
    finally:
        reminder.cancel()
        # It may crash Python 3.9 if it wakes up at the end of the process.
        if reminder.is_alive():
            reminder.join()


def begin(
    session: ClientSession, write_concern: WriteConcern | None = DURABLE
) -> AbstractContextManager[Any]:
    """Begin a transaction on the primary, with the options that migopy's all have.

    The server hears of it with its first command. `write_concern` is for the commit;
    `None` takes the client's. As a context manager, what is given commits at the end of
    the block, and aborts after an error.
    """
    return session.start_transaction(
        read_concern=LOCAL,
        write_concern=write_concern,
        read_preference=ReadPreference.PRIMARY,
    )


def commit(session: ClientSession, deadline: float) -> None:
    """Commit a session's transaction; repeat that while its outcome is unknown.

    Raises what PyMongo does, at the latest when `time.monotonic()` is at `deadline`.
    """
    while True:
        try:
            session.commit_transaction()
            return
        except PyMongoError as error:
            again = error.has_error_label(UNKNOWN_COMMIT)
            if not again or time.monotonic() > deadline:
                raise
        time.sleep(COMMIT_PAUSE)
