"""TCP proxies before a mongod: one loses a command or its reply, one is slow."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial

import bson

OP_MSG = 2013

#: What a client asks on its own account.
NOT_COUNTED = frozenset({'hello', 'ismaster', 'isMaster', 'ping', 'endSessions'})


class Line:
    """A line to one mongod on loopback, for the block of `running`.

    Invariant: each client that comes gets a connection of its own.
    """

    def __init__(self, port: int) -> None:
        self.server_port = port
        self._listener = socket.create_server(('127.0.0.1', 0))

    @property
    def uri(self) -> str:
        """Give the URI of the far end."""
        port = self._listener.getsockname()[1]
        return f'mongodb://127.0.0.1:{port}/?directConnection=true'

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Carry messages during the block."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield
        finally:
            # Wakes the thread that accepts, which closes it.
            self._listener.shutdown(socket.SHUT_RDWR)

    def connect(self, client: socket.socket) -> None:
        """Carry the messages of a client, in threads of its own."""
        raise NotImplementedError

    def _accept(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connect(client)


class LossyProxy(Line):
    """Passes on what is said between clients and one mongod on loopback.

    Invariant: of the commands that are counted it loses the `number`th, and no other:
    with `after`, when the server has done it, so that the client gets no reply, else
    before it reaches the server. The client's connection ends then.
    """

    def __init__(self, port: int, number: int = 0, after: bool = True) -> None:
        super().__init__(port)
        self._number = number
        self._after = after
        self._lock = threading.Lock()
        #: How many commands have come by.
        self.count = 0

    @property
    def has_lost(self) -> bool:
        return 0 < self._number <= self.count

    def connect(self, client: socket.socket) -> None:
        Connection(self, client, self.server_port)

    def loses(self, command: str) -> bool:
        """Count a command; tell whether it is the one to lose."""
        if command in NOT_COUNTED:
            return False
        with self._lock:
            self.count += 1
            return self.count == self._number

    @property
    def loses_replies(self) -> bool:
        return self._after


class Connection:
    """One client's connection, and the one to the server that belongs to it.

    Invariant: when one of the two ends, so does the other.
    """

    def __init__(self, proxy: LossyProxy, client: socket.socket, port: int) -> None:
        self._proxy = proxy
        self._client = client
        self._server_port = port
        self._loses_reply = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._client, contextlib.suppress(OSError):
            server = socket.create_connection(('127.0.0.1', self._server_port))
            with server:
                args = (server,)
                replies = threading.Thread(target=self._replies, args=args, daemon=True)
                replies.start()
                self._requests(server)
                self._end(server)
                replies.join()

    def _requests(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while message := read_message(self._client):
                if self._proxy.loses(command_of(message)):
                    if not self._proxy.loses_replies:
                        return
                    self._loses_reply = True
                server.sendall(message)

    def _replies(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while message := read_message(server):
                if self._loses_reply:
                    break
                self._client.sendall(message)
        self._end(server)

    def _end(self, server: socket.socket) -> None:
        for each in (self._client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class DelayedLine(Line):
    """A line to one mongod on which each message is long under way, and none waits.

    Invariant: a message arrives a fixed time after it was sent, however many are under
    way before it.
    """

    def __init__(self, port: int, seconds: float) -> None:
        """Take the server's port, and the seconds of a way."""
        super().__init__(port)
        self._seconds = seconds

    def connect(self, client: socket.socket) -> None:
        """Carry the messages of a client, in threads of its own."""
        threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        # The handshake of TCP is a round trip as well.
        time.sleep(2 * self._seconds)
        far = socket.create_connection(('127.0.0.1', self.server_port))
        for source, target in ((near, far), (far, near)):
            way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            for work in (
                partial(self._send, source, way),
                partial(self._arrive, way, target),
            ):
                threading.Thread(target=work, daemon=True).start()

    def _send(
        self, source: socket.socket, way: queue.SimpleQueue[tuple[float, bytes]]
    ) -> None:
        with contextlib.suppress(OSError):
            while message := read_message(source):
                way.put((time.monotonic() + self._seconds, message))
        way.put((time.monotonic() + self._seconds, b''))

    def _arrive(
        self, way: queue.SimpleQueue[tuple[float, bytes]], target: socket.socket
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                moment, message = way.get()
                time.sleep(max(0.0, moment - time.monotonic()))
                if not message:
                    break
                target.sendall(message)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def read_message(end: socket.socket) -> bytes:
    """Read a message of MongoDB's protocol; empty where the connection has ended."""
    head = read(end, 4)
    if not head:
        return b''
    (length,) = struct.unpack('<i', head)
    return head + read(end, length - 4)


def read(end: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = end.recv(length)
        if not part:
            return b''
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


def command_of(message: bytes) -> str:
    """Name the command of a request; `hello` for those of the old protocol."""
    code, _flags, kind = struct.unpack_from('<iIB', message, 12)
    if code != OP_MSG or kind != 0:
        return 'hello'
    (length,) = struct.unpack_from('<i', message, 21)
    return next(iter(bson.decode(message[21 : 21 + length])))
