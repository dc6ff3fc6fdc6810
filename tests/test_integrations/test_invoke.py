"""A fabfile of Fabric 3 and a `tasks.py` of Invoke, by the real `fab` and `inv`."""

from __future__ import annotations

import json

from tests import environments
from tests.invoking import INSERT, InvokeTest
from tests.nasty import NASTY


class CommandsTest(InvokeTest):
    """What can be typed."""

    def test_from_the_first_look_to_the_way_back(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name, INSERT)
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('To execute them: fab migrations.execute\n', result.stdout)
        result = self.assert_ok(
            self.fab('migrations.execute', '--to', '2', '--dry-run')
        )
        self.assertIn('Dry run: nothing was changed', result.said)
        self.assertEqual(self.registered(), [])
        result = self.assert_ok(self.fab('migrations.execute', '--to', '002'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertIn('002_b.py executed in', result.stderr)
        self.assert_ok(self.fab('migrations.execute', '--name', '003_c.py'))
        self.assert_ok(self.fab('migrations.rollback', '--last', '2'))
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.fab('migrations.ignore', '--name=003'))
        file = self.folder / 'mongomigrations/003_c.py'
        file.rename(file.with_name('003_d.py'))
        self.assert_ok(self.fab('migrations.rename', '003_c.py', '003_d.py'))
        self.assertEqual(self.registered(), ['001_a.py', '003_d.py'])
        result = self.assert_ok(self.fab('migrations.history', '--which', '1'))
        self.assertIn('003_c.py -> 003_d.py', result.stdout)
        self.assertNotIn('001_a.py', result.stdout)
        self.assert_ok(self.fab('migrations.create', 'add note'))
        self.assertTrue((self.folder / 'mongomigrations/004_add_note.py').exists())

    def test_an_error_ends_with_1_and_says_what_to_type_here(self) -> None:
        failing = INSERT.replace("'up': __name__})", "'up': 1}); 1 / 0")
        self.migration('001_a.py', failing)
        result = self.fab('migrations.execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertNotIn('migopy/', result.stderr)
        for flag in ('execute', 'rollback', 'ignore'):
            line = f'fab migrations.{flag} --name 001_a.py'
            self.assertIn(f'  {line}  - ', result.stderr)
        self.assert_ok(self.type('fab migrations.ignore --name 001_a.py'))
        result = self.fab('migrations.execute', '--name', '7')
        self.assert_error(result, 'fab migrations')
        self.assertEqual(self.fab('migrations.check').status, 0)

    def test_what_is_wrong_with_an_option(self) -> None:
        for typed, said in (
            (('rollback', '--last', 'x'), 'help --command rollback'),
            (('execute', '--name', '1', '--to', '2'), 'help --command execute'),
            (('keep', 'a', '--options', 'x'), 'KEY=VALUE'),
            (('help', '--command', 'exceute'), '  fab migrations.show-status\n'),
        ):
            with self.subTest(typed):
                command, *flags = typed
                self.assert_error(self.fab(f'migrations.{command}', *flags), said)

    def test_help_of_a_command_as_it_is_typed(self) -> None:
        result = self.fab('migrations.help', '--command', 'show-status')
        self.assertIn('fab migrations', self.assert_ok(result).stdout)
        unknown = self.fab('migrations.help', '--command', 'db-dump')
        self.assert_error(unknown, "There is no command 'db-dump'")

    def test_a_habit_of_fabric_1(self) -> None:
        self.migration('001_a.py', INSERT)
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('001_a.py executed', result.stderr)
        result = self.fab('migrations:rollback,001_a.py,dry_run=yes')
        said = 'Type: fab migrations.rollback --name 001_a.py --dry-run\n'
        self.assert_error(result, said)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assertNotIn('migrations:', self.fab('--list').stdout)

    def test_what_is_typed_twice_is_done_twice(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name, INSERT)
        self.assert_ok(self.fab('migrations.execute'))
        once = ('migrations.rollback', '--last', '1')
        self.assert_ok(self.fab(*once, *once))
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.fab('migrations.execute'))
        self.assert_ok(self.fab('-H', 'a,b,c', *once))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        result = self.assert_ok(self.fab('-H', 'a,b', 'migrations.create', 'x'))
        self.assertIn('create has been run for a already', result.stderr)
        names = {each.name for each in (self.folder / 'mongomigrations').glob('*_x.py')}
        self.assertEqual(names, {'004_x.py'})


class OwnTest(InvokeTest):
    """Commands of the fabfile's own, and its other tasks."""

    def test_a_subclass_s_command_has_its_signature_and_docstring(self) -> None:
        said = self.assert_ok(self.fab('--help', 'migrations.keep')).stdout
        self.assertIn('Keep what was typed.', said)
        self.assertIn('With --km NUMBER so far, with --loud so loud.', said)
        listed = self.assert_ok(self.fab('migrations.help', '--command', 'keep')).stdout
        usage = 'migrations.keep FIRST [--values VALUES]… [--km KM] [--loud]'
        self.assertIn(usage, listed)
        self.assertEqual(self.kept('one'), ['one', [], 100, False, {}])
        typed = ('one', '--values', '2', '--values=3', '--km', '4', '--loud')
        pairs = ('--options', 'x=1', '--options', 'y=a=b')
        self.assertEqual(
            self.kept(*typed, *pairs),
            ['one', ['2', '3'], '4', 'yes', {'x': '1', 'y': 'a=b'}],
        )

    def test_values_arrive_as_they_were_typed(self) -> None:
        values = [word for each in NASTY for word in (f'--values={each}',)]
        self.assertEqual(self.kept('x', *values), ['x', NASTY, 100, False, {}])

    def kept(self, *typed: str) -> object:
        self.assert_ok(self.fab('migrations.keep', *typed))
        return json.loads((self.folder / 'kept').read_text())

    def test_the_other_tasks_stay(self) -> None:
        listed = self.assert_ok(self.fab('--list')).stdout
        self.assertRegex(listed, r'(?m)^  deploy +Deploy it\.$')
        self.assertRegex(listed, r'migrations\.show-status \(migrations\) +Show')
        result = self.assert_ok(self.fab('deploy', '--where', 'x', 'migrations'))
        self.assertIn('deployed x\n', result.stdout)

    def test_a_hook_and_stopping(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write(
                """
def hook(cls, subtask, option):
    with open('hooks', 'a') as hooks:
        print(repr([subtask, option]), file=hooks)
    if subtask == 'check':
        raise migopy.StopTaskExecution

Migrations.task_hook = classmethod(hook)
"""
            )
        self.migration('001_a.py', INSERT)
        self.assert_ok(self.fab('migrations'))
        self.assert_ok(self.fab('migrations.check'))
        self.assert_ok(self.fab('migrations.execute', '--name', '1', '--dry-run'))
        self.assertEqual(
            (self.folder / 'hooks').read_text().splitlines(),
            ['[None, None]', "['check', None]", "['execute', '1,dry_run=yes']"],
        )

    def test_secrets_are_not_shown(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write("\nMigrations.MONGO_URI += '&appName=pass'\n")
            fabfile.write("Migrations.MONGO_USER = 'ann'\n")
            fabfile.write("Migrations.MONGO_USER_PASS = 'hunter2'\n")
        result = self.fab('migrations')
        self.assert_error(result)
        self.assertNotIn('hunter2', result.said)


class ElsewhereTest(InvokeTest):
    """Other files, names and folders: what is to be typed next leads there."""

    from_nothing = True

    def test_another_file_and_another_name_of_the_collection(self) -> None:
        text = (self.folder / 'fabfile.py').read_text()
        (self.folder / 'fabfile.py').unlink()
        text = text.replace(
            'ns = Migrations.create_namespace(deploy)',
            'from invoke import Collection\n'
            'ns = Collection(deploy)\n'
            "ns.add_collection(Migrations.create_namespace(), 'the_db')",
        )
        self.write('other.py', text)
        self.migration('001_a.py', INSERT)
        result = self.assert_ok(self.fab('-c', 'other', 'the-db.migrations'))
        line = 'fab -c other the-db.migrations.execute'
        self.assertIn(f'To execute them: {line}\n', result.stdout)
        self.assert_ok(self.type(line))
        self.assertEqual(self.registered(), ['001_a.py'])
        result = self.fab('-c', 'other', 'the-db.migrations.exceute')
        known = '\n  fab -c other the-db.migrations.execute\n'
        self.assert_error(result, "There is no command 'exceute'", known)

    def test_names_with_underscores_where_invoke_is_told_so(self) -> None:
        self.write('fabric.json', '{"tasks": {"auto_dash_names": false}}')
        said = self.assert_ok(self.fab('migrations.help')).stdout
        self.assertIn('\nfab migrations.show_status - ', said)
        self.assert_ok(self.type('fab migrations.show_status'))

    def test_a_name_of_the_task_in_the_class_and_hosts(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write("\nMigrations.TASK_NAME = 'm'\n")
            fabfile.write('ns = Migrations.create_namespace()\n')
        self.migration('001_a.py', INSERT)
        result = self.assert_ok(self.fab('-H', 'ann@a:22,b', 'm'))
        line = 'fab -H ann@a:22,b m.execute'
        self.assertEqual(result.stdout.count(f'To execute them: {line}\n'), 2)
        self.assert_ok(self.type(line))

    def test_from_a_folder_below(self) -> None:
        (self.folder / 'below').mkdir()
        self.migration('001_a.py', INSERT)
        result = self.fab('migrations.execute', cwd=self.folder / 'below')
        self.assert_ok(result)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_fabfile_for_fabric_1_says_which_line_to_write(self) -> None:
        text = (self.folder / 'fabfile.py').read_text()
        text, _, _ = text.partition('ns = ')
        self.write('fabfile.py', f'{text}migrations = Migrations.create_task()\n')
        result = self.fab('--list')
        self.assertEqual(result.status, 1)
        self.assertIn('create_task() is for Fabric 1, and fabric 3', result.stderr)
        self.assertIn('\n  ns = Migrations.create_namespace()\n', result.stderr)


class InvTest(InvokeTest):
    """Invoke alone."""

    from_nothing = True

    def setUp(self) -> None:
        super().setUp()
        self.program = environments.fabric_3() / 'inv'
        (self.folder / 'fabfile.py').rename(self.folder / 'tasks.py')

    def test_its_commands(self) -> None:
        (self.folder / 'below').mkdir()
        self.migration('001_a.py', INSERT)
        result = self.fab('migrations', cwd=self.folder / 'below')
        line = 'inv migrations.execute'
        self.assertIn(f'To execute them: {line}\n', self.assert_ok(result).stdout)
        self.assert_ok(self.type(line))
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_error(self.fab('migrations.accept', '7'), 'inv migrations')
        (self.folder / 'mongomigrations').rename(self.folder / 'elsewhere')
        self.assert_error(
            self.fab('migrations'), 'set MIGRATIONS_DIRECTORY in tasks.py'
        )
        self.assertIn('deploy', self.fab('--list').stdout)

    def test_of_fabric_it_says_nothing(self) -> None:
        result = self.assert_error(self.fab('migrations:execute,1'), '--name 1')
        self.assertNotIn('Fabric', result.said)

    def test_a_file_of_another_name(self) -> None:
        (self.folder / 'tasks.py').rename(self.folder / 'deploy.py')
        (self.folder / 'mongomigrations').rename(self.folder / 'elsewhere')
        self.assert_error(
            self.fab('-c', 'deploy', 'migrations'),
            'set MIGRATIONS_DIRECTORY in deploy.py',
        )

    def test_started_as_a_module(self) -> None:
        self.migration('001_a.py', INSERT)
        result = self.assert_ok(self.type('python -m invoke migrations'))
        self.assertIn(' -m invoke migrations.execute\n', result.stdout)
        [line] = [
            line.partition(': ')[2]
            for line in result.stdout.splitlines()
            if line.startswith('To execute them')
        ]
        self.assert_ok(self.type(line))


class InterruptedTest(InvokeTest):
    """Ctrl-C, and the confirmation on a terminal."""

    def test_no_is_no(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT)
        self.assert_ok(self.fab('migrations.execute'))
        shown = self.on_terminal('migrations.rollback', '--last', '2', typed='n\n')
        self.assertIn('Roll back 2 migrations', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(self.registered()), 2)
        shown = self.on_terminal('migrations.rollback', '--last', '2', '--yes')
        self.assertNotIn('[y/N]', shown)
        self.assertEqual(self.registered(), [])

    def test_ctrl_c_is_told_and_named(self) -> None:
        self.migration(
            '001_a.py',
            """
            import os
            import signal

            def up(db):
                db.ran.insert_one({})
                os.kill(os.getpid(), signal.SIGINT)

            def down(db):
                pass
            """,
        )
        result = self.fab('migrations.execute')
        self.assertEqual(result.status, 130, result.said)
        self.assertIn('interrupted', result.stderr)
        line = 'fab migrations.rollback --name 001_a.py'
        self.assertIn(line, self.fab('migrations').stdout)
        self.assert_ok(self.type(line))
