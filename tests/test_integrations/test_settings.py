"""Where the database is and as whom: what a fabfile sets, and what goes wrong."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock
from urllib.parse import quote_plus

import pymongo
from pymongo.errors import (
    AutoReconnect,
    InvalidOperation,
    ServerSelectionTimeoutError,
)
from pymongo.monitoring import (
    CommandListener,
    CommandStartedEvent,
    ConnectionPoolListener,
)
from pymongo.server_api import ServerApi

import migopy
from migopy.server import AccessDenied, Settings, await_first_contact
from tests import server
from tests.faults import eventually
from tests.project import FabTest, PlainTest

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        {settings}

    migrations = Migrations.create_task()
"""

INSERT = """
    def up(db):
        db.notes.insert_one({'in': db.name})
"""


class SettingsTest(PlainTest, FabTest):
    """Settings alone: of a manager in this process, or of a fabfile."""

    def manager_with(self, settings: dict[str, Any]) -> type[migopy.MigrationsManager]:
        nothing = {'MONGO_URI': None, 'MONGO_DATABASE': None}
        return self.manager_class(**{**nothing, **settings})

    def told(self, settings: dict[str, Any]) -> str:
        """Give what the task says, in red alone, instead of executing."""
        self.logger.said.clear()
        self.manager_with(settings).create_task()('execute')
        [(method, message)] = self.logger.said
        self.assertEqual(method, 'red')
        return message

    def set(self, **settings: Any) -> None:
        """Write them into the fabfile."""
        lines = '\n        '.join(
            f'{name} = {value!r}' for name, value in settings.items()
        )
        self.write('fabfile.py', FABFILE.format(settings=lines))


class PlaceTest(SettingsTest):
    """Host and port, or a URI; and the database."""

    def setUp(self) -> None:
        super().setUp()
        host, port = self.client.address or ('', 0)
        self.place = {'MONGO_HOST': host, 'MONGO_PORT': port}
        self.uri_with_database = (
            f'mongodb://{host}:{port}/{self.db.name}?retryWrites=true'
        )

    def test_all_ways_to_name_it(self) -> None:
        self.migration('1_a.py', INSERT)
        other = self.uri_with_database.replace(self.db.name, 'other')
        ways: list[dict[str, Any]] = [
            {**self.place, 'MONGO_DATABASE': self.db.name},
            {'MONGO_URI': self.uri, 'MONGO_DATABASE': self.db.name, 'MONGO_PORT': 1},
            {'MONGO_URI': self.uri_with_database},
            {'MONGO_URI': other, 'MONGO_DATABASE': self.db.name},
        ]
        for settings in ways:
            with self.subTest(settings):
                self.manager_with(settings).create_task()('execute')
                self.assertEqual(self.contents('notes'), [{'in': self.db.name}])
                self.db.notes.drop()
                self.db.migrations.drop()

    def test_no_database_is_an_error_that_says_what_to_write(self) -> None:
        self.set(**self.place)
        message = self.error('migrations:execute')
        self.assertIn('No database is named', message)
        self.assertIn('Set MONGO_DATABASE in the fabfile', message)
        folder = self.folder / 'mongodata'
        for uri in (self.uri, f'embedded:{folder}'):
            self.assertEqual(self.told({'MONGO_URI': uri}), message)
        self.assertFalse(folder.exists())

    def test_settings_that_cannot_be_are_errors_that_name_them(self) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({'MONGO_PORT': 'abc'}, "MONGO_PORT = 'abc'"),
            ({'MONGO_DATABASE': 'a b'}, "MONGO_DATABASE = 'a b' must be"),
            ({'MONGO_URL': self.uri}, 'MONGO_URI is'),
            ({'MONGO_URI': 'localhost:27017'}, 'MONGO_URI'),
            ({'MONGO_URI': 'mongodb://'}, 'MONGO_URI'),
            ({'MONGO_CLIENT_OPTIONS': {'bogus': 1}}, 'Unknown option: bogus'),
            ({'MONGO_CLIENT_OPTIONS': {'tls': 'odd'}}, 'tls'),
            (
                {'MONGO_URI': self.uri, 'MONGO_CLIENT_OPTIONS': {'maxPoolSize': 'x'}},
                'maxPoolSize',
            ),
            ({'MONGO_URI': 'mongodb://localhost:99999'}, 'Port must be'),
            ({'MONGO_CLIENT_OPTIONS': {'tlsCAFile': '/no/file'}}, '/no/file'),
            ({'MIGRATIONS_FILE_PATTERN': '('}, 'MIGRATIONS_FILE_PATTERN'),
            ({'MIGRATIONS_COLLECTION': 'a$b'}, "MIGRATIONS_COLLECTION = 'a$b'"),
            ({'LOCK_TTL': '60'}, "LOCK_TTL = '60'"),
            ({'MONGO_HOST': ['h:1']}, "MONGO_HOST = ['h:1']"),
            ({'MONGO_CLIENT_OPTIONS': {'w': 0}}, 'w=0'),
        ]
        place = {**self.place, 'MONGO_DATABASE': self.db.name}
        for settings, part in wrong:
            with self.subTest(settings):
                message = self.told({**place, **settings})
                self.assertIn(part, message)
                self.assertIn('fab', message)

    def test_a_directory_may_be_a_path(self) -> None:
        self.migration('1_a.py', INSERT)
        directory = self.folder / 'mongomigrations'
        place = {**self.place, 'MONGO_DATABASE': self.db.name}
        settings = {**place, 'MIGRATIONS_DIRECTORY': directory}
        self.manager_with(settings).create_task()('execute')
        self.assertEqual(self.contents('notes'), [{'in': self.db.name}])

    def test_a_template_that_is_not_utf_8_is_an_error(self) -> None:
        template = self.folder / 'template.py'
        template.write_bytes('# Überschrift'.encode('latin-1'))
        self.manager_with({'MIGRATION_TEMPLATE': template}).create_task()('create', 'a')
        [(method, message)] = self.logger.said
        self.assertEqual(method, 'red')
        self.assertIn(
            f'MIGRATION_TEMPLATE cannot be read: {template}: it is not UTF', message
        )

    def test_a_uri_in_the_host_s_place_is_one_and_is_not_shown(self) -> None:
        host = self.uri.replace('://', '://ann:s3cret@')
        settings = {'MONGO_HOST': host, 'MONGO_DATABASE': self.db.name}
        message = self.told(settings)
        self.assertNotIn('s3cret', message)
        self.assertIn('refused the user name', message)
        plain = {'MONGO_HOST': self.uri, 'MONGO_DATABASE': self.db.name}
        self.manager_with(plain).create_task()('ignore')


class UnreachableTest(SettingsTest):
    def test_it_is_said_after_five_seconds(self) -> None:
        port = server.free_port()
        self.set(MONGO_URI=f'mongodb://ann:secret@127.0.0.1:{port}/shop')
        began = time.monotonic()
        message = self.error('migrations')
        took = time.monotonic() - began
        self.assertIn(f'127.0.0.1:{port} cannot be reached', message)
        self.assertIn('MONGO_HOST', message)
        self.assertNotIn('secret', message)
        self.assertGreater(took, 5)
        self.assertLess(took, 20)

    def test_another_time_may_be_set(self) -> None:
        port = server.free_port()
        began = time.monotonic()
        message = self.told(
            {
                'MONGO_HOST': '127.0.0.1',
                'MONGO_PORT': port,
                'MONGO_DATABASE': 'shop',
                'MONGO_CLIENT_OPTIONS': {'serverSelectionTimeoutMS': 1},
            }
        )
        self.assertIn(f'127.0.0.1:{port} cannot be reached', message)
        self.assertLess(time.monotonic() - began, 4)


class ClientOptionsTest(PlainTest):
    """`MONGO_CLIENT_OPTIONS` are handed to `MongoClient` as they are."""

    def test_they_are(self) -> None:
        make = mock.Mock(side_effect=lambda *a, **k: pymongo.MongoClient(*a, **k))
        options = {'appName': 'deploy', 'retryWrites': False, 'maxPoolSize': 7}
        manager = self.manager(MongoClient=make, MONGO_CLIENT_OPTIONS=options)
        given = make.call_args.kwargs
        self.assertEqual({name: given.get(name) for name in options}, options)
        self.assertFalse(manager.mongo_client.options.retry_writes)

    def test_tls_is_among_them(self) -> None:
        """The server speaks none, so that it cannot be reached by it."""
        options = {'tls': True, 'serverSelectionTimeoutMS': 200}
        with self.assertRaisesRegex(ServerSelectionTimeoutError, 'SSL'):
            self.manager(MONGO_CLIENT_OPTIONS=options).show_status()


class FirstContactTest(PlainTest):
    def test_it_sends_no_command_of_its_own(self) -> None:
        class Heard(CommandListener):
            names: ClassVar[list[str]] = []

            def started(self, event: CommandStartedEvent) -> None:
                self.names.append(event.command_name)

            def succeeded(self, event: object) -> None:
                pass

            failed = succeeded

        with pymongo.MongoClient[Any](self.uri, event_listeners=[Heard()]) as client:
            await_first_contact(client, Settings(uri=self.uri))
            self.assertEqual(Heard.names, [])
            client.admin.command('ping')
            self.assertEqual(Heard.names, ['ping'])

    def test_a_client_with_a_time_of_its_own_waits_as_long(self) -> None:
        uri = f'mongodb://127.0.0.1:{server.free_port()}/'
        options = {'serverSelectionTimeoutMS': 100}
        with pymongo.MongoClient[Any](uri, **options) as client:
            await_first_contact(client, Settings(uri=uri))  # leaves it to the command
            with self.assertRaises(ServerSelectionTimeoutError):
                client.admin.command('ping')

    def test_what_is_no_client_of_pymongo_s_is_left_alone(self) -> None:
        await_first_contact(mock.Mock(spec=[]), Settings())


class RolesTest(SettingsTest):
    def test_a_role_that_only_reads_is_told_what_it_lacks(self) -> None:
        self.migration('1_a.py', INSERT)
        with server.with_auth(roles=('read',)) as mongod:
            place = f'ann:secret@127.0.0.1:{mongod.port}/shop'
            message = self.told({'MONGO_URI': f'mongodb://{place}'})
        self.assertIn(
            'does not allow ann to run findAndModify on migrations_lock: not auth',
            message,
        )
        self.assertIn('the role readWrite on the database shop', message)
        self.assertNotIn('secret', message)

    def test_a_strict_stable_api_is_enough(self) -> None:
        self.needs_version(5, 0)
        self.migration('1_a.py', INSERT)
        options = {'server_api': ServerApi('1', strict=True)}
        manager = self.manager(MONGO_CLIENT_OPTIONS=options)
        manager.execute()
        manager.check()
        manager.history()
        self.assertEqual(self.registered(), ['1_a.py'])


class ClientOwnerTest(PlainTest):
    """A client that was made for a manager is closed with it, another's is not."""

    def is_open(self, client: pymongo.MongoClient[Any]) -> bool:
        try:
            return bool(client.admin.command('ping'))
        except InvalidOperation:
            return False

    def test_one_that_is_made_for_it_is_closed(self) -> None:
        class Client(pymongo.MongoClient[Any]):
            pass

        def function(*place: Any, **options: Any) -> Any:
            return Client(*place, **options, appName='deploy')

        def lazy(*place: Any, **options: Any) -> Any:
            return Client(*place, **options, connect=False)

        for make in (Client, partial(Client, appName='deploy'), function, lazy):
            manager = self.manager(MongoClient=make)
            manager.show_status()
            manager.disconnect()
            self.assertFalse(self.is_open(manager.mongo_client))

    def test_one_that_was_there_before_stays_open(self) -> None:
        """It is the one that the application works with."""
        with pymongo.MongoClient[Any](self.uri, connect=False) as unused:
            for client in (self.client, unused):
                manager = self.manager(
                    MongoClient=lambda *_, client=client, **__: client
                )
                manager.show_status()
                manager.disconnect()
                self.assertTrue(self.is_open(client))

    def test_what_is_no_client_of_pymongo_s_is_left_open(self) -> None:
        client = mock.MagicMock()
        self.manager(MongoClient=lambda *_, **__: client).disconnect()
        client.close.assert_not_called()


class SlowElectionTest(PlainTest):
    """A primary that steps down, with MongoDB's own 10 s until the next is elected."""

    def test_the_first_contact_alone_ends_after_five_seconds(self) -> None:
        self.migration(
            '1_a.py',
            """
            from pymongo.errors import AutoReconnect

            def up(db):
                client = db.client
                assert client.options.server_selection_timeout == 30
                try:
                    client.admin.command('replSetStepDown', 7, force=True)
                except AutoReconnect:
                    pass
                db.notes.insert_one({'in': db.name})
            """,
        )
        with server.replica_set(members=1) as cluster:
            began = time.monotonic()
            manager = self.manager(MONGO_URI=cluster.uri)
            manager.execute()
            self.assertGreater(time.monotonic() - began, 5)
            self.assertEqual(
                list(manager.db.notes.find({}, {'_id': 0})), [{'in': self.db.name}]
            )

    def test_a_command_in_between_has_no_primary_to_write_to(self) -> None:
        with server.replica_set(members=1) as cluster:
            with self.client_of(cluster) as client, suppress(AutoReconnect):
                client.admin.command('replSetStepDown', 60, force=True)
            message = self.told_of(cluster.uri)
            self.assertIn('has no primary now: No primary available', message)
            self.assertNotIn('Start it', message)

    def client_of(self, cluster: server.ReplicaSet) -> pymongo.MongoClient[Any]:
        return pymongo.MongoClient(cluster.uri)

    def told_of(self, uri: str) -> str:
        self.manager_class(MONGO_URI=uri).create_task()('execute')
        return self.logger.of('red')[0]


class MemberTest(PlainTest):
    """A node that takes no writes says what it is, and what to write instead."""

    def told_of(self, uri: str, command: str = 'execute') -> str:
        self.logger.said.clear()
        self.manager_class(MONGO_URI=uri).create_task()(command)
        return '\n'.join(self.logger.of('red'))

    def test_a_secondary_and_an_arbiter(self) -> None:
        self.migration('1_a.py', INSERT)
        with server.replica_set(members=3, arbiters=1) as cluster:
            primary = cluster.primary()
            hosts = sorted(f'127.0.0.1:{member.port}' for member in cluster.members)
            for member in cluster.members:
                kind = cluster.kind_of(member)
                if member is primary:
                    continue
                with self.subTest(kind):
                    message = self.told_of(member.uri)
                    self.assertIn(
                        f'{kind} of the replica set migopy, which takes no', message
                    )
                    self.assertIn(f'The primary is 127.0.0.1:{primary.port}.', message)
                    self.assertIn(
                        f"MONGO_URI = 'mongodb://{','.join(hosts)}/?replicaSet=migopy'",
                        message,
                    )
                    self.assertNotIn('Start it', message)
            self.assertEqual(self.told_of(cluster.uri), '')

    def test_a_hidden_one(self) -> None:
        self.migration('1_a.py', INSERT)
        with server.replica_set(members=2) as cluster:
            primary = cluster.primary()
            [other] = [each for each in cluster.members if each is not primary]
            self.hide(cluster, other)
            message = self.told_of(other.uri)
            self.assertIn(
                'a hidden or recovering member of the replica set migopy, which takes'
                f' no writes. The primary is 127.0.0.1:{primary.port}.',
                message,
            )
            self.assertNotIn('Start it', message)

    def hide(self, cluster: server.ReplicaSet, member: server.Server) -> None:
        """Hide a member, and wait until it knows."""
        with pymongo.MongoClient(cluster.uri) as client:
            config = client.admin.command('replSetGetConfig')['config']
            for each in config['members']:
                if each['host'].endswith(f':{member.port}'):
                    each.update(hidden=True, priority=0)
            config['version'] += 1
            client.admin.command('replSetReconfig', config)
        with pymongo.MongoClient(member.uri) as client:
            eventually(
                lambda: client.admin.command('isMaster').get('hidden'), 'it is hidden'
            )

    def test_one_that_was_never_initiated(self) -> None:
        self.migration('1_a.py', INSERT)
        with server.temporary_folder() as folder:
            node = server.Server(folder, '--replSet=rs0')
            node.start()
            place = f'mongodb://127.0.0.1:{node.port}/'
            told = {
                uri: self.told_of(uri)
                for uri in (place, f'{place}?replicaSet=rs0', node.uri)
            }
            node.kill()
        for uri, message in told.items():
            with self.subTest(uri):
                self.assertIn('answers, but is in no replica set', message)
                self.assertIn('rs.initiate()', message)
                self.assertNotIn('Start it', message)
                self.assertNotIn('within seconds', message)


class CheckOuts(ConnectionPoolListener):
    """Counts the connections that could not be had."""

    def __init__(self) -> None:
        self.failed = 0

    def connection_check_out_failed(self, event: object) -> None:
        self.failed += 1

    def _pass(self, event: object) -> None:
        pass

    pool_created = pool_ready = pool_cleared = pool_closed = _pass
    connection_created = connection_ready = connection_closed = _pass
    connection_check_out_started = connection_checked_out = _pass
    connection_checked_in = _pass


class PasswordTest(SettingsTest):
    """A server that wants a user and a password."""

    #: Odd for a URI, for a shell, and for whoever looks for it in a message.
    PASSWORD = "s@cr/t:p%41#w+d?&= '$x"

    def test_all_ways_to_give_them(self) -> None:
        self.migration('1_a.py', INSERT)
        in_shop = {'MONGO_USER': 'ann', 'MONGO_DATABASE': 'shop'}
        password = {'MONGO_USER_PASSWORD': self.PASSWORD}
        with (
            server.with_auth(user='ann', password=self.PASSWORD) as mongod,
            self.admin(mongod) as client,
        ):
            place = {'MONGO_HOST': '127.0.0.1', 'MONGO_PORT': mongod.port}
            user = f'ann:{quote_plus(self.PASSWORD)}@127.0.0.1:{mongod.port}'
            ways: list[dict[str, Any]] = [
                {**place, **in_shop, **password},
                {**place, **in_shop, 'MONGO_USER_PASS': self.PASSWORD},
                {'MONGO_URI': mongod.uri, **in_shop, **password},
                {'MONGO_URI': f'mongodb://{user}/shop'},
                {
                    'MONGO_URI': f'mongodb://{user}/?authSource=shop',
                    'MONGO_DATABASE': 'shop',
                },
                {
                    'MONGO_URI': f'mongodb://{user}',
                    'MONGO_DATABASE': 'shop',
                    'MONGO_AUTH_SOURCE': 'shop',
                },
                {
                    **place,
                    'MONGO_DATABASE': 'shop',
                    'MONGO_CLIENT_OPTIONS': {
                        'username': 'ann',
                        'password': self.PASSWORD,
                        'authSource': 'shop',
                    },
                },
            ]
            for number, settings in enumerate(ways):
                settings['MIGRATIONS_COLLECTION'] = f'migrations_{number}'
                self.manager_with(settings).create_task()('execute')
            self.assertEqual(client.shop.notes.count_documents({}), len(ways))
            # A user of another database.
            client.accounts.command(
                'createUser',
                'bob',
                pwd='x',
                roles=[{'role': 'readWrite', 'db': 'shop'}],
            )
            bob: dict[str, Any] = {
                **place,
                'MONGO_USER': 'bob',
                'MONGO_USER_PASS': 'x',
                'MONGO_DATABASE': 'shop',
            }
            self.assertIn('MONGO_AUTH_SOURCE', self.told(bob))
            # That one under fab.
            self.set(**bob, MONGO_AUTH_SOURCE='accounts')
            self.assert_ok(self.fab('migrations:execute'))

    def test_wrong_ones_are_an_error_that_does_not_show_them(self) -> None:
        with server.with_auth() as mongod:
            place = {'MONGO_HOST': '127.0.0.1', 'MONGO_PORT': mongod.port}
            ann = {**place, 'MONGO_USER': 'ann', 'MONGO_DATABASE': 'shop'}
            host = f'127.0.0.1:{mongod.port}'
            wrong: list[tuple[dict[str, Any], str]] = [
                ({**ann, 'MONGO_USER_PASS': self.PASSWORD}, 'refused the user name'),
                (
                    {
                        'MONGO_URI': f'mongodb://ann:{quote_plus(self.PASSWORD)}@{host}/shop'
                    },
                    'refused the user name',
                ),
                (
                    {'MONGO_URI': f'mongodb://ann:{self.PASSWORD}@{host}/shop'},
                    'MONGO_URI',
                ),
                (ann, 'MONGO_USER_PASSWORD is not set, or empty'),
                ({**place, 'MONGO_DATABASE': 'shop'}, 'wants a user, and none is set'),
                ({'MONGO_URI': f'mongodb://ann:p@ss@{host}/shop'}, 'MONGO_URI'),
                (
                    {
                        **ann,
                        'MONGO_USER_PASS': 'secret',
                        'MONGO_AUTH_SOURCE': 'shop',
                        'MONGO_DATABASE': 'other',
                    },
                    'readWrite',
                ),
            ]
            messages = [self.told(settings) for settings, _ in wrong]
            self.set(**wrong[0][0])
            self.assertEqual(self.error('migrations:execute'), messages[0])
        for (settings, part), message in zip(wrong, messages):
            with self.subTest(settings):
                self.assertIn(part, message)
                for secret in (self.PASSWORD, 's@cr', 'p%41', 'p@ss', 'secret'):
                    self.assertNotIn(secret, message)
                    self.assertNotIn(quote_plus(secret), message)

    def test_a_wrong_one_is_tried_once(self) -> None:
        """PyMongo would wait ten seconds before the next time."""
        self.migration('1_a.py', INSERT)
        with server.with_auth() as mongod:
            for command in (None, 'list', 'check', 'history', 'execute', 'rollback'):
                with self.subTest(command):
                    tried = CheckOuts()
                    wrong = {
                        'MONGO_URI': f'mongodb://ann:wrong@127.0.0.1:{mongod.port}/shop',
                        'MONGO_CLIENT_OPTIONS': {'event_listeners': [tried]},
                    }
                    values = ('1',) if command == 'rollback' else ()
                    with self.assertRaisesRegex(AccessDenied, 'refused the user name'):
                        self.manager(**wrong).perform(command, values, {})
                    self.assertEqual(tried.failed, 1)

    def admin(self, mongod: server.Server) -> pymongo.MongoClient[Any]:
        return pymongo.MongoClient(mongod.uri, username='root', password='root')


class EmbeddedTest(SettingsTest):
    """`MONGO_URI = 'embedded:<folder>'`: a mongod that comes and goes."""

    def setUp(self) -> None:
        super().setUp()
        self.data = self.folder / 'mongodata'
        self.set(MONGO_URI='embedded:mongodata', MONGO_DATABASE='shop')

    def server_is_gone(self) -> bool:
        return not running_in(self.data)

    def test_starts_for_a_command_and_keeps_the_data(self) -> None:
        self.migration(
            '1_a.py',
            """
            def up(db):
                with db.client.start_session() as session:
                    with session.start_transaction():
                        db.notes.insert_one({'a': 1}, session=session)

            def down(db):
                db.notes.delete_one({'a': 1})
            """,
        )
        (self.folder / 'sub').mkdir()
        self.assert_ok(self.fab('migrations:execute', cwd=self.folder / 'sub'))
        self.assertTrue(self.server_is_gone())
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('All migrations registered', result.stdout)
        result = self.assert_ok(self.fab('migrations:rollback,1'))
        self.assertIn('1 deleted', result.stderr)
        self.assertTrue(self.server_is_gone())
        self.assertFalse((self.folder / 'sub' / 'mongodata').exists())

    def test_is_shared_by_commands_at_the_same_time(self) -> None:
        self.migration(
            '1_a.py',
            """
            import os, time

            def up(db):
                open('first-runs', 'w').close()
                while not os.path.exists('second-is-done'):
                    time.sleep(0.02)
                db.notes.insert_one({'a': 1})
            """,
        )
        first = self.start('migrations:execute')
        eventually((self.folder / 'first-runs').exists, 'the file is there')
        second = self.assert_ok(self.fab('migrations'))
        self.assertIn('1_a.py', second.stdout)
        self.assertEqual(len(running_in(self.data)), 1)
        (self.folder / 'second-is-done').touch()
        result = self.assert_ok(self.ended(first))
        self.assertIn('1 inserted', result.stderr)
        self.assertTrue(self.server_is_gone())

    def test_is_adopted_where_a_killed_command_left_it(self) -> None:
        self.migration(
            '1_a.py',
            """
            import time

            def up(db):
                open('runs', 'w').close()
                time.sleep(60)
            """,
        )
        process = self.start('migrations:execute')
        eventually((self.folder / 'runs').exists, 'the file is there')
        process.kill()
        process.wait()
        self.assertFalse(self.server_is_gone())
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('1_a.py', result.stdout)
        self.assertTrue(self.server_is_gone())

    def test_without_a_mongod_an_error_names_the_extra(self) -> None:
        """Here a package of that name hides the one that has the mongod."""
        self.write('hidden/fiftyone/__init__.py', '')
        python_path = os.pathsep.join(
            filter(None, [str(self.folder / 'hidden'), os.environ.get('PYTHONPATH')])
        )
        nowhere = {'PATH': '/nowhere', 'MIGOPY_MONGOD': ''}
        message = self.error('migrations', PYTHONPATH=python_path, **nowhere)
        self.assertRegex(message, r'pip install "migopy(-core)?\[mongod\]"')
        self.assertFalse(self.data.exists())

    def test_plain_python_leaves_none_behind(self) -> None:
        class Migrations(migopy.MigrationsManager):
            MONGO_URI = f'embedded:{self.data}'
            MONGO_DATABASE = 'shop'
            MIGRATIONS_DIRECTORY = str(self.folder / 'mongomigrations')
            logger = mock.Mock()

        Migrations.create_task()()
        Migrations.logger.green.assert_called_once()
        self.assertTrue(self.server_is_gone())


def running_in(data: Path) -> list[int]:
    """List the mongods that serve a folder, by their command lines."""
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            words = (process / 'cmdline').read_bytes().split(b'\0')
        except OSError:
            continue
        if b'--dbpath=' + os.fsencode(data / 'db') in words:
            found.append(int(process.name))
    return found
