"""The process of a mongod: find it, start it, ask it, read its log."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable

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
