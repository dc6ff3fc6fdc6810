"""A manager and its task function without `fab`, and what the logger is told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

import migopy
from migopy import MigopyException
from migopy.operations.own_order import OtherOrder
from tests.project import NOTHING, PlainTest

FAILING = """
    def up(db):
        raise ZeroDivisionError('odd')
"""


class LoggerTest(PlainTest):
    """What 1.0's users test: how often each method of the logger is called."""

    def test_status_with_nothing_to_do_is_one_green(self) -> None:
        self.migration('1_a.py')
        self.register('1_a.py')
        self.manager().show_status()
        self.assertEqual(self.logger.said, [('green', 'All migrations registered')])

    def test_status_is_one_white_bold_and_a_red_for_each(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py')
        self.manager().show_status()
        self.assertEqual(len(self.logger.of('white_bold')), 1)
        self.assertEqual(self.logger.of('red'), ['1_a.py', '2_b.py'])
        self.assertEqual(self.logger.of('green'), [])

    def test_execute_is_one_white_bold_for_each(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py')
        self.manager().execute()
        first, second = self.logger.of('white_bold')
        self.assertIn('1_a.py', first)
        self.assertIn('2_b.py', second)
        self.assertEqual(self.logger.of('red'), [])

    def test_execute_of_one_is_one_white_bold(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py')
        self.manager().execute('1_a.py')
        self.assertEqual(len(self.logger.of('white_bold')), 1)

    def test_so_is_ignore(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py')
        self.manager().ignore()
        self.assertEqual(
            self.logger.said,
            [('white_bold', '1_a.py ignored'), ('white_bold', '2_b.py ignored')],
        )

    def test_so_is_rollback(self) -> None:
        self.migration('1_a.py')
        self.register('1_a.py')
        self.manager().rollback('1_a.py')
        self.assertEqual(len(self.logger.of('white_bold')), 1)

    def test_execute_and_ignore_with_nothing_to_do_show_the_status(self) -> None:
        for subtask in ('execute', 'ignore'):
            with self.subTest(subtask):
                self.logger.said.clear()
                self.assertIsNone(getattr(self.manager(), subtask)())
                self.assertEqual(self.logger.of('green'), ['All migrations registered'])
                self.assertEqual(self.logger.of('white_bold'), [])

    def test_executed_is_said_only_after_it_is_true(self) -> None:
        self.migration('1_a.py')
        registered_when_said: list[list[str]] = []
        self.logger.white_bold = (  # type: ignore[method-assign]
            lambda message: registered_when_said.append(self.registered())
        )
        self.manager().execute()
        self.assertEqual(registered_when_said, [['1_a.py']])

    def test_an_instance_may_have_its_own(self) -> None:
        manager = self.manager()
        manager.logger = mock.Mock()
        manager.show_status()
        manager.logger.green.assert_called_once()
        self.assertEqual(self.logger.said, [])


class ManagerTest(PlainTest):
    """The attributes and methods of 1.0."""

    def test_has_the_client_the_database_and_the_collection(self) -> None:
        manager = self.manager(MIGRATIONS_COLLECTION='steps')
        self.assertIsInstance(manager.mongo_client, pymongo.MongoClient)
        self.assertIsInstance(manager.db, Database)
        self.assertEqual(manager.db.name, self.db.name)
        self.assertIsInstance(manager.collection, Collection)
        self.assertEqual(manager.collection.name, 'steps')

    def test_defaults_are_those_of_1_0(self) -> None:
        defaults = {
            'MIGRATIONS_FILE_PATTERN': r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py',
            'MIGRATIONS_COLLECTION': 'migrations',
            'MIGRATIONS_DIRECTORY': 'mongomigrations',
            'MONGO_HOST': 'localhost',
            'MONGO_PORT': 27017,
            'MONGO_DATABASE': None,
            'MONGO_USER': None,
            'MONGO_USER_PASS': None,
            'DO_MONGO_DUMP': False,
            'MONGO_DUMP_DIRECTORY': 'mongodumps',
            'MongoClient': pymongo.MongoClient,
        }
        for name, default in defaults.items():
            self.assertEqual(getattr(migopy.MigrationsManager, name), default, name)
        self.assertIsInstance(migopy.MigrationsManager.logger, migopy.ColorsLogger)

    def test_another_callable_may_make_the_client(self) -> None:
        made: list[Any] = []

        def make(*place: Any, **options: Any) -> Any:
            made.append(place)
            return pymongo.MongoClient(*place, **options)

        manager = self.manager(MongoClient=make)
        manager.show_status()
        self.assertEqual(made, [(self.uri,)])
        self.assertEqual(self.logger.of('green'), ['All migrations registered'])

    def test_without_a_database_no_connection_is_made(self) -> None:
        client = mock.Mock(side_effect=AssertionError)
        self.manager(MONGO_DATABASE=None, MongoClient=client)
        client.assert_not_called()

    def test_unregistered_gives_sorted_names(self) -> None:
        for name in ('10_c.py', '9_b.py', '001_a.py', '002_d.py'):
            self.migration(name)
        self.register('002_d.py')
        self.assertEqual(
            self.manager().unregistered(), ['001_a.py', '9_b.py', '10_c.py']
        )

    def test_unregistered_makes_the_directory_a_package(self) -> None:
        self.manager().unregistered()
        self.assertTrue((self.folder / 'mongomigrations' / '__init__.py').exists())

    def test_unregistered_wants_the_directory(self) -> None:
        (self.folder / 'mongomigrations').rmdir()
        with self.assertRaises(migopy.MigopyException):
            self.manager().unregistered()

    def test_an_override_of_sorted_is_to_give_the_order_of_the_numbers(self) -> None:
        """In 1.0 it decided in which order they run, and which."""

        class Migrations(self.manager_class()):  # type: ignore[misc]
            order: Callable[[list[str]], Iterable[str]] = list

            def sorted(self, file_names: Iterable[str]) -> list[str]:
                return list(self.order(super().sorted(file_names)))

        for name in ('1_a.py', '2_b.py', '3_c.py'):
            self.migration(name, 'def up(db): db.ran.insert_one({})')
        manager = Migrations()
        self.addCleanup(manager.disconnect)
        for manager.order in (reversed, lambda names: names[:1]):
            for command in (manager.execute, manager.show_status, manager.ignore):
                with self.assertRaises(OtherOrder) as caught:
                    command()
                self.assertIn('\n  1_a.py\n  2_b.py\n  3_c.py', str(caught.exception))
        self.assertEqual((self.contents('ran'), self.registered()), ([], []))
        manager.order = list
        manager.execute()
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py', '3_c.py'])

    def test_an_override_of_unregistered_narrows_what_runs(self) -> None:
        class Migrations(self.manager_class()):  # type: ignore[misc]
            def unregistered(self) -> list[str]:
                return [name for name in super().unregistered() if name != '2_b.py']

        for name in ('1_a.py', '2_b.py', '3_c.py'):
            self.migration(name)
        manager = Migrations()
        self.addCleanup(manager.disconnect)
        manager.show_status()
        self.assertEqual(self.logger.of('red'), ['1_a.py', '3_c.py'])
        manager.execute()
        self.assertEqual(self.registered(), ['1_a.py', '3_c.py'])
        for subtask in (manager.execute, manager.ignore):
            with self.assertRaisesRegex(migopy.MigopyException, '2_b.py is left out'):
                subtask('2')

    def test_sorted_orders_names(self) -> None:
        manager = self.manager()
        names = ['__init__.py', '10_b.py', '2_a.py']
        self.assertEqual(manager.sorted(names), ['2_a.py', '10_b.py'])
        with self.assertRaisesRegex(migopy.MigopyException, 'odd.py'):
            manager.sorted(['odd.py'])

    def test_tasks_yields_the_bound_subtasks(self) -> None:
        class Migrations(self.manager_class()):  # type: ignore[misc]
            pretends = mock.Mock()
            also_pretends = self.db

            def task1(self) -> str:
                return 'one'

        manager = Migrations()
        self.addCleanup(manager.disconnect)
        manager.instance_pretends = mock.Mock()
        tasks = {each.__name__: each for each in manager.tasks(manager)}
        self.assertEqual(tasks['task1'](), 'one')
        self.assertLessEqual(
            {'show_status', 'execute', 'ignore', 'rollback', 'dbdump', 'help'},
            set(tasks),
        )
        self.assertFalse(
            {'pretends', 'also_pretends', 'instance_pretends'} & set(tasks)
        )
        self.assertFalse(
            {'sorted', 'unregistered', 'tasks', 'create_task'} & set(tasks)
        )

    def test_fab_command(self) -> None:
        fab_command = self.manager_class().fab_command
        self.assertEqual(fab_command(), 'fab migrations')
        self.assertEqual(fab_command('execute'), 'fab migrations:execute')
        self.assertEqual(
            fab_command('execute', '001_x.py'), 'fab migrations:execute,001_x.py'
        )

    def test_a_subtask_raises(self) -> None:
        with self.assertRaises(migopy.MigopyException):
            self.manager().execute('1_a.py')
        self.assertEqual(self.logger.said, [])

    def test_an_error_of_a_migration_s_comes_as_it_is(self) -> None:
        self.migration('1_a.py', FAILING)
        with self.assertRaisesRegex(ZeroDivisionError, 'odd'):
            self.manager().execute()
        self.assertEqual(len(self.logger.of('red')), 1)


class TaskFunctionTest(PlainTest):
    """`create_task()`'s function, called outside `fab`."""

    def test_returns_what_the_subtask_returned(self) -> None:
        class Migrations(self.manager_class()):  # type: ignore[misc]
            @migopy.task
            def task1(self, option: str = '', key: str = '') -> tuple[str, str, str]:
                return ('one', option, key)

        task = Migrations.create_task()
        self.assertEqual(task('task1'), ('one', '', ''))
        self.assertEqual(task('task1', 'a', key='b'), ('one', 'a', 'b'))

    def test_without_a_subtask_calls_the_default_one(self) -> None:
        self.manager_class().create_task()()
        self.assertEqual(self.logger.of('green'), ['All migrations registered'])

    def test_the_default_one_may_be_overridden(self) -> None:
        class Marked(self.manager_class()):  # type: ignore[misc]
            @migopy.task(default=True)
            def mine(self) -> str:
                return 'mine'

        class Overridden(self.manager_class()):  # type: ignore[misc]
            def show_status(self) -> str:
                return 'overridden'

        self.assertEqual(Marked.create_task()(), 'mine')
        self.assertEqual(Overridden.create_task()(), 'overridden')

    def test_says_an_error_of_migopy_s_in_red_and_returns_none(self) -> None:
        self.assertIsNone(self.manager_class().create_task()('execute', 'nope'))
        [(method, message)] = self.logger.said
        self.assertEqual(method, 'red')
        self.assertIn("no migration 'nope'", message)

    def test_says_an_error_of_the_server_s_in_red_and_returns_none(self) -> None:
        client_options = {'serverSelectionTimeoutMS': 10}
        task = self.manager_class(
            MONGO_URI='mongodb://127.0.0.1:1/', MONGO_CLIENT_OPTIONS=client_options
        ).create_task()
        self.assertIsNone(task())
        [(method, message)] = self.logger.said
        self.assertEqual(method, 'red')
        self.assertIn('127.0.0.1:1', message)

    def test_an_error_of_a_migration_s_propagates(self) -> None:
        self.migration('1_a.py', FAILING)
        with self.assertRaisesRegex(ZeroDivisionError, 'odd'):
            self.manager_class().create_task()('execute')
        self.assertEqual(len(self.logger.of('red')), 1)

    def test_an_error_of_pymongo_s_in_a_migration_propagates_too(self) -> None:
        self.migration(
            '1_a.py',
            """
            def up(db):
                db.notes.insert_one({'_id': 1})
                db.notes.insert_one({'_id': 1})
            """,
        )
        with self.assertRaises(DuplicateKeyError):
            self.manager_class().create_task()('execute')

    def test_stop_ends_it_quietly(self) -> None:
        class Migrations(self.manager_class()):  # type: ignore[misc]
            def stops(self) -> None:
                raise migopy.StopTaskExecution

        self.assertIsNone(Migrations.create_task()('stops'))
        self.assertEqual(self.logger.said, [])

    def test_leaves_no_connection_open(self) -> None:
        clients: list[Any] = []

        def make(*place: Any, **options: Any) -> Any:
            clients.append(pymongo.MongoClient(*place, **options))
            return clients[-1]

        self.manager_class(MongoClient=make).create_task()()
        with self.assertRaises(pymongo.errors.InvalidOperation):
            clients[0].admin.command('ping')


class GivenTest(PlainTest):
    """What a fabfile's own task gives to commands: no texts alone, as fab does."""

    def test_a_number_and_a_path_stand_for_a_name(self) -> None:
        first = self.migration('1_a.py', f'{NOTHING}\n    def verify(db): pass\n')
        self.migration('2_b.py')
        manager = self.manager()
        manager.execute(1)  # type: ignore[arg-type]
        self.assertEqual(self.registered(), ['1_a.py'])
        manager.preflight(to=2)  # type: ignore[arg-type]
        manager.execute(to=2)  # type: ignore[arg-type]
        manager.rollback(to=first)  # type: ignore[arg-type]
        self.assertEqual(self.registered(), ['1_a.py'])
        manager.verify(1)  # type: ignore[arg-type]
        manager.history(1)
        manager.rollback(first)  # type: ignore[arg-type]
        plan = self.folder / 'plan.json'
        manager.plan(file=plan)  # type: ignore[arg-type]
        manager.execute(plan=plan)  # type: ignore[arg-type]
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])

    def test_what_is_neither_is_refused_in_migopy_s_words(self) -> None:
        self.migration('1_a.py')
        manager = self.manager(MONGO_DUMP_DIRECTORY=str(self.folder / 'dumps'))
        # `watch` ends when somebody ends it, and a rehearsal takes long.
        names = {each.__name__ for each in manager.tasks()} - {'watch', 'rehearse'}
        tried = 0
        for name in sorted(names):
            command = getattr(manager, name)
            parameters = inspect.signature(command).parameters.values()
            needed = {
                each.name: '9'
                for each in parameters
                if each.default is each.empty and each.kind is not each.VAR_POSITIONAL
            }
            for each in parameters:
                if each.kind is each.VAR_POSITIONAL or name == 'dbrestore':
                    continue
                for value in (object(), b'1', ['1'], {'1': 1}, 1.5):
                    tried += 1
                    given = {**needed, each.name: value}
                    with (
                        self.subTest(command=name, of=each.name, value=value),
                        self.assertRaises(MigopyException),
                    ):
                        command(**given)
        self.assertGreater(tried, 100)
        self.assertEqual(self.db.list_collection_names(), ['migrations_lock'])
        self.assertEqual(self.contents('migrations_lock'), [])


class DeployScriptTest(PlainTest):
    """A program that runs migrations by itself."""

    def test_migrations_see_the_program_s_modules(self) -> None:
        self.write('mongomigrations/_shared.py', "WORD = 'shared'")
        self.migration(
            '1_a.py',
            """
            import json
            from . import _shared

            def up(db):
                db.notes.insert_one({'word': _shared.WORD})

            def down(db):
                db.notes.delete_one({'word': _shared.WORD})
            """,
        )
        manager = self.manager()
        manager.execute()
        self.assertEqual(self.contents('notes'), [{'word': 'shared'}])
        manager.rollback('1')
        self.assertEqual(self.contents('notes'), [])

    def test_one_manager_runs_again_and_again(self) -> None:
        manager = self.manager()
        for number in (1, 2, 3):
            self.migration(f'{number}_x.py', NOTHING)
            manager.execute()
            self.assertEqual(len(self.registered()), number)
