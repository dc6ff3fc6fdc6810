"""`rehearse` of many databases: each on a copy of its own, one after the other."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

from tests import schema
from tests.faults import eventually
from tests.fleets import FleetTest
from tests.project import Result

NAME = '001_a.py'

#: Brings back all that was, but for users that are called `bad`; fails at `worse`.
UP = """
    def up(db):
        for user in db.users.find({'name': 'worse'}):
            raise ValueError('no good')
        db.users.update_many({}, {'$set': {'seen': True}})

    def down(db):
        db.users.update_many({'name': {'$ne': 'bad'}}, {'$unset': {'seen': 1}})
"""

#: Waits in one database until it is ended.
WAITS = """
    import time

    def up(db):
        db.users.insert_one({'_id': 7})
        if db.name.endswith('_b'):
            open('begun', 'w').close()
            time.sleep(60)
"""


class RehearseTest(FleetTest):
    """What is rehearsed, said, and left behind."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.folder / 'tmp'
        self.own.mkdir()
        for letter in self.letters:
            self.users(letter).insert_many([{'_id': 1, 'name': 'ann'}, {'_id': 2}])

    def users(self, letter: str) -> Any:
        return self.client[self.name(letter)].users

    def rehearse(self, *more: str) -> Result:
        return self.fab(','.join(['migrations:rehearse', *more]), TMPDIR=str(self.own))

    def require_untouched(self) -> None:
        """Fail unless each database is as it was, and no copy is left."""
        self.assertEqual(list(self.own.iterdir()), [])
        for letter in self.letters:
            db = self.client[self.name(letter)]
            names = set(db.list_collection_names())
            self.assertLessEqual(names, {'users', 'settings', 'system.profile'})
            self.assertIsNone(db.users.find_one({'seen': {'$exists': True}}))
            self.assertIsNone(db.users.find_one({'_id': 7}))

    def test_all_is_well(self) -> None:
        self.migration(NAME, UP)
        said = self.shown(self.assert_ok(self.rehearse()))
        self.assertRegex(said, r'^3 databases on SERVER\nThe code of migrations really')
        for letter in 'abc':
            self.assertRegex(
                said, rf'\n{letter}: 001_a\.py rehearsed in .*: users 2 updated\n'
            )
        self.assertRegex(said, r'\nDatabases: 3 done \(.*\)\n')
        self.assertEqual(said.count('The code of migrations really runs'), 1)
        self.assertNotIn('Rehearsing', said)
        self.require_untouched()

    def test_what_differs_and_what_fails_is_told_again_at_the_end(self) -> None:
        self.migration(NAME, UP)
        self.users('a').update_one({'_id': 2}, {'$set': {'name': 'bad'}})
        self.users('c').update_one({'_id': 2}, {'$set': {'name': 'worse'}})
        result = self.rehearse('sample=100', 'all=yes')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertRegex(said, r'\na:   after its down it is not as it was:\n')
        self.assertIn('\na:     documents of users differ\n', said)
        self.assertRegex(said, r'\nb: 001_a\.py rehearsed in .*\n')
        self.assertRegex(said, r'\nc: 001_a\.py: up failed\n')
        self.assertIn('ValueError: no good', said)
        self.assertIn('\na: 1 of 1 failed the rehearsal, see above: 001_a.py\n', said)
        self.assertIn(
            '2 of 3 databases failed: a, c\n'
            'What went wrong in each stands above. To go on, type:'
            " fab 'migrations:rehearse,sample=100,only=a c'\n",
            said,
        )
        self.require_untouched()
        # Documents are for the terminal, and stand below what they are about.
        self.assertRegex(said, r'documents of users differ\n.*users _id 2\n')

    def test_on_a_terminal_there_is_one_bar_of_all(self) -> None:
        self.migration(NAME, UP)
        shown = self.on_terminal('migrations:rehearse')
        self.assertIn('databases: 3 of 3 (100%)', shown)
        self.assertNotIn('users: ', shown)

    def test_what_takes_long_is_told_of_with_its_name(self) -> None:
        loop = """
            import time
            import migopy

            def up(db):
                for each in migopy.progress(range(11), title='loop'):
                    time.sleep(1)
        """
        self.migration(NAME, loop)
        only = f'only={self.db.name}_[bz]'
        said = self.shown(self.assert_ok(self.rehearse(only)))
        self.assertRegex(said, r'\nb: 001_a\.py running for [5-7]\.. s: ')
        self.assertRegex(said, r'\nb: loop: 10 of 11 \(')

    def test_those_with_nothing_pending_are_passed_over(self) -> None:
        self.migration(NAME, UP)
        only = f'only={self.name("b")}'
        self.assert_ok(self.fab(f'migrations:ignore,{only}'))
        said = self.shown(self.assert_ok(self.rehearse()))
        self.assertIn('Databases: 2 done, 1 with nothing to do', said)
        self.assertNotIn('\nb: ', said)

    def test_patterns_choose(self) -> None:
        self.migration(NAME, UP)
        said = self.shown(self.rehearse(f'only={self.db.name}_[bc]'))
        self.assertEqual(re.findall(r'^([a-c]): 001', said, re.M), ['b', 'c'])
        said = self.shown(self.rehearse(f'except={self.name("b")}'))
        self.assertEqual(re.findall(r'^([a-c]): 001', said, re.M), ['a', 'c'])

    def test_what_no_rehearsal_can_tell_is_said_once(self) -> None:
        self.migration(NAME, 'def up(db): db.users.update_many({}, {"$set": {"x": 1}})')
        said = self.shown(self.assert_ok(self.rehearse()))
        text = '001_a.py: it has no down, so only its up was rehearsed'
        self.assertEqual(said.count(text), 1)
        self.assertEqual(len(re.findall(r'^[a-c]: 001_a\.py rehearsed', said, re.M)), 3)

    def test_a_sample_is_one_of_documents(self) -> None:
        """And nobody who means databases rehearses all of them."""
        self.migration(NAME, UP)
        result = self.rehearse('sample=1')
        self.assertEqual(result.status, 1)
        self.assertIn(
            'For rehearse, sample=1 means so many documents of each collection, not so'
            ' many databases; nothing was done.\n'
            'For one (or a pattern of several): fab'
            ' migrations:rehearse,sample=1,only=NAME\n'
            'For all: fab migrations:rehearse,sample=1,all=yes\n',
            result.stderr,
        )
        said = self.shown(self.assert_ok(self.rehearse('sample=1', 'all=yes')))
        for letter in 'abc':
            self.assertRegex(
                said, rf'\n{letter}: 001_a\.py rehearsed .*users 1 updated'
            )

    def test_what_is_of_one_is_refused(self) -> None:
        self.migration(NAME, UP)
        only = 'migrations:rehearse,{},only=NAME\n'
        for option, why in (
            (
                'from=2026',
                'from= names a dump, which is of one database; nothing was done.',
            ),
            (
                'on=mongodb://localhost/x',
                'on= names one database to copy to; nothing was done.',
            ),
        ):
            with self.subTest(option):
                result = self.rehearse(option)
                self.assertEqual(result.status, 1)
                self.assertIn(why, result.stderr)
                self.assertIn(only.format(option), result.stderr)
        result = self.rehearse('workers=2')
        self.assertIn('rehearsals come one after the other', result.stderr)
        self.assertIn('Type: fab migrations:rehearse,workers=1\n', result.stderr)

    def test_in_json(self) -> None:
        self.migration(NAME, UP)
        self.users('a').update_one({'_id': 2}, {'$set': {'name': 'bad'}})
        result = self.rehearse('json=yes')
        self.assertEqual(result.status, 1)
        lines = [schema.check(line) for line in result.results.splitlines()]
        # Where the machine is slow there are others, about how far all of it is.
        of_databases = [each for each in lines if each['event'] == 'database']
        found = {each['database'][-1]: each for each in of_databases}
        self.assertEqual(
            {letter: each['outcome'] for letter, each in found.items()},
            {'a': 'failed', 'b': 'done', 'c': 'done'},
        )
        self.assertFalse(found['a']['rehearsed'][0]['ok'])
        self.assertEqual(found['b']['rehearsed'][0]['name'], NAME)
        self.assertFalse(json.loads(result.results.splitlines()[-1])['ok'])

    def test_an_interrupted_one_leaves_nothing(self) -> None:
        self.migration(NAME, WAITS)
        begun = Path(self.folder, 'begun')
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start('migrations:rehearse', TMPDIR=str(self.own))
            eventually(begun.exists, 'the second database')
            begun.unlink()
            process.send_signal(number)
            result = self.ended(process)
            self.assertEqual(result.status, 128 + number)
            said = self.shown(result)
            self.assertRegex(said, r'\na: 001_a\.py rehearsed in ')
            self.assertIn('1 not begun', said)
            self.assertNotIn('\nc: ', said)
            self.require_untouched()

    def test_without_a_mongod_it_is_said_once(self) -> None:
        self.migration(NAME, UP)
        result = self.fab('migrations:rehearse', MIGOPY_MONGOD='/no/such/program')
        self.assertEqual(result.status, 1)
        self.assertEqual(result.stderr.count('MIGOPY_MONGOD is /no/such/program'), 1)
