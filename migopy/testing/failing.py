"""A migration run for a test, whose errors are told as a test needs them."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.traces import is_machinery

#: What a test calls for a command.
CALLS = {'execute': 'up', 'rollback': 'down'}


def run(function: Callable[[], object]) -> None:
    """Call what runs a migration; its errors begin with the migration's own lines.

    Where migopy would name a command, they name the call of the test: a command would
    be for the project's own database.
    """
    __tracebackhide__ = True
    error = _error_of(function)
    if error is not None:
        raise error


def _error_of(function: Callable[[], object]) -> Exception | None:
    try:
        function()
    except Exception as error:
        if isinstance(error, MigopyException):
            error.change_commands(_in_a_test)
        own = _first_own(error.__traceback__)
        # An error from migopy alone that is none of its messages is a fault of migopy.
        is_fault = own is None and not isinstance(error, MigopyException)
        return error if is_fault else error.with_traceback(own)
    return None


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
