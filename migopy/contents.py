"""The content of a file; a pipe or a device in its place is not waited for."""

from __future__ import annotations

import os
from errno import EINVAL
from stat import S_ISREG

#: A pipe is opened at once, though nobody writes to it.
READ_ONLY = os.O_RDONLY | getattr(os, 'O_BINARY', 0) | getattr(os, 'O_NONBLOCK', 0)

#: Bytes, more than most migrations have.
READ_AT_ONCE = 65_536


def content_of(path: str) -> bytes:
    """Read a file, or the one that a link leads to; raises `OSError`, also for no file.

    It takes half the time of `open`, which counts with ten thousand files.
    """
    descriptor = os.open(path, READ_ONLY)
    try:
        content = part = os.read(descriptor, READ_AT_ONCE)
        # A pipe gives nothing, and a device may have no end.
        is_odd = len(part) in (0, READ_AT_ONCE)
        if is_odd and not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(EINVAL, 'it is no file', path)
        while len(part) == READ_AT_ONCE:
            part = os.read(descriptor, READ_AT_ONCE)
            content += part
        return content
    finally:
        os.close(descriptor)
