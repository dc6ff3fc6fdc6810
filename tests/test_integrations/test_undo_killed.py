"""Killed at any moment, with images: never half an image, never half an undo."""

from __future__ import annotations

import random
import time

from tests.images import definitions_of, state_of
from tests.project import FabTest

SIZE = 4000
KILLS = 4

#: One with a collection of its own is undone a transaction a chunk.
IN_TRANSACTION = """
    transaction = undo = True

    def up(db):
        db.a.update_many({}, {'$inc': {'n': 1}})
        db.b.insert_one({'_id': 1})
"""

IN_PAGES = """
    import migopy

    undo = True

    def up(db):
        migopy.update_each(db.a, lambda each: {'$inc': {'n': 1}}, batch_size=200)
"""

WITH_DEFINITIONS = """
    import migopy

    undo = True

    def up(db):
        if 'n_1' in db.a.index_information():
            db.a.drop_index('n_1')
        migopy.update_each(db.a, lambda each: {'$inc': {'n': 1}}, batch_size=200)
        db.a.create_index([('n', 1), ('_id', 1)], unique=True)
        db.b.drop()
        if 'c' in db.list_collection_names():
            db.c.rename('d')
        db.d.create_index('d')
        db.command('collMod', 'a', validator={'n': 1})
"""


IN_BATCHES = """
    import migopy

    undo = True

    def up(db):
        for batch in migopy.batches(db.a, 200):
            db.a.update_many(
                {'_id': {'$in': [each['_id'] for each in batch]}}, {'$inc': {'n': 1}})
            db.b.insert_one({'n': len(batch)})
            db.c.update_one({'_id': 0}, {'$inc': {'n': len(batch)}})
"""


class KilledTest(FabTest):
    """`up` and the undo are killed, again and again, and end well all the same."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n, 'n': 0} for n in range(SIZE))
        self.before = state_of(self.db)
        self.chance = random.Random(4)

    def kill_and_finish(self, *typed: str) -> None:
        """Type a command, kill it at any moment, several times; then let it end."""
        for _ in range(KILLS):
            process = self.start(*typed)
            self.wait_for_work(process, self.chance.uniform(0, 0.4))
            process.kill()
            process.communicate()
            self.look()
        result = self.fab(*typed)
        if 'not applied' not in result.said and 'already' not in result.said:
            self.assert_ok(result)

    def wait_for_work(self, process: object, seconds: float) -> None:
        """Wait until a command holds the lock, and a moment longer."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:  # type: ignore[attr-defined]
            if self.db.migrations_lock.find_one():
                time.sleep(seconds)
                return
            time.sleep(0.01)

    def look(self) -> None:
        """See that each document is before or after, and that images tell which."""
        with self.client.start_session(snapshot=True) as session:
            changed = self.db.a.count_documents({'n': 1}, session=session)
            kept = self.db.migrations_undo.find_one(
                {'runs': {'$exists': True}}, session=session
            )
            left = sum(self.pairs_left(session))
        self.assertEqual(self.db.a.count_documents({'n': {'$nin': [0, 1]}}), 0)
        documents = kept['documents'] if kept else 0
        self.assertEqual(left, changed, f'of {documents} documents with images')

    def pairs_left(self, session: object) -> list[int]:
        """Count the pairs of the collection a, by chunk."""
        from migopy.undo.packing import unpacked

        found = self.db.migrations_undo.find(
            {'ns': f'{self.db.name}.a', 'data': {'$exists': True}}, session=session
        )
        return [len(unpacked(each['data'])) for each in found]

    def test_in_a_transaction(self) -> None:
        self.needs_version(5, 0)
        self.migration('001_a.py', IN_TRANSACTION)
        self.kill_and_finish('migrations:execute,001')
        self.assertEqual(self.db.a.count_documents({'n': 1}), SIZE)
        self.kill_and_finish('migrations:rollback,001')
        self.assert_undone()

    def test_in_pages(self) -> None:
        self.needs_version(5, 0)
        self.migration('001_a.py', IN_PAGES)
        self.kill_and_finish('migrations:execute,001')
        self.assertEqual(self.db.a.count_documents({'n': 1}), SIZE)
        self.kill_and_finish('migrations:rollback,001')
        self.assert_undone()

    def test_in_batches(self) -> None:
        self.needs_version(5, 0)
        self.db.c.insert_one({'_id': 0, 'n': 0})
        self.before = state_of(self.db)
        self.migration('001_a.py', IN_BATCHES)
        self.kill_and_finish('migrations:execute,001')
        self.assertEqual(self.db.a.count_documents({'n': 1}), SIZE)
        self.assertEqual(self.db.b.count_documents({}), SIZE // 200)
        self.assertEqual(self.db.c.find_one(), {'_id': 0, 'n': SIZE})
        self.kill_and_finish('migrations:rollback,001')
        self.assert_undone()

    def test_with_definitions(self) -> None:
        self.needs_version(5, 0)
        self.db.a.create_index('n')
        self.db.b.insert_many({'_id': n} for n in range(100))
        self.db.b.create_index('b', expireAfterSeconds=5)
        self.db.create_collection('c', validator={'c': 1})
        self.before = state_of(self.db)
        before = definitions_of(self.db)
        self.migration('001_a.py', WITH_DEFINITIONS)
        self.kill_and_finish('migrations:execute,001')
        self.assertEqual(self.db.a.count_documents({'n': 1}), SIZE)
        self.assertNotIn('b', state_of(self.db))
        self.kill_and_finish('migrations:rollback,001')
        self.assert_undone()
        self.assertEqual(definitions_of(self.db), before)

    def assert_undone(self) -> None:
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(self.registered(), [])
        status = self.assert_ok(self.fab('migrations'))
        self.assertNotIn('nfinished', status.said)
