"""Where Fabric 1's API is not there, what is said and to be typed."""

from __future__ import annotations

import sys
import unittest
from unittest import mock

import migopy
from migopy import face
from migopy.face.which_fabric import NoClassicFabric, NoInvoke, OldInvoke


class WhichFabricTest(unittest.TestCase):
    def test_without_any(self) -> None:
        self.assertIn('pip install fab-classic', str(NoClassicFabric([])))

    def test_with_a_later_one(self) -> None:
        said = str(NoClassicFabric(['fabric 3.2.2']))
        self.assertIn('fabric 3.2.2 is installed', said)
        self.assertIn('\n  ns = Migrations.create_namespace()', said)

    def test_with_two_over_each_other(self) -> None:
        said = str(NoClassicFabric(['fab-classic 1.21', 'fabric 3.2.2']))
        self.assertIn('installed over each other', said)
        self.assertIn('pip uninstall fab-classic fabric\n', said)
        self.assertIn('pip install fab-classic or pip install fabric', said)
        self.assertEqual(said, str(NoInvoke(['fab-classic 1.21', 'fabric 3.2.2'])))

    def test_with_one_that_another_has_taken_files_from(self) -> None:
        for error, installed in (
            (NoClassicFabric, 'fab-classic 1.21'),
            (NoInvoke, 'fabric 3.2.2'),
        ):
            said = str(error([installed]))
            self.assertIn(f'{installed} is installed, but not whole', said)
            name = installed.replace(' ', '==')
            self.assertIn(f'--force-reinstall --no-deps {name}', said)

    def test_without_invoke(self) -> None:
        self.assertIn('Type: pip install invoke', str(NoInvoke([])))
        self.assertIn('Type: pip install invoke', str(NoInvoke(['fab-classic 1.21'])))

    def test_an_invoke_that_no_later_python_runs(self) -> None:
        self.assertIn('pip install -U "invoke>=2"', str(OldInvoke('1.7.3', [])))
        said = str(OldInvoke('1.7.3', ['fabric 2.7.1']))
        self.assertEqual(
            said,
            'Invoke 1.7.3 can make no task on Python 3.11 and later.\n'
            'Type: pip install -U "fabric>=3"',
        )

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

    def test_create_namespace_under_fabric_1_says_it(self) -> None:
        from fabric.state import env

        with (
            mock.patch.dict(env, real_fabfile='/srv/fabfile.py'),
            self.assertRaises(NoInvoke) as got,
        ):
            migopy.MigrationsManager.create_namespace()
        said = str(got.exception)
        self.assertIn('\n  migrations = Migrations.create_task()', said)
        self.assertRegex(said, r'Fabric 1 \(fab-classic|Fabric 1 \(Fabric3')

    def test_create_namespace_without_invoke_says_it(self) -> None:
        known = vars(face).pop('invoke', None)
        if known is not None:
            self.addCleanup(setattr, face, 'invoke', known)
        away = mock.patch.dict(sys.modules, {'migopy.face.invoke': None})
        with away, self.assertRaises(NoInvoke) as got:
            migopy.MigrationsManager.create_namespace()
        self.assertIsInstance(got.exception.__cause__, ImportError)
