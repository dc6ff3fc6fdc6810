"""Which of a fabfile's tasks are migopy's, and what they are called there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: The attribute of a task's function that has its manager's class. Fabric's decorators
#: and task objects pass it on.
MANAGER = 'migopy_manager'


def mark(function: Callable[..., Any], manager_class: type) -> None:
    """Note whose task a function is."""
    setattr(function, MANAGER, manager_class)


def task_name(manager_class: type, own: str, running: str, tasks: object) -> str:
    """Give the name by which a manager's task is typed: `db.migrations`, say.

    `running` is the task that Fabric runs, `tasks` are the fabfile's, `own` is the name
    that the manager has for its task. The task that runs may be another one, which
    calls the manager's. The name of another manager's task would lead to other data.
    """
    names = dict(_names(tasks))
    if names.get(running) is manager_class:
        return running
    if running.rpartition('.')[2] == own and names.get(running) is None:
        return running
    of_it = [name for name, of in names.items() if of is manager_class]
    return own if own in of_it or not of_it else min(of_it)


def _names(tasks: object, inside: str = '') -> Iterator[tuple[str, object]]:
    """Give the name of each task, and its manager.

    A module that has a default task is itself a task, by the module's name.
    """
    if not isinstance(tasks, Mapping):
        return
    for name, task in tasks.items():
        yield f'{inside}{name}', _manager_of(task)
        yield from _names(task, f'{inside}{name}.')


def _manager_of(task: object) -> object:
    if isinstance(task, Mapping):
        task = getattr(task, 'default', None)
    return getattr(task, MANAGER, None)
