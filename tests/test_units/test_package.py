"""The package as others see it: what it exports, what it ships."""

from __future__ import annotations

import re
import unittest
from importlib.metadata import version
from pathlib import Path

import pymongo

import migopy
from migopy.face.typed import Subtasks
from tests import readme


class NamesTest(unittest.TestCase):
    """`import migopy`."""

    def test_names_of_version_1_0_are_exported(self) -> None:
        names = {
            'ColorsLogger',
            'MigopyException',
            'MigrationsManager',
            'StopTaskExecution',
            'Str',
            'cwd_in_syspath',
            'task',
        }
        self.assertLessEqual(names, set(migopy.__all__))

    def test_what_is_exported_is_there(self) -> None:
        for name in migopy.__all__:
            self.assertTrue(hasattr(migopy, name), name)


class MetadataTest(unittest.TestCase):
    """What pip knows."""

    def test_the_version_of_the_code_is_the_package_s(self) -> None:
        self.assertEqual(version('migopy'), migopy.__version__)

    def test_it_is_marked_as_typed(self) -> None:
        self.assertTrue(Path(migopy.__file__).with_name('py.typed').exists())

    def test_the_licence_is_there(self) -> None:
        licence = (readme.ROOT / 'LICENSE').read_text()
        self.assertIn('GNU LESSER GENERAL PUBLIC LICENSE', licence)
        # The LGPL is a set of permissions on top of the GPL, so both texts belong.
        self.assertIn(
            'GNU GENERAL PUBLIC LICENSE', (readme.ROOT / 'COPYING').read_text()
        )


class ReadmeTest(unittest.TestCase):
    """README.rst and CHANGELOG.rst are true and well-formed."""

    maxDiff = None

    def test_they_render_without_a_warning(self) -> None:
        for name in ('README.rst', 'CHANGELOG.rst'):
            with self.subTest(name):
                _, said = readme.parsed(name)
                self.assertEqual(said, '')

    def test_a_warning_would_be_noticed(self) -> None:
        document, said = readme.parsed('LICENSE')
        self.assertTrue(document.children)
        self.assertIn('(WARNING/2)', said)

    def test_the_table_has_every_setting_with_its_default(self) -> None:
        spelled = {
            'logger': 'ColorsLogger()',
            'MongoClient': 'pymongo.MongoClient',
            'MIGRATIONS_FILE_PATTERN': r"r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'",
        }
        manager = migopy.MigrationsManager
        names = [name for name in vars(manager) if re.fullmatch('[A-Z_]+', name)]
        expected = {
            name: spelled.get(name, repr(getattr(manager, name)))
            for name in [*names, 'logger', 'MongoClient']
        }
        self.assertEqual(readme.settings_table(), expected)
        self.assertEqual(eval(spelled['MIGRATIONS_FILE_PATTERN']), _pattern())
        self.assertIsInstance(manager.logger, migopy.ColorsLogger)
        self.assertIs(manager.MongoClient, pymongo.MongoClient)

    def test_its_commands_exist(self) -> None:
        subtasks = Subtasks(migopy.MigrationsManager(), migopy.MigrationsManager)
        text = (readme.ROOT / 'README.rst').read_text(encoding='utf-8')
        typed = set(re.findall(r'fab migrations:(\w+)', text))
        self.assertLessEqual({'execute', 'rollback', 'ignore', 'help'}, typed)
        self.assertEqual(typed - {'count_notes'} - set(subtasks.names), set())

    def test_its_python_compiles(self) -> None:
        blocks = readme.python_blocks()
        self.assertTrue(blocks)
        for text in blocks:
            compile(text, 'README.rst', 'exec')


def _pattern() -> str:
    return migopy.MigrationsManager.MIGRATIONS_FILE_PATTERN


if __name__ == '__main__':
    unittest.main()
