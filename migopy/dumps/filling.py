"""A database filled with what a dump or another database has, by PyMongo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.codes import OUTSIDE_STABLE_API, UNAUTHORIZED
from migopy.dumps.database import is_replicated, plain_database
from migopy.dumps.documents import Damaged
from migopy.dumps.format import (
    KNOWN_OPTIONS,
    OPTIONS_NOT_TAKEN,
    STAGED,
    SYSTEM_JS,
    Document,
    Progress,
    Stored,
)

_UNKNOWN_INDEX_OPTION = 197

_NOTHING = bytes(9)

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler='ignore',
)


class Filler:
    """Makes collections, views and time series as they are stored, under any name.

    Invariant: memory is bounded by one batch of 16 MB. If the server refuses anything,
    an error is raised; nothing is left out.
    """

    def __init__(
        self,
        db: Database[Any],
        batches: Callable[[Stored], Iterable[Sequence[bytes]]],
        progress: Progress,
        is_scratch: bool = False,
    ) -> None:
        """Take the database, and what gives a collection's documents in batches.

        A scratch database need not outlive a crash, so no write waits for the disk.
        """
        self._db = plain_database(db)
        if is_scratch:
            self._db = self._db.with_options(write_concern=WriteConcern(w=1))
        self._batches = batches
        self._progress = progress
        self._may_bypass = True

    def fill(self, stored: Stored, name: str, is_small: bool = False) -> None:
        """Make what is stored under a name that nothing has yet.

        A small collection gets its indexes first: on an empty one they are made at
        once.
        """
        self.create(stored, name)
        if is_small and not stored.is_view:
            self._index(stored, name)
            self._insert(stored, self._db[replace(stored, name=name).data_name])
        elif not stored.is_view:
            self._insert(stored, self._db[replace(stored, name=name).data_name])
            # After the documents: it is faster, and a TTL index cannot expire some
            # before the others are there.
            self._index(stored, name)

    def fill_all(self, contents: Sequence[Stored], are_small: bool = False) -> None:
        """Make all of these in an empty database, the views after what they are on."""
        for stored in contents:
            if stored.name == SYSTEM_JS:
                self.replace_functions(stored)
            elif not stored.is_view:
                self.fill(stored, stored.name, are_small)
        for stored in contents:
            if stored.is_view:
                self.create(stored, stored.name)

    def create(self, stored: Stored, name: str, view_on: str | None = None) -> None:
        """Make it without documents and indexes; a view on what `view_on` names."""
        options = {
            option: value
            for option, value in stored.options.items()
            if option in KNOWN_OPTIONS and option not in OPTIONS_NOT_TAKEN
        }
        if view_on is not None:
            options['viewOn'] = view_on
        # Collections of long ago (before MongoDB 3.4) have such an index.
        for index in stored.indexes:
            if _is_of_id(index) and index.get('v') == 1:
                options['idIndex'] = {k: index[k] for k in ('v', 'key', 'name')}
        self._db.command({'create': name, **options})

    def replace_functions(self, stored: Stored) -> None:
        """Put the stored documents in the place of those of `system.js`."""
        functions = self._db[SYSTEM_JS]
        kept = []
        self._progress(stored.name, 0, stored.count)
        for document in self._documents(stored):
            name = document.get('_id')
            functions.replace_one({'_id': {'$eq': name}}, document, upsert=True)
            kept.append(name)
        functions.delete_many({'_id': {'$nin': kept}})
        self._progress(stored.name, len(kept), stored.count)

    def try_functions(self, stored: Stored) -> None:
        """Find out whether the server would take the documents of `system.js`."""
        functions = self._db[SYSTEM_JS]
        trial = {'_id': f'{STAGED}trial'}
        functions.replace_one(trial, trial, upsert=True)
        functions.delete_one(trial)
        for document in self._documents(stored):
            if '_id' not in document:
                raise Damaged(f'a document of {SYSTEM_JS} has no _id')

    def _documents(self, stored: Stored) -> Iterator[RawBSONDocument]:
        for documents in self._batches(stored):
            for document in documents:
                yield RawBSONDocument(document, _RAW)

    def _insert(self, stored: Stored, collection: Collection[Any]) -> None:
        done = 0
        self._progress(stored.name, done, stored.count)
        # An empty collection may come as one batch of nothing.
        for documents in filter(None, self._batches(stored)):
            bypass = self._insert_batch(stored, collection, documents)
            if not stored.is_time_series:
                for document in _with_empty_timestamp(documents):
                    _put_as_is(collection, document, bypass)
            done += len(documents)
            self._progress(stored.name, done, stored.count)

    def _insert_batch(
        self,
        stored: Stored,
        collection: Collection[Any],
        documents: Sequence[bytes],
    ) -> bool | None:
        """Insert documents; tell whether they have bypassed a validator.

        That takes a right that `readWrite` does not have. Without it only documents
        that the validator accepts can be restored.
        """
        # With options of their own these would take three times as long to make.
        batch = list(map(RawBSONDocument, documents))
        bypass = (stored.is_validated and self._may_bypass) or None
        try:
            collection.insert_many(batch, bypass_document_validation=bypass)
        except OperationFailure as error:
            if not bypass or error.code != UNAUTHORIZED:
                raise
            self._may_bypass = False
            bypass = None
            collection.insert_many(batch)
        return bypass

    @cached_property
    def _quorum(self) -> Document:
        """Have no index wait for a member that is down, as it would by default."""
        hello = self._db.client.admin.command('hello')
        return {'commitQuorum': 'majority'} if is_replicated(hello) else {}

    def _index(self, stored: Stored, name: str) -> None:
        # The server shows an index without collation the same in every collection, but
        # gives a new one the collation of its collection.
        inherited = 'collation' in stored.options
        default = {'collation': {'locale': 'simple'}} if inherited else {}
        indexes = [
            {**default, **{k: v for k, v in index.items() if k != 'ns'}}
            for index in stored.indexes
            if not _is_of_id(index)
        ]
        if not indexes:
            return
        command: Document = {'createIndexes': name, 'indexes': indexes}
        try:
            self._db.command({**command, **self._quorum})
        except OperationFailure as error:
            if error.code == OUTSIDE_STABLE_API:
                # If it is strict it knows no quorum.
                self._db.command(command)
                return
            if error.code != _UNKNOWN_INDEX_OPTION:
                raise
            # As mongorestore does: old servers kept any option. It is not sent at
            # first, as the strict Stable API does not know it.
            command |= {**self._quorum, 'ignoreUnknownIndexOptions': True}
            self._db.command(command)


def _is_of_id(index: Document) -> bool:
    return list(index['key'].items()) == [('_id', 1)]


def _with_empty_timestamp(documents: Sequence[bytes]) -> Iterator[RawBSONDocument]:
    """Find what is to be put as it is, once it was inserted."""
    for raw in documents:
        if has_empty_timestamp(raw):
            document = RawBSONDocument(raw, _RAW)
            # One without `_id`, of a capped collection of long ago, cannot be found
            # again.
            if '_id' in document:
                yield document


def has_empty_timestamp(raw: bytes) -> bool:
    """Tell whether an insert sets a field to now: a top-level `Timestamp(0, 0)`.

    One that is an `_id` stays as it is.
    """
    # A look at the bytes spares most documents the decoding: a timestamp's type, and
    # the end of a name with eight bytes of nothing.
    if b'\x11' not in raw or _NOTHING not in raw:
        return False
    fields = RawBSONDocument(raw, _RAW).items()
    return any(name != '_id' and value == Timestamp(0, 0) for name, value in fields)


def _put_as_is(
    collection: Collection[Any], document: RawBSONDocument, bypass: bool | None
) -> None:
    collection.update_one(
        {'_id': {'$eq': document['_id']}},
        [{'$replaceRoot': {'newRoot': {'$literal': document}}}],
        bypass_document_validation=bypass,
    )
