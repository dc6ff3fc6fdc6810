"""Child processes that a migration forks: they are none of migopy's."""

from __future__ import annotations

import signal

from tests.project import FABFILE, FabTest

NAME = '001_x.py'

OF_TWO = FABFILE.replace(
    "'{database}'", "'{database}'\n    MONGO_DATABASES = ['{database}', '{database}_2']"
)

#: What `multiprocessing.Pool` does at its end: a signal to a child, then a wait.
SIGNALLED = """
import os
import signal
import time

def up(db):
    child = os.fork()
    if not child:
        try:
            time.sleep(10)
        finally:
            time.sleep(10)
            os._exit(0)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    db.ended.insert_one({'by': os.waitpid(child, 0)[1]})
"""

ENDING = """
def up(db):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        after(db)
"""


class ForkTest(FabTest):
    def test_a_child_that_returns_from_up_registers_nothing(self) -> None:
        self.migration(
            NAME,
            """
            import os

            def up(db):
                db.a.insert_one({})
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(result.stderr.count(f'{NAME} executed'), 1, result.said)
        self.assertEqual(self.registered(), [NAME])
        self.assertEqual(len(self.contents('migrations_history')), 1)
        self.assertEqual(self.contents('migrations_lock'), [])

    def test_nor_does_one_whose_stdout_nobody_reads(self) -> None:
        self.migration(
            NAME,
            """
            import os
            import sys

            def up(db):
                db.a.insert_one({})
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
                    locks = db.migrations_lock.count_documents({})
                    db.after.insert_one({'locks': locks})
                else:
                    sys.stdout.write('more')
                    os.dup2(os.open('/dev/full', os.O_WRONLY), 1)
            """,
        )
        result = self.assert_ok(self.fab('migrations:execute', PYTHONUNBUFFERED=''))
        self.assertEqual(result.stderr.count(f'{NAME} executed'), 1, result.said)
        self.assertEqual(self.contents('after'), [{'locks': 1}])
        self.assertEqual(len(self.contents('migrations_history')), 1)

    def test_a_child_ends_by_a_signal_whatever_it_is_at(self) -> None:
        self.migration(NAME, SIGNALLED)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.contents('ended'), [{'by': signal.SIGTERM}])

    def test_so_it_does_where_a_command_works_on_many_databases(self) -> None:
        self.write('fabfile.py', self.filled(OF_TWO))
        self.migration(NAME, SIGNALLED)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.contents('ended'), [{'by': signal.SIGTERM}])

    def test_one_that_is_started_at_the_end_of_an_interrupted_command_does(
        self,
    ) -> None:
        self.migration(NAME, SIGNALLED.replace('def up', 'def after') + ENDING)
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 128 + signal.SIGTERM, result.said)
        self.assertEqual(self.contents('ended'), [{'by': signal.SIGTERM}])
