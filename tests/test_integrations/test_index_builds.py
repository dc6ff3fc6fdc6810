"""Index builds end with the command that has begun them, and no others do."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, PyMongoError

from migopy.server import LeftRunning, how_to_end
from migopy.server.builds import Left, end_builds
from tests.faults import eventually, hanging, obliging_server
from tests.project import FabTest, PlainTest, ProjectTest
from tests.server import Server, set_with_auth

#: Where a build waits while it can be ended, and where it cannot.
AT_WORK = 'hangAfterStartingIndexBuild'
AT_THE_END = 'hangIndexBuildBeforeCommit'

UP = """
    def up(db):
        db.notes.create_index('a')
        db.notes.create_index('x'{more})
"""

ENDED = """
    import pymongo

    def up(db):
        db.notes.create_index('x', maxTimeMS=300)
"""


class Building(ProjectTest):
    """A test on a server whose index builds can be made to wait."""

    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        running = contextlib.ExitStack()
        cls.addClassCleanup(running.close)
        cls.server = running.enter_context(obliging_server())

    def connect(self) -> None:
        """Use this server in place of the shared one; called when a test begins."""
        self.uri = self.server.uri
        self.client = MongoClient(self.uri)
        self.addCleanup(self.client.close)
        self.db = self.client[self.db.name]
        self.addCleanup(self.client.drop_database, self.db.name)
        self.db.notes.insert_many([{'_id': n, 'x': n} for n in range(100)])
        self.db.notes.create_index('there')
        self.db.notes.create_index('a')

    def building(self) -> list[dict[str, Any]]:
        look: dict[str, Any] = {'$currentOp': {'allUsers': True}}
        mine: dict[str, Any] = {
            'ns': self.db.notes.full_name,
            'command.createIndexes': 'notes',
        }
        return list(self.client.admin.aggregate([look, {'$match': mine}]))

    def at_the_end(self) -> bool:
        return any('draining' in row.get('msg', '') for row in self.building())

    def indexes(self) -> set[str]:
        return set(self.db.notes.index_information()) - {'_id_'}

    def assert_ended(self) -> None:
        """Make sure that nothing is built, and that no other index is gone."""
        self.assertEqual(self.building(), [])
        self.assertEqual(self.indexes(), {'there_1', 'a_1'})


class InterruptedTest(Building, FabTest):
    """Ctrl-C, SIGTERM, a lock that is taken away, and `kill -9`."""

    def setUp(self) -> None:
        super().setUp()
        self.connect()
        self.write('fabfile.py', self.filled(self.fabfile))
        self.migration('1_a.py', UP.format(more=''))

    def begin(self) -> Any:
        process = self.start('migrations:execute,1')
        eventually(self.building, 'the build')
        return process

    def test_it_is_ended_before_the_lock_is_free(self) -> None:
        for how in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(how=how.name), hanging(self.client, AT_WORK):
                process = self.begin()
                process.send_signal(how)
                eventually(lambda: not self.db.migrations_lock.count_documents({}), '')
                self.assert_ended()
                result = self.ended(process)
                self.assertEqual(result.status, 128 + how, result.said)
                self.assertNotIn('on the server', result.said)
                self.db.migrations_history.delete_many({})

    def test_who_loses_the_lock_ends_it_at_once(self) -> None:
        with hanging(self.client, AT_WORK):
            process = self.begin()
            self.assert_ok(self.fab('migrations:unlock,force=yes,yes=yes'))
            result = self.ended(process)
            self.assert_ended()
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('This command lost its lock', result.said)
        # Without its lock it does not say what has become of the migration.
        self.assertEqual(self.registered(), [])

    def test_after_kill_9_the_next_command_ends_it(self) -> None:
        with hanging(self.client, AT_WORK):
            process = self.begin()
            process.kill()
            process.wait()
            self.assertTrue(self.building())
            self.assert_ok(self.fab('migrations:ignore,1'))
            self.assert_ended()

    def test_what_cannot_be_ended_keeps_the_next_command_from_running(self) -> None:
        self.needs_version(5, 0)
        with hanging(self.client, AT_THE_END):
            process = self.begin()
            eventually(self.at_the_end, 'the end of the build')
            process.kill()
            process.wait()
            result = self.fab('migrations:execute,1')
            self.assertEqual(result.status, 1, result.said)
            self.assertIn('what it has begun still runs on the server', result.said)
            self.assertIn('dropIndexes: "notes", index: ["x_1"]', result.said)
            self.assertEqual(self.registered(), [])
        eventually(lambda: not self.building(), 'the end of the build')
        self.assert_ok(self.fab('migrations:execute,1'))
        self.assertEqual(self.indexes(), {'there_1', 'a_1', 'x_1'})

    def test_a_write_of_a_killed_command_is_ended_too(self) -> None:
        self.migration(
            '1_a.py',
            """
            def up(db):
                slow = {'$where': 'sleep(200) || true'}
                db.notes.update_many(slow, {'$set': {'y': 1}})
            """,
        )
        process = self.start('migrations:execute,1')
        eventually(self.writing, 'the write')
        process.kill()
        process.wait()
        self.assertTrue(self.writing())
        self.assert_ok(self.fab('migrations:ignore,1'))
        self.assertFalse(self.writing())
        self.assertLess(self.db.notes.count_documents({'y': 1}), 100)

    def writing(self) -> bool:
        mine: dict[str, Any] = {'ns': self.db.notes.full_name, 'op': 'update'}
        now = self.client.admin.aggregate([{'$currentOp': {}}, {'$match': mine}])
        return bool(list(now))


class TimedOutTest(Building, PlainTest):
    """A client that does not wait any more, and a command that has ended."""

    def setUp(self) -> None:
        super().setUp()
        self.connect()

    def said(self) -> list[str]:
        return [said for _, said in self.logger.said if 'on the server' in said]

    def test_its_build_ends_as_well(self) -> None:
        self.migration('1_a.py', UP.format(more=''))
        options = {'socketTimeoutMS': 500}
        with hanging(self.client, AT_WORK), self.assertRaises(NetworkTimeout):
            self.manager(MONGO_CLIENT_OPTIONS=options).execute('1')
        self.assert_ended()
        self.assertEqual(self.said(), [])

    def test_one_that_goes_on_behind_its_ended_command_is_ended(self) -> None:
        self.needs_version(5, 0)
        self.migration('1_a.py', ENDED)
        let_go = threading.Thread(target=self.let_go)
        with hanging(self.client, AT_THE_END):
            let_go.start()
            with self.assertRaises(PyMongoError):
                self.manager().execute('1')
            let_go.join()
        self.assert_ended()
        self.assertEqual(self.said(), [])

    def let_go(self) -> None:
        """Have a build go on when its command has ended."""
        eventually(lambda: self.at_the_end() and len(self.building()) == 1, 'its end')
        self.client.admin.command('configureFailPoint', AT_THE_END, mode='off')

    def test_one_that_cannot_be_ended_is_named(self) -> None:
        self.needs_version(5, 0)
        self.migration('1_a.py', ENDED)
        with hanging(self.client, AT_THE_END):
            with self.assertRaises(PyMongoError):
                self.manager().execute('1')
            [line] = self.said()
            self.assertTrue(self.building())
        self.assertIn(
            '1_a.py: an index build goes on on the server: notes (x_1). Unless', line
        )
        self.assertIn(
            f'db.getSiblingDB("{self.db.name}").runCommand('
            '{dropIndexes: "notes", index: ["x_1"]})',
            line,
        )
        eventually(lambda: not self.building(), 'the end of the build')

    def test_there_is_none_on_a_view(self) -> None:
        self.db.create_collection('some', viewOn='notes', pipeline=[])
        self.migration('1_a.py', "def up(db): db.some.create_index('x')")
        with self.assertRaises(PyMongoError):
            self.manager().execute('1')
        self.assertEqual(self.said(), [])

    def test_there_is_none_of_a_command_without_indexes(self) -> None:
        text = "def up(db): db.command('createIndexes', 'notes')"
        self.migration('1_a.py', text)
        with self.assertRaisesRegex(OperationFailure, 'indexes'):
            self.manager().execute('1')
        self.assertEqual(self.said(), [])

    def test_that_of_another_client_goes_on(self) -> None:
        self.migration('1_a.py', ENDED)
        other = threading.Thread(target=self.db.notes.create_index, args=['x'])
        with hanging(self.client, AT_WORK):
            other.start()
            eventually(self.building, 'the build')
            with self.assertRaises(PyMongoError):
                self.manager().execute('1')
            self.assertTrue(self.building())
        other.join()
        self.assertEqual(self.indexes(), {'there_1', 'a_1', 'x_1'})
        self.assertEqual(self.said(), [])

    def test_one_that_another_client_waits_for_goes_on(self) -> None:
        options = {'maxTimeMS': 60_000}
        other = threading.Thread(
            target=self.db.notes.create_index, args=['x'], kwargs=options
        )
        lsid = {'id': b'x' * 16}
        command = {
            'createIndexes': 'notes',
            'indexes': [{'name': 'x_1'}],
            'lsid': lsid,
        }
        with hanging(self.client, AT_WORK):
            other.start()
            eventually(self.building, 'the build')
            left = end_builds(self.client, [(self.db.name, command)])
            self.assertTrue(self.building())
        other.join()
        self.assertEqual(left, [])

    def test_an_index_that_is_made_stays(self) -> None:
        command = {'createIndexes': 'notes', 'indexes': [{'name': 'a_1'}]}
        self.assertEqual(end_builds(self.client, [(self.db.name, command)]), [])
        gone = {'createIndexes': 'nothing', 'indexes': [{'name': 'a_1'}]}
        self.assertEqual(end_builds(self.client, [(self.db.name, gone)]), [])
        self.assertEqual(self.indexes(), {'there_1', 'a_1'})


class FewRightsTest(PlainTest):
    """A user who sees no builds, only that they are there."""

    def test_its_own_is_ended_or_named(self) -> None:
        options = '--setParameter=enableTestCommands=1'
        with (
            set_with_auth(options) as server,
            MongoClient(server.uri, username='root', password='root') as root,
        ):
            db = root[self.db.name]
            db.notes.insert_many([{'_id': n, 'x': n} for n in range(100)])
            root.admin.command(
                'createUser',
                'ann',
                pwd='s',
                roles=[{'role': 'readWrite', 'db': db.name}],
            )
            self.uri = server.uri
            settings = {
                'MONGO_USER': 'ann',
                'MONGO_USER_PASSWORD': 's',
                'MONGO_AUTH_SOURCE': 'admin',
            }
            self.migration('1_a.py', UP.format(more=''))
            with hanging(root, AT_WORK), self.assertRaises(NetworkTimeout):
                timed = {'socketTimeoutMS': 1500}
                manager = self.manager(**settings, MONGO_CLIENT_OPTIONS=timed)
                manager.execute('1')
            self.assertNotIn('x_1', db.notes.index_information())
            self.assertEqual(self.said(), [])
            if tuple(root.server_info()['versionArray']) < (5, 0):
                return
            self.migration('1_a.py', ENDED)
            with hanging(root, AT_THE_END), self.assertRaises(PyMongoError):
                self.manager(**settings).execute('1')
            [line] = self.said()
            self.assertIn('goes on on the server: notes (x_1). Unless', line)

    def said(self) -> list[str]:
        return [said for _, said in self.logger.said if 'on the server' in said]


class WordsTest(Building, PlainTest):
    """What is typed is true of what it names."""

    def test_the_line_of_a_build_ends_it(self) -> None:
        self.connect()
        left = Left(self.db.name, 'no"tes', ('x_1',))
        self.assertIn('{dropIndexes: "no\\"tes", index: ["x_1"]}', left.how_to_end)
        error = LeftRunning([b'x' * 16], [left])
        self.assertIn(left.how_to_end, str(error))
        self.assertIn(how_to_end([b'x' * 16]), str(error))
