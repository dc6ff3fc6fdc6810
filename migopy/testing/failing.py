"""A migration run for a test, whose errors are told as a test needs them."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from migopy.commands import Command, Option
from migopy.errors import MigopyException
from migopy.traces import is_machinery

#: What a test calls for a command. In an empty database most have changed nothing, and
#: a test has nothing to lose by running a `down`.
CALLS = {'execute': 'up', 'rollback': 'down', 'forget': 'down'}

Result = TypeVar('Result')


def run(function: Callable[[], Result]) -> Result:
    """Call what runs migrations; its errors begin with a migration's own lines.

    Where migopy would name a command, they name the call of the test, or nothing where
    there is none: a command would be for the project's own database.
    """
    __tracebackhide__ = True
    try:
        return function()
    except Exception as error:
        _tell_for_a_test(error)
        raise error


def _tell_for_a_test(error: Exception) -> None:
    if isinstance(error, MigopyException):
        error.change_commands(_in_a_test)
        error.drop_lines((Command, Option))
    own = _first_own(error.__traceback__)
    # An error from migopy alone that is none of its messages is a fault of migopy.
    if own is not None or isinstance(error, MigopyException):
        error.__traceback__ = own


def _first_own(frame: TracebackType | None) -> TracebackType | None:
    """Give the first frame that is neither migopy's nor the driver's."""
    while frame is not None and is_machinery(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    return frame


def _in_a_test(command: Command) -> Command | str:
    call = CALLS.get(command.name)
    if call is None or len(command.values) != 1 or command.options:
        return command
    return f'migrations.{call}(db, {command.values[0]!r})'
