"""Stdout reserved for lines of one kind; whatever else is written goes to stderr."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

#: Takes a line without its end.
WriteLine = Callable[[str], None]


class KeptStdout:
    """Stdout, reserved for lines for as long as anybody keeps it.

    Invariant: meanwhile only those lines reach it, each whole. What this process, its
    threads and the programs that it starts write to stdout reaches stderr. `lost` says
    why stdout has not taken all that was written to it, if so; a reader that is gone
    is no reason.
    """

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._keepers = 0
        self._stream: TextIO | None = None
        self._descriptor: int | None = None
        self._left = b''
        self.lost: OSError | None = None

    def keep(self) -> None:
        """Keep it; until `release` was called as often as this."""
        with self._turn:
            self._keepers += 1
            if self._keepers > 1:
                return
            flush(sys.stdout)
            if not is_real(sys.stdout):
                self._stream, sys.stdout = sys.stdout, sys.stderr
                return
            self._descriptor = duplicate(1)
            send_to_stderr(1)

    def release(self) -> None:
        """Let stdout be again what it was, if nobody else keeps it."""
        with self._turn:
            self._keepers -= 1
            if self._keepers:
                return
            if self._stream is not None:
                flush(self._stream)
                sys.stdout, self._stream = self._stream, None
            if self._descriptor is not None:
                flush(sys.stdout)
                os.dup2(self._descriptor, 1)
                os.close(self._descriptor)
                self._descriptor = None

    def write_line(self, line: str) -> None:
        """Write a line to it, at once; nobody may be listening any more."""
        with self._turn:
            try:
                self._write_whole(line)
            # As with a logger: a migration goes on all the same.
            except OSError as error:
                self._lose(error)

    def miss(self, error: OSError) -> None:
        """Hear that a text could not be written to `sys.stdout`."""
        with self._turn:
            # While it is kept, that is stderr.
            if not self._keepers:
                self._lose(error)

    def _lose(self, error: OSError) -> None:
        if not isinstance(error, ConnectionError):
            self.lost = self.lost or error

    def _write_whole(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(f'{line}\n')
            self._stream.flush()
        elif self._descriptor is not None:
            # What Ctrl-C has cut off is written before the next line.
            self._left += f'{line}\n'.encode()
            while self._left:
                self._write_some(self._descriptor)

    def _write_some(self, descriptor: int) -> None:
        try:
            self._left = self._left[os.write(descriptor, self._left) :]
        except BlockingIOError:
            # The reader may have made the pipe non-blocking; it takes more in a moment.
            select.select([], [descriptor], [])
        except OSError:
            self._left = b''
            raise


#: There is one stdout.
STDOUT = KeptStdout()


@contextmanager
def kept_stdout() -> Iterator[WriteLine]:
    """Keep stdout, in the block, for the lines that the function given writes."""
    STDOUT.keep()
    try:
        yield STDOUT.write_line
    finally:
        STDOUT.release()


def keep_stdout_for_good() -> None:
    """Keep stdout for such lines until the process ends."""
    STDOUT.keep()


def is_real(stream: TextIO) -> bool:
    """Tell whether a stream is the process's own stdout, not one that stands in."""
    try:
        return stream.fileno() == 1
    except (OSError, ValueError, AttributeError):
        return False


def is_closed(stream: object) -> bool:
    """Tell whether a stream is closed, as far as it says so."""
    return bool(getattr(stream, 'closed', False))


def duplicate(descriptor: int) -> int:
    """Give another descriptor for the same file, with a number above 2."""
    other = os.dup(descriptor)
    if other > 2:
        return other
    # If stderr is closed, its number is free.
    try:
        return duplicate(descriptor)
    finally:
        os.close(other)


def send_to_stderr(descriptor: int) -> None:
    """Have what is written to a descriptor reach stderr; if that is closed, nobody."""
    try:
        os.dup2(2, descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def flush(stream: TextIO) -> None:
    """Have a stream write what it holds."""
    with suppress(OSError, ValueError, AttributeError):
        stream.flush()


def open_again() -> None:
    """Open stdout and stderr again if a migration has closed them.

    Their descriptors stay open then. Whoever prints next, Fabric too, would fail.
    """
    for name, descriptor in (('stdout', 1), ('stderr', 2)):
        stream = getattr(sys, name)
        if stream is getattr(sys, f'__{name}__') and is_closed(stream):
            kinds = {'encoding': stream.encoding, 'errors': stream.errors}
            with suppress(OSError):
                anew = open(descriptor, 'w', 1, **kinds, closefd=False)  # noqa: SIM115 - until the end
                for each in (name, f'__{name}__'):
                    setattr(sys, each, anew)
