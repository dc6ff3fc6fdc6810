"""Which manager a command is about: its class, and the file that has it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import NamedTuple

from migopy.errors import MigopyException, listing
from migopy.face.which_fabric import fabrics, way_to_fabric_1
from migopy.files import FILES, project_directory
from migopy.signals import is_interruption
from migopy.traces import excerpt

#: What a manager is named by.
KINDS = 'and a manager is named FILE.py:CLASS or MODULE:CLASS'


class FoundManager(NamedTuple):
    """A manager's class, and where it was found.

    `place` is what a person calls the file that has it, `''` where there is none;
    `folder` is where its relative paths lie.
    """

    manager_class: type
    place: str
    folder: str


class NotLoaded(MigopyException):
    """The file of the manager cannot be loaded; `path` is where it is."""

    def __init__(self, path: str, *said: str) -> None:
        self.path = path
        super().__init__(f'{os.path.basename(path)} cannot be loaded', *said)


class NeedsFabric(NotLoaded):
    """The file of the manager imports the API of Fabric 1, which is not there."""

    def __init__(self, path: str, cause: BaseException) -> None:
        module = os.path.basename(path)[: -len('.py')]
        super().__init__(
            path,
            f', so nothing was done: it imports the API of Fabric 1 ({cause}).\n'
            'This command needs no Fabric. Move the class into the file migopyfile.py'
            f' beside {module}.py, and import it there: from migopyfile import …\n'
            f'{way_to_fabric_1(fabrics())}',
        )


class NoManager(MigopyException):
    """There is no manager where one was expected."""


class SeveralManagers(MigopyException):
    """A file has several managers; `names` are those of their classes."""

    def __init__(self, place: str, names: list[str]) -> None:
        self.names = names
        choices = listing([f'--manager {place}:{name}' for name in names])
        super().__init__(
            f'{place} has several managers; nothing was done. Say which:\n{choices}'
        )


class TwoFiles(MigopyException):
    """A module and a package of one name have a manager each; `found` are both.

    Fabric 1 and Python take the package, Fabric 2 and 3 the module.
    """

    def __init__(self, *found: FoundManager) -> None:
        self.found = found
        ways = [
            f'--manager {place}:{manager_class.__name__}'
            for manager_class, place, _ in found
        ]
        places = ' and '.join(each.place for each in found)
        super().__init__(
            f'{places} have a manager each, and not every program takes the same one;'
            f' nothing was done. Say which:\n{listing(ways)}\n'
            'Or delete the one that is not in use.'
        )


def by_name(
    which: str, folder: str, base: type, option: str = '--manager '
) -> FoundManager:
    """Find the manager that was named, `FILE.py:CLASS` or `MODULE:CLASS`.

    `folder` is where relative paths begin, and where modules are looked for first.
    `option` is what the name was typed behind. A name without a class means the only
    one in the file. Raises `NoManager`, `SeveralManagers`, `NotLoaded`.
    """
    typed = f'{option}{which}'
    where, _, class_name = which.rpartition(':')
    if not where or os.sep in class_name or class_name.endswith('.py'):
        where, class_name = which, ''
    if where.endswith('.py') or os.sep in where:
        path = os.path.join(folder, where)
        if not os.path.isfile(path):
            raise NoManager(f'{typed}: there is no file {path}.')
        if not where.endswith('.py'):
            raise NoManager(f'{typed}: {where} is no file of Python, {KINDS}.')
        module = load(path)
        place = _folder_of(path)
    elif '' in where.split('.'):
        raise NoManager(f'{typed}: {where!r} is no module, {KINDS}.')
    else:
        module = _imported(where, typed, folder)
        place = folder
    if not class_name:
        manager_class = only_manager(module, where, base)
        if manager_class is None:
            raise NoManager(f'{typed}: {where} has no manager.')
        return FoundManager(manager_class, where, place)
    manager_class = getattr(module, class_name, None)
    if not (isinstance(manager_class, type) and issubclass(manager_class, base)):
        names = [each.__name__ for each in managers_in(module, base)]
        there = f' It has: {", ".join(names)}.' if names else ''
        raise NoManager(
            f'{typed}: {where} has no class {class_name} that derives from'
            f' MigrationsManager.{there}'
        )
    return FoundManager(manager_class, where, place)


def by_search(folder: str, base: type) -> FoundManager | None:
    """Find the manager of a project, in a folder or one of those around it.

    It is the one in `migopyfile.py` or `fabfile.py`. A file without a manager is
    passed over, and so is a folder around this one that anybody may write to. Raises
    `SeveralManagers`, `TwoFiles`, `NotLoaded`.
    """
    for path in _candidates(folder):
        found = _manager_of(path, folder, base)
        package = os.path.join(path[: -len('.py')], '__init__.py')
        if found is not None and os.path.isfile(package):
            other = _manager_of(package, folder, base)
            if other is not None and other.manager_class is not found.manager_class:
                raise TwoFiles(found, other)
        if found is not None:
            return found
    return None


def _manager_of(path: str, folder: str, base: type) -> FoundManager | None:
    """Give the one manager in a file that was found from `folder`, if any."""
    place = os.path.relpath(path, folder)
    try:
        found = only_manager(load(path), place, base)
    except NeedsFabric:
        if 'migopy' in _text(path):
            raise
        return None
    if found is None:
        return None
    return FoundManager(found, place, project_directory(found))


def _candidates(folder: str) -> Iterator[str]:
    for around in folders_around(folder):
        for name in FILES:
            for path in (
                os.path.join(around, f'{name}.py'),
                os.path.join(around, name, '__init__.py'),
            ):
                if os.path.isfile(path):
                    yield path


def _folder_of(path: str) -> str:
    """Give the folder that a file lies in, or that its package does."""
    folder, file = os.path.split(os.path.abspath(path))
    return os.path.dirname(folder) if file == '__init__.py' else folder


def _text(path: str) -> str:
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def folders_around(folder: str) -> Iterator[str]:
    """Iterate over a folder and those around it, without those that all may write to.

    What lies there is executed, so it must not be a stranger's.
    """
    around = os.path.abspath(folder)
    while True:
        if around == folder or not os.stat(around).st_mode & stat.S_IWOTH:
            yield around
        above = os.path.dirname(around)
        if above == around:
            return
        around = above


def load(path: str) -> ModuleType:
    """Load a file as the module of its name, its folder first on `sys.path`.

    Raises `NotLoaded`.
    """
    path = os.path.abspath(path)
    folder, file = os.path.split(path)
    name, is_package = file[: -len('.py')], file == '__init__.py'
    if is_package:
        folder, name = os.path.split(folder)
    if name in sys.modules:
        name = f'migopy_manager_{name}'
    inside = [os.path.dirname(path)] if is_package else None
    spec = spec_from_file_location(name, path, submodule_search_locations=inside)
    assert spec is not None  # noqa: S101 - its name ends in .py
    module = module_from_spec(spec)
    sys.modules[name] = module
    with _importing(folder, path):
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def only_manager(module: ModuleType, place: str, base: type) -> type | None:
    """Give the one manager in a module, if any; raises `SeveralManagers`."""
    found = managers_in(module, base)
    if len(found) > 1:
        raise SeveralManagers(place, [each.__name__ for each in found])
    return found[0] if found else None


def managers_in(module: ModuleType, base: type) -> list[type]:
    """List the managers in a module from which none of the others derives."""
    classes = {
        each: None
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, base) and each is not base
    }
    return [
        each
        for each in classes
        if not any(other is not each and issubclass(other, each) for other in classes)
    ]


def _imported(module: str, typed: str, folder: str) -> ModuleType:
    with _importing(folder, module):
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            # The module itself is missing, not one that it imports.
            if error.name and f'{module}.'.startswith(f'{error.name}.'):
                raise NoManager(f'{typed}: there is no module {error.name}.') from error
            raise


@contextmanager
def _importing(folder: str, path: str) -> Iterator[None]:
    """Have a folder first on `sys.path`; raise `NotLoaded` for what goes wrong."""
    sys.path.insert(0, folder)
    try:
        yield
    except MigopyException:
        raise
    # SystemExit too: a file that exits must not end the command unsaid.
    except (Exception, SystemExit) as error:
        if is_interruption(error):
            raise
        name = error.name if isinstance(error, ImportError) else None
        if (name or '').partition('.')[0] == 'fabric':
            raise NeedsFabric(path, error) from error
        raise NotLoaded(
            path,
            f', so nothing was done:\n{excerpt(error, path)}\nIf the manager is in'
            ' another file, name it: --manager FILE.py:CLASS',
        ) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
