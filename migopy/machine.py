"""What a process may run out of: threads, memory, open files."""

from __future__ import annotations

import errno

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.texts import text_of

#: What Python raises when something has run out.
LACKING = (MemoryError, OSError, RuntimeError)

#: What it says where the system makes no other thread.
NO_THREAD = "can't start new thread"


class MachineExhausted(MigopyException):
    """A process has run out of something; `what` names it."""

    is_of_process = True

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f'This machine gives the command no more {what}.\n'
            'Raise the limit (ulimit -a shows it; a container has its own), then see'
            ' what has run: ',
            Command(),
        )


def exhausted_by(error: Exception) -> MachineExhausted | None:
    """Give the error to raise if one means that something has run out, else `None`."""
    if isinstance(error, MemoryError):
        return MachineExhausted('memory')
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return MachineExhausted('open files')
    if isinstance(error, RuntimeError) and text_of(error) == NO_THREAD:
        return MachineExhausted('threads')
    return None
