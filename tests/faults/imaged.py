"""Batches with images, and their undo, met by faults until they are done."""

from __future__ import annotations

import contextlib
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from migopy.differences import Value, id_of
from migopy.undo.packing import unpacked
from tests.faults.increments import NAME, Met
from tests.images import RAW, state_of

#: Documents, and those of one batch.
DOCUMENTS = 12_000
BATCH = 500

#: One with a collection of its own is undone a transaction a chunk.
MIGRATION = f"""
    import migopy

    undo = True

    def up(db):
        for batch in migopy.batches(db.notes, {BATCH}):
            ids = [each['_id'] for each in batch]
            db.notes.update_many({{'_id': {{'$in': ids}}}}, {{'$inc': {{'calls': 1}}}})
            db.notes.delete_one({{'_id': ids[-1]}})
            db.log.insert_one({{'n': len(ids)}})
            db.totals.update_one({{'_id': 0}}, {{'$inc': {{'n': len(ids)}}}})
"""

#: The collections that it writes to.
NAMES = ('log', 'notes', 'totals')

#: Documents of collections as bytes, by `_id`.
State = dict[str, dict[Value, bytes]]


class Imaged(Met):
    """Writes to three collections in a loop over batches, then restores them.

    At any moment the database is what it was, changed as the images say that are there,
    one after another.
    """

    migration = MIGRATION
    page = BATCH

    def run(self) -> None:
        """Execute it until it is done, and roll it back until that is."""
        self.db.notes.insert_many({'_id': n, 'x': n} for n in range(DOCUMENTS))
        self.db.totals.insert_one({'_id': 0, 'n': 0})
        before = state_of(self.db)
        self.before = self._read()[0]
        self.meet(self.choice.randrange(100))
        self._expect(self._total() == DOCUMENTS, 'not all was done')
        self.typed = f'migrations:rollback,{NAME}'
        self.meet(self.choice.randrange(100))
        self._expect(state_of(self.db) == before, 'it is not what it was')
        for name in ('migrations', 'migrations_undo'):
            left = list(self.db[name].find({}, {'data': 0}, limit=5))
            self._expect(not left, f'{name} has {left}')
        unsettled = self.db.migrations_history.count_documents({'unsettled': True})
        self._expect(not unsettled, f'{unsettled} runs are unsettled in the end')

    @property
    def _is_undo(self) -> bool:
        return 'rollback' in self.typed

    def is_done(self) -> bool:
        """Tell whether it is registered, or is not any more."""
        return super().is_done() != self._is_undo

    def reached(self) -> int:
        """Give how many documents are changed, or restored again."""
        with contextlib.suppress(PyMongoError):
            total = self._total()
            return DOCUMENTS - total if self._is_undo else total
        return 0

    def look(self) -> None:
        """See that the database is what it was with all images done to it."""
        there, chunks = self._read()
        would_be = {name: dict(each) for name, each in self.before.items()}
        for chunk in chunks:
            documents = would_be[chunk['ns'].partition('.')[2]]
            for before, after in unpacked(chunk['data']):
                id = id_of(before or after or b'')
                is_so = documents.pop(id, None) == before
                self._expect(is_so, f'an image of {id.decoded()} does not fit')
                if after is not None:
                    documents[id] = after
        for name in NAMES:
            ids = {*there[name], *would_be[name]}
            odd = [
                id.decoded()
                for id in ids
                if there[name].get(id) != would_be[name].get(id)
            ]
            self._expect(not odd, f'{name}: {odd[:5]} are not as images say')

    def _read(self) -> tuple[State, list[Any]]:
        """Read all documents and all images as of one moment."""

        def read(session: ClientSession) -> tuple[State, list[Any]]:
            there = {name: self._documents(name, session) for name in NAMES}
            images = self.db.migrations_undo.find(
                {'data': {'$exists': True}}, sort=[('_id', 1)], session=session
            )
            return there, list(images)

        with self.client.start_session() as session:
            return session.with_transaction(read, read_concern=ReadConcern('snapshot'))

    def _documents(self, name: str, session: ClientSession) -> dict[Value, bytes]:
        found = self.db[name].with_options(codec_options=RAW).find(session=session)
        raw = [bytes(each.raw) for each in found]
        return {id_of(each): each for each in raw}

    def _total(self) -> int:
        found = self.db.totals.find_one({'_id': 0})
        return int(found['n']) if found else -1

    def _expect(self, truth: object, what: str) -> None:
        if not truth:
            self.violations.append(what)
