"""What can go wrong, said so that the reader knows what to type next."""

from __future__ import annotations

from collections.abc import Sequence

#: Names in one line; of more only the first and the last are shown.
NAMES_SHOWN = 10


class StopTaskExecution(Exception):
    """End the task quietly; raised by a `task_hook` or a subtask (as in 1.0)."""


class MigopyException(Exception):
    """Say who, what, and the next command; the root of migopy's own errors.

    Invariant: `str(error)` is the whole message, ready for a person. Wherever the
    text says `{fab}` it shows how the task is called, `fab migrations` unless the
    manager that reports the error set `task_name` to the fabfile's name for it.
    """

    task_name = 'migrations'

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def message(self) -> str:
        """Give the message (1.0's name for it, from Python 2)."""
        return self.text.replace('{fab}', f'fab {self.task_name}')

    def __str__(self) -> str:
        return self.message


def enumerated(names: Sequence[str]) -> str:
    """Set names in a line; of more than ten the first and the last."""
    if len(names) > NAMES_SHOWN:
        return f'{names[0]}, …, {names[-1]}'
    return ', '.join(names)


def listing(names: Sequence[str]) -> str:
    """Set names one a line, indented, to stand below a message."""
    return '\n'.join(f'  {name}' for name in names)
