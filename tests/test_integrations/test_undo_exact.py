"""An undo is exact: whatever the documents are, however they were changed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from unittest import mock

from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS

from migopy.commands import Command
from migopy.run.transaction import TooLarge
from migopy.undo import Conflicts, InTheWay, NotCovered, TooManyImages
from tests.images import CHUNK_BY_CHUNK, state_of
from tests.project import PlainTest

#: Writes until its input ends, then says how often it has written what.
OTHERS = """
    import json, random, select, sys, time
    import pymongo

    uri, name, size = sys.argv[1:]
    collection = pymongo.MongoClient(uri)[name].a
    hits = [0] * int(size)
    print('begun', flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        time.sleep(0.001)
        n = random.randrange(len(hits))
        collection.update_one({'_id': n}, {'$inc': {'hits': 1}})
        hits[n] += 1
    print(json.dumps(hits))
"""

HEAD = 'transaction = undo = True\n\ndef up(db):\n'


class RunningTest(PlainTest):
    """Executes a migration in this process and rolls it back."""

    def execute(self, *lines: str, head: str = HEAD, **settings: Any) -> Any:
        """Execute a migration of these lines; give the manager."""
        body = ''.join(f'    {each}\n' for each in lines)
        self.migration('001_a.py', head + body)
        manager = self.manager(**settings)
        manager.execute()
        return manager

    def assert_undone(self, *lines: str, **settings: Any) -> None:
        """Execute a migration, roll it back, and compare all bytes."""
        before = state_of(self.db)
        manager = self.execute(*lines, **settings)
        self.assertNotEqual(state_of(self.db), before)
        manager.rollback('001')
        self.assertEqual(state_of(self.db), before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])


class ExactTest(RunningTest):
    """Whatever the documents are, and however they were changed."""

    def test_every_call_that_writes(self) -> None:
        calls = (
            "db.a.insert_one({'_id': 'new'})",
            "db.a.insert_many([{}, {'x': 1}])",
            "db.a.insert({'x': 1})",
            "db.a.save({'_id': 2, 'saved': True})",
            "db.a.update({'_id': 2}, {'other': 1})",
            "db.a.update({}, {'$inc': {'n': 1}}, multi=True)",
            "db.a.update_one({'_id': 3}, {'$set': {'b.c': 1}})",
            "db.a.update_many({}, [{'$set': {'m': {'$add': ['$n', 1]}}}])",
            "db.a.update_one({'_id': 'up'}, {'$set': {'x': 1}}, upsert=True)",
            "db.a.update_one({'x': 5}, {'$set': {'y': 1}}, upsert=True)",
            "db.a.replace_one({'_id': 4}, {'only': 1})",
            "db.a.replace_one({'_id': 'r'}, {'only': 1}, upsert=True)",
            "db.a.delete_one({'_id': 1})",
            "db.a.delete_many({'n': {'$gt': 3}})",
            'db.a.delete_many({})',
            "db.a.remove({'_id': 1})",
            "db.a.find_one_and_update({'_id': 1}, {'$unset': {'n': 1}})",
            "db.a.find_one_and_replace({'_id': 1}, {'z': 1})",
            "db.a.find_one_and_delete({'_id': 1})",
            "db.a.find_and_modify({'_id': 1}, {'$set': {'f': 1}})",
            "db.a.update_many({}, {'$rename': {'n': 'count'}})",
            "db.a.update_many({}, {'$push': {'list': {'$each': [1, 2]}}})",
            "db.a.bulk_write([pymongo.InsertOne({'_id': 9}),"
            " pymongo.UpdateMany({}, {'$set': {'q': 1}}),"
            " pymongo.DeleteOne({'_id': 9}), pymongo.DeleteOne({'_id': 0})])",
            "[db.a.delete_one({'_id': 1}), db.a.insert_one({'_id': 1.0, 'n': 1})]",
            "[db.a.delete_one({'_id': 1}), db.a.insert_one({'b': {'c': 0}, '_id': 1})]",
        )
        for call in calls:
            with self.subTest(call):
                self.db.a.drop()
                self.db.a.insert_many(
                    {'_id': n, 'n': n, 'b': {'c': 0}} for n in range(6)
                )
                self.assert_undone(call, head=f'import pymongo\n{HEAD}')

    def test_ids_and_values_of_every_type(self) -> None:
        values = [
            None, True, 0, -1.5, Int64(2**60), 'text', '', 'é\0x', b'bytes',
            Binary(b'x', 128), ObjectId(), datetime(2020, 1, 1), MinKey(), MaxKey(),
            Decimal128('1.10'), float('nan'), float('inf'),
            Timestamp(5, 1), Code('x'), Code('x', {'y': 1}), {'a': 1, 'b': [1, {}]},
            {'b': 1, 'a': 1}, {}, DBRef('a', 1), DatetimeMS(2**62), -0.0 + 7,
        ]  # fmt: skip
        self.db.a.insert_many({'_id': each, 'v': each} for each in values)
        self.db.a.insert_one({'_id': 'r', 'v': [Regex('a', 'i'), None, [[]]]})
        size = len(values) + 1
        self.assertEqual(self.db.a.count_documents({}), size)
        for lines in (
            ["db.a.update_many({}, {'$set': {'v': 1}})"],
            ['db.a.delete_many({})'],
            ["db.a.update_many({}, {'$set': {'_a': 1}})", "db.a.delete_many({'v': 0})"],
        ):
            with self.subTest(lines[0]):
                self.assert_undone(*lines)

    def test_equal_numbers_of_another_type(self) -> None:
        self.db.a.insert_many([{'_id': 1}, {'_id': Int64(2)}, {'_id': 3.0}])
        self.assert_undone(
            'for each in list(db.a.find()):',
            '    db.a.delete_one(each)',
            "    db.a.insert_one({'_id': float(each['_id']), 'x': 1})",
        )

    def test_what_the_server_refuses_or_changes_in_a_whole_document(self) -> None:
        # `$` is refused in a replacement, and an empty timestamp is filled.
        documents = [{'_id': 0, 'a': [{'$x': 1, 'b': 2}]}, {'_id': 1, 't': 1, 'n': 1}]
        if self.db.client.server_info()['versionArray'] >= [5]:
            documents += [{'_id': 2, '$x': 1}, {'_id': 3, '$set': {'n': 4}, 'n.x': 1}]
        empty = {'t': Timestamp(0, 0), 'u': Timestamp(0, 0)}
        for change in (
            "db.a.update_many({}, {'$set': {'t': 2}})",
            "db.a.update_many({}, {'$set': {'b': 2}, '$unset': {'a': 1, 'n': 1}})",
            'db.a.delete_many({})',
        ):
            for is_unique in (False, True):
                with self.subTest(change, is_unique=is_unique):
                    self.db.a.drop()
                    self.db.a.create_index('n', unique=is_unique, sparse=True)
                    self.db.a.insert_many(documents)
                    self.db.a.update_one({'_id': 1}, {'$set': empty})
                    self.assert_undone(change)

    def test_what_only_looks_like_a_name_with_a_dollar_is_replaced(self) -> None:
        # Deleted and inserted again, it would be gone for who watches changes.
        self.db.a.insert_many(
            [
                {'_id': 1, 'n': 9217, 'm': [9218, '\x02$x']},
                {'_id': 2, 'ref': DBRef('other', 1, 'shop')},
            ]
        )
        self.assert_undone("db.a.update_many({}, {'$set': {'x': 1}})")
        said = '\n'.join(text for _, text in self.logger.said)
        self.assertRegex(said, r'rolled back in .*: a 2 updated')
        self.assertNotIn('deleted', said)

    def test_documents_near_16_mb(self) -> None:
        # An earlier server aborts now and then what is half as large as its log.
        self.needs_version(5, 0)
        random.seed(1)
        large = random.randbytes(16 * 1024 * 1024 - 100)
        self.db.a.insert_many([{'_id': n, 'x': large} for n in range(2)])
        self.assert_undone(
            "db.a.update_one({'_id': 0}, {'$set': {'x': 1}})",
            "db.a.delete_one({'_id': 1})",
        )

    def test_a_validator_that_would_refuse_what_was(self) -> None:
        self.db.a.insert_many([{'_id': n, 'x': 'text'} for n in range(3)])
        self.db.command('collMod', 'a', validator={'x': {'$type': 'int'}})
        self.assert_undone("db.a.update_many({}, {'$set': {'x': 1}})")

    def test_values_that_were_swapped_under_unique_indexes(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n, 'y': {'z': n}} for n in range(9))
        self.db.a.create_index('x', unique=True)
        self.db.a.create_index([('y.z', 1)], unique=True)
        swap = (
            'for n in range(9):',
            "    db.a.update_one({'_id': n}, {'$inc': {'x': 100, 'y.z': 100}})",
            'for n in range(9):',
            "    value = {'x': 8 - n, 'y': {'z': 8 - n}}",
            "    db.a.update_one({'_id': n}, {'$set': value})",
        )
        with mock.patch('migopy.undo.capture.PAIRS', 2):
            self.assert_undone(*swap)

    def test_a_unique_value_that_others_have_taken(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(3))
        self.db.a.create_index('x', unique=True)
        manager = self.execute("db.a.update_one({'_id': 0}, {'$set': {'x': 9}})")
        self.db.a.insert_one({'x': 0})
        after = state_of(self.db)
        with self.assertRaisesRegex(Conflicts, 'x_1'):
            manager.rollback('001')
        self.assertEqual(state_of(self.db), after)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_unique_value_that_is_not_foreseen(self) -> None:
        self.db.a.insert_many({'_id': n, 'x': n} for n in range(3))
        self.db.a.create_index('x', unique=True, hidden=True)
        manager = self.execute("db.a.update_one({'_id': 0}, {'$set': {'x': 9}})")
        self.db.a.insert_one({'x': 0})
        after = state_of(self.db)
        for typed in ({}, {'conflicts': 'keep'}):
            with self.subTest(typed), self.assertRaisesRegex(InTheWay, 'x_1') as caught:
                manager.rollback('001', **typed)
            # What was decided is typed again.
            again = Command('rollback', '001_a.py', undo='yes', **typed)
            self.assertEqual(caught.exception.next, [again])
            self.assertEqual(state_of(self.db), after)
            self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_collation_of_the_collection(self) -> None:
        self.db.create_collection('a', collation={'locale': 'de', 'strength': 1})
        self.db.a.insert_many({'_id': each, 'n': 1} for each in 'cAbÄz' if each != 'Ä')
        self.assert_undone(
            "db.a.update_many({'_id': 'B'}, {'$set': {'n': 2}})",
            "db.a.delete_one({'_id': 'a'})",
            "db.a.insert_one({'_id': 'a'})",
        )

    def test_a_clustered_collection(self) -> None:
        self.needs_version(5, 3)
        clustered = {'key': {'_id': 1}, 'unique': True}
        self.db.create_collection('a', clusteredIndex=clustered)
        self.db.a.insert_many({'_id': n} for n in range(9))
        self.assert_undone(
            "db.a.update_many({}, {'$set': {'n': 2}})", "db.a.delete_one({'_id': 4})"
        )

    def test_several_collections_and_databases(self) -> None:
        other = self.client[f'{self.db.name}_b']
        self.addCleanup(self.client.drop_database, other.name)
        other.a.insert_one({'_id': 1})
        self.db['a + b'].insert_one({'_id': 1})
        self.db['c.d'].insert_one({'_id': 1})
        before = state_of(other)
        self.assert_undone(
            "db['a + b'].update_many({}, {'$set': {'x': 1}})",
            "db['c.d'].update_many({}, {'$set': {'x': 1}})",
            f"db.client['{other.name}'].a.update_many({{}}, {{'$set': {{'x': 1}}}})",
        )
        self.assertEqual(state_of(other), before)

    def test_gridfs(self) -> None:
        self.assert_undone(
            "gridfs.GridFS(db.client[db.name]).put(b'x' * 600_000, filename='x')",
            head=f'import gridfs\n{HEAD}',
        )


class LimitsTest(RunningTest):
    """What no images are kept of."""

    def test_what_cannot_be_covered_fails_before_the_commit(self) -> None:
        self.db.a.insert_one({'_id': 1})
        before = state_of(self.db)
        for line, said in (
            ("db.migrations.insert_one({'x': 1})", 'migrations'),
            ("import subprocess; subprocess.run(['true'])", 'child process'),
        ):
            with self.subTest(line), self.assertRaisesRegex(NotCovered, said):
                self.execute("db.a.update_one({}, {'$set': {'x': 1}})", line)
            self.assertEqual(state_of(self.db), before)
            self.assertEqual(self.registered(), [])
            self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_too_many_images(self) -> None:
        random.seed(2)
        self.db.a.insert_one({'_id': 1, 'x': random.randbytes(100_000)})
        change = "db.a.update_one({}, {'$set': {'y': 1}})"
        with self.assertRaisesRegex(TooManyImages, 'UNDO_MB'):
            self.execute(change, UNDO_MB=0.01)
        self.assertEqual(self.registered(), [])
        head = HEAD.replace('undo = True', "True\nundo = 'best effort'")
        self.execute(change, head=head, UNDO_MB=0.01)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assertEqual(list(self.db.migrations_undo.find()), [])
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('no images are kept. Its images are larger than 0.01 MB', said)
        self.assertNotIn('best effort', said)

    def test_a_file_wins_over_the_manager(self) -> None:
        line = "db.a.insert_one({'_id': 1})"
        head = HEAD.replace('undo = True', 'True\nundo = False')
        self.execute(line, head=head, UNDO=True)
        self.assertEqual(list(self.db.migrations_undo.find()), [])


class ChunksTest(ExactTest):
    """All of it again, a transaction a chunk."""

    def setUp(self) -> None:
        super().setUp()
        for name, value in CHUNK_BY_CHUNK.items():
            patch = mock.patch(f'migopy.undo.{name}', value)
            patch.start()
            self.addCleanup(patch.stop)

    def test_one_that_was_interrupted_goes_on(self) -> None:
        self.db.a.insert_many({'_id': n} for n in range(10))
        before = state_of(self.db)
        manager = self.execute("db.a.update_many({}, {'$set': {'x': 1}})")
        failing = mock.patch('migopy.undo.undoing.Undo._restore', self.failing_at(3))
        with failing, self.assertRaises(OSError):
            manager.rollback('001')
        self.assertEqual(self.db.a.count_documents({'x': 1}), 4)
        self.assertIn('rollback,001_a.py', '\n'.join(self.logger.of('red')))
        with self.assertRaisesRegex(Exception, 'half undone'):
            manager.execute('001')
        manager.rollback('001')
        self.assertEqual(state_of(self.db), before)
        self.assertEqual(self.registered(), [])
        self.assertEqual(list(self.db.migrations_undo.find()), [])

    def test_what_is_decided_later_is_for_the_rest(self) -> None:
        self.db.a.insert_many({'_id': n} for n in range(10))
        manager = self.execute("db.a.update_many({}, {'$set': {'x': 1}})")
        # The last ones are restored first.
        for n in (9, 0):
            self.db.a.update_one({'_id': n}, {'$set': {'x': 2}})
        failing = mock.patch('migopy.undo.undoing.Undo._restore', self.failing_at(3))
        with failing, self.assertRaises(OSError):
            manager.rollback('001', conflicts='keep')
        self.assertEqual(self.db.a.count_documents({'x': 1}), 3)
        with self.assertRaises(Conflicts) as caught:
            manager.rollback('001')
        self.assertEqual(caught.exception.count, 1)
        self.assertNotIn('Nothing was restored', str(caught.exception))
        self.assertIn(
            'Nothing more was restored. A part had been restored before; what you'
            ' decide now is for the rest.',
            str(caught.exception),
        )
        self.logger.said.clear()
        manager.rollback('001', conflicts='ours')
        self.assertIn(
            'An earlier undo has restored a part of it already: what you decide about'
            ' conflicts now is for the rest',
            self.logger.of('white'),
        )
        self.assertIn(
            'restoring what is left of 10 documents',
            '\n'.join(self.logger.of('white')),
        )
        self.assertEqual(self.contents('a'), [*[{}] * 9, {'x': 2}])

    def failing_at(self, number: int) -> Any:
        """Give a `_restore` that fails after so many chunks, in the transaction."""
        from migopy.undo import Undo

        calls: list[int] = []
        original = Undo._restore

        def restore(undo: Any, *arguments: Any) -> None:
            original(undo, *arguments)
            calls.append(1)
            if len(calls) > number:
                raise OSError

        return restore

    def test_conflicts_are_found_before_anything_is_restored(self) -> None:
        self.db.a.insert_many({'_id': n} for n in range(10))
        manager = self.execute("db.a.update_many({}, {'$set': {'x': 1}})")
        self.db.a.update_one({'_id': 0}, {'$set': {'x': 2}})
        after = state_of(self.db)
        with self.assertRaises(Conflicts):
            manager.rollback('001')
        self.assertEqual(state_of(self.db), after)
        manager.rollback('001', conflicts='keep')
        self.assertEqual(self.contents('a'), [{'x': 2}, *[{}] * 9])


class BatchesTest(ExactTest):
    """All of it again, in a batch of `migopy.batches`."""

    def execute(self, *lines: str, head: str = HEAD, **settings: Any) -> Any:
        """Execute a migration that has these lines in a loop of one batch."""
        self.db.migrations_loop.replace_one({'_id': 1}, {'_id': 1}, upsert=True)
        head = head.replace('transaction = undo', 'import migopy\nundo')
        head += '    for _ in migopy.batches(db.migrations_loop):\n'
        inner = [f'    {each}' for each in lines]
        return super().execute(*inner, head=head, **settings)


class OthersTest(RunningTest):
    """Others write all the time; nothing of theirs is ever lost."""

    def test_what_others_write_meanwhile_is_theirs(self) -> None:
        self.check(
            "change = {'$set': {'x': 1}}",
            "db.a.update_many({'_id': {'$lt': 4}}, change)",
        )

    def test_in_batches(self) -> None:
        self.db.loop.insert_one({})
        for query in (
            "{'_id': {'$lt': 4}}",
            "{'_id': {'$in': [0, 1, 2, 3, 4]}, 'x': 0}",
        ):
            with self.subTest(query):
                self.db.a.drop()
                self.check(
                    'for _ in migopy.batches(db.loop):',
                    '    try:',
                    f"        db.a.update_many({query}, {{'$set': {{'x': 1}}}})",
                    '    except PyMongoError as error:',
                    '        if not error.has_error_label(passing):',
                    '            raise',
                    head="passing = 'TransientTransactionError'\n"
                    'import migopy\nfrom pymongo.errors import PyMongoError\n\n'
                    'undo = True\n\ndef up(db):\n',
                )

    def check(self, *lines: str, **settings: Any) -> None:
        """Change four documents and undo it, again and again, while others write."""
        size = 400
        rest = {'hits': 0, 'x': 0}
        self.db.a.insert_many({'_id': n, **rest} for n in range(size))
        self.db.a.update_one({'_id': 4}, {'$set': {'x': 2}})
        undone = 0
        with self.others(size) as hits:
            for _ in range(8):
                # Others may be faster each time, then nothing is changed.
                with suppress(TooLarge):
                    self.execute(*lines, **settings)
                if not self.registered():
                    continue
                kept = self.db.migrations_undo.find_one({'runs': {'$exists': True}})
                self.assertEqual(kept and kept['documents'], 4)
                while self.registered():
                    with suppress(TooLarge):
                        self.manager().rollback('001')
                undone += 1
        self.assertGreater(undone, 0)
        self.assertGreater(sum(hits), 0)
        wanted = [{'_id': n, 'hits': hits[n], 'x': 0} for n in range(size)]
        wanted[4]['x'] = 2
        self.assertEqual(list(self.db.a.find(sort=[('_id', 1)])), wanted)

    @contextmanager
    def others(self, size: int) -> Iterator[list[int]]:
        """Let another process write in the block; then give how often what it wrote."""
        script = self.write('others.py', OTHERS)
        typed = [sys.executable, str(script), self.uri, self.db.name, str(size)]
        hits: list[int] = []
        pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}
        with subprocess.Popen(typed, text=True, **pipes) as process:
            try:
                assert process.stdout
                process.stdout.readline()
                yield hits
            finally:
                said, _ = process.communicate('end\n')
                hits.extend(json.loads(said))
