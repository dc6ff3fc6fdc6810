"""A database as files, by PyMongo: the format of mongodump 100.x, written and read.

In a folder named like the database, `<collection>.bson` holds the documents one after
the other, and `<collection>.metadata.json` options and indexes in MongoDB's canonical
extended JSON. A view has no documents; those of a time series are the buckets that the
server keeps them in.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import quote_plus, unquote_plus

from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import InvalidName, OperationFailure
from pymongo.read_concern import ReadConcern

Document = dict[str, Any]

Say = Callable[[str], None]
"""Takes a line for a person to read."""

Progress = Callable[[str, int, Optional[int]], None]
"""Takes a collection's name, the documents done, and how many there are if known."""

METADATA = '.metadata.json'

SYSTEM_JS = 'system.js'
"""Of the server's own collections the one that is dumped; it cannot be dropped."""

LONGEST_STEM = 238
"""Characters of a file's name before its ending, the longest being that of gzip."""

_BUCKETS = 'system.buckets.'
"""Stands before a time series' name in that of the collection with its documents."""

# The server's own limit: 16 MB, and what it may add to a document itself.
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024
_BATCH_BYTES = 1024 * 1024
_BATCH_DOCUMENTS = 10_000

# Shown by listCollections, refused by `create` or not for it to say.
_OPTIONS_NOT_TAKEN = ('autoIndexId', 'recordIdsReplicated', 'temp')

# MongoDB 5.0, the first to read from a snapshot outside of transactions.
_SNAPSHOT_WIRE_VERSION = 13

_NAMESPACE_NOT_FOUND = 26
_QUERY_PLAN_KILLED = 175
_SNAPSHOT_TOO_OLD = 239
_SNAPSHOT_UNAVAILABLE = 246

_TRIES = 5
_TRY_AGAIN_SECONDS = 0.5

_JSON = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler='ignore',
)


class Unreadable(Exception):
    """A database that PyMongo cannot dump; the text is the reason."""


class Changed(Unreadable):
    """A collection was made, dropped or changed while it was dumped."""


class Damaged(Exception):
    """A dump's file is not as it was written; the text says which, and how."""


@dataclass(frozen=True)
class Stored:
    """A collection, a view or a time series, as a dump holds it."""

    name: str
    options: Document
    indexes: Sequence[Document]
    #: How many documents there are, where they have been counted.
    count: int | None = None

    @property
    def is_view(self) -> bool:
        """Tell whether it has no documents of its own."""
        return 'viewOn' in self.options

    @property
    def is_time_series(self) -> bool:
        """Tell whether its documents are in another collection, as buckets."""
        return 'timeseries' in self.options

    @property
    def is_capped(self) -> bool:
        """Tell whether it keeps the newest documents only."""
        return bool(self.options.get('capped'))

    @property
    def is_validated(self) -> bool:
        """Tell whether the server checks new documents, which old ones need not pass.

        To pass them by needs a right that `readWrite` does not include.
        """
        return 'validator' in self.options

    @property
    def data_name(self) -> str:
        """Name the collection that holds the documents."""
        return _BUCKETS + self.name if self.is_time_series else self.name

    @property
    def data_file(self) -> str:
        """Name the file that holds the documents."""
        return f'{file_stem(self.data_name)}.bson'

    def metadata(self, uuid: str | None) -> str:
        """Give the content of `.metadata.json`; `uuid` is the collection's, in hex."""
        kind = 'timeseries' if self.is_time_series else 'collection'
        document: Document = {
            'options': self.options,
            'indexes': self.indexes,
            'uuid': None if self.is_time_series else uuid,
            'collectionName': self.name,
            'type': 'view' if self.is_view else kind,
        }
        # mongodump leaves out what is empty, but for the indexes.
        shown = {k: v for k, v in document.items() if v or k == 'indexes'}
        return json_util.dumps(
            shown, json_options=_JSON, separators=(',', ':'), ensure_ascii=False
        )

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read a `.metadata.json`. Raise `Damaged` where it says something else."""
        try:
            document = json.loads(
                path.read_text(encoding='utf-8'), object_pairs_hook=_from_json
            )
            # Older ones do not hold the name.
            name = unquote_plus(path.name[: -len(METADATA)])
            return cls(
                document.get('collectionName') or name,
                document.get('options') or {},
                document['indexes'],
            )
        except (ValueError, TypeError, AttributeError, KeyError, BSONError) as error:
            raise Damaged(f'{path} is damaged: {error}') from error


def _from_json(pairs: Sequence[tuple[str, Any]]) -> Any:
    # Canonical JSON writes a regular expression otherwise, so this is the operator,
    # which json_util would turn into one, dropping its neighbours.
    if any(name == '$regex' for name, _ in pairs):
        return dict(pairs)
    return json_util.object_pairs_hook(pairs, _JSON)


def file_stem(collection: str) -> str:
    """Give a collection's file name without its ending, as mongodump names it.

    That is the name as in a URL's query; what would be longer than a file name may be
    is cut and ends with a hash (mongodump's `outputPath`, in prepare.go).
    """
    escaped = quote_plus(collection)
    if len(escaped) <= LONGEST_STEM:
        return escaped
    digest = hashlib.sha1(collection.encode()).digest()  # noqa: S324
    hashed = base64.urlsafe_b64encode(digest).decode().rstrip('=')
    return f'{escaped[:208]}%24{hashed}'


def read_documents(path: Path) -> Iterator[bytes]:
    """Give the documents of a `.bson` file one by one.

    Raise `Damaged` at the first that is not whole.
    """
    position = 0
    with open(path, 'rb', buffering=1024 * 1024) as file:
        while head := file.read(4):
            size = int.from_bytes(head, 'little', signed=True)
            sound = 5 <= size <= _MAX_DOCUMENT_BYTES
            body = file.read(size - 4) if sound else b''
            if not sound or len(body) != size - 4 or body[-1] != 0:
                raise Damaged(f'{path} is damaged at byte {position}')
            yield head + body
            position += size


def read_contents(folder: Path) -> list[Stored]:
    """Read a dump of a database from end to end, and give what is in it.

    Raise `Damaged` or `OSError` where a file is not as it was written.
    """
    contents = []
    for path in sorted(folder.glob(f'*{METADATA}')):
        stored = Stored.read(path)
        if not stored.is_view:
            count = sum(1 for _ in read_documents(folder / stored.data_file))
            stored = replace(stored, count=count)
        contents.append(stored)
    return contents


def plain(db: Database[Any]) -> Database[Any]:
    """Give the database without what an application set for itself."""
    return db.client.get_database(
        db.name,
        codec_options=CodecOptions(),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern(),
        write_concern=WriteConcern('majority'),
    )


def dumped(names: Iterable[str], apart: Set[str] = frozenset()) -> list[str]:
    """Pick, of a database's collections, what belongs in a dump, but for `apart`.

    Of the server's own that is `system.js` alone, as with mongodump: views and time
    series are listed by their own names as well.
    """
    return sorted(
        name
        for name in names
        if (name == SYSTEM_JS or not name.startswith('system.')) and name not in apart
    )


def drop(db: Database[Any], names: Iterable[str]) -> None:
    """Drop collections, those of them that are there."""
    for name in names:
        if name == SYSTEM_JS:
            db[name].delete_many({})
        else:
            db.command({'drop': name}, allowable_errors=[_NAMESPACE_NOT_FOUND])


@dataclass(frozen=True)
class _Listed:
    """A collection, a view or a time series, as the server has it now.

    `uuid` is that of the collection with the documents, in hex; a view has none. Two
    are equal where nothing was changed between, but for documents.
    """

    stored: Stored = field(compare=False)
    metadata: str
    uuid: str | None


class Dumper:
    """Write a database into a folder, by PyMongo.

    Invariant: memory is bounded, by batches of about a megabyte; by the server's of
    16 MB where a collection's documents are of most unequal size. Each collection in
    the folder is whole; where the server gives a snapshot, all are as they were at one
    time, or a line says which are not.
    """

    def __init__(
        self,
        db: Database[Any],
        folder: Path,
        apart: Set[str],
        say: Say,
        progress: Progress,
    ) -> None:
        """Take the database, a folder that is not there, and what not to dump."""
        self._db = plain(db)
        self._folder = folder
        self._apart = apart
        self._say = say
        self._progress = progress
        self._session: ClientSession | None = None

    def run(self) -> None:
        """Write it all, and start over where collections change underneath.

        Raise `Unreadable`, or the error of PyMongo or of the disk.
        """
        tries = 1
        while not self._succeeds(last=tries == _TRIES):
            tries += 1
            time.sleep(_TRY_AGAIN_SECONDS)

    def _succeeds(self, last: bool) -> bool:
        self._folder.mkdir()
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
        client = self._db.client
        hello = client.admin.command('hello')
        replicates = 'setName' in hello or hello.get('msg') == 'isdbgrid'
        if replicates and hello['maxWireVersion'] >= _SNAPSHOT_WIRE_VERSION:
            return client.start_session(snapshot=True)
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
            path.write_text(one.metadata, encoding='utf-8')
            if one.uuid:
                self._write_documents(one.stored)
                self._check_still_there(one)

    def _list(self) -> list[_Listed]:
        found = {str(one['name']): one for one in self._db.list_collections()}
        listed = []
        for name in dumped(found, self._apart):
            stored = self._describe(name, found[name]['options'])
            uuid = None
            if not stored.is_view:
                if stored.data_name not in found:
                    raise Unreadable(
                        f'PyMongo cannot read the time series {name} from this server.'
                        ' Install mongodump, which can.'
                    )
                uuid = found[stored.data_name]['info']['uuid'].hex()
            listed.append(_Listed(stored, stored.metadata(uuid), uuid))
        return listed

    def _describe(self, name: str, options: Document) -> Stored:
        if 'viewOn' in options:
            return Stored(name, options, [])
        try:
            indexes = [dict(index) for index in self._db[name].list_indexes()]
        except InvalidName as error:
            raise Unreadable(
                f'PyMongo cannot address the collection {name!r}: {error}. Install'
                ' mongodump, which can.'
            ) from error
        return Stored(name, options, indexes)

    def _set_time(self, listed: Iterable[_Listed]) -> None:
        """Read a little: a session's first read sets the time of all the others."""
        for one in listed:
            if self._session and one.uuid and not one.stored.is_capped:
                collection = self._db[one.stored.data_name]
                with _changes_noticed(one.stored):
                    list(collection.find_raw_batches(limit=1, session=self._session))
                return

    def _write_documents(self, stored: Stored) -> None:
        try:
            return self._copy(stored, self._session)
        except OperationFailure as error:
            if error.code == _SNAPSHOT_TOO_OLD:
                self._session = None
                self._say(
                    'The server no longer has the snapshot (it keeps one for'
                    ' minSnapshotHistoryWindowInSeconds, 300 if not set). From'
                    f' {stored.name} on each collection is read at a time of its own.'
                )
            elif error.code == _SNAPSHOT_UNAVAILABLE:
                self._say(
                    f'{stored.name} is capped, which this server leaves out of its'
                    ' snapshots: it is read at a time of its own.'
                )
            else:
                raise
        return self._copy(stored, None)

    def _copy(self, stored: Stored, session: ClientSession | None) -> None:
        collection = self._db[stored.data_name]
        total = collection.estimated_document_count()
        done = 0
        self._progress(stored.name, done, total)
        # With this hint servers that refuse to scan much take it, says mongodump.
        cursor = collection.find_raw_batches(
            hint=[('$natural', 1)], batch_size=_batch_size(collection), session=session
        )
        path = self._folder / stored.data_file
        with open(path, 'wb') as file, cursor, _changes_noticed(stored):
            for batch in cursor:
                file.write(batch)
                done += _count(batch)
                self._progress(stored.name, done, max(done, total))

    def _check_still_there(self, one: _Listed) -> None:
        """Make sure it was this collection: one that is gone reads as an empty one."""
        named = {'name': one.stored.data_name}
        uuids = [
            found['info'].get('uuid')
            for found in self._db.list_collections(filter=named)
        ]
        if [uuid and uuid.hex() for uuid in uuids] != [one.uuid]:
            raise Changed(f'The collection {one.stored.name} was dropped or replaced')


@contextlib.contextmanager
def _changes_noticed(stored: Stored) -> Iterator[None]:
    """Raise `Changed` for what a read of a collection dropped meanwhile ends with."""
    codes = {_NAMESPACE_NOT_FOUND, _QUERY_PLAN_KILLED}
    if not stored.is_capped:
        codes.add(_SNAPSHOT_UNAVAILABLE)
    try:
        yield
    except OperationFailure as error:
        if error.code in codes:
            raise Changed(f'The collection {stored.name} was changed') from error
        raise


def _batch_size(collection: Collection[Any]) -> int:
    """Tell how many documents make a batch, 0 for as many as the server likes.

    PyMongo holds a reply several times over while it is read.
    """
    try:
        [stats, *_] = collection.aggregate([{'$collStats': {'storageStats': {}}}])
    except OperationFailure:
        return 0
    average = int(stats['storageStats'].get('avgObjSize') or 0)
    return max(1, _BATCH_BYTES // average) if average else 0


def _count(batch: bytes) -> int:
    position = count = 0
    while position < len(batch):
        position += int.from_bytes(batch[position : position + 4], 'little')
        count += 1
    return count


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
