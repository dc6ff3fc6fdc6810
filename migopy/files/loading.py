"""Import a migration: the module, and its `up` and `down`."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.files.directory import Directory
from migopy.files.migration import Migration, checksum_of
from migopy.traces import excerpt

#: What was meant for `transaction`, in any case of its letters.
SPELT_WRONG = frozenset({'transaction', 'transactions', 'transactional'})

#: The functions of a file that look, before its `up` and after it.
CONDITIONS = ('require', 'verify')

#: What their parameter is called.
DATABASE = 'db'

#: One import at a time: a package may take the place of another project's.
IMPORTING = threading.RLock()


class ImportFailed(MigopyException):
    """A migration file could not be imported; nothing has been executed.

    `name` is the migration's, `cause` what Python raised.
    """

    def __init__(self, name: str, path: str, cause: BaseException) -> None:
        self.name = name
        self.cause = cause
        super().__init__(
            f'{name} cannot be imported, so nothing was executed.\n'
            f'{excerpt(cause, path)}\n'
            'Correct the file, then type: ',
            Command('execute'),
        )


class NoSuchFunction(MigopyException):
    """A migration file has no usable `up` or `down`; nothing has been run.

    `name` is the migration's, `function` what was looked for, `reason` what there is.
    """

    def __init__(self, name: str, function: str, reason: str) -> None:
        self.name = name
        self.function = function
        self.reason = reason
        again = Command('rollback', name) if function == 'down' else Command('execute')
        super().__init__(
            f'{name} {reason}, so nothing was run.\n'
            f'Write `def {function}(db):` in it, then type: ',
            again,
        )


class BadTransaction(MigopyException):
    """A migration's `transaction` cannot be used; `name` is the migration's.

    It is no truth value, or `word` stands there in its place.
    """

    def __init__(self, name: str, value: object, word: str = 'transaction') -> None:
        self.name = name
        wrong = (
            'is neither True nor False'
            if word == 'transaction'
            else 'would be passed over, as the word is `transaction`'
        )
        super().__init__(
            f'{name}: {word} = {value!r} {wrong}, so nothing was'
            ' run.\nCorrect it, then type: ',
            Command('execute'),
        )


class LoadedMigration(NamedTuple):
    """A migration that has been imported.

    Invariant: the checksum is of the very content that was compiled, and the module's
    body has run once.
    """

    migration: Migration
    checksum: str
    module: ModuleType

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.migration.name

    def in_transaction(self, default: bool) -> bool:
        """Tell whether it runs in a transaction: `transaction` in the file decides.

        Raises `BadTransaction` where that is neither `True` nor `False`, or its name
        is spelt in another way.
        """
        for name, value in vars(self.module).items():
            # Passed over, it would run without the transaction that was meant.
            if (
                name != 'transaction'
                and name.lower() in SPELT_WRONG
                and value
                in (
                    True,
                    False,
                )
            ):
                raise BadTransaction(self.name, value, name)
        wish = getattr(self.module, 'transaction', default)
        if not isinstance(wish, bool):
            raise BadTransaction(self.name, wish)
        return wish

    def function(self, name: str) -> Callable[[Any], object]:
        """Find `up` or `down`.

        Raises `NoSuchFunction`, also for a coroutine or a generator function: a
        call would return at once and leave the work undone.
        """
        function = getattr(self.module, name, None)
        if not callable(function):
            raise NoSuchFunction(self.name, name, f'has no function `{name}`')
        return self._done_when_it_returns(name, function)

    def condition(self, name: str) -> Callable[[Any], object] | None:
        """Find `require` or `verify`, `None` where the file has none.

        Migopy's is the one that can be called with a `db` alone; any other of that
        name is a helper, which files of 1.0 may have. Raises `NoSuchFunction` as
        `function` does.
        """
        function = getattr(self.module, name, None)
        if not callable(function) or not _takes_database(function):
            return None
        return self._done_when_it_returns(name, function)

    @property
    def helpers_like_conditions(self) -> list[str]:
        """List the functions that are called as conditions are, and are none."""
        functions = {name: getattr(self.module, name, None) for name in CONDITIONS}
        return [
            name
            for name, function in functions.items()
            if callable(function) and not _takes_database(function)
        ]

    def _done_when_it_returns(
        self, name: str, function: Callable[[Any], object]
    ) -> Callable[[Any], object]:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
            function
        ):
            raise NoSuchFunction(self.name, name, f'has an async `{name}`')
        if inspect.isgeneratorfunction(function):
            raise NoSuchFunction(self.name, name, f'has a `{name}` that yields')
        return function


def _takes_database(function: Callable[..., object]) -> bool:
    """Tell whether a function can be called with a parameter `db` alone."""
    try:
        signature = inspect.signature(function)
        signature.bind(None)
    except (TypeError, ValueError):
        return False
    return next(iter(signature.parameters)) == DATABASE


def load_all(
    migrations: Sequence[Migration], directory: Directory
) -> list[LoadedMigration]:
    """Import migrations of one folder, while no other thread imports any.

    Raises `Unreadable`, `ImportFailed`.
    """
    with IMPORTING:
        import_package(directory)
        return [load(migration, directory.package) for migration in migrations]


def load(migration: Migration, package: str) -> LoadedMigration:
    """Import a migration's file as a module of `package`.

    The module is made from the file as it is now, never taken from an earlier import.
    Raises `Unreadable`, `ImportFailed`.
    """
    content = migration.content()
    module = import_source(migration.module_name(package), migration.path, content)
    return LoadedMigration(migration, checksum_of(content), module)


@contextmanager
def importable(directory: Directory) -> Iterator[None]:
    """Make the project's modules importable for a migration, as in 1.0.

    Inside, the folder of the fabfile is first on `sys.path`, and the migrations
    directory is the package `directory.package`, so that `import mymodels` and
    `from . import helpers` work in a migration. Raises `ImportFailed` if the folder's
    `__init__.py` fails.
    """
    sys.path.insert(0, directory.base)
    try:
        with IMPORTING:
            import_package(directory)
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(directory.base)


def import_package(directory: Directory) -> None:
    """Import the folder of the migrations as a package, unless that is done."""
    package, path = directory.package, directory.path
    if path in getattr(sys.modules.get(package), '__path__', ()):
        return
    # A folder of the same name, of another project, was imported in this process.
    for name in list(sys.modules):
        if name == package or name.startswith(f'{package}.'):
            del sys.modules[name]
    init = os.path.join(path, '__init__.py')
    content = b''
    if os.path.exists(init):
        with open(init, 'rb') as file:
            content = file.read()
    import_source(package, init, content, folder=path)


class LoaderOfContent(SourceFileLoader):
    """A loader that compiles the content it is given, not what the file has by then.

    Bytecode of an earlier import would be taken for the file's if second and size
    agree, so an edit might not be run, yet its checksum recorded.
    """

    def __init__(self, fullname: str, path: str, content: bytes) -> None:
        super().__init__(fullname, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """Compile the content."""
        return self.source_to_code(self._content, self.path)


def import_source(
    module_name: str, path: str, content: bytes, folder: str | None = None
) -> ModuleType:
    """Import a file's content under a name, whatever `sys.path` says.

    With `folder` it is the `__init__.py` of that package. Raises `ImportFailed`.
    """
    spec = spec_from_file_location(
        module_name,
        path,
        loader=LoaderOfContent(module_name, path, content),
        submodule_search_locations=[folder] if folder else None,
    )
    assert spec is not None  # noqa: S101 - a loader is given, so there is a spec
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    # SystemExit too: a file that exits at import must not end the deploy unsaid.
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise ImportFailed(os.path.basename(path), path, error) from error
    return module
