"""The command line of Fabric 1, as its own parser reads it.

Like `fab`, the one that imports this room, it imports Fabric 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from fabric.main import parse_arguments
from fabric.state import env

from migopy.face.hook import Manager
from migopy.face.unescaped import TypedWord


def unreadable_word(task: str) -> TypedWord | None:
    """Find a command of a task that Fabric cannot read.

    `None` where it can read all, or where no `fab` is loading the fabfile.
    """
    if not env.get('real_fabfile'):
        return None
    for each in env.get('tasks', ()):
        word = TypedWord.of(each)
        if not word.is_readable and word.task.rpartition('.')[2] == task:
            return word
    return None


def read_words() -> list[tuple[str, list[str], dict[str, str]]]:
    """Read what was typed, without the words that Fabric cannot read.

    Such a word may be the value of one of its own options.
    """
    words = [each for each in sys.argv[1:] if TypedWord.of(each).is_readable]
    return [each[:3] for each in parse_arguments(words)]


def will_tell_in_json(manager_class: type[Manager]) -> bool:
    """Tell whether the `fab` that is loading the fabfile will tell in JSON."""
    if not env.get('real_fabfile'):
        return False
    return any(
        manager_class.wants_json(arguments[0] if arguments else None, named)
        for name, arguments, named in read_words()
        if name.rpartition('.')[2] == manager_class.TASK_NAME
    )


def was_typed_itself(task: str) -> bool:
    """Tell whether a task was typed, not another one of the fabfile that calls it."""
    return task == env.command and any(name == task for name, *_ in read_words())


def times_typed(
    task: str,
    subtask: str | None,
    values: Sequence[str],
    options: Mapping[str, str],
) -> int:
    """Count how often a command was typed in this line, at least once."""
    first = [subtask] if subtask is not None else []
    same = [
        name
        for name, arguments, named in read_words()
        if name == task
        and arguments[:1] == first
        and (arguments[1:], named) == (list(values), dict(options))
    ]
    return len(same) or 1
