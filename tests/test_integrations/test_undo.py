"""Undo from images: what a migration in a transaction changed, restored exactly."""

from __future__ import annotations

from tests.images import state_of
from tests.project import FabTest, PlainTest

#: No `down`, and every way to change a document.
EUROS = """
    transaction = True
    undo = True

    def up(db):
        db.prices.update_many({}, {'$set': {'euros': 1}, '$unset': {'kuna': ''}})
        db.prices.delete_one({'_id': 1})
        db.prices.insert_one({'_id': 'new'})
"""


class UndoTest(FabTest):
    """`undo = True` in a file, then `rollback` without a `down`."""

    def setUp(self) -> None:
        super().setUp()
        self.db.prices.insert_many(
            [{'_id': n, 'kuna': n, 'name': f'p{n}'} for n in range(5)]
        )
        self.migration('001_euros.py', EUROS)
        self.before = state_of(self.db)

    def test_a_rollback_without_a_down_restores_every_document(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.assertNotEqual(state_of(self.db), self.before)
        self.assertEqual(len(list(self.db.migrations_undo.find())), 2)
        result = self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertIn(
            '001_euros.py has no down(); restoring 6 documents', result.stderr
        )
        self.assertIn('prices 1 inserted, 4 updated, 1 deleted', result.stderr)
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.contents('migrations_undo'), [])
        run = list(self.db.migrations_history.find())[-1]
        self.assertEqual((run['outcome'], run['unsettled']), ('rolled back', False))

    def test_a_dry_run_drops_only_what_others_have_left_alone(self) -> None:
        self.migration(
            '002_a.py',
            'transaction = undo = True\n\n\n'
            "def up(db):\n    db.b.insert_one({'_id': 1})\n",
        )
        self.assert_ok(self.fab('migrations:execute,002'))
        rollback = 'migrations:rollback,002,dry_run=yes'
        alone = self.assert_ok(self.fab(rollback)).stderr
        self.assertIn('would drop collection b', alone)
        self.db.b.insert_one({'_id': 2})
        written = self.assert_ok(self.fab(rollback)).stderr
        self.assertIn('collection b stays', written)
        self.assertNotIn('dropped', written)
        self.assertNotIn('would drop', written)
        self.assertEqual([each['_id'] for each in self.db.b.find()], [1, 2])

    def test_a_dry_run_shows_it_and_changes_nothing(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        after = state_of(self.db)
        result = self.assert_ok(self.fab('migrations:rollback,001,show=9'))
        self.assertIn('Trying the undo of 001_euros.py', result.stderr)
        self.assertIn('euros: 1 -> (none)', result.stderr)
        self.assertEqual(state_of(self.db), after)
        self.assertEqual(self.registered(), ['001_euros.py'])
        self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertEqual(state_of(self.db), self.before)

    def test_what_others_have_changed_since_stops_it(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.db.prices.update_one({'_id': 2}, {'$set': {'euros': 7}})
        self.db.prices.delete_one({'_id': 3})
        self.db.prices.insert_one({'_id': 1, 'mine': True})
        self.db.prices.update_one({'_id': 'new'}, {'$set': {'mine': 1}})
        self.db.prices.update_one({'_id': 4}, {'$set': {'mine': 2, 'name': 'q'}})
        after = state_of(self.db)
        result = self.fab('migrations:rollback,001')
        self.assertEqual(result.status, 1, result.said)
        for said in (
            'others have changed 4 documents',
            '_id 2 was changed since: euros',
            '_id 3 was deleted since',
            '_id 1 was made again since',
            "_id 'new' was changed since: mine",
            'fab migrations:rollback,001_euros.py,undo=yes,conflicts=keep',
        ):
            self.assertIn(said, result.stderr)
        self.assertNotIn('_id 4', result.stderr)
        self.assertEqual(state_of(self.db), after)
        self.assertEqual(self.registered(), ['001_euros.py'])
        status = self.assert_ok(self.fab('migrations'))
        self.assertNotIn('nfinished', status.said)

    def test_conflicts_are_decided_by_who_types_the_command(self) -> None:
        for wish, expected in (
            (
                'keep',
                [
                    {'_id': 0, 'kuna': 0, 'name': 'p0'},
                    {'_id': 2, 'name': 'p2', 'euros': 7, 'mine': 1},
                    {'_id': 4, 'name': 'q', 'mine': 2, 'kuna': 4},
                ],
            ),
            (
                'theirs',
                [
                    {'_id': 0, 'kuna': 0, 'name': 'p0'},
                    {'_id': 2, 'name': 'p2', 'euros': 7, 'mine': 1, 'kuna': 2},
                    {'_id': 4, 'name': 'q', 'mine': 2, 'kuna': 4},
                ],
            ),
            (
                'ours',
                [
                    {'_id': 0, 'kuna': 0, 'name': 'p0'},
                    {'_id': 2, 'name': 'p2', 'mine': 1, 'kuna': 2},
                    {'_id': 3, 'kuna': 3, 'name': 'p3'},
                    {'_id': 4, 'name': 'q', 'mine': 2, 'kuna': 4},
                ],
            ),
        ):
            with self.subTest(wish):
                self.assert_ok(self.fab('migrations:execute'))
                self.db.prices.update_one({'_id': 2}, {'$set': {'euros': 7, 'mine': 1}})
                self.db.prices.delete_one({'_id': 3})
                self.db.prices.update_one(
                    {'_id': 4}, {'$set': {'mine': 2, 'name': 'q'}}
                )
                self.db.prices.delete_one({'_id': 'new'})
                typed = f'migrations:rollback,001,conflicts={wish}'
                said = self.assert_ok(self.fab(typed)).stderr
                rest = ' and other fields are restored where they can be,'
                self.assertEqual(
                    'What others have changed is left as it is,'
                    f'{rest * (wish == "theirs")} in 2 documents;'
                    ' the images of it are deleted then:\n'
                    f'  {self.db.name}.prices _id 2 was changed since: euros\n'
                    f'  {self.db.name}.prices _id 3 was deleted since\n' in said,
                    wish != 'ours',
                    said,
                )
                found = list(
                    self.db.prices.find({'_id': {'$ne': 1}}, sort=[('_id', 1)])
                )
                self.assertEqual(found, expected)
                self.assertEqual(self.registered(), [])
                self.db.prices.drop()
                self.db.prices.insert_many(
                    [{'_id': n, 'kuna': n, 'name': f'p{n}'} for n in range(5)]
                )

    def test_undo_is_preferred_to_a_down_where_that_is_typed(self) -> None:
        self.migration(
            '001_euros.py', EUROS + '\n    def down(db):\n        raise OSError'
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.fab('migrations:rollback,001').status, 1)
        self.assert_ok(self.fab('migrations:rollback,001,undo=yes'))
        self.assertEqual(state_of(self.db), self.before)

    def test_without_images_it_is_said_what_there_is(self) -> None:
        self.migration('001_euros.py', EUROS.replace('undo = True', ''))
        self.assert_ok(self.fab('migrations:execute'))
        for typed in ('rollback,001', 'rollback,001,undo=yes'):
            result = self.fab(f'migrations:{typed}')
            self.assertEqual(result.status, 1, result.said)
            self.assertEqual(self.registered(), ['001_euros.py'])
        self.assertIn('No images are kept of 001_euros.py', result.stderr)

    def test_images_are_listed_and_forgotten(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        listed = self.assert_ok(self.fab('migrations:undo'))
        self.assertIn('001_euros.py', listed.stdout)
        forgotten = self.assert_ok(self.fab('migrations:undo,forget=001'))
        self.assertIn('No images are kept', forgotten.stdout)
        self.assertEqual(self.contents('migrations_undo'), [])
        self.assertEqual(self.fab('migrations:rollback,001').status, 1)

    def test_a_collection_that_it_made_is_dropped(self) -> None:
        text = (
            EUROS
            + "        db.made.insert_one({'x': 1})\n        db.empty.create_index('y')"
        )
        self.migration('001_euros.py', text)
        self.assert_ok(self.fab('migrations:execute'))
        result = self.assert_ok(self.fab('migrations:rollback,001,dry_run=yes'))
        self.assertIn('dropped', result.stderr)
        result = self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertIn('collection made dropped', result.stderr)
        self.assertNotIn('migrations_lock', result.stderr)
        self.assertEqual(state_of(self.db), self.before)
        self.assertEqual(self.contents('migrations_undo'), [])
        self.assertEqual(self.registered(), [])

    def test_a_collection_that_it_made_stays_with_what_others_wrote(self) -> None:
        text = EUROS + "        db.made.insert_one({'x': 1})"
        self.migration('001_euros.py', text)
        self.assert_ok(self.fab('migrations:execute'))
        self.db.made.insert_one({'mine': 1})
        result = self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertIn('collection made stays', result.stderr)
        self.assertEqual(self.contents('made'), [{'mine': 1}])

    def test_only_so_many_are_kept(self) -> None:
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                '    MONGO_DATABASE', '    UNDO_KEEP = 2\n    MONGO_DATABASE'
            ),
        )
        for number in range(1, 5):
            self.migration(
                f'00{number}_euros.py',
                'transaction = undo = True\ndef up(db):\n'
                f"    db.prices.update_many({{}}, {{'$set': {{'n': {number}}}}})\n",
            )
        self.assert_ok(self.fab('migrations:execute'))
        kept = [
            each['name']
            for each in self.db.migrations_undo.find({'runs': {'$exists': 1}})
        ]
        self.assertEqual(kept, ['003_euros.py', '004_euros.py'])
        self.assert_ok(self.fab('migrations:rollback,last=2,yes=yes'))
        self.assertEqual([d['n'] for d in self.db.prices.find()], [2] * 5)
        self.assertEqual(self.contents('migrations_undo'), [])

    def test_without_a_transaction_nothing_is_written(self) -> None:
        self.migration('001_euros.py', EUROS.replace('transaction = True', ''))
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('or `transaction = True` at the top', result.stderr)
        self.assertEqual(state_of(self.db), self.before)

    def test_a_swap_under_a_unique_index_is_undone(self) -> None:
        self.db.prices.create_index('name', unique=True)
        self.migration(
            '001_euros.py',
            """
            transaction = undo = True

            def up(db):
                db.prices.update_one({'_id': 0}, {'$set': {'name': 'x'}})
                db.prices.update_one({'_id': 1}, {'$set': {'name': 'p0'}})
                db.prices.update_one({'_id': 0}, {'$set': {'name': 'p1'}})
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertEqual(state_of(self.db), self.before)


class ConcernTest(PlainTest):
    """With a write concern of the client's, as the URIs of hosted servers have one."""

    def test_it_is_undone_by_itself_and_in_a_dry_run(self) -> None:
        self.db.prices.insert_many({'_id': n, 'kuna': n} for n in range(5))
        before = state_of(self.db)
        self.migration('001_euros.py', EUROS)
        concern = {'w': 'majority', 'journal': True, 'wtimeoutMS': 20_000}
        self.manager(MONGO_CLIENT_OPTIONS=concern).execute()
        after = state_of(self.db)
        self.assertNotEqual(after, before)
        self.manager(MONGO_CLIENT_OPTIONS=concern).rollback('1', dry_run='yes')
        self.assertEqual(state_of(self.db), after)
        self.manager(MONGO_CLIENT_OPTIONS=concern).rollback('1')
        self.assertEqual(state_of(self.db), before)
        self.assertEqual(self.contents('migrations_undo'), [])
