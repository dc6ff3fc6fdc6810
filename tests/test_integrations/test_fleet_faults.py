"""Eighty databases: failures, a deploy that is killed, two deploys at once."""

from __future__ import annotations

import signal
import unittest
from pathlib import Path
from typing import Any

from tests.faults import eventually
from tests.fleets import FleetTest
from tests.project import TIMEOUT

COUNT = 80
BAD = 7

#: All or nothing, so that what was killed is not half done.
MIGRATION = """
    transaction = True

    def up(db):
        if db.settings.find_one({'bad': True}):
            raise ValueError('no good')
        db.ran.insert_one({})
        db.ran.insert_one({})
"""


class CrowdTest(FleetTest):
    letters = ''

    def setUp(self) -> None:
        super().setUp()
        self.all = [f'{number:03}' for number in range(COUNT)]
        self.make(*self.all)
        self.migration('001_a.py', MIGRATION)

    def done(self) -> int:
        """Count the databases in which the migration is registered."""
        return sum(bool(self.names_in(each)) for each in self.all)

    def assert_once(self, *letters: str) -> None:
        """Fail unless the migration has run once in each of these."""
        for each in letters:
            self.assertEqual(self.names_in(each), ['001_a.py'])
            ran = self.client[self.name(each)].ran.count_documents({})
            self.assertEqual(ran, 2, each)

    def test_killed_and_resumed_by_two_at_once(self) -> None:
        bad = self.all[:: COUNT // BAD][:BAD]
        good = [each for each in self.all if each not in bad]
        self.spoil(*bad)

        killed = self.start('migrations:execute,workers=8')
        eventually(lambda: self.done() >= 20, 'twenty databases')
        killed.send_signal(signal.SIGKILL)
        killed.wait(TIMEOUT)
        # What the server does itself with transactions that nobody goes on with, but
        # after a minute; until then they are in the way of others.
        self.client.admin.command('killAllSessions', [])
        self.assertLess(self.done(), len(good), 'it was killed too late')

        deploys = [self.start('migrations:execute,workers=4') for _ in range(2)]
        for each in deploys:
            result = self.ended(each)
            self.assertEqual(result.status, 1, result.said)
            said = self.shown(result)
            self.assertIn(f'{BAD} of {COUNT} databases failed: ', said)
            self.assertIn('fab migrations:execute,workers=4,only=failed\n', said)
            for line in said.splitlines():
                # Each line is about one database or about all.
                self.assertLessEqual(line.count('001_a.py executed'), 1)
        self.assert_once(*good)
        for each in bad:
            self.assertEqual(self.names_in(each), [])

        self.mend(*bad)
        said = self.shown(self.assert_ok(self.fab('migrations:execute,only=failed')))
        self.assertIn(f'Databases: {BAD} done (', said)
        self.assert_once(*self.all)
        shown = self.assert_ok(self.fab('migrations')).results
        self.assertRegex(shown, rf'\n{COUNT} +001_a\.py +none ')


class InterruptedTest(FleetTest):
    """Ctrl-C and SIGTERM."""

    def setUp(self) -> None:
        super().setUp()
        self.migration(
            '001_a.py',
            """
            import os, time

            def up(db):
                db.ran.insert_one({})
                deadline = time.monotonic() + 60
                while not os.path.exists('go') and time.monotonic() < deadline:
                    time.sleep(0.02)

            def down(db):
                pass
            """,
        )

    def under_way(self) -> int:
        return sum(
            self.client[self.name(each)].ran.count_documents({}) for each in 'abc'
        )

    def wait_until_told(self, said: Path, number: int) -> None:
        told = 'Interrupted: no other database is begun, and those under way end first.'
        if number == signal.SIGTERM:
            told = 'Told to end: no other database or migration is begun, '
        eventually(lambda: told in said.read_text(), 'it says that it ends')

    def test_those_under_way_end_and_no_other_one_is_begun(self) -> None:
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(number):
                process, said = self.start_heard('migrations:execute,workers=2')
                eventually(lambda: self.under_way() == 2, 'two databases')
                process.send_signal(number)
                self.wait_until_told(said, number)
                (self.folder / 'go').touch()
                process.wait(TIMEOUT)
                self.assertEqual(process.returncode, status, said.read_text())
                self.assertIn('2 done, 1 not begun', said.read_text())
                done = [each for each in 'abc' if self.names_in(each)]
                self.assertEqual(len(done), 2)
                self.assert_ok(self.fab('migrations:rollback,1,force=yes,all=yes'))
                (self.folder / 'go').unlink()
                for each in 'abc':
                    self.client[self.name(each)].ran.drop()

    def test_a_signal_ends_loops_after_their_batch_and_begins_no_migration(
        self,
    ) -> None:
        self.migration(
            '001_a.py',
            """
            import time

            import migopy

            def up(db):
                for each in migopy.progress(range(6000)):
                    db.ran.insert_one({})
                    time.sleep(0.01)

            def down(db):
                db.ran.delete_many({})
            """,
        )
        # One of three is in no loop, and has another migration behind it.
        self.migration(
            '000_b.py',
            f"""
            import os, time

            def up(db):
                deadline = time.monotonic() + 60
                if db.name != {self.name('c')!r}:
                    return
                db.ran.insert_one({{}})
                while not os.path.exists('go') and time.monotonic() < deadline:
                    time.sleep(0.02)
            """,
        )
        process, said = self.start_heard('migrations:execute')
        eventually(
            lambda: all(self.client[self.name(each)].ran.find_one() for each in 'abc'),
            'all are under way',
        )
        process.send_signal(signal.SIGTERM)
        self.wait_until_told(said, signal.SIGTERM)
        eventually(
            lambda: not [*self.held('a'), *self.held('b')], 'those in a loop have ended'
        )
        self.assertIsNone(process.poll())
        (self.folder / 'go').touch()
        process.wait(TIMEOUT)
        text = said.read_text()
        self.assertEqual(process.returncode, 143, text)
        self.assertIn('001_a.py was interrupted in its up', text)
        self.assertEqual(
            [*map(self.names_in, 'abc')], [['000_b.py']] * 3, 'c begins no other one'
        )
        self.assertEqual(self.held('c'), [])
        status = self.shown(self.fab('migrations'))
        self.assertIn('Unfinished: 001_a.py (2 databases: a, b)', status)
        self.assert_ok(self.fab('migrations:rollback,001,only=failed'))

    def held(self, letter: str) -> list[dict[str, Any]]:
        """Give the locks that are held in a database."""
        return [*self.client[self.name(letter)].migrations_lock.find()]


if __name__ == '__main__':
    unittest.main()
