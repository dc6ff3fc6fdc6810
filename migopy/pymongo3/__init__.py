"""The collection, cursor and database methods that PyMongo 4 dropped.

A migration file of 2014 says `db.notes.insert({'content': 'test'})`. To PyMongo 4
`db.notes.insert` is the collection "notes.insert", and calling a collection is a
`TypeError`. That call is the one thing taken over here: a collection whose last name
is a dropped method runs the method on its parent. So all that PyMongo 4 gives a
meaning keeps it, `db.notes.insert.find_one()` included.

Every method delegates to a call of today's PyMongo and gives what PyMongo 3.13 gave
(the facts are from its documentation and from running both on one server). Where
PyMongo 2 and 3 disagree on the order of arguments, these must be named.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, NoReturn, cast

import bson
import pymongo
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collation import Collation
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]

_DUPLICATE_KEY = 11000
_FAILED_TO_PARSE = 9
_UNAUTHORIZED = 13

_RENAMED_FIND_ARGUMENTS = {
    'spec': 'filter',
    'fields': 'projection',
    'partial': 'allow_partial_results',
}
_LOST_FIND_ARGUMENTS = ('manipulate', 'network_timeout', 'slave_okay')


def legacy_database(
    client: Any, name: str, notify: Callable[[str], None] | None = None
) -> Database[Any]:
    """Give the client's database with the methods that PyMongo 4 dropped.

    `notify` is called with a sentence for a person ("001_x.py, line 2: …") once for
    each dropped method that a file uses; a `DeprecationWarning` is given as well. A
    client that is no `pymongo.MongoClient` (a test's) gives its own database.
    """
    if not isinstance(client, pymongo.MongoClient):
        database: Database[Any] = client[name]
        return database
    return LegacyDatabase(client, name, deprecations=Deprecations(notify))


class Deprecations:
    """Say that a file uses what PyMongo 4 dropped, and what to write instead.

    Invariant: each use is said at most once a file, from whatever thread, whatever
    the interpreter's warning filters remember.
    """

    def __init__(self, notify: Callable[[str], None] | None = None) -> None:
        self._notify = notify
        self._said: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def say(self, use: str, advice: str) -> None:
        """Warn the file that called PyMongo, unless it was told of this use before.

        Raises `DeprecationWarning` where the interpreter's filters make it an error.
        """
        file_name, line, module = _calling_file()
        with self._lock:
            if (file_name, use) in self._said:
                return
            self._said.add((file_name, use))
        message = f'PyMongo 4 dropped {use}: {advice}'
        if self._notify is not None:
            self._notify(f'{os.path.basename(file_name)}, line {line}: {message}')
        warnings.warn_explicit(message, DeprecationWarning, file_name, line, module)


def _calling_file() -> tuple[str, int, str]:
    """Find file, line and module of the nearest caller outside PyMongo and here."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_driver(frame.f_globals.get('__name__', '')):
        frame = frame.f_back
    module = frame.f_globals.get('__name__', '')
    return frame.f_code.co_filename, frame.f_lineno, module


def _is_driver(module: str) -> bool:
    return module == __name__ or module.split('.')[0] == 'pymongo'


class LegacyDatabase(Database[Any]):
    """A `Database` of PyMongo 4 whose collections have PyMongo 3's methods too.

    Invariant: every collection, and every database with other options, that is
    reached from it is legacy as well, and tells the same `Deprecations`.
    """

    def __init__(
        self,
        client: pymongo.MongoClient[Any],
        *args: Any,
        deprecations: Deprecations,
        **kwargs: Any,
    ) -> None:
        super().__init__(client, *args, **kwargs)
        self._deprecations = deprecations

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyDatabase:
        """Give this database with other options, as PyMongo 4 does."""
        plain: Database[Any] = super().with_options(*args, **kwargs)
        return LegacyDatabase(
            plain.client,
            plain.name,
            deprecations=self._deprecations,
            **_options(plain),
        )

    def __getitem__(self, name: str) -> LegacyCollection:
        return _legacy(super().__getitem__(name))

    def get_collection(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Give a collection with options of its own, as PyMongo 4 does."""
        return _legacy(super().get_collection(*args, **kwargs))

    def create_collection(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Create a collection, as PyMongo 4 does."""
        return _legacy(super().create_collection(*args, **kwargs))


class LegacyCollection(Collection[Any]):
    """A `Collection` of PyMongo 4 that, called, is a dropped method of its parent.

    Invariant: whatever PyMongo 4 gives a meaning keeps that meaning; only calls and
    arguments that it refuses are taken over. And a write in a transaction that was
    bound with `session.bind()` carries no write concern of its own.
    """

    database: LegacyDatabase

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the dropped method that the last part of the name says.

        Raises PyMongo's own `TypeError` where there was no such method.
        """
        parent_name, _, method_name = self.name.rpartition('.')
        methods = COLLECTION_METHODS if parent_name else DATABASE_METHODS
        if method_name not in methods:
            return super().__call__(*args, **kwargs)
        method = methods[method_name]
        self._say(f'{method_name}()', f'write {method.instead} instead')
        if not parent_name:
            return method.run(self.database, *args, **kwargs)
        parent = LegacyCollection(self.database, parent_name, **_options(self))
        return method.run(parent, *args, **kwargs)

    def __getitem__(self, name: str) -> LegacyCollection:
        return _legacy(super().__getitem__(name))

    def with_options(self, *args: Any, **kwargs: Any) -> LegacyCollection:
        """Give this collection with other options, as PyMongo 4 does."""
        return _legacy(super().with_options(*args, **kwargs))

    def find(self, *args: Any, **kwargs: Any) -> LegacyCursor:
        """Query as PyMongo 4 does; `find()`'s arguments of PyMongo 2 are known too."""
        collection = self._with_old_find_options(kwargs)
        self._modernize_find(kwargs)
        return LegacyCursor(collection, *args, **kwargs)

    def find_one(self, filter: Any | None = None, *args: Any, **kwargs: Any) -> Any:
        """Query as PyMongo 4 does; `spec_or_id`, `filter`'s old name, is known too."""
        if filter is None and 'spec_or_id' in kwargs:
            self._say('find_one(spec_or_id=…)', 'write find_one(filter=…) instead')
            filter = kwargs.pop('spec_or_id')
        return super().find_one(filter, *args, **kwargs)

    def create_index(
        self,
        keys: Any,
        session: ClientSession | None = None,
        comment: Any | None = None,
        **kwargs: Any,
    ) -> str:
        """Create an index as PyMongo 4 does; options of PyMongo 2 are known too.

        `drop_dups`, `dropDups`, `cache_for` and `ttl` are passed over.
        """
        for option in ('drop_dups', 'dropDups'):
            if kwargs.pop(option, False):
                self._say(
                    f'create_index({option}=…)',
                    'it is passed over, as MongoDB no longer drops duplicates;'
                    ' delete them before you create a unique index',
                )
        for option in ('cache_for', 'ttl'):
            if kwargs.pop(option, None) is not None:
                self._say(
                    f'create_index({option}=…)', 'it is passed over; leave it out'
                )
        if 'bucket_size' in kwargs:
            kwargs['bucketSize'] = kwargs.pop('bucket_size')
        return super().create_index(keys, session, comment, **kwargs)

    def _with_old_find_options(self, arguments: Document) -> LegacyCollection:
        """Take PyMongo 2's options of `find()` that are a collection's today."""
        collection = self
        if 'as_class' in arguments:
            advice = 'write with_options(codec_options=…).find(…) instead'
            self._say('find(as_class=…)', advice)
            document_class = arguments.pop('as_class') or dict
            collection = self.with_options(
                codec_options=self.codec_options.with_options(
                    document_class=document_class
                )
            )
        if 'read_preference' in arguments:
            advice = 'write with_options(read_preference=…).find(…) instead'
            self._say('find(read_preference=…)', advice)
            collection = collection.with_options(
                read_preference=arguments.pop('read_preference')
            )
        return collection

    def _modernize_find(self, arguments: Document) -> None:
        """Replace PyMongo 2's arguments of `find()` in place."""
        for old, new in _RENAMED_FIND_ARGUMENTS.items():
            if old in arguments:
                self._say(f'find({old}=…)', f'write find({new}=…) instead')
                arguments[new] = arguments.pop(old)
                if old == 'fields' and arguments[new] in ([], (), {}):
                    # Without a field PyMongo 2 gave the _id, PyMongo 4 gives all.
                    arguments[new] = {'_id': 1}
        if 'timeout' in arguments:
            self._say('find(timeout=…)', 'write find(no_cursor_timeout=…) instead')
            arguments['no_cursor_timeout'] = not arguments.pop('timeout')
        for option in _LOST_FIND_ARGUMENTS:
            if option in arguments:
                del arguments[option]
                self._say(f'find({option}=…)', 'it is passed over; leave it out')

    def _write_concern_for(self, session: Any) -> WriteConcern:
        # PyMongo 4.17 to 4.20 leave the write concern out for a session that is
        # passed, but not for a bound one: the server then refuses the write, and
        # with w=0 insert_many() and bulk_write() happen outside the transaction.
        return super()._write_concern_for(session or _bound_session(self))

    def _say(self, use: str, advice: str) -> None:
        self.database._deprecations.say(use, advice)


class LegacyCursor(Cursor[Any]):
    """A `Cursor` of PyMongo 4 that still has `count()`."""

    def count(self, with_limit_and_skip: bool = False) -> int:
        """Count the documents that match; `limit()` and `skip()` only if asked to."""
        collection = cast(LegacyCollection, self.collection)
        collection._say('cursor.count()', 'write count_documents(filter) instead')
        options = {
            'maxTimeMS': self._max_time_ms,
            'comment': self._comment,
            'hint': self._hint,
            'collation': self._collation,
        }
        if with_limit_and_skip:
            options.update(limit=self._limit, skip=self._skip)
        return _count(collection, self._spec, self.session, **options)


def _legacy(collection: Collection[Any]) -> LegacyCollection:
    """Give a collection that PyMongo made the class it must have here."""
    return LegacyCollection(
        collection.database, collection.name, **_options(collection)
    )


def _options(source: Any) -> Document:
    """Collect the options that a database or a collection hands on to its like."""
    return {
        'codec_options': source.codec_options,
        'read_preference': source.read_preference,
        'write_concern': source.write_concern,
        'read_concern': source.read_concern,
    }


def _bound_session(collection: LegacyCollection) -> ClientSession | None:
    # PyMongo has no public way to ask which session `session.bind()` bound.
    return collection.database.client._get_bound_session()


class DroppedMethod(NamedTuple):
    """A method that PyMongo 4 dropped: what runs it, and what to write instead."""

    run: Callable[..., Any]
    instead: str


COLLECTION_METHODS: dict[str, DroppedMethod] = {}
DATABASE_METHODS: dict[str, DroppedMethod] = {}


def _dropped_from(
    methods: dict[str, DroppedMethod], instead: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the dropped method of its name."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        methods[function.__name__] = DroppedMethod(function, instead)
        return function

    return register


@_dropped_from(COLLECTION_METHODS, 'insert_one() or insert_many()')
def insert(
    collection: LegacyCollection,
    doc_or_docs: Any,
    manipulate: bool = True,
    *unnamed: Any,
    check_keys: bool = True,
    continue_on_error: bool = False,
    **write_concern: Any,
) -> Any:
    """Insert one document and give its `_id`, or several and give the list of them.

    A document without an `_id` gets one, unless `manipulate` is false: then it is
    left as it is, the server's `_id` is not known here, and `None` stands for it.
    Raises `bson.errors.InvalidDocument` for a key that starts with "$" or contains
    ".", unless `check_keys` is false; `InvalidOperation` for no documents at all; and
    for several, where some fail, the last one's own error, as `DuplicateKeyError`.
    """
    _must_be_named(unnamed, 'insert', 'check_keys, continue_on_error')
    target = _with_write_concern(collection, write_concern)
    if isinstance(doc_or_docs, Mapping):
        document = _insertable(collection, doc_or_docs, manipulate, check_keys)
        target.insert_one(document)
        return _id_of(doc_or_docs)
    originals = list(doc_or_docs)
    if not originals:
        raise InvalidOperation('insert() was given no documents')
    documents = [
        _insertable(collection, document, manipulate, check_keys)
        for document in originals
    ]
    try:
        target.insert_many(documents, ordered=not continue_on_error)
    except BulkWriteError as error:
        _raise_last_error(error)
    return [_id_of(document) for document in originals]


def _insertable(
    collection: LegacyCollection, document: Any, manipulate: bool, check_keys: bool
) -> Any:
    """Check a document's keys, and copy it where it must not be given an `_id`."""
    if isinstance(document, RawBSONDocument):
        return document
    if check_keys:
        bson.encode(document, check_keys=True, codec_options=collection.codec_options)
    return document if manipulate else dict(document)


def _id_of(document: Any) -> Any:
    return document.get('_id')


def _raise_last_error(error: BulkWriteError) -> NoReturn:
    """Raise the last of several errors, as PyMongo 3's `insert()` did."""
    write_errors = error.details['writeErrors']
    if write_errors:
        last = write_errors[-1]
        duplicate = last['code'] == _DUPLICATE_KEY
        kind = DuplicateKeyError if duplicate else WriteError
        raise kind(last['errmsg'], last['code'], last) from error
    raise _write_concern_error(error.details['writeConcernErrors'][-1]) from error


def _write_concern_error(details: Document) -> WriteConcernError:
    timed_out = details.get('errInfo', {}).get('wtimeout')
    kind = WTimeoutError if timed_out else WriteConcernError
    return kind(details['errmsg'], details.get('code'), details)


@_dropped_from(COLLECTION_METHODS, 'insert_one() or replace_one(…, upsert=True)')
def save(
    collection: LegacyCollection,
    to_save: Any,
    manipulate: bool = True,
    *unnamed: Any,
    check_keys: bool = True,
    collation: Any = None,
    **write_concern: Any,
) -> Any:
    """Insert a document, or replace the one that has its `_id`; give the `_id`."""
    _must_be_named(unnamed, 'save', 'check_keys')
    if not isinstance(to_save, Mapping):
        raise TypeError('save() takes one document')
    if '_id' not in to_save:
        return insert(
            collection, to_save, manipulate, check_keys=check_keys, **write_concern
        )
    _with_write_concern(collection, write_concern).replace_one(
        {'_id': to_save['_id']}, to_save, upsert=True, collation=collation
    )
    return to_save['_id']


@_dropped_from(COLLECTION_METHODS, 'update_one(), update_many() or replace_one()')
def update(
    collection: LegacyCollection,
    spec: Any,
    document: Any,
    upsert: bool = False,
    manipulate: bool = False,
    *unnamed: Any,
    multi: bool = False,
    check_keys: bool = True,
    collation: Any = None,
    **write_concern: Any,
) -> Document | None:
    """Update or replace one document, or with `multi` update all that match.

    Gives the server's answer with `n`, `nModified`, `updatedExisting` and, after an
    upsert, `upserted` (the new `_id`); `None` for an unacknowledged write.
    `manipulate` and `check_keys` are passed over. Raises `WriteError` for `multi`
    with a whole document.
    """
    _must_be_named(unnamed, 'update', 'multi, check_keys')
    target = _with_write_concern(collection, write_concern)
    if not _has_operators(document):
        if multi:
            raise WriteError(
                "multi=True needs operators ('$set' and so on), not a whole document",
                _FAILED_TO_PARSE,
            )
        change: Any = target.replace_one
    else:
        change = target.update_many if multi else target.update_one
    result = change(spec, document, upsert=upsert, collation=collation)
    raw_result: Document | None = result.raw_result
    return raw_result


def _has_operators(document: Any) -> bool:
    return isinstance(document, Mapping) and next(iter(document), '').startswith('$')


@_dropped_from(COLLECTION_METHODS, 'delete_one() or delete_many()')
def remove(
    collection: LegacyCollection,
    spec_or_id: Any = None,
    *unnamed: Any,
    multi: bool = True,
    collation: Any = None,
    **write_concern: Any,
) -> Document:
    """Delete all documents that match, or the one with this `_id`, or all there are.

    Gives the server's answer with `n`.
    """
    _must_be_named(unnamed, 'remove', 'multi')
    target = _with_write_concern(collection, write_concern)
    if spec_or_id is None:
        spec_or_id = {}
    elif not isinstance(spec_or_id, Mapping):
        spec_or_id = {'_id': spec_or_id}
    delete = target.delete_many if multi else target.delete_one
    result = delete(spec_or_id, collation=collation)
    return dict(result.raw_result)


def _must_be_named(unnamed: tuple[Any, ...], method: str, arguments: str) -> None:
    """Refuse arguments by position that PyMongo 2 and 3 understood differently.

    The third of PyMongo 3's `update()` after `upsert` is `multi`; that of PyMongo 2
    is `safe`. To guess wrong would change the wrong documents.
    """
    if unnamed:
        raise TypeError(
            f'{method}() was given too many arguments by position: PyMongo 2 and 3'
            f' disagree on their order. Name them: {arguments}'
        )


def _with_write_concern(
    collection: LegacyCollection, options: Document
) -> LegacyCollection:
    """Give the collection with the write concern that a dropped method was called with.

    `safe` is PyMongo 2's: true asks for an acknowledgement, false for none. Raises
    `TypeError` for an option that is none of a write concern.
    """
    safe = options.pop('safe', None)
    if safe is not None:
        options.setdefault('w', 1 if safe else 0)
    if not options:
        return collection
    return collection.with_options(write_concern=WriteConcern(**options))


@_dropped_from(
    COLLECTION_METHODS,
    'find_one_and_update(), find_one_and_replace() or find_one_and_delete()',
)
def find_and_modify(
    collection: LegacyCollection,
    query: Mapping[str, Any] | None = None,
    update: Any = None,
    upsert: bool = False,
    sort: Any = None,
    full_response: bool = False,
    manipulate: bool = False,
    **options: Any,
) -> Any:
    """Change or remove one document and give it as it was (`new=True`: as it is).

    Gives `None` where none matched; with `full_response` the server's whole answer.
    `sort` is a list of pairs or a mapping; `fields` a list of names or a mapping.
    Raises `ValueError` unless just one of `update` and `remove` is given.
    """
    if bool(update) == bool(options.get('remove')):
        raise ValueError('find_and_modify() needs either update or remove=True')
    command = {'findAndModify': collection.name, 'query': query or {}, **options}
    if update:
        command['update'] = update
        command['upsert'] = upsert
    if sort:
        command['sort'] = dict(sort)
    fields = command.pop('fields', None)
    if fields is not None:
        is_mapping = isinstance(fields, Mapping)
        command['fields'] = fields if is_mapping else dict.fromkeys(fields, 1)
    reply = _write_command(collection, command)
    return reply if full_response else reply.get('value')


def _write_command(
    collection: LegacyCollection,
    command: Document,
    session: ClientSession | None = None,
) -> Document:
    """Run a command that writes, with the collection's write concern and codec.

    Raises `WriteConcernError`, which `Database.command()` leaves in the answer.
    """
    concern = collection._write_concern_for(session)
    if concern.acknowledged and not concern.is_server_default:
        command.setdefault('writeConcern', concern.document)
    reply = collection.database.command(
        _without_none(command),
        codec_options=collection.codec_options,
        session=session,
    )
    if 'writeConcernError' in reply:
        raise _write_concern_error(reply['writeConcernError'])
    return dict(reply)


def _without_none(options: Document) -> Document:
    """Leave out what was not given, and spell a collation as the server does."""
    return {
        name: value.document if isinstance(value, Collation) else value
        for name, value in options.items()
        if value is not None
    }


@_dropped_from(COLLECTION_METHODS, 'create_index()')
def ensure_index(
    collection: LegacyCollection,
    key_or_list: Any,
    cache_for: float = 300,
    **options: Any,
) -> str:
    """Create an index where it is not there yet, and give its name.

    `cache_for` is passed over: the server is always asked.
    """
    return collection.create_index(key_or_list, **options)


@_dropped_from(COLLECTION_METHODS, "database.command('reIndex', name)")
def reindex(
    collection: LegacyCollection,
    session: ClientSession | None = None,
    **options: Any,
) -> Document:
    """Rebuild the indexes; a server that is part of a replica set refuses it."""
    return dict(
        collection.database.command(
            'reIndex', collection.name, session=session, **options
        )
    )


@_dropped_from(
    COLLECTION_METHODS, 'count_documents(filter) or estimated_document_count()'
)
def count(
    collection: LegacyCollection,
    filter: Mapping[str, Any] | None = None,
    session: ClientSession | None = None,
    **options: Any,
) -> int:
    """Count the documents that match, or all."""
    if filter is None:
        filter = options.pop('query', {})
    elif 'query' in options:
        raise ConfigurationError('count() was given both a filter and a query')
    return _count(collection, filter, session, **options)


def _count(
    collection: LegacyCollection,
    query: Mapping[str, Any] | None,
    session: ClientSession | None,
    **options: Any,
) -> int:
    """Send the server's `count`, which knows `$where` and `$near` as well.

    In a transaction, where the server refuses that, count by aggregation.
    """
    query = query or {}
    options = {name: value for name, value in _without_none(options).items() if value}
    if not isinstance(options.get('hint', ''), (str, Mapping)):
        options['hint'] = dict(options['hint'])
    current = session or _bound_session(collection)
    if current is not None and current.in_transaction:
        return collection.count_documents(query, session=session, **options)
    reply = collection.database.command(
        'count',
        collection.name,
        query=query,
        read_preference=collection.read_preference,
        session=session,
        **options,
    )
    return int(reply['n'])


@_dropped_from(COLLECTION_METHODS, 'aggregate() with $group')
def group(
    collection: LegacyCollection,
    key: Any,
    condition: Mapping[str, Any],
    initial: Mapping[str, Any],
    reduce: str,
    finalize: str | None = None,
    **options: Any,
) -> list[Any]:
    """Group documents as the server's lost `group` command did, by aggregation.

    `key` is a list of fields (none: all is one group) or a JavaScript function from a
    document to the key; `reduce(document, group)` changes the group, which begins as
    the key's fields and `initial`; `finalize(group)` changes it or gives another
    value. Gives the groups in no particular order.
    """
    accumulator = {
        'lang': 'js',
        'init': 'function(key, initial) { return Object.assign({}, key, initial); }',
        'initArgs': ['$$ROOT', {'$literal': initial}],
        'accumulate': f'function(group, document) {{'
        f' ({reduce})(document, group); return group; }}',
        'accumulateArgs': ['$$ROOT'],
        'merge': 'function() { throw new Error("group() works on one server only"); }',
    }
    if finalize is not None:
        accumulator['finalize'] = (
            f'function(group) {{ const result = ({finalize})(group);'
            f' return result === undefined ? group : result; }}'
        )
    pipeline: list[Document] = [
        {'$match': condition},
        {'$group': {'_id': _group_key(key), 'group': {'$accumulator': accumulator}}},
    ]
    return [row['group'] for row in collection.aggregate(pipeline, **options)]


def _group_key(key: Any) -> Document:
    """Write the expression that gives `group()`'s key; a missing field is null."""
    if isinstance(key, str):
        return {'$function': {'lang': 'js', 'body': key, 'args': ['$$ROOT']}}
    pairs = [
        {'k': {'$literal': field}, 'v': {'$ifNull': [f'${field}', None]}}
        for field in key or ()
    ]
    return {'$arrayToObject': [pairs]}


@_dropped_from(COLLECTION_METHODS, 'aggregate()')
def map_reduce(
    collection: LegacyCollection,
    map: str,
    reduce: str,
    out: Any,
    full_response: bool = False,
    session: ClientSession | None = None,
    **options: Any,
) -> Any:
    """Run the server's `mapReduce` and give the collection that holds the results.

    Gives the server's answer instead with `full_response`, or with `out` inline.
    """
    if not isinstance(out, (str, Mapping)):
        raise TypeError("map_reduce()'s out must be a collection's name or a mapping")
    command = {
        'mapReduce': collection.name,
        'map': map,
        'reduce': reduce,
        'out': out,
        **options,
    }
    reply = _write_command(collection, command, session)
    result = reply.get('result')
    if full_response or not result:
        return reply
    if isinstance(result, str):
        return collection.database[result]
    database = LegacyDatabase(
        collection.database.client,
        result['db'],
        deprecations=collection.database._deprecations,
    )
    return database[result['collection']]


@_dropped_from(COLLECTION_METHODS, 'aggregate()')
def inline_map_reduce(
    collection: LegacyCollection,
    map: str,
    reduce: str,
    full_response: bool = False,
    session: ClientSession | None = None,
    **options: Any,
) -> Any:
    """Run the server's `mapReduce` and give the list of results."""
    command = {
        'mapReduce': collection.name,
        'map': map,
        'reduce': reduce,
        'out': {'inline': 1},
        **options,
    }
    reply = collection.database.command(
        _without_none(command),
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        session=session,
    )
    return dict(reply) if full_response else reply['results']


@_dropped_from(COLLECTION_METHODS, 'bulk_write([…])')
def initialize_ordered_bulk_op(
    collection: LegacyCollection, bypass_document_validation: bool = False
) -> BulkOperation:
    """Begin operations that run in order, up to the first that fails."""
    return BulkOperation(collection, True, bypass_document_validation)


@_dropped_from(COLLECTION_METHODS, 'bulk_write([…], ordered=False)')
def initialize_unordered_bulk_op(
    collection: LegacyCollection, bypass_document_validation: bool = False
) -> BulkOperation:
    """Begin operations that all run, in whatever order."""
    return BulkOperation(collection, False, bypass_document_validation)


class BulkOperation:
    """Operations that one `bulk_write()` will run.

    Invariant: it is executed at most once.
    """

    def __init__(
        self,
        collection: LegacyCollection,
        ordered: bool,
        bypass_document_validation: bool,
    ) -> None:
        self._collection = collection
        self._ordered = ordered
        self._bypass_document_validation = bypass_document_validation
        self._operations: list[Any] = []
        self._executed = False

    def insert(self, document: Any) -> None:
        """Add the insertion of a document, which gets its `_id` now."""
        if not isinstance(document, RawBSONDocument) and '_id' not in document:
            document['_id'] = ObjectId()
        self._operations.append(InsertOne(document))

    def find(self, selector: Mapping[str, Any], collation: Any = None) -> BulkFind:
        """Select the documents that the next operation is for."""
        return BulkFind(self._operations, selector, collation)

    def execute(
        self, write_concern: Mapping[str, Any] | None = None
    ) -> Document | None:
        """Run all; give the counts `nInserted`, `nMatched`, … and `upserted`.

        Gives `None` for an unacknowledged write. Raises `BulkWriteError` where one
        failed, `InvalidOperation` for no operations and for a second call.
        """
        if self._executed:
            raise InvalidOperation('Bulk operations can only be executed once')
        if not self._operations:
            raise InvalidOperation('There are no bulk operations to execute')
        self._executed = True
        target = _with_write_concern(self._collection, dict(write_concern or {}))
        result = target.bulk_write(
            self._operations,
            ordered=self._ordered,
            bypass_document_validation=self._bypass_document_validation or None,
        )
        return result.bulk_api_result if result.acknowledged else None


class BulkUpsert:
    """Add an update of the selected documents, or of a new one if there is none."""

    _upsert = True

    def __init__(
        self, operations: list[Any], selector: Mapping[str, Any], collation: Any
    ) -> None:
        self._operations = operations
        self._selector = selector
        self._collation = collation

    def update(self, update: Mapping[str, Any]) -> None:
        """Add an update, by operators, of all selected documents."""
        self._add(UpdateMany, update)

    def update_one(self, update: Mapping[str, Any]) -> None:
        """Add an update, by operators, of one selected document."""
        self._add(UpdateOne, update)

    def replace_one(self, replacement: Mapping[str, Any]) -> None:
        """Add the replacement of one selected document."""
        self._add(ReplaceOne, replacement)

    def _add(self, operation: Any, document: Mapping[str, Any]) -> None:
        self._operations.append(
            operation(
                self._selector,
                document,
                upsert=self._upsert,
                collation=self._collation,
            )
        )


class BulkFind(BulkUpsert):
    """Add an update or a removal of the selected documents."""

    _upsert = False

    def upsert(self) -> BulkUpsert:
        """Let the next update make a new document if none is selected."""
        return BulkUpsert(self._operations, self._selector, self._collation)

    def remove(self) -> None:
        """Add the removal of all selected documents."""
        self._operations.append(DeleteMany(self._selector, collation=self._collation))

    def remove_one(self) -> None:
        """Add the removal of one selected document."""
        self._operations.append(DeleteOne(self._selector, collation=self._collation))


@_dropped_from(DATABASE_METHODS, 'list_collection_names()')
def collection_names(
    database: LegacyDatabase,
    include_system_collections: bool = True,
    session: ClientSession | None = None,
) -> list[str]:
    """Give the names of the collections, with or without those of the system."""
    names = database.list_collection_names(session=session)
    if include_system_collections:
        return names
    return [name for name in names if not name.startswith('system.')]


@_dropped_from(DATABASE_METHODS, "command('createUser', …) or command('updateUser', …)")
def add_user(
    database: LegacyDatabase,
    name: str,
    password: str | None = None,
    read_only: bool | None = None,
    session: ClientSession | None = None,
    **options: Any,
) -> None:
    """Create a user, or change the one of that name.

    Without `roles` a new user may do everything in this database, with `read_only`
    read it. Raises `ConfigurationError` for `roles` along with `read_only`.
    """
    if password == '':
        raise ValueError("add_user()'s password can't be empty")
    if read_only is not None and 'roles' in options:
        raise ConfigurationError('add_user() takes either read_only or roles')
    exists = _user_exists(database, name, session)
    if read_only or (not exists and 'roles' not in options):
        options['roles'] = [_default_role(database, bool(read_only))]
    if password is not None:
        options['pwd'] = password
    command = 'updateUser' if exists else 'createUser'
    database.command({command: name, **options}, session=session)


def _user_exists(
    database: LegacyDatabase, name: str, session: ClientSession | None
) -> bool:
    try:
        reply = database.command('usersInfo', name, session=session)
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        # A server without users lets the first one be created, but none be listed.
        return False
    return bool(reply['users'])


def _default_role(database: LegacyDatabase, read_only: bool) -> str:
    """Name the role that PyMongo 3 gave; `admin`'s are for all databases."""
    if database.name == 'admin':
        return 'readAnyDatabase' if read_only else 'root'
    return 'read' if read_only else 'dbOwner'


@_dropped_from(DATABASE_METHODS, "command('dropUser', name)")
def remove_user(
    database: LegacyDatabase, name: str, session: ClientSession | None = None
) -> None:
    """Remove a user; raises `OperationFailure` where there is none of that name."""
    database.command('dropUser', name, session=session)
