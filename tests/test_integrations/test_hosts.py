"""One typed command is one command, on however many hosts Fabric carries it out."""

from __future__ import annotations

import os

from tests.project import FabTest

WITH_HOSTS = """
    import logging

    from fabric.api import env, roles, runs_once, task

    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

    @task
    def production():
        env.hosts = ['www1', 'www2']

    @task
    @runs_once
    def handlers():
        print(len(logging.getLogger('pymongo').handlers), 'handlers')

    env.roledefs = {'web': ['www1', 'www2', 'www3']}
    migrations = task(Migrations.create_task())
    by_role = roles('web')(task(name='by_role')(Migrations.create_task()))
"""

BOTH = """
    def up(db):
        db.ran.insert_one({'up': __name__})

    def down(db):
        db.ran.insert_one({'down': __name__})
"""


class HereTest(FabTest):
    """A task without REMOTE_DIRECTORY: it runs on this machine for each host."""

    fabfile = WITH_HOSTS

    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name, BOTH)

    def ran(self, function: str) -> list[str]:
        query = {function: {'$exists': True}}
        return [each[function][-5:] for each in self.db.ran.find(query)]

    def test_rollback_of_the_last_undoes_one(self) -> None:
        ways = (
            ('production', 'migrations:rollback,last=1'),
            ('-H', 'a,b,c', 'migrations:rollback,last=1'),
            ('-R', 'web', 'migrations:rollback,last=1'),
            ('-P', '-H', 'a,b,c', 'migrations:rollback,last=1'),
            ('by_role:rollback,last=1',),
        )
        for typed in ways:
            with self.subTest(typed):
                self.assert_ok(self.fab('migrations:execute'))
                self.db.ran.drop()
                result = self.assert_ok(self.fab(*typed))
                self.assertEqual(self.ran('down'), ['003_c'], result.said)
                self.assertIn('has been carried out already', result.stderr)
                self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_a_further_host_leaves_nothing_behind_in_the_process(self) -> None:
        for hosts in ('a', 'a,b,c'):
            with self.subTest(hosts):
                said = self.assert_ok(self.fab('-H', hosts, 'migrations', 'handlers'))
                self.assertIn('1 handlers', said.stdout)

    def test_a_person_is_asked_for_the_first_host_alone(self) -> None:
        """For the second one it would be about those before, and is refused here."""
        self.migration('000_z.py', BOTH)
        self.migration('001_a.py', 'def up(db): pass')
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', BOTH)
        rollback = '-H', 'a,b', 'migrations:rollback,last=2'
        shown = self.on_terminal(*rollback, typed='y\nn\n')
        self.assertEqual(shown.count('[y/N]'), 1, shown)
        self.assertIn('has been carried out already', shown)
        self.assertEqual(self.registered(), ['000_z.py', '001_a.py'])

    def test_a_named_one_is_undone_and_done_once(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.db.ran.drop()
        self.assert_ok(self.fab('production', 'migrations:rollback,002'))
        self.assertEqual(self.ran('down'), ['002_b'])
        self.assert_ok(self.fab('production', 'migrations:execute,002'))
        self.assertEqual(self.ran('up'), ['002_b'])
        self.assert_ok(self.fab('production', 'migrations:rollback,002'))
        self.assert_ok(self.fab('production', 'migrations:ignore,002'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])

    def test_all_that_is_pending_is_executed_once(self) -> None:
        result = self.assert_ok(self.fab('production', 'migrations:execute'))
        self.assertEqual(len(self.ran('up')), 3)
        self.assertIn('All migrations registered', result.stdout)

    def test_what_is_typed_twice_is_done_twice(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        for typed in (('-H', 'a,b'), ('-P', '-H', 'a,b'), ()):
            self.db.ran.drop()
            once = 'migrations:rollback,last=1'
            self.assert_ok(self.fab(*typed, once, once))
            self.assertEqual(len(self.ran('down')), 2, typed)
            self.assert_ok(self.fab('migrations:execute'))

    def test_images_are_forgotten_once(self) -> None:
        """For the second host there were none left, and the command failed."""
        undone = 'transaction = True\nundo = True\ndef up(db): db.ran.insert_one({})'
        self.migration('004_d.py', undone)
        self.migration('005_e.py', undone)
        self.assert_ok(self.fab('migrations:execute'))
        for name, *typed in (('004', 'production'), ('005', '-P', '-H', 'a,b')):
            with self.subTest(typed):
                undo = f'migrations:undo,forget={name}'
                result = self.assert_ok(self.fab(*typed, undo))
                self.assertEqual(result.said.count('Deleted: images'), 1)
                self.assertIn('undo has been run for', result.said)

    def test_what_has_failed_is_not_tried_again(self) -> None:
        self.migration('004_d.py', 'def up(db): db.ran.insert_one({}); 1 / 0')
        result = self.fab('-w', '-P', '-H', 'a,b', 'migrations:execute,004')
        self.assertEqual(self.db.ran.count_documents({}), 1, result.said)
        self.assertIn('has failed already by this command', result.stderr)

    def test_what_puts_the_record_right_is_done_once(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        folder = self.folder / 'mongomigrations'
        (folder / '001_a.py').unlink()
        (folder / '002_b.py').rename(folder / '002_x.py')
        self.migration('003_c.py', BOTH + '# changed')
        for parallel in ((), ('-P',)):
            if parallel:
                self.assert_ok(self.fab('migrations:execute'))
                (folder / '003_c.py').unlink()
                (folder / '002_x.py').rename(folder / '002_y.py')
                self.migration('004_d.py', BOTH + '# changed')
            typed = (
                ('forget,3', 'rename,2,002_y.py', 'accept,4')
                if parallel
                else ('forget,1', 'rename,2,002_x.py', 'accept,3')
            )
            for command, outcome in zip(typed, ('forgotten', 'renamed', 'accepted')):
                with self.subTest(command):
                    result = self.fab(*parallel, '-H', 'a,b', f'migrations:{command}')
                    said = self.assert_ok(result).stderr
                    self.assertEqual(said.count('has been carried out already'), 1)
                    self.assertIn(f'{outcome}. Nothing was done again', said)
            self.assert_ok(self.fab('migrations:check'))
            self.migration('004_d.py', BOTH)

    def test_each_host_is_said_to_have_no_part_in_it(self) -> None:
        said = self.fab('-H', 'one.invalid,two.invalid', 'migrations').stderr
        for host in ('one.invalid', 'two.invalid'):
            self.assertEqual(said.count(f'{host}: REMOTE_DIRECTORY is not set'), 1)
        self.assertNotIn('REMOTE_DIRECTORY', self.fab('migrations').stderr)

    def test_create_writes_one_file(self) -> None:
        for typed in (('production',), ('-P', '-H', 'a,b')):
            self.assert_ok(self.fab(*typed, 'migrations:create,x'))
        names = sorted(os.listdir(self.folder / 'mongomigrations'))
        self.assertEqual(
            [name for name in names if name.endswith('_x.py')],
            ['004_x.py', '005_x.py'],
        )

    def test_its_id_stands_in_the_history(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        ids = self.db.migrations_history.distinct('command')
        self.assertEqual(len(ids), 1)
        self.assert_ok(self.fab('migrations:rollback,3'))
        self.assertEqual(len(self.db.migrations_history.distinct('command')), 2)

    def test_what_is_typed_next_leads_to_the_same_place(self) -> None:
        self.migration('004_d.py', 'def up(db): 1 / 0')
        result = self.fab('production', 'migrations:execute')
        self.assertIn('then type: fab production migrations:execute\n', result.stderr)

    def test_left_over_from_a_sent_command_is_refused(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        result = self.fab('production', 'migrations:rollback,003', MIGOPY_SENT='1')
        self.assert_error(result, 'nothing was done', 'unset MIGOPY_SENT')
        self.assertEqual(len(self.registered()), 3)
