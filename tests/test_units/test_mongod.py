"""What is asked of a mongod, where only a socket stands in for it."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
import unittest
from contextlib import contextmanager
from pathlib import Path

from migopy.server import mongod
from tests.server import free_port


class AskTest(unittest.TestCase):
    """Whoever else answers on the port, `ask` says so in time."""

    @contextmanager
    def listener(self, answer):
        """Listen on a port, and give what `answer` makes of what is said there."""
        with socket.create_server(('127.0.0.1', 0)) as server:

            def serve():
                connection, _ = server.accept()
                with connection:
                    answer(connection)

            thread = threading.Thread(target=serve)
            thread.start()
            yield server.getsockname()[1]
            thread.join()

    def test_nobody(self):
        with self.assertRaises(ConnectionRefusedError):
            mongod.ask(free_port(), {'hello': 1})

    def test_somebody_who_speaks_another_language(self):
        answer = b'HTTP/1.1 400 Bad Request\r\n\r\n'
        listener = self.listener(lambda peer: peer.sendall(answer))
        with listener as port, self.assertRaises(ConnectionError):
            mongod.ask(port, {'hello': 1})

    def test_an_echo(self):
        """As of a socket that was connected to itself, which loopback allows."""
        listener = self.listener(lambda peer: peer.sendall(peer.recv(4096)))
        with listener as port, self.assertRaises(ConnectionError):
            mongod.ask(port, {'hello': 1})

    def test_silence(self):
        silence = threading.Event()
        self.addCleanup(silence.set)
        with self.listener(lambda peer: silence.wait(10)) as port:
            begin = time.monotonic()
            with self.assertRaises(OSError):
                mongod.ask(port, {'hello': 1}, seconds=0.2)
            self.assertLess(time.monotonic() - begin, 2)
            silence.set()


class LogTest(unittest.TestCase):
    def test_one_without_a_line_is_told_to_be_empty(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'mongod.log').touch()
            self.assertRegex(mongod.log_of(Path(folder)), r'mongod\.log, is empty\.$')
