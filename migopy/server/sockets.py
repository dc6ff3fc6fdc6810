"""Where a private mongod has its socket: in its folder, or elsewhere if it must."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path

from migopy.folders import SharedFolder, require_private
from migopy.server.mongod import Address, MongodFailed

#: mongod makes a socket with this name by itself, for its usual port; one is enough.
NAME = 'mongodb-27017.sock'

#: The beginning of the name of a folder for a socket outside of the mongod's.
PREFIX = 'migopy-socket-'

#: Characters that separate addresses, and a host from its port.
PARTING = frozenset(',:')


def free_path(folder: Path, last: Address) -> str:
    """Give a path where a mongod can make a socket that only this user reaches.

    It is in the folder, unless the path is too long for a socket (about 100 bytes),
    has a comma or a colon, or the file system knows no sockets. Then it is where the
    last one was, or in a new folder of this user's among the temporary files. Raise
    `MongodFailed`.
    """
    inside = folder / NAME
    if _can_be(inside):
        return str(inside)
    if isinstance(last, str) and _is_outside(last) and _is_own(Path(last).parent):
        outside = Path(last)
    else:
        outside = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve() / NAME
    if not _can_be(outside):
        give_back(str(outside))
        raise MongodFailed(
            folder,
            f'can make its socket neither there nor as {outside}: the path may be too'
            ' long. Set TMPDIR to a folder with a short path, then type the command'
            ' again.',
        )
    return str(outside)


def give_back(path: Address) -> None:
    """Remove the folder of a socket that was outside of the mongod's folder."""
    if isinstance(path, str) and _is_outside(path):
        with contextlib.suppress(OSError):
            Path(path).unlink(missing_ok=True)
            Path(path).parent.rmdir()


def _can_be(path: Path) -> bool:
    """Tell whether a socket can be made; one that an earlier mongod left is removed."""
    if PARTING & set(str(path)):
        return False
    try:
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(os.fspath(path))
        path.unlink()
    except OSError:
        return False
    return True


def _is_outside(path: str) -> bool:
    return Path(path).name == NAME and Path(path).parent.name.startswith(PREFIX)


def _is_own(folder: Path) -> bool:
    try:
        require_private(folder)
    except (OSError, SharedFolder):
        return False
    return True
