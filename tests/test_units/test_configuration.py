"""Settings from the environment and from pyproject.toml, and which manager."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import textwrap
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from migopy import MigrationsManager
from migopy.defaults import Defaults
from migopy.errand import Errand, carrying_out
from migopy.face import discovery, pyproject
from migopy.face.configuration import BadSetting, from_environment, from_table
from migopy.face.project import NothingFound, project_here, together
from migopy.face.spelling import CommandSpelling
from migopy.origins import Given, over, shown
from migopy.server import CHECKS, BadSettings

#: A good text for each setting that takes no text as it is.
TEXTS = {
    'MIGRATION_PACE': 'full',
    'NEW_DATABASES': 'ignore',
    'MIGRATIONS_FILE_PATTERN': r'm(?P<migr_nr>\d+)\.py',
    'ALLOW_LATE': 'no',
    'TRANSACTION': 'Yes',
    'DO_MONGO_DUMP': '1',
    'MONGO_PORT': '27018',
    'LOCK_TTL': '0.5',
    'LOCK_WAIT': '0',
    'MONGO_DUMP_KEEP': '3',
    'PREFLIGHT': 'yes',
    'UNDO': 'yes',
    'UNDO_MB': '0.5',
    'UNDO_KEEP': '3',
    'UNDO_DAYS': '1.5',
    'MONGO_CLIENT_OPTIONS': '{"tls": true}',
    'MONGO_URI': 'mongodb://h/d',
    'MIGRATIONS_HELPERS': 'base.py, common.py',
    'MIGRATION_NUMBERING': 'timestamp',
}
VALUES: dict[str, Any] = {
    'ALLOW_LATE': False,
    'TRANSACTION': True,
    'DO_MONGO_DUMP': True,
    'MONGO_PORT': 27018,
    'LOCK_TTL': 0.5,
    'LOCK_WAIT': 0,
    'MONGO_DUMP_KEEP': 3,
    'PREFLIGHT': True,
    'UNDO': True,
    'UNDO_MB': 0.5,
    'UNDO_KEEP': 3,
    'UNDO_DAYS': 1.5,
    'MONGO_CLIENT_OPTIONS': {'tls': True},
    'MONGO_DATABASES': ['some'],
    'MIGRATIONS_HELPERS': ['base.py', 'common.py'],
}


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        modules = mock.patch.dict(sys.modules)
        modules.start()
        self.addCleanup(modules.stop)

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    @contextmanager
    def inside(self, folder: str = '.', **environment: str) -> Iterator[None]:
        """Be in a folder, with nothing else in the environment."""
        before = os.getcwd()
        os.chdir(self.folder / folder)
        try:
            with mock.patch.dict(os.environ, environment, clear=True):
                yield
        finally:
            os.chdir(before)


class EnvironmentTest(FolderTest):
    def test_each_setting_has_its_variable(self) -> None:
        for name in CHECKS:
            text = TEXTS.get(name, 'some')
            with self.subTest(name):
                given = from_environment({f'MIGOPY_{name}': text})
                value = VALUES.get(name, text)
                self.assertEqual(given, {name: Given(value, f'MIGOPY_{name}')})
                self.assertIs(type(given[name].value), type(value))

    def test_an_empty_variable_is_none(self) -> None:
        self.assertEqual(from_environment({'MIGOPY_MONGO_URI': '', 'X': 'y'}), {})

    def test_none_is_a_value_of_what_may_be_none(self) -> None:
        for name in ('UNDO_KEEP', 'UNDO_DAYS', 'MONGO_DUMP_KEEP'):
            for text in ('none', 'None'):
                given = from_environment({f'MIGOPY_{name}': text})
                self.assertEqual(given, {name: Given(None, f'MIGOPY_{name}')})
        said = self.error(MIGOPY_UNDO_KEEP='all')
        self.assertEqual(said, 'MIGOPY_UNDO_KEEP=all must be a number, or none.')
        self.assertIn('must be a number.', self.error(MIGOPY_UNDO_MB='none'))

    def test_secrets_come_as_files_as_well(self) -> None:
        for name, text in (
            ('MONGO_URI', 'mongodb://ann:s3cret@h/d'),
            ('MONGO_USER_PASS', ' s3 cret '),
            ('MONGO_USER_PASSWORD', 's3cret'),
            ('MONGO_CLIENT_OPTIONS', '{"password": "x"}'),
        ):
            for end in ('', '\n', '\r\n'):
                file = self.folder / 'secret'
                file.write_bytes(f'{text}{end}'.encode())
                given = from_environment({f'MIGOPY_{name}_FILE': str(file)})
                value = {'password': 'x'} if text.startswith('{') else text
                with self.subTest(name, end=end):
                    self.assertEqual(given, {name: Given(value, f'MIGOPY_{name}_FILE')})

    def error(self, **environment: str) -> str:
        with self.assertRaises(BadSetting) as caught:
            from_environment(environment)
        return str(caught.exception)

    def test_a_file_that_gives_nothing_is_told(self) -> None:
        missing, folder = str(self.folder / 'none'), str(self.folder)
        empty, odd = self.folder / 'empty', self.folder / 'odd'
        empty.write_bytes(b'\n')
        odd.write_bytes(b'\xff')
        for path, said in (
            (missing, f'{missing} cannot be read: No such file or directory.'),
            (folder, f'{folder} cannot be read: Is a directory.'),
            (str(empty), f'{empty} is empty.'),
            (str(odd), f'{odd} is not UTF-8.'),
        ):
            text = self.error(MIGOPY_MONGO_URI_FILE=path)
            self.assertEqual(text, f'MIGOPY_MONGO_URI_FILE: {said}')
        text = self.error(MIGOPY_MONGO_URI='mongodb://h', MIGOPY_MONGO_URI_FILE=missing)
        self.assertEqual(
            text,
            'MIGOPY_MONGO_URI_FILE and MIGOPY_MONGO_URI are both set. Unset one of'
            ' them.',
        )

    def test_a_wrong_type_is_told_with_what_it_must_be(self) -> None:
        for name, text, wish in (
            ('ALLOW_LATE', 'maybe', 'yes or no'),
            ('TRANSACTION', '2', 'yes or no'),
            ('MONGO_PORT', 'x', 'a number'),
            ('MONGO_PORT', '99999', 'a number from 1 to 65535 (27017)'),
            ('LOCK_TTL', '0', 'a number of seconds greater than 0'),
            ('LOCK_TTL', 'nan', 'a number of seconds greater than 0'),
            ('MONGO_DUMP_KEEP', '1.5', 'a whole number, 1 at least, or None'),
            ('MONGO_HOST', 'http://h', 'a URI that begins with mongodb://'),
            ('MONGO_DATABASE', 'a b', "in which ' ' cannot stand"),
        ):
            with self.subTest(name, text=text):
                said = self.error(**{f'MIGOPY_{name}': text})
                self.assertRegex(said, rf'^MIGOPY_{name} ?= ?')
                self.assertIn(f'{wish}', said)
                self.assertNotIn('\n', said)

    def test_no_secret_is_told(self) -> None:
        for name in ('MONGO_URI', 'MONGO_CLIENT_OPTIONS'):
            said = self.error(**{f'MIGOPY_{name}': 'ann:s3cret'})
            self.assertNotIn('s3cret', said)
            self.assertIn(f'MIGOPY_{name} must be', said)
        said = self.error(MIGOPY_MONGO_HOST='ann:s3cret@h')
        self.assertEqual(
            said,
            'MIGOPY_MONGO_HOST must be a host without a user before it: MONGO_USER and'
            ' MONGO_USER_PASSWORD are for that.',
        )
        deep = self.error(MIGOPY_MONGO_CLIENT_OPTIONS='[' * 100_000)
        self.assertIn('must be a JSON object', deep)

    def test_what_is_no_variable_is_told_with_the_nearest(self) -> None:
        for variable, meant in (
            ('MIGOPY_MONGO_URL', 'MIGOPY_MONGO_URI'),
            ('MIGOPY_URI', 'MIGOPY_MONGO_URI'),
            ('MIGOPY_DATABASE', 'MIGOPY_MONGO_DATABASE'),
            ('MIGOPY_MONGO_DB', 'MIGOPY_MONGO_DATABASE'),
            ('MIGOPY_MONGO_PASSWORD', 'MIGOPY_MONGO_USER_PASSWORD'),
            ('MIGOPY_MONGODB_URI', 'MIGOPY_MONGO_URI'),
            ('MIGOPY_MONGO_DATABASE_FILE', 'MIGOPY_MONGO_DATABASE'),
            ('MIGOPY_LOCK_TIMEOUT', 'MIGOPY_LOCK_WAIT'),
            ('MIGOPY_MANAGERS', 'MIGOPY_MANAGER'),
            ('MIGOPY_PORT', 'MIGOPY_MONGO_PORT'),
            ('MIGOPY_logger', ''),
            ('MIGOPY_XYZZY', ''),
        ):
            with self.subTest(variable):
                said = self.error(**{variable: '1'})
                near = f'; {meant} is' if meant else ''
                self.assertEqual(
                    said,
                    f'{variable} in the environment is no variable of migopy{near}.'
                    ' Rename it, or unset it.',
                )

    def test_what_has_another_use_is_left_alone(self) -> None:
        """The last ones are what Kubernetes tells of a service of this name."""
        used = {
            'MIGOPY_MANAGER',
            'MIGOPY_MONGOD',
            'MIGOPY_SENT',
            'MIGOPY_TEST_URI',
            'MIGOPY_TEST_INPUTS',
            'MIGOPY_WRITE_DOCS',
            'MIGOPY_FAULTS',
            'MIGOPY_FAULTS_SEED',
        }
        others = {
            'MIGOPY_SERVICE_HOST': '10.0.0.1',
            'MIGOPY_SERVICE_PORT': '80',
            'MIGOPY_SERVICE_PORT_HTTP': '80',
            'MIGOPY_MONGODB_SERVICE_HOST': '10.0.0.2',
            'MIGOPY_MONGODB_SERVICE_PORT_MONGODB': '27017',
            'MIGOPY_MONGODB_PORT': 'tcp://10.0.0.2:27017',
            'MIGOPY_MONGODB_PORT_27017_TCP_ADDR': '10.0.0.2',
            'MIGOPY_PORT': 'tcp://10.0.0.1:80',
            'MIGOPY_PORT_80_TCP': 'tcp://10.0.0.1:80',
            'MIGOPY_PORT_80_TCP_ADDR': '10.0.0.1',
        }
        self.assertEqual(from_environment(dict.fromkeys(used, 'x') | others), {})

    def test_no_variable_of_the_house_is_forgotten(self) -> None:
        """Each that stands in the code is known."""
        root = Path(__file__).parent.parent.parent
        names = set()
        for folder in ('migopy', 'tests'):
            for path in (root / folder).rglob('*.py'):
                if path.name != Path(__file__).name:
                    pattern = r"environ(?:\.get\(|\.pop\(|\[)'(MIGOPY_\w+)'"
                    names.update(re.findall(pattern, path.read_text()))
        self.assertIn('MIGOPY_TEST_URI', names)
        self.assertEqual(from_environment(dict.fromkeys(names, 'x')), {})


class TableTest(FolderTest):
    """`[tool.migopy]` in pyproject.toml."""

    def table(self, text: str) -> Mapping[str, Given]:
        path = self.write('pyproject.toml', text)
        content, file = pyproject.table_in([str(self.folder)])
        if content:
            self.assertEqual(file, str(path))
        return from_table(content, file)

    def error(self, text: str) -> str:
        with self.assertRaises(BadSetting) as caught:
            self.table(text)
        return str(caught.exception)

    def test_its_settings_are_in_lower_case(self) -> None:
        for text in (
            '[tool.migopy]\nmongo_database = "shop"\nlock-wait = 5',
            '[tool]\nmigopy = {mongo_database = "shop", lock_wait = 5}',
            '[ tool . "migopy" ]\nmongo_database = "shop"\nlock_wait = 5',
            'tool.migopy.mongo_database = "shop"\ntool.migopy.lock_wait = 5',
            'tool = {migopy = {mongo_database = "shop", lock_wait = 5}}',
            '["tool"] # ours\n"migopy" = {mongo_database = "shop", lock_wait = 5}',
        ):
            given = self.table(text)
            values = {name: each.value for name, each in given.items()}
            with self.subTest(text):
                self.assertEqual(values, {'MONGO_DATABASE': 'shop', 'LOCK_WAIT': 5})
        self.assertEqual(given['LOCK_WAIT'].where, 'lock_wait in pyproject.toml')

    def test_relative_paths_lie_beside_it(self) -> None:
        given = self.table(
            """
            [tool.migopy]
            migrations_directory = "db/steps"
            mongo_dump_directory = "/var/dumps"
            mongo_uri = "embedded:data"
            """
        )
        values = [each.value for each in given.values()]
        folder = str(self.folder)
        self.assertEqual(
            values, [f'{folder}/db/steps', '/var/dumps', f'embedded:{folder}/data']
        )

    def test_none_is_a_text_there(self) -> None:
        """TOML has no word of its own for it."""
        given = self.table('[tool.migopy]\nundo_keep = "none"\nundo_days = "None"')
        self.assertEqual(
            {name: each.value for name, each in given.items()},
            {'UNDO_KEEP': None, 'UNDO_DAYS': None},
        )
        with self.assertRaisesRegex(BadSetting, "undo_mb .* = 'none' must be a number"):
            self.table('[tool.migopy]\nundo_mb = "none"')

    def test_types_are_those_of_toml(self) -> None:
        text = '[tool.migopy.mongo_client_options]\ntls = true\nw = 2'
        value = self.table(text)['MONGO_CLIENT_OPTIONS'].value
        self.assertEqual(value, {'tls': True, 'w': 2})

    def test_what_is_wrong_is_told(self) -> None:
        for text, said in (
            (
                '[tool.migopy]\nmongo_db = "x"',
                'mongo_db in pyproject.toml is no setting of migopy; mongo_database'
                ' is.',
            ),
            (
                '[tool.migopy]\nmongo_port = "x"',
                "mongo_port in pyproject.toml = 'x' must be a number from 1 to 65535"
                ' (27017).',
            ),
            (
                '[tool.migopy]\nlock_wait = 1\nLOCK-WAIT = 2',
                'LOCK-WAIT in pyproject.toml is there twice.',
            ),
            ('[tool]\nmigopy = 1', 'pyproject.toml: tool.migopy must be a table.'),
        ):
            with self.subTest(text):
                self.assertEqual(self.error(text), said)
        self.assertIn(' is no TOML: ', self.error('[tool.migopy]\nlock_wait = '))

    def test_a_file_without_the_table_is_not_even_parsed(self) -> None:
        """It may be broken, or there be nothing that reads TOML."""
        for text in ('[project]\ndependencies = ["migopy"]', '[tool.other]\n= =', ''):
            with mock.patch.object(pyproject, '_reader', side_effect=AssertionError):
                self.assertEqual(self.table(text), {})

    def test_where_nothing_reads_toml_one_hears_what_to_install(self) -> None:
        missing = ModuleNotFoundError('not here')
        with mock.patch.object(pyproject, 'import_module', side_effect=missing):
            said = self.error('[tool.migopy]\nlock_wait = 1')
        self.assertIn('3.9 and 3.10 need tomli.\nType: pip install tomli', said)

    def test_the_nearest_folder_that_has_one_counts(self) -> None:
        self.write('pyproject.toml', '[tool.migopy]\nlock_wait = 1')
        self.write('in/pyproject.toml', '[tool.other]\nx = 1')
        folders = [str(self.folder / 'in'), str(self.folder)]
        self.assertEqual(pyproject.table_in(folders).content, {'lock_wait': 1})


class TogetherTest(unittest.TestCase):
    """The environment stands over pyproject.toml, and that over the class."""

    class Migrations(MigrationsManager):
        MONGO_URI = 'mongodb://ann:pw@h/d'
        MONGO_USER_PASS = 'old'
        LOCK_WAIT = 1

    def together(self, *layers: Mapping[str, Any], **of_class: Any) -> dict[str, Any]:
        manager = type('Migrations', (self.Migrations,), of_class)
        given = together(
            manager,
            [
                {name: Given(value, f'layer {number}') for name, value in layer.items()}
                for number, layer in enumerate(layers, start=1)
            ],
        )
        return {name: each.value for name, each in given.items()}

    def test_the_last_layer_stands_on_top(self) -> None:
        given = self.together({'LOCK_WAIT': 2, 'LOCK_TTL': 3}, {'LOCK_WAIT': 4})
        self.assertEqual(given, {'LOCK_WAIT': 4, 'LOCK_TTL': 3})

    def test_a_password_stands_over_one_under_its_other_name(self) -> None:
        given = self.together({'MONGO_USER_PASSWORD': 'new'}, MONGO_URI=None)
        self.assertEqual(given, {'MONGO_USER_PASSWORD': 'new', 'MONGO_USER_PASS': None})

    def test_what_a_uri_below_would_leave_without_effect_is_refused(self) -> None:
        for name in ('MONGO_HOST', 'MONGO_PORT', 'MONGO_USER', 'MONGO_USER_PASS'):
            with self.subTest(name), self.assertRaises(BadSetting) as caught:
                self.together({name: 'x'})
            self.assertIn('layer 1 would have no effect', str(caught.exception))
            self.assertIn('Set MIGOPY_MONGO_URI instead.', str(caught.exception))
            with self.assertRaises(BadSetting):
                self.together({'MONGO_URI': 'mongodb://a:b@h'}, {name: 'x'})
        for name in ('REMOTE_DIRECTORY', 'REMOTE_PREFIX', 'TASK_NAME'):
            with self.subTest(name), self.assertRaises(BadSetting) as caught:
                self.together({name: 'x'})
            self.assertIn('layer 1 would have no effect', str(caught.exception))
        for given in (
            self.together({'MONGO_USER': 'x'}, MONGO_URI='mongodb://h/d'),
            self.together({'MONGO_HOST': 'x', 'MONGO_URI': 'mongodb://h/d'}),
            self.together({'MONGO_HOST': 'x'}, MONGO_URI=None),
        ):
            self.assertIn('x', given.values())


class OriginsTest(unittest.TestCase):
    def test_each_setting_says_where_it_is_from(self) -> None:
        class Company(MigrationsManager):
            LOCK_TTL = 5

        class Migrations(Company):
            MONGO_DATABASE = 'shop'

        manager = over(Migrations, {'LOCK_WAIT': Given(9, 'MIGOPY_LOCK_WAIT')})()
        manager.TRANSACTION = True
        where = {each.name: each.where for each in shown(manager)}
        self.assertEqual(list(where), list(CHECKS))
        file = Path(__file__).name
        self.assertTrue(where['LOCK_TTL'].endswith(f'Company in {file}'))
        self.assertTrue(where['MONGO_DATABASE'].endswith(f'Migrations in {file}'))
        self.assertEqual(where['LOCK_WAIT'], 'MIGOPY_LOCK_WAIT')
        self.assertIn('itself', where['TRANSACTION'])
        self.assertEqual(where['MONGO_HOST'], 'default')
        self.assertEqual(type(manager).__name__, 'Migrations')

    def test_no_secret_is_shown(self) -> None:
        class Migrations(MigrationsManager):
            MONGO_URI = (
                'mongodb://ann:s3cret@h:1/d?tlsCertificateKeyFilePassword=s3cret'
            )
            MONGO_USER_PASS = 's3cret'
            MONGO_USER_PASSWORD = 's3cret'
            MONGO_CLIENT_OPTIONS = {'password': 's3cret'}

        values = {each.name: each.value for each in shown(Migrations())}
        self.assertEqual(values['MONGO_URI'], 'mongodb://h:1')
        self.assertEqual(values['MONGO_CLIENT_OPTIONS'], 'password: …')
        self.assertEqual(values['MONGO_USER_PASS'], '(set, not shown)')
        self.assertNotIn('s3cret', str(values))

    def test_databases_are_shown_where_they_are_names_alone(self) -> None:
        pair = ('shop', {'MONGO_URI': 'mongodb://ann:s3cret@h'})
        for databases, expected in (
            ('tenant_*', 'tenant_*'),
            (['a', 'b_*'], 'a, b_*'),
            (['a', pair], '(set, not shown)'),
        ):

            class Migrations(MigrationsManager):
                MONGO_DATABASES = databases

            values = {each.name: each.value for each in shown(Migrations())}
            self.assertEqual(values['MONGO_DATABASES'], expected)

    def test_nothing_given_is_the_class_itself(self) -> None:
        self.assertIs(over(MigrationsManager, {}), MigrationsManager)


MANAGER = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_DATABASE = 'shop'

    migrations = Migrations.create_task()
"""


def with_folder(value: str) -> str:
    """Give the manager with `PROJECT_DIRECTORY` in its class."""
    name = "MONGO_DATABASE = 'shop'"
    return MANAGER.replace(name, f'{name}; PROJECT_DIRECTORY = {value}')


class FoundTest(FolderTest):
    def here(self, which: str | None = None) -> Any:
        return project_here(MigrationsManager, which).manager_class

    def test_the_one_of_the_file_in_this_folder_or_around_it(self) -> None:
        for name in ('fabfile.py', 'fabfile/__init__.py', 'migopyfile.py'):
            file = self.write(name, MANAGER)
            (self.folder / 'deep/down').mkdir(parents=True, exist_ok=True)
            for folder in ('.', 'deep/down'):
                with self.subTest(name, folder=folder), self.inside(folder):
                    manager = self.here()
                    self.assertEqual(manager.MONGO_DATABASE, 'shop')
                    self.assertEqual(manager.PROJECT_DIRECTORY, str(self.folder))
                    self.assertEqual(
                        project_here(MigrationsManager, None).place[-10:], name[-10:]
                    )
                    sys.modules.pop(name.split('.')[0].split('/')[0])
            file.unlink()

    def test_migopyfile_comes_first(self) -> None:
        self.write('fabfile.py', 'raise AssertionError')
        self.write('migopyfile.py', MANAGER)
        with self.inside():
            self.assertEqual(self.here().__module__, 'migopyfile')

    def test_the_most_derived_class_counts(self) -> None:
        self.write(
            'fabfile.py',
            """
            import migopy
            from migopy import MigrationsManager

            class Base(MigrationsManager):
                pass

            class Shop(Base):
                pass

            Other = Shop
            """,
        )
        with self.inside():
            self.assertEqual(self.here().__name__, 'Shop')

    def test_several_are_told_with_what_to_type(self) -> None:
        self.write(
            'fabfile.py',
            """
            import migopy

            class Shop(migopy.MigrationsManager):
                pass

            class Blog(migopy.MigrationsManager):
                pass
            """,
        )
        with self.inside():
            with self.assertRaises(discovery.SeveralManagers) as caught:
                self.here()
            self.assertEqual(caught.exception.names, ['Shop', 'Blog'])
            self.assertEqual(
                str(caught.exception),
                'fabfile.py has several managers; nothing was done. Say which:\n'
                '  --manager fabfile.py:Shop\n  --manager fabfile.py:Blog',
            )
            sys.modules.pop('fabfile')
            self.assertEqual(self.here('fabfile.py:Blog').__name__, 'Blog')

    def test_a_module_and_a_package_of_one_name(self) -> None:
        """`fab` of Fabric 1 runs the one, that of Fabric 3 the other."""
        self.write('fabfile.py', MANAGER)
        self.write('fabfile/__init__.py', MANAGER.replace("'shop'", "'other'"))
        (self.folder / 'deep').mkdir()
        for folder, way in (('.', ''), ('deep', '../')):
            with self.subTest(folder), self.inside(folder):
                with self.assertRaises(discovery.TwoFiles) as caught:
                    self.here()
                said = str(caught.exception)
                ways = re.findall('--manager (.+)', said)
                expected = ['fabfile.py:Migrations', 'fabfile/__init__.py:Migrations']
                self.assertEqual(ways, [f'{way}{each}' for each in expected], said)
                for which, database in zip(ways, ('shop', 'other')):
                    manager = self.here(which)
                    self.assertEqual(manager.MONGO_DATABASE, database)
                    self.assertEqual(manager.PROJECT_DIRECTORY, str(self.folder))
        self.write('fabfile/__init__.py', '')
        with self.inside():
            self.assertEqual(self.here().MONGO_DATABASE, 'shop')
        self.write('fabfile/__init__.py', MANAGER.replace("'shop'", "'other'"))
        self.write('fabfile.py', '')
        with self.inside():
            self.assertEqual(self.here().MONGO_DATABASE, 'other')

    def test_one_that_is_named(self) -> None:
        self.write(
            'db/steps.py',
            MANAGER.replace("'shop'", 'NAME').replace(
                'import migopy', 'import migopy\n    from helper import NAME'
            ),
        )
        self.write('db/helper.py', "NAME = 'named'")
        self.write('app/__init__.py', '')
        self.write('app/data.py', MANAGER)
        for which, folder in (
            ('db/steps.py:Migrations', 'db'),
            ('db/steps.py', 'db'),
            (str(self.folder / 'db/steps.py:Migrations'), 'db'),
            ('app.data:Migrations', '.'),
            ('app.data', '.'),
        ):
            with self.subTest(which), self.inside():
                manager = self.here(which)
                self.assertIn(manager.MONGO_DATABASE, ('named', 'shop'))
                expected = os.path.normpath(self.folder / folder)
                self.assertEqual(manager.PROJECT_DIRECTORY, expected)
            with (
                self.subTest(f'{which} in the environment'),
                self.inside(MIGOPY_MANAGER=which),
            ):
                self.assertEqual(self.here().__name__, 'Migrations')
            self.write('pyproject.toml', f'[tool.migopy]\nmanager = "{which}"')
            (self.folder / 'deep').mkdir(exist_ok=True)
            with self.subTest(f'{which} in pyproject.toml'), self.inside('deep'):
                self.assertEqual(self.here().PROJECT_DIRECTORY, expected)
            (self.folder / 'pyproject.toml').unlink()

    def test_one_that_is_not_there_is_told(self) -> None:
        self.write('steps.py', MANAGER)
        self.write('nothing.py', 'x = 1')
        self.write('imports.py', 'import not_there')
        for which, said in (
            ('none.py:A', f'there is no file {self.folder}/none.py.'),
            (
                'steps.py:A',
                'no class A that derives from MigrationsManager. It has: Migrations.',
            ),
            ('steps.py:migopy', 'no class migopy'),
            ('nothing.py', 'nothing.py has no manager.'),
            ('nothing.py:A', 'no class A that derives from MigrationsManager.'),
            (sys.executable, 'is no file of Python, and a manager is named FILE.py'),
            (f'{sys.executable}:A', 'is no file of Python'),
            ('.', "'.' is no module, and a manager is named FILE.py:CLASS"),
            ('..deep:A', "'..deep' is no module"),
            ('not_there:A', 'there is no module not_there.'),
            ('not_there.deep:A', 'there is no module not_there.'),
        ):
            with (
                self.subTest(which),
                self.inside(),
                self.assertRaises(discovery.NoManager) as caught,
            ):
                self.here(which)
            self.assertIn(said, str(caught.exception))
        for text, said in (
            ('MIGOPY_MANAGER', 'MIGOPY_MANAGER=none.py:A: there is no file '),
            ('', 'manager in pyproject.toml = none.py:A: there is no file '),
        ):
            self.write('pyproject.toml', '[tool.migopy]\nmanager = "none.py:A"')
            environment = {text: 'none.py:A'} if text else {}
            with (
                self.inside(**environment),
                self.assertRaises(discovery.NoManager) as caught,
            ):
                self.here()
            self.assertIn(said, str(caught.exception))
        with self.inside(), self.assertRaises(discovery.NotLoaded) as other:
            self.here('imports:A')
        self.assertIn("No module named 'not_there'", str(other.exception))

    def test_settings_are_enough(self) -> None:
        with self.inside(MIGOPY_MONGO_DATABASE='shop'):
            manager = self.here()
            self.assertEqual(manager.MONGO_DATABASE, 'shop')
            self.assertEqual(manager.PROJECT_DIRECTORY, str(self.folder))
            self.assertTrue(issubclass(manager, MigrationsManager))
        self.write('pyproject.toml', '[tool.migopy]\nmongo_database = "shop"')
        (self.folder / 'deep').mkdir()
        with self.inside('deep', MIGOPY_LOCK_WAIT='7'):
            manager = self.here()
            self.assertEqual((manager.MONGO_DATABASE, manager.LOCK_WAIT), ('shop', 7))
            self.assertEqual(manager.PROJECT_DIRECTORY, str(self.folder))

    def test_settings_stand_over_those_of_the_class(self) -> None:
        self.write('fabfile.py', MANAGER)
        self.write(
            'pyproject.toml',
            '[tool.migopy]\nmongo_database = "of_file"\nlock_wait = 3',
        )
        with self.inside(MIGOPY_MONGO_DATABASE='of_environment'):
            manager = self.here()
        self.assertEqual(manager.MONGO_DATABASE, 'of_environment')
        self.assertEqual(manager.LOCK_WAIT, 3)
        self.assertEqual(Defaults.LOCK_WAIT, 60)

    def test_a_folder_that_is_none_is_left_to_the_manager_to_tell(self) -> None:
        self.write('fabfile.py', with_folder('3'))
        with (
            self.inside(),
            self.assertRaisesRegex(BadSettings, '^PROJECT_DIRECTORY = 3 must be'),
        ):
            self.here()()

    def test_a_folder_may_be_a_property(self) -> None:
        self.write('fabfile.py', with_folder('property(lambda self: "deep")'))
        with self.inside():
            self.assertEqual(object.__new__(self.here()).PROJECT_DIRECTORY, 'deep')

    def test_nothing_at_all_is_told(self) -> None:
        with self.inside(), self.assertRaises(NothingFound) as caught:
            self.here()
        self.assertIn(f'Neither {self.folder} nor', str(caught.exception))

    def test_a_file_without_a_manager_is_passed_over(self) -> None:
        self.write('fabfile.py', MANAGER)
        self.write('deep/fabfile.py', 'x = 1')
        with self.inside('deep'):
            self.assertEqual(self.here().MONGO_DATABASE, 'shop')

    def test_a_folder_around_it_that_anybody_may_write_to_is_passed_over(self) -> None:
        """What lies there would be executed."""
        self.write('fabfile.py', MANAGER)
        self.write('pyproject.toml', '[tool.migopy]\nlock_wait = 3')
        (self.folder / 'deep').mkdir()
        self.folder.chmod(0o1777)
        with self.inside('deep'), self.assertRaises(NothingFound):
            self.here()
        with self.inside():
            self.assertEqual(self.here().LOCK_WAIT, 3)

    def test_one_that_cannot_be_loaded_is_told_by_its_own_lines(self) -> None:
        for text, said in (
            ('import migopy\nx = 1 / 0', 'ZeroDivisionError: division by zero'),
            ('def broken(:', 'SyntaxError'),
            ('import sys\nsys.exit(0)', 'SystemExit: 0'),
        ):
            self.write('fabfile.py', text)
            with (
                self.subTest(text),
                self.inside(),
                self.assertRaises(discovery.NotLoaded) as caught,
            ):
                self.here()
            message = str(caught.exception)
            self.assertIn('fabfile.py cannot be loaded, so nothing was done:', message)
            self.assertIn(said, message)
            self.assertNotIn('/migopy/', message)

    def test_a_fabfile_for_invoke_needs_no_invoke_here(self) -> None:
        task = 'migrations = Migrations.create_task()'
        namespace = 'ns = Migrations.create_namespace()'
        self.write('fabfile.py', MANAGER.replace(task, namespace))
        missing = {'invoke': None, 'migopy.face.invoke': None}
        errand = Errand(spelling=CommandSpelling())
        modules = mock.patch.dict(sys.modules, missing)
        with modules, self.inside(), carrying_out(errand):
            self.assertEqual(self.here().MONGO_DATABASE, 'shop')

    def test_one_that_needs_fabric_is_told_the_other_file(self) -> None:
        """Fabric is not there, or it is one without the API of Fabric 1."""
        text = f'from fabric.api import task\n{textwrap.dedent(MANAGER)}'
        self.write('fabfile.py', text)
        for modules in (
            {'fabric': None, 'fabric.api': None},
            {'fabric.api': None},
        ):
            with mock.patch.dict(sys.modules, modules), self.inside():
                with self.assertRaises(discovery.NeedsFabric) as caught:
                    self.here()
                self.assertIn('migopyfile.py', str(caught.exception))
                self.assertIn('pip install --force-reinstall', str(caught.exception))
                # One that has nothing to do with migopy is passed over.
                self.write('deep/fabfile.py', 'from fabric.api import task')
                self.write('migopyfile.py', MANAGER)
            mocked = mock.patch.dict(sys.modules, modules)
            errand = Errand(spelling=CommandSpelling())
            # As the command does: the file's create_task() is left for later.
            with mocked, self.inside('deep'), carrying_out(errand):
                self.assertEqual(self.here().MONGO_DATABASE, 'shop')
            (self.folder / 'migopyfile.py').unlink()
            sys.modules.pop('migopyfile', None)


if __name__ == '__main__':
    unittest.main()
