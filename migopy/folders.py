"""Folders of this user alone, and files that are whole and what they seem.

Dumps and the private server's data may lie where others can write too, `/tmp` say.
Whoever laid a folder, a link or a pipe there beforehand is not to be handed data, nor
to have us write over a file elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from migopy.errors import MigopyException

# Not on Windows, which has neither owners nor modes of this kind.
_HAS_OWNERS = hasattr(os, 'geteuid')

_NO_LINKS = getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_CLOEXEC', 0)
_NO_WAITING = getattr(os, 'O_NONBLOCK', 0)
_BINARY = getattr(os, 'O_BINARY', 0)
_BUFFER_BYTES = 1024 * 1024


class SharedFolder(MigopyException):
    """Others could read, change or exchange what is in the folder `path`.

    `remedy` is what to type or do about it; nothing was written there.
    """

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f'The folder {path} is not safe to use: {reason}\n{remedy}')


class NoRegularFile(OSError):
    """What should be a file is a link, a pipe, a device or a folder."""


def private_directory(path: Path) -> Path:
    """Make sure of a folder that nobody else may write; make it where there is none.

    Give its absolute path. A new one is this user's alone (0700) and is kept out of
    git. Raises `SharedFolder`, or `OSError` where it cannot be made.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    require_private(path)
    _keep_out_of_git(path)
    return path


def require_private(path: Path) -> None:
    """Make sure that a folder is a real one, of this user, that nobody else may write.

    Others may read it, as 1.0 made it, but must not be able to exchange it: a parent
    that everybody may write to must have the sticky bit, as `/tmp` has, and what lies
    directly in that must belong to this user or to root. Raises `SharedFolder`, or
    `OSError` where it cannot be looked at.
    """
    path = path.absolute()
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise SharedFolder(
            path,
            'it is a symbolic link.',
            'Name the folder itself, or remove the link.',
        )
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, 'Not a directory', str(path))
    if not _HAS_OWNERS:
        return
    _require_own(path, found)
    _require_no_exchange(path)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; it is never a link's target, nor waited for.

    Raises `NoRegularFile`, or another `OSError`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINKS | _NO_WAITING | _BINARY)
    except OSError as error:
        if path.is_symlink():
            raise NoRegularFile(error.errno, 'is a symbolic link', str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoRegularFile(22, 'is no regular file', str(path))
    return open(descriptor, 'rb', buffering=_BUFFER_BYTES)


def create_file(path: Path) -> BinaryIO:
    """Make a file of this user alone for writing; nothing may have its name before.

    Raises `FileExistsError`, also for a link that leads nowhere, or another `OSError`.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS | _BINARY
    return open(os.open(path, flags, 0o600), 'wb')


def write_whole(path: str, text: str, mode: int) -> None:
    """Write a file of text anew, whole, or leave all as it was.

    It is UTF-8, and what that lacks is escaped; `mode` are its permissions. Raise
    `OSError`.
    """
    folder = os.path.dirname(os.path.abspath(path))
    descriptor, made = tempfile.mkstemp(dir=folder, prefix='.new-')
    try:
        with open(descriptor, 'w', encoding='utf-8', errors='backslashreplace') as file:
            file.write(text)
        os.chmod(made, mode)
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise


def size_of_regular(path: Path) -> int | None:
    """Give the bytes of a regular file, `None` where there is no such file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _require_own(path: Path, found: os.stat_result) -> None:
    user = os.geteuid()
    if found.st_uid != user:
        raise SharedFolder(
            path,
            f'it belongs to another user (id {found.st_uid}, this one is {user}).',
            'Name another folder, or if all in it is yours, type: '
            f'sudo chown -R {user} {shlex.quote(str(path))}',
        )
    if found.st_mode & 0o022:
        raise SharedFolder(
            path,
            f'others may write in it (mode {stat.S_IMODE(found.st_mode):04o}).',
            'If nobody has put anything in it, type: '
            f'chmod go-w {shlex.quote(str(path))}',
        )


def _require_no_exchange(path: Path) -> None:
    trusted = {0, os.geteuid()}
    # The links on the way count as well as what they lead to.
    for way in {path, path.parent.resolve() / path.name}:
        for parent, child in zip(way.parents, [way, *way.parents]):
            mode = parent.stat().st_mode
            if not mode & 0o002:
                continue
            if not mode & stat.S_ISVTX:
                raise SharedFolder(
                    path,
                    f'everybody may exchange what is in {parent}'
                    f' (mode {stat.S_IMODE(mode):04o}).',
                    'Name a folder elsewhere, or type: '
                    f'chmod o-w {shlex.quote(str(parent))}',
                )
            if child.lstat().st_uid not in trusted:
                raise SharedFolder(
                    path,
                    f'{child}, on the way to it, belongs to another user.',
                    'Name a folder elsewhere.',
                )


def _keep_out_of_git(path: Path) -> None:
    """Tell git to leave the folder alone, unless somebody has told it something."""
    with contextlib.suppress(OSError), create_file(path / '.gitignore') as file:
        file.write(b'*\n')
