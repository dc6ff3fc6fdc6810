"""Try a transaction again where the server asks for that, a few times at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from migopy.codes import WRITE_CONFLICT
from migopy.run.observer import Observer
from migopy.run.step import Step
from migopy.run.transaction import TooLarge, timed
from migopy.server import code_of, end_sessions, is_transient, reason_of
from migopy.signals import is_interruption
from migopy.state import begin, commit

#: How often a transaction is tried, and for how many seconds at most.
ATTEMPTS = 5
LONGEST = 120.0

#: How often a transaction is tried that the server aborts for a write conflict. A
#: server whose cache is too small for the transaction says the same.
CONFLICTS = 3


def commit_together(
    client: Any,
    session: ClientSession,
    step: Step,
    observer: Observer,
    work: Callable[[ClientSession], None],
) -> None:
    """Call `work` in a transaction of a session and commit it.

    Errors that MongoDB calls transient are tried again, so `work` may be called more
    than once, as the observer is told. Raises what `work` raises, after an abort,
    `TooLong`, `TooLarge`, and `CaughtError` where the migration went on after an error.
    """
    deadline = time.monotonic() + LONGEST
    for number in range(1, ATTEMPTS + 1):
        try:
            _attempt(client, session, work)
            commit(session, deadline)
            return
        except PyMongoError as error:
            if session.in_transaction:
                session.abort_transaction()
            _require_transient(error, number)
            if number == ATTEMPTS or time.monotonic() > deadline:
                raise
            observer.repeating(step, error)


def _attempt(
    client: Any, session: ClientSession, work: Callable[[ClientSession], None]
) -> None:
    """Do the work in a new transaction; one that fails is aborted."""
    begin(session)
    try:
        with timed(client):
            work(session)
    except BaseException as error:
        if is_interruption(error):
            # An abort would wait for the command that goes on in it.
            end_sessions(client, [session.session_id['id']])
        session.abort_transaction()
        raise


def _require_transient(error: PyMongoError, number: int) -> None:
    """Raise an error, in clearer words, if another attempt would meet it as well."""
    if not is_transient(error):
        raise error
    text = reason_of(error)
    is_full = 'ache full' in text
    if (code_of(error) == WRITE_CONFLICT or is_full) and number >= CONFLICTS:
        raise TooLarge(number, text) from error
