"""The README of 2014, row by row: what it shows is typed and run as it stands there.

What the page has lost (decorators, the settings' values, file names after commas) is
put back, and the `global` that its example of environments needs.
"""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from tests import server
from tests.dumps import left
from tests.project import FabTest

#: The migration file of the README, unchanged.
NOTES = """
    def up(db):
        db.notes.insert({'content': 'test'})

    def down(db):
        db.notes.remove({'content': 'test'})
"""

SETTINGS = """
    MONGO_HOST = '{host}'
    MONGO_PORT = {port}
    MONGO_DATABASE = '{database}'
"""


class QuickStartTest(FabTest):
    """Quick start, with a user and a password, on a server that wants them."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_HOST = # host
            MONGO_PORT = # port
            MONGO_USER = # username
            MONGO_USER_PASSWORD = # password
            MONGO_DATABASE = 'shop'

        migrations = Migrations.create_task()
        # or for new style tasks:
        # from fabric.api import task
        # migrations = task(Migrations.create_task())
    """

    new_style = fabfile.replace('# from', 'from').replace('# migrations', 'migrations')

    def write_fabfile(self, fabfile: str, port: int) -> None:
        values = {'host': '127.0.0.1', 'username': 'ann', 'password': 'secret'}
        for name, value in {**values, 'port': port}.items():
            fabfile = fabfile.replace(f'# {name}', repr(value))
        self.write('fabfile.py', fabfile)

    def test_it(self) -> None:
        self.migration('001_example.py', NOTES)
        # The class itself is a task to Fabric, unless the new style is used.
        names = {self.fabfile: 'Migrations migrations', self.new_style: 'migrations'}
        with server.with_auth(user='ann', password='secret', database='shop') as mongod:
            ann: Any = {'username': 'ann', 'password': 'secret', 'authSource': 'shop'}
            with MongoClient(mongod.uri, **ann) as client:
                for fabfile, tasks in names.items():
                    self.write_fabfile(fabfile, mongod.port)
                    self.everyday_commands(client.shop)
                    listed = self.assert_ok(self.fab('--shortlist'))
                    self.assertEqual(listed.stdout.split(), tasks.split())

    def everyday_commands(self, db: Any) -> None:
        result = self.assert_ok(
            self.fab('migrations', 'migrations:execute', 'migrations')
        )
        self.assertIn('Executing 001_example.py\n', result.stderr)
        unregistered, registered = result.stdout.split('To execute them: ')
        self.assertIn('\n001_example.py\n', unregistered)
        self.assertIn('All migrations registered', registered)
        self.assertEqual(db.notes.count_documents({'content': 'test'}), 1)
        self.assertEqual(db.migrations.distinct('name'), ['001_example.py'])
        self.assert_ok(self.fab('migrations:rollback,001_example.py'))
        self.assertEqual(db.notes.count_documents({}), 0)
        self.assertEqual(db.migrations.count_documents({}), 0)

    def test_fab_shows_the_task_and_its_help(self) -> None:
        for fabfile, option in ((self.fabfile, '-dmigrations'), (self.new_style, '-l')):
            self.write_fabfile(fabfile, 1)
            shown = self.assert_ok(self.fab(option)).stdout
            self.assertIn('Show unregistered', shown)


class CommandsTest(FabTest):
    """Basic commands, and additional ones."""

    fabfile = (
        'import migopy\nclass Migrations(migopy.MigrationsManager):'
        + SETTINGS
        + '\nmigrations = Migrations.create_task()\n'
    )

    def test_basic_commands(self) -> None:
        self.migration('001_example.py', NOTES)
        shown = self.assert_ok(self.fab('migrations', 'migrations:execute')).stdout
        self.assertIn('\n001_example.py\n', shown)
        self.assertEqual(self.contents('notes'), [{'content': 'test'}])
        self.assertEqual(self.registered(), ['001_example.py'])
        self.migration('002_example.py', NOTES)
        shown = self.assert_ok(self.fab('migrations:ignore', 'migrations:help')).stdout
        self.assertEqual(self.contents('notes'), [{'content': 'test'}])
        self.assertEqual(self.registered(), ['001_example.py', '002_example.py'])
        for command in ('execute', 'ignore', 'rollback', 'help'):
            self.assertIn(f'fab migrations:{command} - ', shown)

    def test_additional_commands(self) -> None:
        for number in '123':
            self.migration(f'00{number}_example.py', NOTES)
        self.assert_ok(
            self.fab(
                'migrations:execute,002_example.py', 'migrations:ignore,003_example.py'
            )
        )
        self.assertEqual(self.registered(), ['002_example.py', '003_example.py'])
        self.assertEqual(len(self.contents('notes')), 1)
        self.assert_ok(self.fab('migrations:rollback,002_example.py'))
        self.assertEqual(self.registered(), ['003_example.py'])
        self.assertEqual(self.contents('notes'), [])


class EnvironmentsTest(FabTest):
    """Handling different environments.

    Fabric's `run` is replaced by one that notes the command.
    """

    fabfile = """
        import migopy
        import settings # your settings

        is_remote = False

        def staging():
            global is_remote
            is_remote = True

        def production():
            global is_remote
            is_remote = True

        def run(command):
            with open('ran', 'a') as ran:
                ran.write(command + '\\n')

        run.__name__ = '_run'

        # Bind your settings with those in Migopy
        class Migrations(migopy.MigrationsManager):
            MONGO_HOST = settings.MONGO_HOST
            MONGO_PORT = settings.MONGO_PORT
            MONGO_DATABASE = settings.MONGO_DATABASE

            def task_hook(cls, subtask, option):
                if is_remote:
                    run(cls.fab_command(subtask, option))
                    raise migopy.StopTaskExecution()

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        self.write('settings.py', self.filled(SETTINGS))
        self.migration('001_example.py', NOTES)

    def ran_elsewhere(self) -> list[str]:
        return (self.folder / 'ran').read_text().splitlines()

    def test_commands_run_elsewhere_and_not_here(self) -> None:
        # As the page shows it, and with the decorator that it has lost.
        hook = 'def task_hook'
        with_decorator = self.fabfile.replace(hook, f'@classmethod\n            {hook}')
        for fabfile in (self.fabfile, with_decorator):
            self.write('fabfile.py', fabfile)
            result = self.assert_ok(self.fab('staging', 'migrations'))
            self.assertEqual((result.stderr, result.stdout), ('', '\nDone.\n'))
            self.assert_ok(
                self.fab(
                    'production',
                    'migrations:execute',
                    'migrations:execute,001_example.py',
                )
            )
        self.assertEqual(
            self.ran_elsewhere(),
            [
                'fab migrations',
                'fab migrations:execute',
                'fab migrations:execute,001_example.py',
            ]
            * 2,
        )
        self.assertEqual(self.db.list_collection_names(), [])

    def test_without_an_environment_they_run_here(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.contents('notes'), [{'content': 'test'}])
        self.assertFalse((self.folder / 'ran').exists())


class ModelTest(FabTest):
    """More on migration files: a model that handles the connection on its own."""

    def test_it(self) -> None:
        self.write(
            'mymongokitmodel.py',
            self.filled(
                """
                import pymongo

                class Notes(dict):
                    def save(self):
                        client = pymongo.MongoClient('{uri}')
                        client['{database}'].notes.insert_one(dict(self))
                        client.close()
                """
            ),
        )
        self.migration(
            '001_example.py',
            """
            import mymongokitmodel

            def up(db):
                note = mymongokitmodel.Notes()
                note['name'] = 'test'
                note.save()
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.contents('notes'), [{'name': 'test'}])
        self.assertEqual(self.registered(), ['001_example.py'])


class ConfigurationTest(FabTest):
    """Further customization: additional configuration, overridden methods, subtasks."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            MIGRATIONS_COLLECTION = 'steps'
            MIGRATIONS_DIRECTORY = 'steps'
            MIGRATIONS_FILE_PATTERN = r'v(?P<migr_nr>[0-9]+)\\.py'
            DO_MONGO_DUMP = True
            MONGO_DUMP_DIRECTORY = 'dumps'

            def execute(self, spec_migr=None):
                self.logger.white('before')
                super(Migrations, self).execute(spec_migr)
                self.logger.white('after')

            def dbdump(self):
                self.logger.white('dump to ' + self.MONGO_DUMP_DIRECTORY)

            def mytask(self, option=None):
                \"\"\"Here should be a help doc which will be showed under
                fab migrations:help command\"\"\"
                self.logger.white('mytask with %r' % option)

        migrations = Migrations.create_task()
    """

    decorated = fabfile.replace('    def', '    @migopy.task\n            def')

    def test_it(self) -> None:
        self.write('steps/v1.py', NOTES)
        self.write('steps/v2.py', NOTES)
        for fabfile in (self.fabfile, self.decorated):
            self.write('fabfile.py', self.filled(fabfile))
            result = self.assert_ok(self.fab('migrations:execute,v2.py'))
            first, *lines = result.stderr.splitlines()
            self.assertEqual((first, lines[-1]), ('before', 'after'))
            self.assertIn('dump to dumps', lines)
            self.assertLess(
                lines.index('dump to dumps'), lines.index('Executing v2.py')
            )
            self.assertEqual(self.db.steps.distinct('name'), ['v2.py'])
            self.assertEqual(self.contents('notes'), [{'content': 'test'}])
            self.assertNotIn('migrations', self.db.list_collection_names())
            self.assert_ok(self.fab('migrations:rollback,v2.py'))
            self.assertEqual(self.contents('notes'), [])

    def test_what_its_execute_does_not_hand_on_is_told(self) -> None:
        self.write('steps/v1.py', NOTES)
        self.write('fabfile.py', self.filled(self.fabfile))
        result = self.fab('migrations:execute,dry_run=yes')
        self.assert_error(
            result, 'execute: dry_run= is not handed on by the execute() in the fabfile'
        )
        self.assertIn('execute(self, *args, **kwargs) and hand both', result.stderr)
        self.assertTrue(result.stderr.endswith('migrations:execute[,NAME]\n'))
        unknown = self.fab('migrations:execute,colour=yes')
        self.assert_error(unknown, 'execute: there is no colour=; nothing was done.')
        self.assertEqual(self.contents('notes'), [])

    def test_an_overridden_dump_that_calls_super(self) -> None:
        lost = "self.logger.white('dump to ' + self.MONGO_DUMP_DIRECTORY)"
        self.assertIn(lost, self.fabfile)
        fabfile = self.fabfile.replace(lost, 'super(Migrations, self).dbdump()')
        self.write('fabfile.py', self.filled(fabfile))
        self.write('steps/v1.py', NOTES)
        self.db.notes.insert_one({'content': 'before'})
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(len(self.contents('notes')), 2)
        [dump] = left(self.folder / 'dumps')
        self.assertTrue(list(dump.rglob('notes.*')), sorted(dump.rglob('*')))

    def test_subtasks(self) -> None:
        (self.folder / 'steps').mkdir()
        for fabfile in (self.fabfile, self.decorated):
            self.write('fabfile.py', self.filled(fabfile))
            result = self.assert_ok(
                self.fab(
                    'migrations:mytask',
                    'migrations:mytask,some_option',
                    'migrations:dbdump',
                    'migrations:help',
                )
            )
            self.assertTrue(
                result.stderr.startswith(
                    "mytask with None\nmytask with 'some_option'\ndump to dumps\n"
                ),
                result.stderr,
            )
            self.assertIn(
                '\nfab migrations:mytask - Here should be a help doc which will be'
                ' showed under fab migrations:help command\n',
                result.stdout,
            )
