"""The collection of images: what documents were before a migration, and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any

from bson import Binary, ObjectId
from bson.binary import UUID_SUBTYPE
from pymongo import ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.differences import Difference, collection_of
from migopy.effects import EffectsListener
from migopy.undo.chunks import chunk_of, is_aside, of_chunks, readable
from migopy.undo.image_sets import FIELDS, KEPT, WITH_ASIDE, Chunk, ImageSet
from migopy.undo.packing import Damaged, packed

Document = dict[str, Any]

#: Bytes of a chunk in one document; the server takes documents of up to 16 MB.
PIECE = 8_000_000

#: Bytes of chunks that are read at once, if they are of the same size; at least two.
READ_AHEAD = 2_000_000


class Images:
    """The collection of images.

    Invariant: a chunk is written in the transaction that changes its documents, and
    deleted in the one that restores them. Reading never writes.
    """

    def __init__(
        self,
        collection: Collection[Document],
        listener: EffectsListener,
    ) -> None:
        """Take the collection, and what hears the commands of its client."""
        self.collection = collection
        self._listener = listener

    @property
    def client(self) -> Any:
        """Give the client, whose transactions can hold them."""
        return self.collection.database.client

    def own_work(self) -> AbstractContextManager[object]:
        """Have no effects count what is done in the block."""
        return self._listener.own_work()

    def note(self, namespace: str, what: str) -> None:
        """Count an effect of own work on a collection; `what` ends a phrase."""
        self._listener.note(namespace, what)

    # Reading.

    def names(self) -> list[str]:
        """List the collections of the database that hold images."""
        names = self.collection.database.list_collection_names()
        return [each for each in names if self.is_own(f'.{each}')]

    def all(self) -> list[ImageSet]:
        """Read the sets of all migrations, the oldest first."""
        found = self.collection.find(self._kept(), FIELDS, sort=[('_id', 1)])
        return [ImageSet.of(each) for each in found]

    def of_runs(self, runs: Sequence[Any]) -> ImageSet | None:
        """Find the newest set that one of these runs has made."""
        ours = [each for each in runs if isinstance(each, ObjectId)]
        found = self.collection.find_one(
            {'$and': [self._kept(), {'runs': {'$in': ours}}]},
            FIELDS,
            sort=[('_id', -1)],
        )
        return None if found is None else ImageSet.of(found)

    def again(self, kept: ImageSet) -> ImageSet:
        """Read a set again, as an undo has left it so far; its name is the same."""
        found = self.collection.find_one({**self._kept(), '_id': kept.id}, FIELDS)
        return kept if found is None else replace(ImageSet.of(found), name=kept.name)

    def _kept(self) -> Document:
        """Select the sets that were made in this database.

        A copy of a database has those of the other one, which they would change.
        """
        return {**KEPT, **self._from_here}

    @property
    def _from_here(self) -> Document:
        return {'database': {'$in': [self.collection.database.name, None]}}

    def namespaces(self, kept: ImageSet) -> set[str]:
        """Name the collections that the chunks of a set are of."""
        wanted = {**of_chunks(kept.id), 'ns': {'$type': 'string'}}
        return {each['ns'] for each in self.collection.find(wanted, {'ns': True})}

    def chunks(self, kept: ImageSet) -> Iterator[Chunk]:
        """Iterate over the chunks that are left, the last one first.

        Raises `Damaged`.
        """
        pieces: list[Document] = []
        left = kept.chunks - kept.undone
        size = kept.stored // max(kept.chunks, 1)
        found = self.collection.find(
            of_chunks(kept.id),
            sort=[('_id', -1)],
            batch_size=max(2, READ_AHEAD // max(size, 1)),
        )
        for document in readable(kept, found):
            pieces.insert(0, document)
            if document['_id'].get('piece') == 0:
                left -= 1
                if document['_id'].get('chunk') != left:
                    raise Damaged(kept.name)
                yield chunk_of(kept, pieces, self.collection.name)
                pieces = []
        if pieces or left:
            raise Damaged(kept.name)

    def is_own(self, namespace: str) -> bool:
        """Tell whether a collection holds images."""
        own = self.collection.name
        name = namespace.partition('.')[2]
        return name == own or name.startswith(f'{own}.')

    # Writing.

    def chunk(
        self, kept: ImageSet, namespace: str, pairs: Sequence[Difference]
    ) -> list[Document]:
        """Give the documents of a new chunk, and count it in `kept`."""
        data = packed(pairs)
        count = -(-len(data) // PIECE)
        documents = [
            {
                '_id': {'images': kept.id, 'chunk': kept.chunks, 'piece': place},
                'ns': namespace,
                'pieces': count,
                'data': Binary(data[place * PIECE : (place + 1) * PIECE]),
            }
            for place in range(count)
        ]
        kept.chunks += 1
        kept.documents += len(pairs)
        kept.bytes += sum([len(before or b'') for before, _ in pairs])
        kept.stored += len(data)
        return documents

    def add(self, documents: Sequence[Document], session: ClientSession) -> None:
        """Add documents of chunks in a session's transaction."""
        with self.own_work():
            self.collection.insert_many(documents, session=session)

    def add_and_save(
        self, documents: Sequence[Document], kept: ImageSet, session: ClientSession
    ) -> None:
        """Add documents of chunks, and write their set, in one command."""
        writes = [
            # None is there, so it inserts; if one were there, it would be a duplicate.
            ReplaceOne({'_id': each['_id'], 'ns': None}, each, upsert=True)
            for each in documents
        ]
        known = ReplaceOne({'_id': kept.id}, kept.document(), upsert=True)
        with self.own_work():
            self.collection.bulk_write([*writes, known], session=session)

    def save(self, kept: ImageSet, session: ClientSession | None = None) -> None:
        """Write the document of a set."""
        with self.own_work():
            self.collection.replace_one(
                {'_id': kept.id}, kept.document(), upsert=True, session=session
            )

    def begin_undo(
        self, kept: ImageSet, session: ClientSession, mark: ObjectId | None = None
    ) -> None:
        """Note the session of an undo, and end what an earlier one has left open.

        A process that was killed leaves its transaction open for a minute. With a mark,
        only the undo that has the mark goes on.
        """
        mine = {'_id': kept.id}
        note: Document = {'session': session.session_id['id']}
        if mark is not None:
            note['undo'] = mark
        with self.own_work(), self.client.start_session() as other:
            found = self.collection.find_one(mine, ['session'], session=other) or {}
            left = found.get('session')
            # Its own session is that of its attempt before.
            if isinstance(left, bytes) and left != note['session']:
                # A user who may not end it waits until the server does.
                with suppress(OperationFailure):
                    ended = [{'id': Binary(left, UUID_SUBTYPE)}]
                    self.client.admin.command('killSessions', ended, session=other)
            self.collection.update_one(mine, {'$set': note}, session=other)

    def leave_made(self, kept: ImageSet, count: int) -> None:
        """Note that of the collections that were made only the first ones are left."""
        kept.made, kept.made_at = kept.made[:count], kept.made_at[:count]
        left = {'made': kept.made, 'made_at': kept.made_at}
        with self.own_work(), self.client.start_session() as session:
            self.collection.update_one(
                {'_id': kept.id}, {'$set': left}, session=session
            )

    def drop_chunks(
        self, chunks: Sequence[Chunk], mark: ObjectId, session: ClientSession
    ) -> bool:
        """Delete chunks in a row, the last one first, in the transaction of an undo.

        Returns whether they were there and the undo still has the mark; if not, the
        caller aborts the transaction.
        """
        id, last, first = chunks[0].id, chunks[0].number, chunks[-1].number
        with self.own_work():
            marked = self.collection.update_one(
                {'_id': id, 'undo': mark},
                {'$inc': {'undone': len(chunks)}},
                session=session,
            )
            deleted = self.collection.delete_many(
                of_chunks(id, first, last), session=session
            )
        pieces = sum(each.pieces for each in chunks)
        return marked.matched_count == 1 and deleted.deleted_count == pieces

    def forget(
        self, ids: Iterable[ObjectId], session: ClientSession | None = None
    ) -> None:
        """Delete sets of images, in a transaction if there is a session.

        Without one a crash may leave a part, which is of no use, to `forget_left`.
        """
        with self.own_work():
            for id in ids:
                if session is None:
                    self.collection.update_one({'_id': id}, {'$set': {'runs': False}})
                self._drop_aside(id, session)
                self.collection.delete_many(of_chunks(id), session=session)
                self.collection.delete_one({'_id': id}, session=session)

    def forget_left(self) -> set[str]:
        """Delete what a crash has left of sets that were being deleted; name these."""
        left = list(self.collection.find({'runs': False}, {'name': True}))
        self.forget([each['_id'] for each in left])
        return {str(each.get('name')) for each in left}

    def _drop_aside(self, id: ObjectId, session: ClientSession | None) -> None:
        """Drop the collections that were set aside; after that nothing is restored."""
        wanted = {**WITH_ASIDE, **self._from_here, '_id': id}
        found = self.collection.find_one(wanted, ['aside'], session=session)
        if found is not None:
            self.collection.update_one({'_id': id}, {'$set': {'runs': False}})
            for namespace in found['aside']:
                # Others may have written the name of any collection there.
                if is_aside(namespace, self.collection.name, id):
                    self._drop(namespace)

    def _drop(self, namespace: str) -> None:
        collection_of(self.client, namespace).drop()
