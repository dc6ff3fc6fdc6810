"""A machine that gives a command no more threads, memory or open files."""

from __future__ import annotations

from tests.fleets import FABFILE as OF_MANY
from tests.fleets import PICKY, FleetTest
from tests.project import FABFILE, NOTHING, CommandTest, FabTest

#: Gives no more threads once the first few are there: those of PyMongo's, or none.
FEW = """
    import os
    import threading

    start = threading._start_new_thread
    left = [int(os.environ.get('THREADS', '99'))]


    def start_if_any_is_left(*given, **options):
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        return start(*given, **options)


    threading._start_new_thread = start_if_any_is_left
"""

#: Gives no more threads once a first lock has had one.
ONE_LOCK = """
    import threading

    start = threading.Thread.start
    refused = []


    def start_unless_refused(thread):
        if thread.name in refused:
            raise RuntimeError("can't start new thread")
        if thread.name == 'migopy-lock':
            refused.append(thread.name)
        start(thread)


    threading.Thread.start = start_unless_refused
"""


class MachineTest(CommandTest):
    fabfile = FEW + FABFILE

    def test_without_threads_nothing_runs_and_the_next_step_is_named(self) -> None:
        self.migration('001_a.py', NOTHING)
        lacking = 'This machine gives the command no more threads.\nRaise the limit'
        for threads in range(4):
            with self.subTest(threads):
                result = self.migopy('execute', THREADS=str(threads))
                self.assertEqual((result.status, self.registered()), (1, []))
                self.assertIn(lacking, result.stderr)
                end = 'then see what has run: migopy\n'
                self.assertTrue(result.stderr.endswith(end), result.said)
                self.assertNotIn('/migopy/', result.stderr)
                self.assertIsNone(self.db.migrations_lock.find_one())
        self.assert_ok(self.migopy('execute'))
        self.assertEqual(self.registered(), ['001_a.py'])


class OwnCommandTest(FabTest):
    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

            @migopy.task
            def fill(self, what):
                raise MemoryError if what == 'memory' else OSError(24, 'Too many files')

        migrations = Migrations.create_task()
    """

    def test_memory_and_files(self) -> None:
        memory, files = self.errors('migrations:fill,memory', 'migrations:fill,files')
        self.assertIn('no more memory.\n', memory)
        self.assertIn('no more open files.\n', files)


class FleetMachineTest(FleetTest):
    fabfile = ONE_LOCK + OF_MANY

    def test_it_ends_for_all_databases_and_names_the_next_step(self) -> None:
        self.migration('001_a.py', PICKY)
        result = self.fab('migrations:execute,workers=1')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('1 done, 1 failed, 1 not begun', result.stderr)
        self.assertIn('no more threads.\nRaise the limit', result.stderr)
        self.assertIn('then see what has run: fab migrations\n', result.stderr)
        self.assertNotIn('RuntimeError', result.said)
        self.assertEqual(
            [self.names_in(each) for each in 'abc'], [['001_a.py'], [], []]
        )
