"""`mongodump` and `mongorestore` as they are called, with programs that stand in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any
from unittest import mock

from bson import Timestamp

import tests
from migopy.dumps import Connection, Dump, DumpFailed, Dumps
from tests.dumps import FAKE_TOOL, DumpTest, FolderTest, database, everything, left


class ToolTest(FolderTest):
    """`mongodump` is called as PyMongo is connected, with the secrets in a file."""

    def setUp(self) -> None:
        super().setUp()
        self.notes = self.folder / 'notes.json'
        self.tools = self.folder / 'bin'
        self.tools.mkdir()
        temporary = self.folder / 'tmp'
        temporary.mkdir()
        for patch in (
            mock.patch.dict(os.environ, PATH=str(self.tools), TMPDIR=str(temporary)),
            mock.patch.object(tempfile, 'tempdir', str(temporary)),
        ):
            patch.start()
            self.addCleanup(patch.stop)
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
        """No file holds one, neither in the dumps nor among the temporary ones."""
        self.assertIn('s3cret', self.notes.read_text())
        for path in self.folder.rglob('*'):
            if path.is_file() and path not in (self.notes, self.tools / 'mongodump'):
                self.assertNotIn(b's3cret', path.read_bytes(), path)

    def test_the_command_line_has_no_secret_and_the_file_has_all(self) -> None:
        self.install()
        dump = Dumps(self.directory, self.connection, excluded={'lock', 'a lock'}).make(
            database()
        )
        noted = self.noted()
        config, db, first, second, third, out = noted['arguments']
        self.assertRegex(config, '^--config=/dev/fd/[0-9]+$')
        self.assertTrue(noted['config_is_pipe'])
        self.assertEqual('--db=shop', db)
        self.assertEqual(
            [
                '--excludeCollection=a lock',
                '--excludeCollection=lock',
                '--excludeCollectionsWithPrefix=migopy_restoring.',
            ],
            [first, second, third],
        )
        self.assertEqual(f'--out={self.directory}/.{dump.name}.part', out)
        self.assertEqual(
            {
                'uri': 'mongodb://ann:s3cret%2Fx@db.example:27018/'
                '?authSource=people&replicaSet=rs0'
            },
            noted['config'],
        )
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
                (left(self.directory)[0] / 'heard').touch()

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
        self.assertIn('mended, type the command again.', message)
        self.assertNotIn('s3cret', message + str(self.said))
        self.assertEqual([], left(self.directory))
        self.assert_secrets_gone()

    def test_a_right_that_is_lacking_is_named(self) -> None:
        self.install(
            """
            print('Failed: (Unauthorized) not authorized on shop to execute command')
            sys.exit(1)
            """
        )
        with self.assertRaisesRegex(
            DumpFailed, 'to execute command\nThe roles backup and restore, on admin,'
        ):
            self.dumps(self.connection).make(database())

    def test_a_tool_that_does_not_start_is_said(self) -> None:
        path = self.tools / 'mongodump'
        path.write_text('no program')
        path.chmod(0o700)
        with self.assertRaisesRegex(
            DumpFailed, 'mongodump does not start: Exec format'
        ):
            self.dumps(self.connection).make(database())
        self.assertEqual([], left(self.directory))

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

    def test_killed_with_all_it_started_it_leaves_no_secret(self) -> None:
        self.install('os.kill(os.getppid(), signal.SIGKILL)')
        program = f"""
            from pathlib import Path
            from migopy.dumps import Connection, Dumps
            from tests.dumps import database

            connection = Connection('db.example', password='s3cret')
            Dumps(Path({str(self.directory)!r}), connection).make(database())
        """
        killed = subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)],
            capture_output=True,
            timeout=30,
            check=False,
        )
        self.assertEqual(-signal.SIGKILL, killed.returncode, killed.stderr)
        self.assertEqual(1, len(left(self.directory)))
        self.assert_secrets_gone()

    def assert_ended(self) -> None:
        self.assert_secrets_gone()
        self.assertEqual([], left(self.directory))
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


#: Stands in for mongodump before 100.9.1, which wrote options in any order.
OLD_DUMP = r"""#!{python}
import json, pathlib, sys
sys.path[:0] = {path!r}
import pymongo
from migopy.dumps.writing import Dumper

options = dict(a[2:].split('=', 1) for a in sys.argv[1:] if '=' in a)
with open(options['config']) as config:
    client = pymongo.MongoClient(json.load(config)['uri'])
folder = pathlib.Path(options['out']) / options['db']
Dumper(client[options['db']], folder, set(), print, lambda *far: None).run()
for path in folder.glob('*.metadata.json'):
    document = json.loads(path.read_text())
    if path.name.startswith('newer'):
        document['options'] = {{'unheardOf': True}}
    path.write_text(json.dumps(document, sort_keys=True))
"""


class MongodumpTest(DumpTest):
    def test_an_option_that_is_not_known_is_no_reason_to_have_no_dump(self) -> None:
        """A newer server has it, and this deploy waits for its dump."""
        self.db['newer'].insert_one({'_id': 1})
        dump = self.dump()
        path = dump.path / self.db.name / 'newer.metadata.json'
        self.assertIn('unheardOf', path.read_text())

    def test_options_keep_their_order(self) -> None:
        sort = {'$sort': {'z': 1, 'a': 1}}
        is_number = {'$match': {'z': {'$ne': float('nan')}}}
        pipeline = [is_number, sort]
        self.db.create_collection('view', viewOn='notes', pipeline=pipeline)
        self.db['notes'].insert_one({'_id': 1})
        before = everything(self.db)
        dump = self.dump()
        self.assertIn('reads each collection at a time of its own', self.said[0])
        self.db.drop_collection('view')
        self.dumps().restore(self.db, dump)
        self.assertEqual(before, everything(self.db))

    def dump(self) -> Dump:
        """Dump the database by an old mongodump."""
        tools = self.directory.parent / 'bin'
        tools.mkdir(parents=True)
        path = [str(Path(tests.__file__).parent.parent)]
        tool = tools / 'mongodump'
        tool.write_text(OLD_DUMP.format(python=sys.executable, path=path))
        tool.chmod(0o700)
        with mock.patch.dict(os.environ, PATH=str(tools)):
            return self.dumps(Connection(self.uri)).make(self.db)


#: Stands in for mongorestore, of a few collections without options.
FAKE_RESTORE = r"""#!{python}
import json, os, pathlib, sys
sys.path[:0] = {path!r}
import bson, pymongo
from migopy.dumps.documents import read_batches
from migopy.dumps.format import file_stem

given = [a[2:].split('=', 1) for a in sys.argv[1:] if '=' in a]
options = dict(given)
with open(options['config']) as config:
    client = pymongo.MongoClient(json.load(config)['uri'])
with open({notes!r}, 'a') as notes:
    json.dump(sys.argv[1:], notes)
froms = [value for name, value in given if name == 'nsFrom']
for old, new in zip(froms, [value for name, value in given if name == 'nsTo']):
    database, _, old = old.replace('\\*', '*').partition('.')
    target = client[database][new.partition('.')[2]]
    path = os.path.join(options['dir'], database, file_stem(old))
    batches = read_batches(pathlib.Path(path + '.bson'))
    documents = [bson.decode(one) for some in batches for one in some]
    {body}
"""


class MongorestoreTest(DumpTest):
    """`mongorestore` fills collections beside, and what it made is counted."""

    def setUp(self) -> None:
        super().setUp()
        self.needs_version(5, 0)
        self.notes = self.directory.parent / 'notes'
        self.tools = self.directory.parent / 'bin'
        self.tools.mkdir(parents=True)
        patch = mock.patch.dict(os.environ, PATH=str(self.tools))
        patch.start()
        self.addCleanup(patch.stop)
        for name in ('a', 'b*', 'x' * 200):
            self.db[name].insert_many([{'_id': number} for number in range(10)])
        self.db['a'].create_index('x')
        self.db.create_collection('points', timeseries={'timeField': 't'})
        self.db.create_collection('view', viewOn='a', pipeline=[])
        self.db['lock'].insert_one({'_id': 'before'})
        self.dump = self.dumps(excluded={'lock'}).make(self.db)
        self.before = everything(self.db)
        self.db['a'].delete_many({'_id': 0})
        self.db['new'].insert_one({})

    def install(self, body: str) -> None:
        path = self.tools / 'mongorestore'
        lines = textwrap.dedent(body).strip().replace('\n', '\n    ')
        path.write_text(
            FAKE_RESTORE.format(
                python=sys.executable,
                path=[str(Path(tests.__file__).parent.parent)],
                notes=str(self.notes),
                body=lines,
            )
        )
        path.chmod(0o700)

    def restore(self) -> None:
        dumps = self.dumps(Connection(self.uri), excluded={'lock'})
        dumps.restore(self.db, self.dump)

    def test_it_fills_collections_under_other_names(self) -> None:
        self.install(
            """
            target.insert_many(documents)
            if old == 'a': target.create_index('x')
            """
        )
        filled: list[str] = []
        dumps = self.dumps(
            Connection(self.uri),
            excluded={'lock'},
            progress=lambda name, done, total: filled.append(name),
        )
        dumps.restore(self.db, self.dump)
        self.assertEqual(self.before, everything(self.db))
        # What cannot be renamed is PyMongo's.
        self.assertEqual({'points'}, set(filled))
        arguments = json.loads(self.notes.read_text())
        name = self.db.name
        self.assertEqual(
            [
                '--keepIndexVersion',
                '--maintainInsertionOrder',
                f'--nsInclude={name}.a',
                f'--nsFrom={name}.a',
                f'--nsTo={name}.migopy_restoring.0',
                rf'--nsInclude={name}.b\*',
                rf'--nsFrom={name}.b\*',
                f'--nsTo={name}.migopy_restoring.1',
            ],
            arguments[1:9],
        )
        self.assertEqual(f'--dir={self.dump.path}', arguments[-1])
        self.assertNotIn('--drop', arguments)

    def test_what_it_leaves_out_pymongo_fills(self) -> None:
        """It ends with status 0 where documents failed."""
        self.install("target.insert_many(documents[1:] if old == 'a' else documents)")
        self.restore()
        self.assertEqual(self.before, everything(self.db))

    def test_what_it_defines_otherwise_pymongo_fills(self) -> None:
        """Versions before 100.12 turn some descending indexes round, for example."""
        for body in (
            "target.create_index([('x', -1)], name='x_1')",
            "target.create_index('x', sparse=True)",
            "target.create_index('x'); target.database.command('collMod', target.name,"
            " validator={'x': 1})",
        ):
            with self.subTest(body):
                self.install(f'target.insert_many(documents)\nif old == "a": {body}')
                self.restore()
                self.assertEqual(self.before, everything(self.db))

    def test_what_an_insert_would_change_pymongo_fills(self) -> None:
        """The server sets an empty timestamp to now; so do versions before 100.12."""
        self.db['a'].update_one({'_id': 5}, [{'$set': {'at': Timestamp(0, 0)}}])
        self.dump = self.dumps(excluded={'lock'}).make(self.db)
        self.before = everything(self.db)
        self.install('target.insert_many(documents)')
        self.restore()
        self.assertEqual(self.before, everything(self.db))
        self.assertNotIn(f'--nsInclude={self.db.name}.a', self.notes.read_text())

    def test_where_it_fails_pymongo_fills(self) -> None:
        self.install("target.insert_many(documents); sys.exit('no such option')")
        self.restore()
        self.assertEqual(self.before, everything(self.db))
        self.assertIn('no such option', str(self.said))
        self.assertIn('PyMongo restores what it has not', self.said[-1])

    def test_where_a_member_is_down_pymongo_fills(self) -> None:
        """It would wait for that member, for an index."""
        self.install('target.insert_many(documents)')
        with mock.patch(
            'migopy.dumps.mongorestore.silent_members', return_value=['b.example:1']
        ):
            self.restore()
        self.assertFalse(self.notes.exists())
        self.assertEqual(self.before, everything(self.db))
        [said] = [line for line in self.said if 'b.example:1 cannot be reached' in line]
        self.assertIn('PyMongo restores all', said)

    def test_a_folder_with_anything_else_in_it_is_not_given_to_it(self) -> None:
        self.install('target.insert_many(documents)')
        (self.dump.path / self.db.name / 'more.bson').touch()
        self.restore()
        self.assertEqual(self.before, everything(self.db))
        self.assertFalse(self.notes.exists())

    def test_interrupted_it_leaves_all_as_it_was(self) -> None:
        self.install("print('started', flush=True); import time; time.sleep(60)")

        def say(line: str) -> None:
            self.said.append(line)
            if line == 'started':
                raise KeyboardInterrupt

        before = everything(self.db)
        dumps = Dumps(self.directory, Connection(self.uri), {'lock'}, say)
        with self.assertRaises(KeyboardInterrupt):
            dumps.restore(self.db, self.dump)
        self.assertEqual(before, everything(self.db))
        self.assertIn('is as it was', self.said[-1])
