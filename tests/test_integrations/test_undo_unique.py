"""Unique values that others have taken since, seen before anything is restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from unittest import mock

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, Regex, Timestamp

from migopy.commands import Command
from migopy.undo import Conflicts, InTheWay, Undo
from tests.images import CHUNK_BY_CHUNK, state_of
from tests.project import PlainTest

HEAD = 'transaction = undo = True\n\ndef up(db):\n'


def in_several(test: PlainTest) -> None:
    """Let an undo take a transaction for each two documents."""
    for name, value in CHUNK_BY_CHUNK.items():
        patch = mock.patch(f'migopy.undo.{name}', value)
        patch.start()
        test.addCleanup(patch.stop)


class UniqueTest(PlainTest):
    """The undo of a migration that let unique values go."""

    def setUp(self) -> None:
        super().setUp()
        self.before: Any = None

    def execute(self, *lines: str, head: str = HEAD) -> Any:
        """Execute a migration of these lines; give the manager."""
        self.before = state_of(self.db)
        self.migration('001_a.py', head + ''.join(f'    {each}\n' for each in lines))
        manager = self.manager()
        manager.execute()
        return manager

    def fresh(self) -> None:
        """Begin with an empty database."""
        self.client.drop_database(self.db.name)

    def refused(self, manager: Any, **typed: str) -> Conflicts:
        """Roll back in vain, with nothing changed; give the error."""
        after = state_of(self.db)
        kept = list(self.db.migrations_undo.find({}, {'session': 0, 'undo': 0}))
        with self.assertRaises(Conflicts) as caught:
            manager.rollback('001', **typed)
        self.assertEqual(state_of(self.db), after)
        self.assertEqual(
            list(self.db.migrations_undo.find({}, {'session': 0, 'undo': 0})), kept
        )
        self.assertEqual(self.registered(), ['001_a.py'])
        return caught.exception


class TakenTest(UniqueTest):
    """Nothing is restored unless somebody has decided."""

    def test_it_is_named_before_anything_is_restored(self) -> None:
        self.fresh()
        self.db.a.insert_many({'_id': n, 'mail': f'{n}'} for n in range(9))
        self.db.a.create_index('mail', unique=True)
        manager = self.execute(
            "db.a.update_many({'_id': {'$lt': 4}}, [{'$set': {'mail': '$_id'}}])",
            "db.a.delete_one({'_id': 7})",
        )
        self.db.a.insert_one({'_id': 'other', 'mail': '2'})
        self.db.a.update_one({'_id': 8}, {'$set': {'mail': '7'}})
        name = f'{self.db.name}.a'
        for typed in ({}, {'dry_run': 'yes'}, {'conflicts': 'ours'}):
            with self.subTest(typed):
                error = self.refused(manager, **typed)
                said = (
                    'Since then others have taken a unique value of 2 documents'
                    ' that 001_a.py changed:'
                )
                self.assertIn(said, str(error))
                for id, holder in (('2', "'other'"), ('7', '8')):
                    said = (
                        f'{name} _id {id} has lost its value in the unique index'
                        f' mail_1 to _id {holder}\n'
                    )
                    self.assertIn(said, str(error))
                self.assertIn('\nNothing was restored.', str(error))
                keep = {**typed, 'undo': 'yes', 'conflicts': 'keep'}
                self.assertEqual(
                    error.next,
                    [
                        Command('rollback', '001_a.py', **keep),
                        Command('rollback', '001_a.py', undo='yes', **typed),
                    ],
                )
        # What is named there can be done.
        self.db.a.delete_one({'_id': 'other'})
        self.db.a.update_one({'_id': 8}, {'$set': {'mail': '8'}})
        manager.rollback('001', undo='yes', conflicts='ours')
        self.assertEqual(state_of(self.db), self.before)

    def test_they_alone_are_left(self) -> None:
        for wish in ('keep', 'theirs'):
            self.fresh()
            self.db.a.insert_many({'_id': n, 'x': n, 'y': n} for n in range(9))
            self.db.a.create_index('x', unique=True)
            manager = self.execute(
                "db.a.update_many({'_id': {'$ne': 8}}, {'$inc': {'x': 100}})",
                "db.a.delete_one({'_id': 8})",
            )
            self.db.a.insert_one({'_id': 'other', 'x': 3})
            self.db.a.insert_one({'_id': 'one more', 'x': 8})
            manager.rollback('001', conflicts=wish)
            wanted = {n: n for n in range(8)}
            wanted.update({3: 103, 'other': 3, 'one more': 8})
            self.assertEqual(
                {each['_id']: each['x'] for each in self.db.a.find()}, wanted
            )
            self.assertEqual(self.registered(), [])
            self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_with_other_conflicts(self) -> None:
        self.fresh()
        self.db.a.insert_many({'_id': n, 'x': n, 'y': n} for n in range(6))
        self.db.a.create_index('x', unique=True)
        manager = self.execute("db.a.update_many({}, {'$inc': {'x': 100, 'y': 1}})")
        self.db.a.update_one({'_id': 1}, {'$set': {'y': 7}})
        self.db.a.insert_one({'_id': 'other', 'x': 3})
        error = self.refused(manager)
        self.assertIn(
            'others have changed 1 document, and taken a unique value of 1'
            ' document that 001_a.py changed:',
            str(error),
        )
        self.assertEqual([dict(each.options) for each in error.next], [
            {'undo': 'yes', 'conflicts': 'keep'}, {'undo': 'yes'}])  # fmt: skip
        # That others have taken is not theirs who would be restored.
        error = self.refused(manager, conflicts='ours')
        self.assertEqual(error.count, 2)
        manager.rollback('001', conflicts='theirs')
        self.assertEqual(
            {each['_id']: (each['x'], each.get('y')) for each in self.db.a.find()},
            {0: (0, 0), 1: (1, 7), 2: (2, 2), 3: (103, 4), 4: (4, 4), 5: (5, 5)}
            | {'other': (3, None)},
        )

    def test_who_cannot_be_restored_keeps_what_others_had(self) -> None:
        # Each has what the next one had.
        self.fresh()
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(9))
        self.db.a.create_index('x', unique=True)
        manager = self.execute(
            "db.a.update_many({}, {'$inc': {'x': 100}})",
            "db.a.update_many({}, {'$inc': {'x': -101}})",
        )
        self.db.a.insert_one({'_id': 'other', 'x': 8})
        self.assertEqual(self.refused(manager).count, 9)
        self.db.a.update_one({'_id': 'other'}, {'$set': {'x': 99}})
        self.db.a.delete_one({'_id': 5})
        error = self.refused(manager)
        self.assertEqual(error.count, 1)
        self.assertIn('_id 5 was deleted since', str(error))
        self.db.a.insert_one({'_id': 'one more', 'x': 4})
        error = self.refused(manager)
        self.assertIn('_id 4 has lost its value', str(error))
        manager.rollback('001', conflicts='keep')
        wanted = {n: n - 1 if n < 5 else n for n in range(9) if n != 5}
        wanted.update({'other': 99, 'one more': 4})
        self.assertEqual({each['_id']: each['x'] for each in self.db.a.find()}, wanted)

    def test_values_that_were_swapped_are_nobodys(self) -> None:
        self.fresh()
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(9))
        self.db.a.create_index('x', unique=True)
        manager = self.execute(
            'for n in range(9):',
            "    db.a.update_one({'_id': n}, {'$inc': {'x': 100}})",
            'for n in range(8):',
            "    db.a.update_one({'_id': n}, {'$set': {'x': 8 - n}})",
            "db.a.delete_one({'_id': 8})",
            "db.a.insert_one({'_id': 'new', 'x': 0})",
        )
        manager.rollback('001')
        self.assertEqual(state_of(self.db), self.before)


class SeveralTest(TakenTest):
    """All of it again, in several transactions."""

    def setUp(self) -> None:
        super().setUp()
        in_several(self)

    def test_what_is_taken_meanwhile_is_left_when_it_goes_on(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(8))
        self.db.a.create_index('x', unique=True)
        manager = self.execute("db.a.update_many({}, {'$inc': {'x': 100}})")
        begin = Undo._in_chunks

        def begun(undo: Undo) -> None:
            self.db.a.insert_one({'_id': 'other', 'x': 3})
            begin(undo)

        with (
            mock.patch.object(Undo, '_in_chunks', begun),
            self.assertRaisesRegex(InTheWay, 'x_1') as caught,
        ):
            manager.rollback('001')
        again = Command('rollback', '001_a.py', undo='yes')
        self.assertEqual(caught.exception.next, [again])
        # The last ones are restored first.
        restored = self.db.a.count_documents({'x': {'$lt': 100}, '_id': {'$gt': 3}})
        self.assertEqual(restored, 4)
        with self.assertRaisesRegex(Conflicts, 'Nothing more was restored'):
            manager.rollback('001', undo='yes')
        manager.rollback('001', undo='yes', conflicts='keep')
        wanted = {n: n for n in range(8)} | {3: 103, 'other': 3}
        found = {each['_id']: each['x'] for each in self.db.a.find()}
        self.assertEqual(found, wanted)


class KindsTest(UniqueTest):
    """Keys as each kind of index has them."""

    def taken(self, *what: Any, **options: Any) -> None:
        """Have others take what a document had, and see that it is foreseen.

        `what` is as of `prepare`.
        """
        self.fresh()
        self.prepare(*what, **options)
        error = self.refused(self.executed)
        self.assertEqual((error.count, error.conflicts[0].id.decoded()), (1, 0))
        self.executed.rollback('001', conflicts='keep')
        self.assertEqual(self.db.a.count_documents({'_id': {'$type': 'number'}}), 4)

    def free(self, *what: Any, **options: Any) -> None:
        """Have others write what is in nobody's way."""
        self.fresh()
        self.prepare(*what, **options)
        self.executed.rollback('001')
        self.db.a.delete_one({'_id': 'other'})
        self.assertEqual(state_of(self.db), self.before)

    def unforeseen(self, *what: Any, **options: Any) -> None:
        """Have others take what only the server knows of."""
        self.fresh()
        self.prepare(*what, **options)
        with self.assertRaises(InTheWay):
            self.executed.rollback('001')
        self.db.a.delete_one({'_id': 'other'})
        self.executed.rollback('001', undo='yes')
        self.assertEqual(state_of(self.db), self.before)

    def prepare(
        self,
        keys: Any,
        document: Mapping[str, Any],
        other: Mapping[str, Any],
        **options: Any,
    ) -> None:
        """Delete a document, and insert another."""
        rest: Sequence[Any] = [
            {'_id': n, 'x': f'{n}', 'z': {'q': n}} for n in range(1, 5)
        ]
        self.db.a.insert_many([{'_id': 0, **document}, *rest])
        self.db.a.create_index(keys, unique=True, **options)
        self.executed = self.execute(
            "db.a.delete_one({'_id': 0})",
            "db.a.update_many({}, {'$set': {'new': 1}})",
        )
        self.db.a.insert_one({'_id': 'other', **other})

    def test_plain_ones(self) -> None:
        for value, same in (
            ('text', 'text'),
            (1, 1.0),
            (Int64(2**60), float(2**60)),
            (Decimal128('1.50'), 1.5),
            (Decimal128('NaN'), float('nan')),
            (-0.0, 0),
            (float('inf'), Decimal128('Infinity')),
            ({'a': 1, 'b': [2]}, {'a': 1.0, 'b': [Int64(2)]}),
            (Regex('^a', 'i'), Regex('^a', 'i')),
            ({'$ref': 'a', '$id': 1}, {'$ref': 'a', '$id': 1}),
            (None, None),
            (b'x', b'x'),
            (Binary(b'x', 128), Binary(b'x', 128)),
            (True, True),
            (MinKey(), MinKey()),
            (MaxKey(), MaxKey()),
            (Timestamp(5, 1), Timestamp(5, 1)),
            (datetime(2020, 1, 1), datetime(2020, 1, 1)),
            (Code('x'), Code('x')),
            (Code('x', {'y': 1}), Code('x', {'y': 1})),
            ({}, {}),
            ('', ''),
            ('é\0x', 'é\0x'),
        ):
            with self.subTest(value):
                self.taken('x', {'x': value}, {'x': same})

    def test_what_is_not_the_same(self) -> None:
        for value, other in (
            (1, True),
            ('1x', '1X'),
            ({'a': 1, 'b': 2}, {'b': 2, 'a': 1}),
            (0.1, Decimal128('0.1')),
            (Regex('^a'), 'a'),
            (b'x', Binary(b'x', 128)),
            (datetime(1970, 1, 1), 0),
            (None, MinKey()),
            ({'$in': ['a']}, 'a'),
        ):
            with self.subTest(value):
                self.free('x', {'x': value}, {'x': other})

    def test_fields_that_are_not_there(self) -> None:
        for index in ('z', 'z.z', [('z', 1), ('w', -1)]):
            for document, other in (({}, {}), ({'z': None}, {}), ({}, {'z': None})):
                self.fresh()
                self.db.a.insert_one({'_id': 0, **document})
                self.db.a.create_index(index, unique=True)
                manager = self.execute("db.a.delete_one({'_id': 0})")
                self.db.a.insert_one({'_id': 'other', **other})
                self.assertEqual(self.refused(manager).count, 1)

    def test_sparse_ones(self) -> None:
        self.free('z', {}, {}, sparse=True)
        self.taken('z', {'z': 1}, {'z': 1.0}, sparse=True)
        self.unforeseen('z', {'z': None}, {'z': None}, sparse=True)
        both = [('z', 1), ('w', 1)]
        self.taken(both, {'z': 1, 'w': 1}, {'z': 1, 'w': 1}, sparse=True)
        self.free(both, {'z': 1, 'w': 1}, {'z': 1}, sparse=True)

    def test_compound_ones_and_paths(self) -> None:
        both = [('x', 1), ('z.q.r', -1)]
        document = {'x': 1, 'z': {'q': {'r': 'r'}, 'other': 1}}
        self.taken(both, document, {'x': 1.0, 'z': {'q': {'r': 'r'}}})
        self.free(both, document, {'x': 1.0, 'z': {'q': {'r': 's'}}})
        self.taken(both, {'x': 1, 'z': 5}, {'x': 1})
        self.taken(both, {'x': 1, 'z': {'q': None}}, {'x': 1, 'z': {}})

    def test_one_that_expires(self) -> None:
        self.taken('x', {'x': 'text'}, {'x': 'text'}, expireAfterSeconds=3600)

    def test_a_clustered_collection(self) -> None:
        self.needs_version(5, 3)
        clustered = {'key': {'_id': 1}, 'unique': True}
        self.fresh()
        self.db.create_collection('a', clusteredIndex=clustered)
        self.prepare('x', {'x': 0}, {'x': 0.0})
        self.assertEqual(self.refused(self.executed).count, 1)

    def test_a_collation_of_the_collection_alone(self) -> None:
        german = {'locale': 'de', 'strength': 1}
        self.fresh()
        self.db.create_collection('a', collation=german)
        simple = {'locale': 'simple'}
        self.prepare('x', {'x': 'A'}, {'x': 'a'}, collation=simple)
        self.executed.rollback('001')
        self.db.a.delete_one({'_id': 'other'})
        self.assertEqual(state_of(self.db), self.before)

    def test_what_only_the_server_knows_of(self) -> None:
        german = {'locale': 'de', 'strength': 1}
        self.unforeseen('x', {'x': 'A'}, {'x': 'a'}, collation=german)
        self.unforeseen('x', {'x': 'A'}, {'x': 'A'}, hidden=True)
        self.unforeseen('x', {'x': ['A', 'B']}, {'x': 'A'})
        self.unforeseen('x', {'x': 'A'}, {'x': ['A', 'B']})
        self.unforeseen('z.q', {'z': [{'q': 9}]}, {'z': {'q': 9}})
        only = {'x': {'$type': 'string'}}
        self.unforeseen('x', {'x': 'A'}, {'x': 'A'}, partialFilterExpression=only)


class KindsInSeveralTest(KindsTest):
    """All of it again, in several transactions."""

    def setUp(self) -> None:
        super().setUp()
        in_several(self)


PAGES = 'import migopy\n\nundo = True\n\ndef up(db):\n'


class DefinedTest(UniqueTest):
    """Where the migration has changed definitions, and documents several times."""

    def test_an_index_that_was_made_anew(self) -> None:
        # As in the docs: the index that is there tells what the other one will meet.
        self.db.a.insert_many({'_id': n, 'mail': f'{n}@X'} for n in range(9))
        self.db.a.create_index('mail', unique=True)
        manager = self.execute(
            "if 'mail_1' in db.a.index_information():",
            "    db.a.drop_index('mail_1')",
            "change = lambda each: {'$set': {'mail': each['mail'].lower()}}",
            'migopy.update_each(db.a, change)',
            "db.a.create_index('mail', unique=True, name='mail_unique')",
            head=PAGES,
        )
        self.db.a.insert_one({'_id': 'other', 'mail': '4@X'})
        for typed in ({}, {'dry_run': 'yes'}, {'conflicts': 'ours'}):
            error = self.refused(manager, **typed)
            self.assertIn(
                "_id 4 has lost its value in the unique index mail_1 to _id 'other'",
                str(error),
            )
        manager.rollback('001', conflicts='keep', dry_run='yes')
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('a: 8 documents would be restored', said)
        manager.rollback('001', conflicts='keep')
        self.assertEqual(list(self.db.a.index_information()), ['_id_', 'mail_1'])
        wanted = {n: f'{n}@X' for n in range(9)} | {4: '4@x', 'other': '4@X'}
        self.assertEqual(
            {each['_id']: each['mail'] for each in self.db.a.find()}, wanted
        )

    def test_an_index_that_is_dropped_before(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(9))
        manager = self.execute(
            "migopy.update_each(db.a, lambda each: {'$set': {'x': each['_id'] + 100}})",
            "db.a.create_index('x', unique=True)",
            head=PAGES,
        )
        self.db.a.insert_one({'_id': 'other', 'x': 4})
        manager.rollback('001')
        self.db.a.delete_one({'_id': 'other'})
        self.assertEqual(state_of(self.db), self.before)

    def test_a_collection_that_was_renamed(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(9))
        self.db.a.create_index('x', unique=True)
        manager = self.execute(
            "if 'a' in db.list_collection_names():",
            "    change = lambda each: {'$set': {'x': each['_id'] + 100}}",
            '    migopy.update_each(db.a, change)',
            "    db.a.rename('z')",
            head=PAGES,
        )
        self.db.z.insert_one({'_id': 'other', 'x': 4})
        error = self.refused(manager)
        self.assertIn(f'{self.db.name}.a _id 4 has lost its value', str(error))
        manager.rollback('001', conflicts='keep')
        self.assertEqual(self.db.a.find_one({'_id': 4}), {'_id': 4, 'x': 104})
        self.assertEqual(self.db.a.count_documents({'x': {'$lt': 9}}), 9)

    def test_documents_that_were_written_several_times(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(4))
        self.db.a.create_index('x', unique=True)
        manager = self.execute(
            'for step in (10, 100):',
            "    change = lambda each: {'$set': {'x': each['_id'] + step}}",
            '    migopy.update_each(db.a, change, batch_size=2)',
            head=PAGES,
        )
        # One that was in between, and is nobody's in the end.
        self.db.a.insert_one({'_id': 'between', 'x': 12})
        with mock.patch('migopy.undo.undoing.DOCUMENTS', -1):
            manager.rollback('001', dry_run='yes')
            self.db.a.insert_one({'_id': 'other', 'x': 2})
            error = self.refused(manager)
            self.assertEqual(error.count, 1)
            self.assertIn('_id 2 has lost its value', str(error))
            manager.rollback('001', conflicts='keep')
        self.assertEqual(
            {each['_id']: each['x'] for each in self.db.a.find()},
            {0: 0, 1: 1, 2: 102, 3: 3, 'between': 12, 'other': 2},
        )

    def test_what_was_written_several_times_counts_once(self) -> None:
        for documents in (-1, 50_000):
            self.fresh()
            self.db.a.insert_many({'_id': n, 'x': n} for n in range(4))
            manager = self.execute(
                'for step in (10, 100):',
                "    change = lambda each: {'$set': {'x': each['_id'] + step}}",
                '    migopy.update_each(db.a, change, batch_size=2)',
                head=PAGES,
            )
            self.db.a.update_one({'_id': 2}, {'$set': {'x': 7}})
            with (
                self.subTest(documents),
                mock.patch('migopy.undo.undoing.DOCUMENTS', documents),
            ):
                error = self.refused(manager)
                self.assertEqual((error.count, len(error.conflicts)), (1, 1))
                manager.rollback('001', conflicts='keep')
                said = '\n'.join(self.logger.of('white'))
                self.assertIn('restoring up to 8 documents as', said)
                self.assertIn('left as it is, in 1 document; the images', said)
