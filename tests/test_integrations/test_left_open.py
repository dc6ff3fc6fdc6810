"""A transaction that a killed command has left open ends with the next command."""

from __future__ import annotations

import signal

import pymongo

from tests.faults import eventually
from tests.project import FabTest

UP = """
    import os
    import time

    transaction = True

    def up(db):
        db.notes.update_many({}, {'$inc': {'calls': 1}})
        with open('begun', 'w'):
            pass
        while not os.path.exists('go'):
            time.sleep(0.02)
"""


class LeftOpenTest(FabTest):
    """The server would end it after a minute, and let others wait or fail till then."""

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(10)])
        self.migration('1_a.py', UP)
        self.process = self.start('migrations:execute')
        eventually((self.folder / 'begun').exists, 'its writes')

    def calls(self) -> list[int]:
        return self.db.notes.distinct('calls')

    def test_the_next_command_writes_the_same_documents(self) -> None:
        self.process.kill()
        self.process.wait()
        self.write('go', '')
        again = self.assert_ok(self.fab('migrations:execute'))
        self.assertNotIn('tried again', again.stderr)
        self.assertEqual(self.calls(), [1])
        [run] = self.db.migrations_history.find({'outcome': 'executed'})
        self.assertNotIn('session', run)

    def test_whoever_takes_the_lock_away_ends_it_as_well(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.process.send_signal, signal.SIGCONT)
        self.assert_ok(self.fab('migrations:unlock,force=yes,yes=yes'))
        with pymongo.timeout(30):
            self.db.notes.update_many({}, {'$inc': {'calls': 5}})
        self.assertEqual(self.calls(), [5])
