"""Servers that speak TLS, and ways to log in there: by passwords, by certificates."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pymongo

from migopy import MigopyException
from tests.certificates import (
    Authority,
    administrator,
    set_with_certificates,
    with_certificate,
)
from tests.project import FabTest, PlainTest
from tests.server import Server, standalone

#: The password of an encrypted key.
KEY_PASSWORD = 'k3y s3cret'

#: A password and a user name with what means something in a URI.
ODD = 'ü:/@% +'

#: What has a client trust whomever it meets: nothing that is said may have it.
TRUSTING = ('tlsInsecure', 'tlsAllowInvalid')

UPDATE = """
    def up(db):
        db.users.update_many({}, {'$set': {'seen': True}})

    def down(db):
        db.users.update_many({}, {'$unset': {'seen': ''}})
"""

ASYNCHRONOUS = """
    import os

    async def up(db):
        await db.users.insert_one({'name': 'Ann'})

    async def down(db):
        await db.users.delete_one({'name': 'Ann'})
"""

FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        {settings}

    migrations = Migrations.create_task()
"""

servers = contextlib.ExitStack()
authority: Authority
stranger: Authority
server: Server
picky: Server


def setUpModule() -> None:
    """Run a server with users, and one of another name that wants certificates."""
    global authority, stranger, server, picky
    folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix='migopy-')))
    for name in ('authority', 'stranger'):
        (folder / name).mkdir()
    authority = Authority(folder / 'authority')
    stranger = Authority(folder / 'stranger', 'stranger')
    authority.person('ann')
    authority.person('locked', KEY_PASSWORD)
    authority.person('nobody')
    authority.person('late', seconds=-60)
    revoked = authority.revoked(authority.person('revoked'))
    stranger.person('eve')
    try:
        server = servers.enter_context(set_with_certificates(authority))
        options = {'username': 'root', 'password': 'root'}
        with administrator(authority, server, **options) as client:
            roles = [{'role': 'readWrite', 'db': 'shop'}]
            for name in ('ann', 'locked'):
                user = authority.user_of(name)
                client['$external'].command('createUser', user, roles=roles)
            for database, name in (('shop', 'ann'), ('admin', ODD), ('people', 'bob')):
                client[database].command('createUser', name, pwd=ODD, roles=roles)
        certificate = authority.server('picky', 'DNS:db.example.org')
        options = with_certificate(certificate, authority)
        picky = servers.enter_context(standalone(*options, f'--tlsCRLFile={revoked}'))
    except BaseException:
        servers.close()
        raise


def tearDownModule() -> None:
    servers.close()


class TlsTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        with administrator(
            authority, server, username='root', password='root'
        ) as client:
            client.drop_database('shop')
            client.shop.users.insert_many([{'name': 'Bo'}, {'name': 'Cy'}])

    def file(self, name: str) -> str:
        """Give the path of the file of a person's certificate."""
        return str(authority.folder / f'{name}.pem')

    def settings(self, to: Server | None = None, **options: Any) -> dict[str, Any]:
        """Give the settings for a client of a server, with the options."""
        return {
            'MONGO_URI': None,
            'MONGO_HOST': '127.0.0.1',
            'MONGO_PORT': (to or server).port,
            'MONGO_DATABASE': 'shop',
            'MONGO_CLIENT_OPTIONS': {'tlsCAFile': str(authority.file), **options},
        }

    def by_certificate(self, name: str, **options: Any) -> dict[str, Any]:
        """Give the settings for one who logs in by a certificate."""
        given = {'tlsCertificateKeyFile': self.file(name), **options}
        return self.settings(authMechanism='MONGODB-X509', **given)

    def status_of(self, settings: Mapping[str, Any]) -> str:
        """Give what an error of the status says, '' where there is none."""
        try:
            self.manager(**settings).perform(None, [], {})
        except MigopyException as error:
            message = str(error)
            for secret in (ODD, quote_plus(ODD), KEY_PASSWORD, 'wr0ng'):
                self.assertNotIn(secret, message)
            return message
        return ''

    def assert_said(
        self, cases: Sequence[tuple[Mapping[str, Any], Sequence[str]]]
    ) -> None:
        """Try the settings of each at once, as some take seconds; compare its words."""
        with ThreadPoolExecutor(len(cases)) as pool:
            messages = list(pool.map(self.status_of, [each for each, _ in cases]))
        for message, (_, words) in zip(messages, cases):
            with self.subTest(words):
                for each in words:
                    self.assertIn(each, message)
                for each in TRUSTING:
                    self.assertNotIn(each, message)
                self.assertNotIn('Start it', message)


class NotReachedTest(TlsTest):
    """A server that is there, and with which no client comes to terms."""

    def test_what_to_do_is_said_of_what_is_at_fault(self) -> None:
        uri = f'mongodb://127.0.0.1:{server.port}/shop'
        in_clear = {'MONGO_URI': uri, 'MONGO_DATABASE': None}
        plain = self.settings()
        host, port = self.client.address or ('', 0)
        plain.update(MONGO_HOST=host, MONGO_PORT=port)
        unnamed = {'tlsAllowInvalidHostnames': True}
        eve = str(stranger.folder / 'eve.pem')
        self.assert_said(
            [
                (
                    {**self.settings(), 'MONGO_CLIENT_OPTIONS': {'tls': True}},
                    ['verify failed', 'Set tlsCAFile', 'in MONGO_CLIENT_OPTIONS'],
                ),
                (
                    self.settings(tlsCAFile=str(stranger.file)),
                    ['verify failed', 'correct tlsCAFile in MONGO_CLIENT_OPTIONS'],
                ),
                (
                    self.settings(picky),
                    ['mismatch', 'for other names', 'MONGO_HOST and MONGO_PORT'],
                ),
                (in_clear, ['ended it', 'set tls=true in MONGO_URI']),
                (plain, ['not by TLS', 'take tls out of MONGO_CLIENT_OPTIONS']),
                (self.settings(tlsCertificateKeyFile=eve), ['refuse', eve, 'its log']),
                (self.by_certificate('late'), [self.file('late'), '-dates']),
                (
                    self.settings(picky, **unnamed),
                    ['may want a certificate', 'Set tlsCertificateKeyFile'],
                ),
                (
                    self.settings(
                        picky, tlsCertificateKeyFile=self.file('revoked'), **unnamed
                    ),
                    ['may refuse the certificate', 'revoked.pem'],
                ),
                (
                    {**in_clear, 'MONGO_URI': f'{uri}?tls=true&replicaSet=other'}
                    | {'MONGO_CLIENT_OPTIONS': {'tlsCAFile': str(authority.file)}},
                    ["in no replica set 'other'", 'Correct replicaSet in MONGO_URI'],
                ),
                (
                    self.settings(replicaSet='other', directConnection=True),
                    ["in no replica set 'other'", 'Correct replicaSet in MONGO_CLIENT'],
                ),
            ]
        )


class FilesTest(TlsTest, FabTest):
    """Files of certificates."""

    def test_one_that_cannot_be_used_is_named(self) -> None:
        key, missing = 'tlsCertificateKeyFile', str(self.folder / 'missing.pem')
        ann, locked = self.file('ann'), self.file('locked')
        both = self.folder / 'both.pem'
        both.write_text(
            (authority.folder / 'ann.crt').read_text()
            + (authority.folder / 'nobody.key').read_text()
        )
        uri = f'mongodb://127.0.0.1:{server.port}/shop'
        password = f'{key}Password'
        self.assert_said(
            [
                (
                    self.settings(**{name: path}),
                    [f'{name} cannot be', path, 'Correct MONGO_CLIENT_OPTIONS'],
                )
                for name, path in (
                    ('tlsCAFile', missing),
                    ('tlsCAFile', str(self.folder)),
                    ('tlsCAFile', str(authority.folder / 'ca.key')),
                    ('tlsCRLFile', missing),
                    ('tlsCRLFile', str(authority.folder / 'ca.key')),
                    (key, missing),
                    (key, str(authority.folder / 'ann.crt')),
                    (key, str(authority.folder / 'ann.key')),
                    (key, str(both)),
                )
            ]
            + [
                (
                    self.by_certificate('locked', **{password: 'wr0ng'}),
                    [f'{password} is not that of the key in {locked}'],
                ),
                (
                    self.by_certificate('locked'),
                    [f'{password} is not set', 'Set it in MONGO_CLIENT_OPTIONS'],
                ),
                (
                    {'MONGO_URI': f'{uri}?tlsCAFile={quote_plus(missing)}'},
                    ['tlsCAFile cannot be read', missing, 'Correct MONGO_URI'],
                ),
                (
                    {'MONGO_URI': 'mongodb+srv://a.example.org:27017/shop'},
                    ['MONGO_URI cannot be used', 'must not include a port'],
                ),
                (
                    {'MONGO_URI': f'{uri}?tls=true&ssl=false'},
                    ['MONGO_URI cannot be used', 'conflicting values'],
                ),
            ]
        )
        self.assertEqual(self.status_of(self.by_certificate('ann')), '', ann)

    def test_nobody_is_asked_for_the_password_of_a_key(self) -> None:
        """OpenSSL would ask the terminal, also in the middle of a run."""
        self.set(self.by_certificate('locked'))
        shown = self.on_terminal('migrations')
        self.assertNotIn('pass phrase', shown)
        self.assertIn('tlsCertificateKeyFilePassword is not set', shown)

    def test_a_function_or_a_part_of_one_may_have_it(self) -> None:
        password = {'tlsCertificateKeyFilePassword': KEY_PASSWORD}

        def make(*place: Any, **options: Any) -> Any:
            return pymongo.MongoClient(*place, **{**options, **password})

        for each in (make, partial(pymongo.MongoClient, **password)):
            settings = self.by_certificate('locked')
            said = self.status_of({**settings, 'MongoClient': staticmethod(each)})
            self.assertEqual(said, '')

    def test_the_password_of_a_key_is_shown_nowhere(self) -> None:
        self.migration(
            '001_a.py',
            f"""
            def up(db):
                db.users.insert_one({{'name': 'Di'}})
                raise ValueError('the key: {KEY_PASSWORD}, {quote_plus(KEY_PASSWORD)}')
            """,
        )
        options = {'tlsCertificateKeyFilePassword': KEY_PASSWORD}
        uri = (
            f'mongodb://127.0.0.1:{server.port}/shop?authMechanism=MONGODB-X509'
            f'&tlsCAFile={authority.file}&tlsCertificateKeyFile={self.file("locked")}'
        )
        in_uri = f'{uri}&tlsCertificateKeyFilePassword={quote_plus(KEY_PASSWORD)}'
        for settings in (
            {'MONGO_URI': in_uri},
            {'MONGO_URI': uri, 'MONGO_CLIENT_OPTIONS': options},
        ):
            self.set(settings)
            for typed in (
                'migrations:execute,001,json=yes',
                'migrations:history,json=yes',
                'migrations',
                'migrations:settings,json=yes',
                'migrations:plan',
            ):
                with self.subTest(settings=settings, typed=typed):
                    result = self.fab(typed)
                    said = result.said
                    for each in self.folder.glob('plan.*'):
                        said += each.read_text()
                    for secret in (KEY_PASSWORD, quote_plus(KEY_PASSWORD)):
                        self.assertNotIn(secret, said)
                    self.assertNotIn('pass phrase', said)
                    if 'execute' in typed:
                        self.assertIn('the key: ***, ***', said)

    def test_relative_paths_lie_beside_the_fabfile(self) -> None:
        """Also where `fab` is started elsewhere, and where a migration goes there."""
        (self.folder / 'certificates').mkdir()
        for name in ('ca', 'ann', 'locked'):
            shutil.copy(self.file(name), self.folder / 'certificates')
        self.migration('001_a.py', UPDATE)
        self.migration('002_b.py', ASYNCHRONOUS)
        self.migration(
            '003_c.py',
            """
            import os

            os.chdir('/')

            def up(db):
                db.users.insert_one({'in': os.getcwd()})

            def down(db):
                db.users.delete_one({'in': '/'})
            """,
        )
        elsewhere = self.folder / 'some' / 'where'
        elsewhere.mkdir(parents=True)
        in_options = self.by_certificate(
            'locked',
            tlsCAFile='certificates/ca.pem',
            tlsCertificateKeyFile='certificates/locked.pem',
            tlsCertificateKeyFilePassword=KEY_PASSWORD,
            maxPoolSize=2,
        )
        in_uri = {
            'MONGO_URI': f'mongodb://127.0.0.1:{server.port}/shop?tls=true'
            '&authMechanism=MONGODB-X509&tlsCAFile=certificates%2Fca.pem'
            '&tlsCertificateKeyFile=certificates/ann.pem&maxPoolSize=2'
        }
        typed = (
            'migrations:execute,dry_run=yes',
            'migrations:rehearse',
            'migrations:execute',
            'migrations:dbdump',
            'migrations:rollback,last=3,yes=yes',
        )
        for settings, commands in ((in_uri, typed[:1]), (in_options, typed)):
            self.set(settings)
            for each in commands:
                with self.subTest(settings=settings, typed=each):
                    result = self.assert_ok(self.fab(each, cwd=elsewhere))
                    self.assertNotIn(KEY_PASSWORD, result.said)

    def set(self, settings: Mapping[str, Any]) -> None:
        """Write settings into the fabfile."""
        lines = '\n        '.join(f'{name} = {one!r}' for name, one in settings.items())
        self.write('fabfile.py', FABFILE.format(settings=lines))


class LoginTest(TlsTest):
    """As whom, by what, and where that user is known."""

    def as_user(self, user: str, more: str = '', path: str = 'shop') -> dict[str, Any]:
        """Give the settings for a URI with a user."""
        name = f'{quote_plus(user)}:{quote_plus(ODD)}@' if user else ''
        place = f'mongodb://{name}127.0.0.1:{server.port}/{path}'
        options = f'tls=true&tlsCAFile={quote_plus(str(authority.file))}{more}'
        return {'MONGO_URI': f'{place}?{options}', 'MONGO_DATABASE': 'shop'}

    def test_ways_that_are_right(self) -> None:
        bob = {'MONGO_USER': 'bob', 'MONGO_USER_PASS': ODD}
        many = {'MONGO_DATABASE': None, 'MONGO_DATABASES': ['shop']}
        subject = {'MONGO_USER': authority.user_of('ann')}
        ways: list[dict[str, Any]] = [
            self.by_certificate('ann'),
            self.by_certificate('locked', tlsCertificateKeyFilePassword=KEY_PASSWORD),
            # The name may be given. No database of one's own knows it.
            {**self.by_certificate('ann'), **subject},
            {**self.by_certificate('ann'), **subject, **many},
            self.as_user('ann'),
            self.as_user(ODD, '&authSource=admin'),
            {**self.settings(), 'MONGO_USER': ODD, 'MONGO_USER_PASS': ODD}
            | {'MONGO_AUTH_SOURCE': 'admin'},
            self.as_user('bob', '&AUTHSOURCE=people&authMechanism=SCRAM-SHA-1'),
            {**self.as_user('bob'), 'MONGO_AUTH_SOURCE': 'people'},
            # Where the URI says it, the user's own database does not count.
            {**self.as_user('', '&authSource=people'), **bob},
            {**self.as_user('', '&authSource=people', path=''), **bob, **many},
        ]
        for settings in ways:
            with self.subTest(settings):
                self.assertEqual(self.status_of(settings), '')

    def test_ways_that_are_wrong(self) -> None:
        bob = {'MONGO_USER': 'bob', 'MONGO_USER_PASS': ODD}
        openssl = 'openssl x509 -noout -subject -nameopt RFC2253 -in '
        no_user = [
            f'knows no user of the certificate in {self.file("nobody")}',
            openssl,
        ]
        self.assert_said(
            [
                (self.by_certificate('nobody'), no_user),
                (
                    {**self.by_certificate('nobody'), 'MONGO_USER': 'CN=ann'},
                    [*no_user[:1], 'whose name is CN=ann', 'the user name'],
                ),
                (
                    self.settings(authMechanism='MONGODB-X509'),
                    ['no certificate', 'Set tlsCertificateKeyFile in MONGO_CLIENT'],
                ),
                (
                    self.settings(tlsCertificateKeyFile=self.file('ann')),
                    ['none is set', 'authMechanism=MONGODB-X509'],
                ),
                (self.as_user('bob'), ['in the database shop, set MONGO_AUTH_SOURCE']),
                (self.as_user('bob', path=''), ['in the database admin, set']),
                (self.as_user('bob', '&authSource=x'), ['in the database x, set']),
                (
                    {**self.as_user('', '&authSource=x'), **bob},
                    ['in the database x, set'],
                ),
                (
                    self.as_user('ann', '&authMechanism=PLAIN&authSource=$external'),
                    [
                        'nobody log in that way',
                        'PLAIN',
                        'Correct authMechanism in MONGO_URI',
                    ],
                ),
            ]
        )

    def test_a_write_concern_that_the_set_does_not_have(self) -> None:
        self.migration('001_a.py', UPDATE)
        for concern in (3, 'other'):
            manager = self.manager(**self.by_certificate('ann', w=concern))
            with self.assertRaises(MigopyException) as caught:
                manager.perform('execute', [], {})
            words = f'w={concern} cannot be used .*\nCorrect MONGO_CLIENT_OPTIONS'
            self.assertRegex(str(caught.exception), words)

    def test_what_the_user_of_a_certificate_may_not_do(self) -> None:
        settings = self.by_certificate('ann')
        said = self.status_of({**settings, 'MONGO_DATABASE': 'people'})
        self.assertIn('not allow the user of the certificate to run find', said)
        self.assertNotIn('MONGO_USER', said)
