"""What is read from a URI, also by many threads at once."""

from __future__ import annotations

import sys
import unittest
import warnings
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from migopy.server.uris import ServerUri, misread, odd_options, of_set, with_files_in

SOUND = 'mongodb://server/?retryWrites=true&w=majority'
ODD = 'mongodb://server/?maxPoolSiz=5&retryWrites=maybe'

#: Seconds after which Python gives another thread a turn: all at once.
AT_ONCE = 1e-6


class OddOptionsTest(unittest.TestCase):
    """Which options of a URI PyMongo passes over."""

    def test_no_thread_hears_what_another_is_told(self) -> None:
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(AT_ONCE)
        filters = list(warnings.filters)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(odd_options, [SOUND, ODD] * 200))
        self.assertEqual(found, [odd_options(SOUND), odd_options(ODD)] * 200)
        self.assertEqual((odd_options(SOUND), len(odd_options(ODD))), ([], 2))
        self.assertEqual(warnings.filters, filters)


class FilesTest(unittest.TestCase):
    """Relative paths of certificates' files."""

    def test_begin_at_the_project_s_folder(self) -> None:
        for given, expected in {
            'tls=true&tlsCAFile=ca.pem': 'tls=true&tlsCAFile=/srv/ca.pem',
            'tlscafile=a%2Fmy%20ca.pem;w=1': 'tlscafile=/srv/a/my%20ca.pem;w=1',
            'tlsCertificateKeyFile=a.pem&tlsCertificateKeyFilePassword=b': (
                'tlsCertificateKeyFile=/srv/a.pem&tlsCertificateKeyFilePassword=b'
            ),
            'tlsCRLFile=a+b': 'tlsCRLFile=/srv/a%20b',
        }.items():
            found = with_files_in(f'mongodb://a:b@h/shop?{given}', '/srv')
            self.assertEqual(found, f'mongodb://a:b@h/shop?{expected}')

    def test_anything_else_stays_as_it_is(self) -> None:
        for uri in (
            '',
            'embedded:mongodata',
            'mongodb://h/tlsCAFile=ca.pem',
            'mongodb://h/?tlsCAFile=/etc/ca.pem&tlsCRLFile=',
            'mongodb://a:b?tlsCAFile=ca.pem@h/',
        ):
            self.assertEqual(with_files_in(uri, '/srv'), uri)


class OptionsTest(unittest.TestCase):
    def test_what_python_warns_of_is_left_alone_once_they_are_read(self) -> None:
        """In the thread of each database, while a migration may hear warnings."""
        uri = 'mongodb://once.read/?retryWrites=true'
        first = ServerUri.of(uri)
        with mock.patch.object(warnings, 'catch_warnings', side_effect=AssertionError):
            self.assertEqual(ServerUri.of(uri).options, first.options)
        first.options.clear()
        self.assertEqual(ServerUri.of(uri).options, {'retrywrites': 'true'})


class WholeSetTest(unittest.TestCase):
    def test_what_else_is_set_stays_without_what_is_secret(self) -> None:
        for given, expected in {
            'mongodb://': 'mongodb://a:1,b:2/?replicaSet=rs0',
            'mongodb://ann:s3cret@b:2/shop?directConnection=true': (
                'mongodb://user:password@a:1,b:2/shop?replicaSet=rs0'
            ),
            'mongodb://b:2/?tls=true&REPLICASET=x&tlsCertificateKeyFilePassword=s3cret'
            '&authMechanism=MONGODB-X509': (
                'mongodb://a:1,b:2/?tls=true&tlsCertificateKeyFilePassword=***'
                '&authMechanism=MONGODB-X509&replicaSet=rs0'
            ),
            'mongodb://ann:s3?c=ret@b:2/shop': ('mongodb://a:1,b:2/?replicaSet=rs0'),
        }.items():
            with self.subTest(given):
                found = of_set(given, ['a:1', 'b:2'], 'rs0')
                self.assertNotIn('ret', found)
                self.assertEqual(found, expected)


class MisreadTest(unittest.TestCase):
    """URIs in which PyMongo would find another host, or no encryption."""

    def test_a_password_that_is_not_encoded(self) -> None:
        for password in (
            'top@secret/x',
            'top/secret',
            '27017/top',
            '/top',
            'top?secret',
            'top?x=secret',
            'top@secret',
            'top@secret:99/x',
            't/o?p@secret',
        ):
            for rest in ('host', 'host:1/shop', 'host/shop?appName=a', 'a:1,b:2/'):
                text = f'mongodb://ann:{password}@{rest}'
                with self.subTest(text):
                    said = misread(text) or ''
                    self.assertIn('percent-encoded', said)
                    self.assertNotIn('secret', said)

    def test_encryption_that_is_asked_for_in_other_words(self) -> None:
        for option in ('tls=True', 'TLS=yes', 'ssl=1', 'w=1&tls=TRUE', 'tls='):
            with self.subTest(option):
                said = misread(f'mongodb://ann:secret@host/shop?{option}') or ''
                self.assertRegex(said, '^a URI with (tls=true|ssl=true)')

    def test_any_other_is_left_to_the_driver(self) -> None:
        for text in (
            'mongodb://host',
            'mongodb://ann@host/shop',
            'mongodb://ann:s%40cr%2Ft@host:1/shop?tls=true&ssl=false',
            'mongodb://ann:secret@host/shop?appName=a@b',
            'mongodb://host/shop@home',
            'mongodb://a:1,b:2/shop?replicaSet=rs0',
            'mongodb://[::1]:1/shop',
            'mongodb://%2Ftmp%2Fmongodb-1.sock/shop',
            'mongodb+srv://ann:se,cr#t@host/?tls=true',
            'mongodb://host/shop?maxPoolSiz=5&retryWrites=maybe',
            'mongodb://host/shop?tls',
        ):
            with self.subTest(text):
                self.assertIsNone(misread(text))
