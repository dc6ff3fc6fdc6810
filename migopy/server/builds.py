"""Find and end index builds that go on after their commands have ended.

MongoDB may go on building an index after the command that began it has ended
(SERVER-101507), such as when its `maxTimeMS` expires in the last phase. `dropIndexes`
with exactly the names of a build aborts it, and needs no further right than building.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import NAMESPACE_NOT_FOUND
from migopy.server.client import AS_THEY_ARE
from migopy.server.sessions import ENDING_SECONDS, LOOK_EVERY, LOOKING

Document = Mapping[str, Any]

#: What the server answers where there is no such index or collection any more, or no
#: collection but a view.
GONE = frozenset({NAMESPACE_NOT_FOUND, 27, 166})


class Left(NamedTuple):
    """An index build that goes on: the database, the collection, the indexes' names."""

    database: str
    collection: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.collection} ({", ".join(self.names)})'

    @property
    def how_to_end(self) -> str:
        """Give the line for MongoDB's shell that ends it."""
        database, collection = json.dumps(self.database), json.dumps(self.collection)
        names = json.dumps(list(self.names))
        return (
            f'db.getSiblingDB({database}).runCommand('
            f'{{dropIndexes: {collection}, index: {names}}})'
        )


def end_builds(client: Any, commands: Sequence[tuple[str, Document]]) -> list[Left]:
    """End the index builds that still go on of commands, given with their databases.

    Finished indexes stay, and so does what another client builds or waits for. Gives
    the builds that still go on after five seconds, and those that may be another
    client's, where the user may not see whose they are.
    """
    left: dict[Left, None] = {}
    sessions = {command['lsid']['id'] for _, command in commands if 'lsid' in command}
    for database, command in commands:
        build = Left(database, command['createIndexes'], _names_in(command))
        if build in left:
            continue
        if not client.topology_description.has_writable_server():
            left[build] = None
            continue
        try:
            with pymongo.timeout(ENDING_SECONDS):
                left.update(dict.fromkeys(_ended(client, build, sessions)))
        except PyMongoError:
            left.update(dict.fromkeys(_going_on(client, build)))
    return list(left)


def _ended(client: Any, command: Left, sessions: set[bytes]) -> list[Left]:
    """End the builds of a command; give those not known to be its own or ended."""
    deadline = time.monotonic() + ENDING_SECONDS
    while True:
        left = []
        for build in _found(client, command):
            is_ours = _is_ours(client, build, sessions)
            if is_ours:
                _abort(client, build)
            if is_ours is not False:
                left.append(build)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(LOOK_EVERY)


def _going_on(client: Any, command: Left) -> list[Left]:
    """Give the builds of a command that could not be ended in time."""
    try:
        with pymongo.timeout(ENDING_SECONDS):
            return _found(client, command)
    except PyMongoError:
        return [command]


def _found(client: Any, command: Left) -> list[Left]:
    """List the builds whose indexes are all among the command's."""
    wanted = set(command.names)
    return [
        build
        for build in _builds_on(client, command.database, command.collection)
        if wanted.issuperset(build.names)
    ]


def _builds_on(client: Any, database: str, collection: str) -> Iterator[Left]:
    """Iterate over the builds on a collection at this moment."""
    options = {'includeBuildUUIDs': True, 'comment': LOOKING}
    try:
        reply = client[database].command(
            'listIndexes', collection, codec_options=AS_THEY_ARE, **options
        )
    except OperationFailure as error:
        if error.code in GONE:
            return
        raise
    builds: dict[Any, list[str]] = {}
    for each in reply['cursor']['firstBatch']:
        if 'buildUUID' in each:
            builds.setdefault(each['buildUUID'], []).append(each['spec']['name'])
    for names in builds.values():
        yield Left(database, collection, tuple(names))


def _is_ours(client: Any, build: Left, sessions: set[bytes]) -> bool | None:
    """Tell whether a build belongs to these sessions alone; `None` if not known."""
    wanted = {
        'ns': f'{build.database}.{build.collection}',
        'command.createIndexes': build.collection,
        'command.indexes.name': {'$in': list(build.names)},
    }
    look = [{'$currentOp': {'allUsers': True}}, {'$match': wanted}]
    admin = client.get_database('admin', codec_options=AS_THEY_ARE)
    try:
        rows = list(admin.aggregate(look, comment=LOOKING))
    except OperationFailure:
        return None
    of = {row['command'].get('lsid', {}).get('id') for row in rows}
    # A new primary goes on with a build without knowing its session.
    return None if not of or None in of else sessions.issuperset(of)


def _abort(client: Any, build: Left) -> None:
    try:
        client[build.database].command(
            'dropIndexes', build.collection, index=list(build.names)
        )
    except OperationFailure as error:
        if error.code not in GONE:
            raise


def _names_in(command: Document) -> tuple[str, ...]:
    # What the server has refused may be without any.
    return tuple(str(each.get('name')) for each in command.get('indexes', ()))
