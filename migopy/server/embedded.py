"""A private mongod for the quick start and for tests.

`PrivateMongod` keeps the invariant: while at least one process uses the folder, one
mongod serves it; when the last one leaves, none does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, ClassVar

import bson

from migopy.errors import MigopyException

START_SECONDS = 60.0
"""How long a mongod may take to start, and then to become primary."""

STOP_SECONDS = 60.0
"""How long a mongod may take to write its data and end."""

PORTS_TRIED = 10
POLL_SECONDS = 0.01
REPLICA_SET = 'migopy'

OPTIONS = (
    '--bind_ip=127.0.0.1',
    '--nounixsocket',  # its path would end at 107 bytes; a folder's may be longer
    '--wiredTigerCacheSizeGB=1',  # a limit: 0.25 refuses a document of 16 MB
    # Each start reads the whole journal file, of 100 MB by default: 0.3 s.
    '--wiredTigerEngineConfigString=log=(file_max=16MB)',
    '--oplogSize=100',
    '--setParameter=diagnosticDataCollectionEnabled=false',
    '--quiet',
)

OP_MSG = 2013
PORT_IN_USE = 48
"""mongod's exit status where it cannot listen on its port."""


class NoMongod(MigopyException):
    """No mongod on this machine."""

    def __init__(self) -> None:
        super().__init__(
            'There is no mongod on this machine. Install the one that comes as an '
            'extra: pip install "migopy[mongod]"'
        )


class MongodFailed(MigopyException):
    """The mongod of `folder` did not do its part; `reason` tells what it did."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f'The mongod of {folder} {reason}')
        self.folder = folder
        self.reason = reason


class PortTaken(MongodFailed):
    """Another program took the port before mongod could."""


class PrivateMongod:
    """The mongod of one folder, shared by the processes that use it.

    Invariant: while at least one process uses the folder, one mongod serves it; when
    the last one leaves, none does. A process that is killed leaves nobody behind but
    the mongod, which the next one to use the folder takes over.

    Three locks in the folder keep it. The kernel takes a lock back from a process
    that dies, so that none of them is ever stale, and no process id is trusted.

    - `users.lock`, shared: held by each use. Whoever gets it for itself is the last.
    - `gate.lock`, exclusive: one process at a time looks for the mongod, starts it or
      stops it.
    - `server.lock`, exclusive: the one that mongod inherits, and holds from its first
      moment to its last. Free means that no mongod runs here.

    Each use opens these files anew. So uses nest in one process as they do among
    many, and a forked child (Fabric's parallel mode) has no part in its parent's.
    """

    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}
    """The mongods that this process started, by folder; kept to be reaped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Give the URI of the mongod, a primary, for as long as the block lasts.

        A single-node replica set (so transactions work) on a free loopback port.
        Raise `NoMongod`, or `MongodFailed` with what mongod's log says.
        """
        find_mongod()  # where there is none, make no folder either
        self._make_folder()
        with self._lock('users', fcntl.LOCK_SH) as users:
            process = os.getpid()
            try:
                port = self._come()
                yield f'mongodb://127.0.0.1:{port}/?directConnection=true'
            finally:
                if os.getpid() == process:
                    self._leave(users)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file('gate.lock').touch(mode=0o600)
        except OSError as error:
            raise MongodFailed(
                self.folder,
                f'has no place there: {error}\n'
                'Name a folder that you can write to (`embedded:<folder>`), then type'
                ' the command again.',
            ) from error

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _come(self) -> int:
        with self._gate():
            return self._serve()

    def _leave(self, users: int) -> None:
        with self._gate():
            if try_lock(users, fcntl.LOCK_EX):
                self._stop()

    @contextlib.contextmanager
    def _gate(self) -> Iterator[None]:
        """Hold the gate, with this process's id written on it for those who wait."""
        try:
            with self._lock('gate', fcntl.LOCK_EX) as gate:
                os.truncate(gate, 0)
                os.pwrite(gate, str(os.getpid()).encode(), 0)
                yield
        except OSError as error:
            raise MongodFailed(self.folder, f'failed: {error}') from error

    @contextlib.contextmanager
    def _lock(self, name: str, how: int) -> Iterator[int]:
        """Hold a lock file, waiting for it as long as its holder may take."""
        with open_lock(self._file(f'{name}.lock')) as lock:
            process = os.getpid()
            deadline = time.monotonic() + START_SECONDS + STOP_SECONDS
            while not try_lock(lock, how):
                if time.monotonic() > deadline:
                    raise self._hung_gate()
                time.sleep(POLL_SECONDS)
            try:
                yield lock
            finally:
                # Closing is not enough where a forked child still has it open; and
                # such a child must not release its parent's.
                if os.getpid() == process:
                    fcntl.flock(lock, fcntl.LOCK_UN)

    def _hung_gate(self) -> MongodFailed:
        holder = self._file('gate.lock').read_text()
        return MongodFailed(
            self.folder,
            f'is being started or stopped by process {holder}, which does not come to '
            f'an end. If that process hangs, end it (kill {holder}) and try again.',
        )

    def _hung_mongod(self, complaint: str) -> MongodFailed:
        data = self._file('db')
        return MongodFailed(
            self.folder,
            f'{complaint}. End its process (`ps ax | grep dbpath={data}` shows it) and '
            f'try again.\n{log_of(self.folder)}',
        )

    def _serve(self) -> int:
        """Give the port of the mongod: of the one that runs, or of a new one."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with open_lock(self._file('server.lock')) as lock:
                if try_lock(lock, fcntl.LOCK_EX):
                    self._start(lock)
            port, stopping = self._state()
            if stopping:
                self._stop()  # whoever began it was killed
            elif serves(self.folder, port) and is_primary(port):
                return port
            if time.monotonic() > deadline:
                raise self._hung_mongod('runs but does not serve')
            time.sleep(POLL_SECONDS)

    def _start(self, lock: int) -> None:
        """Start a mongod, on the port of the last time if that is free.

        The port is on disk before there is a mongod: killed at any moment, this
        leaves a mongod that can be found, or none.
        """
        self._reap()  # one that crashed
        last, _ = self._state()
        self._children[self.folder], _ = start(
            self.folder,
            [f'--replSet={REPLICA_SET}'],
            port=last,
            announce=self._remember,
            keep=[lock],
        )

    def _stop(self) -> None:
        """Stop the mongod cleanly and wait for its end."""
        port, _ = self._state()
        self._remember(port, stopping=True)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_alive():
            if serves(self.folder, port):
                with contextlib.suppress(OSError):
                    ask(port, {'shutdown': 1, 'force': True, 'timeoutSecs': 0})
            if time.monotonic() > deadline:
                raise self._hung_mongod('does not end')
            time.sleep(POLL_SECONDS)
        self._reap()

    def _reap(self) -> None:
        child = self._children.pop(self.folder, None)
        if child is not None:
            child.wait()

    def _is_alive(self) -> bool:
        with open_lock(self._file('server.lock')) as lock:
            return not try_lock(lock, fcntl.LOCK_EX)

    def _state(self) -> tuple[int, bool]:
        """Give the latest mongod's port (0: unknown), and if it is to be stopped."""
        try:
            state = json.loads(self._file('server.json').read_bytes())
            return int(state['port']), bool(state['stopping'])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, False

    def _remember(self, port: int, stopping: bool = False) -> None:
        new = self._file('server.json.new')
        new.write_text(json.dumps({'port': port, 'stopping': stopping}))
        new.replace(self._file('server.json'))


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """Open a lock file, which no program that this process starts inherits."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


def try_lock(lock: int, how: int) -> bool:
    """Take an open lock file, shared or exclusive, if that is possible now."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_mongod() -> Path:
    """Give the path of the `mongod` extra's binary, else of the one on PATH.

    Raise `NoMongod` where there is neither.
    """
    # Found without an import: the package's namesake, FiftyOne itself, is heavy.
    package = find_spec('fiftyone')
    for place in (package and package.submodule_search_locations) or ():
        bundled = Path(place, 'db', 'bin', 'mongod')
        if os.access(bundled, os.X_OK):
            return bundled
    on_path = shutil.which('mongod')
    if on_path is None:
        raise NoMongod
    return Path(on_path)


def free_port(preferred: int = 0) -> int:
    """Give a loopback port that nobody listens on at this moment.

    The preferred one, if it is such a port. Another program can take it before it is
    used.
    """
    with socket.socket() as listener:
        # As mongod does it: a port whose last connections linger is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(('127.0.0.1', preferred))
        except OSError:
            listener.bind(('127.0.0.1', 0))
        return int(listener.getsockname()[1])


def start(
    folder: Path,
    options: Sequence[str] = (),
    port: int = 0,
    announce: Callable[[int], None] = lambda port: None,
    keep: Sequence[int] = (),
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a mongod that takes connections on a free port; give both.

    It tries `port` first, others where that is taken, and calls `announce` with each
    before there is a process. Raise `MongodFailed`.
    """
    for _ in range(PORTS_TRIED):
        port = free_port(port)
        announce(port)
        process = spawn(folder, port, options, keep)
        try:
            await_listening(process, folder)
        except PortTaken as error:
            port, taken = 0, error
        else:
            return process, port
    raise taken


def spawn(
    folder: Path, port: int, options: Sequence[str] = (), keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a mongod with its data in `folder`/db and its log in `folder`/mongod.log.

    It leads a session of its own, so that Ctrl-C in the terminal does not reach it,
    and inherits the descriptors in `keep`, no others.
    """
    data = folder / 'db'
    data.mkdir(mode=0o700, exist_ok=True)
    command = [str(find_mongod()), f'--dbpath={data}', f'--port={port}']
    log_file = os.open(
        folder / 'mongod.log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
    )
    with open(log_file, 'wb') as log:
        return subprocess.Popen(  # noqa: S603
            [*command, *OPTIONS, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep,
        )


def await_listening(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a mongod just spawned takes connections, as its own log tells.

    Not by connecting: whoever else took the port would answer as well. Raise
    `PortTaken`, or `MongodFailed` with what its log says where the mongod ended by
    itself or took longer than `START_SECONDS`; it is ended then.
    """
    deadline = time.monotonic() + START_SECONDS
    while b'aiting for connections' not in (folder / 'mongod.log').read_bytes():
        if process.poll() == PORT_IN_USE:
            raise PortTaken(folder, 'found its port taken by another program')
        if process.returncode is not None:
            reason = f'ended with status {process.returncode}'
            raise MongodFailed(folder, f'{reason}.\n{log_of(folder)}')
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            reason = f'did not start within {START_SECONDS:.0f} s'
            raise MongodFailed(folder, f'{reason}.\n{log_of(folder)}')
        time.sleep(POLL_SECONDS)


def serves(folder: Path, port: int) -> bool:
    """Say whether the server at a loopback port is the mongod of this folder."""
    try:
        storage = ask(port, {'getCmdLineOpts': 1})['parsed']['storage']
    except (OSError, KeyError):
        return False
    return bool(storage.get('dbPath') == str(folder / 'db'))


def is_primary(port: int) -> bool:
    """Say whether a mongod is primary yet; if it is not, do what it still needs.

    That is a replica set of one, under the port that it has this time.
    """
    member = {'_id': 0, 'host': f'127.0.0.1:{port}'}
    find = {'find': 'system.replset', '$readPreference': {'mode': 'nearest'}}
    try:
        if ask(port, {'hello': 1}).get('isWritablePrimary'):
            return True
        on_disk = ask(port, find, 'local')['cursor']['firstBatch']
        if not on_disk:
            ask(port, {'replSetInitiate': {'_id': REPLICA_SET, 'members': [member]}})
        elif on_disk[0]['members'][0]['host'] != member['host']:
            new = {**on_disk[0], 'members': [member]}
            ask(port, {'replSetReconfig': new, 'force': True})
    except (OSError, KeyError):
        pass  # not yet able to answer
    return False


def ask(
    port: int, command: Mapping[str, Any], database: str = 'admin', seconds: float = 5.0
) -> dict[str, Any]:
    """Run one command on the server at a loopback port and give its reply.

    One OP_MSG over one socket: a `MongoClient` starts threads, which do not survive a
    fork and hold up the exit of a short process by half a second. The reply is the
    server's as it stands; look at its `ok`. Raise `OSError` where nobody answers
    within `seconds`, or somebody who is no MongoDB.
    """
    message = b'\0' * 5 + bson.encode({**command, '$db': database})
    header = struct.pack('<iiii', 16 + len(message), 1, 0, OP_MSG)
    with socket.create_connection(('127.0.0.1', port), seconds) as connection:
        connection.sendall(header + message)
        with connection.makefile('rb') as replies:
            try:
                length, _, answered, _ = struct.unpack('<iiii', replies.read(16))
                if answered != 1:
                    raise ValueError('not an answer to this request')
                return bson.decode(replies.read(length - 16)[5:])
            except (struct.error, ValueError, bson.errors.BSONError) as error:
                raise ConnectionError(f'no MongoDB answers on {port}') from error


def log_of(folder: Path) -> str:
    """Give the last errors in a mongod's log, or its last lines where it has none."""
    log = folder / 'mongod.log'
    lines = log.read_text(errors='replace').splitlines()
    errors = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
    return '\n'.join([f'From its log, {log}:', *(errors or lines)[-5:]])
