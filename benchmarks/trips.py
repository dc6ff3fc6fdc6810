"""Round trips that a command waits for, counted through a slow line."""

from __future__ import annotations

import contextlib
import queue
import shutil
import socket
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from benchmarks.ground import FABFILE, Ground
from benchmarks.measuring import is_installed, milliseconds, table, timed
from tests.faults.proxy import Line, command_of, read_message

#: Seconds that a message takes each way.
WAY = 0.02

#: What a driver asks on its own account, which is told apart.
CONNECTING = frozenset({'hello', 'ismaster', 'isMaster', 'ping'})

#: What is typed, and with how many migrations pending.
CASES = (('status', 1), ('execute', 0), ('execute', 1), ('execute', 10))

MONGRATOR = """
    uri = "{uri}"
    migrations_dir = "mongomigrations"
    db_name = "{database}"
    collection = "mongrator"
"""

INSERT = """
    def up(db):
        db.made.insert_one({})

    def down(db):
        db.made.delete_one({})
"""


@dataclass
class Talk:
    """A connection; `turn` is that of the answer to what it was asked last."""

    turn: int


class SlowLine(Line):
    """A line to one mongod on loopback on which each message is long under way.

    Invariant: messages of a direction keep their order and are not held up by those of
    the other; `asked` has the commands that have come by, in their order, and `turns`
    tells how many answers had to be waited for one after the other.
    """

    def __init__(self, port: int, seconds: float) -> None:
        """Take the server's port, and the seconds of a way."""
        super().__init__(port)
        self._seconds = seconds
        self.asked: list[str] = []
        self.turns = 0

    def connect(self, client: socket.socket) -> None:
        """Carry the messages of a client, in threads of its own."""
        threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        # The handshake of TCP is a round trip as well.
        talk = Talk(self.turns + 1)
        time.sleep(2 * self._seconds)
        self.turns = max(self.turns, talk.turn)
        far = socket.create_connection(('127.0.0.1', self.server_port))
        for ends in ((near, far), (far, near)):
            threading.Thread(
                target=self._carry, args=[*ends, talk], daemon=True
            ).start()

    def _carry(self, source: socket.socket, target: socket.socket, talk: Talk) -> None:
        is_request = target.getpeername()[1] == self.server_port
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        answered = None if is_request else talk
        arguments = (under_way, source, target, answered)
        threading.Thread(target=self._deliver, args=arguments, daemon=True).start()
        message = b'.'
        while message:
            try:
                message = read_message(source)
            except OSError:
                message = b''
            if message and is_request:
                self.asked.append(command_of(message))
                talk.turn = self.turns + 1
            under_way.put((time.monotonic() + self._seconds, message))

    def _deliver(
        self,
        under_way: queue.SimpleQueue[tuple[float, bytes]],
        source: socket.socket,
        target: socket.socket,
        answered: Talk | None,
    ) -> None:
        """Hand over each message when its time has come, so that several can follow."""
        with contextlib.suppress(OSError):
            while True:
                due, message = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not message:
                    break
                if answered is not None:
                    self.turns = max(self.turns, answered.turn)
                target.sendall(message)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def measure(ground: Ground) -> None:
    """Tell what status and `execute` of 0, 1 and 10 wait for, beside mongrator."""
    port = ground.server.members[0].port
    rows = []
    for kind, run in RUNS.items():
        if kind == 'mongrator' and not is_installed(kind):
            continue
        for name, files in CASES:
            near, far, asked, turns = [], [], [], []
            for number in range(max(1, ground.rounds // 5)):
                for walls, seconds in ((near, 0.0), (far, WAY)):
                    line = SlowLine(port, seconds)
                    with line.running():
                        database = f'{kind}_{name}_{files}_{number}_{bool(seconds)}'
                        project = Project(ground.folder / 'trips', line.uri, database)
                        project.add(1)
                        run(project.folder, 'execute')
                        project.add(files)
                        line.asked.clear()
                        line.turns = 0
                        walls.append(run(project.folder, name))
                        asked = [each for each in line.asked if each not in CONNECTING]
                        turns.append(line.turns)
            waited = min(far) - min(near)
            rows.append(
                [
                    kind,
                    f'{name} of {files}' if name == 'execute' else name,
                    # Of a busy machine the least: what is at once may seem to follow.
                    f'{min(turns)}',
                    f'{waited / (2 * WAY):.1f}',
                    milliseconds(waited),
                    ' '.join(asked),
                ]
            )
    way = milliseconds(WAY)
    table(
        f'What a line of {way} each way adds, and what is asked beside connecting',
        ['tool', 'command', 'in a row', 'round trips added', 'added', 'asked'],
        rows,
    )


class Project:
    """A folder with a fabfile and migrations that insert a document each.

    Invariant: the last file has the number `count`.
    """

    def __init__(self, folder: Path, uri: str, database: str) -> None:
        """Make it anew."""
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.count = 0
        (folder / 'mongomigrations').mkdir(parents=True)
        for name, text in {'fabfile.py': FABFILE, 'mongrator.toml': MONGRATOR}.items():
            made = textwrap.dedent(text).replace('{uri}', uri)
            (folder / name).write_text(made.replace('{database}', database))

    def add(self, count: int) -> None:
        """Add so many files."""
        for _ in range(count):
            self.count += 1
            path = self.folder / 'mongomigrations' / f'{self.count:03}_insert.py'
            path.write_text(f'{textwrap.dedent(INSERT)}\n# {self.count}\n')


def _migopy(folder: Path, command: str) -> float:
    typed = 'migrations' if command == 'status' else f'migrations:{command}'
    return timed('fab', folder, typed).wall


def _mongrator(folder: Path, command: str) -> float:
    return timed('mongrator', folder, 'up' if command == 'execute' else command).wall


#: By the tool's name what runs a command in a folder and gives its seconds.
RUNS: dict[str, Callable[[Path, str], float]] = {
    'migopy': _migopy,
    'mongrator': _mongrator,
}
