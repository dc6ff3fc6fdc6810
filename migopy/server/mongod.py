"""The process of a mongod: start it, ask it, read its log."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import bson

from migopy.errors import MigopyException
from migopy.folders import open_regular
from migopy.server.programs import find_mongods

#: How long a mongod may take to start, and then to become primary.
START_SECONDS = 60.0

#: How long a mongod may take to write its data and end.
STOP_SECONDS = 60.0

POLL_SECONDS = 0.01
REPLICA_SET = 'migopy'

OPTIONS = (
    # A flaw in how a compressed message is unpacked gave memory away without a
    # password (CVE-2025-14847); on one machine there is nothing to compress for.
    '--networkMessageCompressors=disabled',
    '--wiredTigerCacheSizeGB=1',  # a limit: 0.25 refuses a document of 16 MB
    # Each start reads the whole journal file, of 100 MB by default: 0.3 s.
    '--wiredTigerEngineConfigString=log=(file_max=16MB)',
    '--oplogSize=100',
    '--setParameter=diagnosticDataCollectionEnabled=false',
    '--quiet',
)

#: Debian's packages of the libraries that a slim image lacks.
PACKAGES = {
    'libcurl.so.4': 'libcurl4',
    'libssl.so.3': 'libssl3',
    'libcrypto.so.3': 'libssl3',
    'liblzma.so.5': 'liblzma5',
}

#: The path of a socket, or a port on loopback.
Address = Union[str, int]

OP_MSG = 2013


class MongodFailed(MigopyException):
    """The mongod of `folder` did not do its part; `reason` tells what it did."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f'The mongod of {folder} {reason}')
        self.folder = folder
        self.reason = reason


def spawn(
    folder: Path,
    options: Sequence[str],
    keep: Sequence[int] = (),
    program: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a mongod with its data in `folder`/db and its log in `folder`/mongod.log.

    It leads a session of its own, so that Ctrl-C in the terminal does not reach it,
    and inherits the descriptors in `keep`, no others.
    """
    data = folder / 'db'
    data.mkdir(mode=0o700, exist_ok=True)
    command = [str(program or find_mongods()[0]), f'--dbpath={data}']
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(folder / 'mongod.log', flags, 0o600), 'wb') as log:
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

    Not by connecting: whoever else took its place would answer as well. Raise
    `MongodFailed` with what its log says where the mongod ended by itself or took
    longer than `START_SECONDS`; it is ended then.
    """
    deadline = time.monotonic() + START_SECONDS
    while b'aiting for connections' not in _log(folder):
        if process.poll() is not None:
            reason = f'ended with status {process.returncode}'
            raise MongodFailed(folder, f'{reason}.\n{log_of(folder)}')
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            reason = f'did not start within {START_SECONDS:.0f} s'
            raise MongodFailed(folder, f'{reason}.\n{log_of(folder)}')
        time.sleep(POLL_SECONDS)


def serves(folder: Path, address: Address) -> bool:
    """Say whether the server at an address is the mongod of this folder."""
    try:
        storage = ask(address, {'getCmdLineOpts': 1})['parsed']['storage']
    except (OSError, KeyError):
        return False
    return bool(storage.get('dbPath') == str(folder / 'db'))


def is_primary(socket_path: str) -> bool:
    """Say whether a mongod is primary yet; if it is not, do what it still needs.

    That is a replica set of one, under the address that it has this time.
    """
    member = {'_id': 0, 'host': socket_path}
    find = {'find': 'system.replset', '$readPreference': {'mode': 'nearest'}}
    try:
        if ask(socket_path, {'hello': 1}).get('isWritablePrimary'):
            return True
        on_disk = ask(socket_path, find, 'local')['cursor']['firstBatch']
        if not on_disk:
            config = {'_id': REPLICA_SET, 'members': [member]}
            ask(socket_path, {'replSetInitiate': config})
        elif on_disk[0]['members'][0]['host'] != member['host']:
            new = {**on_disk[0], 'members': [member]}
            ask(socket_path, {'replSetReconfig': new, 'force': True})
    except (OSError, KeyError):
        pass  # not yet able to answer
    return False


def ask(
    address: Address,
    command: Mapping[str, Any],
    database: str = 'admin',
    seconds: float = 5.0,
) -> dict[str, Any]:
    """Run one command on a server of this machine and give its reply.

    One OP_MSG over one socket: a `MongoClient` starts threads, which do not survive a
    fork and hold up the exit of a short process by half a second. The reply is the
    server's as it stands; look at its `ok`. Raises `OSError` where nobody answers
    within `seconds`, or somebody who is no MongoDB or not this user's.
    """
    message = b'\0' * 5 + bson.encode({**command, '$db': database})
    header = struct.pack('<iiii', 16 + len(message), 1, 0, OP_MSG)
    with _connected(address, seconds) as connection:
        connection.sendall(header + message)
        with connection.makefile('rb') as replies:
            try:
                length, _, answered, _ = struct.unpack('<iiii', replies.read(16))
                if answered != 1:
                    raise ValueError('not an answer to this request')
                return bson.decode(replies.read(length - 16)[5:])
            except (struct.error, ValueError, bson.errors.BSONError) as error:
                raise ConnectionError(f'no MongoDB answers on {address}') from error


def log_of(folder: Path) -> str:
    """Give the last errors in a mongod's log, or its last lines where it has none.

    If a library is missing, they say which package has it.
    """
    path = folder / 'mongod.log'
    lines = _log(folder).decode(errors='replace').splitlines()
    if not lines:
        return f'Its log, {path}, is empty.'
    errors = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
    log = '\n'.join([f'From its log, {path}:', *(errors or lines)[-5:]])
    missing = re.search(r'loading shared libraries: (\S+?):', '\n'.join(lines[-5:]))
    if missing is None:
        return log
    package = PACKAGES.get(missing[1])
    return (
        f'{log}\nIt needs the library {missing[1]}, which this machine does not have.'
        + (f' On Debian and Ubuntu, type: apt-get install {package}' if package else '')
    )


def _log(folder: Path) -> bytes:
    with open_regular(folder / 'mongod.log') as log:
        return log.read()


def _connected(address: Address, seconds: float) -> socket.socket:
    if isinstance(address, int):
        return socket.create_connection(('127.0.0.1', address), seconds)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
        _require_own(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_own(connection: socket.socket, address: str) -> None:
    """Make sure that the process which listens is this user's, as the kernel says."""
    option = getattr(socket, 'SO_PEERCRED', None)
    if option is None:
        return  # not on Linux: the folder's mode alone keeps others out
    credentials = struct.Struct('3i')
    reply = connection.getsockopt(socket.SOL_SOCKET, option, credentials.size)
    _, user, _ = credentials.unpack(reply)
    if user != os.geteuid():
        raise ConnectionError(f'who listens on {address} is another user ({user})')
