"""Import a migration: the module, and its `up` and `down`."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType

from migopy.commands import Again
from migopy.contents import content_of
from migopy.effects import listen
from migopy.errors import MigopyException
from migopy.files.asleep import Sleepers
from migopy.files.compiled import LoaderOfCode, compiled, find_helpers
from migopy.files.directory import Directory
from migopy.files.idle import idle_loops
from migopy.files.imports import advice
from migopy.files.loaded import LoadedMigration, NoSuchFunction
from migopy.files.metadata import said_in
from migopy.files.migration import Migration, checksum_of
from migopy.files.misspelt import misspelt_in
from migopy.files.other_databases import OtherDatabase, other_tool
from migopy.files.project import first_on_path
from migopy.files.scripts import is_script
from migopy.files.shapes import Functions, functions_of
from migopy.files.turns import in_turn
from migopy.traces import excerpt

#: How many modules are kept as they are; those of further files may sleep.
AWAKE = 200

#: One import at a time: a package may have to replace another project's.
IMPORTING = threading.RLock()


class ImportFailed(MigopyException):
    """A migration file could not be imported; nothing has been executed.

    `name` is the migration's, `cause` what Python raised.
    """

    def __init__(self, name: str, path: str, cause: BaseException) -> None:
        self.name = name
        self.cause = cause
        super().__init__(
            f'{name} cannot be imported, so nothing was run.\n'
            f'{excerpt(cause, path)}\n'
            f'{advice(cause, path)}'
            'Correct the file, then type',
            Again(),
        )


def load_all(
    migrations: Sequence[Migration], directory: Directory
) -> list[LoadedMigration]:
    """Import migrations of one folder, while no other thread imports any.

    What the folder has in `loaded` is not imported again. Raises `Unreadable`,
    `ImportFailed`, `OtherShape`.
    """
    package, functions = directory.package, directory.functions_of
    with IMPORTING:
        import_package(directory)
        kept = directory.loaded
        if kept is None:
            return _load_many(migrations, package, functions)
        for each in migrations:
            if each not in kept:
                kept[each] = load(each, package, functions)
        return [kept[each] for each in migrations]


def _load_many(
    migrations: Sequence[Migration],
    package: str,
    functions: Callable[[ModuleType], Functions],
) -> list[LoadedMigration]:
    """Import migrations; all but the first ones may sleep until they are called."""

    def again(migration: Migration, code: CodeType) -> ModuleType:
        return import_code(migration.module_name(package), migration.path, code)

    sleepers = Sleepers(again)
    found = []
    for place, each in enumerate(migrations):
        loaded = load(each, package, functions)
        if place >= AWAKE:
            loaded = sleepers.put(loaded, _code_of(loaded.module))
        found.append(loaded)
    return found


def load(
    migration: Migration,
    package: str,
    functions: Callable[[ModuleType], Functions] = functions_of,
    place: str | None = None,
) -> LoadedMigration:
    """Import a migration's file as a module of `package`; `functions` finds them in it.

    The module is made from the file as it is now, never taken from an earlier import.
    A file that replaces others and has no `up` of its own gets theirs. `place` is the
    folder for the module's `__file__`, if it is not the file's own.
    Raises `Unreadable`, `ImportFailed`, `NoSuchFunction`, `OtherDatabase`, and
    what `functions` does.
    """
    content = migration.content()
    if functions is functions_of:
        tool = other_tool(content)
        if tool is not None:
            raise OtherDatabase(migration.name, tool)
        if is_script(migration, content):
            # Importing it would run it, on each try, the dry ones as well.
            raise NoSuchFunction(migration.name, 'up', 'has no function `up`')
    with listen().recording() as effects:
        module, found = _imported(migration, content, package, functions, place)
    checksum = checksum_of(content)
    turn, written = threading.Lock(), said_in(content)
    loaded = LoadedMigration(migration, checksum, module, found, turn, written)
    # Of thousands of files, nothing is kept that says nothing.
    if effects.wrote:
        loaded = loaded._replace(at_import=effects)
    if misspelt := misspelt_in(module, content, found):
        loaded = loaded._replace(misspelt=misspelt)
    idle = idle_loops(content)
    return loaded._replace(idle=idle) if idle else loaded


def _imported(
    migration: Migration,
    content: bytes,
    package: str,
    functions: Callable[[ModuleType], Functions],
    place: str | None,
) -> tuple[ModuleType, Functions]:
    """Import a file's content; give the module and its functions."""
    name, path = migration.module_name(package), migration.path
    module = import_source(name, path, content, place=place)
    try:
        found = functions(module)
    except MigopyException:
        raise
    # A fabfile's own `migration_functions`.
    except Exception as error:
        raise ImportFailed(migration.name, migration.path, error) from error
    if 'up' not in found:
        here = migration.directory
        parts = [load(each, package, functions, here) for each in migration.archived()]
        found = {**in_turn(parts), **found}
    return module, found


@contextmanager
def importable(directory: Directory) -> Iterator[None]:
    """Make the project's modules importable for a migration, as in 1.0.

    Inside, the folder of the fabfile is first on `sys.path`, and the migrations
    directory is the package `directory.package`, so that `import mymodels` and
    `from . import helpers` work in a migration. Raises `ImportFailed` if the folder's
    `__init__.py` fails.
    """
    with first_on_path(directory.base):
        with IMPORTING:
            import_package(directory)
        yield


def import_package(directory: Directory) -> None:
    """Import the folder of the migrations as a package, if that is not done yet."""
    package, path = directory.package, directory.path
    find_helpers()
    if path in getattr(sys.modules.get(package), '__path__', ()):
        return
    # A folder of the same name, of another project, was imported in this process.
    for name in list(sys.modules):
        if name == package or name.startswith(f'{package}.'):
            del sys.modules[name]
    init = os.path.join(path, '__init__.py')
    content = b''
    if os.path.exists(init):
        try:
            content = content_of(init)
        except OSError as error:
            raise ImportFailed(os.path.basename(init), init, error) from error
    import_source(package, init, content, folder=path)


def _code_of(module: ModuleType) -> CodeType:
    """Give the code of a module that was imported here."""
    loader = module.__loader__
    assert isinstance(loader, LoaderOfCode)  # noqa: S101 - it was
    return loader.code


def import_source(
    module_name: str,
    path: str,
    content: bytes,
    folder: str | None = None,
    place: str | None = None,
) -> ModuleType:
    """Import a file's content under a name, whatever `sys.path` says.

    With `folder` it is the `__init__.py` of that package; with `place` its `__file__`
    lies there, so that it finds what lies beside it. Raises `ImportFailed`.
    """
    try:
        code = compiled(content, path)
    except Exception as error:
        raise ImportFailed(os.path.basename(path), path, error) from error
    return import_code(module_name, path, code, folder, place)


def import_code(
    module_name: str,
    path: str,
    code: CodeType,
    folder: str | None = None,
    place: str | None = None,
) -> ModuleType:
    """Import what a file's content was compiled to, as `import_source` does."""
    spec = spec_from_file_location(
        module_name,
        path,
        loader=LoaderOfCode(module_name, path, code),
        submodule_search_locations=[folder] if folder else None,
    )
    assert spec is not None  # noqa: S101 - a loader is given, so there is a spec
    module = module_from_spec(spec)
    if place is not None:
        module.__file__ = os.path.join(place, os.path.basename(path))
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    # SystemExit too: a file that exits at import must not end the deploy unsaid.
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise ImportFailed(os.path.basename(path), path, error) from error
    return module
