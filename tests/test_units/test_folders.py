"""Folders that others may not write in, and files that are what they seem."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from migopy.folders import (
    NoRegularFile,
    SharedFolder,
    create_file,
    open_regular,
    private_directory,
    require_private,
    size_of_regular,
)

needs_root = unittest.skipUnless(
    os.geteuid() == 0, 'only root can give a folder to another user'
)


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix='migopy-tests-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class PrivateDirectoryTest(FolderTest):
    def made(self, mode: int = 0o755) -> Path:
        path = self.folder / 'a folder'
        path.mkdir()
        path.chmod(mode)
        return path

    def assert_refused(self, path: Path, reason: str) -> SharedFolder:
        for use in (private_directory, require_private):
            with self.assertRaisesRegex(SharedFolder, reason) as caught:
                use(path)
        self.assertFalse((path / '.gitignore').exists())
        return caught.exception

    def test_a_new_one_is_the_user_s_alone_and_out_of_git(self) -> None:
        path = self.folder / 'not' / 'there'
        with self.subTest('whatever the umask'):
            before = os.umask(0o022)
            self.addCleanup(os.umask, before)
            self.assertEqual(path, private_directory(path))
        self.assertEqual(0o700, stat.S_IMODE(path.stat().st_mode))
        self.assertEqual('*\n', (path / '.gitignore').read_text())

    def test_one_that_others_may_read_is_fine_and_stays_so(self) -> None:
        path = self.made(0o755)
        private_directory(path)
        self.assertEqual(0o755, stat.S_IMODE(path.stat().st_mode))
        self.assertEqual('*\n', (path / '.gitignore').read_text())

    def test_what_git_was_told_stays(self) -> None:
        path = self.made()
        (path / '.gitignore').write_text('!kept\n')
        private_directory(path)
        self.assertEqual('!kept\n', (path / '.gitignore').read_text())

    def test_gitignore_is_not_written_through_a_link(self) -> None:
        path = self.made()
        (path / '.gitignore').symlink_to(self.folder / 'elsewhere')
        private_directory(path)
        self.assertFalse((self.folder / 'elsewhere').exists())

    def test_one_that_others_may_write_is_refused_with_what_to_type(self) -> None:
        for mode in (0o775, 0o777, 0o757, 0o1777):
            path = self.made(mode)
            refused = self.assert_refused(path, f'others may write.*{mode:04o}')
            self.assertIn(f'chmod go-w {shlex.quote(str(path))}', str(refused))
            path.rmdir()

    def test_a_link_is_refused_though_it_leads_to_a_fine_one(self) -> None:
        link = self.folder / 'link'
        link.symlink_to(self.made())
        self.assert_refused(link, 'symbolic link')

    def test_a_link_that_leads_nowhere_makes_nothing_there(self) -> None:
        link = self.folder / 'link'
        link.symlink_to(self.folder / 'elsewhere')
        self.assert_refused(link, 'symbolic link')
        self.assertFalse((self.folder / 'elsewhere').exists())

    def test_a_file_is_no_folder(self) -> None:
        path = self.folder / 'file'
        path.touch()
        with self.assertRaises(NotADirectoryError):
            private_directory(path)

    @needs_root
    def test_another_user_s_is_refused(self) -> None:
        path = self.made()
        os.chown(path, 12345, 12345)
        self.assert_refused(path, 'another user .id 12345')

    def test_a_parent_that_everybody_may_write_is_refused(self) -> None:
        path = self.made()
        self.folder.chmod(0o777)
        refused = self.assert_refused(path, 'everybody may exchange')
        self.assertIn(f'chmod o-w {self.folder}', str(refused))
        self.folder.chmod(0o1777)
        private_directory(path)

    @needs_root
    def test_below_tmp_only_what_is_one_s_own_or_root_s_leads_there(self) -> None:
        shared = self.folder / 'tmp'
        shared.mkdir()
        shared.chmod(0o1777)
        theirs = shared / 'theirs'
        theirs.mkdir()
        os.chown(theirs, 12345, 12345)
        (theirs / 'dumps').mkdir()
        self.assert_refused(theirs / 'dumps', f'{theirs}, on the way to it')
        with self.subTest('nor does their link'):
            (self.folder / 'mine' / 'dumps').mkdir(parents=True)
            link = shared / 'link'
            link.symlink_to(self.folder / 'mine')
            private_directory(link / 'dumps')
            (self.folder / 'mine' / 'dumps' / '.gitignore').unlink()
            os.chown(link, 12345, 12345, follow_symlinks=False)
            self.assert_refused(link / 'dumps', f'{link}, on the way to it')

    def test_where_there_are_no_owners_any_folder_will_do(self) -> None:
        with mock.patch('migopy.folders._HAS_OWNERS', False):
            private_directory(self.made(0o777))


class FileTest(FolderTest):
    def test_a_regular_one_is_read_and_others_are_not_waited_for(self) -> None:
        path = self.folder / 'file'
        path.write_bytes(b'abc')
        with open_regular(path) as file:
            self.assertEqual(b'abc', file.read())
        self.assertEqual(3, size_of_regular(path))
        link, pipe = self.folder / 'link', self.folder / 'pipe'
        link.symlink_to(path)
        os.mkfifo(pipe)
        for none in (link, pipe, self.folder, Path(os.devnull)):
            with self.subTest(none), self.assertRaises(NoRegularFile):
                open_regular(none)
            self.assertIsNone(size_of_regular(none))
        with self.assertRaises(FileNotFoundError):
            open_regular(self.folder / 'not there')
        self.assertIsNone(size_of_regular(self.folder / 'not there'))

    def test_a_new_one_is_the_user_s_and_overwrites_nothing(self) -> None:
        path = self.folder / 'file'
        with create_file(path) as file:
            file.write(b'abc')
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        link, nowhere = self.folder / 'link', self.folder / 'nowhere'
        link.symlink_to(path)
        nowhere.symlink_to(self.folder / 'made')
        for there in (path, link, nowhere):
            with self.subTest(there), self.assertRaises(FileExistsError):
                create_file(there)
        self.assertEqual(b'abc', path.read_bytes())
        self.assertFalse((self.folder / 'made').exists())
