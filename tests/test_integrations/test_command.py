"""The command `migopy`: typed in a shell, without Fabric, on a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests import environments, schema
from tests.faults import eventually
from tests.project import (
    FAB,
    MIGOPY,
    TIMEOUT,
    WAITING,
    CommandTest,
    clean_environment,
    end,
)
from tests.server import free_port

ADDS = """
    def up(db):
        db.notes.insert_one({'content': 'test'})

    def down(db):
        db.notes.delete_one({'content': 'test'})
"""

FAILS = """
    def up(db):
        db.notes.insert_one({'content': 'half'})
        raise ValueError('no more')

    def down(db):
        db.notes.delete_many({'content': 'half'})
"""

#: Kills its own process, as a container that stops does, or Ctrl-C.
KILLS = """
    import os, signal, time

    def up(db):
        db.notes.insert_one({{'content': 'half'}})
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
"""

#: Shows how far it is, and prints.
BAR = """
    import migopy

    def up(db):
        for each in migopy.progress(range(3)):
            db.notes.insert_one({'content': 'test'})
        print('done')
"""

#: A package `fabric` that must not be imported.
POISON = "raise AssertionError('Fabric was imported')"


class LifeTest(CommandTest):
    """From the first look to the way back, with a fabfile as `fab` takes it."""

    from_nothing = True

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_add_note.py', ADDS)

    def test_each_next_step_is_one_of_this_command(self) -> None:
        self.write('poison/fabric/__init__.py', POISON)
        poison = {'PYTHONPATH': str(self.folder / 'poison')}
        result = self.assert_ok(self.migopy(**poison))
        self.assertEqual(
            result.stdout,
            'Unregistered migrations:\n001_add_note.py\n'
            'To execute them: migopy execute\n',
        )
        said = self.assert_ok(self.migopy('execute', '--dry-run', **poison)).stderr
        self.assertIn('001_add_note.py would do: notes 1 inserted', said)
        self.assertEqual(self.registered(), [])
        self.assert_ok(self.migopy('execute', **poison))
        self.assertEqual(self.registered(), ['001_add_note.py'])
        self.assertIn('executed', self.assert_ok(self.migopy('history')).stdout)
        result = self.migopy('execute', '001', **poison)
        self.assert_error(result, 'migopy rollback 001_add_note.py\n')
        self.assert_ok(self.migopy('rollback', '1', **poison))
        self.assertEqual(self.contents('notes'), [])

    def test_a_flag_that_a_command_of_2014_does_not_hand_on(self) -> None:
        text = (self.folder / 'fabfile.py').read_text()
        old = '    def execute(self, spec_migr=None): super().execute(spec_migr)'
        line = next(each for each in text.splitlines() if 'MONGO_DATABASE' in each)
        self.write('fabfile.py', text.replace(line, f'{line}\n{old}'))
        result = self.migopy('execute', '--dry-run')
        self.assert_error(
            result, '--dry-run is not handed on by the execute() in fabfile.py'
        )
        self.assertEqual(self.registered(), [])

    def test_what_fails_says_the_ways_out_as_they_are_typed(self) -> None:
        self.migration('002_fails.py', FAILS)
        result = self.migopy('execute')
        self.assertEqual(result.status, 1)
        for way in ('execute', 'rollback', 'ignore'):
            self.assertIn(f'\n  migopy {way} 002_fails.py  - ', result.stderr)
        self.assertNotIn('fab ', result.said)
        self.assert_ok(self.migopy('ignore', '002_fails.py'))
        self.assertEqual(self.migopy('check').status, 0)

    def test_as_a_module_its_steps_are_typed_so(self) -> None:
        python = os.path.basename(sys.executable)
        process = subprocess.run(
            [sys.executable, '-m', 'migopy', 'status'],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn(f'To execute them: {python} -m migopy execute\n', process.stdout)

    def test_a_remote_directory_is_fabric_s_and_the_command_runs_here(self) -> None:
        text = self.filled(self.fabfile).replace(
            'MONGO_DATABASE', "REMOTE_DIRECTORY = '/nowhere'\n    MONGO_DATABASE"
        )
        self.write('fabfile.py', text)
        self.assertNotIn('REMOTE', self.assert_ok(self.migopy('execute')).said)
        self.assertEqual(self.registered(), ['001_add_note.py'])

    def test_the_file_s_task_still_serves_fab(self) -> None:
        """`create_task()` is passed over by the one, and taken by the other."""
        self.assert_ok(self.migopy('execute'))
        self.assertIn('All migrations', self.ended(self.start_fab('migrations')).stdout)

    def start_fab(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(FAB), *arguments],
            cwd=self.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(end, process)
        return process

    def test_what_is_set_in_the_environment_does_not_reach_fab(self) -> None:
        """A class says under `fab` what it has said since 2014."""
        other = f'{self.db.name}_other'
        self.addCleanup(self.client.drop_database, other)
        environment = {'MIGOPY_MONGO_DATABASE': other}
        self.assert_ok(self.migopy('execute', **environment))
        self.assertEqual(self.client[other].notes.count_documents({}), 1)
        self.program = FAB
        self.assert_ok(self.fab('migrations:execute', **environment))
        self.assertEqual(self.registered(), ['001_add_note.py'])


class TypedForFabTest(CommandTest):
    def test_what_is_typed_as_fab_has_it_is_told_as_it_is_here(self) -> None:
        for typed, here in {
            'execute,001,dry_run=yes': 'migopy execute 001 --dry-run',
            'migrations:execute': 'migopy execute',
            'migrations:rollback,last=2': 'migopy rollback --last 2',
            'migrations:show_status': 'migopy status',
            # Whatever an option is called.
            'execute,name=1,self=2': 'migopy execute --name 1 --self 2',
        }.items():
            with self.subTest(typed):
                result = self.migopy(typed)
                said = 'That is how fab has it typed; nothing was done.\nHere, type: '
                self.assertEqual((result.status, result.stderr), (1, f'{said}{here}\n'))
        # Nothing that stands behind it is left out: the rest alone would do more.
        for behind, here in {
            ('--dry-run',): 'migopy execute --dry-run',
            ('001', '--to=2'): 'migopy execute 001 --to 2',
            ('--', '-1'): 'migopy execute -- -1',
            ('--help',): 'migopy help execute',
        }.items():
            with self.subTest(behind):
                result = self.migopy('migrations:execute', *behind)
                self.assertTrue(result.stderr.endswith(f'type: {here}\n'), result)
        [answer] = self.migopy('execute,1', '--json').stdout.splitlines()
        [command] = json.loads(answer)['error']['next']
        self.assertEqual(command['options'], {'json': 'yes'})
        self.assertEqual(self.registered(), [])
        for typed in ('execute:', 'excute,001', 'execute,=1', 'migrations:', ':', ','):
            self.assert_error(self.migopy(typed), 'There is no command')


class OwnCommandsTest(CommandTest):
    """Commands of a class that a project writes."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

            @classmethod
            def task_hook(cls, subtask, option):
                print('hook', subtask, option, flush=True)

            def count_notes(self, word=None, *, loud=False):
                '''Count the notes, or those that contain a word.'''
                self.logger.white(f'{word} {loud} {self.db.notes.count_documents({})}')

            def quits(self, number):
                import sys
                sys.exit(int(number))

            def stops(self):
                raise migopy.StopTaskExecution

            def complains(self):
                raise migopy.MigopyException('Not today.')

            def breaks(self):
                raise ValueError('broken')
    """

    def test_they_have_flags_and_are_helped_with(self) -> None:
        result = self.assert_ok(self.migopy('count-notes', 'a', '--loud'))
        self.assertEqual(result.stderr, 'a yes 0\n')
        self.assertEqual(result.stdout, 'hook count_notes a,loud=yes\n')
        shown = self.assert_ok(self.migopy('count-notes', '--help')).stdout
        self.assertIn('usage: migopy count-notes [WORD] [--loud]\n', shown)
        self.assertIn('  count-notes  Count the notes', self.migopy('--help').stdout)

    def test_too_many_and_too_few_are_told_in_words(self) -> None:
        for words, said in (
            (['list', '3'], "list: it takes no value, so '3' is too much;"),
            (['list', 'a', 'b'], "list: it takes no value, so 'a', 'b' are too much;"),
            (['execute', '1', '2'], "execute: it takes one value, so '2' is too much;"),
            (['speed'], 'speed: it needs --max-per-second NUMBER;'),
            (['accept'], 'accept: it needs NAME;'),
            (['rename', '1'], 'rename: it needs NEW;'),
        ):
            with self.subTest(words):
                result = self.migopy(*words)
                self.assertEqual(result.status, 1, result.said)
                self.assertIn(f'{said} nothing was done.\nType: migopy', result.stderr)

    def test_each_ends_with_the_status_that_it_means(self) -> None:
        for words, status, said in (
            (['quits', '7'], 7, ''),
            (['stops'], 0, ''),
            (['complains'], 1, 'Not today.\n'),
            (['quits'], 1, 'quits: it needs NUMBER; nothing was done.'),
        ):
            result = self.migopy(*words)
            with self.subTest(words):
                self.assertEqual(result.status, status, result.said)
                self.assertIn(said, result.stderr)
                self.assertNotIn('Traceback', result.stderr)
        result = self.migopy('breaks')
        self.assertEqual(result.status, 1)
        self.assertIn('Traceback', result.stderr)
        self.assertIn('ValueError: broken', result.stderr)


class StatusTest(CommandTest):
    """What the command ends with."""

    from_nothing = True

    def test_0_well_1_error_2_attention(self) -> None:
        self.migration('001_add_note.py', ADDS)
        self.assertEqual(self.migopy('check').status, 2)
        self.assertEqual(self.migopy('status').status, 0)
        self.assertEqual(self.migopy('excute').status, 1)
        self.assertEqual(self.migopy('execute', '--dryrun').status, 1)
        self.assertEqual(self.migopy('execute', '9').status, 1)
        self.assert_ok(self.migopy('execute'))
        self.assertEqual(self.migopy('check').status, 0)
        self.program = FAB
        self.assert_ok(self.fab('migrations:rollback,1'))
        self.assertEqual(self.fab('migrations:check').status, 1)

    def test_3_where_another_command_runs(self) -> None:
        self.migration('001_waits.py', WAITING)
        running = self.start('execute')
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        try:
            result = self.migopy('execute', MIGOPY_LOCK_WAIT='0')
            self.assert_error(result, 'type: migopy unlock', status=3)
        finally:
            self.write('go', '')
        self.assert_ok(self.ended(running))

    def test_a_signal_s_own_and_what_it_left_is_recorded(self) -> None:
        for name, status in (('SIGTERM', 143), ('SIGINT', 130), ('SIGHUP', 129)):
            self.migration('001_killed.py', KILLS.format(name=name))
            result = self.migopy('execute')
            with self.subTest(name):
                self.assertEqual(result.status, status, result.said)
                self.assertIn('001_killed.py was interrupted in its up', result.stderr)
                self.assertNotIn('Exception ignored', result.stderr)
                # The lock is free at once.
                self.assert_ok(self.migopy('ignore', '1', MIGOPY_LOCK_WAIT='0'))
            self.db.drop_collection('migrations')
            self.db.drop_collection('migrations_history')

    def test_a_signal_before_there_is_a_manager(self) -> None:
        self.write(
            'fabfile.py',
            """
            import os, signal, time
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
            """,
        )
        result = self.migopy('execute')
        self.assertEqual(result.status, 143, result.said)
        self.assertEqual(result.stderr, 'Interrupted.\n')

    def test_ctrl_c_while_it_is_imported(self) -> None:
        self.write(
            'early/sitecustomize.py',
            """
            import os, signal, sys

            class Interrupts:
                def find_spec(self, name, path=None, target=None):
                    if name == 'migopy.manager':
                        os.kill(os.getpid(), signal.SIGINT)

            sys.meta_path.insert(0, Interrupts())
            """,
        )
        result = self.migopy('list', PYTHONPATH=str(self.folder / 'early'))
        self.assertEqual(result.status, 130, result.said)
        self.assertEqual(result.stderr, 'Interrupted.\n')

    def test_nobody_who_reads_is_no_error(self) -> None:
        for number in range(50):
            self.migration(f'{number:03}_step.py', ADDS)
        typed = f'{MIGOPY} status | true; echo "${{PIPESTATUS[0]}}"'
        process = subprocess.run(
            ['bash', '-c', typed],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(process.stdout, '0\n', process.stderr)
        self.assertNotIn('BrokenPipe', process.stderr)

    def test_streams_that_are_closed_are_no_error(self) -> None:
        """As of a service or a job whose shell has typed `2>&-`."""
        for number, (program, closed) in enumerate(
            (
                (f'{MIGOPY} execute', '>&-'),
                (f'{MIGOPY} execute', '2>&-'),
                (f'{MIGOPY} execute --json', '>&- 2>&- <&-'),
                (f'{FAB} migrations:execute', '>&- 2>&-'),
            )
        ):
            name = f'{number:03}_step.py'
            self.migration(name, BAR)
            process = subprocess.run(
                ['bash', '-c', f'{program} {closed}'],
                cwd=self.folder,
                env=clean_environment(),
                timeout=TIMEOUT,
            )
            with self.subTest(program, closed=closed):
                self.assertEqual(process.returncode, 0)
                self.assertIn(name, self.registered())


class FullDiskTest(CommandTest):
    def test_a_full_disk_is_an_error_of_what_only_looks(self) -> None:
        self.migration('001_add_note.py', ADDS)
        python = environments.fabric_3()
        for program, *commands in (
            (
                MIGOPY,
                *('--help', '--version', 'help', 'status', 'list', 'history --json'),
                *('settings', 'settings --json', 'preflight', 'dbrestore --json'),
                *('undo', 'execute --dry-run --json'),
            ),
            (FAB, 'migrations', 'migrations:list,json=yes'),
            (python / 'fab', 'migrations', 'migrations.list --json'),
        ):
            if program == python / 'fab':
                file = self.folder / 'fabfile.py'
                file.write_text(file.read_text().replace('migrations = ', 'ns = '))
                file.write_text(file.read_text().replace('_task', '_namespace'))
            for command in commands:
                with self.subTest(program=program, command=command):
                    status, said = self.on_a_full_disk(program, command)
                    self.assertEqual(status, 1, said)
                    self.assertIn('stdout: No space left on device\n', said)
                    self.assertNotIn('Traceback', said)
        for command in ('create b', 'execute --json', 'rollback 1 --json'):
            with self.subTest(command):
                status, said = self.on_a_full_disk(MIGOPY, command)
                self.assertEqual(status, 0, said)

    def on_a_full_disk(self, program: Path, command: str) -> tuple[int, str]:
        """Run a command whose stdout takes nothing; give its status and its stderr."""
        self.program = program
        with open('/dev/full', 'w') as disk:
            process = self._start(command.split(), stdout=disk)
        _, said = process.communicate(timeout=TIMEOUT)
        return process.returncode, said


class JsonTest(CommandTest):
    """`--json`: lines of JSON alone on stdout, whatever happens when."""

    fabfile = """
        import migopy
        print('loaded')

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

            @classmethod
            def task_hook(cls, subtask, option):
                print('hook')

            def report(self, *, json='no'):
                print(f'a report of its own, {json}')
    """

    def told(self, *words: str, status: int = 0, **environment: str) -> dict[str, Any]:
        """Run a command, and give the last line of JSON, the only text on stdout."""
        result = self.migopy(*words, **environment)
        self.assertEqual(result.status, status, result.said)
        lines = [schema.check(line) for line in result.stdout.splitlines()]
        self.assertEqual(lines[-1]['event'], 'ended')
        return lines[-1]

    def test_well_or_not_it_ends_in_a_line(self) -> None:
        self.migration('001_add_note.py', ADDS)
        self.assertEqual(self.told('--json')['status']['pending'], ['001_add_note.py'])
        self.assertFalse(self.told('check', '--json', status=2)['ok'])
        self.assertTrue(self.told('execute', '--json')['ok'])
        error = self.told('execute', '1', '--json', status=1)['error']
        next_command = {'command': 'rollback', 'values': ['001_add_note.py']}
        self.assertEqual(error['next'], [{**next_command, 'options': {}}])
        shown = self.told('settings', '--json')['settings']
        self.assertIn(
            {'name': 'TRANSACTION', 'value': 'False', 'from': 'default'}, shown
        )

    def test_what_is_wrong_before_there_is_a_manager_is_told_so_too(self) -> None:
        for words, environment, kind in (
            (['exceute'], {}, 'UnknownSubtask'),
            (['execute', '--xyz'], {}, 'WrongOptions'),
            (['execute'], {'MIGOPY_MONGO_URL': 'x'}, 'BadSetting'),
            (['--manager', 'none.py:A'], {}, 'NoManager'),
        ):
            with self.subTest(words):
                ended = self.told(*words, '--json', status=1, **environment)
                self.assertEqual(ended['error']['type'], kind)

    def test_an_option_of_that_name_is_a_command_s_own(self) -> None:
        result = self.assert_ok(self.migopy('report', '--json'))
        self.assertIn('a report of its own, yes\n', result.stdout)


class QuietTest(CommandTest):
    def test_only_errors_and_what_was_asked_for(self) -> None:
        self.migration('001_add_note.py', ADDS)
        result = self.assert_ok(self.migopy('--quiet'))
        self.assertEqual(result.stderr + result.about, '')
        self.assertIn('001_add_note.py', result.stdout)
        for words in (['execute', '--quiet'], ['--quiet', 'execute'], ['--quiet']):
            result = self.assert_ok(self.migopy(*words))
            self.assertEqual(result.said, 'status 0\n\n')
        self.assertEqual(self.registered(), ['001_add_note.py'])
        self.assertIn('001_add', self.migopy('history', '--quiet').stdout)
        result = self.migopy('execute', '1', '--quiet')
        self.assert_error(result, '001_add_note.py is registered already')

    def test_no_bar_is_drawn(self) -> None:
        self.migration(
            '001_loops.py',
            """
            import migopy

            def up(db):
                for number in migopy.progress(range(5)):
                    db.notes.insert_one({})
            """,
        )
        self.assertEqual(self.on_terminal('execute', '--quiet'), '')


class AskingTest(CommandTest):
    def test_a_person_is_asked_and_yes_is_the_answer(self) -> None:
        for number in (1, 2):
            self.migration(f'00{number}_step.py', ADDS)
        self.assert_ok(self.migopy('execute'))
        shown = self.on_terminal('rollback', '--last', '2', typed='n\n')
        self.assertIn('Roll back 2 migrations', shown)
        self.assertIn('[y/N]', shown)
        self.assertEqual(len(self.registered()), 2)
        self.on_terminal('rollback', '--last', '2', '--yes')
        self.assertEqual(self.registered(), [])


class HelpTest(CommandTest):
    def test_it_needs_neither_a_project_nor_a_server(self) -> None:
        (self.folder / 'fabfile.py').unlink()
        result = self.assert_ok(self.migopy('--help'))
        self.assertIn('usage: migopy [COMMAND] [OPTION ...]', result.stdout)
        self.assertIn('\n  execute      Execute unregistered', result.stdout)
        self.assertIn('Neither ', result.stderr)
        for words in (['execute', '--help'], ['help', 'execute']):
            result = self.assert_ok(self.migopy(*words))
            self.assertIn('migopy execute [NAME] [--to NAME] [--phase ', result.stdout)
        shown = self.assert_ok(self.migopy('help', 'status')).stdout
        self.assertIn('Show unregistered migrations', shown)
        result = self.assert_ok(self.migopy('help'))
        self.assertIn('\n  execute      Execute unregistered', result.stdout)
        self.assertIn('Neither ', result.stderr)
        self.assertRegex(self.migopy('--version').stdout, r'^migopy 2\.\d+\.\S+\n$')
        self.assert_error(self.migopy(), 'Neither ', '--manager FILE.py:CLASS')

    def test_a_file_that_cannot_be_loaded_is_told_once(self) -> None:
        self.write('fabfile.py', 'import nosuch\n')
        for typed in (['help'], ['--help'], ['help', 'list']):
            result = self.assert_ok(self.migopy(*typed))
            with self.subTest(typed):
                self.assertEqual(result.stderr.count('No module named'), 1)

    def test_an_unknown_command_is_told_all_there_are(self) -> None:
        result = self.assert_error(self.migopy('migrate'), 'migopy execute\n')
        self.assertIn("There is no command 'migrate'; nothing was done.", result.stderr)

    def test_what_could_steer_a_terminal_is_shown_and_not_obeyed(self) -> None:
        for words in (
            ['exe\x1b[2Jcute'],
            ['execute', '--\x1b[2Jx'],
            ['--manager', '\x1b[2J.py'],
            ['execute', '\x1b[2J'],
        ):
            result = self.migopy(*words)
            self.assertEqual(result.status, 1, result.said)
            self.assertNotIn('\x1b[2J', result.said)

    def test_what_is_no_utf8_is_told_as_any_other_name(self) -> None:
        process = subprocess.run(
            [MIGOPY, 'execute', b'\xff\xfe'],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn(b'There is no migration', process.stderr)
        self.assertNotIn(b'Traceback', process.stderr)


class SettingsTest(CommandTest):
    def test_each_is_shown_with_where_it_is_from_and_no_secret(self) -> None:
        secret = self.write('secret', 's3cret\n')
        self.write('pyproject.toml', '[tool.migopy]\nlock_ttl = 30\n')
        result = self.assert_ok(
            self.migopy(
                'settings',
                MIGOPY_LOCK_WAIT='5',
                MIGOPY_MONGO_USER_PASS_FILE=str(secret),
                COLUMNS='200',
            )
        )
        self.assertNotIn('s3cret', result.said)
        rows = {}
        for line in result.stdout.splitlines():
            name, *rest = re.split(' {2,}', line)
            rows[name] = tuple(rest)
        for name, value, where in (
            ('LOCK_WAIT', '5', 'MIGOPY_LOCK_WAIT'),
            ('MONGO_DATABASE', self.db.name, 'Migrations in fabfile.py'),
            ('MONGO_USER_PASS', '(set, not shown)', 'MIGOPY_MONGO_USER_PASS_FILE'),
            ('LOCK_TTL', '30', 'lock_ttl in pyproject.toml'),
            ('TRANSACTION', 'False', 'default'),
            ('PROJECT_DIRECTORY', str(self.folder), 'where fabfile.py is'),
        ):
            self.assertEqual(rows[name], (value, where))

    def test_fab_shows_them_too(self) -> None:
        self.program = FAB
        shown = self.assert_ok(self.fab('migrations:settings', COLUMNS='200')).stdout
        self.assertRegex(shown, 'MONGO_DATABASE +m.* +Migrations in fabfile.py')

    def test_an_error_says_where_what_is_at_fault_is_set(self) -> None:
        nobody = f'mongodb://127.0.0.1:{free_port()}'
        for environment, said in (
            ({'MIGOPY_MONGO_URI': nobody}, 'in the environment (MIGOPY_MONGO_URI)'),
            ({'MIGOPY_MIGRATION_TEMPLATE': 'no'}, '(MIGOPY_MIGRATION_TEMPLATE)'),
            ({'MIGOPY_MIGRATIONS_DIRECTORY': 'no'}, '(MIGOPY_MIGRATIONS_DIRECTORY)'),
        ):
            words = ['create', 'x'] if 'TEMPLATE' in said else ['status']
            result = self.migopy(*words, **environment)
            self.assert_error(result, said)
            self.assertNotIn('fabfile', result.stderr)

    def test_what_is_wrong_in_the_environment_is_one_sentence(self) -> None:
        for name, text, said in (
            ('MIGOPY_MONGO_URL', 'x', '; MIGOPY_MONGO_URI is. Rename it, or unset it.'),
            ('MIGOPY_LOCK_WAIT', 'soon', '=soon must be a number.'),
            ('MIGOPY_MONGO_URI', 'ann:s3cret@h', ' must be a URI that begins with'),
        ):
            result = self.migopy(**{name: text})
            with self.subTest(name):
                self.assert_error(result, f'{name}')
                self.assertIn(said, result.stderr)
                self.assertEqual(result.stderr.count('\n'), 1)
                self.assertNotIn('s3cret', result.said)


class ContainerTest(CommandTest):
    """As in a container: no file but migrations, nothing in the environment."""

    fabfile = ''

    def setUp(self) -> None:
        super().setUp()
        (self.folder / 'fabfile.py').unlink()
        self.migration('001_add_note.py', ADDS)
        self.needed = [
            f'MIGOPY_MONGO_URI={self.uri}',
            f'MIGOPY_MONGO_DATABASE={self.db.name}',
        ]

    def bare(self, *typed: str) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal, a HOME, a PATH or a user's name."""
        return subprocess.run(
            ['env', '-i', *self.needed, *typed],
            cwd=self.folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=TIMEOUT,
        )

    def assert_executed(self, process: subprocess.CompletedProcess[str]) -> None:
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(self.registered(), ['001_add_note.py'])

    def test_settings_of_the_environment_are_enough(self) -> None:
        process = self.bare(str(MIGOPY), 'execute')
        self.assert_executed(process)
        self.assertIn('001_add_note.py executed', process.stderr)

    @unittest.skipUnless(hasattr(os, 'getuid') and os.getuid() == 0, 'only root can')
    def test_a_folder_to_be_read_only_and_a_user_without_a_name(self) -> None:
        nobody = ('setpriv', '--reuid=54321', '--regid=54321', '--clear-groups')
        look = [*nobody, sys.executable, '-c', 'import migopy.manager']
        if subprocess.run(look, capture_output=True, cwd='/').returncode:
            self.skipTest('nobody else can read this checkout or its environment')
        self.folder.chmod(0o755)
        for path in self.folder.rglob('*'):
            path.chmod(0o555 if path.is_dir() else 0o444)
        shutil.rmtree(self.folder / 'mongomigrations/__pycache__', ignore_errors=True)
        process = self.bare(
            *(*nobody, sys.executable, '-m', 'migopy', 'execute'),
        )
        self.assert_executed(process)
        [run] = self.db.migrations_history.find()
        self.assertEqual(run['user'], '54321')
        self.assertEqual(
            sorted(each.name for each in self.folder.rglob('*')),
            ['001_add_note.py', 'mongomigrations'],
        )

    def test_sigterm_ends_it_as_the_first_process_too(self) -> None:
        """A kernel keeps from process 1 each signal that it does not handle."""
        unshare = ['unshare', '--user', '--map-root-user', '--pid', '--fork']
        if subprocess.run([*unshare, 'true'], capture_output=True).returncode:
            self.skipTest('this machine allows no process spaces')
        self.migration('001_add_note.py', WAITING)
        process = subprocess.Popen(
            [*unshare, 'env', '-i', *self.needed, str(MIGOPY), 'execute'],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(end, process)
        eventually(lambda: self.contents('ran'), 'the migration has begun')
        self.assertEqual(self.contents('ran'), [{'begun': 1}])
        [child] = subprocess.run(
            ['pgrep', '-P', str(process.pid)], capture_output=True, text=True
        ).stdout.split()
        os.kill(int(child), signal.SIGTERM)
        _, said = process.communicate(timeout=TIMEOUT)
        self.assertIn('001_add_note.py was interrupted in its up', said)
        self.assertEqual(process.returncode, 143, said)
        with MongoClient(self.uri) as client:
            self.assertIsNone(client[self.db.name].migrations_lock.find_one())


class CompletionTest(CommandTest):
    """What shells complete, by argcomplete's part of each and by migopy's."""

    from_nothing = True

    fabfile = OwnCommandsTest.fabfile

    #: What a line's last word may be.
    LINES = {
        'migopy exe': {'execute'},
        'migopy count': {'count-notes'},
        'migopy execute --d': {'--dry-run'},
        'migopy rollback --to 001': {'001_add_note'},
        'migopy execute 00': {'001_add_note', '002_other'},
        'migopy count-notes --l': {'--loud'},
    }

    path = f'{MIGOPY.parent}:{os.environ["PATH"]}'

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_add_note.py', ADDS)
        self.migration('002_other.py', ADDS)

    def shell(self, *typed: str) -> str:
        process = subprocess.run(
            typed,
            cwd=self.folder,
            env=clean_environment(PATH=self.path),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def completed_by_bash(self, line: str) -> set[str]:
        """Give what bash has for the last word of a line."""
        script = f"""
            eval "$(register-python-argcomplete migopy)"
            COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9
            COMP_WORDS=($COMP_LINE) COMP_CWORD=$(({len(line.split())} - 1))
            function=$(complete -p migopy | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
            $function migopy "${{COMP_WORDS[COMP_CWORD]}}" ''
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return set(self.shell('bash', '--norc', '-c', script).split())

    def test_bash(self) -> None:
        for line, expected in self.LINES.items():
            with self.subTest(line):
                self.assertEqual(self.completed_by_bash(line), expected)

    def test_a_person_s_tab(self) -> None:
        """The word is completed where it is typed, and the line then runs."""
        for shell, *options in (('bash', '--norc', '-i'), ('zsh', '-f', '-i')):
            if not shutil.which(shell):
                continue
            ready = {
                'bash': '',
                'zsh': 'autoload -Uz compinit; compinit -D -u; ',
            }[shell]
            self.program = Path(shell)
            shown = self.on_terminal(
                *options,
                typed=f'{ready}eval "$(register-python-argcomplete migopy)"\n'
                'migopy exe\t--help\nexit\n',
                PATH=self.path,
            )
            with self.subTest(shell):
                self.assertIn('usage: migopy execute [NAME]', shown)

    @unittest.skipUnless(shutil.which('fish'), 'needs fish')
    def test_fish(self) -> None:
        for line, expected in self.LINES.items():
            script = f"""
                register-python-argcomplete --shell fish migopy | source
                complete -C {line!r}
            """
            with self.subTest(line):
                shown = self.shell('fish', '--no-config', '-c', script)
                found = {each.split('\t')[0] for each in shown.splitlines()}
                self.assertEqual(found, expected)
        described = self.shell(
            'fish',
            '--no-config',
            '-c',
            'register-python-argcomplete --shell fish migopy | source;'
            ' complete -C "migopy exe"',
        )
        self.assertIn('execute\tExecute unregistered migrations', described)

    def test_outside_of_a_project_migopy_s_own_commands_are_there(self) -> None:
        (self.folder / 'fabfile.py').unlink()
        self.assertEqual(self.completed_by_bash('migopy rollb'), {'rollback'})
        self.assertEqual(self.completed_by_bash('migopy count'), set())

    def test_a_file_that_is_broken_disturbs_nobody(self) -> None:
        self.write('fabfile.py', 'x = ')
        self.assertEqual(self.completed_by_bash('migopy rollb'), {'rollback'})

    def test_names_are_there_beside_helpers_and_names_that_fit_nothing(self) -> None:
        self.write(
            'fabfile.py',
            """
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_DATABASE = 'shop'
                MIGRATIONS_HELPERS = ['base.py']
            """,
        )
        names = self.LINES['migopy execute 00']
        for other in ('base.py', '003-not-yet.py'):
            self.migration(other, ADDS)
            with self.subTest(other):
                self.assertEqual(self.completed_by_bash('migopy execute 00'), names)

    def test_a_setting_of_a_wrong_type_takes_no_command_away(self) -> None:
        for setting in (
            'MIGRATIONS_HELPERS = [3]',
            'MIGRATIONS_FILE_PATTERN = None',
            'MIGRATIONS_DIRECTORY = chr(0)',
        ):
            self.write(
                'fabfile.py',
                f"""
                import migopy

                class Migrations(migopy.MigrationsManager):
                    MONGO_DATABASE = 'shop'
                    {setting}
                """,
            )
            with self.subTest(setting):
                completed = self.completed_by_bash('migopy rollb')
                self.assertEqual(completed, {'rollback'})

    def test_to_look_makes_no_file(self) -> None:
        (self.folder / 'mongomigrations/__init__.py').unlink(missing_ok=True)
        self.completed_by_bash('migopy execute 00')
        self.assertFalse((self.folder / 'mongomigrations/__init__.py').exists())


if __name__ == '__main__':
    unittest.main()
