"""Marks on a manager's methods, and whether a manager has many databases."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from migopy.commands import Command, Where
from migopy.origins import ORIGINAL, has_method
from migopy.server import BadSettings

Method = TypeVar('Method', bound=Callable[..., Any])

#: The module of the class that fabfiles derive from.
MANAGER = 'migopy.manager'

#: What `MARK` marks the command with that no name stands for; all others by `True`.
DEFAULT = 'default'

#: Commands that only look, so a mistyped one may be taken for them.
READING = frozenset(
    """
    check help history list settings show_status verify watch
    """.split()  # noqa: SIM905
)

#: Migopy's own commands that are about a database.
OF_DATABASE = frozenset(
    """
    accept adopt baseline check dbdump dbrestore execute forget history ignore list
    pause plan preflight rehearse rename resume rollback show_status speed stop undo
    unlock verify watch work
    """.split()  # noqa: SIM905
)

#: What the options mean that commands have where a manager has many databases.
MEANING_OF_MANY = {
    'only': 'these databases alone: names or patterns, with spaces between them',
    'except_': 'all databases but these',
    'sample': 'so many databases, drawn by lot',
    'canary': 'these databases first; the others only if all is well there',
    'workers': 'so many databases at a time (4)',
    'fail_fast': 'begin no other database after a failure',
    'all': 'all databases, where that has to be said',
}

#: Those options: for which databases a command is, and how it goes through them.
#: `except` can be no parameter.
OF_MANY: Sequence[inspect.Parameter] = [
    inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default='no' if kind == 'str | bool' else None,
        annotation=kind,
    )
    for name, kind in (
        ('only', 'str'),
        ('except_', 'str'),
        ('sample', 'str'),
        ('canary', 'str'),
        ('workers', 'str'),
        ('fail_fast', 'str | bool'),
        ('all', 'str | bool'),
    )
]


def original(method: Method) -> Method:
    """Mark a method as migopy's own, so that an override can be told from it."""
    setattr(method, ORIGINAL, True)
    return method


def has_many(manager: Any) -> bool:
    """Tell whether a manager has many databases, by its setting or its method.

    A command of the fabfile's own that is called `databases` does not count.
    """
    if not hasattr(manager, 'databases'):
        return False
    return has_method(manager) or manager.MONGO_DATABASES is not None


def require_one_kind(manager: Any) -> None:
    """Raise `BadSettings` for a manager that has both one database and many."""
    if has_many(manager) and manager.MONGO_DATABASE:
        raise BadSettings(
            'MONGO_DATABASE is for one database, MONGO_DATABASES (or a method'
            ' databases) for many, and both are set.\nRemove one of them ',
            Where(('MONGO_DATABASE',)),
            ', then type: ',
            Command(),
        )


def is_for_each(manager: Any, name: str) -> bool:
    """Tell whether a command is carried out in each of a manager's many databases.

    The fabfile's own commands are, and those of migopy that are about a database.
    """
    if not has_many(manager):
        return False
    return name in OF_DATABASE or not hasattr(base_of(type(manager)), name)


def is_own(manager: Any, method: Any) -> bool:
    """Tell whether a command is the fabfile's, or overridden by it."""
    of_ours = getattr(base_of(type(manager)), method.__name__, None)
    return getattr(method, '__func__', None) is not of_ours


def base_of(manager_class: type) -> type:
    """Give the class that has migopy's own commands, `MigrationsManager`."""
    ours = [each for each in manager_class.__mro__ if each.__module__ == MANAGER]
    # One that only has other settings may say that it is of that module as well.
    return ours[-1] if ours else object
