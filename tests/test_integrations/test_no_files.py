"""What has the name of a file and is none: pipes, sockets, devices, links, folders."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.project import CommandTest, FabTest


def make(path: Path, kind: str) -> None:
    """Have a path lead to what is no file."""
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'socket':
        # A long path fits into no address.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(f'/proc/self/fd/{folder}/{path.name}')
        finally:
            os.close(folder)
    else:
        path.symlink_to({'device': '/dev/zero', 'loop': path.name}.get(kind, kind))


class MigrationTest(FabTest):
    def test_nothing_waits_for_it_and_it_is_told_of(self) -> None:
        self.migration('001_a.py')
        path = self.folder / 'mongomigrations' / '002_b.py'
        why = {
            'pipe': 'it is no file',
            'device': 'it is no file',
            'socket': 'No such device or address',
            'nowhere': 'No such file or directory',
            'loop': 'Too many levels of symbolic links',
        }
        for kind, reason in why.items():
            with self.subTest(kind):
                make(path, kind)
                told = f'002_b.py cannot be read: {reason}.'
                status = self.assert_ok(self.fab('migrations'))
                self.assertIn('001_a.py\n002_b.py\n', status.stdout)
                for command in ('execute', 'execute,2', 'preflight'):
                    self.assert_error(self.fab(f'migrations:{command}'), told)
                checked = self.fab('migrations:check,offline=yes')
                self.assertEqual(checked.status, 1, checked.said)
                self.assertIn(told, checked.said)
                self.assertEqual(self.registered(), [])
                self.assertIsNone(self.db.migrations_lock.find_one())
                path.unlink()

    def test_nor_where_it_has_run(self) -> None:
        self.migration('001_a.py')
        path = self.migration('002_b.py')
        self.assert_ok(self.fab('migrations:execute'))
        for kind in ('pipe', 'device'):
            path.unlink()
            make(path, kind)
            with self.subTest(kind):
                for command in ('check', 'rollback,2', 'list'):
                    told = '002_b.py cannot be read: it is no file.'
                    self.assert_error(self.fab(f'migrations:{command}'), told)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_nor_where_it_makes_the_folder_a_package(self) -> None:
        self.migration('001_a.py')
        path = self.folder / 'mongomigrations' / '__init__.py'
        for kind in ('pipe', 'device'):
            with self.subTest(kind):
                make(path, kind)
                self.assertEqual(self.fab('migrations:execute').status, 1)
                self.assertEqual(self.registered(), [])
                path.unlink()


class ProjectFileTest(CommandTest):
    def test_nothing_waits_for_it(self) -> None:
        self.migration('001_a.py')
        path = self.folder / 'pyproject.toml'
        for kind in ('pipe', 'device'):
            with self.subTest(kind):
                make(path, kind)
                self.assert_error(
                    self.migopy('status'), f'{path} cannot be read: it is no file.'
                )
                path.unlink()
        for name in ('migopyfile.py', 'pyproject.toml'):
            make(self.folder / name, 'pipe' if name == 'migopyfile.py' else 'nowhere')
        self.assert_ok(self.migopy('status'))
