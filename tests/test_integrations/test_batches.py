"""A loop over `migopy.batches`: what it gives, and where it goes on."""

from __future__ import annotations

import os
import pickle
import textwrap
from typing import Any
from unittest import mock

from bson import ObjectId
from pymongo import MongoClient

import migopy
from migopy.backfill import (
    BatchAborted,
    CaughtInBatch,
    InLoop,
    LeftBatch,
    NotACollection,
    NotInBatch,
    NotOnce,
    OutsideBatch,
)
from migopy.backfill.sizes import RoundTrip
from migopy.signals import Stopped
from tests.faults import failing, obliging_server, soon_heard
from tests.project import PlainTest
from tests.server import DatabaseTest, standalone


class GivenTest(DatabaseTest):
    """What a loop is given outside of a migration."""

    def test_all_documents_are_given_in_order_whatever_the_type_of_their_id(
        self,
    ) -> None:
        ids: list[Any] = [ObjectId(), 'text', 3, 1.5, {'a': 1}, b'bytes', None, True]
        self.db.notes.insert_many([{'_id': each, 'n': 1} for each in ids])
        expected = [each['_id'] for each in self.db.notes.find(sort=[('_id', 1)])]
        for size in (1, 3, 8, 1000):
            with self.subTest(size=size):
                found = list(migopy.batches(self.db.notes, size))
                self.assertEqual(
                    [note['_id'] for batch in found for note in batch], expected
                )
                self.assertLessEqual(max(map(len, found)), size)
        self.assertEqual(list(migopy.batches(self.db.nothing)), [])

    def test_a_filter_and_what_the_loop_changes_of_it(self) -> None:
        self.db.notes.insert_many([{'_id': n, 'odd': n % 2} for n in range(10)])
        for batch in migopy.batches(self.db.notes, 2, filter={'odd': 1}):
            ids = [note['_id'] for note in batch]
            self.db.notes.update_many({'_id': {'$in': ids}}, {'$set': {'odd': 0}})
        self.assertEqual(self.db.notes.count_documents({'odd': 0}), 10)

    def test_what_cannot_be_gone_through_is_refused_at_once(self) -> None:
        self.db.notes.insert_one({})
        self.db.command('create', 'recent', viewOn='notes', pipeline=[])
        cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
            (TypeError, r'batches\(db.notes, filter=', {'collection': 'cursor'}),
            (ValueError, 'size', {'size': 0}),
            (ValueError, 'size', {'size': '5'}),
            (ValueError, 'size', {'size': True}),
            (ValueError, 'pace', {'pace': 'slow'}),
            (ValueError, 'transaction', {'transaction': 'no'}),
            (ValueError, 'transaction', {'transaction': None}),
            (NotACollection, 'Give migopy.batches the coll', {'collection': 'view'}),
            (NotOnce, 'transaction=True cannot be kept', {'transaction': True}),
        ]
        given = {'cursor': self.db.notes.find(), 'view': self.db.recent}
        for kind, text, options in cases:
            with self.subTest(text), self.assertRaisesRegex(kind, text):
                which = given.get(str(options.pop('collection', '')), self.db.notes)
                migopy.batches(which, **options)

    def test_a_loop_in_a_loop_is_refused_and_one_that_was_left_is_over(self) -> None:
        self.db.notes.insert_many([{}, {}])
        inner = migopy.batches(self.db.notes)
        for _ in migopy.batches(self.db.notes, 1):
            with self.assertRaisesRegex(InLoop, 'migopy.batches cannot begin'):
                migopy.batches(self.db.notes)
            with self.assertRaisesRegex(InLoop, 'migopy.batches cannot begin'):
                next(inner)
            with self.assertRaisesRegex(InLoop, 'update_each cannot begin'):
                migopy.update_each(self.db.notes, lambda note: None)
            break
        self.assertEqual(len(list(migopy.batches(self.db.notes, 1))), 2)

    def test_either_is_refused_in_the_function_of_an_update_each(self) -> None:
        self.db.notes.insert_many([{}, {}])
        refused = []

        def within(note: Any) -> None:
            for begin in (migopy.batches, lambda notes: migopy.update_each(notes, int)):
                with self.assertRaisesRegex(InLoop, 'as an update_each has') as caught:
                    begin(self.db.notes)
                refused.append(caught.exception.what)

        self.assertEqual(migopy.update_each(self.db.notes, within).left, 2)
        self.assertEqual(refused, ['migopy.batches', 'update_each'] * 2)
        self.assertEqual(len(list(migopy.batches(self.db.notes, 1))), 2)


class MigrationTest(PlainTest):
    """A migration that adds up, in a second collection, what ten documents have."""

    UP = """
        import migopy

        def up(db):
            {before}
            for batch in migopy.batches(db.notes, 2{options}):
                {first}
                for note in batch:
                    db.sums.update_one(
                        {{'_id': note['_id'] % 2}}, {{'$inc': {{'n': 1}}}}, upsert=True)
                    key = {{'_id': note['_id']}}
                    db.notes.update_one(key, {{'$inc': {{'calls': 1}}}})
                {last}
            {after}
        """
    ONCE = ', transaction=True'

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(10)])

    def write_up(
        self,
        options: str = '',
        first: str = 'pass',
        last: str = 'pass',
        before: str = 'pass',
        after: str = 'pass',
        head: str = '',
    ) -> None:
        text = textwrap.dedent(self.UP).format(
            options=options, first=first, last=last, before=before, after=after
        )
        self.migration('1_a.py', f'{head}\n{text}')

    def execute(self, **settings: Any) -> None:
        self.manager(**settings).perform('execute', ('1_a.py',), {})

    def dry_run(self) -> None:
        self.manager().perform('execute', ('1_a.py',), {'dry_run': 'yes'})

    def calls(self, db: Any = None) -> list[int]:
        found = (self.db if db is None else db).notes.find(sort=[('_id', 1)])
        return [note.get('calls', 0) for note in found]

    def sums(self, db: Any = None) -> int:
        found = (self.db if db is None else db).sums.find()
        return sum(each['n'] for each in found)

    def said(self, part: str) -> bool:
        return any(part in message for _, message in self.logger.said)

    def test_what_was_done_is_not_given_again_after_an_error(self) -> None:
        for options in ('', self.ONCE):
            with self.subTest(options):
                self.db.sums.drop()
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.write_up(options, first="1 / (batch[0]['_id'] - 6)")
                with self.assertRaises(ZeroDivisionError):
                    self.execute()
                self.assertEqual(self.calls(), [1] * 6 + [0] * 4)
                self.write_up(options)
                self.execute()
                self.assertTrue(self.said('notes: goes on after _id 5, 6 documents'))
                self.assertEqual(self.calls(), [1] * 10)
                self.assertEqual(self.sums(), 10)

    def test_what_a_batch_had_written_is_taken_back_in_a_transaction(self) -> None:
        for how in ("1 / (batch[0]['_id'] - 6)", "if batch[0]['_id'] == 6: break"):
            with self.subTest(how):
                self.db.sums.drop()
                self.db.migrations_history.delete_many({})
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.write_up(self.ONCE, last=how, after='1 / 0')
                with self.assertRaises(ZeroDivisionError):
                    self.execute()
                self.assertEqual(self.calls(), [1] * 6 + [0] * 4)
                self.write_up(self.ONCE)
                self.execute()
                self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))
                self.db.migrations.delete_many({})

    def test_a_batch_that_is_left_with_changes_is_not_passed_over(self) -> None:
        loops = {
            'for batch in batches: (change(batch), 1 / 0 if len(seen) == 2 else 0)': 2,
            'for batch in islice(batches, 2): change(batch)': 2,
            'change(next(batches))': 0,
            'for batch in batches: (look(batch), 1 / 0 if len(seen) == 2 else 0)': None,
            'for batch in islice(batches, 2): look(batch)': None,
        }
        text = """
            from contextlib import suppress
            from itertools import islice
            import migopy

            seen = []

            def up(db):
                def change(batch):
                    seen.append(batch)
                    keys = {{'_id': {{'$in': [each['_id'] for each in batch]}}}}
                    db.notes.update_many(keys, {{'$inc': {{'calls': 1}}}})

                def look(batch):
                    seen.append(batch)
                    db.notes.update_many({{'_id': None}}, {{'$inc': {{'calls': 1}}}})

                batches = migopy.batches(db.notes, 2, transaction=True)
                with suppress(ZeroDivisionError):
                    {loop}
            """
        for loop, done in loops.items():
            with self.subTest(loop):
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.migration('1_a.py', textwrap.dedent(text).format(loop=loop))
                if done is None:
                    self.dry_run()
                    self.execute()
                    continue
                would = 'Executed, it would fail, and nothing of that batch would be'
                with self.assertRaisesRegex(LeftBatch, would):
                    self.dry_run()
                self.assertEqual(self.calls(), [0] * 10)
                told = 'is kept, and it was the first one'
                if done:
                    told = f'the {done} documents before it are done'
                with self.assertRaisesRegex(LeftBatch, told) as caught:
                    self.execute()
                self.assertEqual(self.calls(), [1] * done + [0] * (10 - done))
                self.assertEqual(self.registered(), [])
                copied = pickle.loads(pickle.dumps(caught.exception))
                self.assertEqual(str(copied), str(caught.exception))
                self.write_up(self.ONCE)
                self.execute()
                self.assertEqual(self.calls(), [1] * 10)

    def test_one_that_the_same_loop_has_gone_through_since_is_not_lost(self) -> None:
        loops = {
            # It is the same loop that is repeated, to its end.
            """
                for attempt in range(3):
                    with suppress(ZeroDivisionError):
                        loop('a', {}, 6 if attempt < 2 else None)
            """: [3, 3, 3, 1, 1],
            # The second one is of other documents, or another one.
            """
                with suppress(ZeroDivisionError):
                    loop('a', {'_id': {'$gte': 4}}, 6)
                loop('a', {'_id': {'$gte': 6}}, None)
            """: None,
            """
                with suppress(ZeroDivisionError):
                    loop('a', {}, 6)
                loop('a', {}, None)
            """: None,
            # Or it is left as well.
            """
                for attempt in range(2):
                    with suppress(ZeroDivisionError):
                        loop('a', {}, 6)
            """: None,
        }
        text = """
            from contextlib import suppress
            import migopy

            def up(db):
                def loop(field, query, bad):
                    for batch in migopy.batches(
                        db.notes, 2, filter=query, transaction=True
                    ):
                        keys = {'_id': {'$in': [each['_id'] for each in batch]}}
                        db.notes.update_many(keys, {'$inc': {field: 1}})
                        1 / (0 if batch[0]['_id'] == bad else 1)
            """
        for loop, expected in loops.items():
            with self.subTest(loop):
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.db.notes.update_many({}, {'$unset': {'a': 1}})
                self.migration(
                    '1_a.py',
                    textwrap.dedent(text)
                    + textwrap.indent(textwrap.dedent(loop), ' ' * 4),
                )
                if expected is None:
                    for run in (self.dry_run, self.execute):
                        with self.assertRaises(LeftBatch):
                            run()
                    continue
                self.dry_run()
                self.execute()
                found = [each['a'] for each in self.db.notes.find()]
                self.assertEqual(found[::2], expected)

    def test_without_one_the_batch_that_was_left_is_given_again(self) -> None:
        self.write_up(last="if batch[0]['_id'] == 6: break", after='1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.execute()
        self.write_up()
        self.execute()
        self.assertEqual(self.calls(), [1] * 6 + [2] * 2 + [1] * 2)

    def test_a_pace_counts_what_the_writes_take_and_not_what_the_body_does(
        self,
    ) -> None:
        self.db.notes.insert_many([{'_id': n} for n in range(10, 400)])
        slow = "{'_id': 0, '$where': 'sleep(50) || true'}, {'$inc': {'n': 1}}"
        cases = (
            # As a call of another service takes, however small the batch is.
            ('time.sleep(0.6)', 0.5, [100] * 4),
            (f'db.notes.update_one({slow})', 0.02, [100, 50, 25, 12, *[10] * 21, 3]),
        )
        # A busy machine is late with each answer, which may be the line's part of it.
        near = mock.patch.object(
            RoundTrip, 'seconds', new_callable=mock.PropertyMock, return_value=0.0
        )
        for body, target, expected in cases:
            for options in ('', self.ONCE):
                with self.subTest(body, options=options):
                    self.db.migrations.delete_many({})
                    sizes = self.folder / 'sizes'
                    sizes.write_text('')
                    self.migration(
                        '1_a.py',
                        f"""
                        import time
                        import migopy

                        def up(db):
                            pace = migopy.Pace(target={target})
                            for batch in migopy.batches(
                                db.notes, 100, pace=pace{options}
                            ):
                                with open({str(sizes)!r}, 'a') as file:
                                    print(len(batch), file=file)
                                {body}
                        """,
                    )
                    with near:
                        self.execute()
                    found = [int(each) for each in sizes.read_text().split()]
                    self.assertEqual(found, expected)

    def test_a_loop_that_is_held_is_over_where_the_migration_ends(self) -> None:
        self.migration(
            '1_a.py',
            """
            import migopy

            def up(db):
                loop = migopy.batches(db.notes, 2, transaction=True)
                held.append(loop)
                db.sums.insert_one({'_id': 'a', 'n': 1})
                next(loop)
                db.notes.update_one({'_id': 0}, {'$inc': {'calls': 1}})
                next(loop)
                db.notes.update_one({'_id': 2}, {'$inc': {'calls': 1}})

            held = []
            """,
        )
        with self.assertRaises(LeftBatch):
            self.execute()
        self.assertEqual(self.calls(), [1, 0, 0, *[0] * 7])
        self.assertEqual(self.registered(), [])

    def test_two_loops_and_an_update_each_are_kept_apart(self) -> None:
        for options in ('', ', transaction=True'):
            with self.subTest(options):
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.db.notes.update_many({}, {'$unset': dict.fromkeys('abc', 1)})
                text = f"""
                    import migopy

                    def up(db):
                        for batch in migopy.batches(db.notes, 3{options}):
                            add(db, batch, 'a')
                        migopy.update_each(db.notes, change, batch_size=2)
                        for batch in migopy.batches(db.notes, 3{options}):
                            FAIL
                            add(db, batch, 'c')

                    def change(note):
                        return {{'$inc': {{'b': 1}}}}

                    def add(db, batch, field):
                        ids = [note['_id'] for note in batch]
                        query = {{'_id': {{'$in': ids}}}}
                        db.notes.update_many(query, {{'$inc': {{field: 1}}}})
                    """
                fail = "1 / (batch[0]['_id'] - 6)"
                self.migration('1_a.py', text.replace('FAIL', fail))
                with self.assertRaises(ZeroDivisionError):
                    self.execute()
                self.migration('1_a.py', text.replace('FAIL', 'pass'))
                self.execute()
                found = self.db.notes.find()
                counts = [(each['a'], each['b'], each['c']) for each in found]
                # The third call is of a collection that nothing was written to before.
                self.assertEqual(counts, [(1, 1, 1)] * 10)

    def test_it_begins_anew_where_what_it_had_written_was_cleaned_up(self) -> None:
        before = 'db.sums.delete_many({})'
        self.write_up(first="1 / (batch[0]['_id'] - 6)", before=before)
        with self.assertRaises(ZeroDivisionError):
            self.execute()
        self.assertEqual(self.sums(), 6)
        self.write_up(before=before)
        self.execute()
        self.assertEqual(self.sums(), 10)

    def test_in_the_transaction_of_the_migration_it_is_all_or_nothing(self) -> None:
        for options in ('', self.ONCE):
            with self.subTest(options):
                self.db.migrations.delete_many({})
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                head = 'transaction = True'
                fail = "1 / (batch[0]['_id'] - 6)"
                self.write_up(options, first=fail, head=head)
                with self.assertRaises(ZeroDivisionError):
                    self.execute()
                self.assertEqual(self.calls(), [0] * 10)
                self.write_up(options, head=head)
                self.execute()
                self.assertEqual(self.calls(), [1] * 10)

    def test_a_dry_run_tells_all_and_changes_nothing(self) -> None:
        for options in ('', self.ONCE):
            with self.subTest(options):
                self.write_up(options)
                self.manager().perform('execute', (), {'dry_run': 'yes'})
                self.assertTrue(self.said('notes 10 updated'))
                self.assertEqual(self.calls(), [0] * 10)
                self.assertEqual(self.db.migrations_history.count_documents({}), 0)

    def test_with_images_in_the_transaction_of_the_migration(self) -> None:
        self.write_up(self.ONCE, head='undo = transaction = True')
        self.execute()
        self.manager().perform('rollback', ('1_a.py',), {})
        self.assertEqual((self.calls(), self.sums()), ([0] * 10, 0))

    def test_a_write_past_the_transaction_is_refused_before_it_is_sent(self) -> None:
        session = 'session=db.client.start_session()'
        self.write_up(self.ONCE, first=f'db.other.insert_one({{}}, {session})')
        with self.assertRaisesRegex(OutsideBatch, r'insert on \S+other, which was re'):
            self.execute()
        self.assertEqual((self.calls(), self.sums()), ([0] * 10, 0))
        self.assertEqual(self.db.other.count_documents({}), 0)

    def test_one_of_a_thread_that_may_be_the_application_s_is_told(self) -> None:
        thread = 'threading.Thread(target=db.other.insert_one, args=({},))'
        first = f'thread = {thread}; thread.start(); thread.join()'
        self.write_up(self.ONCE, first=first, head='import threading')
        # Where its starter is known, the write is refused before it is sent.
        ended = 'of the batch: other 1 inserted|which was refused, from another thread'
        with self.assertRaisesRegex(OutsideBatch, ended):
            self.execute()
        self.assertEqual((self.calls(), self.sums()), ([0] * 10, 0))

    def test_an_error_that_is_caught_does_not_pass_for_done(self) -> None:
        swallow = """
            def swallow(db):
                try:
                    db.notes.insert_one({'_id': 0})
                except Exception:
                    pass
            """
        last = "swallow(db) if batch[0]['_id'] == 4 else None"
        self.write_up(self.ONCE, last=last, head=textwrap.dedent(swallow))
        with self.assertRaises(CaughtInBatch) as caught:
            self.execute()
        said = str(caught.exception)
        self.assertRegex(
            said, r'that of a batch: insert on \S+notes in 1_a.py, .*E11000'
        )
        self.assertIn('the 4 documents before it are done', said)
        self.assertEqual(str(pickle.loads(pickle.dumps(caught.exception))), said)
        self.assertEqual(self.calls(), [1] * 4 + [0] * 6)
        self.write_up(self.ONCE)
        self.execute()
        self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))

    def test_what_no_transaction_can_do_is_refused_with_what_to_do(self) -> None:
        self.db.other.insert_one({})
        cases = (
            "db.notes.create_index('n')",
            "db.other.create_index('n')",
            'db.other.drop()',
            "db.other.rename('others')",
            'db.other.drop_indexes()',
            "db.command('collMod', 'other', validator={})",
            "list(db.other.aggregate([{'$out': 'others'}]))",
        )
        for each in cases:
            with self.subTest(each):
                self.write_up(self.ONCE, last=each)
                with self.assertRaises(NotInBatch) as caught:
                    self.execute()
                said = str(caught.exception)
                self.assertRegex(
                    said, r'notes: in the loop .*, and the server does not'
                )
                self.assertIn('Write that after the loop', said)
                self.assertIn('is kept, and it was the first one', said)
                copy = pickle.loads(pickle.dumps(caught.exception))
                self.assertEqual(str(copy), said)
                self.assertEqual(self.calls(), [0] * 10)
        self.write_up(self.ONCE)
        self.execute()
        self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))

    def test_so_it_does_where_the_body_catches_that_error(self) -> None:
        """The batch would be kept, and the index would stay."""
        self.db.notes.create_index('text')
        swallow = """
            def swallow(db):
                try:
                    db.notes.drop_index('text_1')
                except Exception:
                    pass
            """
        self.write_up(self.ONCE, last='swallow(db)', head=textwrap.dedent(swallow))
        with self.assertRaises(NotInBatch) as caught:
            self.execute()
        self.assertIn('dropIndexes on ', str(caught.exception))
        self.assertIn('1_a.py, line ', str(caught.exception))
        self.assertEqual(self.calls(), [0] * 10)

    def test_what_others_write_meanwhile_fails_it_and_it_goes_on_there(self) -> None:
        self.write_up(self.ONCE, first=self.meanwhile, head=self.another_writes())
        with self.assertRaises(BatchAborted) as caught:
            self.execute()
        self.assertRegex(
            str(caught.exception),
            r'notes: the server aborted the transaction of a batch \(.*[Ww]rite ?'
            r'[Cc]onflict.*the 4 documents before it are done, and its up goes on',
        )
        self.assertEqual((self.calls(), self.sums()), ([1] * 4 + [0] * 6, 4))
        self.write_up(self.ONCE)
        self.execute()
        self.assertTrue(self.said('goes on after _id 3, 4 documents are done'))
        self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))

    #: Another process writes a document of the batch that is at hand.
    meanwhile = "another_writes() if batch[0]['_id'] == 4 else None"

    def another_writes(self, only_once: bool = False) -> str:
        """Give the head of a file with a function that has another process write."""
        program = (
            f'import pymongo; db = pymongo.MongoClient({self.uri!r})[{self.db.name!r}];'
            " db.notes.update_one({'_id': 4}, {'$inc': {'x': 1}})"
        )
        return textwrap.dedent(f"""
            import os, pymongo, subprocess, sys

            def another_writes():
                if not ({only_once} and os.environ.pop('migopy_wrote', None)):
                    os.environ['migopy_wrote'] = 'yes'
                    subprocess.run([sys.executable, '-c', {program!r}], check=True)

            def is_passing(error):
                return error.has_error_label('TransientTransactionError')
            """)

    def test_who_lets_go_of_the_error_is_given_the_batch_again(self) -> None:
        up = """
            import migopy

            def up(db):
                for batch in migopy.batches(db.notes, 2, transaction=True):
                    try:
                        write(db, batch)
                    except pymongo.errors.PyMongoError as error:
                        if not is_passing(error):
                            raise

            def write(db, batch):
                {meanwhile}
                ids = [note['_id'] for note in batch]
                db.sums.insert_one({{'n': len(ids)}})
                mine = {{'_id': {{'$in': ids}}}}
                db.notes.update_many(mine, {{'$inc': {{'calls': 1}}}})
            """
        up = textwrap.dedent(up).format(meanwhile=self.meanwhile)
        self.addCleanup(os.environ.pop, 'migopy_wrote', None)
        self.migration('1_a.py', f'{self.another_writes(only_once=True)}\n{up}')
        self.execute()
        self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))
        self.db.migrations.delete_many({})
        self.migration('1_a.py', f'{self.another_writes()}\n{up}')
        with self.assertRaisesRegex(NotOnce, 'the server aborted a page 5 times'):
            self.execute()
        self.assertEqual((self.calls(), self.sums()), ([2] * 4 + [1] * 6, 14))

    def test_a_commit_whose_reply_is_lost_is_made_once(self) -> None:
        cases: list[dict[str, Any]] = [
            {'closeConnection': True},
            {'writeConcernError': {'code': 91, 'errmsg': 'shutting down'}},
            {'errorCode': 251, 'errorLabels': ['TransientTransactionError']},
        ]
        self.write_up(self.ONCE)
        with obliging_server() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            for how in cases:
                with self.subTest(how):
                    client.drop_database(db.name)
                    db.notes.insert_many([{'_id': n} for n in range(10)])
                    with failing(client, 'commitTransaction', times=3, **how):
                        self.execute(MONGO_URI=soon_heard(server))
                    self.assertEqual((self.calls(db), self.sums(db)), ([1] * 10, 10))

    def test_without_a_replica_set_a_transaction_is_refused(self) -> None:
        with standalone() as server, MongoClient(server.uri) as client:
            db = client[self.db.name]
            db.notes.insert_many([{'_id': n} for n in range(10)])
            self.write_up(self.ONCE)
            with self.assertRaisesRegex(NotOnce, 'the server is no replica set'):
                self.execute(MONGO_URI=server.uri)
            self.assertEqual(self.calls(db), [0] * 10)
            self.write_up()
            self.execute(MONGO_URI=server.uri)
            self.assertEqual(self.calls(db), [1] * 10)

    def test_it_is_stopped_between_two_batches(self) -> None:
        for options in ('', self.ONCE):
            with self.subTest(options):
                self.db.migrations.delete_many({})
                self.db.migrations_history.delete_many({})
                self.db.sums.drop()
                self.db.notes.update_many({}, {'$unset': {'calls': 1}})
                self.write_up(options, last="migopy.seen(batch[0]['_id'])")
                helms: list[Any] = []

                def seen(key: int, helms: list[Any] = helms) -> None:
                    from migopy.terminal import HELM

                    helms.append(HELM.get())
                    if key == 4:
                        helms[-1].hear({'number': 1, 'stop': True, 'by': 'ann'})

                patched = mock.patch('migopy.seen', seen, create=True)
                with patched, self.assertRaises(Stopped):
                    self.execute()
                self.assertEqual(self.calls(), [1] * 6 + [0] * 4)
                self.write_up(options)
                self.execute()
                self.assertEqual((self.calls(), self.sums()), ([1] * 10, 10))
