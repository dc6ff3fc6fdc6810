"""The task of Fabric 1: takes a subtask and its options, gives an exit status.

This room, `fab_line` and `remote` are the importers of Fabric 1. It is itself imported
only when a task is created.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol

from fabric.api import settings
from fabric.state import commands, env

from migopy import signals
from migopy.commands import Command
from migopy.errand import ERRAND, Errand, carrying_out, id_of, spelling_here
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import remote
from migopy.face.asking import ask_first
from migopy.face.fab_line import (
    times_typed,
    unreadable_word,
    was_typed_itself,
    will_tell_in_json,
)
from migopy.face.fabfile_tasks import mark, task_name
from migopy.face.help import ESSENTIALS
from migopy.face.hook import Manager, run_hook, settle
from migopy.face.hosts import HostFailed, is_once, left, runs_here
from migopy.face.in_json import told_in_json
from migopy.face.leading_words import words_before
from migopy.face.process import leave, require_shown
from migopy.face.sent import SENT, pack, taken, unpack
from migopy.face.subtasks import as_typed
from migopy.face.unescaped import Unescaped
from migopy.signals import Terminated, is_interruption
from migopy.terminal import keep_stdout_for_good


class RemoteManager(Manager, Protocol):
    """A manager that names its command for another machine, as those of 1.0 do."""

    @classmethod
    def fab_command(cls, subtask: str | None, option: str | None) -> str:
        """Give the command that runs a subtask elsewhere."""


#: The command for no name.
STATUS = 'show_status'

#: Stands for this process, and its forked children (`fab -P`), in the ids of commands.
LINE = uuid.uuid4()


def create(manager_class: type[RemoteManager]) -> Callable[..., Any]:
    """Make the function that Fabric calls.

    It must stay a plain function: a single `Task` object of Fabric in a fabfile hides
    all plain functions.
    """
    taken()
    require_readable(manager_class)
    if will_tell_in_json(manager_class):
        # Fabric itself writes to stdout: `Done.`, say.
        keep_stdout_for_good()

    def migrations(subtask: str | None = None, /, *values: str, **options: str) -> Any:
        if subtask is None:
            subtask = options.pop('subtask', None)
        if is_under_fab():
            return under_fab(manager_class, subtask, values, options)
        with exit_status(manager_class):
            return carry_out(manager_class, subtask, values, options)
        return None

    mark(migrations, manager_class)
    migrations.__name__ = manager_class.TASK_NAME
    # Fabric3's `fab -d` fails on a function with annotations.
    migrations.__annotations__.clear()
    migrations.__doc__ = ESSENTIALS.replace('{task}', manager_class.TASK_NAME)
    return migrations


def under_fab(
    manager_class: type[RemoteManager],
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
) -> Any:
    """Carry out what was typed, on this machine or on another one."""
    settle()
    if remote.is_sent() and remote.is_turn_of_another_host():
        # A fabfile that sets `env.hosts` sets it on the remote machine too.
        return None
    errand = local_errand(manager_class, subtask, values, options)
    if manager_class.wants_json(subtask, options) and was_typed_itself(errand.task):
        keep_stdout_for_good()
    with carrying_out(errand), exit_status(manager_class):
        received = taken()
        if received is not None:
            errand = unpack(received, text_typed(subtask, as_typed(values, options)))
        # An error told in here spells commands for the machine that sent this one.
        with carrying_out(errand), exit_status(manager_class):
            return carry_out(manager_class, subtask, values, options)
    return None


def carry_out(
    manager_class: type[RemoteManager],
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
) -> Any:
    """Call the hook, then run the command, here or on the machine of this task."""
    option = as_typed(values, options)
    errand = ERRAND.get() or Errand()
    sent = {SENT: pack(errand, text_typed(subtask, option), None)}
    in_json = partial(told_in_json, manager_class, subtask, options)
    shell_env = {**env.shell_env, **(sent if env.host_string else {})}
    with settings(shell_env=shell_env), in_json():
        run_hook(manager_class, subtask, option)
    if is_for_a_remote_machine(manager_class):
        run_there(manager_class, subtask, values, options, errand)
        return require_shown(subtask or STATUS, values, options)
    if is_once(subtask, options) and remote.is_turn_of_another_host():
        first = env.all_hosts[0]
        manager_class.speaker().white(f'{subtask} has been run for {first} already')
        return None
    say_where(manager_class)
    with in_json():
        manager = manager_class()
    result = run_here(manager, subtask, values, options)
    require_shown(subtask or STATUS, values, options)
    return result


def require_readable(manager_class: type[RemoteManager]) -> None:
    """End `fab` with a message if its parser cannot read one of the commands.

    Without that it would end with a traceback of its parser, after loading the fabfile.
    """
    word = unreadable_word(manager_class.TASK_NAME)
    if word is None:
        return
    try:
        with told_in_json(manager_class, word.subtask, word.options):
            raise Unescaped(word)
    except Unescaped as error:
        tell(manager_class, error)
        sys.exit(1)


def text_typed(subtask: str | None, option: str | None) -> str:
    """Give what was typed behind the task's name."""
    return f'{subtask or ""},{option or ""}'


def local_errand(
    manager_class: type[RemoteManager],
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
) -> Errand:
    """Make the errand of a command that was typed on this machine."""
    own, words = manager_class.TASK_NAME, sys.argv[1:]
    task = task_name(manager_class, own, str(env.command), commands)
    # Twice the same command in one line is meant.
    times = times_typed(task, subtask, values, options)
    given = id_of(LINE, text_typed(subtask, as_typed(values, options)))
    return Errand(given, times, words_before(words, task, commands), task)


@contextmanager
def exit_status(manager_class: type[RemoteManager]) -> Iterator[None]:
    """Write a `MigopyException` in red; under `fab` end with status 1.

    `StopTaskExecution` ends the block quietly. Under `fab` Ctrl-C is told, too.
    """
    try:
        yield
    except StopTaskExecution:
        return
    except MigopyException as error:
        tell(manager_class, error)
        if is_under_fab():
            leave(error)
    except BaseException as error:
        if not (is_under_fab() and is_interruption(error)):
            raise
        manager_class.speaker().red('Interrupted.')
        leave(error)


def tell(manager_class: type[RemoteManager], error: MigopyException) -> None:
    """Write an error in red."""
    spelling = spelling_here(manager_class.TASK_NAME)
    manager_class.speaker().red(error.spelled(spelling))


def run_here(
    manager: Manager,
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
) -> Any:
    """Run a command on this machine, and disconnect from the server.

    An error that the person has been told of ends it without a traceback: under `fab`
    by an exit status, in plain Python by `StopTaskExecution`.
    """
    is_fab = is_under_fab()
    try:
        with signals.raised() if is_fab else nullcontext():
            return manager.perform(subtask, values, options)
    except BaseException as error:
        if not manager.has_told(error):
            raise
        if is_fab:
            manager.disconnect()
            leave(error)
        if isinstance(error, MigopyException):
            raise StopTaskExecution from error
        raise
    finally:
        manager.disconnect()


def is_for_a_remote_machine(manager_class: type[RemoteManager]) -> bool:
    """Tell whether to run the command on the machine that Fabric has for this task."""
    wanted = manager_class.REMOTE_DIRECTORY is not None and bool(env.host_string)
    return wanted and not remote.is_sent()


def say_where(manager_class: type[RemoteManager]) -> None:
    """Say that the command runs here, if Fabric has a machine for the task."""
    voice = manager_class.speaker()
    if env.host_string and not remote.is_sent() and not voice.is_custom:
        voice.white(runs_here(str(env.host_string)))


def run_there(
    manager_class: type[RemoteManager],
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
    errand: Errand,
) -> None:
    """Run the same command on the remote machine.

    Raises `HostFailed` unless it ends well. Under `fab -w` it is told, and
    Fabric goes on to the next machine.
    """
    option = as_typed(values, options)
    command = manager_class.fab_command(subtask, option)
    directory = str(manager_class.REMOTE_DIRECTORY)
    sent = pack(errand, text_typed(subtask, option), directory)
    if is_once(subtask, options) and remote.is_turn_of_another_host():
        first = env.all_hosts[0]
        manager_class.speaker().white(f'{subtask} has been run on {first} already')
        return
    typed = Command(subtask or '', *values, **options)
    spelling = spelling_here(manager_class.TASK_NAME)
    ask_first(typed, str(env.host_string), spelling)
    try:
        with signals.raised(), told_in_json(manager_class, subtask, options):
            for line in remote.connect():
                manager_class.speaker().white(line)
            in_json = manager_class.wants_json(subtask, options)
            remote.run(command, directory, manager_class.REMOTE_PREFIX, sent, in_json)
    except HostFailed as error:
        if not env.warn_only:
            raise
        tell(manager_class, error)
    except (KeyboardInterrupt, Terminated):
        print()  # Fabric has left the cursor behind the machine's name
        tell(manager_class, left(str(env.host_string)))
        raise


def is_under_fab() -> bool:
    """Tell whether Fabric is running a task; `env.command` is unset in plain Python."""
    return bool(env.get('command'))
