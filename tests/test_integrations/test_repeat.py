"""`repeat = True` in a file: run again, after all others, when it has changed."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from migopy import MigopyException
from tests.fleets import FleetTest
from tests.project import FabTest, PlainTest

#: Writes down that it has run, as the version that it is.
RAN = """
    def up(db):
        db.ran.insert_one({'name': '{name}', 'version': {version}})
    """

DOWN = """
    def down(db):
        db.ran.insert_one({'name': '{name}', 'version': -{version}})
    """

KILLS = """
    import os
    import signal

    repeat = True

    def up(db):
        db.ran.insert_one({'name': 'v', 'version': 2})
        os.kill(os.getpid(), signal.SIGKILL)
    """

VIEW = """
    repeat = True

    def up(db):
        db.drop_collection('open')
        db.create_collection('open', viewOn='notes', pipeline=[{'$match': {match}}])
    """


def ran(name: str, version: int = 1, top: str = '', down: str = '') -> str:
    text = f'    {top}\n{RAN}{down}'
    return text.replace('{name}', name).replace('{version}', str(version))


class RepeatTest(PlainTest):
    """Two files that run once and, of smaller numbers, two that run again."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('005_b.py', ran('b'))
        self.migration('004_a.py', ran('a'))
        self.again('002_z.py')
        self.again('003_v.py')

    def again(
        self, name: str, version: int = 1, down: str = '', more: str = ''
    ) -> None:
        letter = name[4:-3]
        top = f'repeat = True\n    {more}'
        self.migration(name, ran(letter, version, top, down))

    def ran(self) -> list[str]:
        return [f'{each["name"]}{each["version"]}' for each in self.db.ran.find()]

    def run_all(self) -> list[str]:
        """Execute what is pending; give what that ran."""
        before = len(self.ran())
        self.manager().execute()
        return self.ran()[before:]

    def told(self, command: str, *values: str, **options: Any) -> str:
        self.logger.said.clear()
        getattr(self.manager(), command)(*values, **options)
        return self.said()

    def said(self) -> str:
        return '\n'.join(message for _, message in self.logger.said)

    def refused(self, command: str, *values: str, **options: Any) -> str:
        before = self.contents('migrations'), self.ran()
        with self.assertRaises(MigopyException) as caught:
            getattr(self.manager(), command)(*values, **options)
        self.assertEqual((self.contents('migrations'), self.ran()), before)
        return str(caught.exception)

    def test_they_run_after_all_others_in_order_of_name(self) -> None:
        self.assertEqual(self.run_all(), ['a1', 'b1', 'z1', 'v1'])
        self.assertEqual(self.run_all(), [])
        self.migration('006_c.py', ran('c'))
        self.again('003_v.py', 2)
        self.assertEqual(self.run_all(), ['c1', 'v2'])
        self.again('003_v.py', 3)
        self.again('002_z.py', 2)
        self.assertEqual(self.run_all(), ['z2', 'v3'])
        self.assertEqual(self.run_all(), [])
        self.assertEqual(len(self.registered()), len(set(self.registered())))

    def test_the_record_is_of_the_last_run_and_the_history_has_all(self) -> None:
        self.run_all()
        [first] = self.db.migrations.find({'name': '003_v.py'})
        self.again('003_v.py', 2)
        self.run_all()
        [second] = self.db.migrations.find({'name': '003_v.py'})
        self.assertGreater(second['executed_at'], first['executed_at'])
        self.assertNotEqual(second['checksum'], first['checksum'])
        self.assertEqual(second.keys(), first.keys())
        runs = list(self.db.migrations_history.find({'name': '003_v.py'}))
        self.assertEqual([each['outcome'] for each in runs], ['executed'] * 2)
        self.assertFalse(any(each['unsettled'] for each in runs))

    def test_a_line_end_is_no_change(self) -> None:
        self.run_all()
        path = self.folder / 'mongomigrations/003_v.py'
        path.write_bytes(path.read_bytes().replace(b'\n', b'\r\n'))
        self.assertEqual(self.run_all(), [])

    def test_in_a_transaction_and_among_many(self) -> None:
        self.again('003_v.py', more='transaction = True')
        for number in range(100, 160):
            self.again(f'{number}_v.py')
        self.assertEqual(len(self.run_all()), 64)
        self.again('003_v.py', 2, more='transaction = True')
        for number in range(100, 160):
            self.again(f'{number}_v.py', 2)
        self.assertEqual(self.run_all(), ['v2'] * 61)
        self.assertEqual(self.run_all(), [])
        self.assertEqual(self.db.migrations.count_documents({}), 64)
        self.assertEqual(
            self.db.migrations_history.count_documents({'unsettled': True}), 0
        )

    def test_to_a_name_they_come_after_it(self) -> None:
        self.manager().execute(to='005')
        self.assertEqual(self.ran(), ['a1', 'b1'])
        self.manager().execute(to='002_z.py')
        self.assertEqual(self.ran(), ['a1', 'b1', 'z1'])
        self.manager().execute()
        self.again('002_z.py', 2)
        self.again('003_v.py', 2)
        self.manager().execute(to='5')
        self.assertEqual(self.ran(), ['a1', 'b1', 'z1', 'v1'])
        self.manager().execute(to='3')
        self.assertEqual(self.ran()[4:], ['z2', 'v2'])

    def test_by_its_name_it_runs_at_any_time(self) -> None:
        self.manager().execute('003')
        self.manager().execute('003')
        self.assertEqual(self.ran(), ['v1', 'v1'])
        self.assertEqual(self.registered(), ['003_v.py'])
        self.assertIn('registered already', self.refused('ignore', '003'))

    def test_pending_first_and_to_run_again_later(self) -> None:
        said = self.told('show_status')
        self.assertIn(
            'Unregistered migrations:\n004_a.py\n005_b.py\n002_z.py (repeat)', said
        )
        self.run_all()
        self.assertIn('All migrations registered', self.told('show_status'))
        self.manager().check()
        self.again('003_v.py', 2)
        said = self.told('show_status')
        self.assertEqual(
            said,
            'Changed, to run again:\n003_v.py\nTo execute them: fab migrations:execute',
        )
        with self.assertRaisesRegex(MigopyException, 'need attention'):
            self.manager().check()
        said = self.told('list')
        self.assertRegex(said, '005_b.py +applied +.*\n002_z.py +applied, repeat +.*')
        self.assertRegex(said, r'003_v.py +pending, repeat, again +\d{4}')
        self.assertIn('4 migrations: 3 applied, 1 pending', said)
        self.assertIn('003_v.py', self.manager().unregistered())

    def test_an_older_number_is_not_late_and_makes_none_late(self) -> None:
        self.again('900_w.py')
        self.run_all()
        self.migration('006_c.py', ran('c'))
        self.again('001_u.py')
        self.again('006_t.py')
        said = self.told('show_status')
        self.assertNotIn('Late', said)
        self.assertNotIn('Equal numbers', said)
        manager = self.manager(ALLOW_LATE=False)
        manager.execute()
        self.assertEqual(self.ran()[-3:], ['c1', 'u1', 't1'])

    def test_ignore_takes_its_content_as_executed(self) -> None:
        self.run_all()
        self.again('003_v.py', 2)
        self.again('002_z.py', 2)
        self.manager().ignore('003')
        self.assertEqual(self.run_all(), ['z2'])
        self.again('002_z.py', 3)
        self.manager().ignore()
        self.assertEqual(self.run_all(), [])
        self.assertEqual(len(self.registered()), 4)
        self.again('003_v.py', 3)
        self.assertEqual(self.run_all(), ['v3'])

    def test_accept_takes_its_content_as_executed(self) -> None:
        self.run_all()
        self.again('003_v.py', 2)
        self.manager().accept('003')
        self.assertEqual(self.run_all(), [])

    def test_a_baseline_leaves_them_pending(self) -> None:
        self.manager().baseline('5')
        self.assertEqual(self.run_all(), ['z1', 'v1'])

    def test_forget_and_rename(self) -> None:
        self.run_all()
        folder = self.folder / 'mongomigrations'
        os.rename(folder / '003_v.py', folder / '003_w.py')
        self.assertIn('rename,003_v.py,003_w.py', self.refused('execute'))
        self.manager().rename('003_v.py', '003_w.py')
        self.assertEqual(self.run_all(), [])
        (folder / '002_z.py').unlink()
        self.manager().forget('002')
        self.assertEqual(self.registered(), ['003_w.py', '004_a.py', '005_b.py'])

    def test_forget_and_rename_offer_what_works_for_one_that_is_there(self) -> None:
        self.run_all()
        for typed, next_step in (
            (('forget', '003'), 'See the status: fab migrations'),
            (
                ('rename', '003', '003_views'),
                'fab migrations:rename,003_v.py,003_views',
            ),
        ):
            said = self.refused(*typed)
            self.assertIn('003_v.py is not missing', said)
            self.assertNotIn('rollback', said)
            self.assertTrue(said.endswith(next_step), said)

    def test_rollback_has_no_way_back_without_a_down(self) -> None:
        self.run_all()
        said = self.refused('rollback', '003')
        self.assertIn('003_v.py has no down(), and needs none', said)
        self.assertIn('fab migrations:execute,003_v.py', said)
        said = self.refused('rollback', to='003')
        self.assertIn('there is no way back to it', said)

    def test_rollback_passes_them_over_unless_named(self) -> None:
        self.again('003_v.py', 1, DOWN)
        self.run_all()
        self.migration('005_b.py', ran('b', 1, '', DOWN))
        self.manager().rollback(last='1')
        self.assertEqual(self.ran()[-1], 'b-1')
        self.manager().rollback('003')
        self.assertEqual(self.ran()[-1], 'v-1')
        self.assertEqual(self.registered(), ['002_z.py', '004_a.py'])
        self.assertEqual(self.run_all(), ['b1', 'v1'])

    def test_one_that_was_executed_before_it_said_so(self) -> None:
        self.run_all()
        self.migration('004_a.py', ran('a', 2, 'repeat = True'))
        self.assertIn('to run again:\n004_a.py', self.told('show_status'))
        self.assertEqual(self.run_all(), ['a2'])
        self.migration('004_a.py', ran('a', 3))
        self.assertIn('Changed since executed:\n  004_a.py', self.told('show_status'))
        self.assertEqual(self.run_all(), [])

    def test_a_record_of_1_0_says_nothing_of_its_content(self) -> None:
        self.register('002_z.py', '003_v.py', '004_a.py', '005_b.py')
        self.assertEqual(self.run_all(), ['z1', 'v1'])
        self.assertEqual(self.run_all(), [])

    def test_what_is_killed_or_fails_is_unfinished(self) -> None:
        self.run_all()
        self.migration(
            '003_v.py', 'repeat = True\ndef up(db): db.ran.insert_one({}); 1 / 0'
        )
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        self.assertIn('Unfinished: 003_v.py', self.told('show_status'))
        self.db.ran.delete_one({'version': {'$exists': False}})
        self.assertIn('Unfinished', self.refused('execute'))
        self.again('003_v.py', 2)
        self.manager().execute('003')
        self.assertEqual(self.ran()[-1], 'v2')
        self.assertIn('All migrations registered', self.told('show_status'))

    def test_one_that_wrote_nothing_is_to_run_again(self) -> None:
        self.run_all()
        self.migration('003_v.py', 'repeat = True\ndef up(db): 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        self.again('003_v.py', 2)
        self.assertEqual(self.run_all(), ['v2'])

    def test_a_dry_run_changes_nothing(self) -> None:
        self.run_all()
        self.again('003_v.py', 2)
        self.assertIn('ran 1 inserted', self.told('execute', dry_run='yes'))
        self.assertIn('ran 1 inserted', self.told('execute', '2', dry_run='yes'))
        self.assertEqual(self.run_all(), ['v2'])

    def test_a_dry_run_of_a_view_that_is_made_anew(self) -> None:
        self.db.notes.insert_one({'done': False})
        self.migration('003_v.py', VIEW.replace('{match}', "{'done': False}"))
        self.run_all()
        self.migration('003_v.py', VIEW.replace('{match}', "{'done': True}"))
        said = self.told('execute', dry_run='yes')
        self.assertIn('would drop view', said)
        self.assertIn('would make view', said)
        self.assertIn('nothing was changed', said)
        self.assertEqual(self.db.open.count_documents({}), 1)

    def test_plan_and_preflight(self) -> None:
        self.run_all()
        self.again('003_v.py', 2)
        path = str(self.folder / 'plan.json')
        self.manager().plan(file=path)
        with open(path) as file:
            planned = json.load(file)
        self.assertEqual([each['name'] for each in planned['migrations']], ['003_v.py'])
        self.told('preflight')
        self.manager().execute(plan=path)
        self.assertEqual(self.ran()[-1], 'v2')
        self.again('003_v.py', 3)
        self.assertIn('is not what', self.refused('execute', plan=path))

    def test_rehearse_runs_its_up_twice(self) -> None:
        self.run_all()
        match = "{'done': False}"
        self.migration('003_v.py', VIEW.replace('{match}', match))
        said = self.told('rehearse')
        self.assertRegex(said, r'003_v.py: up .*, up again ')
        self.assertIn('its second up gives the same', said)
        self.again('002_z.py', 2, DOWN)
        with self.assertRaisesRegex(MigopyException, '002_z.py'):
            self.manager().rehearse('002')
        self.assertIn('after its second up it is not as it was', self.said())

    def test_phases(self) -> None:
        self.again('003_v.py', more="phase = 'after'")
        self.migration('006_c.py', ran('c', 1, "phase = 'after'"))
        self.manager().execute(phase='before')
        self.assertEqual(self.ran(), ['a1', 'b1', 'z1'])
        self.manager().execute(phase='after')
        self.assertEqual(self.ran()[3:], ['c1', 'v1'])
        self.again('003_v.py', 2, more="phase = 'background'")
        self.assertEqual(self.run_all(), [])
        self.manager().work()
        self.assertEqual(self.ran()[-1], 'v2')
        self.again('003_v.py', 3)
        self.assertEqual(self.run_all(), ['v3'])

    def test_needs(self) -> None:
        self.again('003_v.py', more="needs = ['004_a', '002_z']")
        self.assertEqual(self.run_all(), ['a1', 'b1', 'z1', 'v1'])
        self.migration('006_c.py', ran('c', 1, "needs = ['003_v']"))
        said = self.told('show_status')
        why = '006_c.py: needs 003_v.py, which runs after all others (repeat = True)'
        self.assertIn(why, said)
        with self.assertRaises(MigopyException):
            self.manager().check(offline='yes')
        self.assertIn('which runs after all others', self.said())

    def test_environments(self) -> None:
        self.again('003_v.py', more="environments = ['staging']")
        self.assertEqual(self.run_all(), ['a1', 'b1', 'z1'])
        manager = self.manager(ENVIRONMENT='staging')
        manager.execute()
        self.again('003_v.py', 2, more="environments = ['staging']")
        self.assertEqual(self.run_all(), [])
        self.assertIn('(staging)', self.told('show_status'))
        self.assertIn('for staging alone', self.refused('execute', '003'))
        manager.execute()
        self.assertIn('for staging alone', self.refused('execute', '003'))
        self.assertEqual(self.ran()[3:], ['v1', 'v2'])

    def test_squash_leaves_them_out(self) -> None:
        self.manager().squash(to='005')
        self.assertEqual(self.run_all(), ['a1', 'b1', 'z1', 'v1'])
        self.assertIn('left out of squash', self.refused('squash', to='003'))

    def test_images_are_of_the_last_run(self) -> None:
        self.db.notes.insert_one({'_id': 1, 'n': 0})
        text = """
            repeat = True
            undo = True
            transaction = True
            def up(db):
                db.notes.update_one({'_id': 1}, {'$inc': {'n': 1}})  # """
        self.migration('003_v.py', f'{text}1')
        self.run_all()
        self.migration('003_v.py', f'{text}2')
        self.run_all()
        self.manager().rollback('003')
        self.assertEqual(self.contents('notes'), [{'n': 1}])
        self.assertNotIn('003_v.py', self.registered())

    def test_verify_asks_only_what_has_run(self) -> None:
        check = 'def verify(db):\n    return db.ran.count_documents({}) > 0\n'
        self.run_all()
        self.migration('003_v.py', f'repeat = True\ndef up(db): pass\n{check}')
        self.assertIn('No applied migration', self.told('verify'))
        self.assertIn('is to run again', self.refused('verify', '003'))
        self.run_all()
        self.assertIn('003_v.py', self.told('verify'))

    def test_create_passes_their_numbers_over(self) -> None:
        self.again('900_w.py')
        self.again('006_s.py')
        self.manager().create('next')
        self.assertTrue((self.folder / 'mongomigrations/007_next.py').exists())

    def test_what_is_no_bool_is_refused(self) -> None:
        for value in ('1', "'yes'", 'None', '[True]'):
            self.migration('003_v.py', f'repeat = {value}\ndef up(db): pass')
            said = self.refused('execute')
            self.assertIn(f'repeat = {value} is neither True nor False', said)
        self.migration('003_v.py', 'repeat = not False\ndef up(db): pass')
        self.assertIn('not written out at the top', self.refused('execute'))
        for word in ('REPEAT', 'repeatable', 'repeats'):
            self.migration('003_v.py', f'{word} = True\ndef up(db): pass')
            said = self.refused('execute')
            self.assertIn(f'{word} would be passed over: the word is `repeat`', said)
        self.migration(
            '003_v.py', "repeat = True\nreplaces = ['001_a.py']\ndef up(db): pass"
        )
        self.assertIn('not for a file that replaces', self.refused('execute'))

    def test_a_name_that_says_nothing_is_left_alone(self) -> None:
        for text in (
            'from itertools import repeat',
            'REPEAT = 3',
            'def repeat(): pass',
            'repeat = False',
        ):
            self.migration(
                '006_c.py',
                f'{text}\ndef up(db): db.ran.insert_one({{"name": "c", "version": 1}})',
            )
            self.assertIn('c1', self.run_all())
            self.db.migrations.delete_one({'name': '006_c.py'})


class KilledTest(FabTest):
    def test_a_killed_run_is_unfinished(self) -> None:
        self.migration('001_v.py', ran('v', 1, 'repeat = True'))
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_v.py', KILLS)
        self.assertEqual(self.fab('migrations:execute').status, -signal.SIGKILL)
        shown = self.fab('migrations').results
        self.assertIn('Unfinished: 001_v.py', shown)
        self.assertEqual(self.registered(), ['001_v.py'])
        self.migration('001_v.py', ran('v', 3, 'repeat = True'))
        refused = self.fab('migrations:execute')
        self.assertEqual(refused.status, 1)
        self.assertIn('fab migrations:execute,001_v.py', refused.stderr)
        self.assert_ok(self.fab('migrations:execute,001_v.py'))
        self.assertIn('All migrations registered', self.fab('migrations').results)

    def test_json(self) -> None:
        self.migration('001_v.py', ran('v', 1, 'repeat = True'))
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_v.py', ran('v', 2, 'repeat = True'))
        status = json.loads(self.fab('migrations:json=yes').stdout.splitlines()[0])
        self.assertEqual(status['status']['pending'], ['001_v.py'])
        self.assertEqual(status['status']['again'], ['001_v.py'])
        self.assertEqual(status['status']['changed'], [])
        listed = json.loads(self.fab('migrations:list,json=yes').stdout.splitlines()[0])
        [entry] = listed['list']
        self.assertEqual(entry['state'], 'pending')
        self.assertEqual(entry['also'], ['repeat', 'again'])
        self.assertIsNotNone(entry['when'])


class ManyTest(FleetTest):
    letters = 'ab'

    def test_in_each_database(self) -> None:
        self.migration('001_v.py', ran('v', 1, 'repeat = True'))
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_v.py', ran('v', 2, 'repeat = True'))
        self.assertIn('2', self.fab('migrations').results)
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:check'))
        for letter in self.letters:
            db = self.client[self.name(letter)]
            self.assertEqual([each['version'] for each in db.ran.find()], [1, 2])
            self.assertEqual(self.names_in(letter), ['001_v.py'])
