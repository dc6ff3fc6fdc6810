"""What a command has running on the server ends with it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import uuid
from typing import Any
from unittest import mock

from bson.binary import Binary
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    NetworkTimeout,
    OperationFailure,
    WaitQueueTimeoutError,
)

from migopy.run import left_running
from migopy.server import (
    Process,
    end_remains,
    end_sessions,
    how_to_end,
    named_client,
)
from migopy.server.client import app_name_of
from migopy.server.settings import Settings
from tests.faults import eventually, failing, obliging_server
from tests.project import FabTest, PlainTest
from tests.server import DatabaseTest

#: Takes twenty seconds, on the server alone.
SLOW = """
    {before}

    def up(db):
        db.notes.update_many({{'$where': 'sleep(50) || true'}}, {{'$set': {{'x': 1}}}})
"""

#: Loses its connection before it has written.
AWAY = """
    from pymongo.errors import AutoReconnect

    {top}

    def up(db):
        raise AutoReconnect('connection closed')
"""

DOCUMENTS = 400


class Running(DatabaseTest):
    """A test with documents, which knows what the server does with them."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])

    def is_running(self) -> bool:
        mine: dict[str, Any] = {'ns': self.db.notes.full_name, 'op': 'update'}
        now = self.client.admin.aggregate([{'$currentOp': {}}, {'$match': mine}])
        return bool(list(now))


def most_at_once(
    client: Any, namespace: str, most: list[int], over: threading.Event
) -> None:
    """Look again and again how many updates run, and keep the largest number."""
    mine: dict[str, Any] = {
        'ns': namespace,
        '$or': [{'op': 'update'}, {'command.update': {'$exists': True}}],
    }
    look = [{'$currentOp': {}}, {'$match': mine}]
    while not over.wait(0.01):
        most[0] = max(most[0], len(list(client.admin.aggregate(look))))


class InterruptedTest(Running, FabTest):
    """Ctrl-C and SIGTERM end a write that would go on without its client."""

    def test_nothing_goes_on_when_the_lock_is_free(self) -> None:
        for how in (signal.SIGINT, signal.SIGTERM):
            for transaction in ('', 'transaction = True'):
                with self.subTest(how=how.name, transaction=transaction):
                    self.migration('1_a.py', SLOW.format(before=transaction))
                    process = self.start('migrations:execute,1')
                    eventually(self.is_running, 'the write')
                    process.send_signal(how)
                    eventually(lambda: not self.holder(), 'a free lock')
                    self.assertFalse(self.is_running())
                    result = self.ended(process)
                    self.assertEqual(result.status, 128 + how, result.said)
                    self.assertNotIn('may still run', result.said)
                    updated = self.db.notes.count_documents({'x': 1})
                    self.assertLess(updated, DOCUMENTS)
                    if transaction:
                        self.assertEqual(updated, 0)
                    self.db.notes.update_many({}, {'$unset': {'x': 1}})
                    self.db.migrations_history.delete_many({})

    def test_in_a_dry_run_too(self) -> None:
        self.migration('1_a.py', SLOW.format(before=''))
        process = self.start('migrations:execute,1,dry_run=yes')
        eventually(self.is_running, 'the write')
        process.send_signal(signal.SIGINT)
        self.ended(process)
        self.assertFalse(self.is_running())
        self.assertEqual(self.db.notes.count_documents({'x': 1}), 0)

    def test_the_server_is_told_whose_it_is(self) -> None:
        self.migration('1_a.py', SLOW.format(before=''))
        process = self.start('migrations:execute,1')
        eventually(self.is_running, 'the write')
        mine: dict[str, Any] = {'ns': self.db.notes.full_name, 'op': 'update'}
        look = [{'$currentOp': {}}, {'$match': mine}]
        [running] = self.client.admin.aggregate(look)
        process.send_signal(signal.SIGINT)
        self.ended(process)
        where = f'{self.folder.name} on {socket.gethostname()}'
        expected = f'migopy {where}, process {process.pid}'
        self.assertEqual(running['appName'], expected[:128])

    def holder(self) -> object:
        return self.db.migrations_lock.find_one()


class TimedOutTest(Running, PlainTest):
    """A client that does not wait any more."""

    def execute(self) -> None:
        self.migration('1_a.py', SLOW.format(before=''))
        options = {'socketTimeoutMS': 500, 'retryWrites': False}
        with self.assertRaises(NetworkTimeout):
            self.manager(MONGO_CLIENT_OPTIONS=options).execute('1')

    def test_its_write_ends_as_well(self) -> None:
        self.execute()
        self.assertFalse(self.is_running())
        self.assertLess(self.db.notes.count_documents({'x': 1}), DOCUMENTS)

    def test_the_setting_is_named_as_it_would_end_so_each_time(self) -> None:
        self.execute()
        [said] = [each for each in self.logger.of('red') if 'failed in its up' in each]
        self.assertIn('waits 0.5 s for an answer at most, by socketTimeoutMS', said)

    def test_so_is_the_one_for_all_that_a_call_takes(self) -> None:
        with obliging_server() as server, MongoClient(server.uri) as client:
            self.migration('1_a.py', 'def up(db):\n    db.notes.insert_one({})\n')
            options = {'timeoutMS': 2000}
            notes = f'{self.db.name}.notes'
            how: dict[str, Any] = {'blockConnection': True, 'blockTimeMS': 6000}
            manager = self.manager(MONGO_URI=server.uri, MONGO_CLIENT_OPTIONS=options)
            failing_insert = failing(client, 'insert', namespace=notes, **how)
            with failing_insert, self.assertRaises(NetworkTimeout):
                manager.execute('1')
        [said] = [each for each in self.logger.of('red') if 'failed in its up' in each]
        self.assertIn('waits 2 s for an answer at most, by timeoutMS in', said)
        self.assertIn(', or by pymongo.timeout.', said)

    def test_a_wait_for_a_free_connection_names_what_it_takes(self) -> None:
        self.migration(
            '1_a.py',
            'import threading\n\n\n'
            'def up(db):\n'
            '    late = {"$where": "sleep(3000) || true"}\n'
            '    db.notes.insert_one({})\n'
            '    other = threading.Thread(target=db.notes.find_one, args=[late])\n'
            '    other.start()\n'
            '    try:\n'
            '        while True:\n'
            '            db.notes.find_one({})\n'
            '    finally:\n'
            '        other.join()\n',
        )
        options = {'maxPoolSize': 1, 'waitQueueTimeoutMS': 50}
        with self.assertRaises(WaitQueueTimeoutError):
            self.manager(MONGO_CLIENT_OPTIONS=options).execute('1')
        [said] = [each for each in self.logger.of('red') if 'failed in its up' in each]
        self.assertIn('Have a larger maxPoolSize, or a longer waitQueueTimeoutMS', said)

    def test_a_file_that_is_not_at_fault_is_not_to_be_corrected(self) -> None:
        for top in ('transaction = False', 'transaction = True'):
            with self.subTest(top):
                self.migration('1_a.py', AWAY.format(top=top))
                with self.assertRaises(AutoReconnect):
                    self.manager().execute('1')
                said = self.logger.of('red')[-1]
                self.assertIn('. To go on, type: ', said)
                self.assertNotIn('orrect', said)

    def test_there_are_never_two_of_them_at_once(self) -> None:
        with obliging_server() as server, MongoClient(server.uri) as client:
            notes = client[self.db.name].notes
            notes.insert_many([{'_id': n} for n in range(DOCUMENTS)])
            self.migration('1_a.py', SLOW.format(before=''))
            most: list[int] = [0]
            over = threading.Event()
            looking = threading.Thread(
                target=most_at_once, args=(client, notes.full_name, most, over)
            )
            looking.start()
            how: dict[str, Any] = {'blockConnection': True, 'blockTimeMS': 3000}
            options = {'socketTimeoutMS': 500}
            try:
                # The first one waits before it begins, the others are slow.
                with failing(client, 'update', namespace=notes.full_name, **how):
                    for _ in range(3):
                        manager = self.manager(
                            MONGO_URI=server.uri, MONGO_CLIENT_OPTIONS=options
                        )
                        with self.assertRaises(NetworkTimeout):
                            manager.execute('1')
            finally:
                over.set()
                looking.join()
            self.assertEqual(most, [1])
            self.assertLess(notes.count_documents({'x': 1}), DOCUMENTS)

    def test_what_cannot_be_ended_is_named_with_the_way_to_end_it(self) -> None:
        with mock.patch.object(left_running, 'end_sessions', return_value=False):
            self.execute()
        said = [
            message for _, message in self.logger.said if 'may still run' in message
        ]
        [line] = said
        self.assertIn('1_a.py: what it has begun may still run on the server.', line)
        self.assertIn('{"lsid.id": {$in: [UUID("', line)
        # What it says is what ends it.
        named = uuid.UUID(line.split('UUID("')[1].split('"')[0])
        eventually(self.is_running, 'the write that goes on')
        session = Binary.from_uuid(named)
        self.assertTrue(end_sessions(self.client, [session]))
        self.assertFalse(self.is_running())
        self.assertIn(how_to_end([named.bytes]), line)

    def test_a_server_that_is_gone_makes_no_other_error(self) -> None:
        gone = mock.Mock()
        gone.admin.command.side_effect = NetworkTimeout('gone')
        self.assertFalse(end_sessions(gone, [b'x' * 16]))
        self.assertTrue(end_sessions(gone, []))
        gone.admin.command.assert_called_once()


class RemainsTest(Running):
    """What a process that is gone has left running, known by its client's name."""

    def test_what_it_may_have_begun_later_is_let_be(self) -> None:
        name = f'migopy shop{app_name_of("web(1)", 4242)}'
        slow = {'$where': 'sleep(500) || true'}
        with MongoClient(self.uri, appname=name) as client:
            notes = client[self.db.name].notes
            change = {'$set': {'x': 1}}
            writing = threading.Thread(target=self.write, args=[notes, slow, change])
            writing.start()
            eventually(self.is_running, 'the write')
            for processes in (
                [],
                [Process('web(1)', 424, 0.0)],
                [Process('web1', 4242, 0.0)],
                [Process('web(1)', 4242, 3600.0)],
            ):
                end_remains(self.client, self.db.name, processes)
                # Between two documents it may not be in the list for a moment.
                eventually(self.is_running, 'the write that goes on')
            end_remains(self.client, 'other', [Process('web(1)', 4242, 0.0)])
            eventually(self.is_running, 'the write that goes on')
            end_remains(self.client, self.db.name, [Process('web(1)', 4242, 0.0)])
            self.assertFalse(self.is_running())
            writing.join()

    def write(self, notes: Any, slow: Any, change: Any) -> None:
        with self.assertRaises(OperationFailure):
            notes.update_many(slow, change)

    def test_a_long_name_of_a_folder_leaves_room_for_the_process(self) -> None:
        settings = Settings(database='shop')
        made: Any = named_client(MongoClient, settings, '/srv/' + 'ü' * 200)
        name = made.keywords['appname']
        self.assertLessEqual(len(name.encode()), 128)
        self.assertTrue(name.startswith('migopy üü'))
        self.assertTrue(name.endswith(app_name_of(socket.gethostname(), os.getpid())))
