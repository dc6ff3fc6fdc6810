"""What is known of each run, in the database and in `fab migrations:history`."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import socket
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from migopy.state.history import BATCH
from migopy.version import VERSION
from tests.commands import Commands
from tests.project import FabTest, PlainTest

INSERT = """
    def up(db):
        db.notes.insert_many([{}, {}])

    def down(db):
        db.notes.delete_many({})
"""

#: Keeps what the history says of it at this moment.
LOOKING = """
    def up(db):
        db.seen.insert_one(db.migrations_history.find_one({'name': '001_a.py'}))

    def down(db):
        query = {'name': '001_a.py', 'direction': 'down'}
        db.seen.insert_one(db.migrations_history.find_one(query))
"""

FAILING = """
    def up(db):
        raise ValueError('odd content')

    def down(db):
        db.notes.insert_one({})
        raise KeyError('odder')
"""


class DocumentTest(PlainTest):
    """A document a run, written before it starts and completed when it ends."""

    def run_of(self, direction: str = 'up') -> dict[str, Any]:
        run = self.db.migrations_history.find_one({'direction': direction})
        assert run is not None
        return run

    def test_of_an_executed_migration(self) -> None:
        path = self.migration('001_a.py', INSERT)
        before = self.db.command('hello')['localTime']
        self.manager().execute()
        after = self.db.command('hello')['localTime']
        run = self.run_of()
        [record] = self.db.migrations.find()
        self.assertEqual(run.pop('_id'), record['_id'])
        self.assertIsInstance(record['_id'], ObjectId)
        started, ended = run.pop('started'), run.pop('ended')
        moment = timedelta(milliseconds=50)
        self.assertLessEqual(before - moment, started)
        self.assertLessEqual(started, ended)
        self.assertLessEqual(ended, after + moment)
        self.assertEqual(record['executed_at'], ended)
        self.assertEqual(run.pop('duration_ms'), record['duration_ms'])
        self.assertEqual(len(run.pop('owner')), 32)
        [notes] = run.pop('effects')['collections']
        self.assertEqual(notes['name'], f'{self.db.name}.notes')
        self.assertEqual(notes['inserted'], 2)
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        self.assertEqual(
            run,
            {
                'name': '001_a.py',
                'direction': 'up',
                'outcome': 'executed',
                'user': getpass.getuser(),
                'host': socket.gethostname(),
                'pid': os.getpid(),
                'checksum': f'sha256:{checksum}',
                'error': None,
                'version': VERSION,
                'unsettled': False,
                'records': [],
            },
        )

    def test_is_there_before_the_run_starts(self) -> None:
        self.migration('001_a.py', LOOKING)
        self.manager().execute()
        self.manager().rollback('001_a.py')
        for seen in self.db.seen.find():
            self.assertIsNone(seen['ended'])
            self.assertIsNone(seen['outcome'])
            self.assertTrue(seen['unsettled'])
            self.assertEqual(seen['pid'], os.getpid())
        self.assertEqual(self.db.seen.count_documents({}), 2)

    def test_of_a_migration_that_was_rolled_back(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager().execute()
        [record] = self.db.migrations.find()
        self.manager().rollback('001_a.py')
        run = self.run_of('down')
        self.assertEqual(run['outcome'], 'rolled back')
        self.assertEqual(run['records'], [record['_id']])
        self.assertFalse(run['unsettled'])
        self.assertIsNotNone(run['ended'])

    def test_of_a_down_that_did_not_end_well_says_that_it_was_one(self) -> None:
        self.migration('001_a.py', INSERT + "        raise ValueError('odd')\n")
        self.manager().execute()
        with self.assertRaises(ValueError):
            self.manager().rollback('1')
        self.manager().history()
        self.assertIn('failed, unfinished (down)', self.logger.said[-1][1])
        self.manager().ignore('1')
        self.manager().history()
        self.assertIn('ignored (down)', self.logger.said[-1][1])

    def test_of_an_ignored_one(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager().ignore()
        run = self.run_of()
        self.assertEqual((run['outcome'], run['duration_ms']), ('ignored', 0))
        self.assertFalse(run['unsettled'])
        self.assertEqual(run['_id'], self.db.migrations.find_one()['_id'])

    def test_of_one_that_failed(self) -> None:
        self.migration('001_a.py', FAILING)
        with self.assertRaises(ValueError):
            self.manager().execute()
        run = self.run_of()
        self.assertEqual(run['outcome'], 'failed')
        self.assertEqual(run['error'], 'ValueError: odd content')
        self.assertIsNotNone(run['ended'])
        self.assertIsInstance(run['duration_ms'], int)
        self.assertFalse(run['unsettled'])
        with self.assertRaises(KeyError):
            self.manager().rollback('001_a.py', force='yes')
        run = self.run_of('down')
        self.assertEqual(run['error'], "KeyError: 'odder'")
        self.assertTrue(run['unsettled'])

    def test_each_run_has_its_own(self) -> None:
        self.migration('001_a.py', INSERT)
        for _ in range(2):
            self.manager().execute()
            self.manager().rollback('001_a.py')
        self.assertEqual(
            [run['outcome'] for run in self.db.migrations_history.find()],
            ['executed', 'rolled back', 'executed', 'rolled back'],
        )

    def test_all_ends_of_a_run_of_many_are_written(self) -> None:
        for number in range(1, 5):
            self.migration(f'{number}_a.py', INSERT)
        self.migration('5_b.py', FAILING)
        with self.assertRaises(ValueError):
            self.manager().execute()
        self.assertEqual(
            [run['outcome'] for run in self.db.migrations_history.find()],
            ['executed'] * 4 + ['failed'],
        )

    def test_its_collection_is_named_after_the_registry_s(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager(MIGRATIONS_COLLECTION='steps').execute()
        self.assertEqual(
            sorted(self.db.list_collection_names()),
            ['notes', 'steps', 'steps_history', 'steps_lock'],
        )

    def test_unfinished_runs_are_found_by_an_index(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager().execute()
        plan = self.db.migrations_history.find({'unsettled': True}).explain()
        self.assertIn('IXSCAN', repr(plan['queryPlanner']['winningPlan']))


class RequestsTest(PlainTest):
    """What a migration costs beyond its own requests."""

    def requests(self, count: int, command: str, **attributes: Any) -> int:
        """Count those of a command for so many more empty migrations."""
        files = len(list((self.folder / 'mongomigrations').glob('*_a.py')))
        for number in range(files, files + count):
            self.migration(f'{number}_a.py')
        commands = Commands()
        manager = self.manager(
            MONGO_CLIENT_OPTIONS={'event_listeners': [commands]}, **attributes
        )
        getattr(manager, command)()
        return len(commands.sent)

    def test_executed_is_no_more_than_one(self) -> None:
        self.requests(1, 'execute')  # makes the indexes
        ten, thirty = self.requests(10, 'execute'), self.requests(30, 'execute')
        self.assertEqual(thirty - ten, 20)

    def test_ignored_is_none(self) -> None:
        self.requests(1, 'ignore')  # makes the indexes
        ten, thirty = self.requests(10, 'ignore'), self.requests(30, 'ignore')
        self.assertEqual(thirty, ten)

    def test_all_else_is_a_few(self) -> None:
        first, later = self.requests(1, 'execute'), self.requests(1, 'execute')
        self.assertLessEqual(first, 2 + 9)
        # Both collections have their indexes and are such as migopy makes them, the
        # registry is there, so none of another name is looked for, and the user has
        # been able to write.
        self.assertEqual(later, first - 5)

    def test_what_only_an_open_run_needs_is_not_sent_for_the_table(self) -> None:
        self.requests(1, 'execute')
        commands = Commands()
        options = {'event_listeners': [commands]}
        self.manager(MONGO_CLIENT_OPTIONS=options).history()
        of_runs = [
            event.command['pipeline']
            for event in commands.sent
            if event.command.get('aggregate') == 'migrations_history'
        ]
        (run,) = self.db.migrations_history.aggregate(of_runs[-1])
        whole = self.db.migrations_history.find_one({})
        assert whole is not None
        gone = {'checksum', 'owner', 'version', 'records'}
        self.assertEqual(whole.keys() - run.keys(), gone)


class TableTest(FabTest):
    """`fab migrations:history`."""

    def test_shows_the_runs_newest_last(self) -> None:
        self.migration('001_a.py', INSERT)
        self.migration('002_b.py', INSERT)
        self.migration('003_c.py', FAILING)
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.assert_ok(self.fab('migrations:rollback,002_b.py'))
        self.assert_ok(self.fab('migrations:ignore,3'))
        shown = self.assert_ok(self.fab('migrations:history', COLUMNS='120')).results
        by = f'{getpass.getuser()}@{socket.gethostname()}'
        titles, _line, *lines = shown.splitlines()
        self.assertRegex(titles, 'Started .UTC. +Migration +Outcome +Took +By')
        expected = [
            ['001_a.py', 'executed', ' ms', by],
            ['002_b.py', 'executed', ' ms', by],
            ['003_c.py', 'failed', ' ms', by],
            ['ValueError: odd content'],
            ['002_b.py', 'rolled back', ' ms', by],
            ['003_c.py', 'ignored', '0 ms', by],
        ]
        self.assertEqual(len(lines), len(expected), shown)
        for line, cells in zip(lines, expected):
            for cell in cells:
                self.assertIn(cell, line)
        self.assertRegex(lines[0], r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ')

    def test_shows_so_many_or_those_of_one(self) -> None:
        started = datetime(2014, 1, 14)
        runs = [
            {
                'name': f'00{number % 3}_a.py',
                'direction': 'up',
                'started': started + timedelta(days=number),
                'outcome': 'executed',
                'user': 'ann',
                'host': 'web1',
            }
            for number in range(30)
        ]
        self.db.migrations_history.insert_many(reversed(runs))
        for number in range(3):
            self.migration(f'00{number}_a.py')
        commands = ['history', 'history,20', 'history,001_a.py', 'history,001']
        every, twenty, one, short = [
            self.assert_ok(result).stdout
            for result in self.fabs(*(f'migrations:{each}' for each in commands))
        ]
        self.assertEqual(every.count('ann@web1'), 30)
        self.assertEqual(twenty.count('ann@web1'), 20)
        self.assertNotIn('2014-01-23', twenty)
        self.assertIn('2014-01-24', twenty)
        self.assertLess(twenty.index('2014-01-24'), twenty.index('2014-02-12'))
        self.assertEqual(one.count('ann@web1'), 10)
        self.assertEqual((one.count('001_a.py'), one.count('002_a.py')), (10, 0))
        self.assertEqual(short, one)

    def test_of_more_than_come_with_one_reply(self) -> None:
        started = datetime(2014, 1, 14)
        names = [f'{number:04}_a.py' for number in range(BATCH + 2)]
        self.db.migrations_history.insert_many(
            {'name': name, 'direction': 'up', 'started': started + timedelta(number)}
            for number, name in enumerate(names)
        )
        shown = self.assert_ok(self.fab('migrations:history')).stdout
        self.assertEqual(re.findall(r'\d+_a\.py', shown), names)

    def test_of_more_than_the_server_sorts_in_memory(self) -> None:
        """Up to 5.0 it refuses that, if nobody says that it may use its disk."""
        started = datetime(2014, 1, 14)
        self.db.migrations_history.insert_many(
            {'name': f'{number:03}_a.py', 'direction': 'up', 'started': started}
            for number in range(300)
        )
        self.set_on_server('internalQueryMaxBlockingSortMemoryUsageBytes', 9_000)
        if self.client.server_info()['versionArray'][0] >= 6:
            self.set_on_server('allowDiskUseByDefault', False)
        for command, count in (('', 300), (',200', 200)):
            shown = self.assert_ok(self.fab(f'migrations:history{command}')).stdout
            self.assertEqual(len(re.findall(r'\d+_a\.py', shown)), count)

    def set_on_server(self, name: str, value: object) -> None:
        """Set a parameter of the server's until the test ends."""
        was = self.client.admin.command({'setParameter': 1, name: value})['was']
        self.addCleanup(self.client.admin.command, {'setParameter': 1, name: was})

    def test_reads_the_registry_only_for_what_is_unsettled(self) -> None:
        """Ten thousand files and records are nothing that the history is made of."""
        self.migration('001_a.py')
        self.assert_ok(self.fab('migrations:execute'))
        shutil.rmtree(self.folder / 'mongomigrations')
        self.db.command('profile', 2)
        shown = self.assert_ok(self.fab('migrations:history')).results
        self.db.command('profile', 0)
        self.assertIn('001_a.py', shown)
        sent = [each['command'] for each in self.db['system.profile'].find()]
        self.assertIn("'aggregate': 'migrations_history'", str(sent))
        self.assertNotIn("'migrations'", str(sent))

    def test_of_nothing(self) -> None:
        result = self.assert_ok(self.fab('migrations:history'))
        self.assertEqual(
            result.results,
            'The history has no runs (1.0 kept none). See what is applied:'
            ' fab migrations:list\n',
        )
        self.assertEqual(result.stderr, '')

    def test_of_an_unknown_migration(self) -> None:
        self.migration('001_a.py')
        message = self.error('migrations:history,001_b.py')
        self.assertIn("There is no migration '001_b.py'", message)

    def test_a_command_costs_one_request_a_migration(self) -> None:
        """By the server's own account of them."""
        counts = []
        for count in (1, 5, 15):
            for number in range(count):
                self.migration(f'{count}{number:02}_a.py')
            self.db.command('profile', 2)
            self.assert_ok(self.fab('migrations:execute'))
            self.db.command('profile', 0)
            counts.append(self.db['system.profile'].count_documents({'op': 'command'}))
            self.db['system.profile'].drop()
        self.assertEqual(counts[2] - counts[1], 10, counts)


class NameTest(PlainTest):
    """`history` of one migration, by its name."""

    def test_a_missing_migration_s_runs_are_shown_by_its_name(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager().execute()
        (self.folder / 'mongomigrations/001_a.py').unlink()
        self.manager().history('001_a.py')
        self.assertIn('executed', self.logger.of('white')[-1])

    def test_so_are_those_of_one_that_is_not_even_registered(self) -> None:
        self.migration('001_a.py', INSERT)
        self.manager().execute()
        self.manager().rollback('001_a.py')
        (self.folder / 'mongomigrations/001_a.py').unlink()
        self.manager().history('001_a.py')
        self.assertIn('rolled back', self.logger.of('white')[-1])
