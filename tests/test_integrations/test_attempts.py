"""A transaction is tried again where that helps, and never for ever."""

from __future__ import annotations

import sys
from unittest import mock

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from migopy.errors import MigopyException
from migopy.run import NotAllShown
from migopy.server.mongod import ask
from tests.faults import obliging_server
from tests.project import PlainTest

NAME = '001_x.py'


class CaughtTest(PlainTest):
    """An error that up catches has ended its transaction on the server all the same."""

    TRANSACTION = 'transaction = True'
    SWALLOWING = """
        from pymongo.errors import DuplicateKeyError

        def up(db):
            db.runs.count_documents({})
            try:
                db.a.insert_one({'_id': 1})
            except DuplicateKeyError:
                pass
        """

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_one({'_id': 1})

    def failing(self, more: str, **options: str) -> str:
        path = self.migration(NAME, self.SWALLOWING)
        text = path.read_text().rstrip() + more
        path.write_text(text if options else f'{self.TRANSACTION}\n{text}')
        with self.assertRaises(Exception) as caught:
            self.manager().execute(**options)
        said = '\n'.join([str(caught.exception), *self.logger.of('red')])
        ended = 'it goes on after an error that ends the transaction of a dry run'
        if not options:
            ended = 'It has caught an error that ended its transaction'
        self.assertIn(ended, said)
        self.assertRegex(said, rf'insert on ({self.db.name}[.])?a in {NAME}, line')
        self.assertIn('E11000 duplicate key', said)
        self.assertNotIn('tried again', '\n'.join(self.logger.of('white')))
        self.assertEqual(self.registered(), [])
        return said

    def test_that_one_is_told_with_its_line_and_not_tried_again(self) -> None:
        said = self.failing('\n    db.b.insert_one({})\n')
        self.assertIn(f'{NAME}, line 8', said)
        self.assertIn('Nothing was changed', said)
        self.assertIn('transaction = False', said)
        self.assertEqual(self.contents('b'), [])

    def test_also_where_it_was_the_last_thing_done(self) -> None:
        self.failing('\n')

    def test_also_in_a_dry_run(self) -> None:
        for more in ('\n', '\n    db.b.insert_one({})\n'):
            said = self.failing(more, dry_run='yes')
            self.assertIn('The dry run has changed nothing', said)

    def test_what_a_dry_run_alone_refuses_is_told_as_its_own(self) -> None:
        """As if the run that is to come caught an error, too."""
        self.migration(
            NAME,
            """
            def up(db):
                counts = {'coll': 'a', 'pipeline': [{'$collStats': {'count': {}}}]}
                try:
                    list(db.a.aggregate([{'$unionWith': counts}]))
                except Exception:
                    db.b.insert_one({})
            """,
        )
        with self.assertRaises(NotAllShown):
            self.manager().execute(dry_run='yes')
        said = '\n'.join(self.logger.of('red'))
        self.assertIn('that it has in the transaction of a dry run alone: aggr', said)
        self.manager().execute()
        self.assertEqual(self.contents('b'), [])

    def test_a_bulk_s_too(self) -> None:
        self.migration(
            NAME,
            """
            transaction = True
            from pymongo.errors import BulkWriteError

            def up(db):
                try:
                    db.a.insert_many([{'_id': 2}, {'_id': 1}, {'_id': 3}])
                except BulkWriteError:
                    db.b.insert_one({})
            """,
        )
        with self.assertRaisesRegex(Exception, 'It has caught an error'):
            self.manager().execute()
        self.assertEqual(self.contents('b'), [])


class RepeatedTest(PlainTest):
    CONFLICT = """
        transaction = True
        import meeting

        def up(db):
            db.a.find_one({'_id': 1})
            meeting.other_writes()
            db.a.update_one({'_id': 1}, {'$inc': {'n': 1}})
        """

    def execute(self, conflicts: int) -> None:
        self.db.a.insert_one({'_id': 1, 'n': 0})
        self.migration(NAME, self.CONFLICT)
        left = [None] * conflicts

        port = (self.client.address or ('', 0))[1]
        update = {'q': {'_id': 1}, 'u': {'$inc': {'m': 1}}}

        def other_writes() -> None:
            if left:
                left.pop()
                # Past PyMongo: this is somebody else.
                ask(port, {'update': 'a', 'updates': [update]}, self.db.name)

        meeting = mock.MagicMock(other_writes=other_writes)
        with mock.patch.dict(sys.modules, meeting=meeting):
            self.manager().execute()

    def test_what_is_transient_is_tried_again_and_said(self) -> None:
        self.execute(conflicts=2)
        self.assertEqual(self.db.a.find_one({}, {'_id': 0}), {'n': 1, 'm': 2})
        again = [each for each in self.logger.of('white') if 'tried again' in each]
        self.assertEqual(len(again), 2)
        self.assertIn('WriteConflict', again[0])

    def test_after_three_conflicts_it_is_told_and_nothing_is_changed(self) -> None:
        with self.assertRaisesRegex(Exception, 'The server aborted it 3 times'):
            self.execute(conflicts=100)
        [message] = self.logger.of('red')
        self.assertIn('update_each', message)
        self.assertIn('transaction = False', message)
        self.assertIn('Nothing was changed', message)
        self.assertEqual(self.db.a.find_one({}, {'_id': 0}), {'n': 0, 'm': 3})


class CacheTest(PlainTest):
    """A transaction that the server's cache, here of 1 GB, has no room for."""

    LARGE = """
        transaction = True
        PAD = 'x' * 1_000_000

        def up(db):
            for n in range(600):
                change = {'$set': {f'p{n // 100}': PAD + str(n)}}
                db.a.update_one({'_id': n % 100}, change)
        """

    def test_it_is_told_after_three_attempts_at_most(self) -> None:
        self.needs_version(5, 0)  # an older one stalls for minutes
        with obliging_server() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            db.a.insert_many([{'_id': n} for n in range(100)])
            self.migration(NAME, self.LARGE)
            with self.assertRaises((MigopyException, PyMongoError)) as caught:
                self.manager(MONGO_URI=server.uri).execute()
            self.assertEqual(db.a.count_documents({'p0': {'$exists': True}}), 0)
            self.assertEqual(list(db.migrations.find()), [])
        said = '\n'.join([str(caught.exception), *self.logger.of('red')])
        self.assertIn('too large', said)
        self.assertIn('transaction = False', said)
        self.assertIn('Nothing was changed', said)
        again = [each for each in self.logger.of('white') if 'tried again' in each]
        self.assertLessEqual(len(again), 2)
