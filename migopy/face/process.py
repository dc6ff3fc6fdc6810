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
