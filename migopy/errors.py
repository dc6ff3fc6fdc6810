"""What can go wrong, said so that the reader knows what to type next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from migopy.commands import Command, FabSpelling, Spelling, spelled
from migopy.scope import within

#: Lines of a kind that are shown; of more only the number is told.
MOST = 50

#: Names in one line; of more only the first and the last are shown.
NAMES_SHOWN = 10
#: Names that are shown of more, where the last would be taken for the end of a range.
FIRST_SHOWN = 3


class StopTaskExecution(Exception):
    """End the task quietly; raised by a `task_hook` or a subtask (as in 1.0)."""


class MigopyException(Exception):
    """Say who, what, and the next command; the root of migopy's own errors.

    Invariant: the message is made of text and of commands, which stay data until a
    face spells them. `str(error)` spells them as `fab migrations:…`.
    """

    #: What the command `migopy` ends with; `fab` ends with 1 for each.
    exit_status = 1

    #: Whether it is about this machine or process, so that a command meets it for each
    #: database.
    is_of_process = False
    #: Whether the same command meets it again even when what it says has been done, or
    #: would do what nobody has agreed to: then nobody is told to go on with it.
    is_for_good = False
    #: Whether its commands are ways out of what is half done, for a person to choose.
    has_ways_out = False

    #: What the message is made of; a migration's own error may never call `__init__`.
    _said: tuple[object, ...] = ()

    def __init__(self, *said: object, next: Sequence[Command] = ()) -> None:
        """Take the parts of the message, texts and commands, in order.

        What is in `next` is shown below the message, a command a line.
        """
        super().__init__(*said)
        lines = [part for command in next for part in ('\nType: ', command)]
        self._said = (*said, *lines)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as it is: a constructor takes other arguments than the message."""
        return _unpickled, (type(self), self.args), vars(self)

    @property
    def next(self) -> list[Command]:
        """List the commands that the message names, in its order."""
        return [part for part in self._said if isinstance(part, Command)]

    @property
    def parts(self) -> Sequence[object]:
        """Give what the message is made of, texts and commands, in order."""
        return self._said

    def change_commands(self, change: Callable[[Command], Command | str]) -> None:
        """Change the commands in the message, before anybody has read it."""
        self._said = tuple(
            change(part) if isinstance(part, Command) else part for part in self._said
        )

    def drop_lines(self, having: tuple[type, ...]) -> None:
        """Drop the lines of the message, but its first, with a part of such a kind."""
        lines: list[list[object]] = [[]]
        for part in self._said:
            first, *others = part.split('\n') if isinstance(part, str) else [part]
            lines[-1].append(first)
            lines += [[each] for each in others]
        first_line, *rest = lines
        kept = [
            part
            for line in rest
            if not any(isinstance(each, having) for each in line)
            for part in ('\n', *line)
        ]
        self._said = (*first_line, *kept)

    def keep_within(self, typed: Command) -> None:
        """Keep the commands in the message from going further than what was typed."""
        if not self.has_ways_out:
            self._said = tuple(
                each for part in self._said for each in within(part, typed)
            )

    def spelled(self, spelling: Spelling) -> str:
        """Give the message as one face has it typed."""
        return spelled(self._said, spelling)

    @property
    def message(self) -> str:
        """Give the message (1.0's name for it, from Python 2)."""
        return str(self)

    def __str__(self) -> str:
        return self.spelled(FabSpelling())


def _unpickled(kind: type[MigopyException], args: Sequence[object]) -> MigopyException:
    return kind.__new__(kind, *args)


def kept_within(error: BaseException, typed: Command) -> BaseException:
    """Give an error whose message, if it is migopy's, goes no further than `typed`."""
    if isinstance(error, MigopyException):
        error.keep_within(typed)
    return error


def enumerated(names: Sequence[str]) -> str:
    """Set names in a line; of more than ten the first and the last."""
    if len(names) > NAMES_SHOWN:
        return f'{names[0]}, …, {names[-1]}'
    return ', '.join(names)


def some_of(names: Sequence[str]) -> str:
    """Set names in a line between which others may lie; of more than ten the first."""
    if len(names) > NAMES_SHOWN:
        return f'{", ".join(names[:FIRST_SHOWN])} and {len(names) - FIRST_SHOWN:,} more'
    return ', '.join(names)


def listing(names: Sequence[str]) -> str:
    """Set names one a line, indented, to stand below a message."""
    return '\n'.join(f'  {name}' for name in names)
