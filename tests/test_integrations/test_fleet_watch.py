"""`watch` of many databases: what runs in any of them."""

from __future__ import annotations

import re
import signal
import textwrap
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests import schema
from tests.faults import eventually, failing, obliging_server
from tests.fleets import FleetTest
from tests.project import FabTest, Result
from tests.server import set_with_auth, with_auth

DOCUMENTS = 1000

#: What a server answers to an option that it does not know.
UNKNOWN_FIELD = 40415

#: Runs on where there are notes, until a file with the database's last letter is there;
#: fails where one of them is called `bad`.
UP = """
    import os
    import time
    import migopy

    def up(db):
        def change(note):
            if not os.path.exists(f'go_{db.name[-1]}'):
                time.sleep(0.04)
            return {'$inc': {'calls': 1}}

        migopy.update_each(db.notes, change, batch_size=10)
        if db.settings.find_one({'bad': True}):
            raise ValueError('no good')
"""

#: Takes longer than a look, and no thread beside it.
SLOW = """
    import time

    def up(db):
        time.sleep(1.5)
"""


class WatchTest(FleetTest):
    """What is shown while a deploy is at work in some of the databases."""

    letters = 'abcd'

    def begin(self, *letters: str) -> tuple[Any, Path]:
        """Start `execute` in some databases; wait until it tells of each of them."""
        self.migration('1_a.py', UP)
        for letter in letters:
            notes = self.client[self.name(letter)].notes
            notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
        only = ' '.join(map(self.name, letters))
        process, said = self.start_heard(f'migrations:execute,only={only}')
        for letter in letters:
            locks = self.client[self.name(letter)].migrations_lock
            has_told = partial(locks.find_one, {'doing.effects': {'$gt': ''}})
            eventually(has_told, letter)
        return process, said

    def go(self, *letters: str) -> None:
        for letter in letters:
            self.write(f'go_{letter}', '')

    def go_when_watched(self) -> None:
        """Let what runs go on to its end a moment after a second client came."""
        look = [
            {'$currentOp': {'idleConnections': True}},
            {'$match': {'appName': {'$regex': f'^migopy {self.folder.name} '}}},
            {'$group': {'_id': '$appName'}},
        ]
        eventually(lambda: len(list(self.client.admin.aggregate(look))) > 1, 'watch')
        time.sleep(3)
        self.go('a', 'c')

    def watched(self, *more: str) -> Any:
        watching = self.start(','.join(['migrations:watch', *more]))
        assert watching.stdout is not None
        return watching

    def lines(self, watching: Any, number: int) -> list[str]:
        """Read the first lines that a `watch` shows."""
        read = [watching.stdout.readline() for _ in range(number)]
        return [self.shortened(line.rstrip('\n')) for line in read]

    def rest(self, watching: Any) -> list[str]:
        result: Result = self.ended(watching)
        return self.shortened(self.assert_ok(result).results).splitlines()

    def test_nothing_runs(self) -> None:
        shown = self.assert_ok(self.fab('migrations:watch')).results
        said = 'No migration command is running in any of 4 databases\n'
        self.assertEqual(shown, said)
        some = f'migrations:watch,except={self.name("a")}'
        self.assertIn('in any of 3 databases\n', self.fab(some).results)
        one = self.fab(f'migrations:watch,only={self.name("a")}').results
        self.assertEqual(one, 'No migration command is running\n')

    def test_in_a_log_it_is_a_line_for_each_that_runs(self) -> None:
        self.spoil('c')
        process, said = self.begin('a', 'c')
        watching = self.watched()
        a, c, idle = self.lines(watching, 3)
        for letter, line in (('a', a), ('c', c)):
            self.assertRegex(
                line, rf'^{letter}: 1_a\.py \(up\) running for .*, by \S+@'
            )
            self.assertRegex(line, r'; notes: [0-9,]+ of 1,000 \([0-9]+%\)')
            self.assertRegex(line, r'; so far: notes [0-9,]+ updated')
        self.assertEqual(idle, 'idle: 2 of 4 databases')
        # What waits since is told at once, of no other one anything.
        paused = self.assert_ok(self.fab(f'migrations:pause,only={self.name("a")}'))
        self.assertIn('Paused 1_a.py', paused.results)
        [waits] = self.lines(watching, 1)
        self.assertRegex(waits, r'^a: 1_a\.py .*; paused by ')
        self.assert_ok(self.fab(f'migrations:resume,only={self.name("a")}'))
        self.go('a', 'c')
        self.assertEqual(process.wait(60), 1, said.read_text())
        *_, over, failed, well = self.rest(watching)
        self.assertEqual(over, 'Ended: nothing runs any more')
        self.assertRegex(failed, r'^  c: 1_a\.py failed in .*: ValueError: no good$')
        self.assertRegex(well, r'^  a: 1_a\.py executed in ')

    def test_only_those_that_were_chosen_are_looked_at(self) -> None:
        process, said = self.begin('a', 'c')
        watching = self.watched(f'except={self.name("a")}')
        c, idle = self.lines(watching, 2)
        self.assertRegex(c, r'^c: 1_a\.py ')
        self.assertEqual(idle, 'idle: 2 of 3 databases')
        # The other one goes on, and is not waited for.
        self.go('c')
        shown = '\n'.join(self.rest(watching))
        self.assertRegex(shown, r'\n  c: 1_a\.py executed in ')
        self.assertNotIn('a: 1_a', shown)
        self.assertIsNone(process.poll())
        self.go('a')
        self.assertEqual(process.wait(60), 0, said.read_text())

    def test_in_json(self) -> None:
        process, said = self.begin('a', 'c')
        watching = self.watched('json=yes')
        first = [schema.check(line) for line in self.lines(watching, 3)]
        self.assertEqual(
            [each['event'] for each in first], ['watched', 'watched', 'looked']
        )
        self.assertEqual([each['database'] for each in first[:2]], ['a', 'c'])
        for each in first[:2]:
            self.assertEqual(each['doing']['loop']['total'], DOCUMENTS)
            self.assertEqual(each['holder']['command'], 'execute')
        self.assertEqual((first[2]['databases'], first[2]['running']), (4, 2))
        self.go('a', 'c')
        self.assertEqual(process.wait(60), 0, said.read_text())
        last = schema.check(self.rest(watching)[-1])
        # In the order in which they were seen to end.
        ended = {each['database']: each['run']['outcome'] for each in last['databases']}
        self.assertEqual(ended, {'a': 'executed', 'c': 'executed'})
        self.assertEqual(len(last['databases']), 2)

    def test_ctrl_c_ends_the_watching_alone(self) -> None:
        process, said = self.begin('a', 'c')
        pattern = f'{self.db.name}_[ac]'
        goes_on = (
            'What runs goes on. To end it after its batch:'
            " fab 'migrations:stop,only=[ac]'"
        )
        watching = self.watched(f'only={pattern}')
        self.lines(watching, 3)
        watching.send_signal(signal.SIGINT)
        self.assertEqual(self.rest(watching)[-1], goes_on)
        one = f'only={self.name("a")}'
        self.assert_ok(self.fab(f'migrations:pause,{one}'))
        watching = self.watched(f'only={pattern}')
        self.lines(watching, 3)
        watching.send_signal(signal.SIGINT)
        self.assertEqual(
            self.rest(watching)[-2:],
            [
                'What is paused stays so. To let it go on:'
                " fab 'migrations:resume,only=[ac]'",
                goes_on,
            ],
        )
        self.assert_ok(self.fab(f'migrations:resume,{one}'))
        self.go('a', 'c')
        self.assertEqual(process.wait(60), 0, said.read_text())

    def test_on_a_terminal_it_is_in_one_place(self) -> None:
        process, said = self.begin('a', 'c')
        ending = threading.Thread(target=self.go_when_watched)
        ending.start()
        shown = self.shortened(self.on_terminal('migrations:watch'))
        ending.join()
        self.assertEqual(process.wait(60), 0, said.read_text())
        self.assertRegex(shown, r'a: 1_a\.py \(up\) running for ')
        self.assertIn('idle: 2 of 4 databases', shown)
        self.assertIn('\033[1A', shown)  # up a line, to write it anew
        self.assertRegex(shown, r'  c: 1_a\.py executed in ')

    def test_between_two_databases_it_has_not_ended(self) -> None:
        """A deploy of one at a time holds no lock there."""
        self.migration('1_a.py', SLOW)
        process, said = self.start_heard('migrations:execute,workers=1')
        locks = [self.client[self.name(letter)].migrations_lock for letter in 'abcd']
        eventually(lambda: any(each.find_one() for each in locks), 'its begin')
        shown = '\n'.join(self.rest(self.watched()))
        self.assertEqual(process.wait(60), 0, said.read_text())
        ended = re.findall(r'^  ([a-d]): 1_a\.py executed in ', shown, re.M)
        # The first ones may have ended before there was anybody to watch.
        self.assertGreater(len(ended), 1)
        self.assertEqual(ended, list('abcd')[-len(ended) :])


class OddTest(FleetTest):
    """Locks that others have left, names, and rights."""

    def test_a_lock_that_nobody_holds_any_more(self) -> None:
        past = {'_id': 'lock', 'owner': 'x', 'expires': datetime(2001, 1, 1)}
        self.client[self.name('a')].migrations_lock.insert_one(past)
        odd = {'_id': 'lock', 'owner': 7, 'expires': datetime(9000, 1, 1), 'doing': [1]}
        self.client[self.name('b')].migrations_lock.insert_one(odd)
        watching = self.start('migrations:watch')
        assert watching.stdout is not None
        line = self.shortened(watching.stdout.readline())
        self.assertRegex(line, r'^b: .*: no migration has begun or told of itself yet')
        self.client[self.name('b')].migrations_lock.delete_many({})
        shown = self.assert_ok(self.ended(watching)).results
        self.assertEqual(shown.splitlines()[-1], 'Ended: nothing runs any more')

    def test_what_is_looked_at_is_the_lock_alone(self) -> None:
        """One read of each database at each look, and no write."""
        names = [self.name(letter) for letter in 'abc']
        for name in names:
            self.client[name].command('profile', 2)
        self.assert_ok(self.fab('migrations:watch'))
        for name in names:
            self.client[name].command('profile', 0)
            found = [
                (each['op'], each['ns'])
                for each in self.client[name]['system.profile'].find()
                if 'profile' not in each.get('command', {})
            ]
            self.assertEqual(found, [('command', f'{name}.migrations_lock')] * 3)

    def test_one_that_may_not_be_read_is_told_of(self) -> None:
        with (
            with_auth() as server,
            MongoClient(server.uri, username='root', password='root') as root,
        ):
            rights: Sequence[Any] = [{'role': 'readWrite', 'db': 'tenant_a'}]
            root.admin.command('createUser', 'eve', pwd='secret', roles=rights)
            self.write(
                'fabfile.py',
                textwrap.dedent(f"""
                    import migopy

                    class Migrations(migopy.MigrationsManager):
                        MONGO_URI = 'mongodb://eve:secret@127.0.0.1:{server.port}'
                        MONGO_DATABASES = ['tenant_a', 'tenant_b']

                    migrations = Migrations.create_task()
                """),
            )
            result = self.fab('migrations:watch')
            self.assertEqual(result.status, 1)
            self.assertIn('tenant_b: ', result.stderr)
            self.assertIn('1 of 2 databases failed: tenant_b\n', result.stderr)
            self.assertIn('To look again, type: fab migrations:watch', result.stderr)
            said = 'No migration command is running\n'
            self.assertEqual(result.results, said)
            self.assertNotIn('secret', result.stderr)


class UnseenTest(FabTest):
    """A pattern is compared with what the user may see, which is said."""

    def test_it_is_told(self) -> None:
        with (
            set_with_auth() as server,
            MongoClient(server.uri, username='root', password='root') as root,
        ):
            uri = f'mongodb://eve:secret@127.0.0.1:{server.port}'
            fabfile = f"""
                import migopy

                class Migrations(migopy.MigrationsManager):
                    MONGO_URI = '{uri}/?authSource=admin'
                    MONGO_DATABASES = 'tenant_*'

                migrations = Migrations.create_task()
            """
            self.write('fabfile.py', textwrap.dedent(fabfile))
            self.migration('001_a.py', 'def up(db): db.notes.insert_one({})\n')
            for name in ('tenant_a', 'tenant_b'):
                root[name].notes.insert_one({})
            root.admin.command('createUser', 'eve', pwd='secret', roles=[])
            result = self.fab('migrations')
            self.assertEqual(result.status, 1)
            self.assertIn('that the user may see (a role that allows', result.stderr)
            rights: list[Any] = [{'role': 'dbOwner', 'db': 'tenant_a'}]
            root.admin.command('updateUser', 'eve', roles=rights)
            for command in ('migrations', 'migrations:execute', 'migrations:check'):
                with self.subTest(command):
                    result = self.assert_ok(self.fab(command))
                    self.assertIn('1 database on', result.stderr)
                    self.assertIn('has no right are left out (a role', result.stderr)
            result = self.assert_ok(self.fab('migrations:history,only=tenant_a'))
            self.assertNotIn('left out', result.said)
            monitor = {'role': 'clusterMonitor', 'db': 'admin'}
            rights = [*rights, monitor, {'role': 'dbOwner', 'db': 'tenant_b'}]
            root.admin.command('updateUser', 'eve', roles=rights)
            result = self.assert_ok(self.fab('migrations'))
            self.assertIn('2 databases on', result.stderr)
            self.assertNotIn('left out', result.said)


class ListedTest(FabTest):
    """The list of databases is asked for once more where that helps."""

    def test_it(self) -> None:
        fabfile = """
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_URI = '{uri}'
                MONGO_DATABASES = 'tenant_*'

            migrations = Migrations.create_task()
        """
        for title, how in (
            ('a connection that breaks', {'closeConnection': True}),
            ('an option that the server does not know', {'errorCode': UNKNOWN_FIELD}),
        ):
            with (
                self.subTest(title),
                obliging_server() as server,
                MongoClient(server.uri) as client,
            ):
                client.tenant_a.notes.insert_one({})
                text = textwrap.dedent(fabfile).format(uri=server.uri)
                self.write('fabfile.py', text)
                with failing(client, 'listDatabases', **how):
                    result = self.assert_ok(self.fab('migrations'))
                self.assertIn('1 database on', result.stderr)
                self.assertNotIn('left out', result.said)
