"""What becomes of images: other commands, many databases, damage, few rights."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest import mock

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from migopy.operations.undoing import KeptNoMore, NeverExecuted
from migopy.undo import Conflicts, Damaged
from migopy.undo.set_aside import Asides
from tests import server
from tests.images import state_of
from tests.project import PlainTest

CHANGE = """
    transaction = undo = True

    def up(db):
        db.a.update_many({}, {'$set': {'x': 1}})
"""

PAGES = """
    import migopy

    undo = True

    def up(db):
        migopy.update_each(db.a, lambda each: {'$set': {'y': 1}})
        db.a.create_index('y')
"""

BATCHES = """
    import migopy

    undo = True

    def up(db):
        for batch in migopy.batches(db.a, 2):
            ids = [each['_id'] for each in batch]
            db.a.update_many({'_id': {'$in': ids}}, {'$set': {'y': 2}})
            db.seen.insert_one({'_id': ids[0]})
"""

#: Selects what is known of the images of a migration.
KEPT = {'runs': {'$exists': True}}


class KeptTest(PlainTest):
    """Images outlive what changes a record, and go with what makes them useless."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n} for n in range(5))
        self.before = state_of(self.db)
        self.migration('001_a.py', CHANGE)
        self.it = self.manager()
        self.it.execute()

    def assert_undone(self, name: str = '001') -> None:
        self.manager().rollback(name)
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_a_changed_and_renamed_file(self) -> None:
        file = self.migration('001_a.py', CHANGE + '    # changed\n')
        self.it.accept('001')
        file.rename(file.with_name('001_b.py'))
        self.it.rename('001_a.py', '001_b.py')
        self.assert_undone()

    def test_what_is_said_of_a_renamed_file_has_its_name(self) -> None:
        self.db.a.update_one({}, {'$set': {'x': 'of others'}})
        file = self.folder / 'mongomigrations/001_a.py'
        file.rename(file.with_name('001_b.py'))
        self.it.rename('001_a.py', '001_b.py')
        with self.assertRaises(Conflicts) as caught:
            self.manager().rollback('001')
        self.assertNotIn('001_a', str(caught.exception))
        self.assertIn('rollback,001_b.py,undo=yes', str(caught.exception))

    def test_what_a_cut_off_leaves_of_them_is_deleted_by_the_same_command(self) -> None:
        """Chunks without their set would be found by nothing, and stay for ever."""
        self.cut_off()
        # They are of no use any more, which is seen before anything is done.
        with self.assertRaises(KeptNoMore):
            self.it.rollback('001')
        self.it.undo(forget='001')
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_so_it_is_by_the_next_run_that_keeps_images(self) -> None:
        self.cut_off()
        self.migration('002_b.py', CHANGE)
        self.it.execute()
        [kept] = self.db.migrations_undo.find(KEPT)
        self.assertEqual(kept['name'], '002_b.py')
        chunks = self.db.migrations_undo.find({'_id.images': {'$ne': kept['_id']}})
        self.assertEqual([each['_id'] for each in chunks], [kept['_id']])

    def cut_off(self) -> None:
        """Let the images be forgotten in part."""
        cut_off = mock.patch('migopy.undo.images.of_chunks', side_effect=AutoReconnect)
        with cut_off, self.assertRaises(AutoReconnect):
            self.it.undo(forget='001')

    def test_a_dump_has_them(self) -> None:
        folder = self.folder / 'dumps'
        it = self.manager(MONGO_DUMP_DIRECTORY=str(folder))
        it.dbdump()
        it.undo(forget='001')
        self.db.a.drop()
        [dump] = folder.glob('*Z_*')
        it.dbrestore(dump.name, yes='yes')
        self.assert_undone()

    def test_a_dump_has_what_was_set_aside_and_made(self) -> None:
        self.migration(
            '002_b.py',
            """
            undo = True

            def up(db):
                db.a.drop()
                db.create_collection('c')
            """,
        )
        folder = self.folder / 'dumps'
        it = self.manager(MONGO_DUMP_DIRECTORY=str(folder))
        it.execute('002')
        it.dbdump()
        it.undo(forget='002')
        [dump] = folder.glob('*Z_*')
        it.dbrestore(dump.name, yes='yes')
        # A dump makes all collections anew, so c is another one.
        with self.assertRaisesRegex(Conflicts, 'c was made again since'):
            it.rollback('002')
        it.rollback('002', conflicts='ours')
        self.assert_undone()
        self.assertNotIn('c', self.db.list_collection_names())

    def test_images_that_are_too_old_are_deleted(self) -> None:
        self.migration('002_b.py', CHANGE)
        self.manager(UNDO_DAYS=30).execute('002')
        kept = self.db.migrations_undo.distinct('name')
        self.assertEqual(kept, ['001_a.py', '002_b.py'])
        self.migration('003_b.py', CHANGE)
        self.manager(UNDO_DAYS=1e-9).execute('003')
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_a_rollback_by_down_takes_them_away(self) -> None:
        self.migration('001_a.py', f'{CHANGE}\n    def down(db):\n        pass\n')
        self.it.rollback('001')
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_a_part_that_is_missing_is_seen_before_anything_is_done(self) -> None:
        after = state_of(self.db)
        self.db.migrations_undo.delete_one({'ns': {'$exists': True}})
        with self.assertRaises(Damaged):
            self.it.rollback('001')
        self.assertEqual(state_of(self.db), after)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_part_that_was_changed_is_seen(self) -> None:
        after = state_of(self.db)
        self.db.migrations_undo.update_one(
            {'ns': {'$exists': True}}, {'$set': {'data': b'nothing'}}
        )
        with self.assertRaises(Damaged):
            self.it.rollback('001')
        self.assertEqual(state_of(self.db), after)

    def test_documents_of_others_are_passed_over(self) -> None:
        others = [{'_id': 1}, {'x': 1}, {'_id': {'images': 1}}, {'_id': 'x'}]
        others.append({'_id': ObjectId(), 'runs': ['x'], 'name': 1})
        self.db.migrations_undo.insert_many(others)
        self.it.undo()
        self.it.rollback('001')
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(len(list(self.db.migrations_undo.find())), len(others))

    def test_many_databases_have_their_own(self) -> None:
        names = [f'{self.db.name}_{each}' for each in 'xy']
        for name in names:
            self.addCleanup(self.client.drop_database, name)
            self.client[name].a.insert_one({'_id': name})
        states = [state_of(self.client[name]) for name in names]
        fleet = self.manager(MONGO_DATABASE=None, MONGO_DATABASES=names)
        fleet.perform('execute', [], {'workers': '2'})
        fleet.perform('undo', ['list'], {})
        fleet.perform('rollback', ['001'], {'yes': 'yes', 'all': 'yes'})
        self.assertEqual([state_of(self.client[name]) for name in names], states)

    def test_a_rollback_of_several_goes_on_with_its_options(self) -> None:
        self.migration('002_b.py', CHANGE.replace("'x'", "'y'"))
        self.it.execute()
        self.db.a.update_one({'_id': 1}, {'$set': {'y': 2}})
        options = {'last': '2', 'undo': 'yes', 'conflicts': 'keep', 'yes': 'yes'}
        self.it.perform('rollback', [], options)
        self.assertEqual(self.contents('a'), [{}, {'y': 2}, {}, {}, {}])


class SeveralTest(PlainTest):
    """Migrations of each kind that has images, rolled back together."""

    def setUp(self) -> None:
        super().setUp()
        self.db.a.insert_many({'_id': n} for n in range(5))
        self.before = state_of(self.db)
        self.migration('001_a.py', CHANGE)
        self.it = self.manager()
        self.it.execute()
        self.after_the_first = state_of(self.db)
        self.migration('002_pages.py', PAGES)
        self.migration('003_batches.py', BATCHES)
        self.migration('004_all.py', CHANGE.replace("'x'", "'z'"))

    def test_to_goes_back_newest_first(self) -> None:
        self.it.execute()
        self.assertEqual(self.db.migrations_undo.count_documents(KEPT), 4)
        self.it.rollback(to='001')
        self.assertEqual(state_of(self.db), self.after_the_first)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assertEqual(self.db.migrations_undo.count_documents(KEPT), 1)
        self.it.rollback('001')
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_to_stops_at_a_conflict_and_goes_on_as_it_is_told(self) -> None:
        self.it.execute()
        self.db.a.update_one({'_id': 3}, {'$set': {'y': -1}})
        with self.assertRaises(Conflicts):
            self.it.rollback(to='001')
        self.assertEqual(
            self.registered(), ['001_a.py', '002_pages.py', '003_batches.py']
        )
        self.assertEqual(self.db.a.count_documents({'z': 1}), 0)
        self.assertEqual(self.db.a.count_documents({'y': 2}), 4)
        self.manager().rollback(to='001', undo='yes', conflicts='ours', yes='yes')
        self.assertEqual(state_of(self.db), self.after_the_first)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_of_an_ignored_one_they_are_of_no_use_and_go(self) -> None:
        failing = f'{BATCHES}            if ids[0]: raise OSError\n'
        self.migration('003_batches.py', failing)
        with self.assertRaises(OSError):
            self.it.execute()
        self.assertEqual(self.db.migrations_undo.count_documents(KEPT), 3)
        self.manager().ignore('003')
        self.manager().execute('004')
        after = state_of(self.db)
        with self.assertRaises(NeverExecuted):
            self.manager().rollback('003')
        self.assertEqual(state_of(self.db), after)
        self.manager().rollback('004')
        kept = self.db.migrations_undo.find(KEPT).sort('name')
        self.assertEqual([each['name'] for each in kept], ['001_a.py', '002_pages.py'])
        self.assertEqual(self.db.a.count_documents({'y': 2}), 2)
        self.assertEqual(self.db.seen.count_documents({}), 1)


class AgainTest(PlainTest):
    """Executed again after a way back, of whichever kind."""

    def test_each_way_back_leaves_no_images_that_are_taken_for_new_ones(self) -> None:
        self.db.a.insert_many({'_id': n} for n in range(5))
        before = state_of(self.db)
        self.migration('001_a.py', CHANGE)
        folder = self.folder / 'dumps'
        it = self.manager(MONGO_DUMP_DIRECTORY=str(folder))
        it.dbdump()
        [dump] = folder.glob('*Z_*')
        it.execute()
        # The dump knows nothing of images; those that are there are of no run then.
        it.dbrestore(dump.name, yes='yes')
        self.assertEqual(state_of(self.db), before)
        self.assertEqual(self.registered(), [])
        for _ in range(2):
            it.execute()
            kept = list(self.db.migrations_undo.find({'runs': {'$exists': True}}))
            self.assertEqual(len(kept), 1)
            it.rollback('001')
            self.assertEqual(state_of(self.db), before)
            self.assertEqual(list(self.db.migrations_undo.find()), [])


class RightsTest(PlainTest):
    """A user who may only read and write."""

    def setUp(self) -> None:
        super().setUp()
        stack = ExitStack()
        self.addCleanup(stack.close)
        member = stack.enter_context(server.set_with_auth())
        root: MongoClient[Any] = MongoClient(
            member.uri, username='root', password='root'
        )
        self.shop = stack.enter_context(root).shop
        self.shop.a.insert_many({'_id': n} for n in range(5))
        self.shop.command('createUser', 'bob', pwd='bob', roles=['readWrite'])
        self.it = self.manager(
            MONGO_URI=member.uri.replace('://', '://bob:bob@'),
            MONGO_DATABASE='shop',
            MONGO_AUTH_SOURCE='shop',
        )

    def test_it_is_kept_and_undone(self) -> None:
        self.migration('001_a.py', CHANGE + "        db.b.insert_one({'_id': 1})\n")
        db, it = self.shop, self.it
        rule = {'x': {'$exists': True}}
        db.command('collMod', 'a', validator=rule)
        it.execute()
        after = state_of(db)['a']
        # What was is no valid document, and bob may not pass that by.
        with self.assertRaisesRegex(Exception, 'failed validation'):
            it.rollback('001')
        self.assertEqual(state_of(db)['a'], after)
        db.command('collMod', 'a', validator={})
        it.rollback('001')
        self.assertEqual(list(db.a.find({'x': 1})), [])
        self.assertNotIn('b', db.list_collection_names())

    def test_a_user_who_may_do_anything_passes_a_validator(self) -> None:
        self.migration('001_a.py', CHANGE)
        privilege = {'resource': {'anyResource': True}, 'actions': ['anyAction']}
        admin = self.shop.client.admin
        admin.command('createRole', 'all', privileges=[privilege], roles=[])
        everything = [{'role': 'all', 'db': 'admin'}]
        self.shop.command('grantRolesToUser', 'bob', roles=everything)
        before = state_of(self.shop)['a']
        self.shop.command('collMod', 'a', validator={'x': {'$exists': True}})
        self.it.execute()
        self.it.rollback('001')
        self.assertEqual(state_of(self.shop)['a'], before)

    def test_what_others_write_meanwhile_is_set_aside_too(self) -> None:
        self.migration('001_a.py', 'undo = True\n\ndef up(db):\n    db.a.drop()\n')
        theirs, original = [{'_id': 5}], Asides.rename

        def rename(asides: Asides, source: str, *others: Any, **how: Any) -> None:
            if source.endswith('placeholder') and theirs:
                self.shop.a.insert_one(theirs.pop())
            original(asides, source, *others, **how)

        with mock.patch.object(Asides, 'rename', rename):
            self.it.execute()
        self.it.rollback('001')
        self.assertEqual(self.shop.a.distinct('_id'), [0, 1, 2, 3, 4, 5])
