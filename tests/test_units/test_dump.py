"""Dumps without a server: names, files, the tools' command line and their secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import bson
from bson import Int64, Regex
from pymongo import MongoClient

from migopy.dumps.dumps import DirectoryUnreadable, DumpFailed, Dumps, UnknownDump
from migopy.dumps.format import Damaged, Stored, file_stem, read_documents
from migopy.dumps.tools import Connection
from tests.server import free_port

FAKE_TOOL = r'''#!{python}
"""Stand in for mongodump: note the arguments and the file with the secrets."""
import json, os, signal, stat, sys, time

options = dict(a[2:].split('=', 1) for a in sys.argv[1:] if '=' in a)
config = options['config']
with open(config) as file:
    content = file.read()
with open({notes!r}, 'w') as file:
    json.dump(
        {{
            'arguments': sys.argv[1:],
            'config': json.loads(content),
            'mode': stat.S_IMODE(os.stat(config).st_mode),
            'folder_mode': stat.S_IMODE(os.stat(os.path.dirname(config)).st_mode),
            'config_path': config,
            'environment': dict(os.environ),
            'pid': os.getpid(),
        }},
        file,
    )
if 'out' in options:
    folder = os.path.join(options['out'], options['db'])
    os.makedirs(folder)
    with open(os.path.join(folder, 'notes.bson'), 'wb') as file:
        file.write(bytes([5, 0, 0, 0, 0]))
    with open(os.path.join(folder, 'notes.metadata.json'), 'w') as file:
        file.write('{{"indexes":[],"collectionName":"notes"}}')
{body}
'''


def database(name: str = 'shop', set_name: str | None = 'rs0') -> Any:
    """Stand in for a `Database` whose server answers `hello` and nothing else."""
    hello = {'setName': set_name} if set_name else {}
    return SimpleNamespace(
        name=name,
        client=SimpleNamespace(admin=SimpleNamespace(command=lambda command: hello)),
    )


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix='migopy-tests-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.directory = self.folder / 'dumps'
        self.said: list[str] = []

    def dumps(self, connection: Connection | None = None) -> Dumps:
        return Dumps(self.directory, connection, say=self.said.append)


class ConnectionTest(unittest.TestCase):
    """What `MongoClient` was given becomes a URI for the tools."""

    def assert_uri(self, uri: str, *place: Any, **options: Any) -> None:
        self.assertEqual(uri, Connection(*place, **options).uri())

    def test_a_host_and_a_port(self) -> None:
        self.assert_uri('mongodb://localhost:27017/?')
        self.assert_uri('mongodb://db.example:27018/?', 'db.example', 27018)
        self.assert_uri('mongodb://db.example:1/?', 'db.example:1', 27018)
        self.assert_uri('mongodb://a:1,b:27018/?', 'a:1,b', 27018)
        self.assert_uri('mongodb://[::1]:27018/?', '::1', 27018)
        self.assert_uri('mongodb://[::1]:1/?', '[::1]:1', 27018)
        self.assert_uri('mongodb://%2Ftmp%2Fx.sock/?', '/tmp/x.sock', 27018)

    def test_a_user_and_where_he_is_looked_up(self) -> None:
        self.assert_uri(
            'mongodb://ann%40home:p%3A%2F%3F%23%25%20%C3%A4@h:1/?authSource=shop',
            'h',
            1,
            username='ann@home',
            password='p:/?#% ä',
            authSource='shop',
        )

    def test_a_uri_keeps_its_user_and_loses_its_database(self) -> None:
        self.assert_uri(
            'mongodb://ann:p%40%20@a:1,b:2/?replicaSet=rs&authSource=shop',
            'mongodb://ann:p%40+@a:1,b:2/shop?replicaSet=rs',
        )
        self.assert_uri(
            'mongodb://ann:p@h/?authSource=admin',
            'mongodb://ann:p@h/shop?authSource=admin',
        )
        self.assert_uri('mongodb://h/?', 'mongodb://h/shop')
        # The DNS may say where the user is looked up.
        self.assert_uri(
            'mongodb+srv://ann:p@cluster.example/?',
            'mongodb+srv://ann:p@cluster.example/shop',
        )

    def test_options_by_name_go_before_those_of_the_uri(self) -> None:
        self.assert_uri(
            'mongodb://bob:q@h/?authSource=b&replicaSet=rs',
            'mongodb://ann:p@h/?authSource=a&replicaSet=rs',
            username='bob',
            password='q',
            authsource='b',
        )

    def test_tls_as_pymongo_has_it(self) -> None:
        self.assert_uri(
            'mongodb://h:1/?tls=true&tlsInsecure=true&tlsCAFile=%2Fetc%2Fca%20x.pem'
            '&tlsCertificateKeyFile=%2Fetc%2Fme.pem'
            '&tlsCertificateKeyFilePassword=key%20secret',
            'h',
            1,
            ssl=True,
            tlsCAFile='/etc/ca x.pem',
            tlsAllowInvalidCertificates=True,
            tlsAllowInvalidHostnames=False,
            tlsCertificateKeyFile='/etc/me.pem',
            tlsCertificateKeyFilePassword='key secret',
        )
        connection = Connection('h', tlsCRLFile='/etc/crl.pem')
        self.assertEqual(['--sslCRLFile=/etc/crl.pem'], connection.arguments)

    def test_what_concerns_pymongo_alone_is_left_out(self) -> None:
        self.assert_uri(
            'mongodb://h/?directConnection=true&serverSelectionTimeoutMS=5000',
            'mongodb://h/?w=2&readPreference=secondary&directConnection=true&appName=x',
            serverSelectionTimeoutMS=5000,
            tz_aware=True,
            document_class=dict,
            maxPoolSize=3,
        )

    def test_mechanisms(self) -> None:
        self.assert_uri(
            'mongodb://id:key@h/?authMechanism=MONGODB-AWS'
            '&authMechanismProperties=AWS_SESSION_TOKEN%3Atok%2Cx%3Atrue',
            'mongodb://id:key@h/shop',
            authMechanism='MONGODB-AWS',
            authMechanismProperties={'AWS_SESSION_TOKEN': 'tok', 'x': True},
        )

    def test_a_replica_set_is_named_unless_one_host_alone_is_meant(self) -> None:
        self.assertEqual('mongodb://h:27017/?replicaSet=rs', Connection('h').uri('rs'))
        direct = Connection('h', directConnection=True)
        self.assertEqual('mongodb://h:27017/?directConnection=true', direct.uri('rs'))

    def test_no_text_shows_a_secret(self) -> None:
        connection = Connection(
            'mongodb://ann:p%40ss%2Fword+x@h/shop',
            tlsCertificateKeyFilePassword='key secret',
            authMechanismProperties='AWS_SESSION_TOKEN:tok==',
        )
        self.assertEqual('Connection(mongodb://h)', repr(connection))
        text = f'{connection.uri()} p@ss/word x key secret tok== the end'
        redacted = connection.redact(text)
        for secret in ('p@ss', 'p%40ss', 'key', 'tok'):
            self.assertNotIn(secret, redacted.replace('tlsCertificateKeyFile', ''))
        self.assertTrue(redacted.endswith('*** *** *** the end'))


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
            from migopy.dumps.dumps import Connection, Dumps
            from tests.test_units.test_dump import database

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


class DumpsTest(FolderTest):
    """What is listed and found in the folder."""

    def add(self, name: str, database: str = 'shop') -> Path:
        path = self.directory / name
        (path / database).mkdir(parents=True)
        manifest = {'database': database, 'files': {f'{database}/a.bson': 100}}
        (path / 'migopy.json').write_text(json.dumps(manifest))
        return path

    def test_they_are_listed_oldest_first_with_time_and_size(self) -> None:
        self.add('20260201T100000Z_shop')
        self.add('20260101T100000Z_shop')
        self.add('20260101T100001Z_other', 'other')
        first, second = self.dumps().of('shop')
        self.assertEqual('20260101T100000Z_shop', first.name)
        self.assertEqual('20260201T100000Z_shop', second.name)
        self.assertEqual('2026-02-01T10:00:00+00:00', second.made.isoformat())
        self.assertEqual(100, second.size)

    def test_what_is_no_complete_dump_is_not_listed(self) -> None:
        self.add('.20260101T100000Z_shop.part')
        self.add('notes')
        (self.directory / '20260101T100000Z_shop').mkdir()
        (self.directory / '20260101T100001Z_shop').write_text('')
        for number, content in enumerate(('', '[]', '{}', '{"database": "shop"}')):
            (self.add(f'20260102T10000{number}Z_shop') / 'migopy.json').write_text(
                content
            )
        self.assertEqual([], self.dumps().of('shop'))

    def test_no_folder_has_no_dumps_and_none_is_made(self) -> None:
        self.assertEqual([], self.dumps().of('shop'))
        self.assertFalse(self.directory.exists())

    def test_a_folder_that_is_none_is_an_error(self) -> None:
        self.directory.write_text('')
        with self.assertRaisesRegex(DirectoryUnreadable, 'MONGO_DUMP_DIRECTORY'):
            self.dumps().of('shop')
        with self.assertRaisesRegex(DumpFailed, f'{self.directory}: File exists'):
            self.dumps().make(database())

    def test_one_is_found_by_its_name_or_by_a_beginning_that_no_other_has(self) -> None:
        self.add('20260101T100000Z_shop')
        self.add('20260101T100000Z_shop_old', 'shop')
        self.add('20260201T100000Z_shop')
        dumps = self.dumps()
        for name in ('20260101T100000Z_shop', '20260201T100000Z_shop', '202602'):
            self.assertTrue(dumps.find('shop', name).name.startswith(name))
        with self.assertRaisesRegex(UnknownDump, 'Several dumps begin with 202601'):
            dumps.find('shop', '202601')

    def test_an_unknown_one_is_an_error_that_lists_those_there_are(self) -> None:
        with self.assertRaisesRegex(UnknownDump, 'fab migrations:dbdump'):
            self.dumps().find('shop', 'x')
        self.add('20260101T100000Z_shop')
        outside = self.folder / '20260101T100000Z_shop'
        (self.directory / '20260101T100000Z_shop').rename(outside)
        self.add('20260102T100000Z_shop')
        for name in ('x', '../20260101T100000Z_shop', str(outside), '..', '/'):
            with self.assertRaises(UnknownDump) as caught:
                self.dumps().find('shop', name)
            self.assertIn('\n  20260102T100000Z_shop', str(caught.exception))

    def test_keep_must_leave_the_new_one(self) -> None:
        with self.assertRaisesRegex(DumpFailed, 'MONGO_DUMP_KEEP is 0'):
            self.dumps().make(database(), keep=0)

    def test_a_server_that_does_not_answer_is_an_error_and_leaves_nothing(self) -> None:
        port = free_port()
        with (
            MongoClient(port=port, serverSelectionTimeoutMS=50) as client,
            self.assertRaisesRegex(DumpFailed, f'localhost:{port}'),
        ):
            self.dumps().make(client['shop'])
        self.assertEqual([], list(self.directory.iterdir()))


class FilesTest(FolderTest):
    """The format, as mongodump 100.18 was seen to write it."""

    def test_file_names(self) -> None:
        for collection, stem in {
            'notes': 'notes',
            'a.b-c_d~e': 'a.b-c_d~e',
            'a b/ü%+*()': 'a+b%2F%C3%BC%25%2B%2A%28%29',
            'l' * 238: 'l' * 238,
            'l' * 240: 'l' * 208 + '%24bvSbmAZKnMn7zYkwiNK0vp0iWtc',
        }.items():
            self.assertEqual(stem, file_stem(collection))

    def test_metadata_of_a_collection(self) -> None:
        stored = Stored(
            'val',
            {'validator': {'i': {'$lt': Int64(4)}, 'f': {'$lt': 1.0}}},
            [{'v': 2, 'key': {'_id': 1}, 'name': '_id_'}],
        )
        self.assertEqual(
            '{"options":{"validator":{"i":{"$lt":{"$numberLong":"4"}},'
            '"f":{"$lt":{"$numberDouble":"1.0"}}}},"indexes":[{"v":{"$numberInt":"2"},'
            '"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],"uuid":"3924e1ef",'
            '"collectionName":"val","type":"collection"}',
            stored.metadata('3924e1ef'),
        )

    def test_metadata_of_a_view(self) -> None:
        self.assertEqual(
            '{"options":{"viewOn":"cap"},"indexes":[],"collectionName":"v",'
            '"type":"view"}',
            Stored('v', {'viewOn': 'cap'}, []).metadata(None),
        )

    def test_operators_that_look_like_json_types_come_back_as_operators(self) -> None:
        """`$regex` is one; it may have neighbours, and is no regular expression."""
        validator = {
            'a': {'$regex': '^a', '$options': 'i', '$nin': ['x']},
            'b': {'$not': Regex('^b', 'x')},
            'c': {'$regex': Regex('^c')},
        }
        path = self.folder / 'a+b.metadata.json'
        path.write_text(Stored('a b', {'validator': validator}, []).metadata(None))
        read = Stored.read(path)
        self.assertEqual(bson.encode(validator), bson.encode(read.options['validator']))
        self.assertEqual('a b', read.name)

    def test_metadata_without_a_name_is_named_by_its_file(self) -> None:
        path = self.folder / 'a+b%2F.metadata.json'
        path.write_text('{"options":{},"indexes":[],"uuid":""}')
        self.assertEqual('a b/', Stored.read(path).name)

    def test_documents_are_read_one_by_one_and_damage_is_said(self) -> None:
        path = self.folder / 'a.bson'
        whole = bson.encode({'a': 1}) + bson.encode({})
        path.write_bytes(whole)
        self.assertEqual([{'a': 1}, {}], list(map(bson.decode, read_documents(path))))
        for damaged in (
            whole + b'\4',
            whole + b'\4\0\0\0',
            whole + b'\6\0\0\0\0',
            whole + b'\5\0\0\0\1',
            whole + b'\xff\xff\xff\xff\0',
            whole + b'\xff\xff\xff\x7f\0',
        ):
            path.write_bytes(damaged)
            documents = read_documents(path)
            self.assertEqual([12, 5], [len(next(documents)) for _ in range(2)])
            with self.assertRaisesRegex(Damaged, f'{path} is damaged at byte 17'):
                next(documents)
