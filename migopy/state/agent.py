"""Who runs a command."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, TypeVar

from migopy.texts import kept_line

Value = TypeVar('Value')


@dataclass(frozen=True)
class Agent:
    """A user on a host, in a process.

    Invariant: read from a document it is made of what that holds; a field that is
    absent or of another type reads `?`, a process id that is none reads 0.
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
        return cls(user, socket.gethostname(), os.getpid())

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Agent:
        """Read a document of the lock or the history."""
        pid = document.get('pid')
        return cls(
            text_of(document, 'user'),
            text_of(document, 'host'),
            pid if isinstance(pid, int) else 0,
        )

    def __str__(self) -> str:
        return f'{self.user}@{self.host}'


def place() -> str:
    """Tell where this process is, so that its id means something: `` if not known.

    Two containers may have one host name, but not one list of processes.
    """
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
            return f'{file.read().strip()} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''


def is_gone(pid: int) -> bool:
    """Tell whether no process of this machine has an id."""
    try:
        os.kill(pid, 0)
    # OverflowError: no process has a number that large.
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def text_of(document: Mapping[str, Any], field: str) -> str:
    """Give a field that is to be a text as one line, `?` where it is anything else."""
    value = document.get(field)
    return kept_line(value) if isinstance(value, str) else '?'


def date_of(document: Mapping[str, Any], field: str) -> datetime | None:
    """Give a field that is to be a date, `None` where it is anything else."""
    value = document.get(field)
    return value if isinstance(value, datetime) else None


def number_of(document: Mapping[str, Any], field: str) -> float | None:
    """Give a field that is to be a finite number, `None` where it is anything else."""
    value = document.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None


def line_of(document: Mapping[str, Any], field: str) -> str | None:
    """Give a field that is to be a text as one line, `None` where it is not one."""
    value = value_of(document, field, str)
    return None if value is None else kept_line(value)


def value_of(
    document: Mapping[str, Any], field: str, kind: type[Value]
) -> Value | None:
    """Give a field that is to be of a type, `None` where it is of another one."""
    value = document.get(field)
    return value if isinstance(value, kind) else None
