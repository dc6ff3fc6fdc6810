"""A database filled from a dump's files, by PyMongo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.collection import Collection
from pymongo.database import Database

from migopy.dumps.database import plain
from migopy.dumps.format import SYSTEM_JS, Progress, Stored, read_documents

_BATCH_BYTES = 1024 * 1024
_BATCH_DOCUMENTS = 10_000

# Shown by listCollections, refused by `create` or not for it to say.
_OPTIONS_NOT_TAKEN = ('autoIndexId', 'recordIdsReplicated', 'temp')

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler='ignore',
)


class Restorer:
    """Fill a database from a dump's files, by PyMongo.

    Invariant: memory is bounded by one batch of 16 MB; `done` counts the collections
    that have all their documents and indexes.
    """

    def __init__(
        self,
        db: Database[Any],
        folder: Path,
        contents: Iterable[Stored],
        progress: Progress,
    ) -> None:
        """Raise PyMongo's `InvalidName` where it cannot address a collection."""
        self._db = plain(db)
        self._folder = folder
        self._contents = [(stored, self._db[stored.data_name]) for stored in contents]
        self._progress = progress
        self.done = 0

    def run(self) -> None:
        """Make and fill the collections, none of which is there."""
        for stored, collection in self._contents:
            if stored.name != SYSTEM_JS:
                self._create(stored)
            if not stored.is_view:
                self._insert(stored, collection)
                # After the documents: it is faster, and a TTL index cannot expire some
                # before the others are there.
                self._index(stored)
            self.done += 1

    def _create(self, stored: Stored) -> None:
        options = {
            name: value
            for name, value in stored.options.items()
            if name not in _OPTIONS_NOT_TAKEN
        }
        self._db.command({'create': stored.name, **options})

    def _insert(self, stored: Stored, collection: Collection[Any]) -> None:
        done = 0
        self._progress(stored.name, done, stored.count)
        for batch in _batches(read_documents(self._folder / stored.data_file)):
            bypass = stored.is_validated or None
            collection.insert_many(batch, bypass_document_validation=bypass)
            for document in batch:
                if not stored.is_time_series and _has_empty_timestamp(document):
                    _put_as_is(collection, document, bypass)
            done += len(batch)
            self._progress(stored.name, done, stored.count)

    def _index(self, stored: Stored) -> None:
        # The server shows an index without collation the same in every collection, but
        # gives a new one the collation of its collection.
        inherited = 'collation' in stored.options
        default = {'collation': {'locale': 'simple'}} if inherited else {}
        indexes = [
            {**default, **{k: v for k, v in index.items() if k != 'ns'}}
            for index in stored.indexes
            if list(index['key'].items()) != [('_id', 1)]
        ]
        if indexes:
            command = {'createIndexes': stored.name, 'indexes': indexes}
            # As mongorestore has it: servers of long ago kept any option.
            self._db.command({**command, 'ignoreUnknownIndexOptions': True})


def _batches(documents: Iterable[bytes]) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    for document in documents:
        size += len(document)
        if batch and (size > _BATCH_BYTES or len(batch) == _BATCH_DOCUMENTS):
            yield batch
            batch, size = [], len(document)
        batch.append(RawBSONDocument(document, _RAW))
    if batch:
        yield batch


def _has_empty_timestamp(document: RawBSONDocument) -> bool:
    """Find what an insert sets to the present: a top-level `Timestamp(0, 0)`."""
    # A look at the bytes spares most documents the decoding: a timestamp's type, and
    # the end of a name with eight bytes of nothing.
    if b'\x11' not in document.raw or bytes(9) not in document.raw:
        return False
    empty = [name for name, value in document.items() if value == Timestamp(0, 0)]
    return bool(set(empty) - {'_id'})


def _put_as_is(
    collection: Collection[Any], document: RawBSONDocument, bypass: bool | None
) -> None:
    collection.update_one(
        {'_id': {'$eq': document['_id']}},
        [{'$replaceRoot': {'newRoot': {'$literal': document}}}],
        bypass_document_validation=bypass,
    )
