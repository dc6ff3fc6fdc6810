"""The same command on remote machines: a real sshd, and the real `fab` behind it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from fabric.api import cd, hide, prefix, run, settings
from fabric.network import disconnect_all

from migopy import MigrationsManager
from migopy.face.subtasks import as_typed
from tests import readme, ssh, transcripts
from tests.machines import NOWHERE, WAITS, MachinesTest
from tests.nasty import NASTY, random_values
from tests.project import FabTest, Result

#: The way of the README of 2014, which is possible still: the fabfile itself runs the
#: command, in `task_hook`.
WITH_HOOK = """
    import json

    from fabric.api import cd, env, prefix, run

    import migopy

    is_remote = False

    def staging():
        global is_remote
        is_remote = True
        env.hosts = ['{machine}']

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

        @classmethod
        def task_hook(cls, subtask, option):
            if is_remote:
                with cd('~/project'), prefix('. venv/bin/activate'):
                    run(cls.fab_command(subtask, option))
                raise migopy.StopTaskExecution()

        def keep(self, *values, **options):
            with open('kept', 'w') as file:
                json.dump([values, options], file)

    migrations = Migrations.create_task()
"""

#: The short way.
WITH_DIRECTORY = """
    import json

    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        REMOTE_DIRECTORY = '~/project'
        REMOTE_PREFIX = '. venv/bin/activate'

        def keep(self, *values, **options):
            with open('kept', 'w') as file:
                json.dump([values, options], file)

    migrations = Migrations.create_task()
"""

INSERT = """
    def up(db):
        db.ran.insert_one({'name': __name__})

    def down(db):
        db.ran.delete_one({'name': __name__})
"""

#: A `fab` that keeps what it is called with.
KEEPS_ARGUMENTS = """\
#!/bin/sh
printf '%s\\0' "$@" > ~/typed
"""


class RemoteTest(MachinesTest):
    """A test with `REMOTE_DIRECTORY`."""

    fabfile = WITH_DIRECTORY


class CommandTest(RemoteTest):
    """One machine, by `REMOTE_DIRECTORY`."""

    def test_the_command_runs_there_and_not_here(self) -> None:
        self.migration_there('001_first.py', INSERT)
        result = self.assert_ok(self.remotely('migrations'))
        self.assertIn('001_first.py', self.out(result))
        self.assertEqual(result.stderr, '')
        self.assertEqual(self.registered(), [])
        result = self.assert_ok(self.remotely('migrations:execute'))
        self.assertIn('001_first.py', self.out(result))
        self.assertEqual(self.registered(), ['001_first.py'])
        self.assertEqual(len(self.contents('ran')), 1)

    def test_a_failure_there_is_told_and_ends_with_1(self) -> None:
        result = self.remotely('migrations:execute,007_none.py')
        self.assertIn('007_none.py', self.out(result))
        self.assert_fails(
            result,
            f'{self.machine.name}: the command ended with exit status 1, see above.',
        )
        self.assertNotIn('\033', result.stdout)

    def test_its_message_is_shown_where_the_output_is_hidden(self) -> None:
        result = self.remotely('--hide=stdout', 'migrations:execute,007_none.py')
        self.assertEqual(self.out(result), '')
        self.assert_error(result, self.machine.name, '007_none.py')

    def test_colours_there_are_as_here(self) -> None:
        result = self.remotely('migrations:execute,007_none.py', FORCE_COLOR='1')
        self.assertIn('\033[91m', self.out(result))

    def test_a_command_that_is_killed_there(self) -> None:
        self.write_there('venv/bin/activate', 'fab() { kill -9 $$; }\n')
        result = self.remotely('migrations')
        self.assert_fails(result, f'{self.machine.name}: a signal ended the command.')

    def test_lines_arrive_as_they_come(self) -> None:
        self.migration_there('001_waits.py', WAITS)
        process = self.start_ssh('-H', self.machine.name, 'migrations:execute')
        assert process.stdout is not None
        line = ''
        while 'begun' not in line:
            line = process.stdout.readline()
            self.assertTrue(line, 'ended before it had begun')
        self.assertEqual(line, f'[{self.machine.name}] out: begun\n')
        self.write_there('go_on', '')
        self.assert_ok(self.ended(process))

    def test_without_fab_there_it_says_what_to_set(self) -> None:
        self.write_there('venv/bin/activate', '')
        result = self.remotely('migrations')
        self.assert_error(result, self.machine.name, '127', 'REMOTE_PREFIX')

    def test_without_the_folder_there(self) -> None:
        (self.machine.home / 'project').rename(self.machine.home / 'elsewhere')
        result = self.remotely('migrations')
        self.assertIn('project', self.out(result))
        self.assert_error(result, self.machine.name)

    def test_the_hook_comes_first(self) -> None:
        (self.machine.home / 'project').rename(self.machine.home / 'elsewhere')
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write(
                textwrap.dedent("""
                @classmethod
                def choose(cls, subtask, option):
                    if subtask == 'nothing':
                        raise migopy.StopTaskExecution
                    cls.REMOTE_DIRECTORY = '~/elsewhere'

                Migrations.task_hook = choose
                """)
            )
        result = self.assert_ok(self.remotely('migrations:nothing'))
        self.assertEqual(self.out(result), '')
        result = self.assert_ok(self.remotely('migrations'))
        self.assertIn('All migrations', self.out(result))


class HostKeyTest(RemoteTest):
    """Fabric accepts a key that nobody has made known; who types is told."""

    def fingerprint(self) -> str:
        command = ['ssh-keygen', '-lf', str(self.machine.folder / 'host_key.pub')]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return said.stdout.split()[1]

    def test_one_that_is_known_is_passed_over(self) -> None:
        result = self.assert_ok(self.remotely('migrations'))
        self.assertEqual(result.stderr, '')

    def test_one_that_is_not_is_told_once_and_before_the_command(self) -> None:
        self.known_hosts.write_text('')
        process = self.start_ssh(
            *('-H', self.machine.name, 'migrations', 'migrations:check')
        )
        said = self.assert_ok(self.ended(process)).stderr
        host, port = self.machine.name, self.machine.port
        self.assertEqual(
            said,
            f'{host}: its host key (ssh-ed25519 {self.fingerprint()}) is not known'
            ' here; Fabric accepted it all the same, so another machine may have taken'
            ' its place.\n'
            f'To make it known, type: ssh -p {port} {host.rpartition(":")[0]}\n'
            'To have unknown ones refused: env.reject_unknown_hosts = True in the'
            ' fabfile\n',
        )

    def test_it_is_refused_where_the_fabfile_says_so(self) -> None:
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write('from fabric.api import env\n')
            fabfile.write('env.reject_unknown_hosts = True\n')
        self.assert_ok(self.remotely('migrations'))
        self.known_hosts.write_text('')
        result = self.remotely('migrations')
        self.assert_error(result, f'{self.machine.name}: no connection.', 'not found')
        self.assertEqual(self.out(result), '')

    def test_another_key_than_the_known_one_is_refused_in_any_case(self) -> None:
        other = ssh.make_key(self.place / 'other').with_suffix('.pub').read_text()
        kind, key, *_ = other.split()
        known = f'[127.0.0.1]:{self.machine.port} {kind} {key}\n'
        self.known_hosts.write_text(known)
        result = self.remotely('migrations')
        self.assert_error(result, f'{self.machine.name}: no connection.', 'key')
        self.assertEqual(self.out(result), '')


class JsonTest(RemoteTest):
    """`json=yes` on two machines: JSON alone on stdout, with each machine's name."""

    machines = 2
    printing = "def up(db):\n    print('printed')\n    db.ran.insert_one({})\n"

    def lines(self, result: Result) -> list[dict[str, Any]]:
        self.assertTrue(result.stdout, result.said)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def in_json(self, command: str, *options: str) -> Result:
        names = ','.join(host.name for host in self.hosts)
        return self.ssh(*options, '-H', names, f'migrations:{command}json=yes')

    def test_what_is_told_there(self) -> None:
        self.migration_there('001_first.py', self.printing)
        for options in ((), ('--hide=stdout',)):
            result = self.assert_ok(self.in_json('', *options))
            told = self.lines(result)
            self.assertEqual(
                [each['on'] for each in told], [host.name for host in self.hosts]
            )
            for each in told:
                self.assertEqual(each['status']['pending'], ['001_first.py'])
        result = self.assert_ok(self.in_json('execute,'))
        events = [(each['event'], each['on']) for each in self.lines(result)]
        one, two = (host.name for host in self.hosts)
        events_there = ('planned', 'started', 'executed', 'ended')
        expected = [(event, one) for event in events_there]
        self.assertEqual(events, [*expected, ('ended', two)])
        self.assertIn(f'[{one}] out: printed\n', result.stderr)
        self.assertNotIn('\\x1b', result.stderr)

    def test_a_failure_there(self) -> None:
        there, here = self.lines(self.in_json('execute,7,'))
        self.assertEqual(there['on'], self.machine.name)
        self.assertEqual(there['error']['type'], 'UnknownMigration')
        self.assertEqual((here['ok'], here['error']['type']), (False, 'HostFailed'))
        self.assertNotIn('on', here)

    def test_no_machine(self) -> None:
        for host in self.hosts:
            host.stop()
        for options in ((), ('-w',)):
            told = self.lines(self.in_json('execute,', *options))
            self.assertEqual(
                [each['error']['type'] for each in told],
                ['HostFailed'] * (2 if options else 1),
            )

    def test_before_it_is_sent_there(self) -> None:
        """The list of dumps is not asked about; no machine has any."""
        told = self.lines(self.assert_ok(self.in_json('dbrestore,')))
        self.assertEqual([each['dumps'] for each in told], [[]])


class UnsetTest(RemoteTest):
    """Without `REMOTE_DIRECTORY` all is as in 1.0."""

    fabfile = FabTest.fabfile

    def test_the_command_runs_here_for_each_host(self) -> None:
        self.write('fabfile.py', self.filled(self.fabfile))
        self.migration('001_here.py')
        self.assert_ok(self.remotely('migrations:execute'))
        self.assertEqual(self.registered(), ['001_here.py'])
        self.assertNotIn('Connection from', self.machine.log)


class FabfileWithHostsTest(RemoteTest):
    """`env.hosts` stands in the fabfile, on the remote machines too."""

    fabfile = (
        WITH_DIRECTORY
        + '\n    from fabric.api import env\n    env.hosts = {machines}\n'
    )
    machines = 2

    def test_a_machine_does_not_send_it_on_and_runs_it_once(self) -> None:
        self.migration_there('001_first.py', INSERT)
        result = self.assert_ok(self.ssh('migrations:execute'))
        first, second = self.hosts
        self.assertIn('001_first.py', self.out(result, first))
        self.assertNotIn('All migrations', self.out(result, first))
        self.assertIn('All migrations', self.out(result, second))
        self.assertEqual(len(self.contents('ran')), 1)
        for host in self.hosts:
            self.assertEqual(host.log.count('Connection from'), 1)


class OneCommandTest(RemoteTest):
    """What is typed once is done once, though it is sent to several machines."""

    machines = 2

    def test_what_names_or_counts_migrations_is_not_done_again(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration_there(name, INSERT)
        names = ','.join(host.name for host in self.hosts)
        self.assert_ok(self.ssh('-H', names, 'migrations:execute'))
        for parallel in ([], ['-P']):
            result = self.ssh(*parallel, '-H', names, 'migrations:rollback,last=1')
            self.assert_ok(result)
            self.assertIn('has been carried out already', result.stdout)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.ssh('-H', names, 'migrations:execute,002'))
        self.assert_ok(self.ssh('-H', names, 'migrations:rollback,001'))
        self.assertEqual(self.registered(), ['002_b.py'])
        ids = self.db.migrations_history.distinct('command')
        self.assertEqual(len(ids), 5)

    def test_what_an_error_says_to_type_leads_there(self) -> None:
        self.migration_there('001_a.py', 'def up(db): 1 / 0')
        result = self.remotely('migrations:execute')
        again = f'-H {re.escape(self.machine.name)} migrations:execute'
        self.assertRegex(self.out(result), f'then type: fab .*{again}')
        result = self.remotely('migrations:execute,007_none.py')
        again = again.replace(':execute', r'\b')
        self.assertRegex(self.out(result), f'have not run: fab .*{again}')


class ValuesTest(RemoteTest):
    """What is typed arrives, and no shell executes it, here or there."""

    def assert_nothing_executed(self) -> None:
        for place in (self.place, self.folder):
            self.assertEqual(list(place.rglob('executed')), [])
        self.assertFalse(Path('executed').exists())

    def test_in_the_remote_fab(self) -> None:
        options = {'key': 'a b', "it's": '$HOME', 'empty': '', 'to': '005'}
        option = as_typed(NASTY, options)
        self.assert_ok(self.remotely(f'migrations:keep,{option}'))
        kept = json.loads((self.machine.home / 'project/kept').read_text())
        self.assertEqual(kept, [NASTY, options])
        self.assert_nothing_executed()

    def test_each_alone_and_many_together(self) -> None:
        class Migrations(MigrationsManager):
            REMOTE_DIRECTORY = '~/project'
            REMOTE_PREFIX = '. venv/bin/activate'

        def by_directory(values: list[str]) -> None:
            Migrations.create_task()('keep', *values)

        def by_hook(values: list[str]) -> None:
            with cd('~/project'), prefix('. venv/bin/activate'):
                run(Migrations.fab_command('keep', as_typed(values, {})))

        self.write_there('venv/bin/activate', 'PATH=~/project/venv/bin:$PATH\n')
        self.write_there('venv/bin/fab', KEEPS_ARGUMENTS)
        (self.machine.home / 'project/venv/bin/fab').chmod(0o755)
        with self.connected():
            for value in NASTY + random_values(30, seed=2):
                self.assert_arrive([value], by_directory)
            for way in (by_directory, by_hook):
                self.assert_arrive(NASTY, way)
                for seed in range(10):
                    self.assert_arrive(random_values(200, seed), way)
        self.assert_nothing_executed()

    def assert_arrive(
        self, values: list[str], way: Callable[[list[str]], None]
    ) -> None:
        typed = self.machine.home / 'typed'
        typed.unlink(missing_ok=True)
        way(values)
        text = typed.read_bytes().decode()
        self.assertEqual(text, f'migrations:keep,{as_typed(values, {})}\0')

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Have Fabric in this process connected to the machine."""
        how = {
            'host_string': self.machine.name,
            'key_filename': str(self.key),
            'disable_known_hosts': True,
            'no_keys': True,
            'no_agent': True,
        }
        # Fabric sends what is typed here, and pytest's stdin cannot be read.
        with (
            open(os.devnull) as nothing,
            mock.patch('sys.stdin', nothing),
            hide('everything', 'status'),
            settings(**how),
        ):
            try:
                yield
            finally:
                disconnect_all()


class HookTest(RemoteTest):
    """The fabfile runs the command itself, as in the README."""

    fabfile = WITH_HOOK

    def test_the_command_runs_there(self) -> None:
        self.migration_there('001_first.py', INSERT)
        result = self.assert_ok(self.ssh('staging', 'migrations:execute'))
        self.assertIn('001_first.py', self.out(result))
        self.assertEqual(self.registered(), ['001_first.py'])

    def test_a_failure_there_ends_with_1(self) -> None:
        result = self.ssh('staging', 'migrations:execute,007_none.py')
        self.assertIn('007_none.py', self.out(result))
        self.assert_error(result)

    def test_values_arrive(self) -> None:
        option = as_typed(NASTY, {'key': 'a b'})
        self.assert_ok(self.ssh('staging', f'migrations:keep,{option}'))
        kept = json.loads((self.machine.home / 'project/kept').read_text())
        self.assertEqual(kept, [NASTY, {'key': 'a b'}])


class ReadmeTest(RemoteTest):
    """The example of `docs/environments.rst`, with the tests' machine in it."""

    block = 'environments'

    def set_up_projects(self) -> None:
        # Two machines in the example, which are one here.
        example = re.sub(
            r'env\.hosts = \[.*\]',
            f'env.hosts = [{self.machine.name!r}]',
            readme.block(self.block),
        )
        for there, here in (
            ('/srv/myproject', '~/project'),
            ('MONGO_HOST = settings.MONGO_HOST', 'MONGO_URI = settings.MONGO_URI'),
        ):
            self.assertIn(there, example)
            example = example.replace(there, here)
        self.fabfile = example
        super().set_up_projects()
        settings = "MONGO_URI = '{uri}'\nMONGO_DATABASE = '{database}'\n"
        self.write('settings.py', self.filled(settings.replace('{uri}', NOWHERE)))
        self.write_there('settings.py', self.filled(settings))
        profile = '. ~/project/venv/bin/activate\n'
        (self.machine.home / '.bash_profile').write_text(profile)

    def test_commands_run_on_the_environment_s_machine(self) -> None:
        self.migration_there('001_first.py', INSERT)
        result = self.assert_ok(self.ssh('staging', 'migrations'))
        self.assertIn('001_first.py', self.out(result))
        self.assert_ok(self.ssh('production', 'migrations:execute,001_first.py'))
        self.assertEqual(self.registered(), ['001_first.py'])
        result = self.ssh('production', 'migrations:execute,007_none.py')
        self.assertIn('007_none.py', self.out(result))
        self.assert_error(result)

    def test_what_is_typed_on_the_page(self) -> None:
        self.migration_there('001_add_note.py', readme.block('migration'))
        for name in ('remote-execute', 'staging-and-production'):
            for shown in transcripts.commands(readme.block(name)):
                result = self.assert_ok(self.ssh(*shown.command.split()[1:]))
                output = result.stdout.replace(self.machine.name, 'staging.example.com')
                # The page's database and server are not the test's.
                about = r'(?m)^(\[.*\] out: )[\w-]+ on [^\s:]+:\S+\n'
                page, seen = (
                    re.sub(about, '', text) for text in (shown.output, output)
                )
                if shown.output:
                    self.assertTrue(transcripts.fits(page, seen), output)


class ReadmeHookTest(ReadmeTest):
    """The page's example with a `task_hook`."""

    block = 'environments-by-hook'


class SeveralTest(RemoteTest):
    """Several machines and one database."""

    machines = 3

    def setUp(self) -> None:
        super().setUp()
        self.names = ','.join(host.name for host in self.hosts)

    def assert_ran_once(self, result: Result) -> None:
        self.assert_ok(result)
        self.assertEqual(len(self.contents('ran')), 3)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
        idle = [h for h in self.hosts if 'All migrations' in self.out(result, h)]
        self.assertEqual(len(idle), 2, result.said)

    def migrations(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration_there(name, INSERT)

    def test_one_after_the_other(self) -> None:
        self.migrations()
        self.assert_ran_once(self.ssh('-H', self.names, 'migrations:execute'))

    def test_in_parallel(self) -> None:
        self.migrations()
        self.assert_ran_once(self.ssh('-P', '-H', self.names, 'migrations:execute'))

    def test_the_failure_of_one_is_told_with_its_name(self) -> None:
        self.migrations()
        broken = self.hosts[1]
        (broken.home / 'project').rename(broken.home / 'elsewhere')
        failure = f'{broken.name}: the command ended with exit status 1, see above.'
        with self.subTest('in parallel'):
            result = self.ssh('-P', '-H', self.names, 'migrations:execute')
            self.assert_error(result, failure)
            self.assertEqual(len(self.contents('ran')), 3)
        with self.subTest('one after the other'):
            result = self.ssh('-H', self.names, 'migrations')
            self.assert_fails(result, failure)
            self.assertEqual(self.out(result, self.hosts[2]), '')
        with self.subTest('going on'):
            result = self.ssh('-w', '-H', self.names, 'migrations')
            self.assertEqual(result.status, 0, result.said)
            self.assertEqual(result.stderr, f'{failure}\n')
            self.assertIn('All migrations', self.out(result, self.hosts[2]))

    def test_lines_of_parallel_ones_arrive_as_they_come(self) -> None:
        self.migration_there('001_waits.py', WAITS)
        process = self.start_ssh('-P', '-H', self.names, 'migrations:execute')
        assert process.stdout is not None
        line = ''
        while 'begun' not in line:
            line = process.stdout.readline()
            self.assertTrue(line, 'ended before it had begun')
        self.write_there('go_on', '')
        self.assert_ok(self.ended(process))


class ConnectionTest(RemoteTest):
    """There is none, or it ends too early."""

    def test_ctrl_c_stops_the_command_there(self) -> None:
        # Where the tests run in the background it is ignored, and fab inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        process = self.begin()
        process.send_signal(signal.SIGINT)
        result = self.ended(process)
        self.assertEqual(result.status, 130, result.said)
        self.assertIn(f'{self.machine.name}: the connection was closed', result.stderr)
        self.assertNotIn('Traceback', result.said)
        self.wait_for(lambda: not self.locked(), 'the lock is free')
        self.assert_unfinished()

    def test_a_lost_one_is_told_and_the_migration_is_named_unfinished(self) -> None:
        process = self.begin()
        self.machine.lose_connections()
        result = self.ended(process)
        self.assert_error(result, f'{self.machine.name}: the connection was lost')
        self.wait_for(lambda: not self.locked(), 'the lock is free')
        self.assert_unfinished()

    def assert_unfinished(self) -> None:
        status = self.out(self.assert_ok(self.remotely('migrations')))
        self.assertRegex(status, r'Unfinished: 001_waits\.py')
        self.assertEqual(self.registered(), [])

    def test_without_a_terminal_there_the_migration_goes_on_to_its_end(self) -> None:
        self.migration_there('001_waits.py', WAITS)
        process = self.start_ssh(
            '--no-pty', '-H', self.machine.name, 'migrations:execute'
        )
        self.wait_for(lambda: self.contents('ran'), 'the migration has begun')
        self.machine.lose_connections()
        result = self.ended(process)
        self.assert_error(result, f'{self.machine.name}: the connection was lost')
        self.write_there('go_on', '')
        self.wait_for(self.registered, 'the migration is registered')

    def test_no_machine(self) -> None:
        self.machine.stop()
        for arguments in ((), ('-P',)):
            with self.subTest(arguments):
                result = self.remotely(*arguments, 'migrations')
                self.assert_error(result, f'{self.machine.name}: no connection.')

    def test_skipping_bad_hosts_is_left_to_fabric(self) -> None:
        self.machine.stop()
        result = self.assert_ok(self.remotely('--skip-bad-hosts', 'migrations'))
        self.assertIn('Warning', result.stderr)

    def test_no_key_that_fits_and_nobody_to_type_a_password(self) -> None:
        (self.machine.folder / 'authorized_keys').write_text('')
        result = self.remotely('migrations')
        self.assert_error(result, f'{self.machine.name}: asks for a password')
        result = self.remotely('--abort-on-prompts', 'migrations')
        self.assert_error(result, self.machine.name, 'prompt')

    def test_a_handshake_that_is_broken_off_is_no_success(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as server:

            def break_off() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b'SSH-2.0-OpenSSH_9.2\r\n')
                    connection.recv(4096)

            threading.Thread(target=break_off, daemon=True).start()
            name = f'ann@127.0.0.1:{server.getsockname()[1]}'
            result = self.ssh('-H', name, 'migrations')
        self.assert_error(result, f'{name}: closed the connection')
