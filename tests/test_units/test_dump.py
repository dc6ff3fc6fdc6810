"""Dumps without a server: names, files, connections of the tools."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

import bson
from bson import Int64, Regex
from pymongo import MongoClient

from migopy.dumps import Connection, DirectoryUnreadable, DumpFailed, UnknownDump
from migopy.dumps.documents import Damaged, read_batches
from migopy.dumps.format import Stored, file_stem
from tests.dumps import MEGABYTE, FolderTest, database, left
from tests.server import free_port


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
        with self.assertRaisesRegex(DumpFailed, f'{self.directory}: Not a directory'):
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
        self.assertEqual([], left(self.directory))


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

    def test_documents_are_read_and_damage_is_said(self) -> None:
        path = self.folder / 'a.bson'
        whole = bson.encode({'a': 1}) + bson.encode({})
        path.write_bytes(whole)
        self.assertEqual([[12, 5]], [list(map(len, b)) for b in read_batches(path)])
        for damaged in (
            whole + b'\4',
            whole + b'\4\0\0\0',
            whole + b'\6\0\0\0\0',
            whole + b'\5\0\0\0\1',
            whole + b'\xff\xff\xff\xff\0',
            whole + b'\xff\xff\xff\x7f\0',
        ):
            path.write_bytes(damaged)
            batches = read_batches(path)
            self.assertEqual([12, 5], list(map(len, next(batches))))
            with self.assertRaisesRegex(Damaged, f'{path} is damaged at byte 17'):
                next(batches)

    def test_documents_that_are_cut_by_the_megabyte_are_whole(self) -> None:
        sizes = [100, MEGABYTE - 200, 100, 3 * MEGABYTE, 5, MEGABYTE, 1000]
        wanted = [bson.encode({'': bytes(max(0, size - 20))}) for size in sizes]
        path = self.folder / 'a.bson'
        path.write_bytes(b''.join(wanted))
        self.assertEqual(wanted, [one for some in read_batches(path) for one in some])
        path.write_bytes(b''.join(wanted)[:-1])
        with self.assertRaisesRegex(Damaged, 'is damaged at byte '):
            list(read_batches(path))
