"""Settings: where the database is and as whom, and no password in any text."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    InvalidName,
    InvalidURI,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.hello import Hello
from pymongo.server_description import ServerDescription
from pymongo.synchronous.settings import TopologySettings
from pymongo.topology_description import TOPOLOGY_TYPE, TopologyDescription

import migopy
from migopy.errors import MigopyException
from migopy.server import (
    AccessDenied,
    BadSettings,
    DatabaseError,
    NoDatabase,
    NoPrimary,
    ServerUnreachable,
    Settings,
    UnsupportedServer,
    explained,
    reason_of,
)


class DatabaseNameTest(unittest.TestCase):
    def test_is_the_setting(self) -> None:
        self.assertEqual(Settings(database='shop').database_name, 'shop')
        self.assertIsNone(Settings().database_name)

    def test_is_the_one_in_the_uri_unless_it_is_set(self) -> None:
        uri = 'mongodb://localhost/stock'
        self.assertEqual(Settings(uri=uri).database_name, 'stock')
        self.assertEqual(Settings(uri=uri, database='shop').database_name, 'shop')

    def test_is_found_in_any_uri(self) -> None:
        uris = {
            'mongodb://localhost': None,
            'mongodb://localhost/': None,
            'mongodb://localhost/?w=1': None,
            'mongodb://localhost?w=1': None,
            'mongodb://a:1,b:2/shop?replicaSet=x': 'shop',
            'mongodb://ann:p%2Fw@localhost/shop': 'shop',
            'mongodb://ann:p#w@localhost/shop': 'shop',
            'mongodb://localhost/sh%C3%B6p': 'shöp',
            'mongodb://localhost/shop.orders': 'shop',
            'mongodb://localhost/shop?appName=a/b@c': 'shop',
            'mongodb+srv://cluster.example/shop': 'shop',
            'mongodb://%2Ftmp%2Fmongodb.sock/shop': 'shop',
            'mongodb://localhost/sh@p': 'sh@p',
            'nonsense': None,
            'http://[': None,
        }
        for uri, expected in uris.items():
            with self.subTest(uri):
                self.assertEqual(Settings(uri=uri).database_name, expected)

    def test_is_no_part_of_a_password_that_is_not_encoded(self) -> None:
        uris = {
            'mongodb://ann:p@ss/w@host/shop': 'shop on mongodb://host',
            'mongodb://ann:p/ss@host:1/shop': 'shop on mongodb://host:1',
            'mongodb://ann:p/ss@host': '',
            'mongodb://ann:p/s/s@host/shop': 'shop on mongodb://host',
        }
        for uri, expected in uris.items():
            with self.subTest(uri):
                self.assertEqual(Settings(uri=uri).title, expected)

    def test_is_not_the_folder_of_an_embedded_server(self) -> None:
        self.assertIsNone(Settings(uri='embedded:mongodata').database_name)


class EmbeddedFolderTest(unittest.TestCase):
    def test_is_named_after_the_colon(self) -> None:
        self.assertEqual(
            Settings(uri='embedded:mongodata').embedded_folder, 'mongodata'
        )
        self.assertEqual(Settings(uri='embedded:/srv/x').embedded_folder, '/srv/x')

    def test_has_a_name_where_none_is_given(self) -> None:
        self.assertEqual(Settings(uri='embedded:').embedded_folder, 'mongodata')

    def test_is_none_for_another_server(self) -> None:
        self.assertIsNone(Settings().embedded_folder)
        self.assertIsNone(Settings(uri='mongodb://localhost').embedded_folder)


class WhereTest(unittest.TestCase):
    def test_names_the_server_alone(self) -> None:
        uris = {
            'mongodb://localhost': 'mongodb://localhost',
            'mongodb://a:1,b:2/shop?w=1': 'mongodb://a:1,b:2',
            'mongodb://ann:secret@host:1/shop': 'mongodb://host:1',
            'mongodb://ann@host?w=1': 'mongodb://host',
            # Not encoded, so that PyMongo cuts it elsewhere, and refuses it.
            'mongodb://ann:p/ss@host/shop': 'mongodb://host',
            'mongodb://ann:1/2@host/shop': 'mongodb://host',
            'mongodb://ann:p?ss@host/shop': 'mongodb://host',
            'mongodb://ann:p?s=s@host/shop': 'mongodb://host',
            'mongodb://ann:p@ss@host/shop': 'mongodb://host',
            'mongodb://ann:p@ss/w@host/shop': 'mongodb://host',
            'mongodb://ann:p@s?s@host/shop': 'mongodb://host',
            'mongodb://ann:p@s/s?@host/shop': 'mongodb://host',
            'mongodb+srv://ann:secret@host/shop': 'mongodb+srv://host',
            'mongodb://ann:secret@host/shop?appName=a@b': 'mongodb://host',
            'embedded:mongodata': 'embedded:mongodata',
        }
        for uri, expected in uris.items():
            with self.subTest(uri):
                self.assertEqual(Settings(uri=uri).where, expected)

    def test_names_the_port_that_is_connected_to(self) -> None:
        hosts = {
            'db.example': 'db.example:27018',
            'db.example:1': 'db.example:1',
            'a:1,b': 'a:1,b:27018',
            '[::1]': '[::1]:27018',
            '[::1]:1': '[::1]:1',
            '/tmp/mongodb-1.sock': '/tmp/mongodb-1.sock',
            'a:b': 'a:b:27018',
        }
        for host, expected in hosts.items():
            with self.subTest(host):
                self.assertEqual(Settings(host, 27018).where, expected)


class ArgumentsTest(unittest.TestCase):
    def options(self, **settings: Any) -> dict[str, Any]:
        return Settings(**settings).arguments()[1]

    def test_are_host_and_port_or_the_uri(self) -> None:
        self.assertEqual(Settings('a', 1).arguments()[0], ['a', 1])
        self.assertEqual(Settings(uri='mongodb://b').arguments()[0], ['mongodb://b'])

    def test_a_port_may_be_text(self) -> None:
        port: Any = '27018'
        self.assertEqual(Settings(port=port).arguments()[0], ['localhost', 27018])

    def test_no_user_no_authentication(self) -> None:
        self.assertEqual(self.options(database='shop'), {})

    def test_a_user_is_looked_up_in_the_database(self) -> None:
        self.assertEqual(
            self.options(database='shop', user='ann', password='secret'),
            {'username': 'ann', 'password': 'secret', 'authSource': 'shop'},
        )

    def test_or_where_the_setting_says(self) -> None:
        options = self.options(
            database='shop', user='ann', password='secret', auth_source='admin'
        )
        self.assertEqual(options['authSource'], 'admin')

    def test_a_user_goes_with_a_uri_that_names_none(self) -> None:
        options = self.options(
            uri='mongodb://a/shop?appName=x@y', user='ann', password='x'
        )
        self.assertEqual(
            options, {'username': 'ann', 'password': 'x', 'authSource': 'shop'}
        )

    def test_a_user_is_looked_up_where_the_uri_or_the_mechanism_says(self) -> None:
        ann = {'database': 'shop', 'user': 'ann'}
        options = self.options(uri='mongodb://a/shop?authSource=people', **ann)
        self.assertEqual(options, {'username': 'ann'})
        for mechanism in ('MONGODB-X509', 'PLAIN'):
            given = {'authMechanism': mechanism}
            options = self.options(options=given, **ann)
            self.assertEqual(options, {**given, 'username': 'ann'})

    def test_it_is_said_where_a_user_is_looked_up(self) -> None:
        uri = 'mongodb://bob:x@a'
        x509 = {'authMechanism': 'MONGODB-X509'}
        for settings, expected in (
            (Settings(database='shop'), 'shop'),
            (Settings(database='shop', auth_source='people'), 'people'),
            (Settings(options=x509), '$external'),
            (Settings(uri=uri, database='shop'), 'admin'),
            (Settings(uri=f'{uri}/shop'), 'shop'),
            (Settings(uri=f'{uri}/shop?authSource=people'), 'people'),
            (Settings(uri=f'{uri}/?authSource=a', auth_source='people'), 'people'),
            (Settings(auth_source='a', options={'authsource': 'people'}), 'people'),
            (Settings(uri='mongodb://a/x', database='shop', user='ann'), 'shop'),
        ):
            with self.subTest(expected, uri=settings.uri):
                self.assertEqual(settings.looked_up_in, expected)

    def test_relative_paths_of_certificates_lie_in_the_project(self) -> None:
        given = {'tlsCAFile': 'ca.pem', 'tlsCRLFile': Path('crl.pem'), 'tls': True}
        expected = {
            'tlsCAFile': '/srv/ca.pem',
            'tlsCRLFile': '/srv/crl.pem',
            'tls': True,
        }
        self.assertEqual(self.options(options=given, base='/srv'), expected)
        uri = 'mongodb://a/?tlsCAFile=ca.pem'
        [found] = Settings(uri=uri, base='/srv').arguments()[0]
        self.assertEqual(found, 'mongodb://a/?tlsCAFile=/srv/ca.pem')
        self.assertEqual(Settings(uri=uri).arguments()[0], [uri])

    def test_the_uri_s_user_comes_first(self) -> None:
        options = self.options(uri='mongodb://bob:x@a/shop', user='ann', password='y')
        self.assertEqual(options, {})

    def test_the_uri_s_user_is_looked_up_where_the_setting_says(self) -> None:
        options = self.options(uri='mongodb://bob:x@a/shop', auth_source='admin')
        self.assertEqual(options, {'authSource': 'admin'})

    def test_all_options_are_passed_on_and_come_first(self) -> None:
        given = {
            'retryWrites': False,
            'tls': True,
            'connectTimeoutMS': 0,
            'authSource': 'other',
        }
        options = self.options(database='shop', user='a', password='b', options=given)
        self.assertEqual(options, {**given, 'username': 'a', 'password': 'b'})

    def test_the_time_to_wait_for_a_server_is_left_to_pymongo(self) -> None:
        self.assertEqual(self.options(database='shop'), {})

    def test_whether_an_option_is_set(self) -> None:
        option = 'serverSelectionTimeoutMS'
        for settings in (
            Settings(options={option: 100}),
            Settings(options={option.lower(): 100}),
            Settings(uri=f'mongodb://a/?w=1&{option}=100'),
        ):
            self.assertTrue(settings.sets(option))
        # In another option's value it is not one.
        for settings in (
            Settings(),
            Settings(uri='mongodb://a/?appName=serverSelectionTimeoutMS%3D1'),
        ):
            self.assertFalse(settings.sets(option))

    def test_a_uri_in_the_host_s_place_is_one(self) -> None:
        settings = Settings(host='mongodb://ann:s3cret@a:1/shop', user='x')
        self.assertEqual(settings.arguments(), (['mongodb://ann:s3cret@a:1/shop'], {}))
        self.assertEqual(settings.database_name, 'shop')
        self.assertEqual(settings.where, 'mongodb://a:1')
        self.assertEqual(Settings(host='embedded:d').embedded_folder, 'd')
        for text in (repr(settings), settings.where):
            self.assertNotIn('s3cret', text)

    def test_leave_the_setting_as_it_was(self) -> None:
        given: dict[str, Any] = {}
        Settings(user='a', password='b', options=given).arguments()
        self.assertEqual(given, {})


SECRETS = {
    'plain': 'plain',
    'p%40ss%2Fw%3A': 'p@ss/w:',
    'a+b': 'a b',
    'hash#word': 'hash#word',
}


class ExplainTest(unittest.TestCase):
    settings = Settings('db.example', 27018, 'shop', 'ann', 'secret')

    def explained(
        self, error: Exception, expected: type[MigopyException], *parts: str
    ) -> str:
        told = explained(error, self.settings)
        self.assertIs(type(told), expected)
        for part in parts:
            self.assertIn(part, str(told))
        return str(told)

    def test_a_server_that_does_not_answer(self) -> None:
        error = ServerSelectionTimeoutError(
            'db.example:27018: refused (configured timeouts: connectTimeoutMS: 9ms),'
            ' Timeout: 5.0s, Topology Description: <many words>'
        )
        message = self.explained(error, ServerUnreachable, 'MONGO_HOST', 'refused.\n')
        self.assertNotIn('Topology', message)
        self.assertNotIn('timeouts', message)

    def test_a_connection_that_broke(self) -> None:
        self.explained(AutoReconnect('closed'), ServerUnreachable, 'closed')

    def test_a_server_that_is_slower_than_the_settings_allow(self) -> None:
        late = NetworkTimeout('127.0.0.1:27017: timed out')
        self.explained(late, ServerUnreachable, 'Start it, or correct MONGO_HOST')
        for option in ('socketTimeoutMS', 'timeoutMS'):
            with self.subTest(option):
                self.settings = Settings(uri=f'mongodb://a/shop?{option}=500')
                longer = f'make {option} in MONGO_URI longer'
                said = self.explained(late, ServerUnreachable, longer)
                self.assertNotIn('Start it', said)

    def test_connections_that_were_all_busy(self) -> None:
        busy = WaitQueueTimeoutError('Timed out while checking out a connection')
        larger = 'Have a larger maxPoolSize in MONGO_CLIENT_OPTIONS'
        said = self.explained(busy, ServerUnreachable, larger)
        self.assertNotIn('Start it', said)

    def test_a_certificate_for_another_host(self) -> None:
        """As OpenSSL says it, and as PyOpenSSL does where that is installed."""
        for reason in (
            'db.example:27018: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify'
            " failed: Hostname mismatch, certificate is not valid for 'db.example'."
            ' (_ssl.c:1006)',
            'db.example:27018: ("VerificationError(errors=[DNSMismatch(mismatched_id='
            "DNS_ID(hostname=b'db.example'))])\",)",
        ):
            error = ServerSelectionTimeoutError(reason)
            message = self.explained(error, ServerUnreachable, 'for other names')
            self.assertNotIn('_ssl.c', message)

    def test_a_wrong_password(self) -> None:
        error = OperationFailure('Authentication failed.', 18)
        self.explained(
            error, AccessDenied, 'MONGO_USER_PASS', 'MONGO_AUTH_SOURCE', 'shop'
        )

    def test_what_the_user_may_not_do(self) -> None:
        error = OperationFailure('x', 13, {'errmsg': 'not authorized on shop'})
        self.explained(error, AccessDenied, 'not authorized on shop', 'readWrite')

    def test_a_role_that_lacks_an_action_is_told_it(self) -> None:
        for command, action in {
            'createIndexes': 'createIndex',
            'delete': 'remove',
        }.items():
            refused = (
                f'not authorized on shop to execute command {{ {command}: "notes",'
                ' deletes: [ { q: { name: "Ann" } } ], lsid: { id: UUID("1-2") } }'
            )
            error = OperationFailure(refused, 13, {'errmsg': refused})
            message = self.explained(
                error,
                AccessDenied,
                f'does not allow ann to run {command} on notes: not authorized on'
                ' shop.\n',
                'role readWrite on the database shop',
                f'allows {action} on notes there',
            )
            self.assertNotIn('lsid', message)
            self.assertNotIn('"Ann"', message)

    def test_the_rights_that_a_refused_command_needs(self) -> None:
        """Of all that it reads and writes, and nobody is told to write to admin."""
        merge = 'on: "_id" } } ], cursor: {}, lsid: { id: UUID("1-2") } }'
        for database, command, did, advice in (
            (
                'shop',
                '{ aggregate: "a_lock", pipeline: [ { $set: { b: "{ $merge: { into:'
                f' "x"" }} }}, {{ $merge: {{ into: "a_history", {merge}',
                'aggregate on a_lock',
                'the role readWrite on the database shop, or a role that allows find on'
                ' a_lock and insert and update on a_history there.',
            ),
            (
                'shop',
                '{ aggregate: "a", pipeline: [ { $unionWith: { coll: "b" } },'
                ' { $lookup: { from: "c", as: "d" } }, { $out: "e" } ] }',
                'aggregate on a',
                'find on a, find on b, find on c and insert and remove on e there.',
            ),
            (
                'admin',
                '{ renameCollection: "shop.a.b", to: "shop.c" }',
                'renameCollection on a.b: not authorized on shop.',
                'the role readWrite on the database shop, or a role that allows'
                ' renameCollectionSameDB on a.b there.',
            ),
            (
                'shop',
                '{ collMod: "a", validator: {} }',
                'collMod on a',
                'the role dbAdmin on the database shop, or a role that allows collMod',
            ),
            (
                'admin',
                '{ currentOp: 1, lsid: { id: UUID("1-2") } }',
                'run currentOp: not authorized on admin.',
                'the role clusterMonitor on admin, or one that allows inprog on the',
            ),
            (
                'admin',
                '{ setParameter: 1 }',
                'setParameter',
                'Give the user a role that allows setParameter.',
            ),
            (
                'shop',
                '{ listCollections: 1 }',
                'run listCollections: not',
                'or a role that allows listCollections there.',
            ),
        ):
            with self.subTest(command):
                text = f'not authorized on {database} to execute command {command}'
                error = OperationFailure(text, 13, {'errmsg': text})
                self.explained(error, AccessDenied, did, advice)

    def test_a_user_who_was_dropped_meanwhile(self) -> None:
        text = 'command find requires authentication'
        error = OperationFailure(text, 13, {'errmsg': text})
        self.explained(error, AccessDenied, text, 'may have been dropped meanwhile')

    def test_of_a_refused_command_no_document_and_no_session_is_shown(self) -> None:
        """Of a dump, say, whose error gives the server's reason as it is."""
        for command, said in (
            (
                '{ insert: "notes", documents: [ { a: "{\n}" } ], lsid: 1 }',
                'insert on "notes"',
            ),
            (
                '{ listCollections: 1, $clusterTime: { signature: 1 } }',
                'listCollections',
            ),
        ):
            refused = 'not authorized on shop to execute command '
            text = f'{refused}{command}'
            error = OperationFailure(text, 13, {'errmsg': text})
            self.assertEqual(reason_of(error), f'{refused}{said}')

    def test_a_strict_stable_api(self) -> None:
        error = OperationFailure('x', 323, {'errmsg': 'collStats is not in API V1'})
        self.explained(error, AccessDenied, 'server_api', 'collStats')

    def test_a_server_of_another_age(self) -> None:
        """PyMongo's own check, of what a server would have said of itself."""
        for least, most, said in (
            (0, 6, 'this version of PyMongo requires at least '),
            (90, 99, 'requires wire version 90'),
        ):
            hello = {'ok': 1, 'minWireVersion': least, 'maxWireVersion': most}
            address = 'db.example', 27018
            server = ServerDescription(address, Hello(hello))
            topology = TopologyDescription(
                TOPOLOGY_TYPE.Single,
                {address: server},
                None,
                None,
                None,
                TopologySettings(),
            )
            with self.assertRaises(ConfigurationError) as caught:
                topology.check_compatible()
            self.explained(
                caught.exception,
                UnsupportedServer,
                'cannot work with the MongoDB at db.example:27018: ',
                said,
                'Update the older one of the two, then type the command again.',
            )

    def test_settings_that_cannot_be(self) -> None:
        self.explained(
            ConfigurationError('Unknown option: x'), BadSettings, 'option: x'
        )
        self.explained(ValueError('maxPoolSize must be'), BadSettings, 'maxPoolSize')
        self.explained(TypeError('not a str'), BadSettings, 'not a str')
        self.explained(FileNotFoundError(2, 'No', '/ca'), BadSettings, '/ca')
        self.explained(KeyError('Invalid value'), BadSettings, 'used: Invalid value.')
        self.explained(InvalidName('no space'), BadSettings, "'shop'", 'MONGO_DATABASE')

    def test_an_option_for_which_pymongo_raises_another_error(self) -> None:
        class Migrations(migopy.MigrationsManager):
            MONGO_URI = 'mongodb://h/d?datetime_conversion=datetime_auto'

        with self.assertRaisesRegex(BadSettings, 'MONGO_URI cannot be used'):
            self.assertIsNone(Migrations().db)

    def test_the_setting_at_fault_is_named(self) -> None:
        error = ConfigurationError('Unknown option: bogus')
        in_options = Settings(options={'bogus': 1})
        in_uri = Settings(uri='mongodb://h/?bogus=1')
        for settings, name in (
            (in_options, 'MONGO_CLIENT_OPTIONS'),
            (in_uri, 'MONGO_URI'),
            (Settings(host='mongodb://h/?bogus=1'), 'MONGO_HOST'),
            (Settings(port=1), 'MONGO_HOST and MONGO_PORT'),
        ):
            message = str(explained(error, settings))
            self.assertTrue(message.startswith(f'{name} cannot be used: '), message)

    def test_an_option_is_not_at_fault_whose_letters_are_in_another_word(self) -> None:
        no_port = ValueError('Port must be an integer between 0 and 65535: 999999')
        no_flag = ValueError("The value of retryWrites must be 'true' or 'false'")
        for error, options in (
            (no_port, {'w': 'majority'}),
            (no_port, {'tz_aware': True, 'j': True}),
            (no_flag, {'tls': True}),
        ):
            settings = Settings(uri='mongodb://h:999999/d', options=options)
            message = str(explained(error, settings))
            self.assertTrue(message.startswith('MONGO_URI cannot be used: '), message)

    def test_anything_else_of_the_server_s(self) -> None:
        error = OperationFailure('x', 1, {'errmsg': 'no room left'})
        self.explained(error, DatabaseError, 'db.example:27018', 'no room left.\n')

    def test_no_primary(self) -> None:
        for error in (
            NotPrimaryError('not primary', {'code': 10107}),
            ServerSelectionTimeoutError(
                'No primary available for writes, Timeout: 5.0s, Topology Description:'
                ' <TopologyDescription id: 1>'
            ),
        ):
            message = self.explained(error, NoPrimary, 'has no primary now')
            self.assertNotIn('Start it', message)

    def test_no_password_is_shown(self) -> None:
        for quoted, plain in SECRETS.items():
            uri = f'mongodb://ann:{quoted}@db.example/shop?appName=a@b'
            kept = [
                Settings(uri=uri),
                Settings(database='shop', user='ann', password=plain),
                Settings(database='shop', options={'password': plain}),
            ]
            for settings in kept:
                self.assertNotIn(plain, repr(settings))
                for secret in {quoted, plain} if settings.uri else {plain}:
                    for error in self.errors_that_quote(secret):
                        with self.subTest(secret=secret, error=repr(error)):
                            self.assertNotIn(secret, str(explained(error, settings)))

    def errors_that_quote(self, secret: str) -> list[Exception]:
        text = f'odd: {secret}'
        return [
            *(OperationFailure(text, code, {'errmsg': text}) for code in (1, 13, 18)),
            ServerSelectionTimeoutError(text),
            ConfigurationError(text),
            InvalidURI(text),
            ValueError(text),
        ]

    def test_no_database_says_what_to_write(self) -> None:
        self.assertIn('Set MONGO_DATABASE in the fabfile', str(NoDatabase()))


class ReasonTest(unittest.TestCase):
    """Of an error in one line: what its reader can use."""

    def test_the_driver_s_own_notes_are_left_out(self) -> None:
        reasons = {
            NotPrimaryError('not primary', {'code': 10107, 'ok': 0.0}): 'not primary',
            OperationFailure('failed.', 1, {'code': 1}): 'failed',
            AutoReconnect(
                'h:1: closed (configured timeouts: connectTimeoutMS: 1.0ms)'
            ): 'h:1: closed',
            ServerSelectionTimeoutError(
                'h:1: refused, Timeout: 5.0s, Topology Description:'
                " <TopologyDescription id: 1, servers: [<ServerDescription ('h', 1)>]>"
            ): 'h:1: refused',
            AutoReconnect("closed <ServerDescription ('h', 1) rtt: None>"): 'closed',
            BulkWriteError(
                {'writeErrors': [{'errmsg': 'E11000 dup key'}]}
            ): 'E11000 dup key',
            ValueError('two\n  lines.'): 'two lines',
        }
        for error, reason in reasons.items():
            self.assertEqual(reason_of(error), reason)

    def test_it_is_never_empty(self) -> None:
        self.assertEqual(
            reason_of(AutoReconnect('')), 'AutoReconnect, which says no more'
        )

    def test_it_shows_no_uri_s_password(self) -> None:
        error = ValueError('bad mongodb://ann:s3cret@h/')
        self.assertEqual(reason_of(error), 'bad mongodb://ann:***@h/')
