"""The project that a command is about: its manager, and settings from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from migopy.errors import MigopyException
from migopy.face.configuration import (
    MANAGER,
    PREFIX,
    BadSetting,
    from_environment,
    from_table,
)
from migopy.face.discovery import (
    FoundManager,
    NoManager,
    by_name,
    by_search,
    folders_around,
)
from migopy.face.pyproject import Table, table_in
from migopy.face.subtasks import Subtasks
from migopy.origins import Given, over, where_of
from migopy.server import CHECKS, ServerUri

PROJECT = 'PROJECT_DIRECTORY'

#: Settings that `MONGO_URI` overrides, and those that it overrides if it names a user.
UNDER_URI = ('MONGO_HOST', 'MONGO_PORT')
UNDER_USER = ('MONGO_USER', 'MONGO_USER_PASS', 'MONGO_USER_PASSWORD')

#: Settings that this command does not look at.
OF_FABRIC = ('REMOTE_DIRECTORY', 'REMOTE_PREFIX', 'TASK_NAME')

#: The two names of the password.
PASSWORDS = ('MONGO_USER_PASS', 'MONGO_USER_PASSWORD')


class Project(NamedTuple):
    """A manager's class, in which settings from elsewhere override its own.

    `place` says which file has the class, `''` if none has. `given` says of each such
    setting where it comes from.
    """

    manager_class: type[Any]
    place: str
    given: Mapping[str, str]


class NothingFound(MigopyException):
    """Neither a manager nor a setting is to be found from `folder` on."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f'Neither {folder} nor a folder around it has a migopyfile.py or a'
            ' fabfile.py with a class that derives from migopy.MigrationsManager,'
            ' and no settings are given.\n'
            'Go to the folder of the project, or name the class: --manager'
            ' FILE.py:CLASS, or set MIGOPY_MONGO_URI and MIGOPY_MONGO_DATABASE.'
        )


def project_here(base: type[Any], which: str | None) -> Project:
    """Find the manager, and override its settings by those from elsewhere.

    pyproject.toml overrides the class, and the environment overrides both. `which` is
    what `--manager` says. Raises `NothingFound`, `NoManager`, `SeveralManagers`,
    `NotLoaded`, `BadSetting`.
    """
    folder = working_directory()
    table = table_in(folders_around(folder))
    around = os.path.dirname(table.file)
    manager = _manager(base, which, folder, table)
    layers = [
        from_table(table.content, table.file),
        from_environment(os.environ),
    ]
    if manager is None:
        if not any(layers):
            raise NothingFound(folder)
        manager = FoundManager(base, '', around or folder)
    given = together(manager.manager_class, layers)
    where = {name: each.where for name, each in given.items()}
    given[PROJECT] = _directory(manager, given, os.path.basename(table.file))
    return Project(over(manager.manager_class, given), manager.place, where)


def _manager(
    base: type[Any], which: str | None, folder: str, table: Table
) -> FoundManager | None:
    """Find the manager that somebody has named, else the one that the folders have.

    The command line is asked first, then the environment, then pyproject.toml.
    """
    if which:
        return by_name(which, folder, base)
    of_variable = os.environ.get(MANAGER)
    if of_variable:
        return by_name(of_variable, folder, base, f'{MANAGER}=')
    if 'manager' not in table.content:
        return by_search(folder, base)
    of_table = table.content['manager']
    if not isinstance(of_table, str):
        raise BadSetting(
            'manager in pyproject.toml',
            f' = {of_table!r} must be a text: FILE.py:CLASS or MODULE:CLASS.',
        )
    option = 'manager in pyproject.toml = '
    return by_name(of_table, os.path.dirname(table.file), base, option)


def subtasks_of(manager_class: type[Any], base: type[Any]) -> Subtasks:
    """Give the commands of a class, for a look at their signatures and docstrings.

    None is called, so the manager is made without `__init__`, which would check its
    settings and connect.
    """
    return Subtasks(object.__new__(manager_class), base)


def together(
    manager_class: type[Any], layers: Sequence[Mapping[str, Given]]
) -> dict[str, Given]:
    """Put layers of settings together; each overrides those before it.

    Raises `BadSetting` for a setting that would have no effect, because of one in an
    earlier layer.
    """
    given: dict[str, Given] = {}
    for layer in layers:
        _require_effect(layer, _value(manager_class, given, 'MONGO_URI'))
        given.update(layer)
        for name, other in (PASSWORDS, PASSWORDS[::-1]):
            if name in layer and other not in layer:
                given[other] = Given(None, layer[name].where)
    return given


def _require_effect(layer: Mapping[str, Given], uri: Given) -> None:
    """Raise `BadSetting` for a setting in a layer that would have no effect.

    `uri` is the `MONGO_URI` of the layers before.
    """
    for name in OF_FABRIC:
        if name in layer:
            raise BadSetting(
                layer[name].where,
                ' would have no effect, as only Fabric and Invoke look at it, which'
                ' take it from the class alone. Set it there.',
            )
    if not uri.value or 'MONGO_URI' in layer:
        return
    names = list(UNDER_URI)
    names += UNDER_USER if ServerUri.of(str(uri.value)).user else ()
    for name in layer:
        if name in names:
            raise BadSetting(
                layer[name].where,
                f' would have no effect, as MONGO_URI ({uri.where}) stands over it.'
                f' Set {PREFIX}MONGO_URI instead.',
            )


def working_directory() -> str:
    """Give the working directory; raises `NoManager` where that is gone."""
    try:
        return os.getcwd()
    except OSError as error:
        raise NoManager(
            f'The working directory cannot be used: {error.strerror}. Go to another.'
        ) from error


def _value(manager_class: type[Any], given: Mapping[str, Given], name: str) -> Given:
    default = Given(getattr(manager_class, name), where_of(manager_class, name))
    return given.get(name, default)


def _directory(manager: FoundManager, given: Mapping[str, Given], file: str) -> Given:
    """Give the folder that relative paths lie in, as an absolute path.

    A value that is no path is left as it is: the manager will refuse it.
    """
    value, where = _value(manager.manager_class, given, PROJECT)
    if CHECKS[PROJECT](value) is not None:
        return Given(value, where)
    path = os.path.normpath(os.path.join(manager.folder, value or ''))
    place = manager.place or file
    beside = f'where {place} is' if place else 'the working directory'
    return Given(path, where or beside)
