"""What was shown, asked or read at one moment is done at a later one, or nothing is.

A question is held open, a lock is held, or a dry run waits, while another command, a
person or a checkout changes the database or the files.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from migopy.state.lock import Lock
from tests.faults import eventually
from tests.fleets import FleetTest
from tests.project import TIMEOUT, WAITING, FabTest

#: Its `down` waits until there is a file `go`, and says in the database that it has
#: begun.
WAITING_DOWN = (
    WAITING.replace('def down', 'def other').replace('def up', 'def down')
).replace('def other', 'def up')

#: It fails half way through its `down`.
HALF_DOWN = """
    def up(db):
        db.a.insert_one({})

    def down(db):
        db.a.delete_many({})
        raise ValueError('odd')
"""

#: It waits until there is a file `go`; there is a file `begun` by then.
WAITING_FOR_FILES = """
    import os
    import time

    def up(db):
        db.ran.insert_one({'content': 'old'})
        open('begun', 'w').close()
        deadline = time.monotonic() + 60
        while not os.path.exists('go') and time.monotonic() < deadline:
            time.sleep(0.02)
"""

QUESTION = b'[y/N] '


def plain(shown: bytes) -> str:
    """Give what a terminal shows, without colours and what is drawn over."""
    text = shown.decode().replace('\r\n', '\n')
    return re.sub(r'\x1b\[[\d;?]*[A-Za-z]', '', text)


def nobody(holder: object) -> None:
    """Hear that a lock is waited for."""


def hold(db: Any, owner: str, lasts: float) -> None:
    """Have a command of another machine hold a database's lock for so many seconds."""
    now: Any = db.client.admin.command('hello')['localTime']
    holder = {'owner': owner * 32, 'user': owner, 'host': 'far', 'pid': 7}
    times = {'since': now, 'expires': now + timedelta(seconds=lasts), 'ttl': 590}
    document = {'_id': 'lock', 'subtask': 'execute', 'place': 'there'}
    db.migrations_lock.replace_one(
        {'_id': 'lock'}, {**document, **holder, **times}, upsert=True
    )


class AskingTest(FabTest):
    """Commands on a terminal that ask, and are answered after something has changed."""

    def asked(
        self,
        command: str,
        meanwhile: Callable[[], object],
        **environment: str,
    ) -> str:
        """Run a command that asks; do something, then say yes; give all it shows."""
        terminal, end_of_fab = os.openpty()
        with os.fdopen(terminal, 'r+b', buffering=0) as screen:
            streams = dict.fromkeys(('stdin', 'stdout', 'stderr'), end_of_fab)
            told = {'TERM': 'xterm', **environment}
            process = self._start([command], None, told, **streams)
            os.close(end_of_fab)
            shown = self.shown_until_asked(screen)
            meanwhile()
            screen.write(b'y\n')
            shown += self.read(screen, process)
            process.wait(timeout=TIMEOUT)
        return plain(shown)

    def shown_until_asked(self, screen: Any) -> bytes:
        shown = b''
        deadline = time.monotonic() + TIMEOUT
        while not shown.endswith(QUESTION):
            left = max(0, deadline - time.monotonic())
            if not select.select([screen], [], [], left)[0]:
                raise AssertionError(f'it asks nothing: {shown.decode()}')
            try:
                part = screen.read(4096)
            except OSError:
                part = b''
            if not part:
                raise AssertionError(f'it asks nothing: {shown.decode()}')
            shown += part
        return shown


class OneTest(AskingTest):
    """One database."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name)

    def do(self, *commands: str) -> Callable[[], object]:
        """Give what types commands in another terminal."""

        def type_them() -> None:
            for each in commands:
                self.assert_ok(self.fab(f'migrations:{each}'))

        return type_them

    def waiting(self, command: str) -> tuple[Any, Path]:
        """Start a command that waits for the lock; give it, and what it says."""
        process, said = self.start_heard(f'migrations:{command}')
        eventually(lambda: 'Waiting for' in said.read_text(), 'to hear that it waits')
        return process, said

    def test_a_rollback_of_the_last_ones(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2'))
        shown = self.asked('migrations:rollback,last=2', self.do('execute'))
        self.assertIn(
            'This was about 002_b.py, 001_a.py, and would now be about 003_c.py,'
            ' 002_b.py; nothing was done.\n',
            shown,
        )
        self.assertEqual(len(self.registered()), 3)

    def test_a_rollback_of_one_that_more_stand_on_by_then(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2'))
        shown = self.asked('migrations:rollback,001', self.do('execute'))
        self.assertIn('and leave 1 applied that ran after it: 002_b.py', shown)
        self.assertIn(
            'This was about 001_a.py (002_b.py ran after it), and would now be about'
            ' 001_a.py (002_b.py, 003_c.py ran after it); nothing was done.\n'
            'If you want that, type: fab migrations:rollback,001\n',
            shown,
        )
        self.assertEqual(len(self.registered()), 3)

    def test_a_rollback_of_one_that_nothing_stood_on_when_it_was_typed(self) -> None:
        """Nobody was asked, and nobody is warned where a person would be asked."""
        self.migration('002_b.py', WAITING)
        self.assert_ok(self.fab('migrations:execute,001'))
        first = self.start('migrations:execute,002')
        eventually(lambda: self.db.ran.find_one(), 'the first one to run')
        shown = self.on_terminal_while(
            'migrations:rollback,001', lambda: self.write('go', '')
        )
        self.assert_ok(self.ended(first))
        self.assertIn(
            'This was about 001_a.py, and would now be about 001_a.py (002_b.py ran'
            ' after it); nothing was done.\n',
            shown,
        )
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def on_terminal_while(self, command: str, meanwhile: Callable[[], object]) -> str:
        """Run a command on a terminal; do something when it waits for a lock."""
        terminal, end_of_fab = os.openpty()
        with os.fdopen(terminal, 'r+b', buffering=0) as screen:
            streams = dict.fromkeys(('stdin', 'stdout', 'stderr'), end_of_fab)
            process = self._start([command], None, {'TERM': 'xterm'}, **streams)
            os.close(end_of_fab)
            shown = b''
            while b'Waiting for' not in shown:
                self.assertTrue(select.select([screen], [], [], TIMEOUT)[0], shown)
                shown += screen.read(4096)
            meanwhile()
            shown += self.read(screen, process)
            process.wait(timeout=TIMEOUT)
        return plain(shown)

    def test_an_ignore_that_asks(self) -> None:
        self.assert_ok(self.fab('migrations:execute,001'))
        shown = self.asked('migrations:ignore', self.do('rollback,001'))
        self.assertIn(
            'This was about 002_b.py, 003_c.py, and would now be about 001_a.py,'
            ' 002_b.py, 003_c.py; nothing was done.\n',
            shown,
        )
        self.assertEqual(self.registered(), [])

    def test_an_ignore_that_nobody_asks_about_and_that_waits(self) -> None:
        """What is rolled back by then would count as applied, and be undone."""
        self.migration('002_b.py', WAITING_DOWN)
        self.assert_ok(self.fab('migrations:execute,to=2'))
        first = self.start('migrations:rollback,002')
        eventually(lambda: self.db.ran.find_one(), 'the rollback to run')
        for command, ending in (('ignore', ''), ('ignore,to=3', ',to=3')):
            (self.folder / 'go').unlink(missing_ok=True)
            with self.subTest(command):
                second, said = self.waiting(command)
                self.write('go', '')
                self.assert_ok(self.ended(first))
                self.assertEqual(second.wait(TIMEOUT), 1, said.read_text())
                self.assertIn(
                    'Another command has run meanwhile. This was about 003_c.py, and'
                    ' would now be about 002_b.py, 003_c.py; nothing was done.\n'
                    f'If you want that, type: fab migrations:ignore{ending}\n',
                    said.read_text(),
                )
                self.assertEqual(self.registered(), ['001_a.py'])
                self.assert_ok(self.fab('migrations:execute,002'))
                self.db.ran.delete_many({})
                (self.folder / 'go').unlink()
                first = self.start('migrations:rollback,002')
                eventually(lambda: self.db.ran.find_one(), 'the rollback to run')
        self.write('go', '')
        self.assert_ok(self.ended(first))

    def test_an_ignore_that_waits_does_what_others_have_left(self) -> None:
        """What they have executed is applied, as it is to be."""
        self.migration('001_a.py', WAITING)
        first = self.start('migrations:execute,001')
        eventually(lambda: self.db.ran.find_one(), 'the first one to run')
        second, said = self.waiting('ignore')
        self.write('go', '')
        self.assert_ok(self.ended(first))
        self.assertEqual(second.wait(TIMEOUT), 0, said.read_text())
        self.assertEqual(len(self.registered()), 3)
        self.assertIn('002_b.py ignored', said.read_text())

    def test_an_ignore_of_a_half_done_down_that_another_one_has_settled(self) -> None:
        """The second one would mean the opposite."""
        self.migration('003_c.py', HALF_DOWN)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.fab('migrations:rollback,003').status, 1)
        with Lock(self.db.migrations_lock, 60).held('execute', 0, nobody):
            first, one = self.waiting('ignore,003')
            second, other = self.waiting('ignore,003')
        statuses = sorted([first.wait(TIMEOUT), second.wait(TIMEOUT)])
        said = one.read_text() + other.read_text()
        self.assertEqual(statuses, [0, 1], said)
        self.assertIn('003_c.py taken as rolled back: it is pending again', said)
        self.assertIn(
            'This was about 003_c.py (to be taken as rolled back), and would now be'
            ' about 003_c.py; nothing was done.\n',
            said,
        )
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def hold(self, owner: str, lasts: float) -> None:
        hold(self.db, owner, lasts)

    def test_unlock_robs_whom_it_has_shown(self) -> None:
        for command, lasts in (('unlock', 300), ('unlock,force=yes', 580)):
            for taken in (300, 580):
                with self.subTest(command, taken=taken):
                    self.hold('a', lasts)
                    shown = self.asked(
                        f'migrations:{command}', partial(self.hold, 'b', taken)
                    )
                    self.assertIn('The lock is held by a@far', shown)
                    self.assertIn('so nothing was done: b@far', shown)
                    self.assertEqual(self.db.migrations_lock.count_documents({}), 1)

    def test_images_of_a_later_run_are_not_forgotten(self) -> None:
        text = """
            transaction = undo = True

            def up(db):
                db.a.update_many({}, {'$set': {'x': 1}})
            """
        self.db.a.insert_one({'_id': 1})
        self.migration('003_c.py', text)
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.asked(
            'migrations:undo,forget=003', self.do('rollback,003', 'execute')
        )
        self.assertIn(
            'Another command has run meanwhile: the images of 003_c.py are not those'
            ' that there were. Nothing was done.\n'
            'See which there are: fab migrations:undo,list\n',
            shown,
        )
        self.assertIn('003_c.py', self.fab('migrations:undo').stdout)
        self.assert_ok(self.fab('migrations:rollback,003'))

    def test_a_dump_that_is_gone_when_it_is_restored(self) -> None:
        self.db.a.insert_one({'_id': 1})
        self.assert_ok(self.fab('migrations:dbdump'))
        [dump] = (self.folder / 'mongodumps').glob('2*')
        self.db.a.insert_one({'_id': 2})

        def remove() -> None:
            for each in dump.rglob('*.bson'):
                each.unlink()

        shown = self.asked(f'migrations:dbrestore,{dump.name}', remove)
        self.assertIn('The database is as it was.', shown)
        self.assertEqual(self.db.a.count_documents({}), 2)

    def test_a_foreign_dump_drops_only_what_it_has_told_of(self) -> None:
        self.db.a.insert_one({'_id': 1})
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:dbdump'))
        [dump] = (self.folder / 'mongodumps').glob('2*')
        foreign = dump.rename(dump.with_name('dump'))
        (foreign / 'migopy.json').unlink()
        command = 'migrations:dbrestore,dump,foreign=yes'
        shown = self.asked(command, lambda: self.db.b.insert_one({'_id': 1}))
        self.assertIn(
            'was not restored: this is not what you were asked about. dump lacks what'
            f' {self.db.name} has, which is dropped: b\n',
            shown,
        )
        self.assertEqual(self.db.b.count_documents({}), 1)
        shown = self.asked(command, lambda: None)
        self.assertIn('which is dropped: b', shown)
        self.assertEqual(self.db.b.count_documents({}), 0)
        self.assertEqual(len(self.registered()), 3)

    def test_a_squash_of_other_files_than_it_has_named(self) -> None:
        def pull() -> None:
            self.migration('003_c_late.py')
            (self.folder / 'mongomigrations' / '002_b.py').unlink()

        shown = self.asked('migrations:squash,to=003_c.py', pull)
        self.assertIn('Move 3 files into archive', shown)
        self.assertIn('; nothing was done.\n', shown)
        self.assertFalse((self.folder / 'mongomigrations' / 'archive').exists())

    def test_a_squash_of_files_that_are_executed_in_part_by_then(self) -> None:
        shown = self.asked('migrations:squash,to=3', self.do('execute,to=2'))
        self.assertIn('Only some of them are applied here; pending: 003_c.py', shown)
        self.assertFalse((self.folder / 'mongomigrations' / 'archive').exists())


class ManyTest(AskingTest, FleetTest):
    """Many databases."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name)

    def asked_short(self, command: str, meanwhile: Callable[[], object]) -> str:
        return self.shortened(self.asked(f'migrations:{command}', meanwhile))

    def do(self, command: str, *letters: str) -> Callable[[], object]:
        """Give what types a command for some of the databases in another terminal."""
        names = ' '.join(map(self.name, letters))
        typed = f'migrations:{command},only={names}'
        return lambda: self.assert_ok(self.fab(typed))

    def test_a_rollback_of_the_last_ones(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2'))
        shown = self.asked_short('rollback,last=1,all=yes', self.do('execute', 'b'))
        self.assertIn('Roll back: 002_b.py in 3 databases\n', shown)
        self.assertIn(
            'b: Another command has run meanwhile. This was about 002_b.py, and would'
            ' now be about 003_c.py; nothing was done.\n'
            'If you want that, type: fab migrations:rollback,last=1,only=b\n',
            shown,
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [1, 3, 1])

    def test_a_rollback_of_a_name(self) -> None:
        """In a database where it was not applied, nobody was asked about it."""
        self.assert_ok(self.fab('migrations:execute,to=2'))
        self.do('execute', 'a', 'b')()
        shown = self.asked_short('rollback,003,all=yes', self.do('execute', 'c'))
        self.assertIn('Roll back: 003_c.py in 2 databases\n', shown)
        self.assertIn(
            'c: Another command has run meanwhile. This was about nothing, and would'
            ' now be about 003_c.py; nothing was done.\n',
            shown,
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [2, 2, 3])

    def test_an_ignore(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2'))
        shown = self.asked_short('ignore', self.do('rollback,002', 'b'))
        self.assertIn('Mark as applied without running: 003_c.py in 3 databases', shown)
        self.assertIn(
            'b: Another command has run meanwhile. This was about 003_c.py, and would'
            ' now be about 002_b.py, 003_c.py; nothing was done.\n'
            'If you want that, type: fab migrations:ignore,only=b\n',
            shown,
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [3, 1, 3])

    def test_what_is_as_it_was_is_done(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2'))
        self.asked_short('ignore', lambda: None)
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [3, 3, 3])

    def hold(self, letter: str, owner: str) -> None:
        hold(self.client[self.name(letter)], owner, 580)

    def test_unlock_robs_whom_it_has_shown(self) -> None:
        self.hold('a', 'a')
        self.hold('b', 'a')

        def deploy() -> None:
            self.hold('b', 'b')
            self.hold('c', 'b')

        shown = self.asked_short('unlock,force=yes,all=yes', deploy)
        self.assertIn('The lock in a is held by a@far', shown)
        self.assertNotIn('The lock in c', shown)
        for letter in 'bc':
            self.assertIn(
                f'{letter}: Another command has taken the lock since unlock was typed,'
                ' so nothing was done: b@far',
                shown,
            )
        owners = [
            [each['owner'][0] for each in self.client[name].migrations_lock.find()]
            for name in map(self.name, 'abc')
        ]
        self.assertEqual(owners, [[], ['b'], ['b']])
        # It would rob those that nobody has been shown.
        self.assertNotIn('To go on, type', shown)

    def lock(self, letter: str) -> None:
        """Have somebody called x hold a database's lock."""
        held = {'_id': 'lock', 'owner': 'x', 'expires': datetime(9000, 1, 1)}
        self.client[self.name(letter)].migrations_lock.insert_one(held)

    def test_an_ignore_that_nobody_asks_about_in_a_locked_one(self) -> None:
        """Whoever has run there, and whether that is known to the history or not."""
        self.assert_ok(self.fab('migrations:execute,to=2'))
        self.lock('a')
        # As `rollback` of another command does, when the last one has its turn.
        self.write(
            'fabfile.py',
            self.filled(
                f"""
                import migopy

                class Migrations(migopy.MigrationsManager):
                    MONGO_URI = '{{uri}}'
                    MONGO_DATABASES = '{{database}}_*'

                    def finished(self, run):
                        pass

                    def unregistered(self):
                        if self.db.name.endswith('_c'):
                            a = self.mongo_client['{self.name('a')}']
                            a.migrations.delete_one({{{{'name': '002_b.py'}}}})
                            a.migrations_lock.delete_one({{{{}}}})
                        return super().unregistered()

                migrations = Migrations.create_task()
                """
            )
            .replace('{{', '{')
            .replace('}}', '}'),
        )
        result = self.fab('migrations:ignore,workers=1')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn(
            'a: Another command has run meanwhile. This was about 003_c.py, and would'
            ' now be about 002_b.py, 003_c.py; nothing was done.\n'
            'If you want that, type: fab migrations:ignore,only=a\n',
            self.shown(result),
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [1, 3, 3])

    def test_one_that_is_new_no_longer_when_all_in_it_would_be_marked(self) -> None:
        """What another command has begun there it may not have ended."""
        new = "NEW_DATABASES = 'ignore'\n    LOCK_WAIT = 60\n    MONGO_URI"
        fabfile = self.filled(self.fabfile).replace('MONGO_URI', new, 1)
        self.write('fabfile.py', fabfile)
        one = self.client[self.name('a')]
        one.command('profile', 2)
        self.lock('a')
        process, said = self.start_heard('migrations:execute,workers=1')
        tried = {'command.findAndModify': 'migrations_lock'}
        eventually(
            lambda: one['system.profile'].count_documents(tried) > 2,
            'its second turn, in which it waits',
        )
        one.migrations.insert_one({'name': '001_a.py'})
        one.migrations_lock.delete_one({})
        self.assertEqual(process.wait(TIMEOUT), 1, said.read_text())
        text = self.shortened(said.read_text())
        self.assertIn(
            "a: It was new, and NEW_DATABASES is 'ignore'; but another command has run"
            ' here meanwhile, so nothing was marked as applied.\n'
            'To run what is pending now, type: fab migrations:execute,only=a\n',
            text,
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [1, 3, 3], text)

    def test_a_second_host_is_not_asked_about_others(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.on_terminal(
            '-H', 'x,y', 'migrations:rollback,last=1,all=yes', typed='y\ny\n'
        )
        names = [*map(self.names_in, 'abc')]
        self.assertEqual([len(each) for each in names], [2, 2, 2], shown)
        self.assertEqual(shown.count('Roll back: 003_c.py in 3 databases'), 1, shown)
        self.assertNotIn('Roll back: 002_b.py', shown)
        self.assertEqual(shown.count('[y/N]'), 1, shown)


class FilesTest(FabTest):
    """Files that change while they are tried."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', WAITING_FOR_FILES)

    def changed_while(self, command: str, path: str, text: str) -> str:
        """Run a command; change a file in the midst of it; give what it says."""
        process = self.start(command)
        eventually((self.folder / 'begun').exists, 'it tries the migration')
        self.write(path, text)
        self.write('go', '')
        result = self.ended(process)
        self.assertEqual(result.status, 1, result.said)
        for name in ('go', 'begun'):
            (self.folder / name).unlink()
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.contents('ran'), [])
        return result.stderr

    def test_a_plan_is_of_what_was_tried(self) -> None:
        other = WAITING_FOR_FILES.replace('old', 'new')
        path = 'mongomigrations/001_a.py'
        said = self.changed_while('migrations:plan', path, other)
        self.assertIn(
            '001_a.py has changed while the dry run went on, so no plan was written.'
            ' Nothing was changed in the database.\n'
            'To plan what is there now, type: fab migrations:plan\n',
            said,
        )
        self.assertFalse((self.folder / 'plan.json').exists())

    def test_nor_of_other_helpers(self) -> None:
        path = 'mongomigrations/_help.py'
        said = self.changed_while('migrations:plan', path, 'X = 1')
        self.assertIn('_help.py has changed while the dry run went on', said)
        self.assertFalse((self.folder / 'plan.json').exists())

    def test_what_preflight_has_looked_at_is_what_runs(self) -> None:
        other = WAITING_FOR_FILES.replace('old', 'new')
        path = 'mongomigrations/001_a.py'
        said = self.changed_while('migrations:execute,preflight=yes', path, other)
        self.assertIn(
            '001_a.py has changed since preflight looked, so nothing was run.\n'
            'To run what is there now, type: fab migrations:execute,preflight=yes\n',
            said,
        )


class LostTest(FabTest):
    """A process that is suspended in the midst of a dump or a restore, and wakes up."""

    fabfile = """
        import os
        import time

        import migopy
        from migopy.dumps import dumps as room
        from migopy.dumps.exchange import Exchange

        def pausing(function):
            def paused(*values, **options):
                if os.environ.get('PAUSES'):
                    open('begun', 'w').close()
                    deadline = time.monotonic() + 60
                    while not os.path.exists('go') and time.monotonic() < deadline:
                        time.sleep(0.02)
                return function(*values, **options)
            return paused

        if os.environ.get('PAUSES') == 'dump':
            room.seal = pausing(room.seal)
        if os.environ.get('PAUSES') == 'stage':
            Exchange._stage_one = pausing(Exchange._stage_one)
        if os.environ.get('PAUSES') == 'switch':
            Exchange._place = pausing(Exchange._place)

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            LOCK_TTL = 2
            LOCK_WAIT = 10
            MONGO_DUMP_KEEP = 1

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        for name in 'abc':
            self.db[name].insert_one({'_id': 1})
        self.migration('001_a.py', 'def up(db): db.a.insert_one({})')

    def suspended(self, command: str, at: str) -> subprocess.Popen[str]:
        """Start a command, and suspend it in the midst until its lock has run out."""
        process = self.start(f'migrations:{command}', PAUSES=at, PATH='/nowhere')
        eventually((self.folder / 'begun').exists, 'it is in the midst')
        process.send_signal(signal.SIGSTOP)
        # Its machine is another one, of whose processes nothing is known here.
        self.db.migrations_lock.update_many({}, {'$set': {'place': 'elsewhere'}})
        return process

    def woken(self, process: subprocess.Popen[str]) -> str:
        self.write('go', '')
        process.send_signal(signal.SIGCONT)
        result = self.ended(process)
        self.assertEqual(result.status, 1, result.said)
        return result.stderr

    def dumps(self) -> list[str]:
        return sorted(path.name for path in (self.folder / 'mongodumps').glob('2*'))

    def test_a_dump_of_several_moments_is_none(self) -> None:
        self.assert_ok(self.fab('migrations:dbdump', PATH='/nowhere'))
        before = self.dumps()
        process = self.suspended('dbdump', 'dump')
        self.assert_ok(self.fab('migrations:execute'))
        said = self.woken(process)
        self.assertIn('its lock was taken away', said)
        self.assertEqual(self.dumps(), before)

    def test_a_restore_leaves_what_another_one_has_done(self) -> None:
        self.assert_ok(self.fab('migrations:dbdump', PATH='/nowhere'))
        [name] = self.dumps()
        for at in ('stage', 'switch'):
            for in_place in ('', ',in_place=yes'):
                with self.subTest(at, in_place=in_place):
                    command = f'dbrestore,{name}{in_place}'
                    process = self.suspended(command, at)
                    self.assert_ok(self.fab(f'migrations:{command}', PATH='/nowhere'))
                    self.db.c.insert_one({'_id': 'since'})
                    self.db.d.insert_one({'_id': 'since'})
                    said = self.woken(process)
                    self.assertIn('This command lost its lock', said)
                    self.assertNotIn('dbrestore', said)
                    self.assertIsNotNone(self.db.c.find_one({'_id': 'since'}))
                    self.assertIsNotNone(self.db.d.find_one())
                    names = self.db.list_collection_names()
                    self.assertFalse([n for n in names if n.startswith('migopy_res')])
                    self.assertNotIn('Unfinished', self.fab('migrations').stdout)
                    for each in ('go', 'begun'):
                        (self.folder / each).unlink()


del AskingTest
