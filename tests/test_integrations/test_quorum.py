"""An index build that waits for a member that is down is told before it is sent."""

from __future__ import annotations

import re
import signal
import threading
from typing import Any

from pymongo import MongoClient

from migopy.server import mongod
from tests.faults import eventually
from tests.project import FabTest, PlainTest
from tests.server import ReplicaSet, Server, replica_set

UP = """
    from pymongo import IndexModel

    def up(db):
        db.empty.create_index('x')
        db.notes.create_index('there')
        db.notes.create_index('x')
        db.notes.create_index('y')
"""

MAJORITY = """
    from pymongo import IndexModel

    def up(db):
        db.notes.create_indexes([IndexModel('x')], commitQuorum='majority')
"""

PLAIN = """
    def up(db):
        db.notes.update_many({}, {'$set': {'x': 1}})
"""


class DownTest(FabTest, PlainTest):
    """A set of three, one of which is suspended."""

    def setUp(self) -> None:
        super().setUp()
        running = replica_set(members=3)
        self.set: ReplicaSet = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        self.uri = self.set.uri
        self.write('fabfile.py', self.filled(self.fabfile))
        client: MongoClient[dict[str, Any]] = MongoClient(self.uri)
        self.addCleanup(client.close)
        self.there = client[self.db.name]
        self.there.notes.insert_many([{'_id': n} for n in range(10)])
        self.there.notes.create_index('there')

    def suspend(self) -> Server:
        """Suspend a secondary; wait until the primary knows."""
        primary = self.set.primary()
        member = next(each for each in self.set.members if each is not primary)
        member.suspend()
        self.addCleanup(member.wake)
        eventually(lambda: self.is_down(primary, member), 'a member that is down')
        return member

    def is_down(self, primary: Server, member: Server) -> bool:
        status = mongod.ask(primary.port, {'replSetGetStatus': 1})
        return any(
            each['name'].endswith(f':{member.port}') and not each['health']
            for each in status['members']
        )

    def said(self) -> list[str]:
        return [said for _, said in self.logger.said if 'does not answer' in said]

    def test_it_is_told_once_and_goes_on_when_the_member_is_back(self) -> None:
        self.migration('1_a.py', UP)
        member = self.suspend()
        manager = self.manager()
        running = threading.Thread(target=manager.execute)
        running.start()
        eventually(self.said, 'a warning')
        eventually(self.building, 'the build')
        member.wake()
        running.join()
        [line] = self.said()
        self.assertEqual(
            line,
            f'1_a.py: 127.0.0.1:{member.port} does not answer, and an index is built on'
            ' all voting members: that of notes (x_1) waits until that member is back.'
            ' Ctrl-C ends it. So that it does not wait, write'
            " create_indexes([IndexModel(…)], commitQuorum='majority')",
        )
        self.assertIn('y_1', self.there.notes.index_information())

    def test_what_it_says_is_true(self) -> None:
        self.migration('1_a.py', UP)
        self.suspend()
        process, heard = self.start_heard('migrations:execute')
        eventually(lambda: 'Ctrl-C ends it' in heard.read_text(), 'a warning')
        eventually(self.building, 'the build')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130, heard.read_text())
        self.assertFalse(self.building())
        self.assertNotIn('on the server', heard.read_text())
        self.assertNotIn('x_1', self.there.notes.index_information())
        self.migration('1_a.py', MAJORITY)
        self.manager().execute('1')
        self.assertEqual(self.said(), [])
        self.assertIn('x_1', self.there.notes.index_information())

    def test_nothing_is_asked_where_nothing_is_indexed(self) -> None:
        self.migration('1_a.py', PLAIN)
        manager = self.manager()
        manager.execute()
        asked = self.there.client.admin.command('serverStatus')['metrics']['commands']
        self.assertEqual(asked['replSetGetConfig']['total'], 0)

    def building(self) -> bool:
        rows = self.there.client.admin.aggregate(
            [
                {'$currentOp': {'allUsers': True}},
                {'$match': {'command.indexes.name': re.compile('x_1')}},
            ]
        )
        return bool(list(rows))
