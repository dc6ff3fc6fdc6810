"""The Fabric task: a subtask and its options in, an exit status out.

This room and `remote`, which it alone imports, are the importers of Fabric. It is
itself imported only when a task is created.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import FunctionType
from typing import Any, Protocol

from fabric.state import env

from migopy import signals
from migopy.commands import FabSpelling
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import remote
from migopy.face.typed import as_typed
from migopy.server import leave_without_waiting
from migopy.signals import Terminated, is_interruption, status_after

#: What `fab -l` shows the first line of, and `fab -d migrations` the whole.
ESSENTIALS = """Show unregistered MongoDB migrations.

    fab {task}                        what has not run yet
    fab {task}:execute                run it
    fab {task}:execute,dry_run=yes    see what it would do
    fab {task}:rollback,001_x.py      undo one
    fab {task}:create,what_it_does    write the next one
    fab {task}:help                   all the rest
"""


class Manager(Protocol):
    """What the task needs of a manager."""

    TASK_NAME: str
    REMOTE_DIRECTORY: str | None
    REMOTE_PREFIX: str | None
    logger: Any

    @classmethod
    def fab_command(cls, subtask: str | None, option: str | None) -> str:
        """Give the command that runs a subtask elsewhere."""

    @property
    def reported(self) -> BaseException | None:
        """Give the error that the person has been told already."""

    def perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        """Run a subtask, the default one for `None`."""

    def disconnect(self) -> None:
        """Let go of the server."""


def create(manager_class: type[Manager]) -> Callable[..., Any]:
    """Make the function that Fabric calls.

    It must stay a plain function: one Fabric `Task` object in a fabfile hides all
    its plain functions.
    """

    def migrations(subtask: str | None = None, /, *values: str, **options: str) -> Any:
        if subtask is None:
            subtask = options.pop('subtask', None)
        if is_under_fab():
            leave_without_waiting()
            # What was imported stays until the end: the collector need not look at it
            # again and again among the records of thousands of migrations.
            gc.freeze()
        if remote.is_repetition():
            return None
        with exit_status(manager_class):
            option = as_typed(values, options)
            run_hook(manager_class, subtask, option)
            if is_for_a_remote_machine(manager_class):
                return run_there(manager_class, subtask, option)
            with connected(manager_class()) as manager:
                return manager.perform(subtask, values, options)

    migrations.__name__ = manager_class.TASK_NAME
    # Fabric3's `fab -d` fails on a function with annotations.
    migrations.__annotations__.clear()
    migrations.__doc__ = ESSENTIALS.replace('{task}', manager_class.TASK_NAME)
    return migrations


@contextmanager
def exit_status(manager_class: type[Manager]) -> Iterator[None]:
    """Write a `MigopyException` in red; under `fab` end with status 1.

    `StopTaskExecution` ends the block quietly. Under `fab` Ctrl-C is told too.
    """
    try:
        yield
    except StopTaskExecution:
        return
    except MigopyException as error:
        tell(manager_class, error)
        if is_under_fab():
            sys.exit(status_after(error))
    except BaseException as error:
        if not (is_under_fab() and is_interruption(error)):
            raise
        manager_class.logger.red('Interrupted.')
        sys.exit(status_after(error))


def tell(manager_class: type[Manager], error: MigopyException) -> None:
    """Write an error in red."""
    manager_class.logger.red(error.spelled(FabSpelling(manager_class.TASK_NAME)))


@contextmanager
def connected(manager: Manager) -> Iterator[Manager]:
    """Disconnect a manager at the end of the block.

    Under `fab` an error that it has reported ends in an exit status instead of a
    traceback.
    """
    try:
        with signals.raised() if is_under_fab() else nullcontext():
            yield manager
    except BaseException as error:
        if not is_under_fab():
            if manager.reported is error and isinstance(error, MigopyException):
                raise StopTaskExecution from error
            raise
        if manager.reported is error:
            sys.exit(status_after(error))
        raise
    finally:
        manager.disconnect()


def is_for_a_remote_machine(manager_class: type[Manager]) -> bool:
    """Tell whether to run the command on the machine that Fabric has for this task."""
    wanted = manager_class.REMOTE_DIRECTORY is not None and bool(env.host_string)
    return wanted and not remote.is_sent()


def run_there(
    manager_class: type[Manager], subtask: str | None, option: str | None
) -> None:
    """Run the same command on the remote machine.

    Raise `remote.HostFailed` unless it ends well. Under `fab -w` it is told, and
    Fabric goes on to the next machine.
    """
    command = manager_class.fab_command(subtask, option)
    directory = str(manager_class.REMOTE_DIRECTORY)
    try:
        with signals.raised():
            remote.run(command, directory, manager_class.REMOTE_PREFIX)
    except remote.HostFailed as error:
        if not env.warn_only:
            raise
        tell(manager_class, error)
    except (KeyboardInterrupt, Terminated):
        print()  # Fabric has left the cursor behind the machine's name
        tell(manager_class, remote.left(str(env.host_string)))
        raise


def is_under_fab() -> bool:
    """Tell whether Fabric is running a task; `env.command` is unset in plain Python."""
    return bool(env.get('command'))


def run_hook(
    manager_class: type[Manager], subtask: str | None, option: str | None
) -> None:
    """Call `task_hook`, which fabfiles write with and without `@classmethod`."""
    hook = getattr(manager_class, 'task_hook')  # noqa: B009 - not of the protocol
    is_plain = isinstance(
        inspect.getattr_static(manager_class, 'task_hook'), FunctionType
    )
    if is_plain:
        hook(manager_class, subtask, option)
    else:
        hook(subtask, option)
