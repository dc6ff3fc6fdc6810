"""A database written into a dump's files, by PyMongo."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.dumps.database import plain_database
from migopy.dumps.documents import Damaged
from migopy.dumps.format import (
    METADATA,
    STAGED,
    Progress,
    Say,
    Stored,
    file_stem,
)
from migopy.dumps.listed import (
    SNAPSHOT_TOO_OLD,
    SNAPSHOT_UNAVAILABLE,
    Changed,
    Listed,
    Unreadable,
    changes_noticed,
    extent_of,
    has_snapshots,
    stored_in,
)
from migopy.dumps.raw import raw_batches
from migopy.dumps.tools import Tool
from migopy.folders import create_file

_TRIES = 5
_TRY_AGAIN_SECONDS = 0.5


def keep_order(db: Database[Any], folder: Path, excluded: Set[str]) -> None:
    """Set what mongodump has written of options in the order that they have.

    Before 100.9.1 it wrote them in any order, that of the fields of a view's `$sort`
    included. What was changed in between is left as it has written it, and so is what
    this migopy does not know.
    """
    with contextlib.suppress(Unreadable):
        for one in stored_in(plain_database(db), excluded):
            path = folder / f'{file_stem(one.stored.name)}{METADATA}'
            with contextlib.suppress(Damaged):
                if path.exists() and Stored.read(path).is_like(one.stored):
                    path.write_text(one.metadata, encoding='utf-8')


class Dumper:
    """Writes a database into a folder, by PyMongo.

    Invariant: memory is bounded by batches of about a megabyte, or of 16 MB if the
    documents of a collection differ very much in size. Each collection in the folder is
    whole. If the server gives a snapshot, all are as they were at one moment, or a line
    says which ones are not.
    """

    def __init__(
        self,
        db: Database[Any],
        folder: Path,
        excluded: Set[str],
        say: Say,
        progress: Progress,
    ) -> None:
        """Take the database, a folder that is not there, and what not to dump."""
        self._db = plain_database(db)
        self._folder = folder
        self._excluded = excluded
        self._say = say
        self._progress = progress
        self._session: ClientSession | None = None

    def run(self) -> None:
        """Write it all, and start over where collections change underneath.

        Raises `Unreadable`, or the error of PyMongo or of the disk.
        """
        tries = 1
        while not self._succeeds(last=tries == _TRIES):
            tries += 1
            time.sleep(_TRY_AGAIN_SECONDS)

    def _succeeds(self, last: bool) -> bool:
        self._folder.mkdir(mode=0o700)
        try:
            with self._snapshot() as self._session:
                self._write()
        except Changed as changed:
            if last:
                raise
            self._say(f'{changed}. The dump starts over.')
            shutil.rmtree(self._folder)
            return False
        return True

    def _snapshot(self) -> contextlib.AbstractContextManager[ClientSession | None]:
        if has_snapshots(self._db):
            return self._db.client.start_session(snapshot=True)
        self._say(
            'This server gives no snapshot: what is written while the dump runs may be'
            ' in one collection of it and not in another.'
        )
        return contextlib.nullcontext()

    def _write(self) -> None:
        listed = self._list()
        self._set_time(listed)
        # Options and indexes are no part of a snapshot.
        if self._list() != listed:
            raise Changed('Collections or indexes were being made or dropped')
        for one in listed:
            path = self._folder / f'{file_stem(one.stored.name)}{METADATA}'
            with create_file(path) as file:
                file.write(one.metadata.encode())
            self._warn_of_options(one.stored)
            if one.uuid:
                self._write_documents(one.stored)
                self._check_still_there(one)

    def _list(self) -> list[Listed]:
        return stored_in(self._db, self._excluded)

    def _warn_of_options(self, stored: Stored) -> None:
        for option in stored.unknown_options:
            self._say(
                f'{stored.label} has an option that this migopy does not know,'
                f' {option}. dbrestore will refuse this dump; a newer migopy may not.'
            )

    def _set_time(self, listed: Iterable[Listed]) -> None:
        """Read a little, as a session's first read sets the time of all others."""
        for one in listed:
            if self._session and one.uuid and not one.stored.is_capped:
                collection = self._db[one.stored.data_name]
                with changes_noticed(one.stored):
                    list(collection.find_raw_batches(limit=1, session=self._session))
                return

    def _write_documents(self, stored: Stored) -> None:
        try:
            return self._copy(stored, self._session)
        except OperationFailure as error:
            if error.code == SNAPSHOT_TOO_OLD:
                self._session = None
                self._say(
                    'The server no longer has the snapshot (it keeps one for'
                    ' minSnapshotHistoryWindowInSeconds, 300 if not set). From'
                    f' {stored.label} on each collection is read at a time of its own.'
                )
            elif error.code == SNAPSHOT_UNAVAILABLE:
                self._say(
                    f'{stored.label} is capped, which this server leaves out of its'
                    ' snapshots: it is read at a time of its own.'
                )
            else:
                raise
        (self._folder / stored.data_file).unlink()
        return self._copy(stored, None)

    def _copy(self, stored: Stored, session: ClientSession | None) -> None:
        collection = self._db[stored.data_name]
        total, batch_size = extent_of(collection)
        done = 0
        self._progress(stored.name, done, total)
        # With this hint servers that refuse to scan much take it, says mongodump.
        batches = raw_batches(
            collection,
            session,
            hint=[('$natural', 1)],
            batch_size=batch_size,
        )
        path = self._folder / stored.data_file
        with (
            create_file(path) as file,
            contextlib.closing(batches),
            changes_noticed(stored),
        ):
            for documents, count in batches:
                file.write(documents)
                done += count
                self._progress(stored.name, done, max(done, total))

    def _check_still_there(self, one: Listed) -> None:
        """Raise `Changed` if the collection is gone: then it was read as empty."""
        named = {'name': one.stored.data_name}
        uuids = [
            found['info'].get('uuid')
            for found in self._db.list_collections(filter=named)
        ]
        if [uuid and uuid.hex() for uuid in uuids] != [one.uuid]:
            raise Changed(f'The collection {one.stored.label} was dropped or replaced')


def dump_with(
    tool: Tool, db: Database[Any], folder: Path, excluded: Set[str], say: Say
) -> None:
    """Dump a database by mongodump."""
    say(f'{tool.path} reads each collection at a time of its own.')
    left_out = [f'--excludeCollection={name}' for name in sorted(excluded)]
    left_out.append(f'--excludeCollectionsWithPrefix={STAGED}')
    tool.run(f'--db={db.name}', *left_out, f'--out={folder}')
    # It makes nothing for a database without collections.
    (folder / db.name).mkdir(exist_ok=True)
    keep_order(db, folder / db.name, excluded)
