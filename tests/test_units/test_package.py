"""The package as others see it: what it exports, what it ships."""

from __future__ import annotations

import unittest
from importlib.metadata import version
from pathlib import Path

import migopy
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


if __name__ == '__main__':
    unittest.main()
