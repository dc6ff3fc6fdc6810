"""The tasks for Fabric 2 and 3 and for Invoke: a task for each command.

This room, `carrying` and `connection` are the importers of Invoke and of Fabric 2 and
3. It is itself imported only when a namespace is created.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task

from migopy.commands import Command, Usage
from migopy.errors import MigopyException
from migopy.face import program
from migopy.face.carrying import Commands, spelling_behind, under_invoke
from migopy.face.flags import explained, flags_of, with_json
from migopy.face.help import as_typed_here
from migopy.face.hook import Manager
from migopy.face.sent import taken
from migopy.face.typed import Subtask, Subtasks, explanation, usage_of


class ValuesBehindCommas(MigopyException):
    """A command typed as Fabric 1 has it, with values; `command` is what it means."""

    def __init__(self, command: Command) -> None:
        self.command = command
        super().__init__(
            'This Fabric has values typed behind flags; nothing was done.\nType: ',
            command,
        )


def create(
    manager_class: type[Manager], subtasks: Subtasks, others: Sequence[Any]
) -> Collection:
    """Make the namespace: the commands' collection, and the fabfile's other tasks.

    A command typed as Fabric 1 has it, `migrations:execute`, is a task of that name,
    made where it was typed: so it is in no list of tasks. With values it is an error
    that says what to type.
    """
    taken()
    flags = {
        each.__name__: with_json(flags_of(usage_of(each, each.__name__).parameters))
        for each in subtasks
    }
    commands = Commands(manager_class, flags, subtasks.default.__name__)
    collection = Collection(manager_class.TASK_NAME)
    namespace = Collection(*others)
    words = program.first_words()
    for subtask in subtasks:
        task = task_of(commands, subtask)
        collection.add_task(task)
        habit = f'{manager_class.TASK_NAME}:{task.name}'
        if habit in words:
            namespace.add_task(task, name=habit, default=False)
        elif words[:1] and words[0].startswith(f'{habit},'):
            meant = Command.parse(words[0].partition(':')[2])
            spelling = spelling_behind(commands, task.body, program.name_words())
            told = ValuesBehindCommas(meant).spelled(spelling)
            manager_class.speaker().red(told)
            sys.exit(1)
    namespace.add_collection(collection)
    return namespace


def task_of(commands: Commands, subtask: Subtask) -> Task[Callable[..., Any]]:
    """Make the task of a command; its signature and docstring say how it is typed."""
    name = subtask.__name__
    flags = commands.flags[name]

    def body(context: Context, /, **given: Any) -> Any:
        return under_invoke(commands, name, body, context, given)

    first, rest = explanation(subtask)
    rest = explained(rest, flags)
    spelling = spelling_behind(commands, body, program.name_words())
    body.__name__ = name
    rest = as_typed_here(rest, Usage(name, ()), spelling)
    body.__doc__ = f'{first}\n\n{rest}'.strip()
    # Invoke reads it: needed ones come first, and each flag gets its kind from its
    # default.
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
    return Task(
        body,
        name=name,
        default=name == commands.default,
        positional=[flag.name for flag in flags if flag.is_needed],
        iterable=[flag.name for flag in flags if flag.is_many],
        # A letter that moves when a command gets one more option is no help.
        auto_shortflags=False,
    )
