"""A project as a user has it: a folder with a fabfile and migrations, and `fab`."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from migopy import MigrationsManager
from migopy.effects import listen
from tests import forks
from tests.server import DatabaseTest

#: Seconds after which a command is taken for hanging.
TIMEOUT = 120

FAB = Path(sys.executable).parent / 'fab'
MIGOPY = FAB.with_name('migopy')

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

    migrations = Migrations.create_task()
"""

NOTHING = """
    def up(db):
        pass

    def down(db):
        pass
"""

#: Begins, says so in the database, and ends when the file `go` is there.
WAITING = """
    import os
    import time

    def up(db):
        db.ran.insert_one({'begun': os.getpid()})
        deadline = time.monotonic() + 60
        while not os.path.exists('go') and time.monotonic() < deadline:
            time.sleep(0.02)
        db.ran.insert_one({'ended': os.getpid()})

    def down(db):
        db.ran.delete_many({})
"""

#: Fabric3 needs an old paramiko, which an up-to-date cryptography warns about.
WARNINGS = 'ignore:::paramiko.pkey,ignore:::paramiko.transport'


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    status: int
    stdout: str
    stderr: str
    about: str = ''

    @property
    def results(self) -> str:
        """What was written to stdout, without the last word of Fabric."""
        return self.stdout.removesuffix('\nDone.\n')

    @property
    def said(self) -> str:
        """All that was written, for a failing test's message."""
        return f'status {self.status}\n{self.stdout}\n{self.stderr}'


class RecordingLogger:
    """A logger that keeps what is said, as pairs of method and message."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def white(self, message: object) -> None:
        self.said.append(('white', str(message)))

    def white_bold(self, message: object) -> None:
        self.said.append(('white_bold', str(message)))

    def red(self, message: object) -> None:
        self.said.append(('red', str(message)))

    def green(self, message: object) -> None:
        self.said.append(('green', str(message)))

    def of(self, method: str) -> list[str]:
        """List what was said by one method."""
        return [message for each, message in self.said if each == method]


class ProjectTest(DatabaseTest):
    """A test in a fresh project folder, with a database of its own."""

    def setUp(self) -> None:
        super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        (self.folder / 'mongomigrations').mkdir()

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project; the text's indentation is taken away."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def migration(self, name: str, text: str = NOTHING) -> Path:
        """Write a migration file."""
        return self.write(f'mongomigrations/{name}', text)

    def registered(self) -> list[str]:
        """List the registered names, in order."""
        return sorted(document['name'] for document in self.db.migrations.find())

    def register(self, *names: str) -> None:
        """Register names as 1.0 did."""
        self.db.migrations.insert_many([{'name': name} for name in names])

    def contents(self, collection: str) -> list[dict[str, Any]]:
        """List a collection's documents without `_id`."""
        return list(self.db[collection].find({}, {'_id': 0}))


class PlainTest(ProjectTest):
    """A test of a manager in this process: plain Python, without `fab`.

    `self.logger` keeps what the managers say.
    """

    def setUp(self) -> None:
        # Before the test's own client: a failure tells of clients that are not heard.
        listen()
        super().setUp()
        self.logger = RecordingLogger()

    def manager_class(self, **attributes: Any) -> type[MigrationsManager]:
        """Make a manager for the test's project and database."""
        settings = {
            'MONGO_URI': self.uri,
            'MONGO_DATABASE': self.db.name,
            'MIGRATIONS_DIRECTORY': str(self.folder / 'mongomigrations'),
            'logger': self.logger,
        }
        return type('Migrations', (MigrationsManager,), {**settings, **attributes})

    def manager(self, **attributes: Any) -> MigrationsManager:
        """Make one and disconnect it at the end of the test."""
        manager = self.manager_class(**attributes)()
        self.addCleanup(manager.disconnect)
        return manager


class FabTest(ProjectTest):
    """A test of `fab` processes.

    `fabfile` is written into the folder, in which `{uri}`, `{host}`, `{port}` and
    `{database}` stand for the test's server and database.
    """

    fabfile = FABFILE
    #: The program that is run.
    program = FAB
    #: Whether each command starts from nothing, whatever the module's others do.
    from_nothing = False

    def setUp(self) -> None:
        super().setUp()
        self.write('fabfile.py', self.filled(self.fabfile))

    def filled(self, text: str) -> str:
        """Fill in the test's server and database."""
        host, port = self.client.address or ('', 0)
        values = {
            'uri': self.uri,
            'host': host,
            'port': port,
            'database': self.db.name,
        }
        return re.sub(
            r'\{(uri|host|port|database)\}',
            lambda match: str(values[match[1]]),
            textwrap.dedent(text),
        )

    def start(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        """Start `fab` in the project and do not wait for it; see `tests.forks`."""
        return self._start(arguments, cwd, environment)

    def start_heard(self, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        """Start `fab`; give it and the file that has what it said so far."""
        said = self.folder / f'said_{uuid.uuid4().hex}'
        with said.open('w') as file:
            return self._start(arguments, stderr=file), said

    def _start(
        self,
        arguments: Sequence[str],
        cwd: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        forked = forks.are_for(type(self).__module__) and not self.from_nothing
        start = forks.Forked if forked else subprocess.Popen[str]
        process = start(
            [str(self.program), *arguments],
            cwd=cwd or self.folder,
            env=clean_environment(**environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        self.addCleanup(end, process)
        return process

    def fab(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> Result:
        """Run `fab` in the project."""
        return self.ended(self.start(*arguments, cwd=cwd, **environment))

    def ended(self, process: subprocess.Popen[str]) -> Result:
        """Wait for a started command.

        Its first lines say which database it is about; they are `about`, not `stderr`.
        """
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        lines = stderr.splitlines(keepends=True)
        about = [line for line in lines if self.is_title(line)]
        stderr = ''.join(line for line in lines if line not in about)
        return Result(process.returncode, stdout, stderr, ''.join(about))

    def is_title(self, line: str) -> bool:
        """Tell whether a line says which database a command is about."""
        return re.fullmatch(r'[\w-]+ on [^\s:]+:\S+\n', line) is not None

    def fabs(self, *commands: str) -> list[Result]:
        """Run commands of one argument that do not touch each other, at once."""
        started = [self.start(command) for command in commands]
        return [self.ended(process) for process in started]

    def errors(self, *commands: str, **environment: str) -> list[str]:
        """Run commands at once that all fail; give the one message of each.

        Each ends with status 1 and writes one red message to stderr, nothing else.
        """
        started = [
            self.start(command, FORCE_COLOR='1', **environment) for command in commands
        ]
        return [self.red_message(self.ended(process)) for process in started]

    def error(self, *arguments: str, **environment: str) -> str:
        """Run a command that fails; give its one message."""
        process = self.start(*arguments, FORCE_COLOR='1', **environment)
        return self.red_message(self.ended(process))

    def red_message(self, result: Result, traceback: bool = False) -> str:
        """Take the message out of the colours; fail if there is anything else.

        A traceback is allowed only where it is said, and never migopy's own part.
        """
        self.assertEqual(result.status, 1, result.said)
        self.assertEqual(result.stdout, '', result.said)
        message = re.fullmatch(r'\033\[91m([^\033]*)\033\[0m\n', result.stderr)
        if message is None:
            self.fail(f'not one red message: {result.said}')
        self.assertIs('Traceback' in message[1], traceback, result.said)
        self.assertNotRegex(message[1], r'File ".*/(migopy|fabric)/')
        return message[1]

    def on_terminal(self, *arguments: str, typed: str = '', **environment: str) -> str:
        """Run `fab` on a terminal of its own; give all that it shows.

        `typed` is what a person has typed there already.
        """
        terminal, end_of_fab = os.openpty()
        with os.fdopen(terminal, 'r+b', buffering=0) as screen:
            streams = dict.fromkeys(('stdin', 'stdout', 'stderr'), end_of_fab)
            environment = {'TERM': 'xterm', **environment}
            process = self._start(arguments, None, environment, **streams)
            os.close(end_of_fab)
            screen.write(typed.encode())
            shown = self.read(screen, process)
            process.wait(timeout=TIMEOUT)
        return shown.decode().replace('\r\n', '\n')

    def read(self, screen: IO[bytes], process: subprocess.Popen[str]) -> bytes:
        """Read a terminal until its processes have left it, at most `TIMEOUT` long.

        One that waits for what nobody types fails the test by what it shows.
        """
        shown = b''
        deadline = time.monotonic() + TIMEOUT
        while select.select([screen], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                part = screen.read(4096)
            except OSError:
                # The last process to leave a terminal makes reading it an error.
                return shown
            if not part:
                return shown
            shown += part
        process.kill()
        raise AssertionError(
            f'{process.args} still runs after {TIMEOUT} s: {shown.decode()}'
        )

    def assert_ok(self, result: Result) -> Result:
        """Fail unless the command ended well."""
        self.assertEqual(result.status, 0, result.said)
        return result

    def assert_error(self, result: Result, *parts: str, status: int = 1) -> Result:
        """Fail unless it ended with an error that has all the parts, no traceback."""
        self.assertEqual(result.status, status, result.said)
        for part in parts:
            self.assertIn(part, result.stderr)
        self.assertNotIn('Traceback', result.said)
        return result


class CommandTest(FabTest):
    """A test of processes of the command `migopy`, without Fabric.

    `migopy` runs one, as `fab` runs one of `fab`.
    """

    program = MIGOPY
    migopy = FabTest.fab


def clean_environment(**more: str) -> dict[str, str]:
    """Give this process's environment without what changes migopy's output."""
    left_out = ('NO_COLOR', 'FORCE_COLOR', 'MONGO_URI', 'ENVIRONMENT')
    kept = {name: text for name, text in os.environ.items() if name not in left_out}
    return {'PYTHONWARNINGS': WARNINGS, **kept, **more}


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that a test started."""
    if process.poll() is None:
        process.kill()
    process.communicate()
