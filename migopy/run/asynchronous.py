"""Run an `async` function of a file to its end."""

from __future__ import annotations

import asyncio
import os
from asyncio import locks, queues
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

import pymongo
from pymongo import AsyncMongoClient
from pymongo.client_session import ClientSession

from migopy.run.lingering import LOOK, Lingering, at_work
from migopy.run.marks import has_one_log
from migopy.run.transaction import NoSharedTransaction
from migopy.server import without_last_word

DRIVER = os.path.dirname(pymongo.__file__) + os.sep

#: PyMongo's own tasks, which live as long as a client.
CLIENTS_OWN = tuple(f'{DRIVER}{each}' for each in ('periodic_executor', 'network_'))

#: Where a task waits for another one.
WAITING = (queues.__file__, locks.__file__)

#: What a file can do about a task that never ends.
WAY_OUT = 'have the file cancel() that task'


def run_to_end(
    function: Callable[[Any], Any],
    db: Any,
    connect: Callable[[], AsyncMongoClient[Any]],
    session: ClientSession | None,
    is_over: Callable[[], bool],
) -> object:
    """Call an `async` function and wait for its end; give what it returns.

    It gets an `AsyncDatabase` of a client of its own, which `connect` makes, in place
    of `db`. In a transaction of `session` its operations are part of that transaction.
    Tasks that it has made and not awaited are waited for, unless `is_over`.
    Raises what it raises, and `NoSharedTransaction`.
    """
    return asyncio.run(_awaited(function, db, connect, session, is_over))


async def _awaited(
    function: Callable[[Any], Any],
    db: Any,
    connect: Callable[[], AsyncMongoClient[Any]],
    session: ClientSession | None,
    is_over: Callable[[], bool],
) -> object:
    client = connect()
    try:
        own = client.get_database(
            db.name,
            write_concern=db.write_concern,
            read_preference=db.read_preference,
        )
        if session is None:
            return await _with_its_tasks(function, own, is_over)
        _require_begun(session, db.name)
        twin = _in_transaction_of(session, client)
        async with twin as shared, shared.bind(end_session=False):
            return await _with_its_tasks(function, own, is_over)
    finally:
        with without_last_word():
            await client.close()


async def _with_its_tasks(
    function: Callable[[Any], Any], db: Any, is_over: Callable[[], bool]
) -> object:
    """Call an `async` function and wait for the tasks that it has made.

    Python would cancel them, as it does once `is_over`. Not waited for are those that
    wait for another task. Raises what the function raises, or after all the first of
    the tasks that failed.
    """
    before = asyncio.all_tasks()
    errors: list[BaseException | None] = []
    returned: object = await function(db)
    wait = Lingering(WAY_OUT)
    while tasks := [t for t in asyncio.all_tasks() - before if _has_work(t)]:
        if is_over():
            break
        wait.goes_on(partial(_said, tasks[0]), len(tasks))
        ended, _ = await asyncio.wait(tasks, timeout=LOOK)
        errors += [each.exception() for each in ended if not each.cancelled()]
    for error in filter(None, errors):
        raise error
    return returned


def _has_work(task: asyncio.Task[Any]) -> bool:
    files = [each.f_code.co_filename for each in _frames(task)]
    if not files or files[0].startswith(CLIENTS_OWN):
        return False
    # The driver's tasks may wait for a connection, or for a new primary.
    is_of_driver = any(each.startswith(DRIVER) for each in files)
    return is_of_driver or files[-1] not in WAITING


def _said(task: asyncio.Task[Any]) -> str:
    return at_work('task', task.get_name(), _frames(task))


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Give the frames of a task's coroutine and of those that it waits for."""
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, 'cr_frame', None)) is not None:
        yield frame
        coroutine = coroutine.cr_await


def _require_begun(session: ClientSession, database: str) -> None:
    """Begin a session's transaction on the server, with a read of next to nothing.

    A server begins it with the first command, which only one client can send.
    """
    if not has_one_log(session.client):
        raise NoSharedTransaction('the server is a router (mongos)')
    query = {'find': 'migopy', 'limit': 1, 'projection': {'_id': 1}}
    session.client[database].command(query, session=session)


@asynccontextmanager
async def _in_transaction_of(
    session: ClientSession, client: AsyncMongoClient[Any]
) -> AsyncIterator[Any]:
    """Give a session of another client that shares a session's transaction.

    To the server a transaction is a session's id and a number, whoever sends them.
    PyMongo keeps both in private attributes; where they are missing, nothing is run.
    """
    twin: Any = client.start_session()
    original: Any = session
    try:
        state = twin._transaction.state
        twin._server_session = original._server_session
        twin._transaction.opts = original._transaction.opts
        twin._transaction.state = original._transaction.state
        shares = twin.in_transaction and twin.session_id == session.session_id
    except AttributeError:
        shares = False
    if not shares:
        raise NoSharedTransaction('this release of PyMongo is not known to migopy')
    try:
        yield twin
    finally:
        # Its end would abort the transaction, and give the session's id away.
        twin._transaction.state = state
        twin._server_session = None
