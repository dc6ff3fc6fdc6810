"""TCP proxies before a mongod: they lose commands, answer with errors, or are slow."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import bson

OP_MSG = 2013

#: Errors of a server that stops or is primary no more, and those of transactions that
#: may be tried again: WriteConflict, NoSuchTransaction, LockTimeout.
PASSING = frozenset({91, 189, 262, 10107, 11600, 11602})
TRANSIENT = frozenset({24, 112, 251})

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

    Invariant: of the commands that are counted it meets the `number`th, and `times` in
    all: with `after`, when the server has done it, else before it reaches the server.
    What it meets is lost: the client gets no reply, and its connection ends.
    """

    #: Commands that are not met.
    not_counted = NOT_COUNTED

    def __init__(
        self, port: int, number: int = 0, after: bool = True, times: int = 1
    ) -> None:
        super().__init__(port)
        self._met = range(number, number + times if number else 0)
        self._lock = threading.Lock()
        self.after = after
        #: How many commands have come by.
        self.count = 0

    @property
    def has_met(self) -> bool:
        return bool(self._met) and self.count >= self._met[0]

    def connect(self, client: socket.socket) -> None:
        Connection(self, client, self.server_port)

    def meets(self, command: str) -> bool:
        """Count a command; tell whether it is one to meet."""
        if command in self.not_counted:
            return False
        with self._lock:
            self.count += 1
            return self.count in self._met

    def answer(self, request: bytes, reply: bytes) -> bytes:
        """Give what the client gets for what is met; nothing ends its connection.

        `reply` is the server's, if it has done it.
        """
        return b''


class ErrorProxy(LossyProxy):
    """Answers what it meets with an error, as the server would label it.

    With `of_concern` the reply of what was done gets an error of the write concern.
    """

    #: What is left of a transaction that could not be ended is another subject.
    not_counted = NOT_COUNTED | {'abortTransaction', 'killSessions'}

    def __init__(
        self,
        port: int,
        number: int,
        times: int,
        code: int,
        after: bool,
        of_concern: bool,
    ) -> None:
        super().__init__(port, number, after or of_concern, times)
        self._code = code
        self._of_concern = of_concern

    def answer(self, request: bytes, reply: bytes) -> bytes:
        if is_unanswered(request):
            return reply
        command = document_of(request)
        said: dict[str, Any] = {'code': self._code, 'errmsg': 'made on purpose'}
        labels = {'errorLabels': labels_of(self._code, command)}
        if not self._of_concern:
            return made_reply(request, {'ok': 0.0, **said, **labels})
        done = document_of(reply)
        if not (done['ok'] and takes_concern(command)):
            return reply
        return made_reply(request, {**done, 'writeConcernError': said, **labels})


class Connection:
    """One client's connection, and the one to the server that belongs to it.

    Invariant: when one of the two ends, so does the other.
    """

    def __init__(self, proxy: LossyProxy, client: socket.socket, port: int) -> None:
        self._proxy = proxy
        self._client = client
        self._server_port = port
        #: The request whose reply is to be another one.
        self._met = b''
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
                if not self._proxy.meets(command_of(message)):
                    server.sendall(message)
                elif self._proxy.after:
                    self._met = b'' if is_unanswered(message) else message
                    server.sendall(message)
                elif answer := self._proxy.answer(message, b''):
                    self._client.sendall(answer)
                else:
                    return

    def _replies(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while message := read_message(server):
                if self._met:
                    message = self._proxy.answer(self._met, message)
                    self._met = b''
                if not message:
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
    return next(iter(document_of(message)))


def document_of(message: bytes) -> dict[str, Any]:
    """Give a request's command, or the document of a reply."""
    (length,) = struct.unpack_from('<i', message, 21)
    return bson.decode(message[21 : 21 + length])


def is_unanswered(request: bytes) -> bool:
    """Tell whether a client wants no reply to a request (`moreToCome`)."""
    return bool(request[16] & 2)


def made_reply(request: bytes, document: dict[str, Any]) -> bytes:
    """Make the message that answers a request with a document."""
    body = bytes(5) + bson.encode(document)
    head = struct.pack('<i4s4si', 16 + len(body), bytes(4), request[4:8], OP_MSG)
    return head + body


def is_inside(command: dict[str, Any]) -> bool:
    """Tell whether a command is one of a transaction, and not its end."""
    return command.get('autocommit') is False and 'commitTransaction' not in command


def takes_concern(command: dict[str, Any]) -> bool:
    """Tell whether the reply to a command may have an error of the write concern."""
    is_write = 'writeConcern' in command or 'txnNumber' in command
    return is_write and not is_inside(command)


def labels_of(code: int, command: dict[str, Any]) -> list[str]:
    """List the labels that a server gives an error in its reply to a command."""
    if is_inside(command):
        return ['TransientTransactionError'] if code in PASSING | TRANSIENT else []
    is_retried = 'txnNumber' in command and code in PASSING
    return ['RetryableWriteError'] if is_retried else []
