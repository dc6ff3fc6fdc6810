"""Faults made on purpose: processes killed and stopped, servers gone, replies lost."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from typing import Any, Callable

from pymongo import MongoClient

from migopy.server import mongod
from tests.server import ReplicaSet, Server, temporary_folder

#: Seconds after which something awaited is taken for never coming.
PATIENCE = 60.0


def eventually(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE
) -> None:
    """Wait until something is so; fail the test if it does not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds:g} s: {what}')
        time.sleep(0.02)


@contextlib.contextmanager
def obliging_server() -> Iterator[Server]:
    """Run a replica set of one member that fails where `failing` tells it to."""
    with temporary_folder() as folder:
        server = Server(
            folder,
            f'--replSet={mongod.REPLICA_SET}',
            '--setParameter=enableTestCommands=1',
        )
        try:
            server.start()
            ReplicaSet([server]).initiate()
            yield server
        finally:
            server.kill()


def soon_heard(server: Server) -> str:
    """Give the URI with which one hears soon that a server has not ended.

    PyMongo takes one that only says it is `shutting down` for gone until a heartbeat
    of its own, of which there is one in ten seconds.
    """
    return f'{server.uri}&heartbeatFrequencyMS=500'


@contextlib.contextmanager
def hanging(client: MongoClient[Any], point: str) -> Iterator[None]:
    """Have an obliging server wait, in the block, at one of MongoDB's failpoints."""
    client.admin.command('configureFailPoint', point, mode='alwaysOn')
    try:
        yield
    finally:
        client.admin.command('configureFailPoint', point, mode='off')


@contextlib.contextmanager
def failing(
    client: MongoClient[Any], *commands: str, times: int = 1, **how: Any
) -> Iterator[None]:
    """Make the next `times` of some commands fail on an obliging server.

    `how` is what MongoDB's failpoint `failCommand` takes: `closeConnection=True`,
    `errorCode=…`, or `writeConcernError={…}`, after the command has been run.
    """
    data = {'failCommands': commands, **how}
    point = {'configureFailPoint': 'failCommand'}
    client.admin.command({**point, 'mode': {'times': times}, 'data': data})
    try:
        yield
    finally:
        client.admin.command({**point, 'mode': 'off'})


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Have no file take anything of this process, in the block, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
