"""Sessions: which one is bound here, and how what runs in one is ended on the server.

MongoDB goes on with a write, such as a long `update_many`, when its client is gone or
has timed out. `killSessions` ends what runs in a session, and needs no further right if
the session is the same user's.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.synchronous import client_session

#: Seconds to wait for the server, and for its operations to end.
ENDING_SECONDS = 5.0

#: The comment by which a look at what is running is told apart from the rest.
LOOKING = 'migopy looks whether what it has begun has ended'

#: Seconds between two looks.
LOOK_EVERY = 0.05


def is_bound() -> bool:
    """Tell whether a session is bound here; where PyMongo does not tell, say yes."""
    bound = getattr(client_session, '_SESSION', None)
    return bound is None or bound.get() is not None


def bound_session() -> ClientSession | None:
    """Give the session that is bound here."""
    bound = getattr(client_session, '_SESSION', None)
    session: ClientSession | None = bound.get() if bound is not None else None
    return session


def is_in_transaction() -> bool:
    """Tell whether a bound session is in a transaction."""
    session = bound_session()
    return bool(session and session.in_transaction)


def end_sessions(client: Any, sessions: Sequence[bytes]) -> bool:
    """End what runs in sessions of the client's own user, given by their ids.

    Waits until the server has ended it, for five seconds at most. Returns whether it
    has, as far as that can be known.
    """
    if not sessions:
        return True
    if not client.topology_description.has_writable_server():
        return False
    deadline = time.monotonic() + ENDING_SECONDS
    try:
        with pymongo.timeout(ENDING_SECONDS):
            client.admin.command('killSessions', [{'id': each} for each in sessions])
            # PyMongo may look in one of these sessions itself.
            running: dict[str, Any] = {
                'lsid.id': {'$in': list(sessions)},
                'active': True,
                'command.comment': {'$ne': LOOKING},
            }
            mine = [{'$currentOp': {}}, {'$match': running}, {'$limit': 1}]
            while list(client.admin.aggregate(mine, comment=LOOKING)):
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_EVERY)
    except PyMongoError:
        return False
    return True


def how_to_end(sessions: Sequence[bytes]) -> str:
    """Give the line for MongoDB's shell that ends what runs in sessions.

    It works for an administrator: `killSessions` there ends nothing of another user's.
    """
    ids = ', '.join(f'UUID("{uuid.UUID(bytes=bytes(each))}")' for each in sessions)
    return (
        'db.getSiblingDB("admin").aggregate([{$currentOp: {allUsers: true}},'
        f' {{$match: {{"lsid.id": {{$in: [{ids}]}}}}}}]).forEach('
        'op => db.adminCommand({killOp: 1, op: op.opid}))'
    )
