"""The dropped methods that write: `insert`, `save`, `update`, `remove`, …."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    InvalidOperation,
    WriteError,
)

from migopy.codes import DUPLICATE_KEY, FAILED_TO_PARSE
from migopy.pymongo3.sending import (
    Document,
    with_write_concern,
    write_command,
    write_concern_error,
)


def insert(
    collection: Collection[Any],
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
    target = with_write_concern(collection, write_concern)
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
    collection: Collection[Any], document: Any, manipulate: bool, check_keys: bool
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
        duplicate = last['code'] == DUPLICATE_KEY
        kind = DuplicateKeyError if duplicate else WriteError
        raise kind(last['errmsg'], last['code'], last) from error
    raise write_concern_error(error.details['writeConcernErrors'][-1]) from error


def save(
    collection: Collection[Any],
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
    with_write_concern(collection, write_concern).replace_one(
        {'_id': to_save['_id']}, to_save, upsert=True, collation=collation
    )
    return to_save['_id']


def update(
    collection: Collection[Any],
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
    target = with_write_concern(collection, write_concern)
    if not _has_operators(document):
        if multi:
            raise WriteError(
                "multi=True needs operators ('$set' and so on), not a whole document",
                FAILED_TO_PARSE,
            )
        change: Any = target.replace_one
    else:
        change = target.update_many if multi else target.update_one
    result = change(spec, document, upsert=upsert, collation=collation)
    raw_result: Document | None = result.raw_result
    return raw_result


def _has_operators(document: Any) -> bool:
    return isinstance(document, Mapping) and next(iter(document), '').startswith('$')


def remove(
    collection: Collection[Any],
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
    target = with_write_concern(collection, write_concern)
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


def find_and_modify(
    collection: Collection[Any],
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
    reply = write_command(collection, command)
    return reply if full_response else reply.get('value')
