"""The functions of a migration file, whichever tool it was written for."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from migopy.commands import Command
from migopy.errors import MigopyException

#: The functions of a file that look, before its `up` and after it.
CONDITIONS = ('require', 'verify')

#: The names of what migopy calls.
OWN = ('up', 'down', *CONDITIONS)

#: What a file has one of whose functions can be found.
SHAPES = (*OWN, 'upgrade', 'migrate', 'Migration', 'Forward', 'mongomig_format')

#: A file's functions by migopy's names for them.
Functions = Mapping[str, Any]


class OtherShape(MigopyException):
    """A file is of a tool whose migrations only that tool can run.

    `name` is the file's, `tool` the tool's name.
    """

    def __init__(self, name: str, tool: str, what: str) -> None:
        self.name = name
        self.tool = tool
        super().__init__(
            f'{name} is a migration of {tool} ({what}), which only {tool} can run, so'
            ' nothing was run.\nWrite `def up(db):` in it that does the same, or, where'
            f' {tool} has run it, mark it as applied: ',
            Command('ignore', name),
        )


def functions_of(module: ModuleType) -> Functions:
    """Give the functions of a migration's module by name: `up`, `down` and so on.

    What is called so in the file is taken as it is. A file without an `up` may have

    - `upgrade(db)` and `downgrade(db)`, as of pymongo-migrate;
    - a class `Migration` with methods `upgrade` and `downgrade` that use `self.db`, as
      of mongodb-migrations; its `__init__`, which would connect, is not called;
    - `migrate(db)`.

    Raises `OtherShape` for files of beanie and mongomig.
    """
    names = vars(module)
    found = {name: names[name] for name in OWN if name in names}
    if 'up' not in found:
        found = {**_of_another_tool(module, names), **found}
    return found


def _of_another_tool(module: ModuleType, names: Mapping[str, Any]) -> Functions:
    file = os.path.basename(str(module.__file__))
    if 'mongomig_format' in names:
        raise OtherShape(file, 'mongomig', 'upgrade(ctx)')
    if inspect.isclass(names.get('Forward')):
        raise OtherShape(file, 'beanie', 'class Forward')
    if callable(names.get('upgrade')):
        return _named(names.get, {'up': 'upgrade', 'down': 'downgrade'})
    migration = names.get('Migration')
    if inspect.isclass(migration) and hasattr(migration, 'upgrade'):
        methods = _named(vars_of(migration).get, {'up': 'upgrade', 'down': 'downgrade'})
        return {name: _of_instance(migration, methods[name]) for name in methods}
    return _named(names.get, {'up': 'migrate'})


def _named(get: Callable[[str], Any], names: Mapping[str, str]) -> Functions:
    found = {name: get(theirs) for name, theirs in names.items()}
    return {name: each for name, each in found.items() if callable(each)}


def vars_of(cls: type) -> dict[str, Any]:
    """Give the attributes of a class and of those that it derives from."""
    return {name: getattr(cls, name) for name in dir(cls)}


def _of_instance(cls: type, method: Callable[..., Any]) -> Callable[[Any], object]:
    """Make a method that uses `self.db` a function of a database."""

    def instance(db: Any) -> Any:
        made: Any = object.__new__(cls)
        made.db = db
        return made

    def function(db: Any) -> object:
        return method(instance(db))

    async def asynchronous(db: Any) -> object:
        return await method(instance(db))

    return asynchronous if inspect.iscoroutinefunction(method) else function
