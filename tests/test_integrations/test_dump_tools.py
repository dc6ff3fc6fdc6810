"""`mongodump` and `mongorestore` as they are called, with programs that stand in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from unittest import mock

from migopy.dumps import Connection, DumpFailed, Dumps
from tests.dumps import FAKE_TOOL, FolderTest, database


class ToolTest(FolderTest):
    """`mongodump` is called as PyMongo is connected, with the secrets in a file."""

    def setUp(self) -> None:
        super().setUp()
        self.notes = self.folder / 'notes.json'
        self.tools = self.folder / 'bin'
        self.tools.mkdir()
        path = mock.patch.dict(os.environ, PATH=str(self.tools))
        path.start()
        self.addCleanup(path.stop)
        self.connection = Connection(
            'db.example',
            27018,
            username='ann',
            password='s3cret/x',
            authSource='people',
        )

    def install(self, body: str = '') -> None:
        """Put a fake mongodump on the PATH that ends with the given lines."""
        path = self.tools / 'mongodump'
        text = FAKE_TOOL.format(
            python=sys.executable, notes=str(self.notes), body=textwrap.dedent(body)
        )
        path.write_text(text)
        path.chmod(0o700)

    def noted(self) -> dict[str, Any]:
        noted: dict[str, Any] = json.loads(self.notes.read_text())
        return noted

    def assert_secrets_gone(self) -> None:
        config = Path(self.noted()['config_path'])
        self.assertFalse(config.exists())
        self.assertFalse(config.parent.exists())

    def test_the_command_line_has_no_secret_and_the_file_has_all(self) -> None:
        self.install()
        dump = Dumps(self.directory, self.connection, apart={'lock', 'a lock'}).make(
            database()
        )
        noted = self.noted()
        config, db, first, second, out = noted['arguments']
        self.assertEqual(f'--config={noted["config_path"]}', config)
        self.assertEqual('--db=shop', db)
        self.assertEqual(
            ['--excludeCollection=a lock', '--excludeCollection=lock'], [first, second]
        )
        self.assertEqual(f'--out={self.directory}/.{dump.name}.part', out)
        self.assertEqual(
            {
                'uri': 'mongodb://ann:s3cret%2Fx@db.example:27018/'
                '?authSource=people&replicaSet=rs0'
            },
            noted['config'],
        )
        self.assertEqual(0o600, noted['mode'])
        self.assertEqual(0o700, noted['folder_mode'])
        others = json.dumps([noted['arguments'], noted['environment']])
        self.assertNotIn('s3cret', others)
        self.assert_secrets_gone()
        self.assertEqual(['notes'], [stored.name for stored in dump.contents()])

    def test_its_lines_are_passed_on_as_they_come_without_secrets(self) -> None:
        self.install(
            """
            print('1 of 2', flush=True)
            while not os.path.exists(options['out'] + '/heard'):
                time.sleep(0.01)
            print('using mongodb://ann:s3cret%2Fx@db.example and s3cret/x', flush=True)
            """
        )

        def say(line: str) -> None:
            self.said.append(line)
            if line == '1 of 2':
                (next(self.directory.iterdir()) / 'heard').touch()

        Dumps(self.directory, self.connection, say=say).make(database())
        self.assertEqual(
            ['1 of 2', 'using mongodb://ann:***@db.example and ***'], self.said[1:]
        )

    def test_its_failure_is_the_dumps_failure(self) -> None:
        self.install(
            """
            print('cannot log in with s3cret/x', file=sys.stderr)
            sys.exit(3)
            """
        )
        with self.assertRaises(DumpFailed) as caught:
            self.dumps(self.connection).make(database())
        message = str(caught.exception)
        self.assertIn('ended with status 3', message)
        self.assertIn('cannot log in with ***', message)
        self.assertIn('fab migrations:dbdump', message)
        self.assertNotIn('s3cret', message + str(self.said))
        self.assertEqual([], list(self.directory.iterdir()))
        self.assert_secrets_gone()

    def test_a_tool_that_does_not_start_is_said(self) -> None:
        path = self.tools / 'mongodump'
        path.write_text('no program')
        path.chmod(0o700)
        with self.assertRaisesRegex(
            DumpFailed, 'mongodump does not start: Exec format'
        ):
            self.dumps(self.connection).make(database())
        self.assertEqual([], list(self.directory.iterdir()))

    def test_an_interrupt_ends_it_and_removes_the_secrets(self) -> None:
        self.install("print('started', flush=True); time.sleep(60)")

        def say(line: str) -> None:
            if line == 'started':
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            Dumps(self.directory, self.connection, say=say).make(database())
        self.assert_ended()

    def test_sigterm_ends_it_and_removes_the_secrets(self) -> None:
        self.install("print('started', flush=True); time.sleep(60)")
        program = f"""
            import os, signal
            from pathlib import Path
            from migopy.dumps import Connection, Dumps
            from tests.dumps import database

            def say(line):
                if line == 'started':
                    os.kill(os.getpid(), signal.SIGTERM)

            connection = Connection('db.example', password='s3cret')
            Dumps(Path({str(self.directory)!r}), connection, say=say).make(database())
        """
        ended = subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)],
            capture_output=True,
            timeout=30,
            check=False,
        )
        self.assertEqual(128 + signal.SIGTERM, ended.returncode, ended.stderr)
        self.assert_ended()

    def assert_ended(self) -> None:
        self.assert_secrets_gone()
        self.assertEqual([], list(self.directory.iterdir()))
        with self.assertRaises(ProcessLookupError):
            os.kill(self.noted()['pid'], 0)

    def test_a_database_without_collections_has_a_dump(self) -> None:
        """Mongodump writes nothing for it."""
        self.install("import shutil; shutil.rmtree(options['out'] + '/shop')")
        dump = self.dumps(self.connection).make(database())
        self.assertEqual([], dump.contents())

    def test_a_standalone_server_is_no_replica_set(self) -> None:
        self.install()
        self.dumps(Connection()).make(database(set_name=None))
        self.assertEqual({'uri': 'mongodb://localhost:27017/?'}, self.noted()['config'])
