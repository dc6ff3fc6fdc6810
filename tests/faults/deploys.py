"""A project whose migrations count their own runs, and what must be true of them."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import subprocess
import tempfile
import textwrap
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from tests.faults import eventually
from tests.faults.processes import Processes
from tests.project import Result

NAMES = ('001_a.py', '002_b.py', '003_c.py')

#: Seconds that a dead process's lock lasts.
LOCK_TTL = 2.0

#: Seconds more until another has it, on a machine with much else to do.
MARGIN = 15.0

FABFILE = """
    import atexit
    import os
    import signal
    import threading

    from pymongo import monitoring

    import migopy
    import migopy.run.runner

    migopy.run.runner.MANY = {many!r}


    class Fault(monitoring.CommandListener):
        '''Sends this process a signal right before its n-th command.'''

        def __init__(self, number, signal):
            self.left = number
            self.signal = signal

        def started(self, event):
            if threading.current_thread() is threading.main_thread():
                self.left -= 1
                if self.left == 0:
                    open('fault', 'w').close()
                    os.kill(os.getpid(), self.signal)

        def succeeded(self, event):
            pass

        def failed(self, event):
            pass


    if 'FAULT' in os.environ:
        number, name = os.environ['FAULT'].split()
        monitoring.register(Fault(int(number), getattr(signal, name)))


    class Migrations(migopy.MigrationsManager):
        MONGO_URI = os.environ['URI']
        MONGO_DATABASE = {database!r}
        TRANSACTION = {transaction!r}
        LOCK_TTL = {ttl!r}


    migrations = Migrations.create_task()
"""

#: Beside the fabfile: what each migration does.
COUNTING = """
    import os
    import time

    def run(db, name, direction):
        note = {'name': name, 'direction': direction, 'role': os.environ['ROLE']}
        db.ran.insert_one({**note, 'at': 'begin'})
        for part in range(2):
            time.sleep(0.03)
            db.parts.insert_one({**note, 'part': part})
        time.sleep(0.03)
        db.ran.insert_one({**note, 'at': 'end'})
"""

MIGRATION = """
    import counting

    def up(db):
        counting.run(db, {name!r}, 'up')

    def down(db):
        counting.run(db, {name!r}, 'down')
"""

NAMED = re.compile(r'^Unfinished: (\S+): (up|down) started ', re.MULTILINE)
SAID = re.compile(r'^(\S+) (executed|rolled back) in ', re.MULTILINE)

WAYS = ('execute', 'rollback', 'ignore')


@dataclass
class State:
    """What the database says of the migrations at one moment."""

    registered: set[str]
    #: How often a function ran to its end, and how often it began, by name and role.
    ended: list[dict[str, Any]]
    begun: list[dict[str, Any]]

    def count(self, runs: list[dict[str, Any]], name: str, direction: str) -> int:
        return sum(
            run['name'] == name and run['direction'] == direction for run in runs
        )

    def ups(self, name: str) -> int:
        """Count how often `up` ran to its end."""
        return self.count(self.ended, name, 'up')

    def downs(self, name: str) -> int:
        """Count how often `down` ran to its end."""
        return self.count(self.ended, name, 'down')

    def touched(self, name: str, direction: str) -> bool:
        """Tell whether anything of a run of the function is there."""
        runs = [*self.begun, *self.ended]
        return any(
            run['name'] == name and run['direction'] == direction for run in runs
        )


@dataclass
class Deploys:
    """A project and its database, and the commands that are run in it.

    Invariant: `violations` are all the ways in which what was seen is not what migopy
    promises. `named` are the migrations that status named unfinished after the fault.
    """

    client: MongoClient[Any]
    uri: str
    direction: str
    transaction: bool
    choice: random.Random
    #: How the victim settles a migration that was left half done before, if it does.
    way: str | None = None
    #: Where in turn the victim is met, if it is at one of its commands.
    turn: int = 0
    #: Seconds that a lock lasts.
    lock_ttl: float = LOCK_TTL
    violations: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db = self.client[f'faults_{uuid.uuid4().hex}']
        self.folder = Path(tempfile.mkdtemp(prefix='migopy-faults-')).resolve()
        self.commands = Processes(self.folder, self.violations)
        settings = {
            'database': self.db.name,
            'transaction': self.transaction,
            # With as few steps as these, registrations wait for a majority together.
            'many': self.choice.choice([2, 50]),
            'ttl': self.lock_ttl,
        }
        self._write('fabfile.py', FABFILE.format(**settings))
        self._write('counting.py', COUNTING)
        (self.folder / 'mongomigrations').mkdir()
        for name in NAMES:
            self._write(f'mongomigrations/{name}', MIGRATION.format(name=name))
        for collection in ('ran', 'parts'):
            self.db.create_collection(collection)
        if self.direction == 'down':
            self._register()
        if self.way:
            self._leave_half_done()

    def close(self) -> None:
        """End what still runs, and remove all."""
        self.commands.close()
        shutil.rmtree(self.folder)
        self.client.drop_database(self.db.name)

    def _write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(textwrap.dedent(text))

    def _register(self) -> None:
        for name in NAMES:
            note = {'name': name, 'direction': 'up', 'role': 'before'}
            self.db.ran.insert_one({**note, 'at': 'begin'})
            self.db.ran.insert_one({**note, 'at': 'end'})
        records = [{'_id': ObjectId(), 'name': name} for name in NAMES]
        self.db.migrations.insert_many(records)

    def _leave_half_done(self) -> None:
        """Make the database what it is when somebody died in the middle of a run."""
        name, direction = self.half, self.direction
        note = {'name': name, 'direction': direction, 'role': 'before'}
        self.db.ran.insert_one({**note, 'at': 'begin'})
        records = [each['_id'] for each in self.db.migrations.find({'name': name})]
        run = {
            'name': name,
            'direction': direction,
            'started': datetime(2014, 1, 14),
            'outcome': None,
            'unsettled': True,
            'owner': 'dead',
            'records': records,
        }
        self.db.migrations_history.insert_one(run)

    @property
    def half(self) -> str:
        """Name the migration that was left half done before."""
        return NAMES[0] if self.direction == 'up' else NAMES[-1]

    @property
    def command(self) -> str:
        """Give the command that a fault is to meet."""
        if self.way:
            return f'migrations:{self.way},{self.half}'
        if self.direction == 'up':
            return 'migrations:execute'
        return 'migrations:rollback,last=3'

    @property
    def number(self) -> int:
        """Give the number of the command that the victim sends when it is met.

        It goes round all of them, and a bit further.
        """
        return self.turn % (16 if self.way else 26) + 1

    @property
    def scene(self) -> str:
        """Tell in what a fault is made."""
        half = f' after half {self.direction}' if self.way else ''
        how = ' in a transaction' if self.transaction else ''
        return f'{self.command}{half}{how}, command {self.number}'

    # Commands

    def start(
        self, *arguments: str, role: str = '', **environment: str
    ) -> subprocess.Popen[str]:
        """Start `fab` and do not wait for it; without a role it is the victim."""
        role = role or (f'settle {self.way}' if self.way else 'victim')
        given = {'URI': self.uri, 'ROLE': role, **environment}
        return self.commands.start(*arguments, **given)

    def ended(self, process: subprocess.Popen[str]) -> Result:
        """Wait for a command; a hanging one is a violation."""
        return self.commands.ended(process)

    def fab(self, *arguments: str, role: str) -> Result:
        """Run `fab`."""
        return self.ended(self.start(*arguments, role=role))

    # What is so

    def state(self) -> State:
        """Read the database."""
        return State(
            registered={each['name'] for each in self.db.migrations.find()},
            ended=list(self.db.ran.find({'at': 'end'})),
            begun=list(self.db.ran.find({'at': 'begin'})),
        )

    def expect(self, truth: object, what: str) -> None:
        if not truth:
            self.violations.append(what)

    def report(self) -> str:
        """Tell all that was said and seen, for a person who looks into a violation."""
        documents = []
        for name in ('migrations', 'migrations_history', 'migrations_lock', 'ran'):
            documents += [f'{name}: {each}' for each in self.db[name].find()]
        return '\n'.join([*self.violations, *self.commands.said, *documents])

    # After a fault

    def recover(self) -> None:
        """Go on as a person would, and look at each step whether all is as promised."""
        self._await_lock()
        state = self.state()
        second = self.fab('migrations', 'migrations:execute', role='next')
        self.named = dict(NAMED.findall(second.stdout))
        if self.way:
            self._check_after_settling(state)
        else:
            self._check_after_fault(state)
        if self.named:
            self._check_refused(state, second)
            for name, direction in self.named.items():
                state = self._settle(state, name, direction)
            self.fab('migrations:execute', role='final')
        else:
            self.expect(second.status == 0, 'nothing is unfinished, yet execute failed')
        self._check_in_the_end()

    def claims(self, result: Result) -> None:
        """Note what the victim said that it had done, to hold it against the truth."""
        state = self.state()
        for name, done in SAID.findall(result.stderr):
            kept = (name in state.registered) == (done == 'executed')
            self.expect(kept, f'{name} was said to be {done}')

    def _await_lock(self) -> None:
        lives = {'$expr': {'$gt': ['$expires', '$$NOW']}}
        began = time.monotonic()

        def is_free() -> bool:
            with contextlib.suppress(AutoReconnect, OperationFailure):
                return self.db.migrations_lock.find_one(lives) is None
            return False

        eventually(is_free, 'the lock to be free')
        took = time.monotonic() - began
        self.expect(
            took < self.lock_ttl + MARGIN, f'the lock was free after {took:.1f} s'
        )

    def _check_after_fault(self, state: State) -> None:
        before = 1 if self.direction == 'down' else 0
        for name in NAMES:
            registered, named = name in state.registered, name in self.named
            ups, downs = state.ups(name), state.downs(name)
            self.expect(ups <= 1, f'up of {name} ran to its end {ups} times')
            self.expect(downs <= 1, f'down of {name} ran to its end {downs} times')
            if registered:
                self.expect(ups, f'{name} is registered, its up has not ended')
            if before and not registered:
                self.expect(downs, f'{name} is unregistered, its down has not ended')
            if self.transaction:
                self.expect(not named, f'{name} is unfinished after a transaction')
                kept = registered == (ups > downs)
                self.expect(kept, f'{name} is neither all nor nothing')
            else:
                touched = state.touched(name, self.direction)
                done = registered != bool(before)
                silent = touched and not done and not named
                self.expect(not silent, f'{name} is half done and not named')
                self.expect(not (done and named), f'{name} is done, and yet named')

    def _check_after_settling(self, state: State) -> None:
        """See that it is still named, or has been settled as it was to be."""
        registered = self.half in state.registered
        again = [run for run in state.ended if run['role'] == f'settle {self.way}']
        self.expect(len(again) <= 1, f'{self.half} ran {len(again)} times')
        done = {
            'execute': registered and again,
            'rollback': not registered and again,
            'ignore': registered == (self.direction == 'up') and not again,
        }
        named = self.half in self.named
        self.expect(
            named or done[str(self.way)], f'{self.half} is neither named nor settled'
        )

    def _check_refused(self, state: State, second: Result) -> None:
        self.expect(second.status == 1, 'execute went on in spite of the unfinished')
        for name in self.named:
            for way in WAYS:
                hint = f'fab migrations:{way},{name}'
                self.expect(second.said.count(hint) == 2, f'{hint} was not given')
        now = self.state()
        same = now.registered == state.registered and now.begun == state.begun
        self.expect(same, 'execute did something in spite of the unfinished')

    def _settle(self, before: State, name: str, direction: str) -> State:
        way = self.choice.choice(WAYS)
        result = self.fab(f'migrations:{way},{name}', role=f'settle {way}')
        self.expect(result.status == 0, f'{way},{name} failed')
        now = self.state()
        if way == 'execute':
            expected = (1, 0, True)
        elif way == 'rollback':
            expected = (0, 1, False)
        else:
            expected = (0, 0, direction == 'up')
        found = (
            now.ups(name) - before.ups(name),
            now.downs(name) - before.downs(name),
            name in now.registered,
        )
        self.expect(found == expected, f'{way},{name} did {found}, not {expected}')
        return now

    def _check_in_the_end(self) -> None:
        check = self.fab('migrations:check', role='check')
        self.expect(check.status == 0, 'check finds that something does not fit')
        state = self.state()
        self.expect(state.registered == set(NAMES), 'not all is registered in the end')
        for name in NAMES:
            # Nobody but who was told so runs what may have run before.
            unasked = [
                run
                for run in state.begun
                if run['name'] == name
                and run['direction'] == 'up'
                and run['role'] != 'settle execute'
            ]
            undone = state.downs(name) + (self.named.get(name) == 'down')
            undone += self.direction == 'down' and self.way == 'ignore'
            self.expect(
                len(unasked) <= 1 + undone, f'{name} began {len(unasked)} times unasked'
            )
        left = self.db.migrations_history.count_documents({'unsettled': True})
        self.expect(left == 0, f'{left} runs are not settled in the end')
        self.expect(self.db.migrations_lock.find_one() is None, 'the lock is left')
