"""A dump before a deploy, and the way back.

There are two ways to the same files: `mongodump` and `mongorestore` where they are
installed, else PyMongo. What one way wrote the other restores.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from migopy import signals
from migopy.dumps.database import drop, dumped, plain
from migopy.dumps.errors import (
    DirectoryUnreadable,
    DumpFailed,
    RestoreFailed,
    RestoreRefused,
    UnknownDump,
)
from migopy.dumps.folder import (
    TIME_FORMAT,
    Dump,
    is_abandoned,
    locked,
    seal,
    sync,
)
from migopy.dumps.format import (
    LONGEST_STEM,
    SYSTEM_JS,
    Damaged,
    Progress,
    Say,
    Stored,
)
from migopy.dumps.restoring import Restorer
from migopy.dumps.tools import Connection, Tool, ToolFailed
from migopy.dumps.writing import Dumper, Unreadable

UNFINISHED = '.part'
UNAUTHORIZED = 13

FAILURES = (PyMongoError, BSONError, OSError, Damaged, Unreadable, ToolFailed)
"""What can go wrong by no fault of the program's."""


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
            seal(folder, db.name)
            path = self.directory / folder.name[1 : -len(UNFINISHED)]
            folder.rename(path)
        sync(self.directory)
        return Dump.read(path)

    @contextlib.contextmanager
    def _begun(self, database: str) -> Iterator[Path]:
        """Give a new hidden folder, locked; remove it in the end if it is there."""
        with contextlib.ExitStack() as stack:
            # Nobody may take the new folder for abandoned before it is locked.
            with locked(self.directory):
                self._remove_abandoned()
                folder = self._reserve(database)
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                stack.enter_context(locked(folder))
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
            if is_abandoned(path):
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
