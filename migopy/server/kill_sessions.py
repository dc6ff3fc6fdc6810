"""End what goes on on the server although its client does not wait any more.

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
from pymongo.errors import PyMongoError

#: Seconds to wait for the server, and for its operations to end.
ENDING_SECONDS = 5.0

#: The comment by which a look at what is running is told apart from the rest.
LOOKING = 'migopy looks whether what it has begun has ended'

#: Seconds between two looks.
LOOK_EVERY = 0.05


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
