"""Migrations on MongoDB 8, or what stands in for it: `bulk_write` of a client."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from pymongo.errors import PyMongoError

from migopy import MigopyException
from migopy.operations import order_up, preflighting
from migopy.undo import Capture
from tests.images import state_of
from tests.later import LaterServer
from tests.project import PlainTest
from tests.shapes import up

TOP = """\
import migopy
from pymongo import DeleteMany, DeleteOne, InsertOne, UpdateMany, UpdateOne
"""

#: In a transaction, and with images of what it changes.
INSIDE = f'{TOP}transaction = True\n'
KEPT = f'{INSIDE}undo = True\n'

#: Writes of all kinds, to three collections of two databases.
ALL_KINDS = """
    a, b, c = f'{db.name}.a', f'{db.name}.b', f'{db.name}_beside.c'
    db.client.bulk_write([
        InsertOne({'_id': 8}, a),
        InsertOne({'_id': 9}, b),
        UpdateMany({'_id': {'$lt': 2}}, {'$inc': {'n': 5}}, namespace=a),
        UpdateOne({'_id': 5}, {'$set': {'n': 5}}, upsert=True, namespace=a),
        DeleteOne({'_id': 2}, namespace=a),
        InsertOne({'_id': 3}, c),
        DeleteMany({}, namespace=c),
    ])
    """

#: An error that is swallowed; then the migration goes on, or is at its end.
SWALLOWED = """
    a, b = f'{db.name}.a', f'{db.name}.b'
    try:
        db.client.bulk_write([InsertOne({'_id': 7}, b), InsertOne({'_id': 1}, a)])
    except Exception:
        pass
    """

CONFLICT = {
    'ok': 0.0,
    'code': 112,
    'codeName': 'WriteConflict',
    'errmsg': 'WriteConflict error: this operation conflicted with another one',
    'errorLabels': ['TransientTransactionError'],
}


class LaterTest(PlainTest):
    """A test on MongoDB 8; its collection `a` has three documents."""

    def setUp(self) -> None:
        super().setUp()
        self.later = LaterServer(urlsplit(self.uri).port or 0)
        running = ExitStack()
        running.enter_context(self.later.running())
        self.addCleanup(running.close)
        self.uri = self.later.uri
        self.addCleanup(self.client.drop_database, f'{self.db.name}_beside')
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(3))

    def executed(self, body: str, top: str = TOP, **options: Any) -> str:
        """Execute one migration; give what was said."""
        self.migration('001_x.py', up(body, top))
        self.manager().perform('execute', (), options)
        return self.said()

    def said(self) -> str:
        """Give all that was said."""
        return '\n'.join([text for _, text in self.logger.said])

    def refused(self, body: str, top: str = TOP, **options: Any) -> str:
        """Execute one migration in vain; give the error."""
        self.migration('001_x.py', up(body, top))
        with self.assertRaises((MigopyException, PyMongoError)) as caught:
            self.manager().perform('execute', (), options)
        self.assertEqual(self.registered(), [])
        return '\n'.join([str(caught.exception), *self.logger.of('red')])


class BulkWriteTest(LaterTest):
    """What a client's `bulk_write` does is known, and undone."""

    def test_its_effects_are_told_by_collection(self) -> None:
        beside = f'{self.db.name}_beside.c'
        told = f'a 2 inserted, 2 updated; {beside} and a 2 deleted; b 1 inserted'
        told = told.replace(f'{beside} and a', f'a and {beside}')
        self.assertIn(f'would do: {told}', self.executed(ALL_KINDS, dry_run='yes'))
        self.assertIn(f'{told}; {beside} 1 inserted', self.executed(ALL_KINDS))

    def test_it_is_undone_and_leaves_no_collection(self) -> None:
        before = state_of(self.db)
        # Named in several counts, a document has one image all the same.
        self.executed(ALL_KINDS, KEPT)
        self.manager().rollback('001', dry_run='yes')
        said = self.said()
        self.assertIn('restoring 6 documents', said)
        self.assertIn('Dry run: nothing was changed', said)
        self.manager().rollback('001')
        self.assertEqual(state_of(self.db), before)
        beside = self.client[f'{self.db.name}_beside']
        self.assertEqual(beside.list_collection_names(), [])

    def test_in_batches_it_is_undone_and_what_it_names_is_looked_up(self) -> None:
        before = state_of(self.db)
        body = """
            a, b = f'{db.name}.a', f'{db.name}.b'
            for found in migopy.batches(db.a, 2):
                by_id = {'_id': found[0]['_id']}
                db.client.bulk_write([
                    UpdateOne(by_id, {'$inc': {'n': 5}}, namespace=a),
                    InsertOne(by_id, b),
                    DeleteOne(by_id, namespace=b),
                ])
            """
        with patch.object(Capture, 'pairs', side_effect=AssertionError):
            self.executed(body, f'{TOP}undo = True')
        self.assertEqual([each['n'] for each in self.db.a.find()], [5, 1, 7])
        self.manager().rollback('001')
        self.assertEqual(state_of(self.db), before)

    def test_without_images_it_is_refused(self) -> None:
        told = self.refused(ALL_KINDS, f'{TOP}undo = True')
        self.assertIn('outside of update_each', told)
        self.db.create_collection('b', capped=True, size=4096)
        self.assertIn('b is capped', self.refused(ALL_KINDS, KEPT))
        self.assertEqual(self.later.heard, [])

    def test_what_migopy_keeps_is_not_emptied(self) -> None:
        body = """
            db.client.bulk_write([
                InsertOne({}, f'{db.name}.b'),
                DeleteMany({}, namespace=f'{db.name}.migrations_history'),
            ])
            """
        for options in ({'dry_run': 'yes'}, {}):
            told = self.refused(body, **options)
            self.assertIn(f'delete on {self.db.name}.migrations_history', told)
        self.assertEqual(self.later.heard, [])
        self.executed(body.replace('{},', "{'name': 'no.py'},"))
        self.assertEqual(self.registered(), ['001_x.py'])

    def test_the_server_is_told_whose_it_is(self) -> None:
        self.executed(ALL_KINDS)
        self.assertIn('up of 001_x.py', self.later.heard[-1]['comment'])

    def test_an_async_function_does_the_same(self) -> None:
        body = ALL_KINDS.replace('db.client', 'await db.client')
        text = up(body, KEPT).replace('def up', 'async def up')
        before = state_of(self.db)
        self.migration('001_x.py', text)
        self.manager().execute()
        self.assertIn('a 2 inserted, 2 updated', self.said())
        self.manager().rollback('001')
        self.assertEqual(state_of(self.db), before)

    def test_preflight_and_a_plan_see_what_it_writes_to(self) -> None:
        self.db.create_collection('b', capped=True, size=4096)
        self.migration('001_x.py', up(ALL_KINDS, INSIDE))
        manager = self.manager()
        order = order_up(manager, 'preflight', None)
        looked = preflighting.preflight(manager._site, order, manager._observer)
        said = '; '.join(each.what for each in looked.findings)
        self.assertIn('b is a capped collection', said)


class LenientTest(LaterTest):
    """MongoDB 7 and later makes what is there again, and drops what is not."""

    def test_what_was_there_is_still_there_after_an_undo(self) -> None:
        before = state_of(self.db)
        body = """
            db.command('create', 'a')
            db.b.drop()
            """
        self.assertNotIn('would make', self.executed(body, dry_run='yes'))
        self.executed(body, f'{TOP}undo = True')
        self.manager().rollback('001')
        self.assertEqual(state_of(self.db), before)


class FailedBulkTest(LaterTest):
    """An error in a client's `bulk_write`."""

    def test_it_tells_what_the_server_refused(self) -> None:
        told = self.refused(SWALLOWED.replace('pass', 'raise'))
        self.assertIn('E11000 duplicate key', told)
        self.assertIn('It may have written already (b 1 inserted)', told)

    def test_after_one_that_was_swallowed_its_transaction_is_over(self) -> None:
        place = f'bulkWrite on {self.db.name}.a in 001_x.py, line'
        for end in ('', 'db.b.insert_one({})'):
            for options in ({'dry_run': 'yes'}, {}):
                with self.subTest(end, **options):
                    body = f'{SWALLOWED}{end}'
                    told = self.refused(body, INSIDE, **options)
                    self.assertIn('It has caught an error that ended its', told)
                    self.assertIn(place, told)
        self.assertNotIn('tried again', self.said())
        self.assertNotIn('b', self.db.list_collection_names())
        # Without a transaction it does no harm, which a dry run cannot show.
        self.refused(f'{SWALLOWED}db.b.insert_one({{}})', dry_run='yes')
        self.executed(SWALLOWED)

    def test_with_more_results_than_a_reply_holds_it_is_the_same(self) -> None:
        self.later.batch = 1
        body = SWALLOWED.replace('])', '], verbose_results=True)')
        told = self.refused(body, INSIDE)
        self.assertIn('It has caught an error that ended its', told)

    def test_a_conflict_is_tried_again(self) -> None:
        self.later.refusals = [CONFLICT]
        told = self.executed(ALL_KINDS, INSIDE)
        self.assertIn('tried again, as ', told)
        self.assertIn('this operation conflicted with another one', told)
        self.assertEqual(len(self.later.heard), 2)
        self.later.refusals = [CONFLICT] * 9
        self.db.migrations.delete_many({})
        self.assertIn('too large for one transaction', self.refused(ALL_KINDS, INSIDE))

    def test_what_no_transaction_does_is_said(self) -> None:
        self.db.create_collection('b', capped=True, size=4096)
        told = self.refused(ALL_KINDS, INSIDE)
        self.assertIn('A transaction cannot do this: Collection', told)
        self.assertIn('transaction = False', told)


class OlderTest(LaterTest):
    def test_an_older_server_has_none(self) -> None:
        self.later.version = 7
        told = self.refused(ALL_KINDS)
        self.assertIn('requires MongoDB server version 8.0+', told)
        self.assertIn('It had written nothing', told)


class RouterTest(LaterTest):
    """Migrations behind the router of a sharded cluster, or what stands in for one."""

    def setUp(self) -> None:
        super().setUp()
        self.later.routes = True

    def test_indexes_are_tried_and_counted_by_the_replies_of_shards(self) -> None:
        self.db.a.create_index('m')
        body = """
            db.a.create_index('n', unique=True)
            db.a.drop_index('m_1')
            """
        told = 'a index n_1 made, index m_1 dropped'
        said = self.executed(body, dry_run='yes')
        self.assertIn(f'would do: {told}', said)
        self.assertIn('would make index a.n_1 (unique): 3 documents', said)
        self.assertIn(told, self.executed(body))

    def test_a_transaction_is_one_there_as_well(self) -> None:
        body = 'db.a.update_many({}, {"$inc": {"n": 1}})'
        self.assertIn('a 3 updated', self.executed(body, INSIDE, dry_run='yes'))
        self.assertIn('a 3 updated', self.executed(body, INSIDE))
        self.assertEqual([each['n'] for each in self.db.a.find()], [1, 2, 3])

    def test_what_is_not_there_is_refused_and_says_why(self) -> None:
        body = 'db.a.update_many({}, {"$inc": {"n": 1}})'
        self.assertIn('is a router of a sharded cluster', self.refused(body, KEPT))
        once = 'migopy.update_each(db.a, lambda a: {"$inc": {"n": 1}}, **options)'
        strict = once.replace('**options', 'exactly_once=True')
        self.assertIn('as the server is a router of a', self.refused(strict))
        said = self.executed(once.replace(', **options', ''))
        self.assertIn('a: the server is a router of a sharded cluster; if', said)
        self.db.migrations.delete_many({})
        text = up(body.replace('db.a', 'await db.a'), INSIDE)
        self.migration('001_x.py', text.replace('def up', 'async def up'))
        for options in ({'dry_run': 'yes'}, {}):
            with self.assertRaisesRegex(MigopyException, 'is a router'):
                self.manager().perform('execute', (), options)
        # Of Python's own files, which have called it, nothing is said.
        self.assertNotIn('asyncio', '\n'.join(self.logger.of('red')))
