"""A dump before a deploy, and the way back.

There are two ways to the same files: `mongodump` and `mongorestore` where they are
installed, else PyMongo. What one way wrote the other restores.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from migopy import signals
from migopy.commands import Command
from migopy.dumps.format import (
    LONGEST_STEM,
    SYSTEM_JS,
    Damaged,
    Dumper,
    Progress,
    Restorer,
    Say,
    Stored,
    Unreadable,
    drop,
    dumped,
    plain,
    read_contents,
)
from migopy.dumps.tools import Connection, Tool, ToolFailed
from migopy.errors import MigopyException, listing

MANIFEST = 'migopy.json'
TIME_FORMAT = '%Y%m%dT%H%M%SZ'
UNFINISHED = '.part'
UNAUTHORIZED = 13

FAILURES = (PyMongoError, BSONError, OSError, Damaged, Unreadable, ToolFailed)
"""What can go wrong by no fault of the program's."""


class DumpFailed(MigopyException):
    """There is no new dump of `database`, nor half of one."""

    def __init__(self, database: str, reason: str) -> None:
        self.database = database
        self.reason = reason
        super().__init__(
            f'The dump of the database {database} failed: {reason}\n'
            'Nothing is left of it. When the cause is mended, type: ',
            Command('dbdump'),
        )


class RestoreRefused(MigopyException):
    """The dump `name` cannot be restored; the database was not touched."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f'The dump {name} was not restored: {reason}\n'
            'The database is as it was. See the dumps there are: ',
            Command('dbrestore'),
        )


class RestoreFailed(MigopyException):
    """The restore of the dump `name` stopped half way; `state` says where."""

    def __init__(self, name: str, database: str, state: str, reason: str) -> None:
        self.name = name
        self.database = database
        self.state = state
        self.reason = reason
        super().__init__(
            f'The restore of the dump {name} stopped: {reason}\n'
            f'The database {database} is incomplete: {state} The dump is intact. When'
            ' the cause is mended, type the same again: ',
            Command('dbrestore', name),
        )


class UnknownDump(MigopyException):
    """No dump, or more than one, goes by `name`; `names` are those there are."""

    def __init__(self, name: str, directory: Path, names: Sequence[str]) -> None:
        self.name = name
        self.names = names
        several = [known for known in names if known.startswith(name)]
        said: list[object]
        if name and several:
            said = [f'Several dumps begin with {name}:\n{listing(several)}']
        elif names:
            said = [f'There is no dump {name!r} in {directory}. There are:\n']
            said += [listing(names)]
        else:
            said = [f'There is no dump in {directory}. Make one: ', Command('dbdump')]
        super().__init__(*said)


class DirectoryUnreadable(MigopyException):
    """The folder of the dumps, `directory`, cannot be read."""

    def __init__(self, directory: Path, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f'The dumps in {directory} cannot be read: {reason}\n'
            'Correct MONGO_DUMP_DIRECTORY, then type: ',
            Command('dbrestore'),
        )


@dataclass(frozen=True)
class Dump:
    """A complete dump: its folder, when it was begun (UTC), its size in bytes."""

    name: str
    path: Path
    database: str
    made: datetime
    size: int

    @classmethod
    def read(cls, path: Path) -> Dump:
        """Read what a folder holds. Raise `Damaged` where it is no complete dump."""
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding='utf-8'))
            made = datetime.strptime(path.name.partition('_')[0], TIME_FORMAT)
            made = made.replace(tzinfo=timezone.utc)
            size = sum(manifest['files'].values())
            return cls(path.name, path, manifest['database'], made, size)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f'{path} is no dump: {error}') from error

    def contents(self) -> list[Stored]:
        """Read it from end to end, and give what is in it.

        Raise `Damaged` or `OSError` where a file is not as it was written.
        """
        manifest = json.loads((self.path / MANIFEST).read_text(encoding='utf-8'))
        for name, size in manifest['files'].items():
            path = self.path / name
            if not path.is_file():
                raise Damaged(f'{path} is missing')
            if path.stat().st_size != size:
                raise Damaged(f'{path} has {path.stat().st_size} bytes, not {size}')
        return read_contents(self.path / self.database)


class Dumps:
    """The dumps in a folder, `MONGO_DUMP_DIRECTORY`.

    Invariant: what it lists is complete and on the disk. A dump is written under a
    hidden name, in a folder that the process holds locked, and gets its own name when
    it is complete. What a killed process left under a hidden name is removed by the
    next dump, and nothing that is neither that nor a dump ever is.
    """

    def __init__(
        self,
        directory: Path,
        connection: Connection | None = None,
        apart: Set[str] = frozenset(),
        say: Say = lambda line: None,
        progress: Progress = lambda collection, done, total: None,
    ) -> None:
        """Take the folder, which the first dump makes.

        `connection` is for mongodump and mongorestore; without it they are not used.
        The collections named in `apart` are neither dumped nor dropped nor restored.
        `say` takes what a person should read while it runs, the tools' own lines
        included; `progress` takes how far PyMongo is, batch by batch.
        """
        self.directory = directory.absolute()
        self._connection = connection
        self._apart = apart
        self._say = say
        self._progress = progress

    def of(self, database: str) -> list[Dump]:
        """Give the dumps of a database, the oldest first.

        Raise `DirectoryUnreadable`; a folder that is not there has no dumps.
        """
        try:
            folders = sorted(self.directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or str(error)
            raise DirectoryUnreadable(self.directory, reason) from error
        dumps = []
        for folder in folders:
            with contextlib.suppress(Damaged):
                dumps.append(Dump.read(folder))
        return [dump for dump in dumps if dump.database == database]

    def find(self, database: str, name: str) -> Dump:
        """Give the dump of this name, or the one whose name begins so.

        Raise `UnknownDump` where there is none, or more than one.
        """
        dumps = self.of(database)
        fitting = [dump for dump in dumps if dump.name == name] or [
            dump for dump in dumps if name and dump.name.startswith(name)
        ]
        if len(fitting) != 1:
            raise UnknownDump(name, self.directory, [dump.name for dump in dumps])
        return fitting[0]

    def make(self, db: Database[Any], keep: int | None = None) -> Dump:
        """Dump a database: by mongodump where it is on the PATH, else by PyMongo.

        Of this database's dumps the newest `keep` stay, or all. Raise `DumpFailed`;
        then nothing is left of the new dump, and the others are untouched.
        """
        if keep is not None and keep < 1:
            raise DumpFailed(
                db.name, f'MONGO_DUMP_KEEP is {keep}, but must be None or 1 at least.'
            )
        try:
            with signals.raised():
                dump = self._make(db)
        except FAILURES as error:
            raise DumpFailed(db.name, self._reason(error)) from error
        for old in self.of(db.name)[: -keep if keep else 0]:
            self._remove(old)
        return dump

    def restore(self, db: Database[Any], dump: Dump) -> None:
        """Bring a database back to a dump: collections, documents, options, indexes.

        What was made since is dropped. By mongorestore where it is on the PATH, else
        by PyMongo. Raise `RestoreRefused` before anything is touched, `RestoreFailed`
        after that.
        """
        db = plain(db)
        try:
            contents = self._verified(dump, db.name)
            tool = self._tool('mongorestore', db)
            if not all(_mongorestore_takes(stored) for stored in contents):
                tool = None
            folder = dump.path / dump.database
            restorer = Restorer(db, folder, [] if tool else contents, self._progress)
            there = dumped(db.list_collection_names(), self._apart)
        except FAILURES as error:
            raise RestoreRefused(dump.name, self._reason(error)) from error
        try:
            with signals.raised():
                if tool:
                    self._restore_with(tool, db, dump, contents)
                    drop(db, set(there) - {stored.name for stored in contents})
                else:
                    drop(db, there)
                    restorer.run()
        except BaseException as error:
            state = f'{restorer.done} of {len(contents)} collections are back.'
            if tool:
                state = 'mongorestore did not finish it.'
            if isinstance(error, FAILURES):
                reason = self._reason(error)
                raise RestoreFailed(dump.name, db.name, state, reason) from error
            self._say(f'Interrupted. The database {db.name} is incomplete: {state}')
            raise

    def _make(self, db: Database[Any]) -> Dump:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._begun(db.name) as folder:
            tool = self._tool('mongodump', db)
            if tool:
                self._dump_with(tool, db.name, folder)
            else:
                apart, say, progress = self._apart, self._say, self._progress
                Dumper(db, folder / db.name, apart, say, progress).run()
            _seal(folder, db.name)
            path = self.directory / folder.name[1 : -len(UNFINISHED)]
            folder.rename(path)
        _sync(self.directory)
        return Dump.read(path)

    @contextlib.contextmanager
    def _begun(self, database: str) -> Iterator[Path]:
        """Give a new hidden folder, locked; remove it in the end if it is there."""
        with contextlib.ExitStack() as stack:
            # Nobody may take the new folder for abandoned before it is locked.
            with _locked(self.directory):
                self._remove_abandoned()
                folder = self._reserve(database)
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                stack.enter_context(_locked(folder))
            yield folder

    def _reserve(self, database: str) -> Path:
        """Make a folder named by a second that no other dump of the database has."""
        while True:
            name = f'{datetime.now(timezone.utc):{TIME_FORMAT}}_{database}'
            folder = self._hidden(name)
            if not (self.directory / name).exists():
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
                    return folder
            time.sleep(0.05)

    def _hidden(self, name: str) -> Path:
        return self.directory / f'.{name}{UNFINISHED}'

    def _remove_abandoned(self) -> None:
        for path in self.directory.glob(f'.*Z_*{UNFINISHED}'):
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)

    def _remove(self, dump: Dump) -> None:
        try:
            # What is half removed must not be listed.
            shutil.rmtree(dump.path.rename(self._hidden(dump.name)))
        except OSError as error:
            self._say(f'The old dump {dump.name} cannot be removed: {error}')

    def _tool(self, name: str, db: Database[Any]) -> Tool | None:
        path = shutil.which(name)
        if path is None or self._connection is None:
            return None
        replica_set = db.client.admin.command('hello').get('setName')
        return Tool(path, self._connection, replica_set, self._say)

    def _dump_with(self, tool: Tool, database: str, folder: Path) -> None:
        self._say(f'{tool.path} reads each collection at a time of its own.')
        excluded = [f'--excludeCollection={name}' for name in sorted(self._apart)]
        tool.run(f'--db={database}', *excluded, f'--out={folder}')
        # It makes nothing for a database without collections.
        (folder / database).mkdir(exist_ok=True)

    def _restore_with(
        self, tool: Tool, db: Database[Any], dump: Dump, contents: Sequence[Stored]
    ) -> None:
        # It cannot drop this one, and would stop at a document that is there.
        drop(db, [SYSTEM_JS])
        arguments = ['--drop', '--keepIndexVersion', '--maintainInsertionOrder']
        if any(stored.is_validated for stored in contents):
            arguments.append('--bypassDocumentValidation')
        arguments.append(f'--nsInclude={_pattern(db.name)}.*')
        for name in sorted(self._apart):
            arguments.append(f'--nsExclude={_pattern(f"{db.name}.{name}")}')
        tool.run(*arguments, f'--dir={dump.path}')

    def _verified(self, dump: Dump, database: str) -> list[Stored]:
        if dump.database != database:
            raise Damaged(f'it is of the database {dump.database}, not {database}.')
        return [one for one in dump.contents() if one.name not in self._apart]

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, OperationFailure):
            reason = str((error.details or {}).get('errmsg') or error)
            if error.code == UNAUTHORIZED:
                reason += '. The roles backup and restore, on admin, allow it.'
            return reason
        if isinstance(error, OSError):
            return f'{error.filename or self.directory}: {error.strerror or error}'
        return str(error)


def _pattern(namespace: str) -> str:
    r"""Spell a namespace as mongorestore's patterns do, where `*` stands for any."""
    return re.sub(r'([*\\])', r'\\\1', namespace)


def _mongorestore_takes(stored: Stored) -> bool:
    """Tell whether mongorestore (100.18) finds the name of what it restores.

    It has to look up a name that was too long for a file's; it unescapes it then,
    though it is not escaped, and for a time series does not find it.
    """
    if len(quote_plus(stored.data_name)) <= LONGEST_STEM:
        return True
    return unquote_plus(stored.name) == stored.name and not stored.is_time_series


def _seal(folder: Path, database: str) -> None:
    """Make a dump its owner's alone, list its files, and see all of it on the disk."""
    folders = [folder]
    sizes = {}
    for path in sorted(folder.rglob('*')):
        if path.is_dir():
            path.chmod(0o700)
            folders.append(path)
        else:
            path.chmod(0o600)
            _sync(path)
            sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    manifest = folder / MANIFEST
    manifest.touch(mode=0o600)
    content = {'database': database, 'files': sizes}
    manifest.write_text(json.dumps(content, indent=1), encoding='utf-8')
    for path in (manifest, *folders):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the operating system's lock on a folder; it ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Where a file system has no such locks, nothing is ever taken for abandoned.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_abandoned(folder: Path) -> bool:
    """Tell whether no process holds the lock on a folder any more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
