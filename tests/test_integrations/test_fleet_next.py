"""What can be typed next after a command on many databases, and what that does."""

from __future__ import annotations

import re
import shlex
from textwrap import dedent

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.fleets import PICKY, FleetTest

#: Fails after it has written, where a document is called `bad`.
HALF = """
    def up(db):
        db.ran.insert_one({})
        if db.settings.find_one({'bad': True}):
            raise ValueError('no good')

    def down(db):
        db.ran.delete_many({})
"""


#: Prints a line in parts, and shows how far it is.
TALKATIVE = """
    import sys
    import time

    import migopy

    def up(db):
        for each in migopy.progress(range(5), title='loop'):
            sys.stdout.write('line ')
            time.sleep(0.02)
            print(each, 'of', db.name[-1])
            print('!', file=sys.stderr)
"""


class PrintedTest(FleetTest):
    """What a migration prints in several databases at once."""

    letters = 'abcd'

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', TALKATIVE)

    def require_whole(self, said: str) -> None:
        found = re.findall(r'([a-d]: line .*|[a-d]: !)\r*$', self.shortened(said), re.M)
        lines = [
            line
            for letter in self.letters
            for number in range(5)
            for line in (f'{letter}: line {number} of {letter}', f'{letter}: !')
        ]
        self.assertEqual(sorted(found), sorted(lines))

    def test_in_a_log_lines_never_mix(self) -> None:
        result = self.assert_ok(self.fab('migrations:execute'))
        self.require_whole(result.stdout + result.stderr)

    def test_nor_do_they_with_bars_on_a_terminal(self) -> None:
        shown = self.on_terminal('migrations:execute')
        without_bars = re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', shown)
        self.require_whole(without_bars)


class NextTest(FleetTest):
    """Next steps are true, harmless, and for the databases that were meant."""

    def test_each_has_its_way_back_besides(self) -> None:
        self.migration('001_a.py', HALF)
        self.spoil('a', 'c')
        self.assert_ok(self.fab('migrations:dbdump'))
        self.fab('migrations:execute')
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        told, _, at_the_end = self.shown(result).partition('2 of 3 databases failed')
        backs = re.findall(
            r'first attempt, .* ago. To go back to it:\n'
            r'  (fab migrations:dbrestore,\w+_([ac]),only=([ac]))',
            told,
        )
        self.assertEqual(sorted(each[1:] for each in backs), [('a', 'a'), ('c', 'c')])
        self.assertIn('For all of them, type one of:', at_the_end)
        self.assertNotIn('dbrestore', at_the_end)

    def test_unfinished_ones_are_settled_together(self) -> None:
        """The same command again would only say that they are unfinished."""
        self.migration('001_a.py', HALF)
        self.spoil('a', 'c')
        for _ in range(2):
            result = self.fab('migrations:execute')
            self.assertEqual(result.status, 1)
            said = self.shown(result).partition('2 of 3 databases failed')[2]
            self.assertRegex(
                said,
                'For all of them, type one of:\n'
                "  fab 'migrations:execute,001_a.py,only=(a c|c a)'"
                '  - run its up again\n'
                "  fab 'migrations:rollback,001_a.py,only=(a c|c a)'  - run its down\n"
                "  fab 'migrations:ignore,001_a.py,only=(a c|c a)'"
                '  - mark it as applied\n',
            )
        only = f'only={self.name("a")} {self.name("c")}'
        self.mend('a', 'c')
        self.assert_ok(self.fab(f'migrations:execute,001_a.py,{only}'))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)

    def test_what_is_unfinished_in_one_of_those_that_failed_is_settled_first(
        self,
    ) -> None:
        """The same command was refused there, and named itself again, for ever."""
        self.migration(
            '001_a.py',
            """
            def up(db):
                if db.settings.find_one({'half': True}):
                    db.ran.insert_one({})
                if db.settings.find_one({'bad': True}):
                    raise ValueError('no good')

            def down(db):
                db.ran.delete_many({})
            """,
        )
        self.spoil('a', 'c')
        self.client[self.name('c')].settings.insert_one({'half': True})
        for command in ('migrations:execute', 'migrations:execute,only=failed'):
            with self.subTest(command):
                result = self.fab(command)
                said = self.shown(result).partition('databases failed')[2]
                self.assertIn(
                    'stands above. First settle what is unfinished: the lines that do'
                    ' so stand above, too. Then type: fab'
                    ' migrations:execute,only=failed\n',
                    said,
                )
        self.mend('a', 'c')
        self.assert_ok(self.fab(f'migrations:rollback,1,only={self.name("c")}'))
        self.assert_ok(self.fab('migrations:execute'))

    def test_one_that_is_unfinished_is_told_of_as_one(self) -> None:
        self.migration('001_a.py', HALF)
        self.spoil('a')
        said = self.shown(self.fab('migrations:execute'))
        self.assertIn('1 of 3 databases failed: a\n', said)
        said = self.shown(self.fab('migrations:execute,only=failed'))
        self.assertIn(
            'It failed in a.\nWhat went wrong stands above. Type one of:\n'
            '  fab migrations:execute,001_a.py,only=a  - run its up again\n',
            said,
        )

    def test_a_canary_is_among_those_that_are_meant(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_error(
            self.fab(
                f'migrations:execute,only={self.name("a")},canary={self.name("b")}'
            ),
            'fits none of the databases, so nothing was done',
        )
        self.assertEqual(self.names_in('a'), [])

    def test_to_leave_out_all_is_an_error(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_error(
            self.fab('migrations:execute,except=*'),
            'except=* leaves no database, so nothing was done',
        )

    def test_what_is_asked_for_again_has_all_that_was_typed(self) -> None:
        for typed, lines in (
            (
                'rollback,last=1,except=x',
                (
                    'several): fab migrations:rollback,last=1,only=NAME\n',
                    'but these: fab migrations:rollback,last=1,except=x,all=yes\n',
                ),
            ),
            ('dbrestore,x,in_place=yes', ('dbrestore,x,in_place=yes,only=NAME\n',)),
            ('rehearse,sample=9', ('fab migrations:rehearse,sample=9,only=NAME\n',)),
            ('rollback,all=yes', ('type: fab migrations:history\n',)),
        ):
            with self.subTest(typed):
                result = self.fab(f'migrations:{typed}')
                self.assert_error(result, 'nothing was done', *lines)

    def test_of_some_only_those_are_named_next(self) -> None:
        self.migration('001_a.py')
        meant = f'except={self.name("a")}'
        looked = self.fab(f'migrations:show_status,{meant}')
        self.assertIn(f'To execute them: fab migrations:execute,{meant}\n', looked.said)
        self.migration('002_b.py', 'import no_such_module')
        for typed in ('execute,002_b.py', 'execute,2,dry_run=yes', 'execute,to=2'):
            result = self.fab(f'migrations:{typed},{meant}')
            self.assertEqual(result.status, 1)
            self.assertIn(f'then type: fab migrations:{typed},{meant}\n', result.said)
        only = f'only={self.name("b")}'
        result = self.fab(f'migrations:execute,2,dry_run=yes,{only}')
        again = f'then type: fab migrations:execute,2,dry_run=yes,{only}\n'
        self.assertIn(again, result.said)

    def test_nobody_is_led_to_undo_something_in_all_of_them(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_error(
            self.fab('migrations:rollback,1,all=yes'),
            'See what is applied: fab migrations:list',
        )

    def test_a_canary_that_is_gone_keeps_the_others_from_beginning(self) -> None:
        self.migration(
            '001_a.py', f"def up(db): db.client['{self.name('b')}'].settings.drop()"
        )
        canary = f'canary={self.name("a")} {self.name("b")}'
        self.assert_error(
            self.fab(f'migrations:execute,workers=1,{canary}'),
            'is gone',
            'so 1 other was not begun',
        )
        self.assertEqual(self.names_in('c'), [])

    def test_what_none_has_is_said_of_none_that_has_it(self) -> None:
        self.migration('001_a.py', f'{PICKY}\n    def verify(db): return True')
        self.assert_ok(self.fab(f'migrations:execute,except={self.name("a")}'))
        said = self.shown(self.assert_ok(self.fab('migrations:verify')))
        self.assertIn('Databases: 2 done, 1 with nothing to do', said)
        self.assertNotIn('No applied migration', said)

    def attempts(self) -> int:
        """Count the attempts to log in that the server has seen."""
        status = self.client.admin.command('serverStatus')
        ways = status['security']['authentication']['mechanisms'].values()
        return sum(each['authenticate']['received'] for each in ways)

    def test_a_password_that_is_refused_is_told_once(self) -> None:
        """Each attempt counts where accounts are locked after some of them."""
        uri = self.uri.replace('://', '://ann:s3cret@')
        listed = repr([*map(self.name, self.letters)])
        text = self.filled(self.fabfile).replace(self.uri, uri)
        self.write('fabfile.py', text.replace(f"'{self.db.name}_*'", listed))
        # PyMongo knocks twice for each connection.
        before = self.attempts()
        with MongoClient(uri) as client, self.assertRaises(OperationFailure):
            client.admin.command('ping')
        once = self.attempts() - before
        for command in ('migrations', 'migrations:execute'):
            before = self.attempts()
            result = self.assert_error(self.fab(command), 'refused the user name')
            self.assertEqual(result.said.count('refused the user name'), 1)
            self.assertEqual(self.attempts() - before, once)

    def test_what_has_to_run_before_is_named_first(self) -> None:
        self.migration('001_a.py', f"phase = 'before'\n{dedent(PICKY)}")
        self.migration('002_b.py', "phase = 'after'\ndef up(db): pass")
        self.assert_ok(
            self.fab(f'migrations:execute,phase=before,only={self.name("b")}')
        )
        result = self.fab('migrations:execute,phase=after')
        lines = self.shown(result).splitlines()[-2:]
        there = "only=a c'"
        self.assertEqual(
            lines,
            [
                'What went wrong in each stands above. First type:'
                f" fab 'migrations:execute,phase=before,{there}",
                f"Then type: fab 'migrations:execute,phase=after,{there}",
            ],
        )
        for line in result.said.splitlines()[-2:]:
            typed = line.split(' type: fab ')[-1].split('First type: fab ')[-1]
            self.assert_ok(self.fab(typed.strip("'")))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py', '002_b.py']] * 3)

    def test_what_was_renamed_is_renamed_in_all_or_in_those_that_have_it(self) -> None:
        self.migration('001_a.py', PICKY)
        folder = self.folder / 'mongomigrations'
        for old, new, which, there in (
            ('001_a.py', '001_b.py', '', ''),
            ('002_c.py', '002_d.py', f',only={self.name("[ac]")}', ',only=a c'),
        ):
            with self.subTest(new):
                self.migration(old, dedent(PICKY).replace('no good', old))
                self.assert_ok(self.fab(f'migrations:execute{which}'))
                (folder / old).rename(folder / new)
                rename = f'migrations:rename,{old},{new}{there}'
                rename = f"fab '{rename}'" if there else f'fab {rename}'
                shown = self.shown(self.assert_ok(self.fab('migrations')))
                said = f'If {new} is {old} under another name, and not to run: {rename}'
                self.assertIn(said, shown)
                shown = self.shown(
                    self.assert_error(self.fab('migrations:execute'), '')
                )
                self.assertIn(f'stands above. First type: {rename}\n', shown)
                typed = rename[4:].strip("'").replace('only=a c', which[1:])
                self.assert_ok(self.fab(typed))
                self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_b.py', '002_d.py']] * 3)

    def test_what_may_have_been_renamed_is_named_for_all(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_ok(self.fab('migrations:execute'))
        (self.folder / 'mongomigrations/001_a.py').unlink()
        self.migration('001_b.py', 'def up(db): pass')
        rename = 'fab migrations:rename,001_a.py,001_b.py'
        self.assertIn(
            'If 001_b.py is 001_a.py under another name, and not to run:'
            f' {rename}\nTo execute them: fab migrations:execute\n',
            self.assert_ok(self.fab('migrations')).stdout,
        )
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('it is applied already; in place of running it', result.said)

    def test_what_is_asked_for_in_all_is_offered_again_for_all(self) -> None:
        self.migration('001_a.py', 'def up(db): pass')
        self.assert_ok(self.fab('migrations:execute'))
        for typed in ('rollback,001', 'rollback,last=1'):
            with self.subTest(typed):
                for which in ('all=yes', f'only={self.db.name}_*'):
                    said = self.fab(f'migrations:{typed},{which}').said
                    self.assertIn('has no function `down`', said)
                    self.assertIn(f'migrations:{typed},{which}', said)
                    self.assertNotIn('NAME', said)

    def test_status_offers_no_run_of_all_phases_and_none_that_is_refused(self) -> None:
        self.migration('001_a.py')
        self.assertIn(
            'To execute them: fab migrations:execute\n',
            self.assert_ok(self.fab('migrations')).stdout,
        )
        self.migration('002_b.py', "phase = 'after'\ndef up(db): pass")
        self.migration('003_c.py', "phase = 'background'\ndef up(db): pass")
        self.assertIn(
            'Before the new code: fab migrations:execute,phase=before\n'
            'When no old code runs any more: fab migrations:execute,phase=after\n'
            'In the background: fab migrations:work\n',
            self.assert_ok(self.fab('migrations')).stdout,
        )
        self.assertIn(
            'To run later: 002_b.py, 003_c.py',
            self.fab('migrations:check,phase=before').stdout,
        )
        self.migration('000_bad.py', 'def up(db): db.ran.insert_one({}); 1 / 0')
        self.assertEqual(self.fab('migrations:execute,phase=before').status, 1)
        shown = self.assert_ok(self.fab('migrations')).stdout
        self.assertIn('Unfinished: 000_bad.py', shown)
        self.assertNotIn('migrations:execute', shown)

    def test_what_is_refused_in_all_is_not_offered_again(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('002_b.py', f"phase = 'background'\n{dedent(PICKY)}")
        self.migration('003_c.py', PICKY)
        for typed in (
            'forget,1',
            'baseline,1',
            f'baseline,1,canary={self.name("a")}',
            'execute,2',
            'rollback,to=3,all=yes,yes=yes',
        ):
            with self.subTest(typed):
                result = self.assert_error(self.fab(f'migrations:{typed}'), 'failed')
                self.assertNotIn(f'fab migrations:{typed[:6]}', self.shown(result))
        self.assert_error(
            self.fab('migrations:forget,1'), 'What went wrong in each stands above.\n'
        )

    def test_a_dry_run_that_cannot_show_all_is_not_offered_again(self) -> None:
        self.migration(
            '001_a.py',
            """
            def up(db):
                db.create_collection('v', viewOn='users', pipeline=[])
                list(db.v.find())
            """,
        )
        result = self.fab('migrations:execute,show=1')
        self.assertIn('type the same without show=1 and dry_run=yes.', result.said)
        self.assertNotIn('To go on', result.said)

    def test_the_plan_that_one_of_many_has_not_is_named(self) -> None:
        self.migration('001_a.py', PICKY)
        a, b = self.name('a'), self.name('b')
        self.assert_ok(self.fab('migrations:plan,file=plan.json'))
        (self.folder / f'plan-{b}.json').unlink()
        result = self.fab(f'migrations:execute,plan=plan.json,only={b}')
        self.assertIn(f'plan-{b}.json is no plan: No such file or direc', result.said)
        self.assertIn('To write one: fab migrations:plan,file=plan.json', result.said)
        self.migration('001_a.py', f'{dedent(PICKY)}# other')
        result = self.fab(f'migrations:execute,plan=plan.json,only={a}')
        self.assertIn(f'is not what plan-{a}.json says', result.said)
        self.assertIn('says now: fab migrations:plan,file=plan.json', result.said)

    def test_what_is_refused_in_some_is_offered_for_the_others(self) -> None:
        self.migration('001_a.py', PICKY)
        self.assert_ok(self.fab(f'migrations:execute,only={self.name("a")}'))
        b = self.client[self.name('b')]
        b.create_collection('migrations', validator={'never': {'$exists': True}})
        said = self.shown(self.fab('migrations:baseline,1'))
        self.assertIn('2 of 3 databases failed: ', said)
        self.assertIn('To go on, type: fab migrations:baseline,1,only=b\n', said)
        b.migrations.drop()
        self.assert_ok(self.fab(f'migrations:baseline,1,only={self.name("b")}'))

    def test_an_error_of_all_counts_none(self) -> None:
        self.migration('001_a.py', PICKY)
        result = self.assert_error(self.fab('migrations:execute,9'), 'no migration')
        self.assertNotIn('failed', result.stderr)

    def test_a_file_of_another_tool_is_told_of_once(self) -> None:
        self.migration('001_a.py', PICKY)
        for tool, text in (
            ('beanie', 'class Forward: pass'),
            ('yoyo', 'from yoyo import step'),
        ):
            self.migration('002_b.py', text)
            with self.subTest(tool):
                result = self.assert_error(self.fab('migrations:execute'), tool)
                self.assertEqual(result.said.count('002_b.py is a '), 1)
                self.assertNotIn('failed', result.said)
                self.assertNotIn(',only=', result.said)


class SaidTest(FleetTest):
    """What a command shows of a database in which it then fails."""

    def test_what_preflight_finds_stands_above_its_error(self) -> None:
        self.migration('001_a.py', PICKY)
        self.spoil('b')
        shown = self.shown(self.fab('migrations:preflight'))
        found = r'^b:\n.*001_a.py:4: problem: it failed in the dry run: ValueError'
        self.assertRegex(shown, f'(?m){found}')
        result = self.fab('migrations:preflight,format=github')
        self.assertRegex(result.stdout, '(?m)^::error file=')

    def test_so_does_what_a_command_of_the_fabfile_s_own_has_told(self) -> None:
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                '\nmigrations =',
                dedent(
                    """
                        def look(self):
                            self.logger.white('looked around')
                            raise ValueError('no good')

                    migrations ="""
                ),
            ),
        )
        shown = self.shown(self.fab('migrations:look,all=yes'))
        for letter in self.letters:
            self.assertIn(f'{letter}: looked around\n', shown)

    def test_what_is_not_verified_is_looked_at_again(self) -> None:
        """No history tells of it: `only=failed` took none, and all seemed well."""
        self.migration(
            '001_a.py',
            """
            def up(db): db.ran.insert_one({})

            def verify(db):
                return not db.settings.find_one({'bad': True})
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.spoil('b', 'c')
        said = self.shown(self.fab('migrations:verify'))
        again = "fab 'migrations:verify,only=b c'\n"
        self.assertTrue(said.endswith(f'To go on, type: {again}'), said)

    def test_what_a_worker_goes_on_with_is_for_the_worker(self) -> None:
        """Status had it settled first, and what needs it named itself for ever."""
        self.migration(
            '001_fill.py',
            """
            import os, signal
            import migopy

            phase = 'background'

            def up(db):
                migopy.update_each(db.settings, fill, batch_size=1)

            def fill(each):
                if each.get('bad'):
                    os.kill(os.getpid(), signal.SIGTERM)
                return {'$set': {'filled': True}}
            """,
        )
        needs = "phase = 'after'\nneeds = ['001_fill.py']\ndef up(db): pass"
        self.migration('002_after.py', needs)
        self.spoil('a')
        self.assertEqual(self.fab('migrations:work,workers=1').status, 143)
        self.mend('a')
        shown = self.shown(self.assert_ok(self.fab('migrations')))
        self.assertIn('Unfinished: 001_fill.py (a)\n', shown)
        self.assertNotIn('First settle', shown)
        self.assertIn('In the background: fab migrations:work\n', shown)
        after = 'fab migrations:execute,phase=after\n'
        self.assertIn(f'has ended, when no old code runs any more: {after}', shown)
        result = self.fab('migrations:execute,phase=after')
        lines = [each for each in result.said.splitlines() if each][-2:]
        self.assertIn(' First type: fab migrations:work,001_fill.py', lines[0])
        for line in lines:
            typed = line.split(' type: ')[-1].removeprefix('Then type: ')
            self.assert_ok(self.fab(*shlex.split(typed)[1:]))
        names = ['001_fill.py', '002_after.py']
        self.assertEqual([*map(self.names_in, 'abc')], [names] * 3)

    def test_what_only_other_commands_settle_is_not_named_again(self) -> None:
        undone = 'transaction = True\nundo = True\ndef up(db): db.ran.insert_one({})'
        self.migration('001_a.py', undone)
        self.assert_ok(self.fab('migrations:execute'))
        for letter in 'ab':
            self.client[self.name(letter)].ran.update_one({}, {'$set': {'x': 1}})
        end = 'What went wrong in each stands above.\n'
        said = self.shown(self.fab('migrations:rollback,001,all=yes'))
        self.assertIn('conflicts=keep,only=a\n', said)
        self.assertTrue(said.endswith(end), said)
        forget = 'migrations:undo,forget=001,all=yes'
        self.fab(forget)
        said = self.shown(self.fab(forget))
        self.assertIn('No images are kept of 001_a.py', said)
        self.assertTrue(said.endswith(end), said)

    def test_images_are_those_of_each_database(self) -> None:
        """An error of all ended it before the others, and said that nothing was run."""
        undone = 'transaction = True\nundo = True\ndef up(db): db.ran.insert_one({})'
        self.migration('001_a.py', undone)
        self.assert_ok(self.fab('migrations:execute'))
        only = f'only={self.name("a")}'
        self.assert_ok(self.fab(f'migrations:undo,forget=001,{only}'))
        result = self.fab('migrations:rollback,001,all=yes,workers=1')
        said = self.shown(result)
        self.assertEqual(result.status, 1)
        self.assertIn('a: 001_a.py has no down(), and no images of it are kept', said)
        self.assertIn('then type: fab migrations:rollback,001,only=a\n', said)
        self.assertIn('Databases: 2 done, 1 failed', said)
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py'], [], []])


#: Its `down` fails where a document has its number, in the last of two after a write.
COUNTED = """
    def up(db):
        pass

    def down(db):
        if db.settings.find_one({{'bad': {number}}}):
            raise ValueError('no good')
        if db.settings.find_one({{'half': {number}}}):
            db.ran.insert_one({{}})
            raise ValueError('no good')
"""


class CountedTest(FleetTest):
    """Typed again, `rollback,last=2` would undo more than was ever meant."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 6):
            self.migration(f'00{number}_a.py', COUNTED.format(number=number))
        self.assert_ok(self.fab('migrations:execute'))

    def roll_back(self, options: str = '', **spoilt: dict[str, int]) -> str:
        """Roll back two where documents stand in the way; give what is said."""
        for letter, document in spoilt.items():
            self.client[self.name(letter)].settings.insert_one(document)
        result = self.fab(f'migrations:rollback,last=2,all=yes{options}')
        self.assertEqual(result.status, 1)
        return self.shown(result)

    def test_what_is_rolled_back_is_counted_no_more(self) -> None:
        said = self.roll_back(a={'bad': 4}, c={'bad': 4})
        self.assertIn(
            'What went wrong in each stands above. To go on, type: '
            "fab 'migrations:rollback,last=1,only=a c'\n",
            said,
        )
        self.mend_all()
        only = f'only={self.name("a")} {self.name("c")}'
        self.assert_ok(self.fab(f'migrations:rollback,last=1,{only}'))
        names = [f'00{number}_a.py' for number in (1, 2, 3)]
        self.assertEqual([*map(self.names_in, 'abc')], [names] * 3)

    def mend_all(self) -> None:
        """Let nothing fail any more."""
        for letter in self.letters:
            self.client[self.name(letter)].settings.delete_many({'bad': {'$gt': 0}})

    def test_nothing_but_what_a_person_has_agreed_to_is_undone(self) -> None:
        """Another command has rolled back the same meanwhile."""
        self.migration(
            '005_a.py',
            f"""
            def up(db):
                pass

            def down(db):
                other = db.client['{self.name('b')}'].migrations
                other.delete_one({{'name': '005_a.py'}})
            """,
        )
        typed = 'migrations:rollback,last=1,all=yes,workers=1'
        said = self.shortened(self.on_terminal(typed, typed='y\n'))
        self.assertIn('Roll back: 005_a.py in 3 databases', said)
        self.assertIn(
            'b: Another command has run meanwhile. This was about 005_a.py, and would'
            ' now be about 004_a.py; nothing was done.',
            said,
        )
        names = [f'00{number}_a.py' for number in (1, 2, 3, 4)]
        self.assertEqual([*map(self.names_in, 'abc')], [names] * 3)

    def test_where_more_is_left_in_some_no_number_is_named_for_all(self) -> None:
        said = self.roll_back(a={'bad': 4}, b={'bad': 5})
        self.assertIn('fab migrations:rollback,last=1,only=a\n', said)
        self.assertIn('fab migrations:rollback,last=2,only=b\n', said)
        end = '. To go on, type for each the command that stands above.\n'
        self.assertTrue(said.endswith(end), said)

    def test_what_is_settled_by_its_name_is_counted_no_more(self) -> None:
        said = self.roll_back(a={'half': 5}, b={'bad': 5})
        self.assertIn('fab migrations:rollback,005_a.py,only=a ', said)
        end = 'unfinished: the lines that do so stand above, too.\n'
        self.assertTrue(said.endswith(end), said)

    def test_a_canary_is_rolled_back_no_further(self) -> None:
        for how in ('bad', 'half'):
            with self.subTest(how):
                said = self.roll_back(f',canary={self.name("a")}', a={how: 4})
                self.assertTrue(said.endswith('2 others were not begun.\n'), said)
            self.mend_all()

    def test_a_canary_that_has_undone_nothing_is_begun_again(self) -> None:
        said = self.roll_back(f',canary={self.name("a")}', a={'bad': 5})
        again = 'type: fab migrations:rollback,last=2,all=yes,canary=a\n'
        self.assertTrue(said.endswith(again), said)

    def test_what_a_plan_has_run_is_planned_no_more(self) -> None:
        self.migration('006_a.py', 'def up(db): pass')
        self.migration('007_b.py', PICKY)
        self.migration('008_c.py', 'def up(db): pass')
        self.assert_ok(self.fab('migrations:plan'))
        self.spoil('b')
        said = self.shown(self.fab('migrations:execute,plan=plan.json'))
        again = 'fab migrations:plan,to=008_c.py,file=plan.json,only=b\n'
        self.assertTrue(said.endswith(f'To go on, type: {again}'), said)
        self.mend('b')
        only = f'only={self.name("b")}'
        self.assert_ok(self.fab(f'migrations:plan,to=008_c.py,file=plan.json,{only}'))
        self.assert_ok(self.fab(f'migrations:execute,plan=plan.json,{only}'))
        self.assertEqual(self.names_in('b')[-2:], ['007_b.py', '008_c.py'])


class ManyCountedTest(FleetTest):
    """So many fail that no more than the first are told in full."""

    letters = 'abcdefghijklmnopqrstu'

    def test_each_names_the_command_that_goes_on(self) -> None:
        for number in (1, 2):
            self.migration(f'00{number}_a.py', COUNTED.format(number=number))
        self.assert_ok(self.fab('migrations:execute'))
        for letter in self.letters:
            self.client[self.name(letter)].settings.insert_one({'bad': 1})
        said = self.shown(self.fab('migrations:rollback,last=2,all=yes'))
        end = 'To go on, type for each the command that stands above.\n'
        self.assertTrue(said.endswith(end), said)
        for letter in self.letters:
            again = f' type: fab migrations:rollback,last=1,only={letter}\n'
            self.assertIn(again, said)
