"""A project as a user has it: a folder with a fabfile and migrations, and `fab`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import DatabaseTest

#: Seconds after which a command is taken for hanging.
TIMEOUT = 120

FAB = Path(sys.executable).parent / 'fab'


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All that was written, for a failing test's message."""
        return f'status {self.status}\n{self.stdout}\n{self.stderr}'


class FabTest(DatabaseTest):
    """A test in a fresh project folder, with a database of its own.

    `fabfile` is written into the folder, in which `{uri}`, `{host}`, `{port}` and
    `{database}` stand for the test's server and database.
    """

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        self.write('fabfile.py', self.filled(self.fabfile))
        (self.folder / 'mongomigrations').mkdir()

    def filled(self, text: str) -> str:
        host, port = self.client.address
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

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project; the text's indentation is taken away."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def migration(self, name: str, text: str) -> Path:
        """Write a migration file."""
        return self.write(f'mongomigrations/{name}', text)

    def start(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        """Start `fab` in the project and do not wait for it."""
        process = subprocess.Popen(
            [str(FAB), *arguments],
            cwd=cwd or self.folder,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
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
        """Wait for a started command."""
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        return Result(process.returncode, stdout, stderr)

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

    def registered(self) -> list[str]:
        """List the registered names, in order."""
        return sorted(document['name'] for document in self.db.migrations.find())

    def contents(self, collection: str) -> list[dict[str, Any]]:
        """List a collection's documents without `_id`."""
        return list(self.db[collection].find({}, {'_id': 0}))


def clean_environment(**more: str) -> dict[str, str]:
    """Give this process's environment without what changes migopy's output."""
    left_out = ('NO_COLOR', 'FORCE_COLOR', 'MONGO_URI')
    kept = {name: text for name, text in os.environ.items() if name not in left_out}
    return {**kept, **more}


def end(process: subprocess.Popen[str]) -> None:
    """End a process that a test started."""
    if process.poll() is None:
        process.kill()
    process.communicate()
