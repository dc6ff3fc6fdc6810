"""What a server does in a database at this moment, as far as a user may see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from migopy.server.sessions import LOOKING

#: Seconds to wait for what a server tells.
LOOK_SECONDS = 2.0

#: How many operations are shown, the longest first.
MOST = 20


class Build(NamedTuple):
    """An index build: `done` of `total` in its current phase, if that is known."""

    collection: str
    indexes: str
    seconds: float
    done: int | None
    total: int | None


class Operation(NamedTuple):
    """A command that runs; `client` is the `appName` of its sender."""

    kind: str
    collection: str
    seconds: float
    client: str


class Running(NamedTuple):
    """What runs in a database, the longest first.

    `sees_all` is false if the user may see only its own operations, and so not how far
    index builds are.
    """

    builds: list[Build]
    operations: list[Operation]
    sees_all: bool = True


def running_in(client: Any, database: str) -> Running:
    """Ask the server what runs in a database; give nothing if it does not tell."""
    mine = {
        'ns': {'$regex': f'^{re.escape(database)}[.]'},
        'active': True,
        'command.comment': {'$ne': LOOKING},
    }
    try:
        rows = _asked(client, {'allUsers': True}, mine)
        return _running(rows, database, sees_all=True)
    except OperationFailure:
        pass
    except PyMongoError:
        return Running([], [])
    try:
        return _running(_asked(client, {}, mine), database, sees_all=False)
    except PyMongoError:
        return Running([], [], sees_all=False)


def _asked(
    client: Any, whose: Mapping[str, Any], wanted: Mapping[str, Any]
) -> list[dict[str, Any]]:
    pipeline = [
        {'$currentOp': whose},
        {'$match': wanted},
        {'$sort': {'microsecs_running': -1}},
        {'$limit': MOST},
    ]
    with pymongo.timeout(LOOK_SECONDS):
        return list(client.admin.aggregate(pipeline, comment=LOOKING))


def _running(rows: list[dict[str, Any]], database: str, sees_all: bool) -> Running:
    builds: dict[tuple[str, str], Build] = {}
    operations: list[Operation] = []
    for row in rows:
        command = row.get('command')
        collection = str(row.get('ns', '')).removeprefix(f'{database}.')
        seconds = _number(row.get('microsecs_running')) / 1e6
        if isinstance(command, Mapping) and 'createIndexes' in command:
            build = _build(row, command, collection, seconds)
            which = build.collection, build.indexes
            known = builds.get(which)
            # Only the row of the server's own thread tells how far a build is.
            if known is None or known.total is None:
                builds[which] = build
        else:
            kind = str(row.get('op', '?'))
            if kind == 'command' and isinstance(command, Mapping):
                kind = str(next(iter(command), kind))
            client = str(row.get('appName', ''))
            operations.append(Operation(kind, collection, seconds, client))
    return Running(list(builds.values()), operations, sees_all)


def _build(
    row: Mapping[str, Any], command: Mapping[str, Any], collection: str, seconds: float
) -> Build:
    indexes = command.get('indexes')
    names = [
        str(each.get('name', '?'))
        for each in (indexes if isinstance(indexes, list) else [])
        if isinstance(each, Mapping)
    ]
    progress = row.get('progress')
    total = None
    if isinstance(progress, Mapping):
        total = int(_number(progress.get('total')))
    done = int(_number(progress.get('done'))) if total and progress else None
    return Build(collection, ', '.join(names), seconds, done, total or None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
