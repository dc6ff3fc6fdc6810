"""Files that are kept packed until their `up` is called."""

from __future__ import annotations

import builtins
import sys
import tempfile
import traceback
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from migopy.files import (
    Directory,
    FileNames,
    ImportFailed,
    LoadedMigration,
    importable,
    load_all,
    loading,
)
from migopy.files.asleep import TOGETHER
from migopy.run import Step

PATTERN = r'(?P<migr_nr>[0-9]+)_x\.py'

PLAIN = """
import os
from collections import OrderedDict

def up(db: OrderedDict) -> str:
    'Go up.'
    return f'{db} {__name__} {os.path.basename(__file__)}'

def down(db):
    return up(db) + ' down'
"""


class AsleepTest(unittest.TestCase):
    """Of more files than are kept awake."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix='migopy-test-')
        self.addCleanup(temporary.cleanup)
        self.base = Path(temporary.name).resolve()
        self.addCleanup(self.forget)
        patch = mock.patch.object(loading, 'AWAKE', 1)
        patch.start()
        self.addCleanup(patch.stop)

    def loaded(self, *sources: str) -> Sequence[LoadedMigration]:
        """Import files, of which the first one is kept awake."""
        for number, source in enumerate(('def up(db): pass', *sources), 1):
            self.write(number, source)
        directory = Directory(str(self.base), 'steps', FileNames(PATTERN))
        with importable(directory):
            return load_all(directory.migrations(), directory)[1:]

    def write(self, number: int, source: str) -> None:
        file = self.base / 'steps' / f'{number:03}_x.py'
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)

    def forget(self) -> None:
        """Forget the modules that there are."""
        for name in ['steps', *self.modules()]:
            sys.modules.pop(name, None)

    def modules(self) -> list[str]:
        """List the modules that there are."""
        return sorted(each for each in sys.modules if each.startswith('steps.'))

    def test_they_do_what_they_would_do_awake(self) -> None:
        """Whether their pack is full or not, in any order, and again."""
        found = self.loaded(*[PLAIN] * (TOGETHER + 5))
        self.assertEqual(self.modules(), ['steps.001_x'])
        for each in (*found, found[3], found[-1], found[3]):
            stem = each.migration.stem
            said = f'db steps.{stem} {stem}.py'
            step = Step.of(each, 'up')
            self.assertEqual(step.function('db'), said)
            self.assertFalse(step.in_transaction)
            self.assertEqual(each.function('down')('db'), f'{said} down')
            self.assertIsNone(each.condition('verify'))
        self.assertEqual(self.modules(), ['steps.001_x'])

    def test_they_are_a_module_while_they_run(self) -> None:
        source = """
            import sys

            def up(db):
                return sys.modules[__name__].up is up
        """
        [found] = self.loaded(source.replace('\n            ', '\n'))
        self.assertIs(found.function('up')(None), True)

    def test_an_error_shows_its_line(self) -> None:
        [found] = self.loaded('def up(db):\n    return 1 / db\n')
        try:
            found.function('up')(0)
        except ZeroDivisionError:
            said = traceback.format_exc()
        self.assertIn('return 1 / db', said)
        self.assertEqual(self.modules(), ['steps.001_x'])

    def test_an_edit_meanwhile_is_not_run(self) -> None:
        [found] = self.loaded('def up(db): return 1')
        self.write(2, 'def up(db): return 2')
        self.assertEqual(found.function('up')(None), 1)

    def test_what_could_be_noticed_stays_awake(self) -> None:
        """It runs once: whatever it calls, sets, or says of itself."""
        up = '\ndef up(db): return 1\n'
        for source in (
            'import builtins\nbuiltins.ran += 1' + up,
            'import builtins\nfrom operator import iadd\nlist(map(iadd, [1], [1]))'
            + up,
            'TOWNS = []' + up,
            'transaction = True' + up,
            'needs = []' + up,
            'class Town: pass' + up,
            'def decorated(up): return up\n@decorated' + up,
            'def verify(db): pass' + up,
            'async def up(db): pass',
            'def up(db): yield',
            'def up(db, towns=[]): return towns',
            'def upgrade(db): pass',
            'from os import getcwd as up',
            'try:\n  import nonsense\nexcept ImportError:\n  pass' + up,
        ):
            with (
                self.subTest(source),
                mock.patch.object(builtins, 'ran', 0, create=True),
            ):
                before: Any = vars(builtins)
                self.loaded(source)
                self.assertEqual(self.modules(), ['steps.001_x', 'steps.002_x'])
                self.assertEqual(before['ran'], int('ran +=' in source))
                self.forget()

    def test_one_that_cannot_be_imported_is_told_before_the_first_one_runs(
        self,
    ) -> None:
        for source in ('def up(db) pass', 'import nonsense_that_is_not_there'):
            with self.subTest(source), self.assertRaises(ImportFailed) as caught:
                self.loaded(PLAIN, source)
            self.assertEqual(caught.exception.name, '003_x.py')
