"""What a fabfile may say: tasks, hooks, subtasks, options, paths."""

from __future__ import annotations

import shlex

from tests.project import FABFILE, FabTest

#: Says which files ran, and from where its modules came.
SAYS = """
    def up(db):
        db.ran.insert_one({{'name': '{}'}})
"""


class TaskTest(FabTest):
    """The task function under `fab`."""

    fabfile = """
        import migopy

        def deploy():
            \"\"\"Another task, of the old kind.\"\"\"
            result = migrations('task1', 'a')
            print('task1 gave ' + result)

        class Migrations(migopy.MigrationsManager):
            TASK_NAME = 'migr'
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

            def task1(self, option=None):
                return 'one ' + option

        migrations = Migrations.create_task()
        migr = migrations
    """

    def test_other_tasks_stay_and_may_call_it(self) -> None:
        listed, deployed = self.fabs('-l', 'deploy')
        self.assertIn('deploy', self.assert_ok(listed).stdout)
        self.assertIn('Another task', listed.stdout)
        self.assertEqual(self.assert_ok(deployed).stdout, 'task1 gave one a\n\nDone.\n')

    def test_an_error_stops_the_task_that_called_it(self) -> None:
        """So a deploy script does not go on, as it did with 1.0."""
        self.write(
            'fabfile.py', self.filled(self.fabfile).replace("'task1', 'a'", "'odd'")
        )
        message = self.error('deploy')
        self.assertIn("no command 'odd'", message)

    def test_messages_name_the_task_as_the_fabfile_does(self) -> None:
        self.migration('1_a.py')
        status, shown = (
            self.assert_ok(each) for each in self.fabs('migr', 'migr:help')
        )
        self.assertIn('fab migr:execute', status.stdout)
        self.assertIn('fab migr:rollback - ', shown.stdout)
        self.assertIn('fab migr:execute', self.error('migr:exceute'))

    def test_several_tasks_in_one_command(self) -> None:
        self.migration('1_a.py', SAYS.format('a'))
        result = self.assert_ok(self.fab('migr', 'migr:execute', 'migr'))
        lines = result.results.splitlines()
        self.assertEqual(lines[1], '1_a.py')
        self.assertEqual(lines[-1], 'All migrations registered')
        self.assertEqual(self.contents('ran'), [{'name': 'a'}])

    def test_a_failed_one_keeps_the_next_from_running(self) -> None:
        self.migration('1_a.py', 'def up(db): 1 / 0')
        result = self.fab('migr:execute', 'deploy')
        self.assertEqual(result.status, 1)
        self.assertEqual(result.stdout, '')


class OtherNamesTest(FabTest):
    """A fabfile whose tasks have other names than the classes know of."""

    fabfile = """
        import migopy
        from fabric.api import execute, runs_once, task

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            MIGRATIONS_COLLECTION = 'first'
            MIGRATIONS_DIRECTORY = 'one'

        class Logs(Migrations):
            MIGRATIONS_COLLECTION = 'second'
            MIGRATIONS_DIRECTORY = 'two'
            def task_hook(cls, subtask, option):
                print(cls.fab_command(subtask, option))

        migrations = task(Migrations.create_task())
        logs = task(name='logs', alias='l')(runs_once(Logs.create_task()))

        @task
        def deploy():
            execute(logs)
    """

    def setUp(self) -> None:
        super().setUp()
        self.write('one/1_x.py', SAYS.format('one'))
        self.write('two/1_x.py', SAYS.format('two'))

    def test_messages_lead_to_the_same_manager(self) -> None:
        """Typed, the command of the other one would run on other data."""
        for typed, name in (('logs', 'logs'), ('l', 'l'), ('deploy', 'logs')):
            with self.subTest(typed):
                shown = self.assert_ok(self.fab(typed)).stdout
                self.assertIn(f'To execute them: fab {name}:execute', shown)
        self.assertIn('fab migrations:execute', self.fab('migrations').stdout)
        self.assertIn('fab logs:history', self.fab('logs:rollback,3').stderr)

    def test_json_is_all_there_is_on_stdout(self) -> None:
        """Fabric's `Done.` is not, which it writes at the end."""
        self.write('fabfile.py', self.filled(self.fabfile).replace('print(', 'str('))
        for name in ('migrations', 'logs'):
            shown = self.assert_ok(self.fab(f'{name}:list,json=yes')).stdout
            self.assertEqual([line[0] for line in shown.splitlines()], ['{'])
        # What calls it has stdout for itself.
        called = "execute(logs, 'list', json='yes')\n    print('deployed')"
        fabfile = self.filled(self.fabfile).replace('execute(logs)', called)
        self.write('fabfile.py', fabfile)
        self.assertIn('\ndeployed\n', self.assert_ok(self.fab('deploy')).stdout)

    def test_the_command_for_another_machine_does_too(self) -> None:
        shown = self.assert_ok(self.fab('logs:execute'))
        self.assertIn('fab logs:execute', shown.stdout)
        self.assertEqual(self.contents('ran'), [{'name': 'two'}])


class RenamedTest(FabTest):
    """Functions of the old kind are called what the fabfile calls them."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

        class Logs(Migrations):
            pass

        mongo = Migrations.create_task()
        logs = Logs.create_task()
    """

    def test_messages_name_the_task_that_there_is(self) -> None:
        self.migration('1_x.py')
        for name in ('mongo', 'logs'):
            self.assertIn(f'fab {name}:execute', self.assert_ok(self.fab(name)).stdout)


class TwoManagersTest(FabTest):
    """A fabfile with two databases."""

    fabfile = """
        import migopy
        from fabric.api import task

        class First(migopy.MigrationsManager):
            TASK_NAME = 'first'
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            MIGRATIONS_DIRECTORY = 'one'
            MIGRATIONS_COLLECTION = 'first'

        class Second(First):
            TASK_NAME = 'second'
            MIGRATIONS_DIRECTORY = 'two'
            MIGRATIONS_COLLECTION = 'second'

        first = task(First.create_task())
        second = task(Second.create_task())
    """

    def test_each_has_its_own_migrations(self) -> None:
        self.write('one/1_x.py', SAYS.format('one'))
        self.write('two/1_x.py', SAYS.format('two'))
        listed = self.assert_ok(self.fab('--shortlist'))
        self.assertEqual(listed.stdout.split(), ['first', 'second'])
        self.assert_ok(self.fab('first:execute', 'second:execute', 'first', 'second'))
        self.assertEqual(self.contents('ran'), [{'name': 'one'}, {'name': 'two'}])
        self.assertEqual(self.db.first.distinct('name'), ['1_x.py'])
        self.assertEqual(self.db.second.distinct('name'), ['1_x.py'])


class LoggerTest(FabTest):
    """All that is said goes through the logger."""

    fabfile = """
        import sys
        import migopy

        class Logger:
            def __getattr__(self, method):
                return lambda message: print(method, str(message).splitlines()[0])

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            logger = Logger()

        migrations = Migrations.create_task()
    """

    def test_of_the_fabfile(self) -> None:
        self.migration('1_a.py')
        self.migration('2_b.py', 'def up(db): 1 / 0')
        told = self.fab('migrations', 'migrations:help', 'migrations:execute')
        unknown = self.fab('migrations:x')
        self.assertEqual((told.stderr, unknown.stderr), ('', ''))
        self.assertIn('red 1_a.py\nred 2_b.py\n', told.stdout)
        self.assertIn('white fab migrations:execute - ', told.stdout)
        self.assertIn('white_bold 1_a.py executed', told.stdout)
        self.assertIn('red 2_b.py failed', told.stdout)
        self.assertEqual(
            unknown.stdout, "red There is no command 'x'; nothing was done.\n"
        )


class SubtasksTest(FabTest):
    """Which methods are subtasks, and how options reach them."""

    fabfile = """
        from unittest import mock
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            pretends = mock.MagicMock()

            @migopy.task
            def task1(self, *values, **options):
                "Test doc 1"
                self.logger.white('task1 got %r %r' % (values, sorted(options.items())))

            def task2(self):
                "Test doc 2"
                raise migopy.StopTaskExecution

            def _helper(self):
                "Test doc 3"

            def unregistered(self):
                "Test doc 4"
                return []

            def task_hook(cls, subtask, option):
                "Test doc 5"
                cls.logger.white('hook got %r %r' % (subtask, option))
                if subtask == 'stopped':
                    raise migopy.StopTaskExecution
                cls.logger.white(cls.fab_command(subtask, option))

        migrations = Migrations.create_task()
    """

    def test_help_shows_each_that_is_one(self) -> None:
        shown = self.assert_ok(self.fab('migrations:help')).stdout
        self.assertIn('\nfab migrations:task1 - Test doc 1\n', shown)
        self.assertIn('\nfab migrations:task2 - Test doc 2\n', shown)
        for number in (3, 4, 5):
            self.assertNotIn(f'Test doc {number}', shown)
        self.assertNotIn('pretends', shown)

    def test_what_is_none_is_unknown(self) -> None:
        names = ('pretends', 'unregistered')
        started = [self.start(f'migrations:{name}') for name in names]
        for name, process in zip(names, started):
            result = self.assert_error(
                self.ended(process), f"There is no command '{name}'", 'migrations:task1'
            )
            self.assertNotIn(f'migrations:{name}\n  ', result.stderr)

    def test_stop_is_no_failure(self) -> None:
        """Neither in the hook nor in a subtask."""
        result = self.assert_ok(self.fab('migrations:stopped', 'migrations:task2'))
        self.assertEqual(
            result.stderr,
            "hook got 'stopped' None\nhook got 'task2' None\nfab migrations:task2\n",
        )

    def test_options_reach_the_subtask_and_as_typed_the_hook(self) -> None:
        typed = {
            'migrations:task1': ((), [], None),
            'migrations:task1,': (('',), [], ''),
            'migrations:task1,value,key=value': (
                ('value',),
                [('key', 'value')],
                'value,key=value',
            ),
            r'migrations:task1,a\,b\=c,k=d\,e': (
                ('a,b=c',),
                [('k', 'd,e')],
                r'a\,b\=c,k=d\,e',
            ),
            "migrations:task1,it's $HOME;x,subtask=y": (
                ("it's $HOME;x",),
                [('subtask', 'y')],
                "it's $HOME;x,subtask=y",
            ),
        }
        lines = iter(self.assert_ok(self.fab(*typed)).stderr.splitlines())
        for command, (values, options, text) in typed.items():
            with self.subTest(command):
                hook, rebuilt, subtask = next(lines), next(lines), next(lines)
                self.assertEqual(hook, f"hook got 'task1' {text!r}")
                self.assertEqual(subtask, f'task1 got {values!r} {options!r}')
                self.assertEqual(shlex.split(rebuilt), ['fab', command])
                is_plain = "'" not in command and '\\' not in command
                self.assertEqual(rebuilt == f'fab {command}', is_plain)


class PlacesTest(FabTest):
    """Relative paths lie beside the fabfile, wherever `fab` was started."""

    from_nothing = True

    def assert_executed(self, *arguments: str, **places: str) -> None:
        """Fail unless this command executes `1_x.py`, of whichever folder."""
        cwd = self.folder / places.get('cwd', '.')
        self.assert_ok(self.fab(*arguments, 'migrations:execute', cwd=cwd))
        self.assertEqual(self.contents('ran'), [{'name': 'x'}])
        self.db.ran.drop()
        self.db.migrations.drop()

    def test_started_in_a_subfolder(self) -> None:
        self.write('mymodels.py', "NAME = 'x'")
        self.write(
            'mongomigrations/_helpers.py', 'import mymodels; NAME = mymodels.NAME'
        )
        self.migration(
            '1_x.py',
            """
            import mymodels
            from . import _helpers

            def up(db):
                from mongomigrations import _helpers as again
                assert again is _helpers
                db.ran.insert_one({'name': mymodels.NAME})
            """,
        )
        (self.folder / 'sub' / 'folder').mkdir(parents=True)
        self.assert_executed()
        self.assert_executed(cwd='sub/folder')
        self.assert_executed('-f', '../../fabfile.py', cwd='sub/folder')

    def test_a_fabfile_elsewhere(self) -> None:
        self.migration('1_x.py', SAYS.format('wrong'))
        self.write('other/mongomigrations/1_x.py', SAYS.format('x'))
        self.write('other/fabfile.py', self.filled(self.fabfile))
        self.assert_executed('-f', 'other/fabfile.py')
        (self.folder / 'other' / 'fabfile.py').rename(
            self.folder / 'other' / 'tasks.py'
        )
        self.assert_executed('-f', 'other/tasks.py')

    def test_a_link_that_goes_to_the_next_release(self) -> None:
        """A folder `current` is a symbolic link to the release that is in force."""
        (self.folder / 'fabfile.py').unlink()
        for number in (1, 2):
            release = f'releases/{number}'
            self.write(f'{release}/fabfile.py', self.filled(self.fabfile))
            for each in range(1, number + 1):
                name = f'{release}/mongomigrations/{each}_x.py'
                self.write(name, SAYS.format(each))
        current = self.folder / 'current'
        for number in (1, 2):
            current.unlink(missing_ok=True)
            current.symlink_to(f'releases/{number}')
            self.assert_ok(self.fab('migrations:execute', cwd=current))
            self.assert_ok(self.fab('migrations:check', cwd=current))
        said = [each['name'] for each in self.db.ran.find()]
        self.assertEqual(said, ['1', '2'])
        # The old release lacks a file.
        old = self.fab('migrations:check', cwd=self.folder / 'releases' / '1')
        self.assertEqual(old.status, 1)

    def test_a_fabfile_that_is_a_package(self) -> None:
        (self.folder / 'fabfile.py').unlink()
        self.write('fabfile/__init__.py', 'from .tasks import migrations')
        self.write('fabfile/tasks.py', self.filled(self.fabfile))
        self.migration('1_x.py', SAYS.format('x'))
        self.assert_executed()
        self.assert_executed('-f', str(self.folder / 'fabfile'), cwd='/')

    def test_a_nested_and_an_absolute_directory(self) -> None:
        for directory in ('db/steps', str(self.folder / 'elsewhere' / 'steps')):
            self.write(f'{directory}/1_x.py', 'from ._name import up')
            self.write(f'{directory}/_name.py', SAYS.format('x'))
            fabfile = self.filled(FABFILE).replace(
                '    MONGO_URI',
                f'    MIGRATIONS_DIRECTORY = {directory!r}\n    MONGO_URI',
            )
            self.write('fabfile.py', fabfile)
            self.assert_executed()

    def test_the_class_is_no_task(self) -> None:
        self.migration('1_x.py', SAYS.format('x'))
        for typed, meant in (
            ('', ''),
            (':execute', ':execute'),
            (':execute,1,dry_run=yes', ':execute,1,dry_run=yes'),
        ):
            result = self.fab(f'Migrations{typed}')
            self.assertEqual(result.status, 1, result.said)
            self.assertEqual(
                result.stderr,
                'Migrations is a class and no task; nothing was done.\n'
                f'Type: fab migrations{meant}\n',
            )
        self.assertEqual(self.registered(), [])

    def test_what_is_no_utf8_is_told_as_any_other_name(self) -> None:
        for typed, said in (
            ('execute,\udcff\udcfe', 'There is no migration'),
            ('\udcff\udcfe', 'There is no command'),
            ('execute,json=\udcff', 'is neither yes nor no'),
        ):
            with self.subTest(said):
                self.assert_error(self.fab(f'migrations:{typed}'), said)

    def test_a_class_without_a_task_is_told_how_to_make_one(self) -> None:
        """`Type: fab migrations` would lead back to here, or to Fabric's own error."""
        made = 'migrations = Migrations.create_task()'
        fabfile = self.filled(FABFILE)
        self.assertIn(made, fabfile)
        for line, typed in (
            ('', 'Migrations'),
            ('migrations = Migrations', 'migrations'),
        ):
            self.write('fabfile.py', fabfile.replace(made, line))
            with self.subTest(line):
                result = self.fab(f'{typed}:execute')
                self.assertEqual(result.status, 1, result.said)
                self.assertEqual(
                    result.stderr,
                    'Migrations is a class and no task; nothing was done.\n'
                    f'Write at the end of the fabfile:\n  {made}\n'
                    'then type: fab migrations:execute\n',
                )
