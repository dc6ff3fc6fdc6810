"""A look before: what migrations would do, without a trace of having tried."""

from __future__ import annotations

from typing import Any

from migopy.signals import HELD, Held, Terminated
from tests.project import FabTest, PlainTest

LOAD = """
    def up(db):
        db.notes.create_index('n')
        db.notes.insert_many([{'n': n} for n in range(3)])

    def down(db):
        db.notes.drop()
"""

CHANGE = """
    def up(db):
        db.notes.update({'n': {'$gt': 0}}, {'$set': {'big': True}}, multi=True)
        db.old.delete_many({})

    def down(db):
        db.notes.update_many({}, {'$unset': {'big': ''}})
"""


class DryRunTest(FabTest):
    """`fab migrations:execute,dry_run=yes`."""

    def everything(self) -> dict[str, Any]:
        """Hash all collections and list their indexes, of all databases."""
        state: dict[str, Any] = {}
        for name in self.client.list_database_names():
            if name in ('admin', 'config', 'local'):
                continue
            db = self.client[name]
            state[name] = (
                db.command('dbHash')['md5'],
                {each: db[each].index_information() for each in collections(db)},
            )
        return state

    def test_shows_what_each_would_do_and_changes_nothing(self) -> None:
        self.db.old.insert_many([{}, {}])
        self.migration('001_load.py', LOAD)
        self.migration('002_change.py', CHANGE)
        before = self.everything()
        result = self.assert_ok(self.fab('migrations:execute,dry_run=yes'))
        self.assertIn('001_load.py would do: ', result.stderr)
        self.assertIn('3 inserted, index n_1 made', result.stderr)
        self.assertIn(
            '002_change.py would do: notes 2 updated; old 2 deleted', result.stderr
        )
        self.assertEqual(self.everything(), before)
        # What it showed is what happens.
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('notes 2 updated; old 2 deleted', result.stderr)

    def test_selects_as_execute_does(self) -> None:
        for number in range(1, 5):
            self.migration(
                f'{number:03}_x.py', f'def up(db): db.x{number}.insert_one({{}})'
            )
        before = self.everything()
        one = self.assert_ok(self.fab('migrations:execute,3,dry_run=yes'))
        self.assertIn('x3 1 inserted', one.stderr)
        self.assertNotIn('x1', one.stderr)
        some = self.assert_ok(self.fab('migrations:execute,to=2,dry_run=yes'))
        self.assertIn('x2 1 inserted', some.stderr)
        self.assertNotIn('x3', some.stderr)
        self.assertEqual(self.everything(), before)

    def test_makes_no_dump(self) -> None:
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                'MONGO_DATABASE', 'DO_MONGO_DUMP = True; MONGO_DATABASE'
            ),
        )
        self.migration('001_load.py', LOAD)
        before = self.everything()
        self.assert_ok(self.fab('migrations:execute,dry_run=yes'))
        self.assertEqual(self.everything(), before)
        self.assertFalse((self.folder / 'mongodumps').exists())

    def test_a_drop_does_not_end_it(self) -> None:
        self.db.old.insert_one({})
        self.migration('001_load.py', LOAD)
        self.migration('002_drop.py', 'def up(db):\n    db.old.drop()')
        self.migration('003_change.py', CHANGE)
        before = self.everything()
        result = self.fab('migrations:execute,dry_run=yes')
        self.assert_ok(result)
        self.assertIn('001_load.py would do', result.stderr)
        self.assertIn('002_drop.py would do: collection old dropped', result.stderr)
        self.assertIn('would drop collection old: 1 document', result.stderr)
        self.assertIn('003_change.py would do: notes 2 updated', result.stderr)
        self.assertEqual(self.everything(), before)

    def test_tries_one_that_is_to_run_in_no_transaction(self) -> None:
        self.db.notes.insert_one({})
        self.migration(
            '001_a.py',
            'transaction = False\ndef up(db): db.notes.create_index("n")',
        )
        before = self.everything()
        result = self.assert_ok(self.fab('migrations:execute,dry_run=yes'))
        self.assertIn('001_a.py would do: notes index n_1 made', result.stderr)
        self.assertEqual(self.everything(), before)

    def test_shows_the_error_of_one_that_fails(self) -> None:
        self.migration(
            '001_a.py', 'def up(db):\n    db.notes.insert_one({})\n    1 / 0'
        )
        before = self.everything()
        result = self.fab('migrations:execute,dry_run=yes')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('001_a.py", line 3, in up', result.stderr)
        self.assertIn('changed nothing', result.stderr)
        self.assertNotIn('fabric', result.stderr)
        self.assertEqual(self.everything(), before)

    def test_rollback_can_be_tried_as_well(self) -> None:
        self.migration('001_load.py', LOAD)
        self.migration('002_change.py', CHANGE)
        self.assert_ok(self.fab('migrations:execute'))
        before = self.everything()
        result = self.assert_ok(self.fab('migrations:rollback,2,dry_run=yes'))
        self.assertIn('002_change.py would do: notes', result.stderr)
        self.assertIn('2 updated', result.stderr)
        self.assertEqual(self.everything(), before)

    def test_an_answer_that_is_neither_yes_nor_no_runs_nothing(self) -> None:
        self.migration('001_load.py', LOAD)
        before = self.everything()
        for typed in ('dry_run=ture', 'dryrun=yes', 'dry_run='):
            with self.subTest(typed):
                result = self.fab(f'migrations:execute,{typed}')
                self.assert_error(result, 'nothing was done.\nType: fab migrations:')
                self.assertEqual(self.everything(), before)

    def test_nothing_to_run_is_said(self) -> None:
        before = self.everything()
        self.assert_ok(self.fab('migrations:execute,dry_run=yes'))
        self.assertEqual(self.everything(), before)


def collections(db: Any) -> list[str]:
    """List the names of a database's collections, in order."""
    return sorted(db.list_collection_names())


class ToldToEndTest(PlainTest):
    """SIGTERM in the thread of one of many databases, which no signal reaches."""

    def test_no_other_migration_is_tried(self) -> None:
        self.migration(
            '001_a.py',
            """
            import signal
            from migopy.signals import HELD

            def up(db):
                HELD.get().number = signal.SIGTERM
            """,
        )
        self.migration('002_b.py', 'def up(db): raise AssertionError("it is tried")')
        self.addCleanup(HELD.reset, HELD.set(Held()))
        with self.assertRaises(Terminated):
            self.manager().execute(dry_run='yes')
