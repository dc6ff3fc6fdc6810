"""The rooms of `migopy/` and what they import of each other."""

from __future__ import annotations

import ast
import re
import unittest
from pathlib import Path

import migopy

HOUSE = Path(migopy.__file__).parent
README = HOUSE.parent / 'README.rst'


def imports(path: Path) -> set[str]:
    """List the modules that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == 'migopy':
            found.update(f'migopy.{alias.name}' for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


class HouseTest(unittest.TestCase):
    """The table of rooms in the README."""

    def setUp(self) -> None:
        text = README.read_text(encoding='utf-8').partition('The house\n')[2]
        self.rooms = re.findall(r'^``(\w+)\.py`` ', text, re.MULTILINE)
        self.files = {path.stem: path for path in HOUSE.glob('*.py')}

    def test_lists_each_room_once(self) -> None:
        self.assertEqual(sorted(self.rooms), sorted(self.files.keys() - {'__init__'}))

    def test_a_room_imports_only_rooms_above_it(self) -> None:
        for place, room in enumerate(self.rooms):
            own = {
                name.partition('.')[2]
                for name in imports(self.files[room])
                if name.startswith('migopy.')
            }
            self.assertLessEqual(own, set(self.rooms[:place]), room)

    def test_only_the_task_imports_fabric(self) -> None:
        fabric = {
            room
            for room, path in self.files.items()
            if any(name.split('.')[0] == 'fabric' for name in imports(path))
        }
        self.assertEqual(fabric, {'fabtask', 'remote'})
