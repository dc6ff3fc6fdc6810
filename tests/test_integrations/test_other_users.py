"""Another user of the machine gets nothing of the embedded server.

These need a second user, and root to become one; elsewhere they are skipped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from pymongo import MongoClient

from migopy.folders import SharedFolder
from migopy.server import ServerUri, mongod
from migopy.server.embedded import PrivateMongod

NOBODY = 65534

SKIPPED = 'only root can act as a second user'


@unittest.skipUnless(os.geteuid() == 0, SKIPPED)
class OtherUserTest(unittest.TestCase):
    """A test with a folder in a place that everybody can see."""

    def setUp(self) -> None:
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.parent = Path(temporary.name).resolve()
        self.parent.chmod(0o1777)  # as /tmp
        self.folder = self.parent / 'mongodata'

    def as_nobody(self, work: Callable[[], object]) -> str:
        """Do something as another user; give what came of it, an error by its name."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(30)
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                try:
                    outcome = repr(work())
                except Exception as error:
                    outcome = type(error).__name__
                os.write(writing, outcome.encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with open(reading, encoding='utf-8') as result:
            return result.read()


class ServerTest(OtherUserTest):
    def test_it_is_reached_by_nobody_else(self) -> None:
        with PrivateMongod(self.folder).running() as uri:
            path = unquote(ServerUri.of(uri).hosts)
            self.assertEqual(
                self.as_nobody(lambda: mongod.ask(path, {'hello': 1})),
                'PermissionError',
            )
            self.assertEqual(
                self.as_nobody(lambda: os.listdir(self.folder)), 'PermissionError'
            )
            self.assertEqual(self.as_nobody(lambda: os.unlink(path)), 'PermissionError')
            self.assertEqual(1, mongod.ask(path, {'hello': 1})['ok'])

    def test_a_folder_that_others_could_enter_is_closed_to_them(self) -> None:
        self.folder.mkdir(mode=0o755)
        with PrivateMongod(self.folder).running() as uri:
            path = unquote(ServerUri.of(uri).hosts)
            self.assertEqual(
                self.as_nobody(lambda: mongod.ask(path, {'hello': 1})),
                'PermissionError',
            )

    def test_nor_where_its_socket_has_no_place_in_the_folder(self) -> None:
        with PrivateMongod(self.parent / 'a:b').running() as uri:
            path = unquote(ServerUri.of(uri).hosts)
            self.assertNotIn('a:b', path)
            self.assertEqual(
                self.as_nobody(lambda: mongod.ask(path, {'hello': 1})),
                'PermissionError',
            )


class ImpostorTest(OtherUserTest):
    @contextlib.contextmanager
    def listening(self, path: str) -> Iterator[list[bytes]]:
        """Let another user listen on a socket; give what is said to it."""
        heard: list[bytes] = []
        with socket.socket(socket.AF_UNIX) as listener:
            # Who listens is the user that `listen` was called by.
            os.seteuid(NOBODY)
            try:
                listener.bind(path)
                listener.listen()
            finally:
                os.seteuid(0)
            listener.settimeout(10)

            def hear() -> None:
                with contextlib.suppress(OSError), listener.accept()[0] as peer:
                    peer.settimeout(10)
                    heard.append(peer.recv(4096))

            thread = threading.Thread(target=hear)
            thread.start()
            yield heard
            thread.join()

    def test_another_users_server_is_told_nothing(self) -> None:
        path = str(self.parent / 'mongod.sock')
        error = self.assertRaisesRegex(ConnectionError, f'another user .{NOBODY}')
        with self.listening(path) as heard, error:
            mongod.ask(path, {'hello': 1})
        self.assertEqual([b''], heard)

    def test_nor_is_it_used_where_the_state_names_it(self) -> None:
        path = str(self.parent / 'mongod.sock')
        self.folder.mkdir(mode=0o700)
        PrivateMongod(self.folder)._remember(path)
        with self.listening(path) as heard:
            with PrivateMongod(self.folder).running() as uri:
                self.assertNotEqual(path, unquote(ServerUri.of(uri).hosts))
                with MongoClient(uri) as client:
                    client.shop.cities.insert_one({'_id': 1})
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(path)  # where nobody else did, let it end
        self.assertEqual([b''], heard)


class LaidBeforehandTest(OtherUserTest):
    """What another user has put in the folder's place is refused, untouched."""

    def refused(self) -> str:
        private = PrivateMongod(self.folder)
        with self.assertRaises(SharedFolder) as caught, private.running():
            self.fail('this folder is not safe')
        return str(caught.exception)

    def test_a_folder_of_another_user(self) -> None:
        self.as_nobody(lambda: self.folder.mkdir())
        self.assertIn('belongs to another user', self.refused())
        self.assertEqual([], os.listdir(self.folder))

    def test_a_folder_that_others_may_write(self) -> None:
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.assertIn('others may write in it', self.refused())
        self.assertEqual([], os.listdir(self.folder))

    def test_a_link_to_a_folder(self) -> None:
        target = self.parent / 'target'
        target.mkdir()
        self.folder.symlink_to(target)
        self.assertIn('a symbolic link', self.refused())
        self.assertEqual([], os.listdir(target))

    def test_a_link_in_a_files_place_overwrites_nothing(self) -> None:
        locks = 'gate.lock', 'users.lock', 'server.lock'
        for name in (*locks, 'mongod.log', 'server.json', 'server.json.new'):
            with self.subTest(name):
                folder = self.parent / f'folder of {name}'
                folder.mkdir(mode=0o700)
                treasure = self.parent / f'treasure of {name}'
                treasure.write_text('treasure')
                (folder / name).symlink_to(treasure)
                private, failure = PrivateMongod(folder), mongod.MongodFailed
                with contextlib.suppress(failure), private.running():
                    pass
                self.assertEqual('treasure', treasure.read_text())

    def test_a_link_that_leads_nowhere_makes_nothing(self) -> None:
        self.folder.mkdir(mode=0o700)
        (self.folder / 'gate.lock').symlink_to(self.parent / 'new')
        error = self.assertRaisesRegex(mongod.MongodFailed, 'no place there')
        with error, PrivateMongod(self.folder).running():
            self.fail('this folder is not safe')
        self.assertFalse((self.parent / 'new').exists())

    def test_a_link_in_the_datas_place(self) -> None:
        target = self.parent / 'target'
        target.mkdir(mode=0o700)
        self.folder.mkdir(mode=0o700)
        (self.folder / 'db').symlink_to(target)
        self.assertIn('a symbolic link', self.refused())
        self.assertEqual([], os.listdir(target))
