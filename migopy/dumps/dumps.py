"""A dump before a deploy, and the way back.

There are two ways to the same files: `mongodump` and `mongorestore` where they are
installed, else PyMongo. What one way wrote the other restores.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy import signals
from migopy.dumps.database import plain_database, servers_of
from migopy.dumps.documents import Damaged
from migopy.dumps.errors import (
    FAILURES,
    DirectoryUnreadable,
    DumpFailed,
    DumpOfOtherServer,
    ForeignDump,
    RestoreFailed,
    UnknownDump,
    reason_of,
    refused,
)
from migopy.dumps.exchange import Exchange, Mark
from migopy.dumps.filling import Filler
from migopy.dumps.folder import MANIFEST, Dump, name_in, seal, sync
from migopy.dumps.foreign import cautions, origin, read_foreign
from migopy.dumps.format import STAGED, Progress, Say, Stored, shown
from migopy.dumps.hidden import begun, finish, remove
from migopy.dumps.keeping import prune
from migopy.dumps.mongorestore import Mongorestore
from migopy.dumps.tools import Connection, Tool
from migopy.dumps.writing import Dumper, dump_with
from migopy.folders import private_directory, require_private
from migopy.state import LockLost


class Dumps:
    """The dumps in a folder, `MONGO_DUMP_DIRECTORY`.

    Invariant: what it lists is complete and on the disk. A dump is written under a
    hidden name, in a folder that the process has locked, and gets its own name when it
    is complete. What a killed process has left under a hidden name is removed by the
    next dump. Nothing else but dumps is ever removed.
    """

    def __init__(
        self,
        directory: Path,
        connection: Connection | None = None,
        excluded: Set[str] = frozenset(),
        say: Say = lambda line: None,
        progress: Progress = lambda collection, done, total: None,
    ) -> None:
        """Take the folder, which the first dump makes.

        `connection` is for mongodump and mongorestore; without it they are not used.
        The collections named in `excluded` are neither dumped nor dropped nor restored.
        `say` takes what a person should read while it runs, the tools' own lines
        included; `progress` takes how far PyMongo is, batch by batch.
        """
        self.directory = directory.absolute()
        self._connection = connection
        self._excluded = excluded
        self._say = say
        self._progress = progress

    def of(self, database: str) -> list[Dump]:
        """Give the dumps of a database in the order in which they were made.

        Raises `SharedFolder`, or `DirectoryUnreadable`; a folder that is not there has
        no dumps.
        """
        dumps = []
        for folder in self._folders():
            with contextlib.suppress(Damaged):
                dumps.append(Dump.read(folder))
        dumps = [dump for dump in dumps if dump.database == database]
        return sorted(dumps, key=lambda dump: (dump.number, dump.name))

    def find(
        self,
        database: str,
        name: str,
        foreign: bool = False,
        servers: Set[str] = frozenset(),
    ) -> Dump:
        """Give the dump of this name or path, or the one whose name begins so.

        With `foreign` it may be, by its whole name, a dump that mongodump has made for
        somebody, without a manifest, or one of another server than `servers`, if those
        are given; without it these raise `ForeignDump` and `DumpOfOtherServer`. Raise
        `UnknownDump` if there is none, or more than one.
        """
        name = name_in(self.directory, name)
        dumps = self.of(database)
        fitting = [dump for dump in dumps if dump.name == name] or [
            dump for dump in dumps if name and dump.name.startswith(name)
        ]
        if servers and not foreign and fitting:
            elsewhere = fitting[0]
            fitting = [dump for dump in fitting if dump.is_of(servers)]
            dumps = [dump for dump in dumps if dump.is_of(servers)]
            if not fitting:
                raise DumpOfOtherServer(elsewhere)
        if not fitting and name in [folder.name for folder in self._folders()]:
            return self._foreign(database, name, foreign)
        if len(fitting) != 1:
            raise UnknownDump(name, self.directory, [dump.name for dump in dumps])
        return fitting[0]

    def make(
        self,
        db: Database[Any],
        keep: int | None = None,
        unfinished: Mapping[str, str] = MappingProxyType({}),
        check: Callable[[], object] = lambda: None,
    ) -> Dump:
        """Dump a database: by mongodump where it is on the PATH, else by PyMongo.

        Of this database's dumps on this server the newest `keep` stay, the new one
        among them, or all; those from before what is `unfinished`, too (see `prune`).
        Raises `SharedFolder`, `DumpFailed`, and what `check` raises at the end, if the
        lock is lost; then nothing is left of the new dump, and no other is touched.
        """
        if keep is not None and keep < 1:
            raise DumpFailed(
                db.name, f'MONGO_DUMP_KEEP is {keep}, but must be None or 1 at least.'
            )
        if not db.name.isprintable():
            raise DumpFailed(
                shown(db.name),
                'its name does not fit in a line, and a dump is named by it.',
            )
        try:
            with signals.raised():
                dump = self._make(db, unfinished, check)
        except FAILURES as error:
            raise DumpFailed(db.name, reason_of(error, self.directory)) from error
        if keep:
            prune(self.of(db.name), dump, keep, unfinished, self._say)
        return dump

    def restore(
        self,
        db: Database[Any],
        dump: Dump,
        in_place: bool = False,
        mark: Mark | None = None,
    ) -> None:
        """Bring a database back to a dump: collections, documents, options, indexes.

        What was made since is dropped. By mongorestore where it is on the PATH, else
        by PyMongo. It is filled beside what there is first, which takes room; with
        `in_place` one collection at a time is tried beside, then all are dropped and
        filled. Raises `RestoreRefused` where the dump is not sound or the server does
        not take it: then the database is as it was. Raises `RestoreFailed` where it
        stops later: then `mark` stands in the database.
        """
        db = plain_database(db)
        try:
            contents = self._verified(dump, db.name)
            mongorestore = self._mongorestore(db, dump)
            filler = Filler(db, dump.batches, self._progress)
            exchange = Exchange(db, contents, filler, self._excluded, dump.size, mark)
            with signals.raised():
                self._stage(exchange, db.name, mongorestore, in_place)
        except FAILURES as error:
            raise refused(dump.name, error, self.directory) from error
        try:
            with signals.raised():
                exchange.switch()
        except LockLost:
            raise
        except BaseException as error:
            state = f'{exchange.done} of {len(contents)} collections are back.'
            if isinstance(error, FAILURES):
                reason = reason_of(error, self.directory)
                raise RestoreFailed(dump.name, db.name, state, reason) from error
            self._say(
                f'Interrupted. The database {db.name} is incomplete: {state} Type the'
                ' same dbrestore again, which does it to its end.'
            )
            raise

    def cautions(self, db: Database[Any], dump: Dump) -> list[str]:
        """Tell what a person is to know before a dump from elsewhere is restored.

        Raises `RestoreRefused` where it is not sound.
        """
        return cautions(db, dump, self._excluded) if dump.foreign else origin(db, dump)

    def fill(self, db: Database[Any], dump: Dump) -> list[Stored]:
        """Fill an empty database with what is in a dump; give what that is.

        Raises what `FAILURES` lists.
        """
        contents = [one for one in dump.contents() if one.name not in self._excluded]
        filler = Filler(db, dump.batches, self._progress)
        filler.fill_all(contents)
        return contents

    def _stage(
        self,
        exchange: Exchange,
        database: str,
        mongorestore: Mongorestore | None,
        in_place: bool,
    ) -> None:
        try:
            exchange.stage(mongorestore, in_place)
        except BaseException as error:
            try:
                exchange.clean()
            except PyMongoError:
                self._say(
                    f'Collections named {STAGED}… may be left; the next restore drops'
                    ' them.'
                )
            if not isinstance(error, (*FAILURES, LockLost)):
                self._say(f'Interrupted. The database {database} is as it was.')
            raise

    def _folders(self) -> list[Path]:
        try:
            require_private(self.directory)
            return sorted(self.directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or str(error)
            raise DirectoryUnreadable(self.directory, reason) from error

    def _foreign(self, database: str, name: str, asked_for: bool) -> Dump:
        path = self.directory / name
        try:
            if os.path.lexists(path / MANIFEST):
                # It is migopy's own, and damaged, or of another database.
                other = Dump.read(path).database
                raise Damaged(f'{path} is of {other}, not of {database}')
            dump = read_foreign(path, database)
        except Damaged as error:
            names = [dump.name for dump in self.of(database)]
            raise UnknownDump(name, self.directory, names, str(error)) from error
        if not asked_for:
            raise ForeignDump(dump)
        return dump

    def _make(
        self,
        db: Database[Any],
        unfinished: Mapping[str, str],
        check: Callable[[], object],
    ) -> Dump:
        private_directory(self.directory)
        number = max((dump.number for dump in self.of(db.name)), default=0) + 1
        with begun(self.directory, db.name) as folder:
            tool = self._tool('mongodump', db)
            if tool:
                dump_with(tool, db, folder, self._excluded, self._say)
            else:
                excluded, say, progress = self._excluded, self._say, self._progress
                Dumper(db, folder / db.name, excluded, say, progress).run()
            seal(folder, db.name, number, servers_of(db), unfinished)
            check()
            path = finish(folder)
        try:
            sync(self.directory)
            return Dump.read(path)
        except (Damaged, OSError):
            remove(path)
            raise

    def _tool(self, name: str, db: Database[Any]) -> Tool | None:
        path = shutil.which(name)
        if path is None or self._connection is None:
            return None
        replica_set = db.client.admin.command('hello').get('setName')
        return Tool(path, self._connection, replica_set, self._say)

    def _mongorestore(self, db: Database[Any], dump: Dump) -> Mongorestore | None:
        tool = self._tool('mongorestore', db)
        return Mongorestore(tool, db, dump, self._say) if tool else None

    def _verified(self, dump: Dump, database: str) -> list[Stored]:
        if dump.database != database:
            raise Damaged(f'it is of the database {dump.database}, not {database}.')
        return [one for one in dump.contents() if one.name not in self._excluded]
