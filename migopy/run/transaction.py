"""All or nothing: a migration in a transaction, and what one cannot do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import InvalidOperation, OperationFailure, PyMongoError

from migopy.codes import NEVER_IN_TRANSACTION, TOO_LARGE, TRANSACTION_OVER
from migopy.commands import Part
from migopy.effects import Effects, FailedCommand, Keeper, Recording, RefusedWrite
from migopy.errand import is_typed
from migopy.errors import MigopyException
from migopy.run.imaging_errors import NotImaged
from migopy.server import code_of, end_sessions, reason_of
from migopy.signals import is_interruption
from migopy.state import begin

#: MongoDB's own limit in seconds, where a user may not ask for the one in force.
LIFETIME = 60


class NoTransactions(MigopyException):
    """The server has no transactions, and `what` needs one."""

    def __init__(self, what: str, without: Sequence[Part]) -> None:
        """Take what needs one, and how to do without: `or have … in the file`."""
        self.what = what
        super().__init__(
            f'{what} needs a transaction, and this server has none: it is not a member'
            ' of a replica set. Nothing was done.\n'
            'Make it a set of one member (start mongod with --replSet=rs0, then type'
            ' rs.initiate() in its shell; with authorization on, it needs a --keyFile,'
            ' too)',
            *without,
        )


class TooLong(MigopyException):
    """A transaction took longer than the server lets it; `limit` is in seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__(
            f'The server ends a transaction after {limit:g} s'
            ' (its parameter transactionLifetimeLimitSeconds).'
        )


class WroteOutside(MigopyException):
    """A migration in a transaction has written past it; `effects` are those writes."""

    def __init__(self, effects: Effects, database: str) -> None:
        self.effects = effects
        super().__init__(
            'It wrote outside of its transaction, from another thread or with another'
            f' session: {effects.describe(database)}. These writes cannot be undone.'
        )


class CaughtError(MigopyException):
    """A migration caught an error that had ended its transaction; `failed` is it."""

    def __init__(self, failed: FailedCommand) -> None:
        self.failed = failed
        super().__init__(
            f'It has caught an error that ended its transaction: {failed}\n'
            'After an error nothing more can be done in a transaction: look before the'
            ' write whether it would fail (with find_one, say).'
        )


class CaughtRefusal(MigopyException):
    """A migration caught the error of what no transaction can do; `failed` is it.

    It has gone on without what it would have done outside of one.
    """

    def __init__(self, failed: FailedCommand) -> None:
        self.failed = failed
        super().__init__(f'It has caught an error and gone on without this: {failed}')


class TooLarge(MigopyException):
    """A transaction was aborted each time; `attempts` is how often it was tried."""

    def __init__(self, attempts: int, reason: str) -> None:
        self.attempts = attempts
        super().__init__(
            f'The server aborted it {attempts} times ({reason}). It is too large for'
            ' one transaction of this server, or others write the same documents all'
            ' the time, or a command that was killed has left a transaction open,'
            ' which the server ends within a minute. Without a transaction, update_each'
            ' does it in batches'
        )


class NoSharedTransaction(MigopyException):
    """An `async` function cannot run in a transaction; `why` says what is missing."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f'An async function cannot be part of it here: {why}')


class KeptInside(MigopyException):
    """A write past the transaction was refused before it was sent.

    `command` is its name, `namespace` what it was for.
    """

    def __init__(self, refused: RefusedWrite) -> None:
        self.command = refused.command
        self.namespace = refused.namespace
        super().__init__(
            f'It tried to write outside of its transaction ({refused.command} on'
            f' {refused.namespace}), from another thread, with another session or with'
            ' an asynchronous client. That was refused before it was sent.'
        )


#: The errors of migopy that mean "not in a transaction".
CANNOT = (
    CaughtError,
    CaughtRefusal,
    KeptInside,
    NoSharedTransaction,
    TooLarge,
    TooLong,
    WroteOutside,
)


@contextmanager
def kept_inside(
    session: ClientSession,
    effects: Recording,
    database: str,
    keeper: Keeper | None = None,
) -> Iterator[None]:
    """Let a step write in a session's transaction alone, during the block.

    A write past the transaction is refused before it is sent, where that can be done,
    and so is what `keeper` refuses. Raises `KeptInside` for the one and `NotImaged` for
    the other, also where the step has swallowed the refusal; `WroteOutside` for what
    could not be refused; `CaughtRefusal` where the step has gone on without what no
    transaction can do, and `CaughtError` where it has after another error that ended
    the transaction.
    """
    try:
        with effects.kept_to(session.session_id, is_typed(), keeper):
            yield
    except RefusedWrite as refused:
        raise _refusal(refused) from refused
    except OperationFailure as error:
        if code_of(error) in TRANSACTION_OVER and effects.failed is not None:
            raise _caught(effects.failed) from error
        raise
    if effects.outside.wrote:
        raise WroteOutside(effects.outside, database)
    if effects.refused is not None:
        raise _refusal(effects.refused)
    failed = effects.failed
    if failed is not None and (failed.is_refused or is_gone(session, database)):
        raise _caught(failed)


def _refusal(refused: RefusedWrite) -> MigopyException:
    return NotImaged(refused) if refused.reason else KeptInside(refused)


def _caught(failed: FailedCommand) -> MigopyException:
    return CaughtRefusal(failed) if failed.is_refused else CaughtError(failed)


def is_gone(session: ClientSession, database: str) -> bool:
    """Ask the server whether a transaction is over, with a read of next to nothing."""
    # What few transactions need takes its time to be imported.
    from migopy.differences import pin_snapshot

    try:
        pin_snapshot(session, database)
    except OperationFailure as error:
        return error.code in TRANSACTION_OVER
    return False


def require_transactions(client: Any, what: str, *without: Part) -> None:
    """Make sure that the server has transactions; raises `NoTransactions`.

    `without` is what else can be done than to give it some.
    """
    hello = client.admin.command('hello')
    if 'setName' not in hello and hello.get('msg') != 'isdbgrid':
        raise NoTransactions(what, without)


@contextmanager
def aborted(client: Any) -> Iterator[ClientSession]:
    """Give a session in a transaction that is aborted at the end, whatever happens.

    Raises `TooLong`.
    """
    with client.start_session() as session, timed(client):
        begin(session, write_concern=None)
        try:
            yield session
        except BaseException as error:
            if is_interruption(error):
                # An abort would wait for the command that goes on in it.
                end_sessions(client, [session.session_id['id']])
            raise
        finally:
            session.abort_transaction()


@contextmanager
def timed(client: Any) -> Iterator[None]:
    """Raise `TooLong` where the server ends a transaction for its time limit.

    PyMongo would take that for a transient error and repeat the same long work.
    """
    began = time.monotonic()
    try:
        yield
    except OperationFailure as error:
        limit = _lifetime(client) if code_of(error) in TRANSACTION_OVER else None
        if limit is not None and time.monotonic() - began >= limit:
            raise TooLong(limit) from error
        raise


def why_refused(error: BaseException) -> str | None:
    """Say why an error means "not in a transaction"; `None` where it does not."""
    if isinstance(error, CANNOT):
        return error.message
    if isinstance(error, InvalidOperation) and 'bound session' in str(error):
        return 'it uses a client of its own, which is outside of the transaction'
    if isinstance(error, InvalidOperation) and 'multi-document' in str(error):
        return str(error)
    if code_of(error) in NEVER_IN_TRANSACTION:
        return reason_of(error)
    return None


def is_too_large(error: BaseException) -> bool:
    """Tell whether an error means that one transaction cannot hold all of it."""
    if isinstance(error, TooLarge):
        return True
    return code_of(error) in TOO_LARGE


def _lifetime(client: Any) -> float:
    try:
        name = 'transactionLifetimeLimitSeconds'
        return float(client.admin.command('getParameter', 1, **{name: 1})[name])
    except PyMongoError:
        return LIFETIME
