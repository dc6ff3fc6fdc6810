"""An undo that does not fit into one transaction of the server."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from tests.faults import failing, obliging_server
from tests.images import state_of
from tests.project import PlainTest

CHANGE = """
    transaction = undo = True

    def up(db):
        db.a.update_many({}, {'$set': {'x': 1}})
"""

#: TransactionTooLargeForCache, TransactionTooLarge.
TOO_LARGE = (388, 257)


class TooLargeTest(PlainTest):
    """What the server has no room for in one transaction is restored in several."""

    def test_it_is_restored_in_several(self) -> None:
        self.migration('001_a.py', CHANGE)
        with obliging_server() as server, MongoClient(server.uri) as client:
            db: Any = client.shop
            db.a.insert_many({'_id': n} for n in range(5))
            before = state_of(db)
            it = self.manager(MONGO_URI=server.uri, MONGO_DATABASE='shop')
            for code in TOO_LARGE:
                with self.subTest(code):
                    it.execute()
                    with failing(client, 'update', errorCode=code, namespace='shop.a'):
                        it.rollback('001')
                    said = '\n'.join(self.logger.of('white'))
                    self.assertIn('restored in several', said)
                    self.assertEqual(said.count('restoring 5 documents'), 1)
                    self.assertEqual(state_of(db), before)
                    self.assertEqual(list(db.migrations.find()), [])
                    self.assertEqual(list(db.migrations_undo.find()), [])
                    self.logger.said.clear()
                    open_runs = db.migrations_history.find({'unsettled': True})
                    self.assertEqual(list(open_runs), [])

    def test_a_down_is_run_in_one_alone(self) -> None:
        down = (
            '\n    def down(db):\n        db.a.update_many({}, {"$unset": {"x": 1}})\n'
        )
        self.migration('001_a.py', CHANGE + down)
        with obliging_server() as server, MongoClient(server.uri) as client:
            db: Any = client.shop
            db.a.insert_one({'_id': 1})
            it = self.manager(MONGO_URI=server.uri, MONGO_DATABASE='shop')
            it.execute()
            with (
                failing(client, 'update', errorCode=388, namespace='shop.a'),
                self.assertRaises(Exception),  # noqa: B017
            ):
                it.rollback('001')
            self.assertEqual(list(db.a.find()), [{'_id': 1, 'x': 1}])
