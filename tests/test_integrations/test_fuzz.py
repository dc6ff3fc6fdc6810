"""Documents, dumps and typed text of any kind, made at random, by a seed.

Whatever it is, a command does its work or says in a sentence why not: there is no error
of another kind, none waits, no line is forged, and nothing outside of the project's
folder and its database is touched.

`MIGOPY_TEST_INPUTS=100000` tries that many, `MIGOPY_TEST_SEED=5` others.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bson import ObjectId
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from migopy import MigopyException, StopTaskExecution
from migopy.server import DatabaseError
from migopy.state.agent import place
from migopy.texts import UNFIT
from tests import hostile
from tests.dumps import spoil
from tests.nasty import NASTY, random_values
from tests.project import PlainTest

#: How many inputs are tried, and what they are made by.
INPUTS = int(os.environ.get('MIGOPY_TEST_INPUTS', '2000'))
SEED = int(os.environ.get('MIGOPY_TEST_SEED', '2014'))

#: Seconds after which a command is taken for hanging.
LONGEST = 60

MIGRATION = """
    def up(db):
        db.data.update_one({'_id': 1}, {'$inc': {'ran': 1}})

    def down(db):
        db.data.update_one({'_id': 1}, {'$inc': {'ran': -1}})
"""

LOOP = """
    import migopy

    def up(db):
        migopy.update_each(db.data, lambda document: {'$set': {'x': 1}})
"""

#: What a text of the database would forge if its line ends were its own.
FORGED = 'first\nAll migrations'

Document = dict[str, Any]
Input = tuple[str, Sequence[str], Mapping[str, str]]


class FuzzTest(PlainTest):
    """A test of a project with migrations of each state, and of what lies around it.

    Invariant: `self.dice` decides all that is tried.
    """

    def setUp(self) -> None:
        super().setUp()
        self.dice = random.Random(f'{SEED} {type(self).__name__}')
        # What is around the folder is the test's own, too.
        outer = self.folder
        self.folder = outer / 'project'
        (self.folder / 'mongomigrations').mkdir(parents=True)
        shutil.rmtree(outer / 'mongomigrations')
        (outer / 'treasure').write_text('treasure')
        self.outer = outer
        self.other = self.client[f'{self.db.name}_other']
        self.addCleanup(self.client.drop_database, self.other.name)
        self.other.data.insert_one({'_id': 1})
        for name in ('001_a.py', '002_b.py', '004_d.py'):
            self.migration(name, MIGRATION)
        self.migration('003_c.py', LOOP)
        self.db.data.insert_one({'_id': 1, 'ran': 0})
        self.a_manager = self.manager(
            LOCK_WAIT=0,
            MIGRATIONS_DIRECTORY=str(self.folder / 'mongomigrations'),
            MONGO_DUMP_DIRECTORY=str(self.folder / 'mongodumps'),
        )
        # `plan` writes its files where it is typed, or where it is told to.
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.around = self.everything_around()

    def everything_around(self) -> Any:
        """Give what no command may touch."""
        files = [
            (str(path), path.read_bytes() if path.is_file() else None)
            for path in sorted(self.outer.rglob('*'))
            if self.folder not in path.parents
        ]
        own = {'mongomigrations', 'mongodumps', 'plan.json', 'plan.md'}
        here = sorted(set(os.listdir()) - own)
        databases = {
            name
            for name in self.client.list_database_names()
            if name.startswith(self.db.name) and name != self.db.name
        }
        return files, here, databases, list(self.other.data.find())

    def tried(self, command: str, *values: str, **options: str) -> BaseException | None:
        """Carry out a command; give how it ended, if that was with a sentence."""
        self.logger.said.clear()
        error: BaseException | None = None
        try:
            with hanging_fails():
                self.a_manager.perform(command, values, options)
        except DatabaseError:
            raise  # the server was sent what it does not take
        except (MigopyException, StopTaskExecution) as ended:
            error = ended
            self.a_manager._voice.red(ended)
        for _, message in self.logger.said:
            self.assertNotIn(FORGED, message)
            self.assertIsNone(UNFIT.search(message))
        return error

    @contextlib.contextmanager
    def input(self, number: int, what: object) -> Iterator[None]:
        """Name the input that a command does not take."""
        try:
            yield
        except BaseException as error:
            text = f'input {number} of {type(self).__name__}, seed {SEED}: {what!r}'
            raise AssertionError(text[:20_000]) from error


class DocumentsTest(FuzzTest):
    """Documents of the three collections."""

    def setUp(self) -> None:
        super().setUp()
        self.tried('execute', '001')
        self.tried('execute', '002')
        self.kept = {
            name: list(self.db[name].find())
            for name in ('migrations', 'migrations_history')
        }
        for name in self.kept:
            self.assertEqual(len(self.kept[name]), 2)
        run = self.kept['migrations_history'][0]
        self.unfinished: Document = {
            **run,
            '_id': ObjectId(),
            'name': '003_c.py',
            'ended': None,
            'outcome': None,
            'unsettled': True,
            'owner': 'somebody',
            'records': [],
            'checkpoints': [{'collection': 'x', 'key': 'k', 'count': 1, 'after': b'x'}],
        }
        self.lock: Document = {
            '_id': 'lock',
            'owner': 'somebody',
            'user': 'ann',
            'host': 'web1',
            'pid': 2**22 + 1,
            'subtask': 'execute',
            'since': run['started'],
            'expires': run['started'].replace(year=2090),
            'place': place(),
            'ttl': 60.0,
        }

    def test_in_the_registry(self) -> None:
        """A fifth of all inputs."""
        self.try_all(INPUTS // 5, 'migrations', self.of_registry)

    def test_in_the_history(self) -> None:
        """A fifth."""
        self.try_all(INPUTS // 5, 'migrations_history', self.of_history)

    def test_in_the_lock(self) -> None:
        """A tenth."""
        self.try_all(INPUTS // 10, 'migrations_lock', self.of_lock)

    def of_registry(self) -> RawBSONDocument:
        record = {**self.dice.choice(self.kept['migrations']), '_id': ObjectId()}
        if self.dice.random() < 0.5:
            record['name'] = self.dice.choice(['003_c.py', '900_gone.py'])
        return hostile.spoiled(record, self.dice)

    def of_history(self) -> RawBSONDocument:
        runs = [*self.kept['migrations_history'], self.unfinished, self.unfinished]
        run = {**self.dice.choice(runs), '_id': ObjectId()}
        run['direction'] = self.dice.choice(['up', 'down'])
        if self.dice.random() < 0.2:
            run['after'] = self.dice.choice(self.kept['migrations'])['_id']
        return hostile.spoiled(run, self.dice)

    def of_lock(self) -> RawBSONDocument:
        return hostile.spoiled(self.lock, self.dice)

    def try_all(
        self, count: int, name: str, make: Callable[[], RawBSONDocument]
    ) -> None:
        """Try so many inputs: a few documents in a collection, then a command."""
        for number in range(count):
            documents = self.prepared(name, make)
            command, values, options = self.dice.choice(self.commands())
            with self.input(number, (command, values, options, documents)):
                self.tried(command, *values, **options)
        self.assertEqual(self.everything_around(), self.around)

    def prepared(
        self, name: str, make: Callable[[], RawBSONDocument]
    ) -> list[RawBSONDocument]:
        """Have the state that all begin with, and hostile documents in one place."""
        for each in (*self.kept, 'migrations_lock'):
            self.db[each].delete_many({})
        for each, documents in self.kept.items():
            self.db[each].insert_many(documents)
        count = 1 if name.endswith('lock') else self.dice.choice([1, 1, 2, 4])
        if name.endswith('history') and self.dice.random() < 0.3:
            self.db.migrations_lock.insert_one({**self.lock, 'place': '', 'pid': 1})
        inserted: list[RawBSONDocument] = []
        while len(inserted) < count:
            # Some the server itself refuses: an `_id` such as {'$set': 1}. And of one
            # that is there twice it tells in a reply that PyMongo cannot read.
            with contextlib.suppress(OperationFailure, InvalidBSON):
                document = make()
                self.db[name].insert_one(document)
                inserted.append(document)
        return inserted

    def commands(self) -> list[Input]:
        """List what is tried, with names that are there and names that are not."""
        name = self.dice.choice(['1', '002_b.py', '3', '4', '900_gone.py', '?', 'x'])
        return [
            ('show_status', [], {}),
            ('check', [], {}),
            ('history', [], {}),
            ('history', [self.dice.choice(['1', '5', name])], {}),
            ('execute', [], {}),
            ('execute', [name], {}),
            ('execute', [], {'dry_run': 'yes'}),
            ('ignore', [], {}),
            ('ignore', [name], {}),
            ('rollback', [name], {}),
            ('rollback', [name], {'force': 'yes'}),
            ('rollback', [], {'last': '2'}),
            ('rollback', [], {'to': '1'}),
            ('accept', [name], {}),
            ('forget', [name], {}),
            ('rename', ['900_gone.py', '4'], {}),
            ('unlock', [], {}),
            ('unlock', [], {'force': 'yes'}),
        ]


class TypedTest(FuzzTest):
    """What is typed: names of commands, values and options."""

    def test_it(self) -> None:
        """Two fifths of all inputs."""
        count = INPUTS * 2 // 5
        migrations = self.folder / 'mongomigrations'
        there = [*migrations.iterdir(), migrations / '__init__.py']
        kinds = [
            NASTY,
            hostile.TEXTS,
            random_values(200, SEED),
            ['1', '0', '-1', '٣', '1e9', '9' * 19, '9' * 5000, '001_a.py', '004'],
            ['yes', 'no', '900_gone.py'],
        ]
        names = [method.__name__ for method in self.a_manager.tasks()]
        options = ['to', 'last', 'dry_run', 'force', 'yes', 'foreign', 'in_place', '']
        for number in range(count):
            command = self.dice.choice([*names * 5, *self.some(kinds, 5)])
            values = self.some(kinds, self.dice.choice([0, 1, 1, 1, 2, 5]))
            given = {
                self.dice.choice([*options, *self.some(kinds, 2)]): text
                for text in self.some(kinds, self.dice.choice([0, 0, 1, 2]))
            }
            with self.input(number, (command, values, given)):
                self.tried(command, *values, **given)
            for path in migrations.iterdir():
                if path not in there and path.suffix == '.py':
                    self.assertRegex(path.name, r'\A\d+_[a-z0-9_]+\.py\Z')
                    compile(path.read_bytes(), path.name, 'exec')
                    path.unlink()
            shutil.rmtree(self.folder / 'mongodumps', ignore_errors=True)
        self.assertEqual(self.everything_around(), self.around)

    def some(self, kinds: Sequence[Sequence[str]], count: int) -> list[str]:
        """Make texts, as many of each kind in the long run."""
        return [self.dice.choice(self.dice.choice(kinds)) for _ in range(count)]

    def test_numbers_of_any_length(self) -> None:
        """What a longer run has found."""
        for number in ('9' * 19, '9' * 5000, '--5', '-' * 5000):
            for command in ('history', 'execute', 'rollback', 'ignore', 'forget'):
                self.tried(command, number)
            self.tried('rollback', last=number)
            self.tried('execute', to=number)
        self.db.migrations.insert_one({'name': f'{"9" * 5000}_x.py'})
        self.tried('check')
        self.tried('forget', '9')


class DumpsTest(FuzzTest):
    """Folders of dumps, restored by the command."""

    def test_it(self) -> None:
        """A tenth of all inputs."""
        self.db.data.insert_many({'x': 'y'} for _ in range(3))
        self.db.data.create_index('x')
        self.db.create_collection('view', viewOn='data', pipeline=[])
        self.tried('execute')
        self.tried('dbdump')
        [good] = (self.folder / 'mongodumps').glob('2*')
        kept = self.outer / 'kept'
        shutil.copytree(good, kept)
        self.around = self.everything_around()
        for number in range(INPUTS // 10):
            spoil(good, self.db.name, self.dice)
            # It may be a pipe by now, which nobody writes to.
            if (good / 'migopy.json').is_file() and self.dice.random() < 0.3:
                self.rename_in_manifest(good)
            foreign = self.dice.choice(['yes', 'no'])
            with self.input(number, good):
                self.tried('dbrestore')
                self.tried('dbrestore', good.name, foreign=foreign)
                self.tried('check')
            for path in (self.folder / 'mongodumps').iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
            shutil.copytree(kept, good)
        self.assertEqual(self.everything_around(), self.around)

    def rename_in_manifest(self, dump: Path) -> None:
        """Have the manifest say something else of a file, or of the database."""
        path = dump / 'migopy.json'
        with contextlib.suppress(OSError, ValueError, AttributeError, KeyError):
            manifest = json.loads(path.read_text())
            odd = hostile.value(self.dice)
            odd = odd if isinstance(odd, (str, int, list, dict, type(None))) else '..'
            files = dict(manifest['files'])
            key = self.dice.choice(sorted(files))
            files[self.dice.choice(['../../treasure', '/etc/passwd', str(odd)])] = (
                files.pop(key)
            )
            manifest[self.dice.choice(['files', 'database', 'number', 'servers'])] = (
                self.dice.choice([files, odd])
            )
            path.write_text(json.dumps(manifest, default=str))


@contextlib.contextmanager
def hanging_fails() -> Iterator[None]:
    """Raise an error in the block where it does not end within a minute."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f'still at work after {LONGEST} s')

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
