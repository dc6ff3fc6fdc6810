"""The MongoDB servers of the test-suite, all on loopback and on free ports.

A server that cannot be started fails the test that asked for it; nothing is skipped.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from migopy.server import mongod

#: mongod's exit status where it cannot listen on its port.
PORT_IN_USE = 48

PORTS_TRIED = 10

#: More bytes than the servers of all the processes of the tests take together.
ROOM = 8 * 2**30


def free_port() -> int:
    """Give a loopback port that nobody listens on at this moment.

    Another program can take it before it is used.
    """
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return int(listener.getsockname()[1])


def on_port(port: int, options: Sequence[str] = ()) -> list[str]:
    """Give the options for a mongod that listens on a loopback port."""
    return [f'--port={port}', '--bind_ip=127.0.0.1', '--nounixsocket', *options]


def start(
    folder: Path, options: Sequence[str] = ()
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a mongod that takes connections on a free port; give both."""
    for _ in range(PORTS_TRIED):
        port = free_port()
        process = mongod.spawn(folder, on_port(port, options))
        try:
            mongod.await_listening(process, folder)
        except mongod.MongodFailed:
            if process.returncode != PORT_IN_USE:
                raise
        else:
            return process, port
    raise AssertionError(f'{PORTS_TRIED} ports were taken at the last moment')


class Server:
    """A mongod process with its own folder, on one port for all its life.

    Invariant: only this object starts and ends the process, by its pid.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f'mongodb://127.0.0.1:{self.port}/?directConnection=true'

    def start(self) -> None:
        """Start on a free port, and answer there before returning."""
        self._process, self.port = start(self.folder, self.options)

    def restart(self) -> None:
        """Start again on the port of the last time."""
        self._process = mongod.spawn(self.folder, on_port(self.port, self.options))
        mongod.await_listening(self._process, self.folder)

    def stop(self) -> None:
        """End the process cleanly; nothing happens where it has ended already."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop the process, which keeps its connections and answers nobody."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let a suspended process go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=mongod.STOP_SECONDS)
            self._process = None


class ReplicaSet:
    """Three mongods (or as many as asked for) that are one replica set."""

    def __init__(
        self,
        members: list[Server],
        arbiters: int = 0,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.members = members
        #: How many of the last members are arbiters.
        self.arbiters = arbiters
        self.settings = {
            'electionTimeoutMillis': 1000,
            'heartbeatIntervalMillis': 200,
            **settings,
        }

    @property
    def uri(self) -> str:
        hosts = ','.join(f'127.0.0.1:{member.port}' for member in self.members)
        return f'mongodb://{hosts}/?replicaSet={mongod.REPLICA_SET}'

    def initiate(self) -> None:
        """Make the members one set with a primary."""
        hosts = [
            {
                '_id': number,
                'host': f'127.0.0.1:{member.port}',
                'arbiterOnly': number >= len(self.members) - self.arbiters,
            }
            for number, member in enumerate(self.members)
        ]
        config = {
            '_id': mongod.REPLICA_SET,
            'members': hosts,
            'settings': self.settings,
        }
        reply = mongod.ask(self.members[0].port, {'replSetInitiate': config})
        if not reply['ok']:
            raise AssertionError(f'the replica set was refused: {reply}')
        self.primary()

    def primary(self, seconds: float = 30.0) -> Server:
        """Give the member that is primary, waiting for an election if need be."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for member in self.members:
                with contextlib.suppress(OSError):
                    reply = mongod.ask(member.port, {'hello': 1})
                    if reply.get('isWritablePrimary'):
                        return member
            time.sleep(0.02)
        raise AssertionError(f'no primary within {seconds:.0f} s')

    def kind_of(self, member: Server) -> str:
        """Say what a member is, waiting until it is anything."""
        kinds = {'isWritablePrimary': 'primary', 'secondary': 'secondary'}
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            reply = mongod.ask(member.port, {'hello': 1})
            for word, kind in {**kinds, 'arbiterOnly': 'arbiter'}.items():
                if reply.get(word):
                    return kind
            time.sleep(0.02)
        raise AssertionError('neither primary, secondary nor arbiter')

    def step_down(self) -> None:
        """Make another member the primary."""
        former = self.primary()
        mongod.ask(former.port, {'replSetStepDown': 10, 'force': True}, seconds=20)
        deadline = time.monotonic() + 30
        while self.primary() is former:
            if time.monotonic() > deadline:
                raise AssertionError('no other member became primary')
            time.sleep(0.02)


@functools.cache
def in_memory() -> Path | None:
    """Give a folder in memory with room for many servers, `None` where there is none.

    What servers keep there outlives their being killed, as on a disk.
    """
    folder = Path('/dev/shm')
    if folder.is_dir() and os.access(folder, os.W_OK):
        return folder if shutil.disk_usage(folder).free >= ROOM else None
    return None


@contextlib.contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """Give a folder for a server's data, with no symbolic link in its path."""
    folder = Path(tempfile.mkdtemp(prefix='migopy-tests-', dir=place)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def standalone(*options: str) -> Iterator[Server]:
    """Run a mongod that is no replica set: no transactions, no sessions in them."""
    with temporary_folder(in_memory()) as folder:
        server = Server(folder, *options)
        try:
            server.start()
            yield server
        finally:
            server.kill()  # its data is thrown away, there is nothing to finish


@contextlib.contextmanager
def with_auth(
    user: str = 'ann',
    password: str = 'secret',
    database: str = 'shop',
    roles: tuple[str, ...] = ('readWrite',),
) -> Iterator[Server]:
    """Run a mongod that wants a password, with one user, made on `database`.

    `uri` of the server given names no user.
    """
    with standalone('--auth') as server:
        # The localhost exception: the first user may be made without a password.
        create = {'createUser': 'root', 'pwd': 'root', 'roles': ['root']}
        reply = mongod.ask(server.port, create)
        if not reply['ok']:
            raise AssertionError(f'no first user: {reply}')
        with MongoClient(server.uri, username='root', password='root') as admin:
            admin[database].command('createUser', user, pwd=password, roles=list(roles))
        yield server


@contextlib.contextmanager
def set_with_auth(*options: str) -> Iterator[Server]:
    """Run a replica set of one member that wants a password, with the user root."""
    with temporary_folder(in_memory()) as folder:
        key = folder.parent / f'{folder.name}.key'
        key.write_text('a' * 60)
        key.chmod(0o600)
        replica_set = mongod.REPLICA_SET
        auth = f'--keyFile={key}'
        member = Server(folder, f'--replSet={replica_set}', auth, *options)
        try:
            member.start()
            members = [{'_id': 0, 'host': f'127.0.0.1:{member.port}'}]
            config = {'_id': replica_set, 'members': members}
            mongod.ask(member.port, {'replSetInitiate': config})
            ReplicaSet([member]).primary()
            # The localhost exception: the first user may be made without a password.
            create = {'createUser': 'root', 'pwd': 'root', 'roles': ['root']}
            reply = mongod.ask(member.port, create)
            if not reply['ok']:
                raise AssertionError(f'no first user: {reply}')
            yield member
        finally:
            member.kill()
            key.unlink()


@contextlib.contextmanager
def future_members(count: int) -> Iterator[list[Server]]:
    """Run servers for a replica set that is not initiated yet."""
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(count):
            folder = stack.enter_context(temporary_folder(in_memory()))
            servers.append(Server(folder, f'--replSet={mongod.REPLICA_SET}'))
            stack.callback(servers[-1].kill)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.start, servers))
        yield servers


@contextlib.contextmanager
def replica_set(
    members: int = 3, arbiters: int = 0, **settings: object
) -> Iterator[ReplicaSet]:
    """Run a replica set; its members can be killed and started again.

    Of the members the last `arbiters` keep no data. `settings` are those of its
    configuration; where they say nothing of it, elections are quick.
    """
    with future_members(members) as servers:
        cluster = ReplicaSet(servers, arbiters, settings)
        cluster.initiate()
        yield cluster


#: What ends the server that all tests of this process share, if one was started.
SHARED = contextlib.ExitStack()


@functools.cache
def uri() -> str:
    """Give the URI of the server that all tests of this process share.

    It is MIGOPY_TEST_URI, or else a single-node replica set that the first call
    starts and the end of the session stops, or without pytest that of the process. A
    test process that is killed leaves its mongod running and its folder
    `migopy-tests-*`, in memory or among temporary files.
    """
    given = os.environ.get('MIGOPY_TEST_URI')
    if given:
        return given
    process = os.getpid()

    @atexit.register
    def stop() -> None:
        if os.getpid() == process:  # not where a forked child ends
            SHARED.close()

    return SHARED.enter_context(replica_set(members=1)).members[0].uri


def client(**options: Any) -> MongoClient[dict[str, Any]]:
    """Give a new client of the shared server; close it."""
    return MongoClient(uri(), **options)


class DatabaseTest(unittest.TestCase):
    """A test with a database of its own on the shared server.

    Invariant: `self.db` (its name is random) is empty when a test begins and is
    dropped when it has ended; `self.client` is closed then.
    """

    uri: str
    client: MongoClient[dict[str, Any]]
    db: Database[dict[str, Any]]

    def setUp(self) -> None:
        super().setUp()
        self.uri = uri()
        self.client = client()
        self.addCleanup(self.client.close)
        self.db = self.client[f'migopy_{uuid.uuid4().hex}']
        self.addCleanup(self.client.drop_database, self.db.name)

    def needs_version(self, *version: int) -> None:
        """Skip a test of what older servers do not have."""
        has = tuple(self.client.server_info()['versionArray'])
        if has < version:
            self.skipTest(f'needs MongoDB {".".join(map(str, version))}')
