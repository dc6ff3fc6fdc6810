"""A database at one moment, without and with what a transaction has done to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from migopy.codes import NOT_VALID, UNAUTHORIZED, WRITE_CONFLICT
from migopy.differences.lookup import look_up_one
from migopy.differences.raw import Value, id_of, with_id
from migopy.dumps import raw_batches
from migopy.state import begin

#: A collection that does not exist: to read it does nothing but begin a transaction.
NOWHERE = 'migopy_nowhere'

#: Documents that the server sends at once: some megabytes at most, as a rule.
BATCH = 4000

#: How often a document is asked for. Another one's write is over at the second time,
#: the transaction's own is not.
ASKED = 3


class States:
    """The state before a transaction, and the one that the transaction sees.

    Invariant: both are of one moment, except for what others have committed between the
    two openings; `is_own` tells such a document from the transaction's own.
    """

    def __init__(
        self, client: Any, before: ClientSession, after: ClientSession
    ) -> None:
        """Take sessions whose transactions have read already, `before` first."""
        self._client = client
        self._before = before
        self._after = after

    def collection(self, namespace: str) -> Collection[Any]:
        """Give a collection by `database.collection`."""
        return collection_of(self._client, namespace)

    def before(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it was; raises `PyMongoError`."""
        return self._find(namespace, id, self._before)

    def after(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it would be; raises `PyMongoError`."""
        return self._find(namespace, id, self._after)

    def batches_before(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they were, in the order of `_id`."""
        return self._batches(namespace, self._before)

    def batches_after(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they would be, in the order of `_id`."""
        return self._batches(namespace, self._after)

    def exists(self, namespace: str) -> bool:
        """Tell whether the server has a collection, the transaction's own left out."""
        collection = self.collection(namespace)
        # A user without the right to list all sees those that are granted.
        names = collection.database.list_collection_names(
            filter={'name': collection.name}, authorizedCollections=True
        )
        return bool(names)

    def is_own(
        self,
        namespace: str,
        before: bytes | None,
        after: bytes | None,
        for_certain: bool = False,
    ) -> bool:
        """Tell whether it is the transaction that has written a document.

        If so, a write to the document in another transaction, which is aborted at once,
        meets a conflict. Raises `OperationFailure` if the user has no right to that
        write; if it is to be known `for_certain`, also for any other error.
        """
        return all(
            self._conflicts(namespace, before, after, for_certain) for _ in range(ASKED)
        )

    def _conflicts(
        self,
        namespace: str,
        before: bytes | None,
        after: bytes | None,
        for_certain: bool,
    ) -> bool:
        try:
            try:
                self._write(namespace, before, after)
            except OperationFailure as error:
                if error.code != NOT_VALID:
                    raise
                # Whoever has written it has bypassed the validator.
                self._write(namespace, before, after, bypass=True)
        except OperationFailure as error:
            is_conflict = error.code == WRITE_CONFLICT
            if error.code == UNAUTHORIZED or (for_certain and not is_conflict):
                raise
            return is_conflict
        return False

    def _write(
        self,
        namespace: str,
        before: bytes | None,
        after: bytes | None,
        bypass: bool | None = None,
    ) -> None:
        """Write to a document in the way in which the transaction did."""
        collection = self.collection(namespace)
        by: dict[str, Any] = {'bypass_document_validation': bypass}
        with self._client.start_session() as session:
            begin(session, write_concern=None)
            try:
                if before is None:
                    document = RawBSONDocument(after or b'')
                    collection.insert_one(document, session=session, **by)
                elif after is None or id_of(before) != id_of(after):
                    collection.delete_one(with_id(id_of(before)), session=session)
                else:
                    # As it would be: what others have made of it already is no write.
                    # `replace_one` would read it, which cannot be done of every one.
                    whole = {'$literal': RawBSONDocument(after)}
                    query, update = with_id(id_of(before)), [{'$replaceWith': whole}]
                    collection.update_one(query, update, session=session, **by)
            finally:
                session.abort_transaction()

    def _find(self, namespace: str, id: Value, session: ClientSession) -> bytes | None:
        return look_up_one(self.collection(namespace), id, session)

    def _batches(self, namespace: str, session: ClientSession) -> Iterator[bytes]:
        batches = raw_batches(
            self.collection(namespace),
            session,
            at_once=False,
            filter={},
            sort=[('_id', 1)],
            batch_size=BATCH,
        )
        with closing(batches):
            for batch in batches:
                yield batch.data


def collection_of(client: Any, namespace: str) -> Collection[Any]:
    """Give a collection by `database.collection`, without the client's own classes."""
    database, _, name = namespace.partition('.')
    return pymongo.collection.Collection(
        pymongo.database.Database(client, database), name
    )


@contextmanager
def state_before(
    client: Any, database: str, collection: str, level: str = 'snapshot'
) -> Iterator[ClientSession]:
    """Give a session whose transaction sees the database as it is now.

    It has the read concern `level`, and writes nothing. The transaction to compare it
    with has to be opened right after it. With `local` it sees all that a transaction
    sees that was opened before it with `local`; with `snapshot` it may be a moment
    behind. `collection` is one that the user may read.
    """
    with client.start_session() as session:
        session.start_transaction(
            read_concern=ReadConcern(level),
            read_preference=ReadPreference.PRIMARY,
        )
        pin_snapshot(session, database, collection)
        try:
            yield session
        finally:
            session.abort_transaction()


def pin_snapshot(
    session: ClientSession, database: str, collection: str = NOWHERE
) -> None:
    """Read next to nothing: a transaction sees a database as of its first read."""
    # PyMongo may not be able to decode the fields of whatever document comes first.
    nothing = {'_id': 0, 'nothing': {'$literal': True}}
    query = {'find': collection, 'limit': 1, 'projection': nothing}
    session.client[database].command(query, session=session)
