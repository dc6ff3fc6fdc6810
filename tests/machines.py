"""Projects on remote machines, for tests: the same as here, behind a real sshd."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from tests import ssh
from tests.project import NOTHING, WARNINGS, FabTest, Result

#: Nobody listens there: a command that ran here instead of there would fail.
NOWHERE = 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100'

#: A migration that says when it has begun, and goes on when the test lets it.
WAITS = """
    import pathlib
    import time

    def up(db):
        print('begun', flush=True)
        db.ran.insert_one({'name': 'begun'})
        while not pathlib.Path('go_on').exists():
            time.sleep(0.02)
        db.ran.insert_one({'name': 'ended'})
"""


class MachinesTest(FabTest):
    """A test with remote machines, on which the project lies in `~/project`.

    It is the same as here, except that the database of the one here is nowhere.
    """

    machines = 1

    def setUp(self) -> None:
        if ssh.sshd() is None:
            self.skipTest(ssh.HOW_TO_INSTALL)
        super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix='migopy-ssh-')
        self.addCleanup(temporary.cleanup)
        self.place = Path(temporary.name).resolve()
        self.key = ssh.make_key(self.place / 'key')
        self.hosts = [self.host(str(number)) for number in range(self.machines)]
        self.machine = self.hosts[0]
        self.known_hosts = self.place / 'known_hosts'
        self.known_hosts.write_text(''.join(host.known for host in self.hosts))
        self.set_up_projects()

    def host(self, name: str) -> ssh.Host:
        """Start a machine."""
        host = ssh.Host(self.place / name, self.key)
        host.start()
        self.addCleanup(host.stop)
        return host

    def set_up_projects(self) -> None:
        """Write the fabfile, here and on all machines."""
        fabfile = self.fabfile.replace('{machine}', self.machine.name)
        fabfile = fabfile.replace('{machines}', str([host.name for host in self.hosts]))
        self.write('fabfile.py', self.filled(fabfile.replace('{uri}', NOWHERE)))
        self.write_there('fabfile.py', self.filled(fabfile))
        self.write_there(
            'venv/bin/activate',
            f"""
            PATH={shlex.quote(str(self.program.parent))}:$PATH
            export PATH PYTHONWARNINGS={WARNINGS}
            """,
        )
        for host in self.hosts:
            (host.home / 'project/mongomigrations').mkdir()

    def write_there(self, path: str, text: str) -> None:
        """Write a file of the project on all machines."""
        for host in self.hosts:
            file = host.home / 'project' / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))

    def migration_there(self, name: str, text: str = NOTHING) -> None:
        """Write a migration on all machines."""
        self.write_there(f'mongomigrations/{name}', text)

    def start_ssh(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `fab` with the test's key, and nothing of the person's own."""
        known = f'--system-known-hosts={self.known_hosts}'
        options = ['-i', str(self.key), '-D', known, '-k', '-a']
        return self.start(*options, *arguments, **environment)

    def ssh(self, *arguments: str, **environment: str) -> Result:
        """Run it."""
        return self.ended(self.start_ssh(*arguments, **environment))

    def remotely(self, *arguments: str, **environment: str) -> Result:
        """Run it for the first machine."""
        return self.ssh('-H', self.machine.name, *arguments, **environment)

    def out(self, result: Result, host: ssh.Host | None = None) -> str:
        """Give what a machine wrote, the first one if none is named."""
        start = self.start_of_line(host or self.machine)
        lines = [line.partition(start) for line in result.stdout.splitlines()]
        return '\n'.join(text for _, found, text in lines if found)

    def start_of_line(self, host: ssh.Host) -> str:
        """Give what stands before each line that a machine has written."""
        return f'[{host.name}] out: '

    def assert_fails(self, result: Result, *messages: str) -> None:
        """Fail unless it ended with status 1 and these messages, one a line."""
        self.assert_error(result)
        lines = [line for line in result.stderr.splitlines() if line]
        self.assertEqual(lines, list(messages), result.said)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f'not within 30 s: {what}\n{self.machine.log}')
            time.sleep(0.02)

    def begin(self) -> subprocess.Popen[str]:
        """Start a migration on the first machine, and wait until it is in the midst."""
        self.migration_there('001_waits.py', WAITS)
        process = self.start_ssh('-H', self.machine.name, 'migrations:execute')
        self.wait_for(lambda: self.contents('ran'), 'the migration has begun')
        return process

    def locked(self) -> bool:
        return bool(self.contents('migrations_lock'))
