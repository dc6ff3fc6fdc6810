"""Files that were written for other tools, and `async` ones."""

from __future__ import annotations

import asyncio
import sys
from textwrap import dedent
from typing import Any
from unittest import mock

from pymongo import AsyncMongoClient
from pymongo.errors import InvalidOperation

from migopy import MigopyException
from migopy.files.other_databases import other_tool
from tests.commands import Commands
from tests.project import FabTest, PlainTest

PYMONGO_MIGRATE = """
    name = '20190320_add'
    dependencies = []

    def upgrade(db):
        db.notes.insert_one({'n': 1})

    def downgrade(db):
        db.notes.delete_one({'n': 1})
    """

#: What mongodb_migrations.base has, as far as its files see it.
BASE = """
    class BaseMigration:
        def __init__(self, host):
            raise AssertionError('it would connect')
    """

MONGODB_MIGRATIONS = """
    from mongodb_migrations_stub import BaseMigration

    class Migration(BaseMigration):
        def upgrade(self):
            self.add(1)

        def downgrade(self):
            self.db.notes.delete_one({'n': 1})

        def add(self, n):
            self.db['notes'].insert_one({'n': n})
    """

MIGRATE = "def migrate(db): db.notes.insert_one({'n': 1})"

NOTHING_FIRST = 'def up(db): pass'

#: Files of tools for SQL databases, as these make them.
OF_SQL = {
    'Django': """
        from django.db import migrations, models

        class Migration(migrations.Migration):
            initial = True
            dependencies = []
            operations = [migrations.CreateModel('Note', [])]
        """,
    'South': """
        from south.db import db
        from south.v2 import SchemaMigration

        class Migration(SchemaMigration):
            def forwards(self, orm): db.create_table('notes', ())
            def backwards(self, orm): db.delete_table('notes')
        """,
    'Alembic': """
        from alembic import op

        revision = '20150325_0059'
        down_revision: str | None = None

        def upgrade() -> None: op.create_table('notes')
        def downgrade() -> None: op.drop_table('notes')
        """,
    'Aerich': """
        from tortoise import BaseDBAsyncClient

        async def upgrade(db: BaseDBAsyncClient) -> str: return 'CREATE TABLE notes'
        async def downgrade(db: BaseDBAsyncClient) -> str: return 'DROP TABLE notes'
        """,
    'sqlalchemy-migrate': """
        from sqlalchemy import MetaData, Table

        def upgrade(migrate_engine):
            Table('notes', MetaData(bind=migrate_engine)).create()
        """,
    'peewee-migrate': """
        import peewee

        def migrate(migrator, database=None, *, fake=False): migrator.sql('SELECT 1')
        """,
    'yoyo': """
        from yoyo import step

        steps = [step('CREATE TABLE notes (n INT)', 'DROP TABLE notes')]
        """,
}

ASYNC = """
    import asyncio

    async def require(db):
        return await db.notes.count_documents({}) == 0

    async def up(db):
        assert type(db).__name__ == 'AsyncDatabase', type(db)
        await db.notes.insert_many([{'n': 1}, {'n': 2}])
        await asyncio.sleep(0)
        async for note in db.notes.find():
            await asyncio.create_task(
                db.notes.update_one({'_id': note['_id']}, {'$set': {'seen': True}})
            )

    async def verify(db):
        return await db.notes.count_documents({'seen': True}) == 2

    async def down(db):
        await db.notes.delete_many({})
    """


class ShapesTest(PlainTest):
    def refused(self, name: str, text: str) -> str:
        self.migration(name, text)
        with self.assertRaises(MigopyException) as caught:
            self.manager().execute()
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.contents('notes'), [])
        return str(caught.exception)

    def test_of_other_tools_run_as_they_are(self) -> None:
        self.write('mongodb_migrations_stub.py', BASE)
        for text in (PYMONGO_MIGRATE, MONGODB_MIGRATIONS):
            self.migration('001_x.py', text)
            with mock.patch.object(sys, 'path', [str(self.folder), *sys.path]):
                manager = self.manager()
                manager.execute()
                self.assertEqual(self.contents('notes'), [{'n': 1}])
                manager.rollback('1')
            self.assertEqual(self.contents('notes'), [])
            self.assertIn(
                '001_x.py rolled back', '\n'.join(self.logger.of('white_bold'))
            )

    def test_migrate_alone_is_an_up(self) -> None:
        self.migration('001_x.py', MIGRATE)
        manager = self.manager()
        manager.execute()
        self.assertEqual(self.contents('notes'), [{'n': 1}])
        with self.assertRaisesRegex(MigopyException, 'has no function `down`'):
            manager.rollback('1')

    def test_one_that_takes_more_is_named_as_it_is_called_there(self) -> None:
        for name in ('up', 'upgrade', 'migrate'):
            with self.subTest(name):
                message = self.refused('001_x.py', f'def {name}(db, session): pass')
                self.assertIn(f'a function `{name}` that cannot be called', message)
                self.assertIn('Write `def up(db):` in it', message)

    def test_migopy_s_own_come_first(self) -> None:
        self.migration('001_x.py', PYMONGO_MIGRATE + '\n    def up(db): pass')
        self.manager().execute()
        self.assertEqual(self.contents('notes'), [])

    def test_their_way_back_is_offered_where_one_fails(self) -> None:
        self.migration('001_x.py', PYMONGO_MIGRATE.replace("'n': 1})", "'n': 1}); 1/0"))
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        told = self.logger.of('red')[-1]
        self.assertIn('fab migrations:rollback,001_x.py  - run its down', told)

    def test_a_script_is_not_run_by_looking_for_what_it_has(self) -> None:
        """It would be on each try, the dry ones as well."""
        uri = self.manager().db.client.address
        script = f"""
            from pymongo import MongoClient
            db = MongoClient({uri!r}[0], {uri!r}[1], directConnection=True)
            db[{self.db.name!r}].notes.insert_one({{'n': 1}})
            """
        message = self.refused('001_x.py', script)
        self.assertIn('has no function `up`, so nothing was run', message)
        self.assertEqual(self.contents('notes'), [])
        for command, options in (
            ('execute', {'dry_run': 'yes'}),
            ('preflight', {}),
            ('check', {'offline': 'yes'}),
        ):
            with self.subTest(command):
                with self.assertRaises(MigopyException):
                    self.manager().perform(command, (), options)
                self.assertEqual(self.contents('notes'), [])

    def test_a_file_that_gives_itself_its_functions_is_none(self) -> None:
        """1.0 took such files."""
        self.migration(
            '__init__.py',
            """
            import sys

            def register(name, **functions):
                vars(sys.modules[name]).update(functions)
            """,
        )
        own = """
            def run(db): db.ran.insert_one({'n': __name__})
            print(run.__name__)
            """
        for number, line in enumerate(
            (
                'import sys; sys.modules[__name__].up = run',
                'from sys import modules; modules[__name__].up = run',
                'import sys; this = sys.modules[__name__]; this.up = this.down = run',
                'from . import register; register(__name__, up=run)',
                'import mongomigrations as m; m.register(name=__name__, up=run)',
            ),
            start=1,
        ):
            self.migration(f'{number:03}_x.py', f'{dedent(own)}{line}')
        self.manager().execute()
        self.assertEqual(len(self.contents('ran')), 5)

    def test_a_script_with_a_logger_of_its_own_name_is_one(self) -> None:
        message = self.refused(
            '001_x.py',
            """
            import logging
            log = logging.getLogger(__name__)
            logging.getLogger(__name__).setLevel('INFO')
            if __name__ == '__main__':
                print('run by hand')
            raise AssertionError(log.info('imported'))
            """,
        )
        self.assertIn('has no function `up`, so nothing was run', message)

    def test_what_an_import_has_written_is_told_wherever_it_happens(self) -> None:
        uri = self.manager().db.client.address
        text = f"""
            from pymongo import MongoClient
            db = MongoClient({uri!r}[0], {uri!r}[1], directConnection=True)
            db[{self.db.name!r}].notes.insert_one({{'n': 1}})

            def up(db):
                db.notes.update_many({{}}, {{'$set': {{'n': 2}}}})
            """
        self.migration('001_x.py', text)
        self.migration('002_y.py', 'def up(db): pass')
        for count, (command, options) in enumerate(
            (('execute', {'dry_run': 'yes'}), ('preflight', {}), ('execute', {})), 1
        ):
            with self.subTest(command, **options):
                self.logger.said.clear()
                self.manager().perform(command, (), options)
                self.assertEqual(len(self.contents('notes')), count)
                said = '\n'.join(text for _, text in self.logger.said)
                self.assertIn(
                    '001_x.py has written while it was imported:'
                    f' {self.db.name}.notes 1 inserted.',
                    said,
                )
                self.assertNotIn('nothing was changed\n', f'{said}\n')
                if options:
                    self.assertIn(
                        'Dry run: nothing was changed but what the import of 001_x.py'
                        ' has written',
                        said,
                    )

    def test_files_of_sql_databases_are_told_and_neither_imported_nor_run(self) -> None:
        """Aerich's would return its SQL and be registered as executed."""
        for tool, text in OF_SQL.items():
            for name, first in (('0001_x.py', ''), ('0002_x.py', NOTHING_FIRST)):
                with self.subTest(tool, first=first):
                    self.write('mongomigrations/0001_x.py', first)
                    told = 'raise AssertionError("imported")'
                    message = self.refused(name, f'{dedent(text)}\n{told}\n')
                    self.assertIn(f'{name} is a file of {tool} (', message)
                    self.assertIn('not for MongoDB, so nothing was done.', message)
                    self.assertIn('set MIGRATIONS_DIRECTORY in ', message)

    def test_such_a_file_among_others_is_a_problem_of_the_check(self) -> None:
        self.migration('0001_x.py', NOTHING_FIRST)
        self.migration('0002_x.py', OF_SQL['Django'])
        with self.assertRaises(MigopyException):
            self.manager().check(offline='yes')
        said = '\n'.join(text for _, text in self.logger.said)
        self.assertIn(
            'mongomigrations/0002_x.py:1: 0002_x.py is a file of Django', said
        )

    def test_a_folder_of_an_sql_database_is_left_as_it_is(self) -> None:
        """Django refuses to start where a file of its folder is no migration of its."""
        for name, text in (
            ('0001_initial.py', OF_SQL['Django']),
            ('0001_initial.py', OF_SQL['Aerich']),
            ('1975ea83b712_x.py', OF_SQL['Alembic']),
            ('env.py', 'from alembic import context'),
        ):
            folder = self.folder / 'mongomigrations'
            for each in folder.iterdir():
                each.unlink()
            self.write(f'mongomigrations/{name}', text)
            for command, values, options in (
                ('show_status', (), {}),
                ('list', (), {}),
                ('execute', (), {}),
                ('ignore', (), {}),
                ('create', ('add_x',), {}),
                ('preflight', (), {}),
                ('check', (), {}),
                ('check', (), {'offline': 'yes'}),
            ):
                with self.subTest(name, command=command, **options):
                    with self.assertRaises(MigopyException) as caught:
                        self.manager().perform(command, values, options)
                    self.assertIn(f'{name} is a file of ', str(caught.exception))
                    self.assertEqual([each.name for each in folder.iterdir()], [name])

    def test_one_that_reads_from_an_sql_database_is_for_mongodb(self) -> None:
        for text in (
            'from django.db import connection\ndef up(db): pass',
            'import django.db\nclass Migration:\n def upgrade(self): pass',
            'revision = down_revision = 1\ndef up(db): pass',
            'revision = down_revision = 1\ndef upgrade(db): pass',
            'from alembic import op\ndef upgrade(db): pass',
            'import yoyo\ndef upgrade(db): pass',
            '# south, migrator\ndef migrate(db): pass',
        ):
            with self.subTest(text):
                self.assertIsNone(other_tool(text.encode()))

    def test_of_beanie_and_mongomig_are_told_by_their_names(self) -> None:
        for tool, text in (
            ('beanie', 'class Forward: ...\nclass Backward: ...'),
            ('mongomig', 'mongomig_format = 1\ndef upgrade(ctx): ...'),
        ):
            message = self.refused('001_x.py', text)
            self.assertIn(f'001_x.py is a migration of {tool}', message)
            self.assertIn('Write `def up(db):` in it', message)
            self.assertIn('fab migrations:ignore,001_x.py', message)

    def test_operations_of_mongrator_are_not_taken_for_done(self) -> None:
        message = self.refused(
            '001_x.py',
            """
            class Operation:
                def apply(self, db): db.notes.insert_one({})

            def up(db): return [Operation()]
            """,
        )
        self.assertIn('its up returned a list of Operation', message)
        self.assertIn('Do the work within up(db) (call apply(db) of each)', message)

    def test_a_fabfile_has_its_own_shapes(self) -> None:
        def migration_functions(self: Any, module: Any) -> Any:
            return {'up': module.RUN['forwards'], 'down': module.RUN['backwards']}

        self.migration(
            '001_x.py',
            """
            RUN = {
                'forwards': lambda db: db.notes.insert_one({'n': 1}),
                'backwards': lambda db: db.notes.delete_many({}),
            }
            """,
        )
        manager = self.manager(migration_functions=migration_functions)
        manager.execute()
        self.assertEqual(self.contents('notes'), [{'n': 1}])
        manager.rollback('1')
        self.migration('001_x.py', 'RUN = {}')
        with self.assertRaises(MigopyException) as caught:
            manager.execute()
        self.assertIn('001_x.py cannot be imported', str(caught.exception))
        self.assertIn("KeyError: 'forwards'", str(caught.exception))


#: As a file of pymongo-migrate has it.
INSERT = 'def upgrade(db): db.ran.insert_one({})'


class DependenciesTest(PlainTest):
    def file(self, name: str, dependencies: object, given: str = '') -> None:
        self.migration(
            name,
            f'{f"name = {given!r}" if given else ""}\ndependencies = {dependencies!r}\n'
            'def upgrade(db): db.ran.insert_one({})',
        )

    def refused(self, *names: str) -> str:
        with self.assertRaises(MigopyException) as caught:
            self.manager().execute(*names)
        self.assertEqual(self.contents('ran'), [])
        return str(caught.exception)

    def test_that_agree_with_the_order_are_fine(self) -> None:
        self.file('001_a.py', [])
        self.file('002_b.py', ['001_a'])
        self.file('003_c.py', ['002_b', '001_a.py'])
        manager = self.manager()
        manager.execute(to='2')
        manager.execute()
        self.assertEqual(len(self.registered()), 3)

    def test_by_the_name_in_a_file_that_was_renamed(self) -> None:
        self.file('001_a.py', [], given='20190320_add')
        self.file('002_b.py', ['20190320_add'])
        manager = self.manager()
        manager.execute('1')
        manager.execute('2')
        self.assertEqual(len(self.registered()), 2)

    def test_of_what_stays_applied_rollback_tells(self) -> None:
        down = '\ndef downgrade(db): pass'
        self.migration('001_a.py', f"name = '2019_a'\n{INSERT}{down}")
        self.migration('002_b.py', f"dependencies: list = ['2019_a']\n{INSERT}{down}")
        self.migration('003_c.py', f"needs = ['001_a']\n{INSERT}{down}")
        self.migration('004_d.py', f"dependencies = ['003_c']\n{INSERT}{down}")
        manager = self.manager()
        manager.execute()
        manager.rollback('1', dry_run='yes')
        manager.rollback('1')
        said = self.logger.of('white')
        for name in ('002_b.py', '003_c.py'):
            line = f'{name} depends on 001_a.py, and stays applied'
            self.assertEqual(said.count(line), 2)
        self.logger.said.clear()
        manager.rollback(last=3)
        self.assertNotIn('depends', '\n'.join(self.logger.of('white')))

    def test_that_do_not_are_refused_before_anything_runs(self) -> None:
        self.file('001_a.py', ['002_b'])
        self.file('002_b.py', [])
        message = self.refused()
        self.assertIn('001_a.py depends on 002_b.py, which comes after it', message)

    def test_one_that_is_not_applied_is_named(self) -> None:
        self.file('001_a.py', [])
        self.file('002_b.py', ['001_a'])
        message = self.refused('2')
        self.assertIn('002_b.py depends on 001_a.py, which is not applied', message)
        self.assertIn('fab migrations:execute,001_a.py', message)

    def test_what_there_is_not_is_refused_and_what_is_no_list(self) -> None:
        self.file('001_a.py', ['000_gone'])
        self.assertIn('depends on 000_gone, which has no file here', self.refused())
        self.file('001_a.py', 5)
        self.assertIn('which is no list of names', self.refused())

    def test_of_a_file_of_migopy_s_own_shape_they_are_its_own_matter(self) -> None:
        self.migration('001_a.py', 'dependencies = 5\ndef up(db): db.a.insert_one({})')
        self.manager().execute()
        self.assertEqual(self.contents('a'), [{}])


class AsyncTest(PlainTest):
    """An `async` file is as a plain one: effects, transaction, dry run."""

    def effects(self) -> list[str]:
        return [each for each in self.logger.of('white_bold') if 'notes' in each]

    def test_runs_to_its_end_with_its_effects(self) -> None:
        self.migration('001_x.py', ASYNC)
        manager = self.manager()
        manager.execute()
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 2)
        [said] = self.effects()
        self.assertIn('notes 2 inserted, 2 updated', said)
        manager.verify('1')
        manager.rollback('1')
        self.assertEqual(self.contents('notes'), [])

    def test_tasks_that_it_has_not_awaited_are_waited_for(self) -> None:
        """Python would cancel them; not one that waits for what never comes."""
        text = """
            import asyncio

            async def serve(queue):
                await queue.get()

            async def up(db):
                global tasks
                tasks = [asyncio.create_task(serve(asyncio.Queue()))]
                for number in range(20):
                    one = {'_id': number}
                    tasks.append(asyncio.create_task(db.notes.insert_one(one)))
            """
        self.migration('001_x.py', text)
        self.manager().execute()
        self.assertIn('notes 20 inserted', self.effects()[0])
        # All of them fail now, in a task that nobody waits for.
        self.migration('002_y.py', text)
        with self.assertRaisesRegex(Exception, 'E11000'):
            self.manager().execute()
        self.assertEqual(self.registered(), ['001_x.py'])

    def test_its_client_ends_without_a_last_word(self) -> None:
        """So no command waits there for a server that has gone."""
        self.migration('001_x.py', ASYNC)
        commands = Commands()
        options = {'event_listeners': [commands]}
        manager = self.manager(MONGO_CLIENT_OPTIONS=options)
        manager.execute()
        manager.disconnect()
        self.assertIn('update', commands.names)
        self.assertNotIn('endSessions', commands.names)

    def test_one_that_fails_after_a_write_is_unfinished(self) -> None:
        self.migration(
            '001_x.py',
            'async def up(db):\n    await db.notes.insert_one({})\n    1 / 0',
        )
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        told = self.logger.of('red')[-1]
        self.assertIn('001_x.py", line 3, in up', told)
        self.assertIn('written already (notes 1 inserted), so it is unfinished', told)

    def test_in_a_transaction_it_is_all_or_nothing(self) -> None:
        self.migration('001_x.py', f'{ASYNC}\n    transaction = True')
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_x.py'])
        self.assertEqual(self.db.notes.count_documents({'seen': True}), 2)
        self.migration(
            '002_y.py',
            """
            transaction = True

            async def up(db):
                await db.notes.insert_one({})
                assert await db.notes.count_documents({}) == 3
                await db.other.insert_one({})
                1 / 0
            """,
        )
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        self.assertIn('so nothing was changed', self.logger.of('red')[-1])
        self.assertEqual(self.db.notes.count_documents({}), 2)
        self.assertEqual(self.contents('other'), [])

    def test_a_transaction_is_tried_again(self) -> None:
        self.migration(
            '001_x.py',
            """
            import pymongo

            transaction = True
            tried = []

            async def up(db):
                await db.notes.update_one({'_id': 1}, {'$inc': {'n': 1}})
                tried.append(1)
                if len(tried) == 1:
                    labels = {'errorLabels': ['TransientTransactionError']}
                    raise pymongo.errors.OperationFailure('again', 251, labels)
            """,
        )
        self.db.notes.insert_one({'_id': 1, 'n': 0})
        self.manager().execute()
        self.assertEqual(self.contents('notes'), [{'n': 1}])

    def test_what_would_write_past_the_transaction_is_refused(self) -> None:
        self.migration(
            '001_x.py',
            f"""
            import pymongo

            transaction = True

            async def up(db):
                await db.notes.insert_one({{}})
                async with pymongo.AsyncMongoClient({self.uri!r}) as client:
                    await client[db.name].notes.insert_one({{}})
            """,
        )
        with self.assertRaisesRegex(InvalidOperation, 'bound session'):
            self.manager().execute()
        told = self.logger.of('red')[-1]
        self.assertIn('A transaction cannot do this', told)
        self.assertEqual(self.contents('notes'), [])

    def test_where_it_cannot_share_the_transaction_nothing_is_run(self) -> None:
        self.migration('001_x.py', f'{ASYNC}\n    transaction = True')
        router = mock.patch('migopy.run.asynchronous.has_one_log', return_value=False)
        # A release of PyMongo that keeps what is shared in another place.
        strange = mock.patch.object(
            AsyncMongoClient, 'start_session', lambda self: object()
        )
        for patch, why in ((router, 'router'), (strange, 'this release of PyMongo')):
            with patch, self.assertRaisesRegex(MigopyException, why):
                self.manager().execute()
            told = self.logger.of('red')[-1]
            self.assertIn('An async function cannot be part of it here', told)
            self.assertIn('A transaction cannot do this. Nothing was changed', told)
            self.assertEqual(self.contents('notes'), [])
        self.manager().execute()

    def test_a_dry_run_shows_it_beside_plain_ones(self) -> None:
        self.migration('001_w.py', 'def up(db): db.other.insert_one({})')
        self.migration('002_x.py', ASYNC)
        self.migration(
            '003_y.py',
            'def up(db): db.notes.update_many({"seen": True}, {"$set": {"n": 0}})',
        )
        self.manager().execute(dry_run='yes')
        said = self.logger.of('white_bold')
        self.assertIn('002_x.py would do: notes 2 inserted, 2 updated', said)
        self.assertIn('003_y.py would do: notes 2 updated', said)
        for name in ('notes', 'other', 'migrations', 'migrations_history'):
            self.assertEqual(self.contents(name), [])

    def test_a_check_that_would_write_is_refused(self) -> None:
        self.migration(
            '001_x.py',
            'def up(db): pass\nasync def verify(db): await db.notes.insert_one({})',
        )
        with self.assertRaisesRegex(MigopyException, 'its verify tried to write'):
            self.manager().execute()
        self.assertEqual(self.contents('notes'), [])

    def test_where_an_event_loop_runs_it_is_told_before_anything_does(self) -> None:
        self.migration('001_w.py', 'def up(db): db.notes.insert_one({})')
        self.migration('002_x.py', ASYNC)
        manager = self.manager()

        async def inside() -> None:
            with self.assertRaisesRegex(MigopyException, 'asyncio.to_thread'):
                manager.execute()
            self.assertEqual(self.contents('notes'), [])
            self.migration('001_w.py', 'def up(db): pass')
            await asyncio.to_thread(manager.execute)

        asyncio.run(inside())
        self.assertEqual(len(self.registered()), 2)

    def test_a_method_of_a_class_may_be_async_too(self) -> None:
        self.migration(
            '001_x.py',
            """
            class Migration:
                async def upgrade(self):
                    await self.db.notes.insert_one({'n': 1})
            """,
        )
        self.manager().execute()
        self.assertEqual(self.contents('notes'), [{'n': 1}])


class InterruptedTest(FabTest):
    def test_ctrl_c_in_an_async_one_is_told(self) -> None:
        self.migration(
            '001_x.py',
            """
            import asyncio, os, signal

            async def up(db):
                await db.notes.insert_one({})
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(60)
            """,
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 130, result.said)
        self.assertIn('001_x.py was interrupted in its up', result.stderr)
        self.assertIn('so it is unfinished', result.stderr)
