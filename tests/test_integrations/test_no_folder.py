"""Folders and files that cannot be used: named, with what to do, in migopy's words."""

from __future__ import annotations

import os
import unittest.mock
from pathlib import Path

from migopy import MigopyException
from tests.faults import full_disk
from tests.project import FabTest, PlainTest


class NoFolderTest(PlainTest):
    def refused(self, command: str, *values: str, **settings: object) -> str:
        """Do what cannot be done; give what is said."""
        with self.assertRaises(MigopyException) as caught:
            manager = self.manager(**settings)
            option = {'plan': 'file', 'squash': 'to'}.get(command)
            options = {option: values[0]} if option else {}
            manager.perform(command, () if options else values, options)
        said = str(caught.exception)
        # Below a file's own failure stands what Python says.
        self.assertNotIn('Errno', said.splitlines()[0])
        return said

    def file(self, name: str = 'file') -> str:
        """Write a file where a folder is to be."""
        return str(self.write(name, ''))

    def test_a_file_in_place_of_the_migrations(self) -> None:
        path = self.file()
        for folder in (path, f'{path}/below'):
            said = self.refused('create', 'add_x', MIGRATIONS_DIRECTORY=folder)
            self.assertIn(f'{folder} is to be the migrations directory', said)
            self.assertIn('set MIGRATIONS_DIRECTORY in the fabfile', said)
            self.assertTrue(said.endswith('then type: fab migrations:create,add_x'))
        for command in ('show_status', 'execute', 'list'):
            said = self.refused(command, MIGRATIONS_DIRECTORY=path)
            self.assertIn(f'Migrations directory {path}: Not a directory', said)
            # It could only say the same.
            self.assertNotIn('create', said)

    def test_a_template_that_cannot_be_read(self) -> None:
        for template, why in {
            'no/such': 'No such file or directory',
            'mongomigrations': 'Is a directory',
        }.items():
            path = str(self.folder / template)
            said = self.refused('create', 'add_x', MIGRATION_TEMPLATE=path)
            self.assertIn(f'MIGRATION_TEMPLATE cannot be read: {path}: {why}.', said)
            self.assertTrue(said.endswith('then type: fab migrations:create,add_x'))

    def test_a_name_that_is_too_long(self) -> None:
        said = self.refused('create', 'x' * 300)
        self.assertIn('name would be too long; say it in fewer words', said)
        said = self.refused('plan', f'{"x" * 300}.json')
        self.assertIn('cannot be written: File name too long', said)

    def test_a_file_in_place_of_the_dumps(self) -> None:
        self.migration('001_a.py')
        settings = {'MONGO_DUMP_DIRECTORY': self.file(), 'DO_MONGO_DUMP': True}
        again = 'When the cause is mended, type: fab migrations:'
        for command, values in {'dbdump': (), 'execute': ('001_a.py',)}.items():
            said = self.refused(command, *values, **settings)
            self.assertIn(f'{settings["MONGO_DUMP_DIRECTORY"]}: Not a direc', said)
            self.assertTrue(said.endswith(again + ','.join([command, *values])), said)
        self.assertEqual(self.registered(), [])

    def test_a_folder_in_place_of_the_packages_file(self) -> None:
        self.migration('001_a.py')
        self.folder.joinpath('mongomigrations', '__init__.py').mkdir()
        said = self.refused('execute', '001_a.py')
        self.assertIn('__init__.py cannot be imported, so nothing was run', said)
        self.assertTrue(said.endswith('then type: fab migrations:execute,001_a.py'))

    def test_a_folder_that_cannot_be_read(self) -> None:
        why = PermissionError(13, 'Permission denied')
        with unittest.mock.patch('os.scandir', side_effect=why):
            said = self.refused('show_status')
        self.assertIn('Permission denied.\nSee to it that it can be read, or set', said)
        self.assertNotIn('create', said)

    def test_what_a_full_disk_does_not_take_leaves_nothing(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name)
        self.manager().show_status()
        before = self.files()
        plan = str(self.folder / 'plan.json')
        asked = {'create': 'add_x', 'plan': plan, 'squash': '002_b.py'}
        for command, value in asked.items():
            with self.subTest(command), full_disk():
                said = self.refused(command, value)
            self.assertIn('File too large', said)
            self.assertRegex(said, f'then type: fab migrations:{command},.*{value}$')
            self.assertEqual(self.files(), before)

    def files(self) -> list[Path]:
        return sorted(each for each in self.folder.rglob('*') if each.is_file())

    def test_a_helper_that_leads_nowhere(self) -> None:
        self.migration('001_a.py')
        link = self.folder / 'mongomigrations/_helper.py'
        os.symlink('gone.py', link)
        path = str(self.folder / 'plan.json')
        self.manager().plan(file=path)
        self.manager().execute(plan=path)
        self.assertEqual(self.registered(), ['001_a.py'])


class OddUriTest(FabTest):
    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}{sign}maxPoolSiz=5&retryWrites=maybe&compressors=zlib,no'
            MONGO_DATABASE = '{database}'

        migrations = Migrations.create_task()
    """

    def filled(self, text: str) -> str:
        sign = '&' if '?' in self.uri else '?' if '/' in self.uri[10:] else '/?'
        return super().filled(text.replace('{sign}', sign))

    def test_what_the_driver_passes_over_is_said_once(self) -> None:
        self.migration('001_a.py')
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 0, result.said)
        self.assertNotIn('UserWarning', result.said)
        self.assertEqual(
            [line for line in result.stderr.splitlines() if 'MONGO_URI' in line],
            [
                'MONGO_URI: maxPoolSiz is no option of PyMongo (did you mean'
                ' maxpoolsize?), so it is passed over',
                'MONGO_URI: retryWrites has a value that it cannot have, so it'
                ' is passed over',
                'MONGO_URI: compressors: Unsupported compressor',
            ],
        )
