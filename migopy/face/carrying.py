"""What a task of Invoke does: carry out a command, on this machine or another one."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from invoke.context import Context

from migopy import signals
from migopy.commands import Command, Part, Spelling, spelled
from migopy.errand import Errand, carrying_out, id_of, spelling_here
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import hosts, program
from migopy.face.asking import ask_first
from migopy.face.flags import Flag, arguments
from migopy.face.hook import Manager, run_hook, settle
from migopy.face.in_json import told_in_json
from migopy.face.marked import READING
from migopy.face.process import leave, require_shown
from migopy.face.sent import pack, taken, unpack
from migopy.face.spelling import FlagSpelling
from migopy.face.subtasks import WrongOptions, as_typed
from migopy.signals import is_interruption

#: Stands for this process, in the ids of its commands.
LINE = uuid.uuid4()


class Commands(NamedTuple):
    """What the tasks of one namespace share: the manager, and each command's flags.

    `default` is the command for no name.
    """

    manager_class: type[Manager]
    flags: Mapping[str, Sequence[Flag]]
    default: str


class Typed(NamedTuple):
    """A command as it was typed, and the machine that Fabric has for it, if any."""

    command: Command
    body: Callable[..., Any]
    given: Mapping[str, Any]
    connection: Any

    @property
    def text(self) -> str | None:
        """Give what `task_hook` gets: the values and options as Fabric 1 has them."""
        return as_typed(self.command.values, self.command.options)

    @property
    def name(self) -> str | None:
        """Give the command's name, `None` where only the collection's was typed."""
        return self.command.name or None

    @property
    def whole(self) -> str:
        """Give all of it, to tell it from other commands."""
        return f'{self.name or ""},{self.text or ""}'


def under_invoke(
    commands: Commands,
    name: str,
    body: Callable[..., Any],
    context: Context,
    given: Mapping[str, Any],
) -> Any:
    """Carry out what was typed, here or there, and end with an exit status.

    An error of migopy's is told in red, and so is Ctrl-C.
    """
    settle()
    manager_class = commands.manager_class
    connection = _connection(context)
    spelling: Spelling = spelling_behind(commands, body, _before(connection))
    try:
        typed = _typed(commands, name, body, given, connection)
        errand = _errand(commands, typed)
        # From here on, what is to be typed next is for where the command came from.
        spelling = errand.spelling or spelling
        with carrying_out(errand):
            return _carry_out(commands, typed, errand, bool(context.config.run.dry))
    except StopTaskExecution:
        return None
    except MigopyException as error:
        manager_class.speaker().red(error.spelled(spelling))
        leave(error)
    except BaseException as error:
        if not is_interruption(error):
            raise
        manager_class.speaker().red('Interrupted.')
        leave(error)


def _typed(
    commands: Commands,
    name: str,
    body: Callable[..., Any],
    given: Mapping[str, Any],
    connection: Any,
) -> Typed:
    """Read what was typed; raises `WrongOptions`."""
    flags = commands.flags[name]
    try:
        values, options = arguments(flags, given)
    except ValueError as error:
        raise WrongOptions(
            name, f'{error}; nothing was done', Command('help', name)
        ) from error
    is_bare = name == commands.default and not (values or options)
    command = Command('' if is_bare else name, *values, **options)
    return Typed(command, body, given, connection)


def _errand(commands: Commands, typed: Typed) -> Errand:
    """Give the errand of a command: the one that was sent along with it, or a new one.

    Raises `NotForHere` for one that was sent with another command.
    """
    received = taken()
    if received is not None:
        errand = unpack(received, typed.whole)
    else:
        times = program.times_typed(typed.body, typed.given)
        given = id_of(LINE, typed.whole)
        errand = Errand(given, times, _before(typed.connection))
    spelling = spelling_behind(commands, typed.body, errand.before)
    return dataclasses.replace(errand, spelling=spelling)


def _carry_out(commands: Commands, typed: Typed, errand: Errand, is_dry: bool) -> Any:
    """Call the hook, then run the command, here or on the machine of this task.

    With `is_dry`, Invoke's own `--dry`, a command that changes anything is not run; it
    is said how to try it.
    """
    manager_class, command = commands.manager_class, typed.command
    with told_in_json(manager_class, typed.name, command.options):
        run_hook(manager_class, typed.name, typed.text)
    connection, name = typed.connection, command.name or commands.default
    if connection is not None and not errand.is_sent:
        from migopy.face.connection import is_first, name_of

        names = program.hosts()
        voice = manager_class.speaker()
        if hosts.is_once(command.name, command.options) and not is_first(
            connection, names
        ):
            return voice.white(f'{command.name} has been run for {names[0]} already')
        if manager_class.REMOTE_DIRECTORY is not None:
            _run_there(commands, typed, errand)
            return require_shown(name, command.values, command.options)
        if not voice.is_custom:
            voice.white(hosts.runs_here(name_of(connection)))
    if is_dry and name not in READING:
        said = _not_run(command, commands.flags[command.name])
        spelling = spelling_behind(commands, typed.body, errand.before)
        return manager_class.speaker().white(spelled(said, spelling))
    result = _run_here(manager_class, command)
    require_shown(name, command.values, command.options)
    return result


def _not_run(command: Command, flags: Sequence[Flag]) -> list[Part]:
    """Say that a command was not run, and how to try it where it can be tried."""
    said: list[Part] = [
        'Not run, because of --dry (-R), an option of Invoke: ',
        command,
    ]
    if any(each.name == 'dry_run' for each in flags):
        said += ['\nTo see what it would do: ', command.having(dry_run='yes')]
    return said


def _run_here(manager_class: type[Manager], command: Command) -> Any:
    """Run a command on this machine.

    An error that the person has been told of ends the process without a traceback.
    """
    name = command.name or None
    with told_in_json(manager_class, name, command.options):
        manager = manager_class()
    try:
        with signals.raised():
            return manager.perform(name, command.values, command.options)
    except BaseException as error:
        if manager.has_told(error):
            manager.disconnect()
            leave(error)
        raise
    finally:
        manager.disconnect()


def _run_there(commands: Commands, typed: Typed, errand: Errand) -> None:
    """Run the same command on the machine that Fabric has for this task.

    Raises `HostFailed` unless it ends well. Under `fab -w` it is told, and Fabric goes
    on to the next machine.
    """
    from migopy.face import connection

    manager_class, machine = commands.manager_class, typed.connection
    host = connection.name_of(machine)
    directory = str(manager_class.REMOTE_DIRECTORY)
    words = [*program.name_words(), *program.option_words(program.SENT_ALONG)]
    command = spelling_behind(commands, typed.body, words).command(typed.command)
    sent = pack(errand, typed.whole, directory)
    spelling = spelling_here(manager_class.TASK_NAME)
    ask_first(typed.command, host, spelling)
    options = typed.command.options
    in_json = manager_class.wants_json(typed.name, options)
    prefix = manager_class.REMOTE_PREFIX
    try:
        with told_in_json(manager_class, typed.name, options):
            connection.run(machine, command, directory, prefix, sent, in_json)
    except hosts.HostFailed as error:
        if not machine.config.run.warn:
            raise
        manager_class.speaker().red(error.spelled(spelling))
    except (KeyboardInterrupt, signals.Terminated):
        if not machine.is_connected:
            manager_class.speaker().red(hosts.left(host).spelled(spelling))
        raise


def _connection(context: Context) -> Any:
    """Give a task's machine; `None` under Invoke, which has no machines."""
    if type(context) is Context:
        return None
    try:
        from migopy.face.connection import is_connection
    except ImportError:
        return None
    return context if is_connection(context) else None


def _before(connection: Any) -> list[str]:
    """Give the words that lead to the same place again: the program and its options.

    If the fabfile itself made the connection, the words name its host. Invoke alone
    cannot go there, but Fabric can, with Invoke's file.
    """
    words = program.words_before()
    if connection is None or program.hosts():
        return words
    from migopy.face.connection import name_of

    return [*program.as_fabric(words), '-H', name_of(connection)]


def spelling_behind(
    commands: Commands, body: Callable[..., Any], before: Sequence[str]
) -> FlagSpelling:
    """Give how commands are typed behind some words."""
    name = program.collection_of(body)
    collection = commands.manager_class.TASK_NAME if name is None else name
    return FlagSpelling(
        before, collection, commands.flags, commands.default, program.has_dashes()
    )
