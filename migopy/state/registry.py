"""What is registered: the `migrations` collection."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from migopy.server import reason_of
from migopy.state.concerns import DURABLE, PREPARE_SECONDS, repeat
from migopy.state.documents import all_readable, raw
from migopy.state.fields import date_of, line_of
from migopy.texts import kept_line, same_name

Document = dict[str, Any]

#: IndexOptionsConflict, IndexKeySpecsConflict: there is an index much like it.
CONFLICTS = frozenset({85, 86})

#: Documents in one reply of the server: as many as fit.
EVERYTHING = 1_000_000


class Record(NamedTuple):
    """A registered migration, as its document says.

    Invariant: the document means registered. What it does not say is `None`, as in one
    of 1.0, which has only a name; unknown fields are ignored.
    """

    id: Any
    name: str
    executed_at: datetime | None
    checksum: str | None
    how: str | None
    duration_ms: int | None = None
    by: str | None = None
    #: The phase that its file named; `None` for the usual one.
    phase: str | None = None
    #: The names of the migrations that it stands for, if its file replaced any.
    replaces: tuple[str, ...] = ()

    @property
    def since(self) -> datetime:
        """Tell when it was registered, in UTC without a zone; 1.0's by its `_id`."""
        since = self.executed_at
        if since is None and isinstance(self.id, ObjectId):
            since = self.id.generation_time
        if since is None:
            return datetime.min
        return (
            since.astimezone(timezone.utc).replace(tzinfo=None)
            if since.tzinfo
            else since
        )

    @classmethod
    def of(cls, document: Document) -> Record:
        """Read a document of the collection."""
        # With ten thousand, a call for each missing field would be felt.
        return cls(
            document.get('_id'),
            kept_line(same_name(document['name'])),
            date_of(document, 'executed_at'),
            _text(document, 'checksum'),
            _shared(_text(document, 'how')),
            _number(document, 'duration_ms') if 'duration_ms' in document else None,
            line_of(document, 'by') if 'by' in document else None,
            line_of(document, 'phase') if 'phase' in document else None,
            _names(document, 'replaces') if 'replaces' in document else (),
        )


class Contents(NamedTuple):
    """What the registry holds: its records, and how many documents of other tools."""

    records: list[Record]
    foreign: int


class Registry:
    """The collection of registered migrations.

    Invariant: a document with a file's name means that the migration of that name is
    registered; any other is somebody else's and is left alone. Reading never writes;
    writes are durable when they are acknowledged.
    """

    FIELDS = ('name', 'executed_at', 'checksum', 'how', 'phase', 'replaces')
    #: What only a person wants to know, in a list of all.
    FURTHER = ('duration_ms', 'by')

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def read(self, in_full: bool = False) -> Contents:
        """Read all that is registered, the oldest first, with one query.

        With `in_full` it includes how long each took, and who did it.
        """
        fields = self.fields(in_full)
        query = raw(self.collection).find({}, fields, batch_size=EVERYTHING)
        return self.contents_of(each.raw for each in query.to_list())

    def fields(self, in_full: bool) -> list[str]:
        """List the fields that are read."""
        return [*self.FIELDS, *(self.FURTHER if in_full else ())]

    def contents_of(self, documents: Iterable[bytes]) -> Contents:
        """Read documents of the collection."""
        records, foreign = [], 0
        for document in all_readable(documents, self.collection.codec_options):
            if is_ours(document.get('name')):
                records.append(Record.of(document))
            else:
                foreign += 1
        return Contents(_oldest_first(records), foreign)

    def prepare(self) -> list[str]:
        """Make the unique index on `name`; needed before the first write.

        It is of names that are texts, so it is in no other tool's way. Returns what
        keeps it from being made, a line each, `[]` where it stands: work can go on
        without it.
        """
        make = partial(
            self._collection.create_index,
            'name',
            unique=True,
            partialFilterExpression={'name': {'$type': 'string'}},
        )
        try:
            repeat(make, PREPARE_SECONDS)
        except DuplicateKeyError:
            doubles = list(self._doubles())
            if not doubles:
                return [f'{self._no_index}: others keep equal names in it.']
            return [
                f'Registered more than once: {", ".join(doubles)}. That does no harm,'
                f' but {self._no_index} until each is there once.'
            ]
        except OperationFailure as error:
            if error.code in CONFLICTS and self._has_index():
                return []
            return [f'{self._no_index}: {reason_of(error)}']
        return []

    def add(self, document: Document, session: ClientSession) -> None:
        """Register with a document, in the session's transaction."""
        self.collection.insert_one(document, session=session)

    def remove(
        self, records: Sequence[Record], session: ClientSession | None = None
    ) -> None:
        """Unregister exactly these records, not one that was written since."""
        if records:
            collection = self.collection if session else self._collection
            ids = [record.id for record in records]
            collection.delete_many({'_id': {'$in': ids}}, session=session)

    @property
    def _collection(self) -> Collection[Document]:
        return self.collection.with_options(write_concern=DURABLE)

    @property
    def _no_index(self) -> str:
        return f'the collection {self.collection.name} gets no unique index on name'

    def _has_index(self) -> bool:
        """Tell whether there is a unique index on `name`, in whatever form."""
        return any(
            index.get('unique') and list(index['key'].items()) == [('name', 1)]
            for index in self.collection.list_indexes()
        )

    def _doubles(self) -> Iterable[str]:
        groups = self.collection.aggregate(
            [
                {'$match': {'name': {'$type': 'string'}}},
                {'$group': {'_id': '$name', 'count': {'$sum': 1}}},
                {'$match': {'count': {'$gt': 1}}},
                {'$sort': {'_id': 1}},
            ]
        )
        return [kept_line(group['_id']) for group in groups if is_ours(group['_id'])]


def _oldest_first(records: list[Record]) -> list[Record]:
    kinds = {(type(each.executed_at), type(each.id)) for each in records}
    if kinds == {(datetime, ObjectId)}:
        # As nearly all are. Texts of ids are in the same order, and take long to make.
        return sorted(records, key=attrgetter('executed_at', 'id'))
    return sorted(records, key=lambda record: (record.since, str(record.id)))


def is_ours(name: object) -> bool:
    """Tell whether a document of this name registers a migration: a file's name.

    Other tools keep what they need in collections of the same name.
    """
    return isinstance(name, str) and name.endswith('.py')


def _text(document: Document, field: str) -> str | None:
    value = document.get(field)
    if type(value) is str:
        return value
    # BSON's `Code` is a text that cannot be looked up.
    return str(value) if isinstance(value, str) else None


def _shared(text: str | None) -> str | None:
    """Give one object for all equal texts: ten thousand take 0.6 MB."""
    return None if text is None else sys.intern(text)


def _names(document: Document, field: str) -> tuple[str, ...]:
    value = document.get(field)
    found = value if isinstance(value, list) else []
    return tuple(kept_line(same_name(each)) for each in found if is_ours(each))


def _number(document: Document, field: str) -> int | None:
    value = document.get(field)
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_number else None
