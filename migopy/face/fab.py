"""The task of Fabric 1: a subtask and its options in, an exit status out.

This room and `remote`, which it alone imports, are the importers of Fabric 1. It is
itself imported only when a task is created.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol

from fabric.api import settings
from fabric.main import parse_arguments
from fabric.state import commands, env

from migopy import signals
from migopy.commands import Command
from migopy.errand import ERRAND, Errand, carrying_out, id_of, spelling_here
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import remote
from migopy.face.asking import ask_first
from migopy.face.help import ESSENTIALS
from migopy.face.hook import Manager, run_hook, settle
from migopy.face.hosts import HostFailed, left, runs_here
from migopy.face.in_json import told_in_json
from migopy.face.leading_words import words_before
from migopy.face.sent import SENT, pack, taken, unpack
from migopy.face.tasks import mark, task_name
from migopy.face.typed import ONCE, as_typed
from migopy.face.unescaped import Unescaped, Word
from migopy.signals import Terminated, is_interruption, status_after
from migopy.terminal import keep_stdout_for_good


class RemoteManager(Manager, Protocol):
    """A manager that names its command for another machine, as those of 1.0 do."""

    @classmethod
    def fab_command(cls, subtask: str | None, option: str | None) -> str:
        """Give the command that runs a subtask elsewhere."""


#: What this process was started for; its forked children (`fab -P`) have the same.
LINE = uuid.uuid4()


def create(manager_class: type[RemoteManager]) -> Callable[..., Any]:
    """Make the function that Fabric calls.

    It must stay a plain function: one Fabric `Task` object in a fabfile hides all
    its plain functions.
    """
    taken()
    require_readable(manager_class)
    if is_typed_for_json(manager_class):
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
    if manager_class.wants_json(subtask, options) and is_typed(errand.task):
        keep_stdout_for_good()
    with carrying_out(errand), exit_status(manager_class):
        received = taken()
        if received is not None:
            errand = unpack(received, typed(subtask, as_typed(values, options)))
        # Told in here, an error says what leads to where the command came from.
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
    sent = {SENT: pack(errand, typed(subtask, option), None)}
    in_json = partial(told_in_json, manager_class, subtask, options)
    shell_env = {**env.shell_env, **(sent if env.host_string else {})}
    with settings(shell_env=shell_env), in_json():
        run_hook(manager_class, subtask, option)
    if is_for_a_remote_machine(manager_class):
        return run_there(manager_class, subtask, option, options, errand)
    if subtask in ONCE and remote.is_turn_of_another_host():
        first = env.all_hosts[0]
        manager_class.speaker().white(f'{subtask} has been run for {first} already')
        return None
    say_where(manager_class)
    with in_json():
        manager = manager_class()
    with connected(manager):
        return manager.perform(subtask, values, options)


def require_readable(manager_class: type[RemoteManager]) -> None:
    """End the `fab` that loads the fabfile where it could not read a command.

    It would end with a traceback of its own parser.
    """
    if not env.get('real_fabfile'):
        return
    for each in env.get('tasks', ()):
        word = Word.of(each)
        if word.is_readable or word.task.rpartition('.')[2] != manager_class.TASK_NAME:
            continue
        try:
            with told_in_json(manager_class, word.subtask, word.options):
                raise Unescaped(word)
        except Unescaped as error:
            tell(manager_class, error)
            sys.exit(1)


def read_words() -> list[tuple[str, list[str], dict[str, str]]]:
    """Read what was typed, but what Fabric could not, an option's value perhaps."""
    words = [each for each in sys.argv[1:] if Word.of(each).is_readable]
    return [each[:3] for each in parse_arguments(words)]


def is_typed_for_json(manager_class: type[RemoteManager]) -> bool:
    """Tell whether the `fab` that loads the fabfile is to run a command in JSON."""
    if not env.get('real_fabfile'):
        return False
    return any(
        manager_class.wants_json(arguments[0] if arguments else None, named)
        for name, arguments, named in read_words()
        if name.rpartition('.')[2] == manager_class.TASK_NAME
    )


def is_typed(task: str) -> bool:
    """Tell whether a task was typed itself, by whatever name, not what calls it."""
    return task == env.command and any(name == task for name, *_ in read_words())


def typed(subtask: str | None, option: str | None) -> str:
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
    same = [
        name
        for name, arguments, named in read_words()
        if name == task
        and arguments[:1] == ([subtask] if subtask is not None else [])
        and (arguments[1:], named) == (list(values), dict(options))
    ]
    given = id_of(LINE, typed(subtask, as_typed(values, options)))
    return Errand(given, len(same) or 1, words_before(words, task, commands), task)


@contextmanager
def exit_status(manager_class: type[RemoteManager]) -> Iterator[None]:
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
        manager_class.speaker().red('Interrupted.')
        sys.exit(status_after(error))


def tell(manager_class: type[RemoteManager], error: MigopyException) -> None:
    """Write an error in red."""
    spelling = spelling_here(manager_class.TASK_NAME)
    manager_class.speaker().red(error.spelled(spelling))


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
            if manager.has_told(error) and isinstance(error, MigopyException):
                raise StopTaskExecution from error
            raise
        if manager.has_told(error):
            sys.exit(status_after(error))
        raise
    finally:
        manager.disconnect()


def is_for_a_remote_machine(manager_class: type[RemoteManager]) -> bool:
    """Tell whether to run the command on the machine that Fabric has for this task."""
    wanted = manager_class.REMOTE_DIRECTORY is not None and bool(env.host_string)
    return wanted and not remote.is_sent()


def say_where(manager_class: type[RemoteManager]) -> None:
    """Say that a machine which Fabric has for the task has no part in it."""
    voice = manager_class.speaker()
    if env.host_string and not remote.is_sent() and not voice.is_custom:
        voice.white(runs_here(str(env.host_string)))


def run_there(
    manager_class: type[RemoteManager],
    subtask: str | None,
    option: str | None,
    options: Mapping[str, str],
    errand: Errand,
) -> None:
    """Run the same command on the remote machine.

    Raise `HostFailed` unless it ends well. Under `fab -w` it is told, and
    Fabric goes on to the next machine.
    """
    command = manager_class.fab_command(subtask, option)
    directory = str(manager_class.REMOTE_DIRECTORY)
    sent = pack(errand, typed(subtask, option), directory)
    if subtask in ONCE and remote.is_turn_of_another_host():
        first = env.all_hosts[0]
        manager_class.speaker().white(f'{subtask} has been run on {first} already')
        return
    typed_again = Command.parse(f'{subtask},{option}' if option else subtask or '')
    spelling = spelling_here(manager_class.TASK_NAME)
    ask_first(typed_again, str(env.host_string), spelling)
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
