"""Faults made to deploys over many databases, and what must be true of each of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.faults import eventually
from tests.faults.processes import Processes
from tests.project import Result
from tests.server import Server

#: Databases of a fleet, and those in which the migrations fail until they are mended.
COUNT, BAD = 12, 3

NAMES = ('001_a.py', '002_b.py')

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASES = '{prefix}_*'
        LOCK_TTL = 2
        LOCK_WAIT = 60

    migrations = Migrations.create_task()
"""

#: Each notes that it begins and that it ends: in a transaction both or neither.
MIGRATION = """
    import time

    transaction = {transaction}

    def up(db):
        db.ran.insert_one({{'name': {name!r}, 'at': 'begin'}})
        if db.settings.find_one({{'bad': True}}):
            raise ValueError('no good')
        time.sleep(0.02)
        db.ran.insert_one({{'name': {name!r}, 'at': 'end'}})

    def down(db):
        pass
"""


class Fleet:
    """A project with many databases on one server.

    Invariant: `violations` has whatever was not as promised, so far.
    """

    def __init__(self, server: Server, dice: random.Random) -> None:
        self.server = server
        self.dice = dice
        self.transaction = dice.random() < 0.5
        self.prefix = f'fleet{uuid.uuid4().hex[:12]}'
        self.all = [f'{self.prefix}_{number:02}' for number in range(COUNT)]
        self.bad = dice.sample(self.all, BAD)
        self.violations: list[str] = []
        #: How often a migration was executed again because a person was told to.
        self.settled: Counter[tuple[str, str]] = Counter()
        self.folder = Path(tempfile.mkdtemp(prefix='migopy-fleet-')).resolve()
        self.commands = Processes(self.folder, self.violations)
        (self.folder / 'mongomigrations').mkdir()
        self._write('fabfile.py', FABFILE.format(uri=server.uri, prefix=self.prefix))
        for name in NAMES:
            text = MIGRATION.format(name=name, transaction=self.transaction)
            self._write(f'mongomigrations/{name}', text)
        self.client: MongoClient[dict[str, Any]] = MongoClient(server.uri)
        for each in self.all:
            db = self.client[each]
            db.settings.insert_one({'bad': each in self.bad})
            db.create_collection('ran')

    def _write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(textwrap.dedent(text))

    def close(self) -> None:
        """End what still runs, and remove all."""
        self.commands.close()
        shutil.rmtree(self.folder)
        for each in self.all:
            self.client.drop_database(each)
        self.client.close()

    # Commands

    def fab(self, *arguments: str) -> Result:
        """Run `fab`."""
        return self.commands.ended(self.commands.start(*arguments))

    # Faults

    def some_moment(self, victim: subprocess.Popen[str]) -> None:
        """Wait until a few databases are done, or the command has ended."""
        wanted = self.dice.randrange(COUNT - BAD)
        eventually(
            lambda: victim.poll() is not None or self.begun() >= wanted, 'databases'
        )

    def begun(self) -> int:
        """Count the databases in which something has begun."""
        return sum(bool(self.client[each].ran.find_one()) for each in self.all)

    def hit(self, number: signal.Signals) -> None:
        """Send a signal to a deploy at some moment."""
        workers = self.dice.choice([1, 4, 8])
        victim = self.commands.start(f'migrations:execute,workers={workers}')
        self.some_moment(victim)
        with contextlib.suppress(OSError):
            os.kill(victim.pid, number)
        self.claims(self.commands.ended(victim))

    def crash(self) -> None:
        """Kill the server under a deploy, and start it again."""
        victim = self.commands.start('migrations:execute,workers=4')
        self.some_moment(victim)
        self.server.kill()
        time.sleep(self.dice.uniform(0, 0.5))
        self.server.restart()
        self.claims(self.commands.ended(victim))

    def crowd(self) -> None:
        """Let three deploys run at once."""
        typed = ['migrations:execute,workers=4'] * 3
        started = [self.commands.start(each) for each in typed]
        for each in started:
            self.claims(self.commands.ended(each))

    # What is so

    def expect(self, truth: object, what: str) -> None:
        if not truth:
            self.violations.append(what)

    def claims(self, result: Result) -> None:
        """Hold what a deploy said that it had done against the truth."""
        for each in self.all:
            if f'{each}: 2 executed in ' in result.stderr:
                self.expect(self.registered(each) == [*NAMES], f'{each} is not done')

    def registered(self, database: str) -> list[str]:
        found = self.client[database].migrations.find(sort=[('name', 1)])
        return [each['name'] for each in found]

    def recover(self) -> None:
        """Go on as a person would: deploy again, settle what is named unfinished."""
        eventually(self._is_free, 'the locks to be free')
        for each in self.bad:
            self.client[each].settings.update_many({}, {'$set': {'bad': False}})
        for _ in NAMES:
            self._settle(self.fab('migrations:execute,json=yes'))
        end = self.fab('migrations:execute')
        self.expect(end.status == 0, 'the last execute did not end well')
        for each in self.all:
            self._check(each)
        status = self.fab('migrations:check')
        self.expect(status.status == 0, 'check finds that something does not fit')

    def _settle(self, result: Result) -> None:
        """Type what a deploy has named next where something is unfinished."""
        for line in result.stdout.splitlines():
            told = json.loads(line)
            if told.get('outcome') != 'failed':
                continue
            database, error = told['database'], told['error']
            what = f'{error["type"]} in {database}'
            self.expect(error['type'] == 'Unfinished', what)
            self.expect(not self.transaction, f'{what} after transactions')
            again = next(each for each in error['next'] if each['command'] == 'execute')
            self.expect(again['options'] == {'only': database}, f'{what}: {again}')
            [name] = again['values']
            typed = f'migrations:execute,{name},only={database}'
            self.expect(self.fab(typed).status == 0, f'{typed} failed')
            self.settled[database, name] += 1

    def _is_free(self) -> bool:
        lives = {'$expr': {'$gt': ['$expires', '$$NOW']}}
        with contextlib.suppress(PyMongoError):
            return all(
                self.client[each].migrations_lock.find_one(lives) is None
                for each in self.all
            )
        return False

    def _check(self, database: str) -> None:
        self.expect(self.registered(database) == [*NAMES], f'{database} is not whole')
        for name in NAMES:
            most = 1 + self.settled[database, name]
            for at in ('begin', 'end'):
                query = {'name': name, 'at': at}
                count = self.client[database].ran.count_documents(query)
                what = f'{at} of {name} {count} times in {database}, at most {most}'
                self.expect(1 <= count <= most, what)

    def report(self) -> str:
        """Tell all that was said, for a person who looks into a violation."""
        return '\n'.join([*self.violations, *self.commands.said])


def faults(fleet: Fleet) -> Sequence[tuple[str, Any]]:
    """List the faults that are made, each with its name."""
    return [
        ('kill', lambda: fleet.hit(signal.SIGKILL)),
        ('termination', lambda: fleet.hit(signal.SIGTERM)),
        ('interruption', lambda: fleet.hit(signal.SIGINT)),
        ('crash', fleet.crash),
        ('crowd', fleet.crowd),
    ]
