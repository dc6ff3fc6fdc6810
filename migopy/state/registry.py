"""What is registered: the `migrations` collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from bson import CodecOptions, ObjectId, decode
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from migopy.state.concerns import DURABLE

Document = dict[str, Any]

#: Documents as bytes: decoded all at once, ten thousand take 8 MB instead of 5.
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


class Record(NamedTuple):
    """A registered migration, as its document says.

    Invariant: the document means registered. Whatever it does not say, as one of
    1.0 that holds a name alone, is `None`; fields that are not known are passed over.
    """

    id: Any
    name: str
    executed_at: datetime | None
    checksum: str | None
    how: str | None

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
        get = document.get
        return cls(
            document['_id'],
            document['name'],
            get('executed_at'),
            get('checksum'),
            get('how'),
        )


class Registry:
    """The collection of registered migrations.

    Invariant: a document with a name means that the migration of that name is
    registered. Reading never writes; writes are durable when they are acknowledged.
    """

    FIELDS = ('name', 'executed_at', 'checksum', 'how')

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def records(self) -> list[Record]:
        """Read all records, the oldest first, with one query."""
        raw = self.collection.with_options(codec_options=RAW)
        query = raw.find({}, list(self.FIELDS), batch_size=1_000_000)
        documents = (decode(each.raw) for each in query.to_list())
        records = [
            Record.of(document)
            for document in documents
            if isinstance(document.get('name'), str)
        ]
        return sorted(records, key=lambda record: (record.since, str(record.id)))

    def prepare(self) -> list[str]:
        """Make the unique index on `name`; needed before the first write.

        Returns what keeps it from being made, a line each, `[]` where it stands:
        work can go on without it.
        """
        try:
            self._collection.create_index('name', unique=True)
        except DuplicateKeyError:
            doubles = ', '.join(self._doubles())
            return [
                f'Registered more than once: {doubles}. Delete the surplus documents'
                f' of the collection {self.collection.name}'
                ' to get a unique index on name.'
            ]
        except OperationFailure as error:
            return [
                f'The collection {self.collection.name} gets no unique index on name: '
                f'{(error.details or {}).get("errmsg", error)}'
            ]
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

    def _doubles(self) -> Iterable[str]:
        groups = self.collection.aggregate(
            [
                {'$group': {'_id': '$name', 'count': {'$sum': 1}}},
                {'$match': {'count': {'$gt': 1}}},
                {'$sort': {'_id': 1}},
            ]
        )
        return [str(group['_id']) for group in groups]
