"""A server of a rehearsal's own: a private mongod, gone with its data afterwards."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from migopy.commands import Option
from migopy.errors import MigopyException
from migopy.folders import SharedFolder, require_private

#: How the folders of such servers are called, among the temporary files.
PREFIX = 'migopy-rehearsal-'

#: Bytes on the disk for each byte of data: documents, indexes, and copies to compare
#: with.
ROOM = 2

#: What makes a copy smaller.
PART = Option('sample', '10000')

#: What the server's log says where its disk is full.
FULL = os.strerror(errno.ENOSPC)


class NoRoomHere(MigopyException):
    """The disk has too little room for a private server; both numbers are bytes."""

    def __init__(self, needed: int, free: int, folder: str) -> None:
        self.needed = needed
        self.free = free
        super().__init__(
            f'A copy of the database may need {needed:,} bytes, and in {folder} there'
            f' are {free:,}. Nothing was done.\n'
            'Set TMPDIR to a folder with more room, or rehearse on a part of the'
            ' documents (',
            PART,
            ').',
        )


class ServerGone(MigopyException):
    """The private server has failed; `is_full` is whether its disk is full."""

    def __init__(self, is_full: bool) -> None:
        self.is_full = is_full
        if is_full:
            super().__init__(
                f'the disk of {tempfile.gettempdir()} is full, where the copy was. Set'
                ' TMPDIR to a folder with more room, or rehearse on a part of the'
                ' documents (',
                PART,
                ')',
            )
        else:
            super().__init__(
                'its mongod was killed or ended by itself, as where memory runs out'
            )


@contextlib.contextmanager
def private_server() -> Iterator[str]:
    """Give the URI of a new private mongod, which is gone with its data afterwards.

    What a killed rehearsal has left is removed first. Raises `NoMongod`,
    `MongodFailed`, and `ServerGone` in place of what fails because of that, or at the
    end.
    """
    from migopy.server.embedded import PrivateMongod

    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    server = PrivateMongod(folder, is_scratch=True)
    try:
        with held(folder), server.running() as uri:
            try:
                yield uri
            except Exception as error:
                is_full = FULL in server.last_words()
                if server.is_alive() and not is_full:
                    raise
                raise ServerGone(is_full) from error
            # The step in which it has failed is told as any that fails.
            if not server.is_alive():
                raise ServerGone(FULL in server.last_words())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_room(data: int) -> None:
    """Raise `NoRoomHere` unless the disk can hold a copy of so many bytes."""
    folder = tempfile.gettempdir()
    free, needed = shutil.disk_usage(folder).free, data * ROOM
    if free < needed:
        raise NoRoomHere(needed, free, folder)


def sweep() -> None:
    """Remove what killed rehearsals of this user have left."""
    from migopy.server.embedded import PrivateMongod

    for folder in Path(tempfile.gettempdir()).resolve().glob(f'{PREFIX}*'):
        # Whatever is wrong with it, this rehearsal goes on.
        with contextlib.suppress(OSError, MigopyException):
            if not _is_own(folder):
                continue
            with held(folder):
                # It takes over a mongod that still runs there, and ends it.
                with PrivateMongod(folder).running():
                    pass
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the operating system's lock on a folder; raises `OSError` if it is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _is_own(folder: Path) -> bool:
    try:
        require_private(folder)
    except SharedFolder:
        return False
    return True
