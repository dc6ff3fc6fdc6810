"""Where Fabric 1's API is not there, what is said and to be typed."""

from __future__ import annotations

import sys
import unittest
from unittest import mock

import migopy
from migopy import face
from migopy.face.needed import NoClassicFabric


class NeededTest(unittest.TestCase):
    def test_without_any(self) -> None:
        self.assertIn('pip install fab-classic', str(NoClassicFabric([])))

    def test_with_a_later_one(self) -> None:
        said = str(NoClassicFabric(['fabric 3.2.2']))
        self.assertIn('fabric 3.2.2 is installed', said)
        self.assertIn('pip uninstall fabric\n', said)

    def test_with_two_over_each_other(self) -> None:
        said = str(NoClassicFabric(['fab-classic 1.21', 'fabric 3.2.2']))
        self.assertIn('installed over each other', said)
        self.assertIn('pip uninstall fab-classic fabric\n', said)

    def test_create_task_says_it(self) -> None:
        class Migrations(migopy.MigrationsManager):
            pass

        known = vars(face).pop('fab', None)
        if known is not None:
            self.addCleanup(setattr, face, 'fab', known)
        away = {'migopy.face.fab': None, 'fabric.state': None}
        with mock.patch.dict(sys.modules, away), self.assertRaises(ImportError) as got:
            Migrations.create_task()
        self.assertIsInstance(got.exception, NoClassicFabric)
        self.assertIsInstance(got.exception.__cause__, ImportError)
