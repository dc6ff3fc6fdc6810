"""Write documents as bytes, exactly as they were, whatever PyMongo makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, WriteError

from migopy.codes import DUPLICATE_KEY
from migopy.differences import (
    ARRAY,
    DOCUMENT,
    Value,
    document_with,
    elements,
    id_of,
    with_id,
)

Document = dict[str, Any]

#: Statements of one command, and bytes of their documents, or one document.
STATEMENTS = 4000
BYTES = 8_000_000

#: How a field begins whose name has a `$` in front; values may look like that, too.
DOLLAR = re.compile(rb'[\x01-\x13\x7f\xff]\$')

OF_DBREF = frozenset({b'$ref', b'$id', b'$db'})

#: What the server fills with the time where a whole document has it.
EMPTY = Value(0x11, bytes(8))


class RawWriter:
    """Writes documents of collections in the transaction of a session.

    Invariant: documents are written byte by byte as given. A validator is bypassed if
    the caller says so.
    """

    def __init__(self, client: Any, session: ClientSession | None) -> None:
        """Take the session, `None` for the one that is bound."""
        self._client = client
        self._session = session

    def delete(self, namespace: str, ids: Sequence[Value]) -> None:
        """Delete documents; raises `PyMongoError`."""
        statements = [({'q': with_id(id), 'limit': 1}, len(id.data)) for id in ids]
        self._run(namespace, 'delete', 'deletes', statements, {})

    def replace(
        self, namespace: str, documents: Mapping[Value, bytes], passing: bool
    ) -> None:
        """Replace the documents that have these `_id`s.

        `passing` bypasses a validator. Raises `PyMongoError`.
        """
        statements: list[tuple[Any, int]] = [
            ({'q': with_id(id), 'u': RawBSONDocument(each)}, len(each))
            for id, each in documents.items()
        ]
        self._run(namespace, 'update', 'updates', statements, _passing(passing))
        self._empty_timestamps(namespace, documents.values(), passing)

    def insert(self, namespace: str, documents: Sequence[bytes], passing: bool) -> None:
        """Insert documents; `passing` bypasses a validator. Raises `PyMongoError`."""
        statements = [(RawBSONDocument(each), len(each)) for each in documents]
        self._run(namespace, 'insert', 'documents', statements, _passing(passing))
        self._empty_timestamps(namespace, documents, passing)

    def _empty_timestamps(
        self, namespace: str, documents: Iterable[bytes], passing: bool
    ) -> None:
        """Empty the timestamps again that the server has filled."""
        statements: list[tuple[Any, int]] = []
        for each in documents:
            if fields := _empty_in(each):
                change = document_with([(b'$set', Value(DOCUMENT, fields))])
                update = {'q': with_id(id_of(each)), 'u': RawBSONDocument(change)}
                statements.append((update, len(change)))
        self._run(namespace, 'update', 'updates', statements, _passing(passing))

    def _run(
        self,
        namespace: str,
        name: str,
        field: str,
        statements: Sequence[tuple[Any, int]],
        options: Document,
    ) -> None:
        database, _, collection = namespace.partition('.')
        for part in _parts(statements):
            command = {name: collection, field: part, 'ordered': True, **options}
            reply = self._client[database].command(command, session=self._session)
            for error in reply.get('writeErrors', ()):
                is_duplicate = error['code'] == DUPLICATE_KEY
                kind = DuplicateKeyError if is_duplicate else WriteError
                raise kind(error.get('errmsg', ''), error['code'], error)


def is_replaceable(document: bytes) -> bool:
    """Tell whether the server takes a document in place of another one.

    Names with a `$` in front it only takes in a document that is inserted: on all
    servers those of its own fields, before MongoDB 5.0 those within as well, but for
    a DBRef's.
    """
    # A look at the bytes spares nearly all of them the walk.
    return DOLLAR.search(document) is None or not _has_dollar(document, frozenset())


def _has_dollar(document: bytes, allowed: Set[bytes]) -> bool:
    return any(
        (name[:1] == b'$' and name not in allowed)
        or (value.type in (DOCUMENT, ARRAY) and _has_dollar(value.data, OF_DBREF))
        for name, value in elements(document)
    )


def _empty_in(document: bytes) -> bytes:
    """Give a document of the empty timestamps that another one has, if it has any."""
    if EMPTY.data not in document:
        return b''
    fields = [
        (name, value)
        for name, value in elements(document)
        if value == EMPTY and _can_be_set(name)
    ]
    return document_with(fields) if fields else b''


def _can_be_set(name: bytes) -> bool:
    return name not in (b'', b'_id') and b'.' not in name and name[:1] != b'$'


def _passing(passing: bool) -> Document:
    return {'bypassDocumentValidation': True} if passing else {}


def _parts(statements: Sequence[tuple[Any, int]]) -> Iterator[list[Any]]:
    part: list[Any] = []
    size = 0
    for each, length in statements:
        if part and (len(part) == STATEMENTS or size + length > BYTES):
            yield part
            part, size = [], 0
        part.append(each)
        size += length
    if part:
        yield part
