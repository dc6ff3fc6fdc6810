"""The same command on remote machines, by Fabric 3: a real sshd, the real `fab`."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import textwrap
import threading
from pathlib import Path
from typing import Any

from tests import environments, readme, ssh, transcripts
from tests.invoking import INSERT
from tests.machines import WAITS, MachinesTest
from tests.nasty import NASTY, random_values
from tests.project import Result

WITH_DIRECTORY = """
    import json

    from fabric import Connection, task

    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        REMOTE_DIRECTORY = '~/project'
        REMOTE_PREFIX = '. venv/bin/activate'

        def keep(self, *values, **options):
            with open('kept', 'w') as file:
                json.dump([values, options], file)

    @task
    def deploy(context):
        with Connection('{machine}', connect_kwargs=context.connect_kwargs) as machine:
            ns['migrations.execute'](machine)

    ns = Migrations.create_namespace(deploy)
"""


#: Ctrl-C when the command runs there, and nobody waits for it here so far.
EARLY = """

    import os
    import signal
    import time

    begin = Connection.run

    def begin_and_interrupt(self, *args, **options):
        promise = begin(self, *args, **options)
        while not os.path.exists(os.environ['BEGUN']):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        return promise

    Connection.run = begin_and_interrupt
"""


class HostsTest(MachinesTest):
    """A test of Fabric 3's `fab`, here and there."""

    fabfile = WITH_DIRECTORY

    def setUp(self) -> None:
        self.program = environments.fabric_3() / 'fab'
        super().setUp()
        # Nothing of the person's own.
        alone = {'connect_kwargs': {'look_for_keys': False, 'allow_agent': False}}
        self.write('fabric.json', json.dumps(alone))
        self.write('no_ssh_config', '')

    def start_ssh(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `fab` with the test's key."""
        options = ['-i', str(self.key), '-S', str(self.folder / 'no_ssh_config')]
        return self.start(*options, *arguments, **environment)

    def name(self, host: ssh.Host) -> str:
        """Give what migopy calls a machine, where the user is the same as here."""
        return host.name.partition('@')[2]

    def start_of_line(self, host: ssh.Host) -> str:
        """Give what stands before each line that a machine has written."""
        return f'[{self.name(host)}] '


class CommandTest(HostsTest):
    """One machine."""

    def test_the_command_runs_there_and_not_here(self) -> None:
        self.migration_there('001_first.py', INSERT)
        result = self.assert_ok(self.remotely('migrations'))
        self.assertIn('001_first.py', self.out(result))
        self.assert_leads_there('migrations.execute', self.out(result))
        self.assertEqual(result.stderr, '')
        result = self.assert_ok(self.remotely('migrations.execute', '--to', '001'))
        self.assertIn('001_first.py executed in', self.out(result))
        self.assertEqual(self.registered(), ['001_first.py'])
        self.assertNotIn('\r', result.stdout)
        self.assertNotIn('\033', result.stdout)

    def test_a_failure_there_is_told_and_ends_with_1(self) -> None:
        result = self.remotely('migrations.execute', '--name', '007_none.py')
        self.assertIn('007_none.py', self.out(result))
        name = self.name(self.machine)
        told = f'{name}: the command ended with exit status 1, see above.'
        self.assert_fails(result, told)
        coloured = ('migrations.execute', '--name', '7')
        result = self.remotely(*coloured, FORCE_COLOR='1')
        self.assertIn('\033[91m', self.out(result))
        result = self.remotely('--hide=stdout', *coloured)
        self.assertEqual(self.out(result), '')
        self.assert_error(result, name, "There is no migration '7'.\nSee")
        self.assert_leads_there('migrations', result.stderr)

    def assert_leads_there(self, command: str, said: str) -> None:
        again = f'fab -H {re.escape(self.machine.name)} -i .* -S .* {command}'
        self.assertRegex(said, again)

    def test_lines_arrive_as_they_come(self) -> None:
        self.migration_there('001_waits.py', WAITS)
        process = self.start_ssh('-H', self.machine.name, 'migrations.execute')
        assert process.stdout is not None
        line = ''
        while 'begun' not in line:
            line = process.stdout.readline()
            self.assertTrue(line, 'ended before it had begun')
        self.assertEqual(line, f'[{self.name(self.machine)}] begun\n')
        self.write_there('go_on', '')
        self.assert_ok(self.ended(process))

    def test_what_is_wrong_there(self) -> None:
        self.write_there('venv/bin/activate', 'PATH=/usr/bin:/bin')
        self.assert_error(self.remotely('migrations'), '127', 'REMOTE_PREFIX')
        self.write_there('venv/bin/activate', 'fab() { kill -9 $$; }\n')
        result = self.remotely('migrations')
        self.assert_error(result, f'{self.name(self.machine)}: a signal ended')
        (self.machine.home / 'project').rename(self.machine.home / 'elsewhere')
        result = self.remotely('migrations')
        self.assertIn('project', self.out(result))
        self.assert_error(result, self.name(self.machine))

    def test_the_hook_comes_first(self) -> None:
        (self.machine.home / 'project').rename(self.machine.home / "it's there")
        with (self.folder / 'fabfile.py').open('a') as fabfile:
            fabfile.write(
                """
@classmethod
def choose(cls, subtask, option):
    if subtask == 'check':
        raise migopy.StopTaskExecution
    cls.REMOTE_DIRECTORY = "~/it's there"

Migrations.task_hook = choose
"""
            )
        result = self.assert_ok(self.remotely('migrations.check'))
        self.assertEqual(self.out(result), '')
        result = self.assert_ok(self.remotely('migrations'))
        self.assertIn('All migrations', self.out(result))

    def test_by_a_connection_of_the_fabfile_s_own(self) -> None:
        self.migration_there('001_a.py', 'def up(db): 1 / 0')
        result = self.ssh('deploy')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('exit status 1', result.stderr)
        line = f'-H {self.name(self.machine)} migrations.execute'
        self.assertIn(line, self.out(result))

    def test_values_arrive_and_no_shell_executes_them(self) -> None:
        flags = {'--values', '--options'}
        values = [each for each in NASTY + random_values(200, 3) if each not in flags]
        words = [f'--values={each}' for each in values]
        pairs = {'key': 'a b', "it's": '$HOME', 'empty': '', 'equal': 'a=b'}
        words += [f'--options={key}={text}' for key, text in pairs.items()]
        self.assert_ok(self.remotely('migrations.keep', *words))
        kept = json.loads((self.machine.home / 'project/kept').read_text())
        self.assertEqual(kept, [values, pairs])
        for place in (self.place, self.folder):
            self.assertEqual(list(place.rglob('executed')), [])
        self.assertFalse(Path('executed').exists())

    def test_a_person_is_asked_here(self) -> None:
        options = ['-i', str(self.key), '-S', 'no_ssh_config', '-H', self.machine.name]
        self.migration_there('001_a.py', INSERT)
        self.assert_ok(self.remotely('migrations.execute'))
        rollback = ('migrations.rollback', '--last', '1')
        shown = self.on_terminal(*options, *rollback, typed='n\n')
        self.assertIn('[y/N]', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(self.registered(), ['001_a.py'])
        shown = self.on_terminal(*options, *rollback, typed='y\n')
        self.assertIn('rolled back', shown)
        self.assertEqual(self.registered(), [])


class JsonTest(HostsTest):
    """`--json` on two machines: JSON alone on stdout, with each machine's name."""

    machines = 2

    def lines(self, result: Result) -> list[dict[str, Any]]:
        self.assertTrue(result.stdout, result.said)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def in_json(self, *words: str) -> Result:
        names = ','.join(host.name for host in self.hosts)
        return self.ssh('-H', names, *words, '--json', FORCE_COLOR='1')

    def test_what_is_told_there(self) -> None:
        text = "def up(db):\n    print('printed')\n    db.ran.insert_one({})\n"
        self.migration_there('001_first.py', text)
        told = self.lines(self.assert_ok(self.in_json('migrations')))
        names = [self.name(host) for host in self.hosts]
        self.assertEqual([each['on'] for each in told], names)
        result = self.assert_ok(self.in_json('migrations.execute'))
        events = [(each['event'], each['on']) for each in self.lines(result)]
        one, two = names
        there = ('planned', 'started', 'executed', 'ended')
        self.assertEqual(events, [*((each, one) for each in there), ('ended', two)])
        self.assertIn(f'[{one}] out: printed\n', result.stderr)

    def test_a_failure_there(self) -> None:
        there, here = self.lines(self.in_json('migrations.execute', '--name', '7'))
        self.assertEqual(there['on'], self.name(self.machine))
        self.assertEqual(there['error']['type'], 'UnknownMigration')
        self.assertEqual(here['error']['type'], 'HostFailed')
        for host in self.hosts:
            host.stop()
        [told] = self.lines(self.in_json('migrations.execute'))
        self.assertEqual(told['error']['type'], 'HostFailed')


class PageTest(HostsTest):
    """The example of `docs/invoke.rst`, with the tests' machines in it."""

    machines = 2

    def set_up_projects(self) -> None:
        # Two machines and one database in the example.
        example = readme.block('namespace-remote')
        for there, here in (
            ('/srv/myproject', '~/project'),
            ("    MONGO_HOST = 'localhost'\n    MONGO_PORT = 27017\n", ''),
            ("'mydatabase'", "'{database}'\n    MONGO_URI = '{uri}'"),
        ):
            self.assertIn(there, example)
            example = example.replace(there, here)
        self.fabfile = example
        super().set_up_projects()

    def test_what_is_typed_on_the_page(self) -> None:
        self.migration_there('001_add_note.py', readme.block('migration'))
        [shown] = transcripts.commands(readme.block('namespace-hosts'))
        command = shown.command
        names = ('www1.example.com', 'www2.example.com')
        for name, host in zip(names, self.hosts):
            command = command.replace(name, host.name)
        output = self.assert_ok(self.ssh(*command.split()[1:])).stdout
        for name, host in zip(names, self.hosts):
            output = output.replace(self.name(host), name)
        # The page's database and server are not the test's.
        output = re.sub(r'(?m)^\[.*\] [\w-]+ on [^\s:]+:\S+\n', '', output)
        self.assertTrue(transcripts.fits(shown.output, output), output)


class UnsetTest(HostsTest):
    """Without `REMOTE_DIRECTORY` the command runs here, for each host."""

    fabfile = WITH_DIRECTORY.replace("'~/project'", 'None')

    def test_here(self) -> None:
        self.write('fabfile.py', (self.machine.home / 'project/fabfile.py').read_text())
        self.migration('001_here.py')
        result = self.assert_ok(self.remotely('migrations.execute'))
        name = self.name(self.machine)
        self.assertIn(f'{name}: REMOTE_DIRECTORY is not set', result.stderr)
        self.assertEqual(self.registered(), ['001_here.py'])
        self.assertNotIn('Connection from', self.machine.log)


class SeveralTest(HostsTest):
    """Several machines and one database."""

    machines = 2

    def setUp(self) -> None:
        super().setUp()
        self.names = ','.join(host.name for host in self.hosts)

    def test_what_is_typed_once_is_done_once(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration_there(name, INSERT)
        first, second = self.hosts
        result = self.assert_ok(self.ssh('-H', self.names, 'migrations.execute'))
        self.assertIn('001_a.py executed', self.out(result, first))
        self.assertIn('All migrations', self.out(result, second))
        rollback = ('migrations.rollback', '--last', '1')
        result = self.assert_ok(self.ssh('-H', self.names, *rollback))
        self.assertIn('has been carried out already', self.out(result, second))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assert_ok(self.ssh('-H', self.names, *rollback, *rollback))
        self.assertEqual(self.registered(), [])
        result = self.assert_ok(self.ssh('-H', self.names, 'migrations.create', 'x'))
        self.assertIn('create has been run', result.stderr)
        made = [
            len(list(host.home.glob('project/mongomigrations/*_x.py')))
            for host in self.hosts
        ]
        self.assertEqual(made, [1, 0])

    def test_the_failure_of_one_ends_it_but_for_a_warning(self) -> None:
        broken, well = self.hosts
        (broken.home / 'project').rename(broken.home / 'elsewhere')
        result = self.ssh('-H', self.names, 'migrations')
        self.assert_error(result, self.name(broken))
        self.assertEqual(self.out(result, well), '')
        result = self.assert_ok(self.ssh('-w', '-H', self.names, 'migrations'))
        self.assertIn('exit status', result.stderr)
        self.assertIn('All migrations', self.out(result, well))


class ConnectionTest(HostsTest):
    """There is none, or it ends too early."""

    def setUp(self) -> None:
        super().setUp()
        # Where the tests run in the background it is ignored, and fab inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def test_ctrl_c_interrupts_the_command_there(self) -> None:
        process = self.begin()
        process.send_signal(signal.SIGINT)
        result = self.ended(process)
        self.assertEqual(result.status, 130, result.said)
        self.assertIn('001_waits.py was interrupted', self.out(result))
        self.assertEqual(result.stderr, 'Interrupted.\n')
        self.assert_unfinished()

    def test_a_second_one_does_not_wait(self) -> None:
        self.write_there(
            'venv/bin/activate',
            """
            fab() {
                trap 'touch interrupted' INT
                touch begun
                while :; do sleep 0.1; done
            }
            """,
        )
        process = self.start_ssh('-H', self.machine.name, 'migrations')
        project = self.machine.home / 'project'
        for what in ('begun', 'interrupted'):
            self.wait_for((project / what).exists, f'it has {what}')
            process.send_signal(signal.SIGINT)
        result = self.ended(process)
        self.assertEqual(result.status, 130, result.said)
        self.assertIn('the connection was closed', result.stderr)
        again = f'type: fab -H {re.escape(self.machine.name)} .* migrations\n'
        self.assertRegex(result.stderr, again)

    def test_one_that_comes_while_the_command_is_begun_is_heard_there(self) -> None:
        self.write('fabfile.py', self.filled(self.fabfile) + textwrap.dedent(EARLY))
        self.write_there(
            'venv/bin/activate',
            """
            fab() {
                trap 'echo heard; exit 130' INT
                touch begun
                while :; do sleep 0.1; done
            }
            """,
        )
        begun = self.machine.home / 'project' / 'begun'
        process = self.start_ssh(
            '-H', self.machine.name, 'migrations', BEGUN=str(begun)
        )
        result = self.ended(process)
        self.assertEqual(result.status, 130, result.said)
        self.assertIn('heard', result.stdout)
        self.assertEqual(result.stderr, 'Interrupted.\n')

    def test_a_signal_ends_it_here_and_there(self) -> None:
        process = self.begin()
        process.terminate()
        result = self.ended(process)
        self.assertEqual(result.status, 143, result.said)
        self.assertIn('the connection was closed', result.stderr)
        self.assert_unfinished()

    def test_a_lost_one_is_told_and_the_migration_is_named_unfinished(self) -> None:
        process = self.begin()
        self.machine.lose_connections()
        result = self.ended(process)
        name = self.name(self.machine)
        self.assert_error(result, f'{name}: the connection was lost')
        self.assert_unfinished()

    def assert_unfinished(self) -> None:
        self.wait_for(lambda: not self.locked(), 'the lock is free')
        status = self.out(self.assert_ok(self.remotely('migrations')))
        self.assertRegex(status, r'Unfinished: 001_waits\.py')
        self.assertEqual(self.registered(), [])

    def test_no_machine_and_no_key_that_fits(self) -> None:
        (self.machine.folder / 'authorized_keys').write_text('')
        name = self.name(self.machine)
        self.assert_error(self.remotely('migrations'), f'{name}: no connection.')
        self.machine.stop()
        self.assert_error(self.remotely('migrations'), f'{name}: no connection.')

    def test_a_handshake_that_is_broken_off(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as server:

            def break_off() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b'SSH-2.0-OpenSSH_9.2\r\n')
                    connection.recv(4096)

            threading.Thread(target=break_off, daemon=True).start()
            name = f'ann@127.0.0.1:{server.getsockname()[1]}'
            result = self.ssh('-H', name, 'migrations')
        self.assert_error(result, f'{name}: no connection.')
