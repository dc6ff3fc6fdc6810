"""What migopy keeps is not taken away by a migration."""

from __future__ import annotations

from typing import Any

from migopy import MigopyException
from tests.fleets import FleetTest
from tests.project import FabTest, PlainTest
from tests.shapes import up

TOP = 'from contextlib import suppress'

#: What takes away the lock, or which migrations have run, and what it is for.
TAKING = {
    'db.client.drop_database(db.name)': 'dropDatabase on {db})',
    'db.drop_collection("migrations_lock")': 'drop on {db}.migrations_lock)',
    'for name in db.list_collection_names(): db[name].drop()': 'drop on {db}.migr',
    'for name in db.list_collection_names(): db[name].delete_many({})': 'delete on',
    'db.migrations_history.rename("old")': 'renameCollection on {db}.migrations_hist',
    'db.a.rename("migrations_lock", dropTarget=True)': 'renameCollection on {db}.a)',
    'db.a.aggregate([{"$out": "migrations"}])': 'aggregate on {db}.migrations)',
    'db["migrations_undo.1"].drop()': 'drop on {db}.migrations_undo.1)',
    # A refusal that is swallowed is told all the same.
    'with suppress(BaseException): db.migrations.drop()': 'drop on',
}

#: What changes single documents there, or takes away something else.
LEAVING = """
    db.migrations.update_one({"name": "000_x.py"}, {"$set": {"name": "000_y.py"}})
    db.migrations.delete_many({"name": "no.py"})
    db.migrations.aggregate([{"$merge": "migrations"}])
    for name in db.list_collection_names():
        db[name].update_many({}, {"$set": {"tenant": 1}})
        db[name].create_index("tenant")
    db.a.aggregate([{"$out": "b"}])
    db.a.delete_many({})
    db.b.rename("a", dropTarget=True)
    db.a.drop()
    db.migrations_of_birds.drop()
    db.client.drop_database("migopy_no_such")
    """


class OwnTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.migration('000_x.py', up('db.a.insert_one({"_id": 1})'))
        self.manager().execute()

    def refused(self, command: str, **options: Any) -> str:
        with self.assertRaises(MigopyException) as caught:
            self.manager().perform(command, (), options)
        return str(caught.exception)

    def test_what_takes_it_away_is_refused_before_it_is_sent(self) -> None:
        for body, told in TAKING.items():
            for options in ({'dry_run': 'yes'}, {}):
                with self.subTest(body, **options):
                    self.migration('001_x.py', up(body, TOP))
                    message = self.refused('execute', **options)
                    self.assertIn(told.format(db=self.db.name), message)
                    self.assertIn('refused before it was sent', message)
                    self.assertIn(
                        'leave out migrations, migrations_history, migrations_lock,'
                        ' migrations_undo',
                        message,
                    )
                    self.assertEqual(self.registered(), ['000_x.py'])
            # Of a loop that had taken something else away before, it is known.
            runs = list(self.db.migrations_history.find({'name': '001_x.py'}))
            self.assertEqual([each['outcome'] for each in runs], ['failed'])
            self.db.migrations_history.delete_many({'name': '001_x.py'})
            self.db.a.replace_one({'_id': 1}, {}, upsert=True)

    def test_all_else_is_done(self) -> None:
        self.migration('001_x.py', up(LEAVING))
        self.manager().execute()
        self.assertEqual(self.registered(), ['000_y.py', '001_x.py'])
        self.assertEqual(self.contents('migrations_lock'), [])
        self.assertEqual(self.contents('a'), [])

    def test_a_rollback_is_refused_it_and_so_is_a_transaction(self) -> None:
        down = 'def down(db):\n    db.client.drop_database(db.name)'
        for top in ('', 'transaction = True\n'):
            self.migration('001_x.py', f'{top}def up(db): pass\n{down}')
            self.manager().execute()
            with self.assertRaisesRegex(MigopyException, 'refused before it was sent'):
                self.manager().rollback('1')
            self.assertIn('001_x.py', self.registered())
            self.db.migrations_history.delete_many({'name': '001_x.py'})
            self.db.migrations.delete_one({'name': '001_x.py'})

    def test_an_async_function_is_refused_it_as_well(self) -> None:
        for body in (
            'await db.client.drop_database(db.name)',
            'await asyncio.gather(db.migrations.drop(), return_exceptions=True)',
        ):
            text = f'import asyncio\nasync def up(db):\n    {body}'
            self.migration('001_x.py', text)
            with self.subTest(body):
                self.assertIn('refused before it was sent', self.refused('execute'))
                self.assertEqual(self.registered(), ['000_x.py'])

    def test_under_another_name_it_is_refused_as_well(self) -> None:
        self.migration('000_x.py', up('db.migrations.drop()'))
        self.manager(MIGRATIONS_COLLECTION='ours').execute()
        self.migration('001_x.py', up('db.ours_lock.drop()'))
        with self.assertRaisesRegex(MigopyException, 'leave out ours, ours_history'):
            self.manager(MIGRATIONS_COLLECTION='ours').execute()


class OwnTypedTest(FabTest):
    def test_a_rehearsal_finds_it_and_execute_says_what_is_left(self) -> None:
        self.db.a.insert_one({'_id': 1})
        body = """
            db.a.drop()
            db.client.drop_database(db.name)
            """
        self.migration('001_x.py', up(body))
        told = self.fab('migrations:rehearse').said
        self.assertIn('refused before it was sent', told)
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        self.assertIn('(dropDatabase on ', result.stderr)
        self.assertIn(
            'It may have written already (collection a dropped)', result.stderr
        )
        told = self.fab('migrations').said
        self.assertIn('001_x.py', told)
        self.assertIn('Unfinished: 001_x.py', told)

    def test_a_thread_is_refused_it_as_well(self) -> None:
        body = """
            thread = Thread(target=db.migrations_lock.drop)
            thread.start()
            thread.join()
            """
        self.migration('001_x.py', up(body, 'from threading import Thread'))
        for typed in ('migrations:execute,dry_run=yes', 'migrations:execute'):
            result = self.fab(typed)
            self.assertEqual(result.status, 1)
            self.assertIn('refused before it was sent', result.stderr)
        self.assertEqual(self.registered(), [])


class OwnOfManyTest(FleetTest):
    """What is kept in the other databases that are for the same migrations."""

    def test_no_migration_takes_away_another_tenant(self) -> None:
        other, free = self.name('b'), f'{self.db.name}x'
        self.client[free].a.insert_one({})
        self.addCleanup(self.client.drop_database, free)
        for body in (
            f'db.client.drop_database({other!r})',
            f'db.client[{other!r}].migrations_lock.drop()',
            f'db.client.drop_database({free!r})',
        ):
            self.migration('001_x.py', up(f'if db.name.endswith("_a"): {body}'))
            for typed in ('execute,dry_run=yes', 'execute'):
                with self.subTest(body, typed=typed):
                    result = self.fab(f'migrations:{typed},only={self.name("*")}')
                    is_refused = 'that was refused before' in result.said.lower()
                    self.assertEqual(is_refused, other in body, result.said)
        self.assertEqual(self.names_in('b'), ['001_x.py'])
        self.assertEqual(self.client[free].a.count_documents({}), 0)
        self.assertEqual(self.names_in('a'), ['001_x.py'])
