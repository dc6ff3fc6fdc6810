"""Commands that begin with the drivers and migopy imported, forked from one process.

Most of the time of a short `fab` goes into importing PyMongo and Paramiko, and what a
fabfile gets from migopy. Where a test is of what commands do, and not of how their
processes start, each is forked from one that has imported those. From there it goes the
usual way: the program's own file with its arguments, environment, folder and streams,
Fabric and migopy's late rooms imported anew, signals, and the end of an interpreter.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import runpy
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

#: The modules with such tests. In all others each command starts from nothing, as it
#: does for a user: those are about processes, imports, streams and signals. So it does
#: in a test whose class has `from_nothing`.
MODULES = (
    *('adopt', 'batches_killed', 'bookkeeping', 'command', 'comments', 'daily'),
    *('differences', 'docs', 'dry_run', 'dumping', 'environments', 'errors'),
    *('fabfile', 'fleet', 'fleet_declared', 'fleet_faces', 'fleet_faults'),
    *('fleet_next', 'fleet_rehearse', 'fleet_watch', 'foreign', 'history', 'hooks'),
    *('hosts', 'index_builds', 'invoke', 'invoke_hosts', 'json', 'json_fuzz'),
    *(
        'left_open',
        'list',
        'lock',
        'many',
        'meanwhile',
        'mistyped',
        'names',
        'needs',
        'no_files',
    ),
    *('no_folder', 'offline', 'other_registries', 'own_collections', 'phases', 'plan'),
    *('preflight', 'quorum', 'readme_2014', 'registry', 'rehearse', 'remote'),
    *('repeat', 'returned', 'squash', 'standin', 'status', 'steering'),
    *('tls', 'topologies', 'transaction', 'trial_truth', 'undo', 'undo_batches'),
    *('undo_command', 'undo_defined', 'undo_exact', 'undo_kept'),
    *('undo_killed', 'undo_pages', 'undo_tried', 'undo_unique', 'unfinished'),
    *('update_each', 'verify', 'work'),
)

#: Where the environment has 1 for it, every command starts from nothing.
FRESH = 'MIGOPY_TEST_FRESH'

#: The last is what `import migopy` comes to in a fabfile, and no more.
IMPORTED = ('pymongo', 'paramiko', 'migopy.manager')

#: What an interpreter looks at once, when it starts.
AT_START = ('PYTHON', 'LC_', 'LANG', 'LD_', 'TZ')

#: The bytes of a request, which has the whole environment.
MOST = 200_000

STATUS = struct.Struct('i')


def are_for(module: str) -> bool:
    """Tell whether the commands of a module's tests are forked."""
    return module.rpartition('test_integrations.test_')[2] in MODULES and are_possible()


def are_possible() -> bool:
    """Tell whether commands can be forked here, and nobody wants them fresh."""
    return os.environ.get(FRESH) != '1' and _can_be_waited_for()


@functools.cache
def _can_be_waited_for() -> bool:
    """Tell whether a file descriptor can tell of a process's end, as on Linux."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class Forked(subprocess.Popen[str]):
    """A command that was forked; it can be waited for and killed as any other.

    Invariant: its parent is the source, which tells of its end by a pipe.
    """

    def _execute_child(self, *given: Any) -> None:
        arguments, cwd, environment = given[0], given[5], given[6]
        to_stdin, _, _, to_stdout, _, to_stderr = pipes = given[10:16]
        self._ended, end = os.pipe()
        streams = [to_stdin, to_stdout, to_stderr, end]
        request = {'arguments': arguments, 'cwd': str(cwd), 'environment': environment}
        at_start = (
            each for each in environment.items() if each[0].startswith(AT_START)
        )
        python = Path(arguments[0]).with_name('python')
        with _ONE_EACH:
            its_source = source(python, frozenset(at_start))
        self.pid = its_source.fork(request, streams)
        os.close(end)
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def poll(self) -> int | None:
        """Give its exit status, `None` while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            [status] = STATUS.unpack(os.read(self._ended, STATUS.size))
            os.close(self._ended)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class Source:
    """The process that others are forked from; it ends with this one."""

    def __init__(self, python: Path, environment: Mapping[str, str]) -> None:
        self._turn = threading.Lock()
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [str(python), __file__, str(its.fileno())],
                env=environment,
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def fork(self, request: Mapping[str, object], streams: list[int]) -> int:
        """Have a command begin, with these streams; give its process id."""
        with self._turn:
            socket.send_fds(self._socket, [json.dumps(request).encode()], streams)
            return int(self._socket.recv(MOST))


#: Threads that ask for the first command at once get the same source.
_ONE_EACH = threading.Lock()


@functools.cache
def source(python: Path, environment: frozenset[tuple[str, str]]) -> Source:
    """Give the source of an interpreter's commands that start in this environment."""
    return Source(python, dict(environment))


def begin(connection: socket.socket) -> dict[str, Any]:
    """Fork a process for each request, and return what it is to do in the process."""
    running: dict[int, tuple[int, int]] = {}
    while True:
        ready, _, _ = select.select([connection, *running], [], [])
        for ended in set(ready) & set(running):
            pid, pipe = running.pop(ended)
            _, status = os.waitpid(pid, 0)
            os.close(ended)
            # Who waits has the other end open for as long as anybody can ask.
            os.write(pipe, STATUS.pack(status))
            os.close(pipe)
        if connection not in ready:
            continue
        request, streams, _, _ = socket.recv_fds(connection, MOST, 4)
        if not request:
            sys.exit()
        pid = os.fork()
        if not pid:
            for number, stream in enumerate(streams[:3]):
                os.dup2(stream, number)
            its_own = [connection.detach(), *streams, *running]
            for each in [*its_own, *(pipe for _, pipe in running.values())]:
                os.close(each)
            return dict(json.loads(request))
        running[os.pidfd_open(pid)] = (pid, streams[3])
        for stream in streams[:3]:
            os.close(stream)
        connection.send(str(pid).encode())


def keep_code(package: str) -> None:
    """Read what a package's modules are compiled to, and import none of them.

    Each process would read it again, which takes it nearly half of the import.
    """
    found = importlib.util.find_spec(package)
    if found is None:
        return
    files = [
        str(file)
        for folder in found.submodule_search_locations or ()
        for file in Path(folder).rglob('*.py')
    ]
    read = SourceFileLoader.get_code
    kept = {file: read(SourceFileLoader(package, file), package) for file in files}

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        return kept.get(self.path) or read(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


if __name__ == '__main__':
    for _name in IMPORTED:
        importlib.import_module(_name)
    keep_code('migopy')
    _request = begin(socket.socket(fileno=int(sys.argv[1])))
    # What has looked at the clock when it was imported.
    sys.modules['migopy.server'].BEGAN = time.monotonic()  # type: ignore[attr-defined]
    os.chdir(_request['cwd'])
    os.environ.clear()
    os.environ.update(_request['environment'])
    sys.argv = _request['arguments']
    # On a terminal a line is shown as soon as it is whole, but for PYTHONUNBUFFERED.
    for _stream in (sys.stdin, sys.stdout):
        _is_whole = _stream.isatty() and not sys.stdout.write_through
        _stream.reconfigure(line_buffering=_is_whole)
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name='__main__')
