"""The loop over `batches` that goes on here: one at a time, and properly left."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from pymongo.errors import PyMongoError

from migopy.backfill.left_loops import IN_TRIED, LEFT, LOST, Left, Loop
from migopy.codes import NOT_IN_TRANSACTION
from migopy.effects import Recording, RefusedWrite
from migopy.errors import MigopyException
from migopy.server import code_of, is_transient, reason_of

#: Gives a loop until it has ended. What is referred to weakly ends with its `for`.
LOOP: ContextVar[weakref.ref[Loop] | None] = ContextVar('LOOP', default=None)

#: Whether a call of `update_each` goes on here, whose function is called.
IN_CALL: ContextVar[bool] = ContextVar('IN_CALL', default=False)

#: Whether `update_each` is sending a page at this moment.
SENDING: ContextVar[bool] = ContextVar('SENDING', default=False)


class TriedStep(NamedTuple):
    """A step of a dry run: what hears its writes, and whether images are to be kept."""

    effects: Recording
    keeps_images: bool


#: The step whose batches would be transactions if it were executed.
TRIED: ContextVar[TriedStep | None] = ContextVar('TRIED', default=None)


class InLoop(MigopyException):
    """`what` was called for `namespace` while a loop over `batches` had not ended.

    Or in the function of an `update_each`, if it was `in_call`.
    """

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(self, what: str, namespace: str, in_call: bool = False) -> None:
        self.what = what
        self.namespace = namespace
        self.in_call = in_call
        around = 'an update_each' if in_call else 'a loop over migopy.batches'
        advice = (
            'In the loop write with PyMongo (bulk_write, say), and write the loop as'
            ' `for batch in migopy.batches(…):`, so that it ends with its last line.'
        )
        if in_call:
            advice = (
                'To write elsewhere for each document, loop over migopy.batches, and'
                ' write with PyMongo there (bulk_write, say).'
            )
        super().__init__(
            f'{namespace}: {what} cannot begin, as {around} has not ended: how far both'
            f' are could not be told apart by the next run.\n{advice}'
        )


class OutsideBatch(MigopyException):
    """A write in a loop was not part of the transaction of its batch.

    `what` is the write. The batch is given again by the next run.
    """

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(self, what: str, wanted: str = 'transaction=True') -> None:
        """Take the write, and what the transaction is `wanted` for."""
        self.what = what
        self.wanted = wanted
        super().__init__(
            f'In the loop over migopy.batches with {wanted} it tried to write'
            f' outside of the transaction of the batch: {what}, from another thread,'
            ' with another session or with another client.\n'
            'Write in the thread of the loop with the db that it was given and without'
            f' a session, or do without {wanted}.'
        )


class UnkeptBatch(MigopyException):
    """Nothing that was written in the transaction of a batch is kept.

    `left` is the loop, `reason` what the server says.
    """

    def __init__(self, left: Left, reason: str, why: str) -> None:
        """Take the loop, what the server says, and `why` for a person."""
        self.left = left
        self.reason = reason
        what = (
            f'Nothing of that batch is kept; the {left.done:,} documents before it are'
            ' done, and its up goes on after them when it is run again.'
        )
        if not left.done:
            what = 'Nothing of that batch is kept, and it was the first one.'
        if left.is_tried:
            what = 'Executed, it would fail, and nothing of that batch would be kept.'
        super().__init__(f'{left.namespace}: {why} {what}')


class BatchAborted(UnkeptBatch):
    """The server aborted the transaction of a batch, as its documents were in use."""

    __module__ = 'migopy.backfill'

    def __init__(self, left: Left, reason: str) -> None:
        why = (
            f'the server aborted the transaction of a batch ({reason}). It does so'
            ' where something else writes the same documents meanwhile, where it is'
            ' restarted, and where another member becomes primary.'
        )
        super().__init__(left, reason, why)


class NotInBatch(UnkeptBatch):
    """What no transaction can do was sent in that of a batch."""

    __module__ = 'migopy.backfill'

    def __init__(self, left: Left, reason: str) -> None:
        why = (
            'in the loop over migopy.batches each batch is a transaction, and the'
            f' server does not do this in one: {reason}\n'
            'Write that after the loop, or in a migration of its own before this one.'
        )
        super().__init__(left, reason, why)


class CaughtInBatch(UnkeptBatch):
    """The body of a loop went on after an error that had ended the transaction."""

    __module__ = 'migopy.backfill'

    def __init__(self, left: Left, reason: str) -> None:
        """Take the loop, and which command met which error where."""
        why = (
            'in the loop over migopy.batches each batch is a transaction, and it has'
            f' caught an error that ended that of a batch: {reason}\n'
            'After an error nothing more can be done in a transaction: look before the'
            ' write whether it would fail (with find_one, say).'
        )
        super().__init__(left, reason, why)


class LeftBatch(UnkeptBatch):
    """A loop was left within a batch that had changed something, and `up` went on."""

    __module__ = 'migopy.backfill'

    def __init__(self, left: Left) -> None:
        why = (
            'the loop over migopy.batches was left (with break or islice, or by an'
            ' error that was caught) after a batch had changed something. Each batch'
            ' is a transaction, which ends when the loop goes on to the next one.\n'
            'Leave the loop before the batch changes anything, or choose the documents'
            ' with filter=.'
        )
        super().__init__(left, '', why)


def outside(refused: RefusedWrite) -> OutsideBatch:
    """Give the error for a write that was refused before it was sent."""
    what = f'{refused.command} on {refused.namespace}, which was refused'
    return OutsideBatch(what)


def require_no_loop(what: str, namespace: str) -> None:
    """Make sure that no loop and no `update_each` goes on here; raises `InLoop`."""
    if IN_CALL.get():
        raise InLoop(what, namespace, in_call=True)
    if _open_loop() is not None:
        raise InLoop(what, namespace)


@contextmanager
def loops_end(are_allowed: bool) -> Iterator[None]:
    """End a loop that was left and is still held, at the end of the block.

    Raises `OutsideBatch` for a write that was refused, where loops `are_allowed`; if
    they are not, it was not the loop that refused it. Raises `BatchAborted` for what
    the server has aborted, and `NotInBatch` for what no transaction can do. Raises
    `LeftBatch` where nothing failed, but the changes of a batch were not kept and no
    later loop of the same call has gone through all documents.
    """
    LEFT.set(None)
    LOST.set({})
    try:
        yield
        _require_none_lost()
    except PyMongoError as error:
        left = LEFT.get()
        if left is None:
            raise
        _require_possible(error, left)
        if not is_transient(error):
            raise
        raise BatchAborted(left, reason_of(error)) from error
    except RefusedWrite as refused:
        if not are_allowed:
            raise
        raise outside(refused) from refused
    finally:
        _close_loop()


@contextmanager
def loops_tried(tried: TriedStep) -> Iterator[None]:
    """Raise at the end of the block what a loop that was left would raise if executed.

    That is `LeftBatch` or `NotInBatch`.
    """
    LEFT.set(None)
    LOST.set({})
    token = TRIED.set(tried)
    try:
        yield
        _require_none_lost()
    except PyMongoError as error:
        left = LEFT.get()
        if left is not None and left.is_tried:
            _require_possible(error, left)
        raise
    finally:
        TRIED.reset(token)
        _close_loop()


def _require_possible(error: PyMongoError, left: Left) -> None:
    """Raise `NotInBatch` if an error in a batch is about what no transaction does."""
    if code_of(error) == NOT_IN_TRANSACTION:
        raise NotInBatch(left, reason_of(error)) from error


def _require_none_lost() -> None:
    _close_loop()
    for left in LOST.get().values():
        raise LeftBatch(left)


def _close_loop() -> None:
    loop = _open_loop()
    if loop is not None:
        loop.close()
    LOOP.set(None)


def is_of_pages() -> bool:
    """Tell whether this context is sending a page, or is in a loop over `batches`."""
    return SENDING.get() or _open_loop() is not None


def is_in_tried_batch() -> bool:
    """Tell whether this is in a batch of a dry run that would be a transaction."""
    return IN_TRIED.get() and _open_loop() is not None


def _open_loop() -> Loop | None:
    reference = LOOP.get()
    return reference() if reference is not None else None
