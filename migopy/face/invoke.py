"""The tasks for Fabric 2 and 3 and for Invoke: a task for each command.

Only this room, `carrying` and `connection` import Invoke and Fabric 2 and 3. It is
itself imported when a namespace is created.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import invoke
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task

from migopy.commands import Command, Spelling
from migopy.errand import Errand, carrying_out
from migopy.errors import MigopyException
from migopy.face import program
from migopy.face.carrying import Commands, spelling_behind, under_invoke
from migopy.face.flags import Flag, flags_of, with_json
from migopy.face.help import as_typed_here
from migopy.face.hook import Manager
from migopy.face.in_json import told_in_json
from migopy.face.marked import MEANING_OF_MANY, OF_MANY
from migopy.face.mistyped import (
    MIGRATION,
    mistake_in,
    path_in,
    underscored,
    unknown_in,
)
from migopy.face.sent import taken
from migopy.face.spelling import FlagSpelling
from migopy.face.subtasks import (
    Subtask,
    Subtasks,
    UnknownSubtask,
    WrongOptions,
    explanation,
    usage_of,
)
from migopy.face.which_fabric import OldInvoke, fabrics

#: A migration behind a command of which nothing is known.
A_MIGRATION = Flag(
    inspect.Parameter('migration', inspect.Parameter.POSITIONAL_OR_KEYWORD),
    'migration',
    is_needed=True,
    is_switch=False,
    is_on=False,
)


class ValuesBehindCommas(MigopyException):
    """A command was typed as in Fabric 1, with values; `command` is what it means."""

    def __init__(self, command: Command) -> None:
        self.command = command
        super().__init__(
            'Values are typed behind flags here; nothing was done.\nType: ',
            command,
        )


def create(
    manager_class: type[Manager], subtasks: Subtasks, others: Sequence[Any]
) -> Collection:
    """Make the namespace: the commands' collection, and the fabfile's other tasks.

    A command typed as in Fabric 1, `migrations:execute`, is a task of that name. It is
    made only if it was typed, so that no list of tasks shows it. With values it is an
    error that says what to type, as are an unknown command and an unknown flag.
    """
    if sys.version_info >= (3, 11) and invoke.__version__.startswith(('0.', '1.')):
        raise OldInvoke(invoke.__version__, fabrics())
    taken()
    flags = {
        each.__name__: with_json(flags_of(usage_of(each, each.__name__).parameters))
        for each in subtasks
    }
    commands = Commands(manager_class, flags, subtasks.default.__name__)
    collection = Collection(manager_class.TASK_NAME)
    namespace = Collection(*others)
    words = program.first_words()
    inside = path_in(words, manager_class.TASK_NAME)
    mistake = mistake_in(words, inside, flags, commands.default, program.own_flags())
    if mistake is not None and inside == manager_class.TASK_NAME:
        _refuse(manager_class, mistake, mistake.subtask, _spelling(commands, inside))
    unknown = unknown_in(words, manager_class.TASK_NAME, flags)
    if unknown:
        # If the fabfile has a task of that name, it takes the place of this one.
        collection.add_task(task_for_unknown(commands, unknown), name=unknown)
    for subtask in subtasks:
        task = task_of(commands, subtask)
        if mistake is not None and mistake.subtask == task.name:
            # It is in another collection, where the fabfile may have one of that name.
            task = task_for_mistake(commands, mistake, words[1:])
        collection.add_task(task)
        habit = f'{manager_class.TASK_NAME}:{task.name}'
        if any(underscored(each).rpartition('.')[2] == habit for each in words):
            namespace.add_task(task, name=habit, default=False)
        elif underscored((words or [''])[0]).startswith(f'{inside}:{task.name},'):
            meant = Command.parse(words[0].partition(':')[2])
            spelling = _spelling(commands, inside)
            _refuse(manager_class, ValuesBehindCommas(meant), meant.name, spelling)
    namespace.add_collection(collection)
    return namespace


def _spelling(commands: Commands, collection: str) -> FlagSpelling:
    """Give how commands are typed, before the program knows its tasks."""
    before = program.words_before()
    return FlagSpelling(before, collection, commands.flags, commands.default)


def _refuse(
    manager_class: type[Manager], error: MigopyException, name: str, spelling: Spelling
) -> NoReturn:
    """Tell an error, in JSON too if that was typed, and end the process."""
    in_json = {'json': 'yes'} if '--json' in program.first_words() else {}
    try:
        errand = Errand(spelling=spelling)
        with carrying_out(errand), told_in_json(manager_class, name, in_json):
            raise error
    except MigopyException:
        manager_class.speaker().red(error.spelled(spelling))
        sys.exit(1)


def task_for_unknown(commands: Commands, name: str) -> Task[Callable[..., Any]]:
    """Make the task for an unknown command: it says which ones there are.

    It takes any flag that a command has, and a migration, or Invoke would say of those
    that they are wrong.
    """

    def body(context: Context, **_given: Any) -> None:
        spelling = spelling_behind(commands, body, program.words_before())
        error = UnknownSubtask(name, sorted(commands.flags))
        _refuse(commands.manager_class, error, name, spelling)

    of_all = [each for flags in commands.flags.values() for each in flags]
    known = {each.name: each._replace(is_needed=False) for each in of_all}
    behind = program.first_words()[1:2]
    if any(map(MIGRATION.fullmatch, behind)):
        # A command of the manager's own may have a flag of this name.
        known[A_MIGRATION.name] = A_MIGRATION
    _sign(body, list(known.values()))
    positional = [each.name for each in known.values() if each.is_needed]
    return Task(body, name=name, positional=positional, auto_shortflags=False)


def task_for_mistake(
    commands: Commands, error: WrongOptions, behind: Sequence[str]
) -> Task[Callable[..., Any]]:
    """Make the task for a command with a mistake `behind` it: it tells the error.

    It takes what was typed, or Invoke would say only that it has no idea what that is.
    """

    def body(context: Context, **_given: Any) -> None:
        spelling = spelling_behind(commands, body, program.words_before())
        _refuse(commands.manager_class, error, error.subtask, spelling)

    flags = commands.flags[error.subtask]
    known = {each.name: each._replace(is_needed=False) for each in flags}
    migrations = [each for each in behind if MIGRATION.fullmatch(each)]
    for number in range(len(migrations)):
        name = f'migration_{number}'
        known[name] = A_MIGRATION._replace(name=name)
    for word in behind:
        flag, equals, _ = word.partition('=')
        name = underscored(flag.lstrip('-'))
        if word.startswith('--') and name.isidentifier() and name not in known:
            is_switch = not equals
            known[name] = A_MIGRATION._replace(
                name=name, is_needed=False, is_switch=is_switch
            )
    _sign(body, list(known.values()))
    positional = [each.name for each in known.values() if each.is_needed]
    is_default = error.subtask == commands.default
    return Task(
        body,
        name=error.subtask,
        default=is_default,
        positional=positional,
        auto_shortflags=False,
    )


def task_of(commands: Commands, subtask: Subtask) -> Task[Callable[..., Any]]:
    """Make the task of a command; its signature and docstring say how it is typed."""
    name = subtask.__name__
    flags = commands.flags[name]

    def body(context: Context, /, **given: Any) -> Any:
        return under_invoke(commands, name, body, context, given)

    first, rest = explanation(subtask)
    spelling = spelling_behind(commands, body, program.words_before())
    body.__name__ = name
    rest = as_typed_here(rest, usage_of(subtask, name), spelling)
    body.__doc__ = f'{first}\n\n{rest}'.strip()
    _sign(body, flags)
    return Task(
        body,
        name=name,
        default=name == commands.default,
        positional=[flag.name for flag in flags if flag.is_needed],
        iterable=[flag.name for flag in flags if flag.is_many],
        help={
            flag.name: MEANING_OF_MANY[flag.name]
            for flag in flags
            if flag.parameter in OF_MANY
        },
        # A letter that moves when a command gets one more option is no help.
        auto_shortflags=False,
    )


def _sign(body: Callable[..., Any], flags: Sequence[Flag]) -> None:
    """Give a task's function the signature that Invoke reads.

    Needed flags come first, and each gets its kind from its default. Invoke 1 takes no
    annotations.
    """
    parameters = [
        inspect.Parameter(
            'context' if flag is None else flag.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty
            if flag is None or flag.is_needed
            else (flag.is_on if flag.is_switch else None),
        )
        for flag in (None, *sorted(flags, key=lambda flag: not flag.is_needed))
    ]
    setattr(body, '__signature__', inspect.Signature(parameters))  # noqa: B010
