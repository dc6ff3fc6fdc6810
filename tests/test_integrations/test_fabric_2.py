"""Fabric 2 by its real `fab`: commands here, and on another machine."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from tests import environments
from tests.invoking import INSERT, WITH_NAMESPACE
from tests.machines import MachinesTest
from tests.project import FabTest

HOW_TO_INSTALL = 'Fabric 2 needs Python 3.10 or earlier'

WITH_DIRECTORY = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        REMOTE_DIRECTORY = '~/project'
        REMOTE_PREFIX = '. venv/bin/activate'

    ns = Migrations.create_namespace()
"""


def fab() -> Path:
    """Give the program; a test without it is skipped."""
    programs = environments.fabric_2()
    if programs is None:
        raise unittest.SkipTest(HOW_TO_INSTALL)
    return programs / 'fab'


class HereTest(FabTest):
    fabfile = WITH_NAMESPACE

    def setUp(self) -> None:
        self.program = fab()
        super().setUp()

    def test_from_the_first_look_to_the_way_back(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('To execute them: fab migrations.execute\n', shown)
        tried = self.assert_ok(self.fab('migrations.execute', '--to', '2', '--dry-run'))
        self.assertIn('Dry run: nothing was changed', tried.said)
        self.assertEqual(self.registered(), [])
        self.assert_ok(self.fab('migrations.execute', '--name', '001'))
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        [line] = self.assert_ok(self.fab('migrations', '--json')).stdout.splitlines()
        self.assertTrue(json.loads(line)['ok'])
        self.assert_ok(self.fab('migrations.rollback', '--name', '002'))
        self.assertEqual(self.registered(), ['001_a.py'])
        deployed = self.assert_ok(self.fab('deploy', 'migrations.list')).stdout
        self.assertIn('deployed here\n', deployed)
        self.assertIn('  migrations.execute  ', self.fab('--list').stdout)
        told = self.fab('migrations.execute', '--help').stdout
        self.assertIn('--dry-run', told)

    def test_what_is_wrong_is_told_as_it_is_typed_here(self) -> None:
        self.migration('001_a.py', INSERT)
        for typed, said in (
            ('migrations.exeucte', '\n  fab migrations.execute\n'),
            ('migrations.execute 001', '001 is typed --name 001 here'),
            ('migrations.execute --dryrun', 'did you mean --dry-run?'),
            ('migrations:execute,001', 'Type: fab migrations.execute --name 001\n'),
            ('migrations.rollback --last x', 'help --command rollback'),
        ):
            with self.subTest(typed):
                self.assert_error(self.fab(*typed.split()), said)
        self.assertEqual(self.registered(), [])


class ThereTest(MachinesTest):
    fabfile = WITH_DIRECTORY

    def setUp(self) -> None:
        self.program = fab()
        super().setUp()
        alone = {'connect_kwargs': {'look_for_keys': False, 'allow_agent': False}}
        self.write('fabric.json', json.dumps(alone))
        self.write('no_ssh_config', '')

    def test_the_command_runs_there_and_not_here(self) -> None:
        self.migration_there('001_first.py', INSERT)
        ssh = ('-i', str(self.key), '-S', str(self.folder / 'no_ssh_config'))
        typed = (*ssh, '-H', self.machine.name, 'migrations.execute')
        result = self.assert_ok(self.fab(*typed))
        self.assertIn('] 001_first.py executed in ', result.stdout)
        self.assertEqual(self.registered(), ['001_first.py'])
        failed = self.fab(*typed, '--name', '7')
        self.assertEqual(failed.status, 1, failed.said)
        self.assertIn("There is no migration '7'.", failed.stdout)
