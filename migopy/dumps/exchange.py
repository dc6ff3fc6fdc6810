"""A database's collections exchanged for those of a dump, as late as can be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import UNAUTHORIZED
from migopy.dumps.database import drop, dumped, free_bytes, plain_database
from migopy.dumps.filling import Filler
from migopy.dumps.format import STAGED, SYSTEM_JS, Stored
from migopy.dumps.mongorestore import Mongorestore
from migopy.state import NOT_WRITTEN

#: The server's journal holds what was written since a checkpoint, after 2 GB the next.
#: A server whose disk is full ends.
_MOST_JOURNAL_BYTES = 2 * 2**30


class NotTaken(Exception):
    """The server does not take `collection` of a dump, as `error` says.

    `staged` is the name that it was to have for now.
    """

    def __init__(self, collection: str, staged: str, error: PyMongoError) -> None:
        super().__init__(f'{collection}: {error}')
        self.collection = collection
        self.staged = staged
        self.error = error


class NoRoom(Exception):
    """The server's disk has `free` bytes, too few to hold `needed` more for a while."""

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(
            f"the server's disk has {free:,} bytes free. Beside what is there,"
            f' {needed:,} bytes more are needed for a while.'
        )
        self.needed = needed
        self.free = free


class Mark(NamedTuple):
    """What tells, as long as it stands in `collection`, that `switch` is under way.

    That collection is exchanged last, so the mark is gone when all is in place, and
    stays where the process is killed before that. `check` raises an error where the
    lock is lost, so that another restore may be under way; `owner` is who has the lock.
    """

    collection: str
    document: Mapping[str, Any]
    check: Callable[[], object] = lambda: None
    owner: str = ''


class Exchange:
    """Exchanges collections for those of a dump: first `stage`, then `switch`.

    Invariant: until `switch` begins, all that there was is untouched, and nothing is
    exchanged by one that has lost the lock. The server has
    then taken everything that is in the dump, each document and each index, in
    collections beside (`migopy_restoring.…`). `switch` renames these into place.

    Some collections cannot be renamed: time series, encrypted ones, and for a user
    without the right or under the strict Stable API all of them. These are only staged
    for a trial, one at a time, and `switch` drops and fills them. The same is done with
    `in_place`, for a disk that has no room for everything twice. Views hold nothing, so
    they are dropped and made. `system.js` cannot be dropped: its documents are
    exchanged one by one.
    """

    def __init__(
        self,
        db: Database[Any],
        contents: Sequence[Stored],
        filler: Filler,
        excluded: Set[str],
        size: int,
        mark: Mark | None = None,
    ) -> None:
        """Take what is to be in the database; collections in `excluded` are left alone.

        `size` is that of it all, in bytes; `mark` stands while it is exchanged.
        """
        self._db = plain_database(db)
        self._contents = contents
        self._filler = filler
        self._excluded = excluded
        self._size = size
        self._mark = mark
        self._last = mark.collection if mark else ''
        self._check = mark.check if mark else lambda: None
        #: How names of collections beside begin: those of another restore are its own.
        self._beside = f'{STAGED}{mark.owner[:8]}.' if mark and mark.owner else STAGED
        self._staged: dict[str, str] = {}
        #: How many of the dump's collections are in place.
        self.done = 0

    def stage(self, mongorestore: Mongorestore | None, in_place: bool = False) -> None:
        """Have the server take everything, beside what there is.

        `mongorestore` fills what it can, PyMongo all else. Raises `NoRoom`, or what the
        server refused; then `clean` is to be called.
        """
        self._drop_beside(STAGED)
        self._require_names()
        names = {one.name: f'{self._beside}{n}' for n, one in enumerate(self._contents)}
        kept = {}
        if self._may_rename():
            if not in_place:
                self._require_room()
            kept = {
                one.name: (one, names[one.name])
                for one in self._contents
                # For that which has the mark there is room in any case.
                if _can_be_renamed(one) and (not in_place or one.name == self._last)
            }
        if mongorestore:
            self._staged = mongorestore.fill(kept)
        for stored in self._contents:
            self._check()
            try:
                self._stage_one(stored, names, keep=stored.name in kept)
            except PyMongoError as error:
                raise NotTaken(stored.name, names[stored.name], error) from error
        drop(self._db, [names[one.name] for one in self._contents if one.is_view])
        self._check()
        if self._mark:
            self._set(self._mark)

    def switch(self) -> None:
        """Put everything in place, and drop what the dump does not have.

        What has the mark comes last. But where nothing may be renamed, that is dropped
        before it is filled.
        """
        self._check()
        kinds = {one['name']: one['type'] for one in self._db.list_collections()}
        there = dumped(kinds, self._excluded)
        for stored in self._contents:
            if stored.name == SYSTEM_JS:
                self._filler.replace_functions(stored)
                self.done += 1
        for stored in self._contents:
            if stored.name in self._staged and stored.name != self._last:
                self._place(stored, kinds)
        for stored in self._contents:
            is_in_place = stored.name in self._staged or stored.name == SYSTEM_JS
            if not (is_in_place or stored.is_view or stored.name == self._last):
                self._place(stored, kinds)
        # An old view on a new one could close a circle. Views that have been exchanged
        # for a collection by now are gone already.
        placed = {stored.name for stored in self._contents if not stored.is_view}
        placed.add(self._last)
        self._check()
        old = [name for name in there if kinds[name] == 'view' and name not in placed]
        drop(self._db, old)
        for stored in self._contents:
            if stored.is_view and stored.name != self._last:
                # A collection or a time series may have its name.
                drop(self._db, [stored.name])
                self._filler.create(stored, stored.name)
                self.done += 1
        wanted = {stored.name: stored for stored in self._contents}
        self._check()
        drop(self._db, set(there) - wanted.keys() - {self._last})
        if self._last in wanted:
            self._place(wanted[self._last], kinds)
        elif self._last in there:
            drop(self._db, [self._last])

    def _place(self, stored: Stored, kinds: Mapping[str, str]) -> None:
        """Put a collection in place: what was staged is renamed, all else is filled."""
        self._check()
        if stored.name in self._staged:
            if kinds.get(stored.name, 'collection') != 'collection':
                drop(self._db, [stored.name])
            self._rename(self._staged[stored.name], stored.name)
        else:
            drop(self._db, [stored.name])
            self._filler.fill(stored, stored.name)
        self.done += 1

    def clean(self) -> None:
        """Drop the collections that this one has made beside."""
        self._drop_beside(self._beside)

    def _drop_beside(self, prefix: str) -> None:
        names = self._db.list_collection_names()
        drop(self._db, [name for name in names if name.startswith(prefix)])

    def _set(self, mark: Mark) -> None:
        """Write the mark where it can be kept: a restore is to mend anything else."""
        try:
            self._db[mark.collection].insert_one(dict(mark.document))
        except OperationFailure as error:
            if error.code not in NOT_WRITTEN:
                raise

    def _require_names(self) -> None:
        """Have the server look at each name that is new to the database.

        Under the names that they have beside, it would take what it refuses later.
        """
        there = self._db.list_collection_names()
        for name in {one.name for one in self._contents} - {*there, SYSTEM_JS}:
            nothing = {'q': {'_id': STAGED}, 'limit': 0}
            try:
                self._db.command({'delete': name, 'deletes': [nothing]})
            except OperationFailure as error:
                if error.code != UNAUTHORIZED:
                    raise NotTaken(name, name, error) from error

    def _require_room(self) -> None:
        free = free_bytes(self._db)
        needed = self._size + min(self._size, _MOST_JOURNAL_BYTES)
        if free is not None and free < needed:
            raise NoRoom(needed, free)

    def _stage_one(self, stored: Stored, names: Mapping[str, str], keep: bool) -> None:
        name = names[stored.name]
        if stored.name == SYSTEM_JS:
            self._filler.try_functions(stored)
        elif stored.is_view:
            # It is made on the staged one below it, so that the server notices circles,
            # whatever has that name today.
            below = names.get(stored.options['viewOn'], f'{self._beside}nothing')
            self._filler.create(stored, name, view_on=below)
        elif stored.name not in self._staged:
            if not keep:
                self._db[stored.data_name]  # raises where PyMongo cannot address it
            self._filler.fill(stored, name)
            if keep:
                self._staged[stored.name] = name
            else:
                drop(self._db, [name])

    def _may_rename(self) -> bool:
        first, second = f'{self._beside}trial', f'{self._beside}trial.renamed'
        for name in (first, second):
            self._db.command('create', name)
        try:
            self._rename(first, second)
        except OperationFailure:
            return False
        finally:
            with contextlib.suppress(PyMongoError):
                drop(self._db, [first, second])
        return True

    def _rename(self, name: str, new: str) -> None:
        self._db.client.admin.command(
            {
                'renameCollection': f'{self._db.name}.{name}',
                'to': f'{self._db.name}.{new}',
                'dropTarget': True,
                'writeConcern': {'w': 'majority'},
            }
        )


def _can_be_renamed(stored: Stored) -> bool:
    return not (
        stored.is_view
        or stored.is_time_series
        or stored.name == SYSTEM_JS
        or 'encryptedFields' in stored.options
    )
