"""Run an `async` function of a file to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.client_session import ClientSession

from migopy.run.marks import has_one_log
from migopy.run.transaction import NoSharedTransaction
from migopy.server import without_last_word


def run_to_end(
    function: Callable[[Any], Any],
    db: Any,
    connect: Callable[[], AsyncMongoClient[Any]],
    session: ClientSession | None,
) -> object:
    """Call an `async` function and wait for its end; give what it returns.

    It gets an `AsyncDatabase` of a client of its own, which `connect` makes, in place
    of `db`. In a transaction of `session` its operations are part of that transaction.
    Raises what it raises, and `NoSharedTransaction`.
    """
    return asyncio.run(_awaited(function, db, connect, session))


async def _awaited(
    function: Callable[[Any], Any],
    db: Any,
    connect: Callable[[], AsyncMongoClient[Any]],
    session: ClientSession | None,
) -> object:
    client = connect()
    try:
        own = client.get_database(db.name, write_concern=db.write_concern)
        if session is None:
            return await function(own)
        _require_begun(session, db.name)
        twin = _in_transaction_of(session, client)
        async with twin as shared, shared.bind(end_session=False):
            return await function(own)
    finally:
        with without_last_word():
            await client.close()


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
