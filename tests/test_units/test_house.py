"""The wings and rooms of `migopy/` and what they import of each other."""

from __future__ import annotations

import ast
import functools
import re
import unittest
from pathlib import Path

from migopy.run.threads import OWN
from tests.house import HOUSE, ORDER

TESTS = Path(__file__).parent.parent


#: Rooms that may import a package of the doors, by the package.
IMPORTERS = {
    'fabric': {'face.fab', 'face.fab_line', 'face.remote', 'face.connection'},
    'invoke': {'face.invoke', 'face.carrying', 'face.connection'},
    'paramiko': {'face.connection'},
}

#: Test modules that import from another still.
IMPORTING = {'test_effects_scope.py'}

#: Rooms that are imported past their wing's door: late, as they take their time, and
#: one whose name is its function's.
BESIDE_THE_DOOR = {
    'face.cli',
    'face.fab',
    'face.invoke',
    'face.project',
    'server.embedded',
    'terminal.progress',
}

#: Lines that a room may have.
LONGEST = 300


def rooms() -> dict[str, Path]:
    """List the rooms as `wing.room`, those of the ground floor as `room`."""
    found = {}
    for path in HOUSE.rglob('*.py'):
        parts = path.relative_to(HOUSE).with_suffix('').parts
        found['.'.join(parts)] = path
    return found


def wing_of(room: str) -> str:
    """Give the wing of a room, of a room on the ground floor its own name."""
    return room.partition('.')[0]


@functools.cache
def imports(path: Path) -> set[str]:
    """List the modules that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f'{node.module}.{alias.name}' for alias in node.names)
    return found


def own_imports(path: Path, known: set[str]) -> set[str]:
    """List the rooms of this house that a file imports."""
    own = 'migopy.'
    names = [name[len(own) :] for name in imports(path) if name.startswith(own)]
    return {
        room for name in names for room in (name, f'{name}.__init__') if room in known
    }


class HouseTest(unittest.TestCase):
    """What `docs/house.rst` tells of the house."""

    def setUp(self) -> None:
        self.rooms = rooms()
        known = set(self.rooms)
        self.imports = {
            room: own_imports(path, known) for room, path in self.rooms.items()
        }

    def test_each_wing_has_its_place(self) -> None:
        self.assertEqual({wing_of(room) for room in self.rooms}, set(ORDER))

    def test_a_wing_imports_only_wings_before_it(self) -> None:
        for room, imported in self.imports.items():
            place = ORDER.index(wing_of(room))
            for each in imported:
                with self.subTest(room=room, imports=each):
                    if wing_of(each) != wing_of(room):
                        self.assertLess(ORDER.index(wing_of(each)), place)

    def test_rooms_of_a_wing_import_each_other_in_no_circle(self) -> None:
        done: set[str] = set()

        def walk(room: str, way: tuple[str, ...]) -> None:
            self.assertNotIn(room, way)
            if room in done:
                return
            for each in self.imports[room]:
                if each != room and not each.endswith('__init__'):
                    walk(each, (*way, room))
            done.add(room)

        for room in self.rooms:
            walk(room, ())

    def test_what_is_said_leaves_by_one_way(self) -> None:
        for room, path in self.rooms.items():
            if wing_of(room) not in ('tell', 'terminal'):
                text = path.read_text(encoding='utf-8')
                self.assertNotRegex(text, r'logger[.](white|red|green)', room)
                self.assertNotRegex(text, r'(?m)^ +print\((?!\)  #)', room)

    def test_its_threads_have_a_name_by_which_no_migration_waits_for_them(self) -> None:
        makers = {'Thread', 'ThreadPool', 'ThreadPoolExecutor'}
        for room, path in rooms().items():
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                called = node.func if isinstance(node, ast.Call) else None
                if getattr(called, 'attr', getattr(called, 'id', '')) in makers:
                    made = ast.unparse(node)
                    self.assertRegex(made, f"'{OWN}|=OF_DATABASE", f'{room}: {made}')

    def test_a_room_has_at_most_300_lines(self) -> None:
        for room, path in self.rooms.items():
            lines = path.read_text(encoding='utf-8').count('\n')
            self.assertLessEqual(lines, LONGEST, room)

    def test_a_wing_is_entered_by_its_door(self) -> None:
        for room, path in self.rooms.items():
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if not isinstance(node, ast.ImportFrom) or not node.module:
                    continue
                house, *way = node.module.split('.')
                if house == 'migopy' and len(way) > 1 and way[0] != wing_of(room):
                    self.assertIn('.'.join(way), BESIDE_THE_DOOR, room)

    def test_only_a_door_imports_what_it_is_for(self) -> None:
        for package, importers in IMPORTERS.items():
            found = {
                room
                for room, path in self.rooms.items()
                if any(name.split('.')[0] == package for name in imports(path))
            }
            self.assertEqual(found, importers)


class TestsTest(unittest.TestCase):
    """Test modules and what they import."""

    def test_they_import_nothing_of_each_other(self) -> None:
        """What they share lies beside the two packages of tests."""
        for path in TESTS.rglob('*.py'):
            if path.name in IMPORTING:
                continue
            shared = {
                each
                for each in imports(path)
                if re.match(r'tests\.test_(units|integrations)\b', each)
            }
            with self.subTest(path.relative_to(TESTS)):
                self.assertEqual(shared, set())
