"""Who runs a command: a user on a host, in a process."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migopy.state.fields import line_or_unknown
from migopy.texts import kept_line


@dataclass(frozen=True)
class Agent:
    """A user on a host, in a process.

    Invariant: any document can be read; a text that is absent or of another type reads
    `?`, a process id that is no number reads 0.
    """

    user: str
    host: str
    pid: int

    @classmethod
    def current(cls) -> Agent:
        """Describe this process."""
        try:
            user = getpass.getuser()
        # A container's user id may have no name: KeyError, from Python 3.13 OSError.
        except (KeyError, OSError, ImportError):
            user = str(getattr(os, 'getuid', int)())
        # A variable may have any bytes, also such as no server can be told.
        return cls(kept_line(user), kept_line(socket.gethostname()), os.getpid())

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Agent:
        """Read a document of the lock or the history."""
        pid = document.get('pid')
        return cls(
            line_or_unknown(document, 'user'),
            line_or_unknown(document, 'host'),
            pid if isinstance(pid, int) else 0,
        )

    @property
    def way_to_end(self) -> str:
        """Say how a person ends its process, which takes SIGTERM for Ctrl-C.

        `kill` takes a number that is not greater than 0 for many processes.
        """
        if self.pid <= 0:
            return 'Ctrl-C where it runs'
        return f'Ctrl-C where it runs, or kill {self.pid} (SIGTERM) on {self.host}'

    def __str__(self) -> str:
        return f'{self.user}@{self.host}'


def place() -> str:
    """Identify the list of processes in which an id means this one; '' if unknown.

    Two containers may share a host name, but not a list of processes.
    """
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
            return f'{file.read().strip()} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''


def is_gone(pid: int) -> bool:
    """Tell whether no process of this machine has this id."""
    try:
        os.kill(pid, 0)
    # OverflowError: no process has a number that large.
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False
