"""The package as others see it: what it exports, what it ships."""

from __future__ import annotations

import re
import site
import unittest
from importlib.metadata import distributions, version
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

    def test_an_editable_install_has_all_of_it(self) -> None:
        # Not what a build of another kind may have left in the tree.
        places = [site.getsitepackages()[0]]
        [installed] = distributions(name='migopy', path=places)
        required = [each for each in installed.requires or [] if 'extra' not in each]
        names = {re.split(r'[^\w-]', each)[0] for each in required}
        self.assertEqual(names, {'pymongo', 'rich', 'fab-classic', 'fabric3'})
        plugins = [each for each in installed.entry_points if each.group == 'pytest11']
        self.assertEqual([each.value for each in plugins], ['migopy.testing.plugin'])

    def test_both_distributions_require_the_same(self) -> None:
        """What stands in two files, as one of them is built without the other."""
        core = (readme.ROOT / 'core/pyproject.toml').read_text()
        whole = (readme.ROOT / 'pyproject.toml').read_text()
        setup = (readme.ROOT / 'setup.py').read_text()
        [core_s] = re.findall(r'(?s)^dependencies = \[(.*?)\]', core, re.M)
        [whole_s] = re.findall(r'(?m)^CORE = \[(.*)\]', setup)
        self.assertEqual(
            re.findall(r'"(.*?)"', core_s), re.findall(r"'(.*?)'", whole_s)
        )
        [plugin] = re.findall(r"(?m)^PLUGINS = \['(.*)'\]", setup)
        self.assertIn(plugin.replace('= ', '= "') + '"', core)
        [script] = re.findall(r"(?m)^SCRIPTS = \['(.*)'\]", setup)
        self.assertIn(script.replace('= ', '= "') + '"', core)
        for kept in (
            r'(?ms)^mongod = \[.*?\]',
            r'(?m)^completion = .*',
            r'(?m)^requires-python = .*',
        ):
            self.assertEqual(re.findall(kept, core), re.findall(kept, whole))
            self.assertTrue(re.findall(kept, core))

    def test_both_ways_in_give_the_same(self) -> None:
        found = []
        for path in ('migopy/__init__.py', 'core/migopy.py'):
            text = (readme.ROOT / path).read_text()
            found.append(re.findall(r'from migopy\.public import (\S+)', text))
        self.assertEqual(*found)
        self.assertLessEqual({'*', '__all__', '__getattr__'}, set(found[0]))
        self.assertLessEqual(set(migopy.__all__), set(dir(migopy)))

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
