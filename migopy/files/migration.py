"""One migration file: its number and name, its checksum, its `up` and `down`."""

from __future__ import annotations

import hashlib
import inspect
import marshal
import os
import sys
import zlib
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.traces import excerpt

READ_ONLY = os.O_RDONLY | getattr(os, 'O_BINARY', 0)

#: Bytes, more than most migrations have.
READ_AT_ONCE = 65_536


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


class Unreadable(MigopyException):
    """A migration file could not be read; `name` is the migration's."""

    def __init__(self, name: str, path: str, cause: OSError) -> None:
        self.name = name
        super().__init__(
            f'{name} cannot be read: {cause.strerror}.\n'
            f'See to it that {path} can be, then type the command again.'
        )


class NoSuchFunction(MigopyException):
    """A migration file has no usable `up` or `down`; nothing has been run.

    `name` is the migration's, `function` what was looked for.
    """

    def __init__(self, name: str, function: str, reason: str) -> None:
        self.name = name
        self.function = function
        again = Command('execute') if function == 'up' else Command('rollback', name)
        super().__init__(
            f'{name} {reason}, so nothing was run.\n'
            f'Write `def {function}(db):` in it, then type: ',
            again,
        )


class BadTransaction(MigopyException):
    """A migration's `transaction` is no truth value; `name` is the migration's."""

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        super().__init__(
            f'{name}: transaction = {value!r} is neither True nor False, so nothing was'
            ' run.\nCorrect it, then type: ',
            Command('execute'),
        )


class Migration(NamedTuple):
    """A file of the migrations directory.

    Invariant: `name` is the file's name and `number` what the pattern's `migr_nr`
    found in it; neither needs the file to be read.
    """

    name: str
    number: int
    directory: str

    @property
    def path(self) -> str:
        """Give the file's absolute path."""
        return f'{self.directory}{os.sep}{self.name}'

    @property
    def stem(self) -> str:
        """Give the name without `.py`."""
        return self.name[: -len('.py')]

    def module_name(self, package: str) -> str:
        """Give the name under which the file is imported."""
        return f'{package}.{self.stem}'

    def checksum(self) -> str:
        """Hash the file's content: `sha256:` and 64 hexadecimal digits.

        Raises `Unreadable`.
        """
        try:
            return f'sha256:{hashlib.sha256(_content(self.path)).hexdigest()}'
        except OSError as error:
            raise Unreadable(self.name, self.path, error) from error

    def load(self, package: str) -> LoadedMigration:
        """Import the file as a module of `package`.

        The module is always made from the file as it is now, never taken from an
        earlier import. Raises `Unreadable`, `ImportFailed`.
        """
        checksum = self.checksum()
        module = import_file(self.module_name(package), self.path)
        return LoadedMigration(self, checksum, module, package)


class LoadedMigration(NamedTuple):
    """A migration that has been imported, with the checksum of what was imported.

    Of very many only some keep the module, as ten thousand take 25 MB. The others have
    its `code`, packed, and make it once more when it is needed.
    """

    migration: Migration
    checksum: str
    module: ModuleType | None
    package: str
    code: bytes = b''

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.migration.name

    @property
    def _module_name(self) -> str:
        return self.migration.module_name(self.package)

    def released(self) -> LoadedMigration:
        """Let go of the module."""
        assert self.module is not None  # noqa: S101 - there is one to let go of
        sys.modules.pop(self._module_name, None)
        loader: Any = self.module.__loader__
        code = zlib.compress(marshal.dumps(loader.code), level=1)
        return self._replace(module=None, code=code)

    def call(self, name: str, db: Any) -> None:
        """Run `up` or `down`; raises what it does."""
        if self.module is not None:
            self.function(name)(db)
            return
        code = marshal.loads(zlib.decompress(self.code))  # noqa: S302 - it is ours
        module = import_file(self._module_name, self.migration.path, code=code)
        try:
            self._replace(module=module).function(name)(db)
        finally:
            sys.modules.pop(self._module_name, None)

    def in_transaction(self, default: bool) -> bool:
        """Tell whether it runs in a transaction: `transaction` in the file decides.

        Raises `BadTransaction` where that is neither `True` nor `False`.
        """
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
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
            function
        ):
            raise NoSuchFunction(self.name, name, f'has an async `{name}`')
        if inspect.isgeneratorfunction(function):
            raise NoSuchFunction(self.name, name, f'has a `{name}` that yields')
        checked: Callable[[Any], object] = function
        return checked


class FileAsItIs(SourceFileLoader):
    """A loader that compiles the file each time.

    Bytecode of an earlier import is taken for the file's if second and size agree,
    so an edit might not be run, yet its checksum recorded.
    """

    def __init__(self, fullname: str, path: str, code: CodeType | None) -> None:
        super().__init__(fullname, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source, unless it was given compiled."""
        if self.code is None:
            self.code = self.source_to_code(self.get_data(self.path), self.path)
        return self.code


def _content(path: str) -> bytes:
    # In half the time of `open`, which counts with ten thousand files.
    descriptor = os.open(path, READ_ONLY)
    try:
        content = part = os.read(descriptor, READ_AT_ONCE)
        while len(part) == READ_AT_ONCE:
            part = os.read(descriptor, READ_AT_ONCE)
            content += part
        return content
    finally:
        os.close(descriptor)


def import_file(
    module_name: str,
    path: str,
    folder: str | None = None,
    code: CodeType | None = None,
) -> ModuleType:
    """Import a file under a name, from the file itself, whatever `sys.path` says.

    With `folder` it is the `__init__.py` of that package. `code` is what an earlier
    import compiled. Raises `ImportFailed`.
    """
    loader = FileAsItIs(module_name, path, code)
    spec = spec_from_file_location(
        module_name,
        path,
        loader=loader,
        submodule_search_locations=[folder] if folder else None,
    )
    assert spec is not None  # noqa: S101 - a loader is given, so there is a spec
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        loader.exec_module(module)
    # SystemExit too: a file that exits at import must not end the deploy unsaid.
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise ImportFailed(os.path.basename(path), path, error) from error
    return module
