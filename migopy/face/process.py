"""The streams of a process that carries out one command, and its exit status."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from migopy.errors import MigopyException
from migopy.face.marked import READING
from migopy.scope import is_trial
from migopy.signals import end_at_ctrl_c, is_interruption, status_after
from migopy.terminal import STDOUT

#: A command that shows what it has tried: it runs migrations, so not under `inv --dry`.
TRYING = 'preflight'

#: Commands that only look unless they are given this option.
LISTING = {'adopt': 'yes', 'undo': 'forget'}


def exit_status_of(error: BaseException) -> int:
    """Give the exit status that tells how a command ended.

    1 is an error, 2 is something that needs attention, 3 another command's lock, and
    after a signal it is 128 and its number, as shells have it.
    """
    if isinstance(error, MigopyException):
        return error.exit_status
    return status_after(error)


class NotShown(MigopyException):
    """Stdout has not taken what a command shows; `error` says why."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(
            f'What this shows could not be written to stdout: {error.strerror}'
        )


def require_shown(name: str, values: Sequence[str], options: Mapping[str, str]) -> None:
    """Raise `NotShown` if stdout has not taken all that a command shows.

    One that has changed something has done what it was typed for all the same.
    """
    if STDOUT.lost and _only_looks(name, values, options):
        raise NotShown(STDOUT.lost)


def _only_looks(name: str, values: Sequence[str], options: Mapping[str, str]) -> bool:
    if name == 'dbrestore':
        return not values and 'name' not in options
    if name in LISTING:
        return LISTING[name] not in options
    return name in READING or name == TRYING or is_trial(options)


def leave(error: BaseException) -> NoReturn:
    """End this process after an error of which the person has been told.

    When it comes to its end after a Ctrl-C, another one finds nothing to interrupt. A
    caller that goes on can be interrupted as before.
    """
    if is_interruption(error):
        atexit.register(end_at_ctrl_c)
    sys.exit(status_after(error))


def open_streams() -> None:
    """Open /dev/null for each stream that was closed before Python began (`2>&-`).

    Python has `None` in its place, which most code does not expect. And the next
    connection would get the stream's number: a program would write its errors there.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - until the end


def let_go_of_streams() -> None:
    """Flush stdout and stderr, so that a reader that is gone makes no error at the end.

    Python flushes them when it ends. After `| head` that would fail, and make the exit
    status 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        # The stream is None, or a migration has closed it, or nobody reads it.
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
