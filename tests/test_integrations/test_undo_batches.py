"""Undo of what loops over `migopy.batches` have written, batch by batch."""

from __future__ import annotations

import textwrap
import uuid
from pathlib import Path
from typing import Any
from unittest import mock

from bson import CodecOptions, Int64
from bson.binary import JAVA_LEGACY, STANDARD
from pymongo import MongoClient

from migopy.backfill import InLoop, LeftBatch, NotInBatch, OutsideBatch
from migopy.run import NotImaged, OutsidePages
from migopy.undo import Conflicts, TooManyImages
from tests.faults import failing, obliging_server, soon_heard
from tests.images import definitions_of, state_of
from tests.project import PlainTest

HEAD = """
import migopy
from bson import Int64
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne

undo = True

def up(db):
    for batch in migopy.batches(db.a, 10):
"""

#: What a body does that counts in a second collection, inserts, merges and deletes.
BODY = """
writes = []
for each in batch:
    if each['_id'] % 10 == 7:
        writes.append(DeleteOne({'_id': each['_id']}))
    elif each['_id'] % 10 == 5:
        writes.append(ReplaceOne({'_id': each['_id']}, {'only': each['n']}))
    else:
        writes.append(UpdateOne({'_id': each['_id']}, {'$inc': {'n': 1}}))
db.a.bulk_write(writes)
db.sums.update_one({'_id': 'all'}, {'$inc': {'n': len(batch)}}, upsert=True)
db.made.insert_many({'of': each['_id']} for each in batch)
"""


class UndoBatchesTest(PlainTest):
    """`undo = True` without a transaction, with loops over batches."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(45))
        self.db.other.insert_many({'_id': n, 'of': n % 5} for n in range(20))
        self.before = self.state()

    def state(self) -> Any:
        hashes = self.db.command('dbHash')['collections']
        own = {key: each for key, each in hashes.items() if 'migrations' not in key}
        return state_of(self.db), own, definitions_of(self.db)

    def write_up(self, *bodies: str, head: str = HEAD) -> Path:
        loop = head.rpartition('def up(db):\n')[2]
        first = head[: len(head) - len(loop)]
        bodies = tuple(textwrap.dedent(each) for each in bodies)
        loops = [loop + textwrap.indent(each, ' ' * 8) for each in bodies]
        return self.migration('001_a.py', first + '\n'.join(loops))

    def execute(self) -> Any:
        manager = self.manager()
        manager.execute()
        return manager

    def assert_undone(self) -> None:
        self.manager().rollback('001')
        self.assertEqual(self.state(), self.before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def assert_both_ways(self) -> None:
        """Undo it in one transaction, and in one for each chunk."""
        self.execute()
        self.assertNotEqual(self.state(), self.before)
        self.assert_undone()
        self.execute()
        with mock.patch('migopy.undo.undoing.DOCUMENTS', 0):
            self.assert_undone()

    def images(self) -> list[tuple[int, int]]:
        """Give the numbers of chunks and documents of all images."""
        found = self.db.migrations_undo.find({'runs': {'$exists': True}})
        return [(each['chunks'], each['documents']) for each in found]

    def test_it_is_undone(self) -> None:
        self.write_up(BODY)
        self.assert_both_ways()

    def test_chunks_are_numbered_over_batches_and_hold_each_document(self) -> None:
        self.write_up(BODY)
        self.execute()
        # Of each of five batches one of a, of sums and of made.
        self.assertEqual(self.images(), [(15, 45 + 5 + 45)])

    def test_writes_that_name_no_id(self) -> None:
        for body in (
            "db.other.update_many({'of': batch[0]['_id'] // 10}, {'$set': {'x': 1}})",
            "db.other.delete_one({'of': batch[0]['_id'] // 10})",
            "db.other.find_one_and_delete({'of': batch[0]['_id'] // 10})",
            "db.other.update_one({'_id': {'$gt': 3}}, {'$inc': {'n': 1}})",
            "db.other.update_one({'a': 7}, {'$inc': {'n': 1}}, upsert=True)",
            "db.other.update_many({'_id': {'$in': [2, 4]}}, {'$inc': {'n': 1}})",
            "db.other.update_one({'_id': {'$in': [70, 71]}}, {'$inc': {'n': 1}}, True)",
            "db.other.update_one({'_id': {'$eq': 80}}, {'$inc': {'n': 1}}, True)",
            'db.other.insert_one({}); db.client[db.name].again.insert_one({})',
            "db.command('insert', 'other', documents=[{'x': 1}])",
        ):
            with self.subTest(body):
                self.write_up(body)
                self.assert_both_ways()

    def test_it_is_said_once_what_such_a_write_takes(self) -> None:
        for body, count in (
            ("db.other.update_many({'of': 1}, {'$inc': {'n': 1}})", 1),
            ("db.other.update_many({'_id': 1}, {'$inc': {'n': 1}})", 0),
        ):
            with self.subTest(body), mock.patch('migopy.undo.loop_images.SLOW', 0):
                self.write_up(body)
                self.logger.said.clear()
                self.execute()
                said = '\n'.join(self.logger.of('white'))
                self.assertEqual(said.count('other: a write that names no _id'), count)
                self.assert_undone()

    def test_ids_of_equal_numbers_of_other_types(self) -> None:
        self.db.other.insert_one({'_id': {'of': 2.0}})
        self.before = self.state()
        self.write_up(
            """
            if batch[0]['_id'] == 10:
                db.other.delete_one({'_id': 3})
                db.other.insert_one({'_id': 3.0, 'x': 1})
                db.other.update_one({'_id': Int64(4)}, {'$set': {'x': 1}})
                db.other.update_one({'_id': 4.0}, {'$set': {'y': 1}})
                db.other.update_one({'_id': {'of': 2}}, {'$set': {'y': 1}})
                db.other.delete_many({'_id': {'$in': [5, 5.0]}})
                db.other.insert_one({'_id': 5.0})
            """
        )
        self.assert_both_ways()
        self.assertEqual(self.db.other.find_one({'_id': Int64(3)}), {'_id': 3, 'of': 3})

    def test_ids_that_a_codec_writes_in_its_own_way(self) -> None:
        ids = [uuid.UUID(int=n) for n in range(1, 4)]
        for representation in (JAVA_LEGACY, STANDARD):
            with self.subTest(representation):
                options: Any = CodecOptions(uuid_representation=representation)
                uuids = self.db.get_collection('uuids', codec_options=options)
                uuids.drop()
                uuids.insert_many({'_id': each} for each in ids)
                self.before = self.state()
                self.write_up(
                    f"""
                    import uuid
                    from bson import CodecOptions
                    options = CodecOptions(uuid_representation={representation})
                    uuids = db.get_collection('uuids', codec_options=options)
                    one = {{'_id': uuid.UUID(int=1)}}
                    uuids.update_one(one, {{'$inc': {{'n': 1}}}})
                    mine = [uuid.UUID(int=2)]
                    uuids.delete_many({{'_id': {{'$in': mine}}}})
                    uuids.insert_one({{'_id': uuid.uuid4()}})
                    """
                )
                self.assert_both_ways()

    def test_a_collation_in_which_ids_are_equal(self) -> None:
        self.db.words.insert_many([{'_id': 'a'}, {'_id': 'A'}])
        self.before = self.state()
        self.write_up(
            "db.words.update_many({'_id': 'a'}, {'$inc': {'n': 1}},"
            " collation={'locale': 'en', 'strength': 2})"
        )
        self.assert_both_ways()

    def test_a_document_of_several_batches_is_what_it_was_before_the_first(
        self,
    ) -> None:
        self.write_up(
            "db.a.update_many({'_id': {'$in': [1, 44]}}, {'$inc': {'n': 100}})\n"
            "db.a.update_one({'_id': batch[0]['_id']}, {'$set': {'seen': True}})"
        )
        self.assert_both_ways()

    def test_what_others_changed_since_of_such_a_document(self) -> None:
        self.write_up("db.a.update_one({'_id': 1}, {'$inc': {'n': 100}})")
        manager = self.execute()
        self.db.a.update_one({'_id': 1}, {'$set': {'n': -1}})
        after = self.state()
        with mock.patch('migopy.undo.undoing.DOCUMENTS', 0):
            with self.assertRaises(Conflicts):
                manager.rollback('001')
            self.assertEqual(self.state(), after)
            manager.perform('rollback', ('001',), {'conflicts': 'ours'})
        self.assertEqual(self.state(), self.before)

    def test_several_loops_and_update_each_and_definitions(self) -> None:
        head = HEAD.replace(
            'def up(db):\n',
            'def up(db):\n'
            "    db.other.create_index('of')\n"
            "    migopy.update_each(db.a, lambda each: {'$inc': {'n': 1}})\n",
        )
        file = self.write_up(BODY, head=head)
        more = """
    for batch in migopy.batches(db.made):
        db.made.update_many({}, {'$set': {'again': 1}})
        db.more.insert_one({'_id': 1})
        db.more.delete_one({'_id': 1})
    migopy.update_each(db.sums, lambda each: migopy.DELETE)
    db.other.drop()
"""
        self.migration('001_a.py', file.read_text() + more)
        self.execute()
        self.assertNotIn('other', self.db.list_collection_names())
        self.assert_undone()

    def test_collections_that_a_batch_makes(self) -> None:
        self.write_up(
            """
            if batch[0]['_id'] == 10:
                db.create_collection('empty')
                db.create_collection('valid', validator={'n': 1})
                db.fresh.create_index('n', unique=True)
                db.fresh.insert_one({'n': 1})
            """
        )
        self.assert_both_ways()

    def test_what_no_transaction_takes(self) -> None:
        for body in ("db.a.create_index('n')", 'db.other.drop()'):
            with self.subTest(body):
                self.write_up(body)
                with self.assertRaisesRegex(NotInBatch, 'multi-document'):
                    self.execute()
                self.assertEqual(self.state(), self.before)

    def test_what_is_written_otherwise_is_refused(self) -> None:
        session = 'session=db.client.start_session()'
        for kind, body in (
            (OutsidePages, f"db.b.insert_one({{'x': 1}}, {session})"),
            (OutsidePages, f'db.a.create_index("n", {session})'),
            (NotImaged, 'db.migrations.insert_one({})'),
            (NotImaged, 'db.migrations_undo.insert_one({})'),
            (NotImaged, 'db.capped.insert_one({})'),
            (InLoop, 'migopy.update_each(db.a, lambda each: None)'),
        ):
            with self.subTest(body):
                self.db.create_collection('capped', capped=True, size=4096)
                self.before = self.state()
                self.write_up(
                    f"db.a.update_one({{'_id': 1}}, {{'$inc': {{'n': 1}}}})\n{body}"
                )
                with self.assertRaises(kind):
                    self.execute()
                self.assertEqual(self.state(), self.before)
                self.assertEqual(self.registered(), [])
                self.manager().perform('ignore', ('001',), {})
                self.db.drop_collection('capped')
                self.db.drop_collection('migrations')

    def test_one_that_is_swallowed_is_not_done(self) -> None:
        self.write_up(
            """
            try:
                db.b.insert_one({'x': 1}, session=db.client.start_session())
            except BaseException:
                pass
            db.a.update_one({'_id': batch[0]['_id']}, {'$inc': {'n': 1}})
            """
        )
        with self.assertRaises(OutsidePages):
            self.execute()
        self.assertEqual(self.state(), self.before)

    def test_of_a_thread(self) -> None:
        self.write_up(
            """
            import threading
            thread = threading.Thread(target=db.b.insert_one, args=({},))
            thread.start()
            thread.join()
            """
        )
        with self.assertRaises((OutsidePages, OutsideBatch)):
            self.execute()
        self.assertEqual(self.registered(), [])

    def test_more_than_may_be(self) -> None:
        self.write_up(
            "db.a.update_one({'_id': batch[0]['_id']}, {'$set': {'x': 1}})\n"
            "if batch[0]['_id'] == 20:\n"
            '    import os\n'
            "    db.b.insert_many({'x': os.urandom(100_000)} for _ in range(12))"
        )
        with self.assertRaises(TooManyImages):
            self.manager(UNDO_MB=1).execute()
        self.assertEqual(self.db.a.count_documents({'x': 1}), 2)
        self.assertNotIn('b', self.db.list_collection_names())
        self.assertEqual(self.images(), [(2, 2)])
        self.assert_undone()

    def test_one_that_failed_goes_on_or_is_undone(self) -> None:
        for way in ('undone', 'goes on'):
            with self.subTest(way):
                self.write_up(f"{BODY}if batch[0]['_id'] == 20:\n    raise OSError")
                with self.assertRaises(OSError):
                    self.execute()
                self.assertEqual(self.db.made.count_documents({}), 20)
                self.assertEqual(self.images(), [(6, 42)])
                if way == 'goes on':
                    self.write_up(BODY)
                    self.manager().execute('001')
                    self.assertEqual(self.db.made.count_documents({}), 45)
                    self.assertEqual(self.images(), [(15, 95)])
                self.assert_undone()

    def test_a_batch_that_is_left_by_break_and_a_loop_after_it(self) -> None:
        loop_after = "db.made.insert_one({'of': len(batch)})"
        left = 'if batch[0]["_id"] == 20:\n    break'
        self.write_up(f'{left}\n{BODY}', loop_after)
        self.execute()
        self.assertEqual(self.db.made.count_documents({}), 20 + 5)
        self.assert_undone()
        self.write_up(f'{BODY}{left}', loop_after)
        with self.assertRaisesRegex(LeftBatch, 'Executed, it would fail'):
            self.manager().execute(dry_run='yes')
        with self.assertRaisesRegex(LeftBatch, 'the 20 documents before it are done'):
            self.execute()
        self.assertEqual(self.db.made.count_documents({}), 20 + 5)
        self.assertEqual(self.registered(), [])
        self.assert_undone()

    def test_where_others_write_a_batch_is_given_again_with_images_once(self) -> None:
        self.write_up(
            """
            from pymongo.errors import OperationFailure
            db.sums.update_one({'_id': 0}, {'$inc': {'n': 1}}, upsert=True)
            try:
                db.a.update_one({'_id': 15}, {'$inc': {'n': 1}})
            except OperationFailure as error:
                if not error.has_error_label('TransientTransactionError'):
                    raise
                migopy.let_go()
            """
        )
        with self.client.start_session() as session, session.start_transaction():
            self.db.a.update_one({'_id': 15}, {'$set': {'n': -5}}, session=session)
            let_go = mock.Mock(side_effect=session.commit_transaction)
            with mock.patch('migopy.let_go', let_go, create=True):
                self.execute()
            let_go.assert_called_once_with()
        self.assertEqual(self.db.a.find_one({'_id': 15}), {'_id': 15, 'n': 0})
        self.assertEqual(self.db.sums.find_one(), {'_id': 0, 'n': 5})
        self.assertEqual(self.images(), [(10, 10)])
        self.manager().rollback('001')
        self.assertEqual(self.db.a.find_one({'_id': 15}), {'_id': 15, 'n': -5})
        self.db.a.update_one({'_id': 15}, {'$set': {'n': 15}})
        self.assertEqual(self.state(), self.before)

    def test_a_dry_run_and_a_rehearsal(self) -> None:
        self.write_up(BODY.replace("'of'", "'_id'"))
        manager = self.manager()
        manager.perform('execute', (), {'dry_run': 'yes'})
        self.assertEqual(self.state(), self.before)
        manager.rehearse()
        said = '\n'.join(text for _, text in self.logger.said)
        self.assertIn('its undo brings back all that was', said)
        self.assertEqual(self.state(), self.before)
        self.execute()
        manager.perform('rollback', ('001',), {'dry_run': 'yes'})
        self.assertEqual(self.db.made.count_documents({}), 45)
        self.assert_undone()

    def test_best_effort_keeps_none(self) -> None:
        self.write_up(BODY, head=HEAD.replace('undo = True', "undo = 'best effort'"))
        self.execute()
        self.assertEqual(self.images(), [])
        self.assertEqual(self.db.made.count_documents({}), 45)


#: What a server answers that has committed, and is no primary any more.
LATER = {'code': 91, 'errmsg': 'shutting down'}


class LostTest(PlainTest):
    """Commits that fail, or of which nobody hears."""

    UP = textwrap.dedent(
        """
        import migopy

        undo = True

        def up(db):
            for batch in migopy.batches(db.a, 10):
                for each in batch:
                    db.a.update_one({'_id': each['_id']}, {'$inc': {'n': 1}})
                db.sums.update_one({'_id': 0}, {'$inc': {'n': 10}}, upsert=True)
        """
    )

    def test_no_image_twice(self) -> None:
        self.migration('001_a.py', self.UP)
        with obliging_server() as server, MongoClient(server.uri) as client:
            db: Any = client.shop
            db.a.insert_many({'_id': n, 'n': 0} for n in range(30))
            before = state_of(db)
            it = self.manager(MONGO_URI=soon_heard(server), MONGO_DATABASE='shop')
            again = {'errorLabels': ['TransientTransactionError']}
            images = 'shop.migrations_undo'
            for command, options in (
                ('commitTransaction', {'errorCode': 251, **again}),
                ('commitTransaction', {'closeConnection': True}),
                ('commitTransaction', {'writeConcernError': LATER}),
                ('insert', {'errorCode': 112, **again, 'namespace': images}),
            ):
                with self.subTest(command=command, **options):
                    with failing(client, command, times=2, **options):
                        it.execute()
                    [kept] = db.migrations_undo.find({'runs': {'$exists': True}})
                    self.assertEqual((kept['chunks'], kept['documents']), (6, 33))
                    self.assertEqual(db.a.count_documents({'n': 1}), 30)
                    self.assertEqual(db.sums.find_one(), {'_id': 0, 'n': 30})
                    it.rollback('001')
                    self.assertEqual(state_of(db), before)

    def test_a_batch_that_writes_nothing_when_it_is_given_again(self) -> None:
        up = self.UP.replace('def up', 'given = []\n\ndef up')
        up = up.replace(
            '        for each in',
            '        given.append(1)\n'
            '        if len(given) == 2:\n'
            '            continue\n'
            '        for each in',
        )
        self.migration('001_a.py', up)
        with obliging_server() as server, MongoClient(server.uri) as client:
            db: Any = client.shop
            db.a.insert_many({'_id': n, 'n': 0} for n in range(30))
            before = state_of(db)
            it = self.manager(MONGO_URI=server.uri, MONGO_DATABASE='shop')
            again = ['TransientTransactionError']
            with failing(client, 'commitTransaction', errorCode=251, errorLabels=again):
                it.execute()
            self.assertEqual(db.a.count_documents({'n': 1}), 20)
            it.rollback('001')
            self.assertEqual(state_of(db), before)
