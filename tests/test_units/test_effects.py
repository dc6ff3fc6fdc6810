"""Effects as words and documents, and replies that the test server does not give."""

from __future__ import annotations

import datetime
import itertools
import subprocess
import sys
import textwrap
import threading
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable
from unittest import mock
from weakref import WeakValueDictionary

import bson
from bson.binary import Binary
from pymongo import MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from migopy.effects import (
    Changes,
    Effects,
    EffectsListener,
    Recording,
    unwatched_clients,
)
from migopy.effects.ledger import ATTEMPTS, Ledger
from migopy.effects.tally import LONGEST_LINE, MOST_ROWS

ADDRESS = ('127.0.0.1', 27017)
LOST = {'errmsg': 'connection closed', 'errtype': 'AutoReconnect'}


def started(command: dict[str, Any], request_id: int) -> CommandStartedEvent:
    return CommandStartedEvent(command, 'geo', request_id, ADDRESS, request_id)


def succeeded(
    command: dict[str, Any],
    request_id: int,
    reply: dict[str, Any],
    database: str = 'geo',
) -> CommandSucceededEvent:
    name, took = next(iter(command)), datetime.timedelta(milliseconds=1)
    return CommandSucceededEvent(
        took, reply, name, request_id, ADDRESS, request_id, database_name=database
    )


def failed(
    command: dict[str, Any], request_id: int, failure: dict[str, Any]
) -> CommandFailedEvent:
    name, took = next(iter(command)), datetime.timedelta(milliseconds=1)
    return CommandFailedEvent(
        took, failure, name, request_id, ADDRESS, request_id, database_name='geo'
    )


class DescribeTest(unittest.TestCase):
    """`Effects.describe()`."""

    def assert_described(self, changes: dict[str, Changes], expected: str) -> None:
        self.assertEqual(Effects(changes).describe('geo'), expected)

    def test_nothing(self) -> None:
        """Nothing to say is the empty string; a row of zeros says nothing either."""
        self.assert_described({}, '')
        self.assert_described({'geo.cities': Changes()}, '')

    def test_documents_and_indexes(self) -> None:
        """Numbers have their thousands set off."""
        changes = Changes(matched=31995, modified=31995, indexes=['location_2d made'])
        self.assert_described(
            {'geo.cities': changes}, 'cities 31,995 updated, index location_2d made'
        )

    def test_every_kind_of_change(self) -> None:
        """They have a fixed order, in one line."""
        changes = Changes(
            inserted=1,
            matched=31995,
            modified=12,
            found=2,
            deleted=1000,
            indexes=['a_1 made', 'b_1 dropped'],
            notes=['collMod done'],
        )
        self.assert_described(
            {'geo.cities': changes},
            'cities 1 inserted, 31,995 matched, 12 updated, 2 found and updated, '
            '1,000 deleted, index a_1 made, index b_1 dropped, collMod done',
        )

    def test_what_was_done_to_a_collection_comes_first(self) -> None:
        """With the database left out of both names of one that was renamed."""
        self.assert_described(
            {
                'geo.new': Changes(collection=['made'], inserted=3),
                'geo.old': Changes(collection=['made', 'renamed to geo.older']),
                'geo.far': Changes(collection=['renamed to other.far']),
            },
            'collection far renamed to other.far; collection new made, 3 inserted; '
            'collection old made and renamed to older',
        )

    def test_it_is_one_line_whatever_names_have_in_it(self) -> None:
        end = '\n002_b.py executed'
        for changes in (
            Changes(inserted=1),
            Changes(indexes=[f'index x{end} made']),
            Changes(collection=[f'renamed to geo.b{end}']),
        ):
            self.assertNotIn('\n', Effects({f'geo.a{end}': changes}).describe('geo'))

    def test_order_of_collections(self) -> None:
        """One's own by the alphabet, whoever wrote first, then those of others."""
        one = Changes(inserted=1)
        self.assert_described(
            {'geo.b': one, 'a.x': one, 'geo.a': one, 'geography.c': one},
            'a 1 inserted; b 1 inserted; a.x 1 inserted; geography.c 1 inserted',
        )
        self.assertEqual(Effects({'geo.a': one}).describe(), 'geo.a 1 inserted')

    def test_a_database(self) -> None:
        """A command without a collection is about the database."""
        self.assert_described(
            {'geo': Changes(notes=['dropped, if it existed'])},
            'database geo dropped, if it existed',
        )

    def test_names_that_could_be_misread(self) -> None:
        """They stand in quotes, on one line whatever is in them."""
        one = Changes(inserted=1)
        self.assert_described({'geo.fs.files': one}, 'fs.files 1 inserted')
        self.assert_described({'geo.$cmd-1': one}, '$cmd-1 1 inserted')
        self.assert_described({'geo.Städte': one}, 'Städte 1 inserted')
        self.assert_described({'geo.a, b': one}, "'a, b' 1 inserted")
        self.assert_described({'geo.a\nb': one}, r"'a\nb' 1 inserted")


class WroteTest(unittest.TestCase):
    """`Effects.wrote` tells whether a failed migration may have left something."""

    def test_every_kind_of_change_is_a_write_but_a_match(self) -> None:
        kinds: dict[str, Any] = {
            'inserted': 1,
            'matched': 1,
            'modified': 1,
            'found': 1,
            'deleted': 1,
            'collection': ['made'],
            'indexes': ['x_1 made'],
            'notes': ['collMod done'],
            'is_written_to': True,
        }
        self.assertEqual(set(kinds), set(vars(Changes())))
        for kind, value in kinds.items():
            with self.subTest(kind=kind):
                effects = Effects({'geo.cities': Changes(**{kind: value})})
                no_change = kind in ('matched', 'is_written_to')
                self.assertEqual(effects.wrote, not no_change)

    def test_nothing_is_no_write(self) -> None:
        self.assertFalse(Effects().wrote)
        self.assertFalse(Effects({'geo.cities': Changes()}).wrote)


class DocumentTest(unittest.TestCase):
    """`Effects.as_document()`."""

    def test_what_is_kept(self) -> None:
        """A name with a dot is a value there, as it may be no key."""
        effects = Effects(
            {
                'geo.fs.files': Changes(inserted=2**40, matched=2, modified=1),
                'geo.$odd': Changes(collection=['made'], notes=['collMod done']),
                'geo.untouched': Changes(),
            }
        )
        document = effects.as_document()
        self.assertEqual(
            document,
            {
                'collections': [
                    {
                        'name': 'geo.$odd',
                        'collection': ['made'],
                        'notes': ['collMod done'],
                    },
                    {
                        'name': 'geo.fs.files',
                        'inserted': 2**40,
                        'matched': 2,
                        'modified': 1,
                    },
                ]
            },
        )
        self.assertEqual(bson.decode(bson.encode(document)), document)


class ManyTest(unittest.TestCase):
    """A migration that touches thousands of collections."""

    COUNT = 4000

    def setUp(self) -> None:
        self.changes = {
            f'geo.tenant_{number:04}': Changes(inserted=1, notes=['collMod done'])
            for number in range(self.COUNT)
        }
        self.effects = Effects(self.changes)

    def test_the_line_is_bounded_and_counts_the_rest(self) -> None:
        line = self.effects.describe('geo')
        self.assertLessEqual(len(line), LONGEST_LINE)
        self.assertNotIn('\n', line)
        shown = line.count('1 inserted')
        self.assertGreater(shown, 20)
        self.assertTrue(line.startswith('tenant_0000 1 inserted, collMod done; '))
        rest = self.COUNT - shown
        self.assertTrue(line.endswith(f'; and {rest:,} more collections'), line)

    def test_one_collection_too_many(self) -> None:
        """The line breaks between two collections, or else within the first."""
        wide = {
            f'geo.{letter * 490}': Changes(inserted=number)
            for number, letter in enumerate('abc', 1)
        }
        line = Effects(wide).describe('geo')
        self.assertEqual(line, f'{"a" * 490} 1 inserted; and 2 more collections')
        del wide['geo.' + 'b' * 490]
        self.assertTrue(Effects(wide).describe('geo').endswith('1 more collection'))
        names = [f'index_{number}_1 made' for number in range(500)]
        line = Effects({'geo.a': Changes(indexes=names)}).describe('geo')
        self.assertEqual(len(line) <= LONGEST_LINE, True)
        self.assertTrue(line.startswith('a index index_0_1 made, '), line)
        self.assertTrue(line.endswith('…'), line)

    def test_the_document_is_bounded_and_counts_the_rest(self) -> None:
        """Whatever the names are."""
        document = self.effects.as_document()
        self.assertEqual(len(document['collections']), MOST_ROWS)
        self.assertEqual(document['more_collections'], self.COUNT - MOST_ROWS)
        bson.encode(document)

    def test_a_document_of_the_worst_kind_fits(self) -> None:
        """Many indexes with long names, notes, and thousands of joined names."""
        phrases = [f'{"x" * 900}_{number} made' for number in range(300)]
        worst = Changes(collection=phrases, indexes=phrases, notes=phrases)
        changes = dict.fromkeys(self.changes, worst)
        changes[' + '.join(self.changes)] = worst
        document = Effects(changes).as_document()
        self.assertLess(len(bson.encode(document)), 5_000_000)
        kept = len(document['collections'])
        self.assertEqual(document['more_collections'], self.COUNT + 1 - kept)
        self.assertEqual(document['collections'][0]['notes'][-1], 'and 200 more')

    def test_a_recording_is_counted_once_for_each_telling(self) -> None:
        """Not once for each collection: the work grows with their number."""
        recording = Recording(EffectsListener(), {})
        with mock.patch.object(
            Recording, 'changes', new_callable=mock.PropertyMock
        ) as counted:
            counted.return_value = self.changes
            for tell in (
                lambda: recording.describe('geo'),
                recording.as_document,
                lambda: recording.wrote,
                lambda: recording + Effects(),
            ):
                counted.reset_mock()
                tell()
                counted.assert_called_once_with()


class SumTest(unittest.TestCase):
    """Effects added."""

    def test_counts_add_up_and_phrases_stand_once(self) -> None:
        """And the summands stay as they are."""
        one = Effects({'geo.a': Changes(inserted=1, indexes=['x_1 made'])})
        two = Effects({'geo.a': Changes(inserted=2, indexes=['x_1 made', 'y_1 made'])})
        three = Effects({'geo.b': Changes(deleted=1)})
        self.assertEqual(
            (one + two + three).describe('geo'),
            'a 3 inserted, index x_1 made, index y_1 made; b 1 deleted',
        )
        self.assertEqual(one.describe('geo'), 'a 1 inserted, index x_1 made')


class ListenerTest(unittest.TestCase):
    """A listener that is told what PyMongo would tell it."""

    def setUp(self) -> None:
        self.listener = EffectsListener()
        self.request_ids = itertools.count(1)

    def start(self, command: dict[str, Any]) -> int:
        request_id = next(self.request_ids)
        self.listener.started(started(command, request_id))
        return request_id

    def succeed(self, command: dict[str, Any], reply: dict[str, Any]) -> None:
        request_id = self.start(command)
        self.listener.succeeded(succeeded(command, request_id, reply))

    def break_off(self, command: dict[str, Any], failure: dict[str, Any]) -> None:
        request_id = self.start(command)
        self.listener.failed(failed(command, request_id, failure))

    def described(self, command: dict[str, Any], reply: dict[str, Any]) -> str:
        with self.listener.recording() as effects:
            self.succeed(command, {'ok': 1.0, **reply})
        return effects.describe('geo')

    def in_session(self, command: dict[str, Any], number: int) -> dict[str, Any]:
        session = {'id': Binary(b'0123456789abcdef', 4)}
        return {**command, 'lsid': session, 'txnNumber': number}

    def in_transaction(self, command: dict[str, Any], number: int) -> dict[str, Any]:
        return {**self.in_session(command, number), 'autocommit': False}


INSERT: dict[str, Any] = {'insert': 'cities', 'documents': [{}]}
BULK: dict[str, Any] = {
    'bulkWrite': 1,
    'ops': [
        {'insert': 0, 'document': {}},
        {'update': 1, 'filter': {}, 'updateMods': {}, 'multi': True},
        {'delete': 0, 'filter': {}},
        {'delete': 1, 'filter': {}},
    ],
    'nsInfo': [{'ns': 'geo.towns'}, {'ns': 'geo.cities'}],
}
BULK_REPLY = {
    'cursor': {'id': 0, 'firstBatch': [], 'ns': 'admin.$cmd.bulkWrite'},
    'nErrors': 0,
    'nInserted': 1,
    'nMatched': 7,
    'nModified': 5,
    'nUpserted': 2,
    'nDeleted': 4,
}


class OtherServersTest(ListenerTest):
    """Replies of a router, of later servers, and of what only looks like MongoDB."""

    def test_bulk_write_of_a_client(self) -> None:
        """MongoDB 8.0's bulkWrite gives one sum for all its collections."""
        self.assertEqual(
            self.described(BULK, BULK_REPLY),
            'cities 2 inserted, 7 matched, 5 updated; cities and towns 4 deleted;'
            ' towns 1 inserted',
        )
        ops = [{**each, next(iter(each)): 0} for each in BULK['ops']]
        self.assertEqual(
            self.described({**BULK, 'ops': ops}, BULK_REPLY),
            'towns 3 inserted, 7 matched, 5 updated, 4 deleted',
        )

    def test_bulk_write_that_failed_in_part(self) -> None:
        """An update of many that failed may have changed some."""
        error = {'ok': 0, 'idx': 1, 'code': 121, 'errmsg': 'no'}
        reply = {**dict.fromkeys(BULK_REPLY, 0), 'nErrors': 1, 'nInserted': 1}
        told = {**reply, 'cursor': {'id': 0, 'firstBatch': [error]}}
        note = 'perhaps changed by bulkWrite'
        self.assertEqual(
            self.described(BULK, told), f'cities {note} (error 121); towns 1 inserted'
        )
        # In a later reply, or in none.
        later = {**reply, 'cursor': {'id': 7, 'firstBatch': []}}
        for unclear, why in ((later, 'some failed'), (reply, 'some of it failed')):
            said = self.described(BULK, unclear)
            self.assertIn(f'cities and towns {note}', said.replace('1 inserted, ', ''))
            self.assertIn(f'({why})', said)
        only = {**BULK, 'ops': BULK['ops'][:1]}
        refused = {**told, 'nInserted': 0}
        refused['cursor'] = {'id': 0, 'firstBatch': [{**error, 'idx': 0}]}
        self.assertEqual(self.described(only, refused), '')

    def test_unacknowledged_bulk_write(self) -> None:
        unacknowledged = {**BULK, 'writeConcern': {'w': 0}}
        self.assertEqual(
            self.described(unacknowledged, {}),
            'cities and towns written by an unacknowledged bulkWrite (count unknown)',
        )

    def test_drop_of_what_may_not_have_been_there(self) -> None:
        """Since MongoDB 7.0 that is no error."""
        self.assertEqual(
            self.described({'drop': 'cities'}, {}), 'cities dropped, if it existed'
        )

    def test_indexes_behind_a_router(self) -> None:
        """A mongos puts the shards' replies into one, with no figures of its own."""
        command = {'createIndexes': 'cities', 'indexes': [{'name': 'x_1'}]}
        before, after = (
            {'numIndexesBefore': 1, 'numIndexesAfter': number} for number in (1, 2)
        )
        for raw, told in (
            ({'a/host': before, 'b/host': after}, 'cities index x_1 made'),
            ({'a/host': before, 'b/host': before}, ''),
            ({}, 'cities createIndexes done'),
        ):
            self.assertEqual(self.described(command, {'raw': raw}), told)
        command = {'dropIndexes': 'cities', 'index': 'x_1'}
        reply = {'raw': {'a/host': {'nIndexesWas': 2, 'ok': 1.0}}}
        self.assertEqual(self.described(command, reply), 'cities index x_1 dropped')

    def test_an_update_of_many_that_a_shard_key_stopped(self) -> None:
        """Documents that had the new key were updated before; a time series has not."""
        statement = {'q': {}, 'u': {'$set': {'land': 'CH', 'x': 1}}, 'multi': True}
        command = {'update': 'cities', 'updates': [statement]}
        for text, told in (
            (
                'Multi-update operations are not allowed when updating the shard key'
                ' field.',
                'cities perhaps changed by update (error 72)',
            ),
            ('Cannot perform an upsert on a time-series collection', ''),
        ):
            error = {'index': 0, 'code': 72, 'errmsg': text}
            reply = {'n': 0, 'nModified': 0, 'writeErrors': [error]}
            self.assertEqual(self.described(command, reply), told)

    def test_where_a_collection_is_kept(self) -> None:
        """Commands of a cluster are told by the collection that they are for."""
        for name in ('shardCollection', 'moveCollection', 'setAllowMigrations'):
            command = {name: 'geo.cities', 'key': {'x': 1}}
            self.assertEqual(self.described(command, {}), f'cities {name} done')
        self.assertEqual(self.described({'listShards': 1}, {}), '')

    def test_a_reply_that_is_not_understood_is_named(self) -> None:
        """So that a write in it is not lost."""
        for command in (
            INSERT,
            {'update': 'cities', 'updates': []},
            {'delete': 'cities', 'deletes': []},
            {'findAndModify': 'cities'},
            {'dropIndexes': 'cities', 'index': '*'},
        ):
            with self.subTest(command=command):
                self.assertEqual(
                    self.described(command, {'lastErrorObject': None}),
                    f'cities {next(iter(command))} done',
                )

    def test_an_unknown_command_is_taken_for_a_write(self) -> None:
        self.assertEqual(
            self.described({'applyOps': []}, {}), 'database geo applyOps done'
        )

    def test_other_ways_to_say_where(self) -> None:
        """Commands that the test server refuses name their collection nevertheless."""
        commands: dict[str, dict[str, Any]] = {
            'cities reIndex done': {'reIndex': 'cities'},
            'cities createSearchIndexes done': {'createSearchIndexes': 'cities'},
            'other.a written by mapReduce (count unknown)': {
                'mapReduce': 'cities',
                'out': {'reduce': 'a', 'db': 'other'},
            },
        }
        for expected, command in commands.items():
            with self.subTest(expected=expected):
                self.assertEqual(self.described(command, {}), expected)


class ProofTest(ListenerTest):
    """Which errors prove that nothing was written."""

    def wrote(self, command: dict[str, Any], failure: dict[str, Any]) -> bool:
        with self.listener.recording() as effects:
            self.break_off(command, failure)
        return effects.wrote

    def test_an_error_for_one_thing_proves_nothing_for_many(self) -> None:
        """DuplicateKey stops a pipeline half-way, but undoes an index."""
        failure = {'ok': 0.0, 'code': 11000}
        out = {'aggregate': 'cities', 'pipeline': [{'$merge': 'towns'}]}
        self.assertTrue(self.wrote(out, failure))
        self.assertTrue(self.wrote({'applyOps': []}, failure))
        self.assertFalse(self.wrote({'createIndexes': 'cities'}, failure))

    def test_of_a_router_each_shard_has_to_prove_it(self) -> None:
        refused = {'ok': 0.0, 'code': 26}
        for other, is_proven in ((refused, True), ({'ok': 1.0}, False)):
            failure = {**refused, 'raw': {'a/host': refused, 'b/host': other}}
            self.assertNotEqual(self.wrote({'collMod': 'cities'}, failure), is_proven)

    def test_an_out_takes_its_place_at_the_end_or_not_at_all(self) -> None:
        for stage, wrote in (({'$out': 'towns'}, False), ({'$merge': 'towns'}, True)):
            command = {'aggregate': 'cities', 'pipeline': [{'$match': {}}, stage]}
            for code in (2, 241, 11000):
                failure = {'ok': 0.0, 'code': code}
                self.assertEqual(self.wrote(command, failure), wrote)

    def test_not_primary(self) -> None:
        """A primary that steps down stops a batch or an update of many half-way."""
        failure = {'ok': 0, 'code': 10107}
        one = {'q': {}, 'u': {}}
        proven: dict[bool, list[dict[str, Any]]] = {
            True: [
                INSERT,
                {'findAndModify': 'cities'},
                {'update': 'cities', 'updates': [one]},
                {'delete': 'cities', 'deletes': [{'q': {}, 'limit': 1}]},
            ],
            False: [
                {'insert': 'cities', 'documents': [{}, {}]},
                {'update': 'cities', 'updates': [{**one, 'multi': True}]},
                {'update': 'cities', 'updates': [one, one]},
                {'delete': 'cities', 'deletes': [{'q': {}, 'limit': 0}]},
                {'createIndexes': 'cities'},
            ],
        }
        for nothing_written, commands in proven.items():
            for command in commands:
                with self.subTest(command=command):
                    self.assertNotEqual(self.wrote(command, failure), nothing_written)

    def test_errors_that_are_not_known(self) -> None:
        """They prove nothing."""
        for failure in (LOST, {'ok': 0, 'code': 50}, {'ok': 0, 'code': 999999}):
            with self.subTest(failure=failure):
                self.assertTrue(self.wrote(INSERT, failure))

    def test_a_write_concerns_error_with_the_code_of_a_refusal(self) -> None:
        """It says nothing of the write, which is done."""
        self.assertTrue(self.wrote(INSERT, {'code': 9, 'errmsg': 'unknown tag'}))

    def test_a_read_that_failed(self) -> None:
        for command in (
            {'find': 'cities'},
            {'aggregate': 'cities', 'pipeline': [{'$match': {}}]},
            {'aggregate': 'cities', 'pipeline': []},
            {'aggregate': 'cities', 'pipeline': 'nonsense'},
            {'aggregate': 'cities', 'pipeline': ['nonsense']},
            {'mapReduce': 'cities', 'out': {'inline': 1}},
        ):
            with self.subTest(command=command):
                self.assertFalse(self.wrote(command, LOST))


class UnansweredTest(ListenerTest):
    """A command that was sent, but of which nothing was heard: Ctrl-C, for one."""

    def test_it_is_named(self) -> None:
        with self.listener.recording() as effects:
            self.start(INSERT)
        self.assertTrue(effects.wrote)
        self.assertEqual(
            effects.describe('geo'), 'cities perhaps changed by insert (no answer)'
        )

    def test_it_is_named_where_a_signal_meets_its_answer(self) -> None:
        """A signal's exception is raised wherever Python is, while it counts, too."""
        for answer in (
            lambda: self.succeed(INSERT, {'ok': 1, 'n': 1}),
            lambda: self.break_off(INSERT, LOST),
        ):
            with (
                self.listener.recording() as effects,
                mock.patch.object(effects, 'ledger') as ledger,
                self.assertRaises(KeyboardInterrupt),
            ):
                ledger.count.side_effect = ledger.doubt.side_effect = KeyboardInterrupt
                answer()
            self.assertTrue(effects.wrote)

    def test_it_is_named_by_its_own_recording_only(self) -> None:
        """What one migration left open is not the next one's doing."""
        with self.listener.recording() as first:
            self.start(INSERT)
        with self.listener.recording() as second:
            self.succeed({'create': 'towns'}, {'ok': 1})
        self.assertTrue(first.wrote)
        self.assertEqual(second.describe('geo'), 'collection towns made')

    def test_all_writes_of_a_session_that_were_lost_are_named(self) -> None:
        """The next number in a session says that the one before is not sent again."""
        with self.listener.recording() as effects:
            self.break_off(self.in_session(INSERT, 1), LOST)
            self.break_off(self.in_session({**INSERT, 'insert': 'towns'}, 2), LOST)
        self.assertEqual(
            effects.describe('geo'),
            'cities perhaps changed by insert (no answer); '
            'towns perhaps changed by insert (no answer)',
        )

    def test_it_may_be_on_its_way_while_the_block_lasts(self) -> None:
        """Who only tells of the progress leaves it out."""
        with self.listener.recording() as effects:
            self.succeed(INSERT, {'n': 1, 'ok': 1})
            self.start(INSERT)
            self.assertEqual(effects.answered.describe('geo'), 'cities 1 inserted')
            self.assertIn('no answer', effects.describe('geo'))

    def test_so_may_a_commit_and_what_is_sent_once_more(self) -> None:
        with self.listener.recording() as effects:
            self.succeed(self.in_transaction(INSERT, 1), {'n': 1, 'ok': 1})
            self.start(self.in_transaction({'commitTransaction': 1}, 1))
            self.break_off(self.in_session({**INSERT, 'insert': 'towns'}, 2), LOST)
            self.assertEqual(effects.answered.describe('geo'), 'cities 1 inserted')
            self.assertIn('perhaps not committed', effects.describe('geo'))
            self.assertIn('towns perhaps changed', effects.describe('geo'))

    def test_in_a_transaction_that_was_aborted_it_left_nothing(self) -> None:
        with self.listener.recording() as effects:
            self.start(self.in_transaction(INSERT, 1))
            self.assertTrue(effects.wrote)
            self.start(self.in_transaction({'abortTransaction': 1}, 1))
        self.assertEqual(effects.changes, {})

    def test_a_commit(self) -> None:
        with self.listener.recording() as effects:
            self.succeed(self.in_transaction(INSERT, 1), {'n': 1, 'ok': 1})
            self.start(self.in_transaction({'commitTransaction': 1}, 1))
        self.assertEqual(
            effects.describe('geo'),
            'cities 1 inserted, perhaps not committed (no answer)',
        )

    def test_a_write_that_an_exception_keeps_from_being_answered(self) -> None:
        """A later write in the same session does not stand for it."""
        with self.listener.recording() as effects:
            self.start(self.in_session(INSERT, 1))
            self.succeed(self.in_session(INSERT, 2), {'n': 1, 'ok': 1})
        self.assertEqual(
            effects.describe('geo'),
            'cities 1 inserted, perhaps changed by insert (no answer)',
        )


class TransactionTest(ListenerTest):
    """Transactions whose end is not heard."""

    def insert(self, number: int) -> None:
        self.succeed(self.in_transaction(INSERT, number), {'n': 1, 'ok': 1})

    def test_the_next_one_in_a_session_ends_the_one_before(self) -> None:
        """The server aborts a transaction that is given up."""
        with self.listener.recording() as effects:
            self.insert(1)
            self.insert(2)
        self.assertEqual(effects.describe('geo'), 'cities 1 inserted')

    def test_one_that_was_too_large_to_be_committed_left_nothing(self) -> None:
        for code in (257, 388):
            with self.subTest(code), self.listener.recording() as effects:
                self.insert(code)
                refused = {'ok': 0, 'code': code, 'errmsg': 'too large'}
                commit = {'commitTransaction': 1}
                self.break_off(self.in_transaction(commit, code), refused)
            self.assertEqual(effects.changes, {})

    def test_but_not_one_whose_commit_was_lost(self) -> None:
        with self.listener.recording() as effects:
            self.insert(1)
            self.break_off(self.in_transaction({'commitTransaction': 1}, 1), LOST)
            self.insert(2)
            self.succeed(self.in_transaction({'commitTransaction': 1}, 2), {'ok': 1})
        self.assertEqual(
            effects.describe('geo'),
            'cities 2 inserted, perhaps not committed (no answer)',
        )

    def test_what_was_done_outside_of_an_open_transaction(self) -> None:
        """A command of the transaction is not outside of it before it is answered."""
        with self.listener.recording() as effects:
            self.insert(1)
            self.start(self.in_transaction(INSERT, 1))
            self.assertFalse(effects.outside.wrote)
            self.succeed({'create': 'towns'}, {'ok': 1})
            self.start({'delete': 'villages', 'deletes': []})
        self.assertEqual(
            effects.outside.describe('geo'),
            'collection towns made; villages perhaps changed by delete (no answer)',
        )

    def test_an_abort_ends_its_own_transaction_only(self) -> None:
        """One in which nothing was written leaves the one before as it is."""
        with self.listener.recording() as effects:
            self.insert(1)
            self.break_off(self.in_transaction({'commitTransaction': 1}, 1), LOST)
            self.start(self.in_transaction({'abortTransaction': 1}, 2))
        self.assertTrue(effects.wrote)


class MemoryTest(ListenerTest):
    """A recording does not grow with the number of commands."""

    def test_answered_commands_leave_nothing_behind(self) -> None:
        """Nor do those that failed, whether they are in doubt or not."""

        def work(times: int) -> int:
            with self.listener.recording() as effects:
                for number in range(times):
                    insert = self.in_session(INSERT, 3 * number)
                    error = {'code': 91, 'errmsg': 'shutting down'}
                    reply = {'n': 1, 'writeConcernError': error, 'ok': 1}
                    self.succeed(insert, reply)
                    self.break_off(self.in_session(INSERT, 3 * number + 1), LOST)
                    self.break_off(INSERT, LOST)
                    self.succeed(self.in_transaction(INSERT, 3 * number + 2), reply)
                    for end in ('commitTransaction', 'abortTransaction'):
                        self.succeed(
                            self.in_transaction({end: 1}, 3 * number + 2), {'ok': 1}
                        )
                    self.succeed({'create': 'towns'}, {'ok': 1})
            self.assertEqual(effects.changes['geo.cities'].inserted, 2 * times)
            kept = [*vars(effects).values(), *vars(effects.ledger).values()]
            return sum(len(value) for value in kept if isinstance(value, dict))

        self.assertEqual(work(5), work(500))

    def test_writes_in_doubt_are_bounded_but_not_forgotten(self) -> None:
        """Each lost connection costs PyMongo a session, and brings a new one."""
        insert = {**INSERT, 'txnNumber': 1}
        with self.listener.recording() as effects:
            self.break_off(
                {**insert, 'insert': 'first', 'lsid': {'id': b'first'}}, LOST
            )
            for number in range(2 * ATTEMPTS):
                self.break_off({**insert, 'lsid': {'id': str(number).encode()}}, LOST)
        self.assertEqual(len(effects.ledger._attempts), ATTEMPTS)
        self.assertEqual(
            effects.describe('geo'),
            'cities perhaps changed by insert (no answer); '
            'first perhaps changed by insert (no answer)',
        )


class LedgerTest(unittest.TestCase):
    def test_it_may_be_asked_while_it_counts(self) -> None:
        """As by a loop that ends while garbage is collected."""
        ledger = Ledger()

        class Reply(dict[str, Any]):
            def __contains__(self, key: object) -> bool:
                asked.append(ledger.total())
                return super().__contains__(key)

        asked = list[Any]()
        counts = threading.Thread(
            target=ledger.count,
            args=('insert', 'mtest', INSERT, Reply(n=1, ok=1)),
            daemon=True,
        )
        counts.start()
        counts.join(60)
        self.assertFalse(counts.is_alive())
        self.assertEqual(ledger.total()['mtest.cities'].inserted, 1)
        self.assertTrue(asked)


@contextmanager
def hectic() -> Iterator[None]:
    """Have Python go from thread to thread as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def meanwhile(work: Callable[[int], object]) -> Iterator[None]:
    """Have another thread do some work again and again, with numbers from 1000 on."""
    over = threading.Event()

    def repeat() -> None:
        for number in itertools.count(1000):
            if over.is_set():
                return
            work(number)

    with ThreadPoolExecutor(1) as pool:
        repeated = pool.submit(repeat)
        try:
            yield
        finally:
            over.set()
    repeated.result()


class ClientsTest(ListenerTest):
    """`listen()` and `unwatched_clients()`."""

    def test_a_process_that_listens_hears_every_later_client(self) -> None:
        """Those made before it are seen, as long as they live."""
        program = """
            import gc
            from pymongo import MongoClient
            from migopy.effects import EffectsListener, listen, unwatched_clients

            early = MongoClient('127.0.0.1:1')
            listener = listen()
            assert listen() is listener
            late = MongoClient('127.0.0.1:1')
            assert unwatched_clients(listener)
            early.close()
            del early
            gc.collect()
            assert not unwatched_clients(listener)
            assert unwatched_clients(EffectsListener())
            late.close()
        """
        subprocess.run(
            [sys.executable, '-c', textwrap.dedent(program)], check=True, timeout=60
        )

    def test_those_that_come_and_go_meanwhile_disturb_nobody(self) -> None:
        """In another database's thread, while this one goes through all there are."""

        class Client:
            _event_listeners = mock.Mock(event_listeners=lambda: [self.listener])

        some, late = WeakValueDictionary[int, Client](), list[Client]()
        kept = [some.setdefault(number, Client()) for number in range(100)]
        with mock.patch.object(MongoClient, '_clients', some), hectic():

            def come_and_go(number: int) -> None:
                if number % 10:
                    late.append(some.setdefault(number, Client()))
                else:
                    late.clear()

            with meanwhile(come_and_go):
                for _ in range(300):
                    self.assertFalse(unwatched_clients(self.listener))
        self.assertEqual(len(kept), 100)

    def test_nor_do_processes_that_are_started(self) -> None:
        def start(number: int) -> None:
            sys.audit('os.exec', f'/bin/p{number}', [], None)

        with self.listener.recording() as effects, hectic(), meanwhile(start):
            for _ in range(300):
                self.assertLess(len(effects.unheard()), 3)

    def test_what_cannot_be_known_is_feared(self) -> None:
        """PyMongo keeps its clients in a private place, which may move."""
        with mock.patch.object(MongoClient, '_clients', {}):
            self.assertTrue(unwatched_clients(self.listener))
        with mock.patch.object(MongoClient, '_clients', None):
            self.assertTrue(unwatched_clients(self.listener))

    def test_an_event_that_is_told_twice_counts_once(self) -> None:
        """A listener may be registered for all clients and given to one as well."""
        with self.listener.recording() as effects:
            for _ in range(2):
                self.listener.started(started(INSERT, 1))
            for _ in range(2):
                self.listener.succeeded(succeeded(INSERT, 1, {'n': 1, 'ok': 1}))
        self.assertEqual(effects.describe('geo'), 'cities 1 inserted')
