"""Passwords kept out of any text."""

from __future__ import annotations

import json
import unittest

from migopy.secrets import redacted, secrets_in


class InUriTest(unittest.TestCase):
    def test_the_password_of_any_uri_is_hidden(self) -> None:
        texts = {
            'mongodb://ann:s3cret@h:1/shop': 'mongodb://ann:***@h:1/shop',
            'mongodb+srv://ann:s3cret@h/': 'mongodb+srv://ann:***@h/',
            'see redis://:s3cret@h, then go on': 'see redis://:***@h, then go on',
            'a mongodb://a:x@h b amqp://b:y@i': 'a mongodb://a:***@h b amqp://b:***@i',
            # As somebody writes it who does not encode it.
            "mongodb://ann:s@c/r:e'?t@h/": 'mongodb://ann:***@h/',
            'mongodb://ann:a pass phrase@h/': 'mongodb://ann:***@h/',
            'mongodb://ann@ex.com:s3cret@h/': 'mongodb://ann@ex.com:***@h/',
            # As PHP and JSON have it.
            r'mongodb:\/\/ann:s3cret@h\/': r'mongodb:\/\/ann:***@h\/',
        }
        for text, expected in texts.items():
            with self.subTest(text):
                self.assertEqual(redacted(text), expected)

    def test_what_has_no_password_stays(self) -> None:
        for text in (
            'mongodb://h:27017/shop',
            'mongodb://ann@h:27017/',
            'mongodb://ann@h:27017/ and mail ann@example.com',
            'see http://h:8080 or write to ann@example.com',
            'http://h:8080/a: mail ann@example.com',
            'no URI: at all @ all',
        ):
            self.assertEqual(redacted(text), text)

    def test_those_among_its_options_are_hidden(self) -> None:
        texts = {
            'mongodb://h/?proxyHost=p&proxyPassword=s3c&x=y': (
                'mongodb://h/?proxyHost=p&proxyPassword=***&x=y'
            ),
            'mongodb://h/?tls=true&tlsCertificateKeyFilePassword=s3c&x=y': (
                'mongodb://h/?tls=true&tlsCertificateKeyFilePassword=***&x=y'
            ),
            'at mongodb://h/?sslpemkeyfilepassword=s3c, and': (
                'at mongodb://h/?sslpemkeyfilepassword=***, and'
            ),
            'mongodb://h/?authMechanismProperties=A:b,AWS_SESSION_TOKEN:s%2F3&x=y': (
                'mongodb://h/?authMechanismProperties=A:b,AWS_SESSION_TOKEN:***&x=y'
            ),
        }
        for text, expected in texts.items():
            with self.subTest(text):
                self.assertEqual(redacted(text), expected)

    def test_a_long_text_takes_no_long_time(self) -> None:
        text = 'mongodb://ann:' * 20_000
        self.assertEqual(redacted(text), text)


class SecretsTest(unittest.TestCase):
    def test_a_secret_is_hidden_as_it_is_and_as_a_uri_spells_it(self) -> None:
        text = 'p@ss w:d, p%40ss%20w%3Ad, p%40ss+w%3Ad and the end'
        self.assertEqual(redacted(text, ['p@ss w:d']), '***, ***, *** and the end')

    def test_as_python_shows_it(self) -> None:
        self.assertEqual(redacted(repr({'p': "a\\b'c"}), ["a\\b'c"]), '{\'p\': "***"}')

    def test_as_json_has_it(self) -> None:
        secret = 'a"b/ä'
        for text in (json.dumps(secret), json.dumps(secret).replace('/', r'\/')):
            with self.subTest(text):
                self.assertEqual(redacted(text, [secret]), '"***"')

    def test_only_as_a_whole_word(self) -> None:
        """A password `ro` in `error` and `from` would be given away."""
        text = 'error from ro: wrong (ro) role'
        self.assertEqual(redacted(text, ['ro']), 'error from ***: wrong (***) role')

    def test_one_that_begins_or_ends_otherwise_is_hidden_anywhere(self) -> None:
        self.assertEqual(redacted('x$tart end!y', ['$tart', 'end!']), 'x*** ***y')

    def test_the_longest_comes_first(self) -> None:
        self.assertEqual(redacted('ab-cd ab', ['ab', 'ab-cd']), '*** ***')

    def test_none_and_empty_ones_hide_nothing(self) -> None:
        self.assertEqual(redacted('a text', ['']), 'a text')

    def test_those_among_options(self) -> None:
        properties = {'AWS_SESSION_TOKEN': 'tok', 'x': True}
        options = {
            'Password': 'a',
            'tlsCertificateKeyFilePassword': 'b',
            'authMechanismProperties': properties,
            'appName': 'c',
            'authSource': None,
        }
        self.assertEqual(secrets_in(options), ['a', 'b', 'tok'])
        in_text = {'authmechanismproperties': 'AWS_SESSION_TOKEN:tok==,x:y'}
        self.assertEqual(secrets_in(in_text), ['tok=='])
