"""A private mongod for the quick start and for tests.

`PrivateMongod` keeps the invariant: while at least one process uses the folder, one
mongod serves it; when the last one leaves, none does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from migopy.folders import create_file, open_regular, private_directory, require_private
from migopy.server import mongod, programs
from migopy.server.mongod import Address, MongodFailed
from migopy.server.sockets import free_path, give_back


class PrivateMongod:
    """The mongod of one folder, shared by the processes that use it.

    Invariant: while at least one process uses the folder, one mongod serves it; when
    the last one leaves, none does. A process that is killed leaves nobody behind but
    the mongod, which the next one to use the folder takes over.

    Nobody but the folder's owner (and root) reaches it: it listens on a socket in a
    folder that only the owner can enter, on no port. That is also what proves it: no
    other user can put a socket there, nor another folder in this one's place.

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

    #: The mongods that this process started, by folder; kept to be reaped.
    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    def __init__(self, folder: Path, is_scratch: bool = False) -> None:
        """Take its folder; of a scratch one nothing needs to outlive its process."""
        self._is_scratch = is_scratch
        # What leads to it may be a link; the folder itself is looked at as it is.
        folder = Path(os.path.abspath(folder))
        self.folder = folder.parent.resolve() / folder.name

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Give the URI of the mongod, a primary, for as long as the block lasts.

        A single-node replica set, so that transactions work. Raises `NoMongod`,
        `SharedFolder`, or `MongodFailed` with what mongod's log says.
        """
        programs.find_mongods()  # where there is none, make no folder either
        self._make_folder()
        with self._lock('users', fcntl.LOCK_SH) as users:
            process = os.getpid()
            try:
                path = quote(self._come(), safe='')
                options = f'directConnection=true&replicaSet={mongod.REPLICA_SET}'
                yield f'mongodb://{path}/?{options}'
            finally:
                if os.getpid() == process:
                    self._leave(users)

    def _make_folder(self) -> None:
        try:
            private_directory(self.folder)
            self.folder.chmod(0o700)  # one made by hand may be open to readers
            for lock in ('gate', 'users'):
                with open_lock(self._file(f'{lock}.lock')):
                    pass  # it can be written
            self._file('db').mkdir(mode=0o700, exist_ok=True)
            require_private(self._file('db'))
        except OSError as error:
            raise MongodFailed(
                self.folder,
                f'has no place there: {error}\n'
                'Name a folder that you can write to (`embedded:<folder>`), then type'
                ' the command again.',
            ) from error

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _come(self) -> str:
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
                # On a full disk they do not hear of it.
                with contextlib.suppress(OSError):
                    os.truncate(gate, 0)
                    os.pwrite(gate, str(os.getpid()).encode(), 0)
                yield
        except OSError as error:
            raise MongodFailed(
                self.folder,
                f'failed: {error}\nMend that, then type the command again.',
            ) from error

    @contextlib.contextmanager
    def _lock(self, name: str, how: int) -> Iterator[int]:
        """Hold a lock file, waiting for it as long as its holder may take."""
        with open_lock(self._file(f'{name}.lock')) as lock:
            process = os.getpid()
            deadline = time.monotonic() + mongod.START_SECONDS + mongod.STOP_SECONDS
            while not try_lock(lock, how):
                if time.monotonic() > deadline:
                    raise self._hung_gate()
                time.sleep(mongod.POLL_SECONDS)
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
            f'try again.\n{mongod.log_of(self.folder)}',
        )

    def _serve(self) -> str:
        """Give the socket of the mongod: of the one that runs, or of a new one."""
        deadline = time.monotonic() + mongod.START_SECONDS
        while True:
            with open_lock(self._file('server.lock')) as lock:
                if try_lock(lock, fcntl.LOCK_EX):
                    self._start(lock)
            address, stopping = self._state()
            if stopping or isinstance(address, int):
                self._stop()  # whoever began it was killed; or others reach its port
            elif mongod.serves(self.folder, address) and mongod.is_primary(address):
                return address
            if time.monotonic() > deadline:
                raise self._hung_mongod('runs but does not serve')
            time.sleep(mongod.POLL_SECONDS)

    def _start(self, lock: int) -> None:
        """Start a mongod, the newest of this machine that can read the data.

        The socket's path is on disk before there is a mongod: killed at any moment,
        this leaves a mongod that can be found, or none.
        """
        self._reap()  # one that crashed
        last, _ = self._state()
        path = free_path(self.folder, last)
        self._remember(path)
        first_failure: MongodFailed | None = None
        for program in programs.newest_first(programs.find_mongods()):
            try:
                self._start_program(program, path, lock)
            except MongodFailed as error:
                first_failure = first_failure or error
            else:
                return
        if first_failure:
            raise first_failure

    def _start_program(self, program: Path, path: str, lock: int) -> None:
        options = (
            f'--replSet={mongod.REPLICA_SET}',
            f'--bind_ip={path}',
            f'--unixSocketPrefix={os.path.dirname(path)}',
            '--filePermissions=0600',
        )
        process = mongod.spawn(self.folder, options, keep=[lock], program=program)
        self._children[self.folder] = process
        mongod.await_listening(process, self.folder)

    def _stop(self) -> None:
        """Stop the mongod cleanly and wait for its end."""
        address, _ = self._state()
        # On a full disk it is stopped without a note for who finds it half stopped.
        with contextlib.suppress(OSError):
            self._remember(address, stopping=True)
        child = self._children.get(self.folder)
        if self._is_scratch and child is not None:
            # It would write to the disk what is deleted then.
            child.kill()
            child.wait()
        deadline = time.monotonic() + mongod.STOP_SECONDS
        while self.is_alive():
            if mongod.serves(self.folder, address):
                shutdown = {'shutdown': 1, 'force': True, 'timeoutSecs': 0}
                with contextlib.suppress(OSError):
                    mongod.ask(address, shutdown)
            if time.monotonic() > deadline:
                raise self._hung_mongod('does not end')
            time.sleep(mongod.POLL_SECONDS)
        self._reap()
        give_back(address)

    def _reap(self) -> None:
        child = self._children.pop(self.folder, None)
        if child is not None:
            child.wait()

    def last_words(self) -> str:
        """Give the end of its log, its errors where it has some."""
        return mongod.log_of(self.folder)

    def is_alive(self) -> bool:
        """Tell whether its mongod runs."""
        with open_lock(self._file('server.lock')) as lock:
            return not try_lock(lock, fcntl.LOCK_EX)

    def _state(self) -> tuple[Address, bool]:
        """Give where the latest mongod listens, and if it is to be stopped.

        On a port, where a version before 2.0 started it; '' where nothing is known.
        """
        try:
            with open_regular(self._file('server.json')) as file:
                state = json.loads(file.read())
            address = state.get('socket', state.get('port'))
            if isinstance(address, (int, str)):
                return address, bool(state['stopping'])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # of a folder just made, or of somebody's own hand
        return '', False

    def _remember(self, address: Address, stopping: bool = False) -> None:
        kind = 'socket' if isinstance(address, str) else 'port'
        new = self._file('server.json.new')
        new.unlink(missing_ok=True)
        with create_file(new) as file:
            file.write(json.dumps({kind: address, 'stopping': stopping}).encode())
        new.replace(self._file('server.json'))


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """Open a lock file, which no program that this process starts inherits."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
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
