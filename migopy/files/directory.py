"""The folder of migrations: its files in order. Disk only, never the database."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Sequence
from types import ModuleType
from typing import Any

from migopy.commands import Command, Where
from migopy.contents import content_of
from migopy.errors import MigopyException
from migopy.files.migration import Migration
from migopy.files.names import BadFileNames, FileNames
from migopy.files.other_databases import OtherDatabase, other_tool
from migopy.files.scripts import may_be_undone
from migopy.files.shapes import Functions, functions_of
from migopy.texts import same_name

#: Packages that migopy itself, or a fabfile, imports.
TAKEN = frozenset({'bson', 'fabric', 'gridfs', 'invoke', 'migopy', 'pymongo'})

#: Python's own modules; 3.9 has no list of them.
STANDARD: Collection[str]
if sys.version_info >= (3, 10):
    STANDARD = sys.stdlib_module_names
else:
    FILES = os.listdir(os.path.dirname(os.__file__))
    STANDARD = {*sys.builtin_module_names, *(each.partition('.')[0] for each in FILES)}


class NoDirectory(MigopyException):
    """The migrations directory cannot be listed; `path` is where it was looked for.

    `base` is the folder of the project, which may be the one that is not there.
    """

    def __init__(self, path: str, cause: OSError, base: str) -> None:
        self.path = path
        if path.startswith(base) and not os.path.isdir(base):
            super().__init__(
                f'Migrations directory {path}: there is no folder {base}.\n'
                'Correct PROJECT_DIRECTORY ',
                Where(('PROJECT_DIRECTORY',)),
                ', then type: ',
                Command(),
            )
            return
        made = Command('create', 'what_it_does')
        first: tuple[object, ...] = ('See to it that it can be read, ',)
        if isinstance(cause, FileNotFoundError):
            first = ('Make it with a first migration: ', made, '\n')
        elif isinstance(cause, NotADirectoryError):
            first = ('Move what is there elsewhere, ',)
        super().__init__(
            f'Migrations directory {path}: {cause.strerror}.\n',
            *first,
            'or set MIGRATIONS_DIRECTORY ',
            Where(('MIGRATIONS_DIRECTORY',)),
            ', then type: ',
            Command(),
        )


class Directory:
    """The folder that holds the migrations.

    Invariant: one listing reads it, and adds the `__init__.py` that it may lack.
    """

    def __init__(
        self,
        base: str,
        relative: str,
        file_names: FileNames,
        functions: Callable[[ModuleType], Functions] = functions_of,
    ) -> None:
        """Name the folder `relative`, which lies in `base` unless it is absolute.

        `functions` gives those of a migration's module.
        """
        self.base = base
        self.functions_of = functions
        self.path = os.path.normpath(os.path.join(base, relative))
        self.file_names = file_names
        #: What was imported, if each file is to be imported only once.
        self.loaded: dict[Migration, Any] | None = None
        inside = os.path.relpath(self.path, base)
        if inside.split(os.sep)[0] in (os.pardir, os.curdir):
            inside = os.path.basename(self.path)
        #: The name under which the folder is imported.
        self.package = _package(inside)

    def may_be_undone(self, file: Migration | None, undo: bool | str) -> bool:
        """Tell whether a file may have a `down` or images; raises `Unreadable`.

        `undo` is whether images are kept if a file does not say.
        """
        # A project that finds functions in its own way has them anywhere.
        if file is None or undo or self.functions_of is not functions_of:
            return True
        return may_be_undone(file)

    def migrations(self) -> list[Migration]:
        """List the migrations in order.

        Raises `NoDirectory`, `BadFileNames`, `OtherDatabase`.
        """
        names = self._names()
        try:
            numbered = self.file_names.sorted(names)
        except BadFileNames as error:
            # Alembic's files are not to be renamed.
            self._require_for_mongodb(error.names)
            raise
        self._require_for_mongodb([name for _, name in numbered[:1]])
        if '__init__.py' not in names:
            self._make_package()
        return self._made_of(numbered)

    def sorted_out(self) -> tuple[list[Migration], list[str]]:
        """List the migrations in order, and the names of files that fit no pattern.

        Nothing is written. Raises `NoDirectory`, `OtherDatabase`.
        """
        numbered, misnamed = self.file_names.sorted_out(self._names())
        self._require_for_mongodb([*misnamed, *(name for _, name in numbered)])
        return self._made_of(numbered), misnamed

    def _made_of(self, numbered: Sequence[tuple[int, str]]) -> list[Migration]:
        return [
            Migration(same_name(name), number, self.path, name)
            for number, name in numbered
        ]

    def _require_for_mongodb(self, names: Sequence[str]) -> None:
        """Raise `OtherDatabase` if the first file is of a tool for another database.

        Such a tool has all files of its folder for its own. A fabfile that finds the
        functions itself may take such files.
        """
        if not names or self.functions_of is not functions_of:
            return
        with contextlib.suppress(OSError):
            tool = other_tool(content_of(os.path.join(self.path, names[0])))
            if tool is not None:
                raise OtherDatabase(same_name(names[0]), tool)

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.path) as entries:
                return [
                    entry.name
                    for entry in entries
                    if entry.name[-3:].lower() == '.py' and not _is_folder(entry)
                ]
        except OSError as error:
            raise NoDirectory(self.path, error, self.base) from error

    def _make_package(self) -> None:
        # As in 1.0. Nothing depends on it, so a read-only folder is fine.
        with contextlib.suppress(OSError):
            open(os.path.join(self.path, '__init__.py'), 'x').close()


def _package(path: str) -> str:
    """Give the name under which a folder is imported, `db.steps` for `db/steps`.

    A dot in a folder's name would be taken for another folder. A folder `migopy` or
    `json` would be taken for the package that others import by that name. A folder
    further in, `code/migrations`, is in nobody's way, and may import from `..models`.
    """
    first, *inner = path.replace('.', '_').split(os.sep)
    if not inner and (first in TAKEN or first in STANDARD):
        return f'{first}_migrations'
    return '.'.join([first, *inner])


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder; a link that leads nowhere is a file."""
    try:
        return entry.is_dir()
    except OSError:
        return False
