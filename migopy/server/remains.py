"""End what commands that are gone have left running on the server.

A killed process cannot end anything, and MongoDB goes on with its long write or index
build. The `appName` of its client tells the machine and the process.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import OperationFailure

from migopy.errors import MigopyException
from migopy.server.builds import Left, end_builds
from migopy.server.client import AS_THEY_ARE, app_name_of
from migopy.server.sessions import (
    ENDING_SECONDS,
    LOOKING,
    end_sessions,
    how_to_end,
)

#: When this process began, about.
BEGAN = time.monotonic()


class Process(NamedTuple):
    """A process on a machine, and for how many seconds its remains must have run.

    Operations that have run for less are not its remains, but may be other work.
    """

    host: str
    pid: int
    seconds: float


class LeftRunning(MigopyException):
    """A command that is gone has left running what cannot be ended.

    `sessions` are the ids of those that it runs in, `builds` are index builds.
    """

    exit_status = 3

    def __init__(self, sessions: list[bytes], builds: list[Left]) -> None:
        self.sessions = sessions
        self.builds = builds
        ways = [each.how_to_end for each in builds]
        ways += [how_to_end(sessions)] if sessions else []
        super().__init__(
            'An earlier command is gone, but what it has begun still runs on the server'
            ' and could not be ended. So nothing was done. Try again when it has ended;'
            " in MongoDB's shell an administrator ends it with:",
            *(f'\n  {way}' for way in ways),
        )


def end_remains(client: Any, database: str, processes: Collection[Process]) -> None:
    """End what processes that are gone have running in a database.

    Raises `LeftRunning` for what cannot be ended; what another user runs is not seen.
    """
    if not processes:
        return
    rows = [row for process in processes for row in _running(client, database, process)]
    sessions = list(dict.fromkeys(row['lsid']['id'] for row in rows))
    commands = [
        (database, row['command'])
        for row in rows
        if 'createIndexes' in row.get('command', {})
    ]
    ended = end_sessions(client, sessions)
    builds = end_builds(client, commands)
    if builds or not ended:
        raise LeftRunning([] if ended else sessions, builds)


def _running(
    client: Any, database: str, process: Process
) -> Iterator[Mapping[str, Any]]:
    """List what a process has running in a database, as far as the user may see it."""
    end = app_name_of(process.host, process.pid)
    mine = {
        'appName': {'$regex': f'^migopy .*{re.escape(end)}$'},
        'ns': {'$regex': f'^{re.escape(database)}[.]'},
        'lsid.id': {'$exists': True},
        'active': True,
        'command.comment': {'$ne': LOOKING},
    }
    admin = client.get_database('admin', codec_options=AS_THEY_ARE)
    look = [{'$currentOp': {}}, {'$match': mine}]
    try:
        with pymongo.timeout(ENDING_SECONDS):
            rows = list(admin.aggregate(look, comment=LOOKING))
    except OperationFailure:
        # A user who may not see even its own operations cannot end any either.
        return
    for row in rows:
        if row.get('microsecs_running', 0) >= process.seconds * 1e6:
            yield row
