"""A migration that is met by faults until it is done; `update_each` that is."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.faults import eventually
from tests.faults.processes import Processes
from tests.faults.proxy import LossyProxy
from tests.project import TIMEOUT
from tests.server import Server

#: Documents, and those of one page.
DOCUMENTS = 100_000
PAGE = 1000

#: Pages at most that a command writes before a fault meets it.
PAGES = 14

#: Faults after which it should have come to its end.
MOST_TURNS = 100

#: Seconds that a suspended process's lock lasts.
LOCK_TTL = 2.0

NAME = '1_a.py'

FABFILE = """
    import os

    import migopy


    class Migrations(migopy.MigrationsManager):
        MONGO_URI = os.environ['URI']
        MONGO_DATABASE = {database!r}
        LOCK_TTL = {ttl!r}


    migrations = Migrations.create_task()
"""

MIGRATION = """
    import migopy

    def up(db):
        migopy.update_each(db.notes, count, exactly_once=True)

    def count(note):
        return {'$inc': {'calls': 1}}
"""


class Met:
    """A project of one migration on a server, a replica set of one member.

    Each command in it is met by another fault, until all is done. Invariant:
    `violations` are the ways in which what was seen is not what migopy promises;
    `faults` counts those that met a command at work.
    """

    #: The migration, and how many documents it changes at once.
    migration: str
    page: int
    #: The command that is typed again and again.
    typed = f'migrations:execute,{NAME}'

    def __init__(self, server: Server, choice: random.Random) -> None:
        self.server = server
        self.choice = choice
        self.violations: list[str] = []
        self.faults: Counter[str] = Counter()
        self.client: MongoClient[Any] = MongoClient(server.uri)
        self.db = self.client[f'faults_{uuid.uuid4().hex}']
        self.folder = Path(tempfile.mkdtemp(prefix='migopy-faults-')).resolve()
        self.commands = Processes(self.folder, self.violations)
        settings = {'database': self.db.name, 'ttl': LOCK_TTL}
        self._write('fabfile.py', FABFILE.format(**settings))
        self._write(f'mongomigrations/{NAME}', self.migration)

    def _write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(textwrap.dedent(text))

    def close(self) -> None:
        """End what still runs, and remove all."""
        self.commands.close()
        shutil.rmtree(self.folder)
        self.client.close()

    def is_done(self) -> bool:
        """Tell whether the command has come to its end."""
        return self.db.migrations.find_one({'name': NAME}) is not None

    def reached(self) -> int:
        """Give how many documents are done so far."""
        raise NotImplementedError

    def look(self) -> None:
        """See that what is there after a fault is as promised."""

    def meet(self, first: int = 0) -> None:
        """Type the command, meeting it with another fault each time, until its end.

        `first` says with which fault it begins.
        """
        faults: list[Callable[[], None]] = [
            self.killed,
            self.killed,
            self.terminated,
            self.overtaken,
            self.server_killed,
            self.reply_lost,
        ]
        for turn in range(first, first + MOST_TURNS):
            if self.is_done():
                return
            faults[turn % len(faults)]()
            self.look()
        self.violations.append('it comes to no end')

    # Faults

    def killed(self) -> None:
        """A process is killed."""
        victim = self._start()
        if self._is_met(victim, 'killed'):
            victim.kill()
        self._ended(victim)

    def terminated(self) -> None:
        """A process is asked to end."""
        victim = self._start()
        if self._is_met(victim, 'terminated'):
            victim.send_signal(self.choice.choice([signal.SIGTERM, signal.SIGINT]))
        self._ended(victim)

    def overtaken(self) -> None:
        """A process is suspended, and another goes on; then it wakes up."""
        victim = self._start()
        if self._is_met(victim, 'overtaken'):
            victim.send_signal(signal.SIGSTOP)
            other = self._start()
            # The other one waits for the lock yet: what is done is the victim's.
            was_done = self.is_done()
            self._is_met(other, 'overtaker killed')
            victim.send_signal(signal.SIGCONT)
            status = self._ended(victim)
            if status == 0 and not was_done:
                self.violations.append('one that was overtaken ended well')
            other.kill()
            self._ended(other)
        else:
            self._ended(victim)

    def server_killed(self) -> None:
        """The server is killed, and comes back."""
        victim = self._start()
        if self._is_met(victim, 'server killed'):
            self.server.kill()
            time.sleep(self.choice.uniform(0, 0.5))
            self.server.restart()
        self._ended(victim)

    def reply_lost(self) -> None:
        """The server does a command, and the reply to it is lost."""
        number = self.choice.randrange(15, 15 + 4 * PAGES)
        proxy = LossyProxy(self.server.port, number)
        with proxy.running():
            victim = self._start(proxy.uri)
            self._is_met(victim, 'reply lost', lambda: proxy.has_met)
            victim.kill()
            self._ended(victim)

    # Commands

    def _start(self, uri: str = '') -> subprocess.Popen[str]:
        uri = uri or self.server.uri
        return self.commands.start(self.typed, URI=uri)

    def _is_met(
        self,
        process: subprocess.Popen[str],
        fault: str,
        further: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Wait until a command has written some pages; tell whether it still runs."""
        reached = self.reached() + self.page * self.choice.randrange(1, PAGES)

        def is_there() -> bool:
            ended = process.poll() is not None
            return ended or (further() and self.reached() >= reached)

        eventually(is_there, f'pages before {fault}', TIMEOUT)
        # Anywhere in a page.
        time.sleep(self.choice.uniform(0, 0.1))
        met = process.poll() is None
        self.faults[fault] += met
        return met

    def _ended(self, process: subprocess.Popen[str]) -> int:
        return self.commands.ended(process).status


class Increments(Met):
    """Adds one to each document with `update_each`."""

    migration = MIGRATION
    page = PAGE

    def run(self) -> None:
        """Execute it until it is done, and see that each was counted once."""
        self.db.notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
        self.meet()
        odd = list(self.db.notes.find({'calls': {'$ne': 1}}, limit=5))
        if odd:
            self.violations.append(f'not once: {odd}')
        total = self.db.notes.aggregate(
            [{'$group': {'_id': None, 'calls': {'$sum': '$calls'}}}]
        )
        calls = next(iter(total))['calls']
        if calls != DOCUMENTS:
            self.violations.append(f'{calls} calls of {DOCUMENTS} documents')

    def reached(self) -> int:
        """Give how many documents the checkpoint has."""
        with contextlib.suppress(PyMongoError):
            counts = [
                each['count']
                for run in self.db.migrations_history.find()
                for each in run.get('checkpoints') or ()
            ]
            return max(counts, default=0)
        return 0
