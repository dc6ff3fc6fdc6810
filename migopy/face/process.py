"""How a process that carries out one command ends."""

from __future__ import annotations

import os
import sys

from migopy.errors import MigopyException
from migopy.signals import status_after


def exit_status_of(error: BaseException) -> int:
    """Give the exit status that tells how a command ended.

    1 is an error, 2 is something that needs attention, 3 another command's lock, and
    after a signal it is 128 and its number, as shells have it.
    """
    if isinstance(error, MigopyException):
        return error.exit_status
    return status_after(error)


def open_streams() -> None:
    """Open to nowhere what was closed before Python began, as by `2>&-`.

    Python has `None` in its place, which what prints or flushes does not expect; and
    the next connection would be what a program takes for its stderr.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - until the end


def let_go_of_streams() -> None:
    """Have the end of the process not fail because nobody reads what it wrote.

    Python empties its buffers at the end. A reader that has gone, `| head`, would make
    that an error and the exit status 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        # None of a program without a console; closed by a migration; nobody reads.
        except (AttributeError, ValueError, OSError):
            _into_nothing(stream)


def _into_nothing(stream: object) -> None:
    try:
        number = stream.fileno()  # type: ignore[attr-defined]
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
    except (AttributeError, ValueError, OSError):
        return
