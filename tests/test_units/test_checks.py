"""Settings looked at before they are used: their names, and their values."""

from __future__ import annotations

import math
import re
import unittest
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import migopy
from migopy.defaults import Defaults
from migopy.pace import Pace
from migopy.server import CHECKS, BadSettings, names_given, require_sound

MANAGER = migopy.MigrationsManager


class CheckTest(unittest.TestCase):
    def message(self, values: dict[str, Any], given: tuple[str, ...] = ()) -> str:
        with self.assertRaises(BadSettings) as caught:
            require_sound(values, given)
        return str(caught.exception)


class NamesTest(CheckTest):
    def test_each_setting_has_its_check(self) -> None:
        settings = {name for name in vars(Defaults) if name.isupper()}
        self.assertEqual(settings, set(CHECKS))

    def test_the_defaults_are_sound(self) -> None:
        require_sound({name: getattr(MANAGER, name) for name in CHECKS}, [])

    def test_a_setting_in_lower_case_is_none(self) -> None:
        made = type('M', (MANAGER,), {'mongo_host': 'db1'})
        with self.assertRaisesRegex(
            BadSettings, 'mongo_host is no setting .*MONGO_HOST'
        ):
            made()
        # A method of that name is the fabfile's own.
        type('M', (MANAGER,), {'mongo_host': lambda self: 'db1'})()

    def test_a_name_that_was_meant_as_a_setting_is_told_which(self) -> None:
        meant = {
            'MONGO_URL': 'MONGO_URI',
            'MONGODB_URI': 'MONGO_URI',
            'MONGO_PASSWORD': 'MONGO_USER_PASSWORD',
            'MONGO_DB': 'MONGO_DATABASE',
            'MONGO_DATABSE': 'MONGO_DATABASE',
            'MONGO_HOSTNAME': 'MONGO_HOST',
            'MIGRATION_DIRECTORY': 'MIGRATIONS_DIRECTORY',
            'MIGRATIONS_DIR': 'MIGRATIONS_DIRECTORY',
            'MIGRATIONS_TEMPLATE': 'MIGRATION_TEMPLATE',
            'TRANSACTIONS': 'TRANSACTION',
            'DO_MONGODUMP': 'DO_MONGO_DUMP',
            'LOCK_TIMEOUT': 'LOCK_WAIT',
            'UNDO_DAY': 'UNDO_DAYS',
            'UNDO_SIZE': 'UNDO_MB',
            'PREFLIGHTS': 'PREFLIGHT',
            'NEW_DATABASE': 'NEW_DATABASES',
        }
        for name, setting in meant.items():
            with self.subTest(name):
                message = self.message({}, (name,))
                self.assertIn(f'{name} is no setting of migopy; {setting} is', message)

    def test_a_constant_of_the_fabfile_s_own_is_left_alone(self) -> None:
        own = (
            'MONGO_COLLECTION_NAMES',
            'MONGO_RETRIES',
            'MONGO_INDEXES',
            'MIGRATIONS_OWNER',
            'LOCK_OWNER',
            'UNDO_LOG',
            'NEW_DATA',
            'REMOTE_HOST',
            'DATABASE_URL',
            'LOG_LEVEL',
            '_MONGO_URL',
        )
        require_sound({}, own)

    def test_so_is_one_beside_the_setting_that_it_is_like(self) -> None:
        require_sound({'MONGO_DATABASE': 'a'}, ('MONGO_DATABASE', 'MONGO_DATABASES'))
        require_sound({'MONGO_USER_PASS': 'x'}, ('MONGO_USER_PASS', 'MONGO_PASSWORD'))
        # Of the environment, where it is not set.
        self.message({'MONGO_URI': None}, ('MONGO_URI', 'MONGO_URL'))

    def test_names_are_those_of_all_classes_between(self) -> None:
        class Mixin:
            MONGO_URL = 'x'

        class Base(MANAGER):
            LOCK_TTL = 5
            other = 1

        class Migrations(Mixin, Base):
            MONGO_HOST = 'h'

        manager = object.__new__(Migrations)
        manager.MONGO_PORT = 1
        self.assertEqual(
            names_given(manager, MANAGER),
            {'MONGO_URL', 'LOCK_TTL', 'MONGO_HOST', 'MONGO_PORT'},
        )

    def test_a_manager_looks_at_them(self) -> None:
        class Migrations(MANAGER):
            MONGO_URL = 'mongodb://ann:s3cret@h/'

        with self.assertRaisesRegex(BadSettings, 'MONGO_URI is'):
            Migrations()


class Mute:
    """A logger of Python's is none of migopy's, which has methods of other names."""

    def warning(self, message: str) -> None:
        raise AssertionError(message)


class ObjectsTest(CheckTest):
    """What a fabfile sets that is no text and no number."""

    def test_what_cannot_write_or_make_a_client_is_named(self) -> None:
        for name, value, wish in (
            ('logger', Mute(), 'the methods white, white_bold, red and green'),
            ('logger', None, 'the methods white, white_bold, red and green'),
            ('MongoClient', 'localhost', 'pymongo.MongoClient'),
        ):
            with self.subTest(name, value=value):
                made = type('M', (MANAGER,), {name: value})
                with self.assertRaises(BadSettings) as caught:
                    made()
                self.assertRegex(str(caught.exception), rf'^{name} = .* must be ')
                self.assertIn(wish, str(caught.exception))

    def test_a_name_of_the_task_that_cannot_be_is_told_as_the_fabfile_is_read(
        self,
    ) -> None:
        for value in (None, 1, '', property(lambda self: 'db')):
            made: Any = type('M', (MANAGER,), {'TASK_NAME': value})
            for make in (made.create_task, made.create_namespace):
                with (
                    self.subTest(make.__name__, value=value),
                    self.assertRaisesRegex(BadSettings, '^TASK_NAME = .* must be a t'),
                ):
                    make()

    def test_it_is_told_where_the_logger_cannot_tell_it(self) -> None:
        made: Any = type('M', (MANAGER,), {'logger': Mute()})
        with redirect_stderr(StringIO()) as said:
            made.speaker().red('logger must be another')
        self.assertIn('logger must be another', said.getvalue())

    def test_what_looks_like_a_logger_is_one(self) -> None:
        logger = Mock(spec=['white', 'white_bold', 'red', 'green'])
        made: Any = type('M', (MANAGER,), {'logger': logger})
        made()
        made.speaker().red('this')
        logger.red.assert_called_once_with('this')


class ValuesTest(CheckTest):
    def test_what_cannot_be_is_named(self) -> None:
        wrong: dict[str, tuple[Any, ...]] = {
            'TASK_NAME': ('', None, 1),
            'PROJECT_DIRECTORY': ('', 1),
            'MIGRATIONS_DIRECTORY': ('', None, ['a']),
            'MIGRATIONS_FILE_PATTERN': (None, 1),
            'MIGRATIONS_HELPERS': (None, 'base.py', ['base'], ['a/b.py'], [1]),
            'MIGRATION_NUMBERING': (None, '', 'date', 1),
            'MIGRATION_TEMPLATE': (1, ''),
            'MIGRATIONS_COLLECTION': (
                *('', 'a$b', '.a', 'a.', 'a..b', None, 'system.x'),
                *('a\n', ' a', 'a '),
            ),
            'ENVIRONMENT': (1, ['staging'], True),
            'ALLOW_LATE': ('yes', 2, []),
            'MONGO_HOST': (['h:1'], '', 1, 'http://h', 'h\n', ' h', 'ann@h', 'a:b@h'),
            'MONGO_PORT': ('abc', '', None, 0, 65536, -1, 1.5, True, '²'),
            'MONGO_DATABASE': (
                *('a b', 'a/b', 'a.b', 'a$b', 1, 'a' * 64),
                *('a\n', 'a\t', 'a\u200b'),
            ),
            'MONGO_DATABASES': (1, {'a': 1}, ''),
            'NEW_DATABASES': ('run', None, True, []),
            'MONGO_USER': (1,),
            'MONGO_USER_PASS': (1, b'x'),
            'MONGO_USER_PASSWORD': (['x'],),
            'MONGO_AUTH_SOURCE': (1,),
            # A secret that is read from a file ends with its line end.
            'MONGO_URI': (
                *('', 'localhost:27017', 1, 'postgres://h', 'mongodb://h/?w=0'),
                *('mongodb://h/a\n', 'mongodb://h/a?w=1\n', 'mongodb://h/a%20b'),
            ),
            'MONGO_CLIENT_OPTIONS': (
                None,
                [],
                {1: 2},
                {'w': 0},
                {'W': '0'},
                {'host': 'h'},
                {'port': 1},
            ),
            'TRANSACTION': ('yes', 'no'),
            'PREFLIGHT': ('yes', 2, []),
            'UNDO': ('yes', 1.5, None, 'best'),
            'UNDO_MB': ('500', 0, -1, None, math.inf, math.nan, True),
            'UNDO_KEEP': ('5', 0, -1, 1.0, True),
            'UNDO_DAYS': ('5', 0, -1, math.inf, math.nan, 1_000_000, True),
            'MIGRATION_PACE': (
                'fast',
                5,
                True,
                Pace(max_lag=0),
                Pace(max_lag=math.nan),
                Pace(max_per_second='5'),  # type: ignore[arg-type]
                Pace(hours=('22:00', '24:00')),
                Pace(hours=('22:00', '22:00')),
                Pace(hours='22:00'),  # type: ignore[arg-type]
            ),
            'LOCK_TTL': ('60', 0, -1, None, math.inf, math.nan, True),
            'LOCK_WAIT': ('60', -1, None, math.nan),
            'DO_MONGO_DUMP': ('no',),
            'MONGO_DUMP_DIRECTORY': ('', None, 1),
            'MONGO_DUMP_KEEP': ('3', 0, -1, 1.0, True),
            'REMOTE_DIRECTORY': ('', 1),
            'REMOTE_PREFIX': (1, ['a']),
        }
        self.assertEqual(set(wrong), set(CHECKS))
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    message = self.message({name: value})
                    self.assertTrue(message.startswith(name), message)
                    first, _, _ = message.partition('\n')
                    self.assertRegex(first, r' must be .*[^.]\.$')

    def test_a_text_that_no_server_can_be_told_is_named(self) -> None:
        """A variable of the environment may have any bytes."""
        odd = 'a\udcff'
        for name, value in (
            ('MONGO_HOST', odd),
            ('MONGO_URI', f'mongodb://ann:{odd}@h/'),
            ('MONGO_USER', odd),
            ('MONGO_USER_PASSWORD', odd),
            ('MONGO_AUTH_SOURCE', odd),
            ('MIGRATIONS_COLLECTION', odd),
            ('MONGO_CLIENT_OPTIONS', {'username': odd}),
            ('MONGO_CLIENT_OPTIONS', {odd: 'ann'}),
        ):
            with self.subTest(name):
                self.assertRegex(self.message({name: value}), f'{name}.* UTF-8')

    def test_what_can_be_is_left_alone(self) -> None:
        right: dict[str, tuple[Any, ...]] = {
            'MIGRATIONS_DIRECTORY': (Path('a'), 'a'),
            'MIGRATIONS_FILE_PATTERN': (re.compile('a'),),
            'MIGRATIONS_COLLECTION': ('a.b', 'ä'),
            'TRANSACTION': (True, False, 1, 0, None),
            'MONGO_HOST': ('h', 'h:1,i:2', '/tmp/x.sock', '::1', 'mongodb://h', None),
            'MONGO_PORT': (1, '27017', 65535),
            'MONGO_DATABASE': (None, '', 'a-b', 'ä' * 31),
            'MONGO_DATABASES': (None, 'a_*', ['a'], (), [('a', {})]),
            'MONGO_URI': (None, 'mongodb://h/?w=1', 'mongodb+srv://h', 'embedded:'),
            'MONGO_CLIENT_OPTIONS': ({}, {'w': 1}, {'w': 'majority'}),
            'MIGRATION_PACE': (
                None,
                'careful',
                'full',
                Pace(),
                Pace(max_lag=None, max_per_second=0.5, hours=('22:00', '6:30')),
            ),
            'LOCK_TTL': (1, 0.5),
            'LOCK_WAIT': (0, math.inf),
            'MONGO_DUMP_KEEP': (None, 1),
            'REMOTE_DIRECTORY': (None, '/srv', Path('/srv')),
        }
        for name, values in right.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    require_sound({name: value}, [])

    def test_no_secret_is_shown(self) -> None:
        for values in (
            {'MONGO_URI': 'x://ann:s3cret@h'},
            {'MONGO_URI': 's3cret'},
            {'MONGO_HOST': 'x://ann:s3cret@h'},
            {'MONGO_HOST': ['mongodb://ann:s3cret@h']},
            {'MONGO_HOST': 'ann:s3cret@h'},
            {'MONGO_HOST': ['ann:s3cret@h']},
            {'MONGO_USER_PASS': ['s3cret']},
            {'MONGO_USER_PASSWORD': b's3cret'},
            {'MONGO_CLIENT_OPTIONS': {'password': 's3cret', 'w': 0}},
            {'MONGO_CLIENT_OPTIONS': ['s3cret']},
            {'MONGO_DATABASES': {'a': 's3cret'}},
        ):
            with self.subTest(values):
                self.assertNotIn('s3cret', self.message(values))
