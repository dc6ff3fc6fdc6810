"""The main job: status, execute, ignore, rollback, help, as 1.0 had them."""

from __future__ import annotations

from tests.project import FabTest

NOTES = """
    def up(db):
        db.notes.insert_one({'content': 'test'})

    def down(db):
        db.notes.delete_one({'content': 'test'})
"""


class StatusTest(FabTest):
    """`fab migrations`."""

    def test_lists_what_is_not_registered(self) -> None:
        self.migration('001_first.py')
        self.migration('10_third.py')
        self.migration('2_second.py')
        self.register('001_first.py')
        result = self.assert_ok(self.fab('migrations'))
        self.assertEqual(
            result.stdout,
            'Unregistered migrations:\n2_second.py\n10_third.py\n'
            'To execute them: fab migrations:execute\n\nDone.\n',
        )
        self.assertEqual(result.stderr, '')

    def test_says_when_there_is_nothing_to_do(self) -> None:
        self.migration('001_first.py')
        self.register('001_first.py')
        result = self.assert_ok(self.fab('migrations'))
        self.assertEqual(result.results, 'All migrations registered\n')
        self.assertEqual(result.stderr, '')
        self.assertEqual(self.db.list_collection_names(), ['migrations'])


class ExecuteTest(FabTest):
    """`fab migrations:execute`."""

    def test_executes_and_registers_in_order_of_number(self) -> None:
        for name in ('10_c.py', '001_a.py', '2_b.py'):
            self.migration(
                name,
                f"""
                def up(db):
                    db.ran.insert_one({{'name': '{name}'}})
                """,
            )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(
            [document['name'] for document in self.contents('ran')],
            ['001_a.py', '2_b.py', '10_c.py'],
        )
        self.assertEqual(self.registered(), ['001_a.py', '10_c.py', '2_b.py'])
        self.assertRegex(
            result.stderr,
            r'Executing 001_a\.py \(1 of 3\)\n001_a\.py executed in .*\n'
            r'Executing 2_b\.py \(2 of 3\)\n2_b\.py executed in .*\n'
            r'Executing 10_c\.py \(3 of 3\)\n10_c\.py executed in .*\n$',
        )

    def test_executes_nothing_twice(self) -> None:
        self.migration('001_first.py', NOTES)
        result = self.assert_ok(self.fab('migrations:execute', 'migrations:execute'))
        self.assertEqual(result.results, 'All migrations registered\n')
        self.assertEqual(len(result.stderr.splitlines()), 2, result.said)
        self.assertEqual(self.contents('notes'), [{'content': 'test'}])

    def test_executes_the_one_that_is_named(self) -> None:
        self.migration('001_first.py', NOTES)
        self.migration('002_second.py', NOTES)
        self.assert_ok(self.fab('migrations:execute,002_second.py'))
        self.assertEqual(self.registered(), ['002_second.py'])
        self.assertEqual(len(self.contents('notes')), 1)
        # A name in short, and the one in front, which is late now.
        result = self.assert_ok(self.fab('migrations:execute,1'))
        self.assertEqual(self.registered(), ['001_first.py', '002_second.py'])
        self.assertIn('001_first.py executed', result.stderr)


class IgnoreTest(FabTest):
    """`fab migrations:ignore`."""

    def test_registers_without_executing(self) -> None:
        self.migration('001_first.py', NOTES)
        self.migration('002_second.py', 'this is no Python')
        self.migration('003_third.py', NOTES)
        result = self.assert_ok(self.fab('migrations:ignore,002_second'))
        self.assertEqual(
            result.stderr,
            '002_second.py ignored\nIt counts as applied and will not run. To have it'
            ' pending again: fab migrations:forget,002_second.py\n',
        )
        self.assertEqual(self.registered(), ['002_second.py'])
        result = self.assert_ok(self.fab('migrations:ignore', 'migrations:ignore'))
        self.assertEqual(
            result.stderr,
            '001_first.py ignored\n003_third.py ignored\n'
            'They count as applied and will not run. To have the first one pending'
            ' again: fab migrations:forget,001_first.py\n',
        )
        self.assertEqual(result.results, 'All migrations registered\n')
        self.assertEqual(len(self.registered()), 3)
        self.assertEqual(self.contents('notes'), [])


class RollbackTest(FabTest):
    """`fab migrations:rollback,NAME`."""

    def test_undoes_what_execute_did(self) -> None:
        """What 1.0 refused."""
        self.migration('001_first.py', NOTES)
        self.assert_ok(self.fab('migrations:execute'))
        result = self.assert_ok(self.fab('migrations:rollback,001_first.py'))
        self.assertIn('001_first.py rolled back', result.stderr)
        self.assertEqual((self.contents('notes'), self.registered()), ([], []))

    def test_runs_down_of_an_unregistered_one_where_that_is_wanted(self) -> None:
        self.migration('001_first.py', NOTES)
        self.db.notes.insert_one({'content': 'test'})
        self.assert_error(
            self.fab('migrations:rollback,001'),
            '001_first.py is not applied, so there is nothing to roll back; nothing was'
            ' done.\nSee what is applied: fab migrations:list\n'
            'A down() would undo what was never done; force=yes runs one all the'
            ' same.\n',
        )
        self.assertEqual(self.contents('notes'), [{'content': 'test'}])
        self.assert_ok(self.fab('migrations:rollback,001,force=yes'))
        self.assertEqual((self.contents('notes'), self.registered()), ([], []))

    def test_without_a_name_says_which_was_executed_last(self) -> None:
        for name in ('001_first.py', '002_second.py', '003_third.py'):
            self.migration(name, NOTES)
        self.assert_ok(
            self.fab(
                'migrations:execute,2', 'migrations:execute,1', 'migrations:ignore,3'
            )
        )
        message = self.error('migrations:rollback')
        self.assertIn('001_first.py was executed last', message)
        self.assertIn('type: fab migrations:rollback,001_first.py', message)
        self.assertEqual(len(self.registered()), 3)
        self.assertEqual(len(self.contents('notes')), 2)

    def test_without_a_name_where_nothing_has_been_executed(self) -> None:
        self.migration('001_first.py', NOTES)
        self.assertIn(
            'No migration has been executed', self.error('migrations:rollback')
        )
