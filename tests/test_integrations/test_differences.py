"""What a dry run would change is shown document by document, and is true."""

from __future__ import annotations

import contextlib
import threading
import unittest
from collections.abc import Iterator
from typing import Any

from bson import Int64, MaxKey, MinKey, ObjectId, encode
from pymongo.client_session import ClientSession

from migopy.differences import Comparison, States, compare, pin_snapshot, state_before
from migopy.effects import Clues
from migopy.run.transaction import aborted
from tests import server
from tests.hostile import raw
from tests.project import FabTest

#: Documents in a collection where a bounded or a whole scan is to be seen.
MANY = 5000

EUROS = """
    def up(db):
        for account in db.accounts.find({'currency': 'HRK'}):
            euros = round(account['balance'] / 7.5345, 2)
            db.accounts.update_one(
                {'_id': account['_id']}, {'$set': {'balance': euros, 'currency': 'EUR'}}
            )
        db.rates.insert_one({'_id': 'HRK', 'rate': 7.5345})
        db.drafts.delete_many({})

    def down(db):
        db.rates.delete_one({'_id': 'HRK'})
"""


class ShowTest(FabTest):
    """`fab migrations:execute,show=5`."""

    def state(self) -> Any:
        """Hash all collections of the test's databases."""
        names = [self.db.name, f'{self.db.name}_2']
        return [self.client[name].command('dbHash')['md5'] for name in names]

    def shown(self, typed: str = 'migrations:execute,show=5') -> str:
        """Give what a dry run shows; it must change nothing."""
        before = self.state()
        result = self.assert_ok(self.fab(typed))
        self.assertEqual(self.state(), before)
        self.assertIn('Dry run: nothing was changed', result.stderr)
        return result.stderr

    def test_of_texts_that_are_no_utf_8(self) -> None:
        """A server keeps what an old driver has sent; it ends no command."""
        content = encode({'_id': 1, 'name': 'Zxrich'}).replace(b'Zx', b'Z\xfc')
        self.db.users.insert_one(raw(content))
        self.migration(
            '001_seen.py',
            """
            def up(db):
                db.users.update_many({}, {'$set': {'seen': 1}})
            """,
        )
        said = self.shown()
        self.assertIn('users 1 updated\n  ~ users _id 1\n      seen: ', said)

    def test_fields_before_and_after(self) -> None:
        self.db.accounts.insert_many(
            {'_id': n, 'balance': 1320.5 + n, 'currency': 'HRK'} for n in range(9)
        )
        self.db.drafts.insert_one({'_id': ObjectId('0' * 24)})
        self.migration('001_euros.py', EUROS)
        said = self.shown()
        self.assertIn(
            '001_euros.py would do: accounts 9 updated; drafts 1 deleted;'
            ' rates 1 inserted\n'
            '  ~ accounts _id 0\n'
            '      balance:  1320.5 -> 175.26\n'
            "      currency: 'HRK' -> 'EUR'\n"
            '  ~ accounts _id 1\n',
            said,
        )
        self.assertEqual(said.count('~ accounts'), 5)
        self.assertIn("  - drafts _id ObjectId('000000000000000000000000')\n", said)
        self.assertIn("  + rates _id 'HRK'\n      rate: 7.5345\n", said)
        # What it showed is what happens.
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(
            self.db.accounts.find_one({'_id': 0}),
            {'_id': 0, 'balance': 175.26, 'currency': 'EUR'},
        )

    def test_rollback_likewise(self) -> None:
        self.migration('001_euros.py', EUROS)
        self.assert_ok(self.fab('migrations:execute'))
        said = self.shown('migrations:rollback,1,show=1')
        self.assertIn("  - rates _id 'HRK'\n      rate: 7.5345\n", said)
        self.assertEqual(self.registered(), ['001_euros.py'])

    def test_a_number_that_is_none_is_one_sentence(self) -> None:
        self.migration('001_euros.py', EUROS)
        for typed in ('show=many', 'show=0', 'show=-1', 'show=', 'show=5000'):
            for command in ('execute', 'rollback,1'):
                with self.subTest(typed, command=command):
                    error = self.error(f'migrations:{command},{typed}')
                    self.assertIn(typed, error)
                    self.assertIn('nothing was done', error)
        self.assertEqual(self.registered(), [])

    def test_every_kind_of_write(self) -> None:
        for name in ('a', 'b', 'c', 'd', 'e', 'f', 'g'):
            self.db[name].insert_many({'_id': n, 'n': n} for n in range(3))
        self.client[f'{self.db.name}_2'].other.insert_one({'_id': 1, 'n': 1})
        self.migration(
            '001_kinds.py',
            """
            from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany

            def up(db):
                db.a.update_many({'n': 1}, [{'$set': {'n': {'$add': ['$n', 10]}}}])
                db.b.replace_one({'n': 2}, {'whole': True})
                db.c.update_one({'n': 'none'}, {'$set': {'made': 1}}, upsert=True)
                db.d.find_one_and_update({}, {'$set': {'n': 7}}, sort=[('n', -1)])
                db.d.find_one_and_delete({'n': 0})
                db.e.bulk_write([
                    InsertOne({'_id': 9}), DeleteOne({'_id': 0}),
                    UpdateMany({'_id': {'$gt': 0}}, {'$inc': {'n': 1}}),
                    ReplaceOne({'_id': 'up'}, {'n': 1}, upsert=True),
                ])
                db.f.update({'n': 1}, {'$set': {'old': 'call'}})
                db.g.update_many({}, {'$set': {'n': 0}})
                db.g.update_many({'n': 0, '_id': 1}, {'$set': {'n': 5}})
                db.client[db.name + '_2'].other.update_one({}, {'$set': {'n': 2}})
            """,
        )
        self.addCleanup(self.client.drop_database, f'{self.db.name}_2')
        said = self.shown()
        for lines in (
            '  ~ a _id 1\n      n: 1 -> 11\n',
            '  ~ b _id 2\n      n:     2 -> (none)\n      whole: (none) -> True\n',
            '  - d _id 0\n      n: 0\n',
            '  ~ d _id 2\n      n: 2 -> 7\n',
            '  + e _id 9\n',
            '  - e _id 0\n      n: 0\n',
            '  ~ e _id 1\n      n: 1 -> 2\n',
            "  + e _id 'up'\n      n: 1\n",
            "  ~ f _id 1\n      old: (none) -> 'call'\n",
            '  ~ g _id 1\n      n: 1 -> 5\n',
            '  ~ g _id 2\n      n: 2 -> 0\n',
            f'  ~ {self.db.name}_2.other _id 1\n      n: 1 -> 2\n',
        ):
            with self.subTest(lines):
                self.assertIn(lines, said)
        self.assertRegex(
            said, r"  \+ c _id ObjectId\('\w+'\)\n      n:    'none'\n      made: 1\n"
        )

    def test_several_steps_are_compared_with_before_the_first(self) -> None:
        self.db.a.insert_one({'_id': 1, 'n': 1})
        self.migration(
            '001_a.py', "def up(db): db.a.update_one({}, {'$inc': {'n': 1}})"
        )
        self.migration(
            '002_b.py', "def up(db): db.a.update_one({}, {'$inc': {'n': 1}})"
        )
        said = self.shown()
        self.assertIn('n: 1 -> 2\n', said)
        self.assertIn(
            '      n: 1 -> 3\n  (compared with how it was before 001_a.py)\n', said
        )

    def test_what_comes_to_nothing_is_not_shown(self) -> None:
        self.db.a.insert_one({'_id': 1, 'n': 1})
        self.migration(
            '001_a.py',
            """
            def up(db):
                db.a.update_one({}, {'$set': {'n': 2}})
                db.a.update_one({}, {'$set': {'n': 1}})
                db.b.insert_one({})
                db.b.delete_many({})
            """,
        )
        self.assertNotIn('_id', self.shown())

    def test_values_go_to_the_terminal_and_nowhere_else(self) -> None:
        log = self.folder / 'log'
        self.write(
            'fabfile.py',
            self.filled(self.fabfile)
            .replace(
                'class Migrations',
                f"""class Logger:
    def white(self, message):
        with open({str(log)!r}, 'a') as file:
            file.write(str(message) + chr(10))
    white_bold = red = green = white

class Migrations""",
            )
            .replace('MONGO_DATABASE', 'logger = Logger(); MONGO_DATABASE'),
        )
        self.db.people.insert_one({'_id': 1, 'name': 'Ann Secret'})
        self.migration('001_a.py', "def up(db): db.people.delete_one({'_id': 1})")
        result = self.assert_ok(self.fab('migrations:execute,show=5'))
        self.assertIn('Ann Secret', result.stderr)
        self.assertIn('people 1 deleted', log.read_text())
        self.assertNotIn('Secret', log.read_text())
        self.assertEqual(self.db.migrations_history.count_documents({}), 0)

    def test_hostile_text_and_colours(self) -> None:
        self.db.a.insert_one({'_id': '\x1b[2J\n', 'n\x1b': 1})
        self.migration(
            '001_a.py', "def up(db): db.a.update_many({}, {'$set': {'t': 1}})"
        )
        result = self.assert_ok(self.fab('migrations:execute,show=1'))
        self.assertNotIn('\x1b', result.stderr)
        self.assertIn(r"  ~ a _id '\x1b[2J\n'", result.stderr)
        self.db.a.delete_many({})
        self.migration('001_a.py', "def up(db): db.a.insert_one({'_id': '\x1b[2J'})")
        shown = self.on_terminal('migrations:execute,show=1')
        self.assertIn("\x1b[92m  + a _id '\\x1b[2J'\x1b[0m", shown)
        self.assertNotIn('\x1b[2J', shown)

    def test_a_password_is_hidden_here_too(self) -> None:
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                'MONGO_DATABASE', "MONGO_USER_PASS = 'pass-of-ann'; MONGO_DATABASE"
            ),
        )
        self.migration('001_a.py', "def up(db): db.a.insert_one({'p': 'pass-of-ann'})")
        result = self.fab('migrations:execute,show=1')
        self.assertNotIn('pass-of-ann', result.stderr)

    def test_of_one_that_fails_a_dry_run_is_what_is_to_be_typed_again(self) -> None:
        self.migration('001_a.py', 'def up(db): 1 / 0')
        for typed in ('dry_run=yes,show=1', 'show=1'):
            result = self.fab(f'migrations:execute,{typed}')
            again = 'To try again: fab migrations:execute,dry_run=yes,show=1\n'
            self.assertIn(again, result.stderr)


class StatesTest(server.DatabaseTest):
    """Two states of one moment, compared while others write."""

    @contextlib.contextmanager
    def states(self) -> Iterator[tuple[States, ClientSession]]:
        """Open both; give the session of that which is to change something."""
        with (
            state_before(self.client, self.db.name, 'a') as before,
            aborted(self.client) as after,
        ):
            pin_snapshot(after, self.db.name)
            yield States(self.client, before, after), after

    def compared(
        self, states: States, wanted: int = 100, clues: Clues | None = None
    ) -> Comparison:
        return compare(
            states, f'{self.db.name}.a', clues or Clues(), wanted, seconds=60
        )

    def pairs(self, comparison: Comparison) -> list[tuple[Any, bool, bool]]:
        """List what was found: the `_id`, and whether it was there and would be."""
        self.assertEqual(comparison.reason, '')
        return [
            (each.id.decoded(), each.before is not None, each.after is not None)
            for each in comparison.differences
        ]

    def test_a_scan_finds_each_difference_whatever_the_id(self) -> None:
        ids: list[Any] = [
            MinKey(),
            None,
            -1,
            Int64(2),
            2.5,
            'a',
            'b',
            {'b': 1, 'a': 2},
            {'a': 2, 'b': 1},
            b'x',
            ObjectId(),
            True,
            MaxKey(),
        ]
        self.db.a.insert_many([{'_id': each, 'n': 1} for each in ids])
        with self.states() as (states, session):
            self.db.a.update_many({}, {'$set': {'n': 2}}, session=session)
            found = self.pairs(self.compared(states))
        self.assertCountEqual(found, [(each, True, True) for each in ids])
        with self.states() as (states, session):
            self.db.a.delete_many({}, session=session)
            found = self.pairs(self.compared(states))
        self.assertCountEqual(found, [(each, True, False) for each in ids])

    def test_came_went_and_changed_at_every_place(self) -> None:
        self.db.a.insert_many({'_id': n, 't': 'x' * 100} for n in range(0, MANY, 2))
        first, last = 0, MANY - 2
        with self.states() as (states, session):
            for id in (-1, 1, 3, 1001, MANY + 1, MANY + 3):
                self.db.a.insert_one({'_id': id}, session=session)
            for id in (first, 4, 6, 1000, last):
                self.db.a.delete_one({'_id': id}, session=session)
            for id in (2, 8, 1002, last - 2):
                self.db.a.update_one({'_id': id}, {'$set': {'n': 1}}, session=session)
            comparison = self.compared(states)
        expected = [
            *((each, False, True) for each in (-1, 1, 3, 1001, MANY + 1, MANY + 3)),
            *((each, True, False) for each in (first, 4, 6, 1000, last)),
            *((each, True, True) for each in (2, 8, 1002, last - 2)),
        ]
        self.assertEqual(sorted(self.pairs(comparison)), sorted(expected))
        self.assertTrue(comparison.is_whole)
        self.assertEqual(comparison.compared, MANY // 2)

    def test_one_equal_to_the_server_in_place_of_another(self) -> None:
        self.db.a.insert_many([{'_id': 0}, {'_id': 1}, {'_id': 2}])
        with self.states() as (states, session):
            self.db.a.delete_one({'_id': 1}, session=session)
            self.db.a.insert_one({'_id': 1.0}, session=session)
            [found] = self.compared(states).differences
        self.assertEqual(found.before and found.before[4], 0x10)
        self.assertEqual(found.after and found.after[4], 0x01)

    def test_with_a_collation(self) -> None:
        self.db.create_collection('a', collation={'locale': 'en', 'strength': 2})
        self.db.a.insert_many([{'_id': each} for each in ('B', 'a', 'C', 'é', 'z')])
        with self.states() as (states, session):
            self.db.a.delete_one({'_id': 'b'}, session=session)
            self.db.a.insert_one({'_id': 'D'}, session=session)
            self.db.a.delete_one({'_id': 'A'}, session=session)
            self.db.a.insert_one({'_id': 'A'}, session=session)
            comparison = self.compared(states)
        self.assertCountEqual(
            self.pairs(comparison),
            [('a', True, True), ('B', True, False), ('D', False, True)],
        )

    def test_clues_lead_there_at_once(self) -> None:
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(MANY))
        clues = Clues(
            filters=[{'filter': {'n': MANY - 1}}, {'filter': {'$nonsense': 1}}],
            ids=['new', object()],
        )
        with self.states() as (states, session):
            self.db.a.update_one({'n': MANY - 1}, {'$inc': {'n': 1}}, session=session)
            self.db.a.insert_one({'_id': 'new'}, session=session)
            comparison = self.compared(states, 2, clues)
        self.assertEqual(
            self.pairs(comparison), [('new', False, True), (MANY - 1, True, True)]
        )
        self.assertEqual(comparison.compared, 0)

    def test_a_scan_says_where_its_time_was_out(self) -> None:
        self.db.a.insert_many({'_id': n} for n in range(MANY))
        with self.states() as (states, session):
            self.db.a.delete_one({'_id': MANY - 1}, session=session)
            comparison = compare(states, f'{self.db.name}.a', Clues(), 5, seconds=0)
        self.assertTrue(comparison.is_bounded)
        self.assertFalse(comparison.is_whole)
        self.assertEqual(comparison.differences, [])
        self.assertLess(comparison.compared, MANY)

    def test_others_changes_between_the_openings_are_not_shown(self) -> None:
        """Those that no luck can hide: they are certain to come in between."""
        self.db.a.insert_many({'_id': n, 'n': 0} for n in range(6))
        with state_before(self.client, self.db.name, 'a') as before:
            self.db.a.update_one({'_id': 0}, {'$set': {'n': 'other'}})
            self.db.a.delete_one({'_id': 1})
            self.db.a.insert_one({'_id': 'other'})
            with aborted(self.client) as after:
                pin_snapshot(after, self.db.name)
                states = States(self.client, before, after)
                self.db.a.update_one({'_id': 2}, {'$set': {'n': 1}}, session=after)
                self.db.a.delete_one({'_id': 3}, session=after)
                self.db.a.insert_one({'_id': 'own'}, session=after)
                clues = Clues(filters=[{'filter': {}}], ids=['other', 'own'])
                for each in (Clues(), clues):
                    found = self.pairs(self.compared(states, clues=each))
                    self.assertCountEqual(
                        found,
                        [(2, True, True), (3, True, False), ('own', False, True)],
                    )

    def test_with_a_validator_and_a_unique_index(self) -> None:
        fields = {'_id': {}, 'n': {'bsonType': 'int'}}
        schema = {'properties': fields, 'additionalProperties': False}
        self.db.create_collection('a', validator={'$jsonSchema': schema})
        self.db.a.create_index('n', unique=True)
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(4))
        with self.states() as (states, session):
            self.db.a.delete_one({'_id': 3}, session=session)
            self.db.a.update_one({'_id': 0}, {'$set': {'n': 3}}, session=session)
            self.db.a.insert_one({'_id': 9, 'n': 0}, session=session)
            found = self.pairs(self.compared(states))
        self.assertCountEqual(
            found, [(0, True, True), (3, True, False), (9, False, True)]
        )

    def test_with_documents_that_a_validator_was_kept_from(self) -> None:
        self.db.create_collection('a', validator={'n': {'$type': 'int'}})
        self.db.a.insert_many({'_id': n, 'n': n} for n in range(2))
        with self.states() as (states, session):
            passing: Any = {'bypass_document_validation': True, 'session': session}
            self.db.a.insert_one({'_id': 9, 'n': 'x'}, **passing)
            self.db.a.update_one({'_id': 0}, {'$set': {'n': 'x'}}, **passing)
            found = self.pairs(self.compared(states))
        self.assertCountEqual(found, [(0, True, True), (9, False, True)])

    def test_with_a_writer_running(self) -> None:
        self.db.a.insert_many({'_id': n, 'n': 0, 't': 'x' * 50} for n in range(MANY))
        stop = threading.Event()
        written = 0

        def write() -> None:
            nonlocal written
            with server.client() as client:
                a = client[self.db.name].a
                while not stop.is_set():
                    written += 1
                    a.update_one({'_id': written * 7 % MANY}, {'$inc': {'n': 1}})
                    a.insert_one({'_id': f'other {written}'})
                    a.delete_one({'_id': f'other {written - 5}'})

        writer = threading.Thread(target=write)
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(stop.set)
        own = [(f'own {n}', False, True) for n in range(3)]
        for _ in range(5):
            began = written
            with self.states() as (states, session):
                for name, *_ in own:
                    self.db.a.insert_one({'_id': name}, session=session)
                comparison = self.compared(states)
            self.assertTrue(comparison.is_whole)
            self.assertEqual(self.pairs(comparison), own)
            self.assertGreater(written, began)

    def test_a_collection_that_others_made_meanwhile(self) -> None:
        with self.states() as (states, _):
            self.db.other.insert_one({'_id': 1})
            comparison = compare(
                states, f'{self.db.name}.other', Clues(), 5, seconds=60
            )
        # What a server says of it depends on its version; nothing is shown as changed.
        self.assertEqual(comparison.differences, [])

    def test_nothing_is_left_of_the_trial_writes(self) -> None:
        self.db.a.insert_many({'_id': n, 'n': 0} for n in range(50))
        before = self.db.command('dbHash')['md5']
        with self.states() as (states, session):
            self.db.a.update_many(
                {'_id': {'$lt': 9}}, {'$inc': {'n': 1}}, session=session
            )
            self.db.b.insert_one({}, session=session)
            self.assertEqual(len(self.compared(states).differences), 9)
        self.assertEqual(self.db.command('dbHash')['md5'], before)


if __name__ == '__main__':
    unittest.main()
