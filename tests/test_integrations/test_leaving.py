"""No thread that could wake up while Python takes itself down, when a process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

from tests.invoking import InvokeTest
from tests.project import CommandTest, FabTest, ProjectTest, Result, clean_environment

#: Python imports it before all else, so what it registers is called last.
TELLS = """
    import atexit, threading

    @atexit.register
    def tell():
        with open('alive', 'w') as file:
            print(*(each.name for each in threading.enumerate()[1:]), file=file)
"""

ADDS = """
    def up(db):
        db.notes.insert_one({})
"""

FAILS = """
    def up(db):
        raise ValueError('no more')
"""

#: Is interrupted in its up, and once more at the end of the process.
INTERRUPTED_TWICE = """
    import atexit, os, signal, time

    @atexit.register
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    def up(db):
        interrupt()
"""

#: Three threads that nothing wakes, and the end of a process, but for Python's own.
STUCK = """
    import os, threading, time
    from pymongo.periodic_executor import PeriodicExecutor
    from pymongo.synchronous import monitor

    from migopy.face.hook import settle

    settle()
    stuck = [PeriodicExecutor(9, 9, threading.Event().wait) for _ in range(3)]
    for each in stuck:
        each.open()
    began = time.monotonic()
    monitor._shutdown_resources()
    os._exit(time.monotonic() - began > 2.9)
"""


class LeavingTest(ProjectTest):
    """All threads have ended when the last of what is called at exit is."""

    def setUp(self) -> None:
        super().setUp()
        self.write('early/sitecustomize.py', TELLS)
        self.early = {'PYTHONPATH': str(self.folder / 'early')}

    def assert_none_is_alive(self) -> None:
        """Assert it of the process that has just ended."""
        alive = self.folder / 'alive'
        self.assertEqual(alive.read_text().split(), [])
        alive.unlink()

    def assert_ended_at_once(self, result: Result) -> None:
        """Assert that a second Ctrl-C has ended a command, and told nothing more."""
        self.assertEqual(result.status, -signal.SIGINT, result.said)
        self.assertIn('001_twice.py was interrupted in its up', result.stderr)
        self.assertNotIn('ignored', result.stderr)
        self.assertEqual(result.stderr.count('Traceback'), 1, result.stderr)

    def assert_ended(self, program: str) -> None:
        """Assert it of what runs this text."""
        subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)],
            cwd=self.folder,
            env=clean_environment(**self.early),
            check=True,
        )
        self.assert_none_is_alive()


class WokenTest(LeavingTest):
    def test_a_thread_of_pymongo_does_not_sleep_out_what_it_sleeps(self) -> None:
        self.assert_ended(
            """
            from pymongo import monitoring
            from pymongo.periodic_executor import PeriodicExecutor

            from migopy.face.hook import settle

            settle()
            settle()
            PeriodicExecutor(3600, 3600, lambda: True, 'sleeps an hour').open()
            """
        )

    def test_nor_waits_half_a_second_for_a_server(self) -> None:
        self.assert_ended(
            """
            from pymongo import network_layer

            from migopy.face.hook import settle
            from migopy.server.process_exit import LOOK_EVERY

            settle()
            assert network_layer._POLL_TIMEOUT == LOOK_EVERY < 0.05
            """
        )


class OutOfReachTest(LeavingTest):
    def test_one_second_is_waited_for_all_members_that_do_not_answer(self) -> None:
        """As a firewall has it that drops what is sent; PyMongo waits one for each."""
        subprocess.run(
            [sys.executable, '-c', textwrap.dedent(STUCK)], timeout=60, check=True
        )


class FabLeavingTest(FabTest, LeavingTest):
    def test_of_a_command_that_went_well_and_of_one_that_failed(self) -> None:
        self.migration('001_adds.py', ADDS)
        self.assert_ok(self.fab('migrations:execute', **self.early))
        self.assert_none_is_alive()
        self.assert_ok(self.fab('migrations', 'migrations:list', **self.early))
        self.assert_none_is_alive()
        self.migration('002_fails.py', FAILS)
        self.assertEqual(self.fab('migrations:execute', **self.early).status, 1)
        self.assert_none_is_alive()

    def test_of_one_that_is_interrupted_twice(self) -> None:
        self.migration('001_twice.py', INTERRUPTED_TWICE)
        self.assert_ended_at_once(self.fab('migrations:execute'))


class CommandLeavingTest(CommandTest, LeavingTest):
    def test_of_migopy(self) -> None:
        self.migration('001_adds.py', ADDS)
        for typed in (['execute'], ['status'], ['history', '--json']):
            with self.subTest(typed):
                self.assert_ok(self.fab(*typed, **self.early))
                self.assert_none_is_alive()

    def test_of_one_that_is_interrupted_twice(self) -> None:
        self.migration('001_twice.py', INTERRUPTED_TWICE)
        self.assert_ended_at_once(self.fab('execute'))


class InvokeLeavingTest(InvokeTest, LeavingTest):
    def test_of_invoke(self) -> None:
        self.migration('001_adds.py', ADDS)
        for typed in ('migrations.execute', 'migrations'):
            with self.subTest(typed):
                self.assert_ok(self.fab(typed, **self.early))
                self.assert_none_is_alive()

    def test_of_one_that_is_interrupted_twice(self) -> None:
        self.migration('001_twice.py', INTERRUPTED_TWICE)
        self.assert_ended_at_once(self.fab('migrations.execute'))
