"""Ways back to a green check that run nothing and touch no data."""

from __future__ import annotations

import re
from datetime import timedelta
from textwrap import dedent
from typing import Any

from migopy import MigopyException
from migopy.commands import Command
from tests.hostile import with_unreadable
from tests.project import FabTest, PlainTest

INSERT = """
    def up(db): db.a.insert_one({})
    def down(db): db.a.delete_many({})
    """


class EmptyTest(FabTest):
    """A file that somebody has executed before it was written is not lost."""

    def test_it_says_so_and_how_to_run_what_is_written_then(self) -> None:
        self.assert_ok(self.fab('migrations:create,fill_all'))
        [path] = (self.folder / 'mongomigrations').glob('001*.py')
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn(
            'nothing changed\n'
            'The up of 001_fill_all.py is empty, and does not run again. If it is still'
            ' to be written, first: fab migrations:forget,001_fill_all.py\n',
            result.stderr,
        )
        written = path.read_text().replace(
            '"""Change the data."""', 'db.filled.insert_one({})'
        )
        path.write_text(written)
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn(
            'To take it as it is now, and run nothing:'
            ' fab migrations:accept,001_fill_all.py\n'
            'To run what it says now, first (its run changed nothing):'
            ' fab migrations:forget,001_fill_all.py\n'
            '  and then: fab migrations:execute,001_fill_all.py\n',
            result.said,
        )
        self.assert_error(
            self.fab('migrations:execute,001_fill_all.py'),
            'Its run changed nothing. To have it pending:'
            ' fab migrations:forget,001_fill_all.py\n',
        )
        result = self.assert_ok(self.fab('migrations:forget,001_fill_all.py'))
        self.assertIn(
            '001_fill_all.py forgotten: pending again, the next execute runs it\n',
            result.said,
        )
        self.assertNotIn('may have written', result.said)
        result = self.assert_ok(self.fab('migrations:execute,001_fill_all.py'))
        self.assertEqual(len(self.contents('filled')), 1)
        self.assertNotIn('is empty', result.said)
        self.assert_error(
            self.fab('migrations:forget,001_fill_all.py'), 'its file is there'
        )

    def test_a_down_whose_up_never_ran_undoes_nothing(self) -> None:
        """What others have written would be gone."""
        self.migration('001_drafts.py', 'def up(db): pass')
        self.assert_ok(self.fab('migrations:execute'))
        self.db.drafts.insert_many({} for _ in range(5))
        self.migration(
            '001_drafts.py',
            """
            def up(db): db.drafts.insert_one({})
            def down(db): db.drafts.drop()
            """,
        )
        for typed in ('001', 'last=1'):
            with self.subTest(typed):
                shown = self.on_terminal(f'migrations:rollback,{typed}')
                self.assertIn(
                    'its down() might undo what others have done. Nothing was done.\n'
                    'To have it pending again, and run nothing:'
                    ' fab migrations:forget,001_drafts.py\n'
                    'To roll it back all the same:'
                    f' fab migrations:rollback,{typed},yes=yes',
                    shown,
                )
                self.assertEqual(len(self.contents('drafts')), 5)
        self.on_terminal('migrations:rollback,001,yes=yes')
        self.assertEqual(self.registered(), [])
        self.assertEqual(self.contents('drafts'), [])

    def test_what_may_have_changed_something_is_rolled_back(self) -> None:
        """By itself, by an earlier run of it, or where nobody has heard of it."""
        self.migration('001_a.py', 'def up(db): db.a.insert_one({}); 1 / 0')
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.migration('001_a.py', 'def up(db): db.a.delete_many({"x": 1})')
        self.assert_ok(self.fab('migrations:execute,001'))
        self.migration(
            '002_b.py',
            """
            import subprocess
            def up(db): subprocess.run(['true'], check=True)
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))
        for name in ('001_a.py', '002_b.py'):
            with self.subTest(name):
                self.migration(name, 'def up(db): pass\ndef down(db): pass\n')
                shown = self.fab('migrations').results
                again = f'roll it back first: fab migrations:rollback,{name}\n'
                self.assertIn(again, f'{shown}\n')
                self.assert_error(
                    self.fab(f'migrations:forget,{name}'), 'its file is there'
                )
                self.assert_error(
                    self.fab(f'migrations:execute,{name}'),
                    f'first undo it: fab migrations:rollback,{name}',
                )
                shown = self.on_terminal(f'migrations:rollback,{name}', typed='y\n')
                self.assertIn(f'{name} rolled back', shown)

    def test_what_has_no_down_is_not_to_be_rolled_back_before_it_has_one(self) -> None:
        self.migration('001_a.py', 'def up(db): db.a.insert_one({})')
        self.assert_ok(self.fab('migrations:execute'))
        again = (
            'To run it again, first write one that undoes what has run, then type:'
            ' fab migrations:rollback,001_a.py'
        )
        self.assert_error(
            self.fab('migrations:execute,1'), f'It has no down(). {again}'
        )
        self.migration('001_a.py', 'def up(db): db.a.insert_one({"n": 1})')
        self.assertIn(
            'To run what it says now, write a down() in it that undoes what has run (it'
            ' has none), then: fab migrations:rollback,001_a.py\n'
            '  and then: fab migrations:execute,001_a.py\n',
            self.fab('migrations').results + '\n',
        )
        # Each of these may have one.
        for line in (
            'def down(db): pass',
            'from helpers import down',
            'down = None',
            'undo = True',
            'globals()["do" "wn"] = up',
            'class Migration: pass',
        ):
            with self.subTest(line):
                up = 'def up(db): pass'
                self.migration('001_a.py', f'{up}\n{line}\n')
                self.assertIn('roll it back first', self.fab('migrations').results)

    def test_nobody_is_asked_about_what_cannot_be_rolled_back(self) -> None:
        self.migration('001_a.py', 'def up(db): db.a.insert_one({})')
        self.migration('002_b.py', INSERT)
        self.assert_ok(self.fab('migrations:execute'))
        for typed in ('last=2', '001'):
            with self.subTest(typed):
                shown = self.on_terminal(f'migrations:rollback,{typed}', typed='y\n')
                self.assertIn('001_a.py has no function `down`', shown)
                self.assertNotIn('[y/N]', shown)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])

    def test_once_it_was_rolled_back_earlier_runs_do_not_count(self) -> None:
        self.migration('001_a.py', INSERT)
        for command in ('execute', 'rollback,1'):
            self.assert_ok(self.fab(f'migrations:{command}'))
        self.migration('001_a.py', 'def up(db): pass')
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:forget,1'))
        self.assertEqual(self.registered(), [])

    def test_of_one_with_anything_in_it_nothing_is_said(self) -> None:
        self.migration('001_a.py', 'async def up(db): ...')
        self.migration('002_b.py', 'def up(db): "nothing"; pass')
        self.migration('003_c.py', 'def up(db): return 1')
        self.migration('004_d.py', 'def up(db): db.a.delete_many({})')
        said = self.assert_ok(self.fab('migrations:execute')).stderr
        for name, is_empty in (('1_a', True), ('2_b', True), ('3_c', 0), ('4_d', 0)):
            with self.subTest(name):
                self.assertEqual(f'The up of 00{name}.py is empty' in said, is_empty)

    def test_of_one_that_forget_would_refuse_nothing_is_said(self) -> None:
        """It runs again once it is written, or was emptied after it had written."""
        self.migration('001_a.py', 'repeat = True\ndef up(db): pass')
        self.migration('002_b.py', 'def up(db): db.a.insert_one({}); 1 / 0')
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.migration('002_b.py', 'def up(db): pass')
        said = self.assert_ok(self.fab('migrations:execute,002')).said
        said += self.assert_ok(self.fab('migrations:execute')).said
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertNotIn('is empty', said)

    def test_json_has_it_too(self) -> None:
        self.migration('001_a.py', 'def up(db): pass')
        result = self.assert_ok(self.fab('migrations:execute,json=yes'))
        self.assertIn('The up of 001_a.py is empty', result.stdout)


class BookkeepingTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT)
        self.manager().execute()
        self.data = list(self.db.a.find())

    def outcomes(self) -> list[tuple[str, str]]:
        runs = self.db.migrations_history.find({'outcome': {'$ne': 'executed'}})
        return [(run['name'], run['outcome']) for run in runs]

    def refused(self, command: str, *names: str) -> str:
        before = self.contents('migrations'), self.contents('migrations_history')
        with self.assertRaises(MigopyException) as caught:
            getattr(self.manager(), command)(*names)
        after = self.contents('migrations'), self.contents('migrations_history')
        self.assertEqual(before, after)
        return str(caught.exception)

    def assert_well(self) -> None:
        self.manager().check()
        self.assertEqual(list(self.db.a.find()), self.data)
        self.assertEqual(self.contents('migrations_lock'), [])

    def test_accept_takes_a_changed_file_as_it_is_now(self) -> None:
        self.migration('001_a.py', INSERT + '# a comment\n')
        with self.assertRaisesRegex(MigopyException, 'need attention'):
            self.manager().check()
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('fab migrations:accept,001_a.py', said)
        self.manager().accept('1')
        self.assert_well()
        self.assertEqual(self.outcomes(), [('001_a.py', 'accepted')])
        self.assertIn('001_a.py accepted', self.logger.of('white_bold'))

    def test_line_ends_and_a_byte_order_mark_need_no_accepting(self) -> None:
        path = self.folder / 'mongomigrations' / '001_a.py'
        text = path.read_bytes()
        path.write_bytes(b'\xef\xbb\xbf' + text.replace(b'\n', b'\r\n'))
        self.assert_well()

    def test_a_record_that_no_write_can_name_is_told(self) -> None:
        """Another tool's, as migopy gives each an `_id` of its own."""
        record = self.db.migrations.find_one_and_delete({'name': '001_a.py'}) or {}
        for odd in ({**record, '_id': None}, with_unreadable(record, '_id')):
            self.db.migrations.insert_one(odd)
            self.migration('001_a.py', INSERT + '# a comment\n')
            said = self.refused('accept', '1')
            self.assertIn('The record of 001_a.py has an _id that is null', said)
            self.assertIn('fab migrations:ignore,001_a.py', said)
            path = self.folder / 'mongomigrations' / '001_a.py'
            path.rename(path.with_name('003_c.py'))
            said = self.refused('rename', '001_a.py', '3')
            self.assertIn('fab migrations:ignore,003_c.py', said)
            path.with_name('003_c.py').rename(path)
            self.db.migrations.delete_one({'name': '001_a.py'})

    def test_accept_has_nothing_to_do_elsewhere(self) -> None:
        self.assertIn('is as it was executed', self.refused('accept', '1'))
        self.migration('003_c.py', INSERT)
        said = self.refused('accept', '3')
        self.assertIn('is not applied, so there is nothing to accept', said)
        self.assertNotIn('rollback', said)
        self.assertIn('no migration', self.refused('accept', '9'))

    def test_forget_forgets_a_missing_one(self) -> None:
        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        with self.assertRaisesRegex(MigopyException, 'need attention'):
            self.manager().check()
        self.assertIn(
            'If it is gone for good, and this checkout is not older than the database:'
            ' fab migrations:forget,001_a.py',
            '\n'.join(self.logger.of('white')),
        )
        self.manager().forget('001_a')
        self.assert_well()
        self.assertEqual(self.registered(), ['002_b.py'])
        self.assertEqual(self.outcomes(), [('001_a.py', 'forgotten')])
        self.assertIn('001_a.py forgotten', self.logger.of('white_bold'))

    def test_forget_settles_what_was_left_half_done(self) -> None:
        self.migration('003_c.py', 'def up(db): db.b.insert_one({}); 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute()
        (self.folder / 'mongomigrations' / '003_c.py').unlink()
        self.manager().forget('003_c.py')
        self.manager().check()

    def test_forget_refuses_one_that_is_there(self) -> None:
        message = self.refused('forget', '1')
        self.assertIn('its file is there', message)
        self.assertIn('fab migrations:list', message)
        self.assertNotIn('rollback', message)

    def test_forget_takes_back_that_one_was_ignored(self) -> None:
        self.migration('003_c.py', INSERT)
        self.manager().ignore()
        said = self.refused('execute', '3')
        self.assertIn('It was ignored: its up() was not run to its end.', said)
        # Its down would delete what others have written.
        self.assertNotIn('rollback', said)
        self.assertTrue(said.endswith('fab migrations:forget,003_c.py'), said)
        self.manager().forget('3')
        self.assertEqual(self.manager().unregistered(), ['003_c.py'])
        self.assertEqual(
            self.outcomes(), [('003_c.py', 'ignored'), ('003_c.py', 'forgotten')]
        )
        self.assertEqual(
            self.logger.of('white_bold')[-1],
            '003_c.py forgotten: pending again, the next execute runs it',
        )
        self.assertEqual(list(self.db.a.find()), self.data)
        self.manager().execute('3')
        self.refused('forget', '3')

    def test_forget_says_what_the_next_execute_does_once_more(self) -> None:
        self.db.small.insert_many({'n': 0} for _ in range(30))
        last = self.db.small.find().sort('_id', -1)[0]['_id']
        self.migration(
            '003_c.py',
            f"""
            import migopy
            def up(db):
                migopy.update_each(db.small, inc, batch_size=10)
            def inc(document):
                if str(document['_id']) == '{last}':
                    raise ValueError
                return {{'$inc': {{'n': 1}}}}
            """,
        )
        with self.assertRaisesRegex(MigopyException, '29 updated, 1 failed'):
            self.manager().execute()
        self.manager().ignore('3')
        self.manager().forget('3')
        self.assertEqual(
            self.logger.of('white')[-1],
            '003_c.py may have written before (small 29 updated), and that was not'
            ' rolled back. The next execute runs it from its beginning, its backfills'
            ' too',
        )

    def test_forget_says_that_a_worker_runs_one_of_the_background(self) -> None:
        self.migration('003_c.py', "phase = 'background'\ndef up(db): pass\n")
        self.manager().ignore()
        self.manager().forget('3')
        self.assertEqual(
            self.logger.of('white_bold')[-1],
            '003_c.py forgotten: pending again, the next work runs it',
        )

    def test_by_a_number_forget_takes_the_missing_one_not_its_ignored_successor(
        self,
    ) -> None:
        """The successor would be pending, and be run by the next execute."""
        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        self.migration('001_b.py', 'def up(db): db.b.insert_one({})')
        self.manager().ignore('001_b')
        self.manager().forget('1')
        self.assertEqual(self.manager().unregistered(), [])
        self.manager().forget('1')
        self.assertEqual(self.manager().unregistered(), ['001_b.py'])

    def test_of_a_pending_one_no_rollback_is_offered(self) -> None:
        self.migration('003_c.py', INSERT)
        for typed in (('forget', '3'), ('rename', '3', '1')):
            said = self.refused(*typed)
            self.assertIn('It has no record of its own here', said)
            self.assertNotIn('rollback', said)
            self.assertTrue(said.endswith('See the status: fab migrations'), said)

    def test_rename_carries_the_record_over(self) -> None:
        folder = self.folder / 'mongomigrations'
        (folder / '001_a.py').rename(folder / '001_users.py')
        self.manager().rename('001_a', '001_users')
        self.assert_well()
        self.assertEqual(self.registered(), ['001_users.py', '002_b.py'])
        self.assertEqual(self.outcomes(), [('001_a.py -> 001_users.py', 'renamed')])
        renamed = '001_a.py -> 001_users.py'
        for name, runs in (('a', ['001_a.py', renamed]), ('users', [renamed])):
            self.logger.said.clear()
            self.manager().history(f'001_{name}.py')
            rows = '\n'.join(self.logger.of('white')).splitlines()[2:]
            self.assertEqual(
                [re.split(' {2,}', row)[1] for row in rows], runs, self.logger.said
            )

    def test_a_number_means_the_one_without_a_file(self) -> None:
        """Though its new file has the same number."""
        folder = self.folder / 'mongomigrations'
        (folder / '001_a.py').rename(folder / '001_users.py')
        self.manager().rename('001', '001_users.py')
        self.assertEqual(self.registered(), ['001_users.py', '002_b.py'])
        (folder / '002_b.py').unlink()
        self.manager().forget('2')
        self.assertEqual(self.registered(), ['001_users.py'])
        self.assert_well()

    def test_a_number_of_several_tells_which_has_run(self) -> None:
        self.migration('002_c.py', INSERT)
        for command in ('execute', 'rollback', 'ignore'):
            self.assertIn(
                "'2' may be any of:\n  002_b.py (applied)\n  002_c.py\n",
                self.refused(command, '2'),
            )

    def test_rename_before_the_file_is_renamed_leads_to_no_rollback(self) -> None:
        said = self.refused('rename', '1', '001_users')
        self.assertIn('give the file its new name', said)
        self.assertNotIn('rollback', said)
        again = 'then type: fab migrations:rename,001_a.py,001_users'
        self.assertTrue(said.endswith(again), said)

    def test_rename_refuses_what_would_lose_a_record(self) -> None:
        self.assertIn('its file is there', self.refused('rename', '1', '2'))
        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        self.assertIn('is applied itself', self.refused('rename', '001_a', '2'))
        self.assertIn("no file '7'", self.refused('rename', '001_a', '7'))

    def test_an_applied_file_under_another_name_does_not_run_twice(self) -> None:
        folder = self.folder / 'mongomigrations'
        (folder / '002_b.py').rename(folder / '003_b.py')
        self.manager().show_status()
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('002_b.py seems to be 003_b.py now', said)
        self.assertIn('fab migrations:rename,002_b.py,003_b.py', said)
        self.assertNotIn('migrations:execute', said)
        self.assertNotIn('migrations:forget', said)
        for command, names in (('execute', []), ('execute', ['3']), ('ignore', [])):
            message = self.refused(command, *names)
            self.assertIn('fab migrations:rename,002_b.py,003_b.py', message)
        with self.assertRaisesRegex(MigopyException, 'another name'):
            self.manager().execute(dry_run='yes')
        self.manager().rename('2', '3')
        self.assert_well()
        self.assertEqual(self.registered(), ['001_a.py', '003_b.py'])

    def test_each_of_the_same_content_has_a_name_of_its_own(self) -> None:
        """With one old name for both, the other was to be forgotten, and ran twice."""
        self.migration('003_b.py', INSERT)
        self.manager().execute()
        folder = self.folder / 'mongomigrations'
        for old, new in (('002_b.py', '0002_b.py'), ('003_b.py', '0003_b.py')):
            (folder / old).rename(folder / new)
        self.manager().show_status()
        said = '\n'.join(self.logger.of('white'))
        self.assertNotIn('migrations:forget', said)
        for number in (2, 3):
            typed = f'fab migrations:rename,00{number}_b.py,000{number}_b.py'
            self.assertIn(typed, said)
            self.assertIn(typed, self.refused('execute'))
        # One that was copied besides may be either.
        self.migration('0004_b.py', INSERT)
        self.assertIn('rename,003_b.py,0004_b.py', self.refused('execute', '4'))

    def test_one_that_was_renamed_and_edited_does_not_run_again_unsaid(self) -> None:
        """One of another branch has the same number by right, so it runs."""
        folder = self.folder / 'mongomigrations'
        (folder / '002_b.py').rename(folder / '002_c.py')
        self.migration('002_c.py', f'# edited\n{dedent(INSERT)}')
        rename = 'fab migrations:rename,002_b.py,002_c.py'
        self.manager().show_status()
        said = '\n'.join(self.logger.of('white'))
        named = f'If 002_c.py is 002_b.py under another name, and not to run: {rename}'
        self.assertIn(named, said)
        self.assertIn('fab migrations:forget,002_b.py', said)
        warning = (
            '002_c.py has the number of 002_b.py, which is applied and has no file'
            ' here. If it is that one under another name, it is applied already; in'
            f' place of running it, type: {rename}'
        )
        for names, options in (((), {'dry_run': 'yes'}), ((), {}), (('002_c',), {})):
            with self.subTest(names, **options):
                self.logger.said.clear()
                self.manager().execute(*names, **options)
                white = self.logger.of('white')
                doing = 'Executing' if not options else 'Trying the up of'
                begun = next(each for each in white if each.startswith(doing))
                self.assertLess(white.index(warning), white.index(begun))
                if not options:
                    self.assertIn('002_c.py', self.registered())
                    self.db.migrations.delete_one({'name': '002_c.py'})
        self.manager().rename('002_b', '002_c')
        self.assertEqual(self.registered(), ['001_a.py', '002_c.py'])

    def test_one_that_is_half_done_is_not_renamed_away(self) -> None:
        """With a record of its own it counted as applied, and nothing told of it."""
        folder = self.folder / 'mongomigrations'
        (folder / '002_b.py').unlink()
        half = 'def up(db): db.b.insert_one({}); db.b.no_such()\n'
        for phase, command in (('before', 'execute'), ('background', 'work')):
            with self.subTest(phase):
                self.migration('002_c.py', f'phase = {phase!r}\n{half}')
                with self.assertRaises(TypeError):
                    getattr(self.manager(), command)('002_c')
                self.logger.said.clear()
                self.manager().show_status()
                said = str(self.logger.said)
                self.assertIn('Unfinished: 002_c.py: up', said)
                self.assertNotIn('another name', said)
                refused = self.refused('rename', '002_b.py', '002_c.py')
                self.assertIn('Unfinished, so nothing was done:\n002_c.py: up', refused)
                self.assertIn(f'fab migrations:{command},002_c.py', refused)
                # Not even where it has got the content of the one that is gone.
                self.migration('002_c.py', INSERT)
                self.manager().ignore('002_c')
                self.manager().forget('002_c')
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertIn('rename,002_b.py,002_c.py', self.refused('execute'))

    def test_a_new_number_is_taken_for_no_other_name(self) -> None:
        folder = self.folder / 'mongomigrations'
        self.migration('002_x.py', INSERT)
        self.manager().execute()
        for name in ('002_b.py', '002_x.py'):
            (folder / name).unlink()
        # Neither of the two that are gone is the one of this number.
        self.migration('002_c.py', 'def up(db): db.c.insert_one({})')
        self.migration('003_d.py', 'def up(db): db.d.insert_one({})')
        self.manager().execute()
        self.manager().show_status()
        self.assertNotIn('another name', str(self.logger.said))

    def test_one_that_was_copied_runs(self) -> None:
        self.migration('003_b.py', INSERT)
        self.manager().execute()
        self.assertIn('003_b.py', self.registered())

    def test_one_whose_other_name_was_forgotten_runs(self) -> None:
        folder = self.folder / 'mongomigrations'
        (folder / '002_b.py').rename(folder / '003_b.py')
        self.manager().forget('002')
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py', '003_b.py'])

    def test_a_renamed_one_has_its_record_carried_over_first(self) -> None:
        folder = self.folder / 'mongomigrations'
        (folder / '002_b.py').rename(folder / '003_b.py')
        for typed in ('002', '002_b.py', '3', '003_b.py'):
            for command in ('rollback', 'execute'):
                message = self.refused(command, typed)
                self.assertIn('fab migrations:rename,002_b.py,003_b.py', message)
                self.assertNotIn('force=yes', message)
        with self.assertRaises(MigopyException) as caught:
            self.manager().rollback(last='1')
        # Forgotten, it would run twice.
        [rename] = caught.exception.next
        self.assertEqual(rename, Command('rename', '002_b.py', '003_b.py'))
        self.manager().forget('002_b.py')

    def test_one_without_a_file_is_named_by_its_number(self) -> None:
        (self.folder / 'mongomigrations' / '002_b.py').unlink()
        for command in ('execute', 'rollback', 'ignore'):
            for name in ('2', '002', '002_b', '002_b.py'):
                message = self.refused(command, name)
                self.assertIn('002_b.py is applied, but its file is missing', message)
                self.assertIn('fab migrations:forget,002_b.py', message)
        self.manager().forget('2')
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_a_name_that_is_far_from_any_is_not_taken_for_one(self) -> None:
        self.migration('003_add_users.py', INSERT)
        self.assertIn(
            'Did you mean 003_add_users.py', self.refused('rollback', 'add_user')
        )
        self.assertNotIn('mean', self.refused('rollback', '004_add_it.py'))

    def test_rollback_tells_of_what_was_not_executed_as_it_stands(self) -> None:
        self.migration('002_b.py', INSERT + '# changed')
        self.manager().rollback('2', dry_run='yes')
        self.manager().rollback('2')
        said = '\n'.join(self.logger.of('white'))
        self.assertEqual(said.count('002_b.py has changed since it was executed'), 2)
        self.manager().ignore('2')
        self.manager().rollback('2')
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('002_b.py was ignored: its up() was not run', said)
        self.assertNotIn('001_a.py has', said)

    def test_rollback_of_an_ignored_one_without_down_asks_for_none_that_undoes(
        self,
    ) -> None:
        up = 'def up(db): db.a.insert_one({})\n'
        self.migration('003_c.py', up)
        self.manager().ignore('3')
        said = self.refused('rollback', '3')
        self.assertIn('003_c.py has no down(), and was ignored here', said)
        self.assertIn(
            'To have it pending again, and run nothing: fab migrations:forget,003_c.py'
            '\n',
            said,
        )
        self.assertRegex(said, 'a down.db. that undoes that, then type the command')
        self.manager().forget('003_c.py')
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.manager().ignore('3')
        self.migration('003_c.py', up + 'def down(db): pass\n')
        self.manager().rollback('3')
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertEqual(list(self.db.a.find()), self.data)

    def test_execute_with_nothing_to_do_tells_of_changed_files(self) -> None:
        self.migration('001_a.py', INSERT + '# changed')
        self.manager().execute()
        self.assertIn('Changed since executed:', self.logger.of('white'))

    def test_what_history_cannot_count_is_said(self) -> None:
        for text in ('0', '-3', '00'):
            self.assertIn('from 1 on', self.refused('history', text))

    def test_equal_numbers_that_all_ran_are_told_and_do_no_harm(self) -> None:
        self.migration('002_c.py', INSERT)
        with self.assertRaises(MigopyException):
            self.manager().check()
        self.manager().execute()
        self.data = list(self.db.a.find())
        self.logger.said.clear()
        self.assert_well()
        self.assertIn('  002_b.py, 002_c.py', self.logger.of('white'))

    def test_they_wait_for_the_lock(self) -> None:
        (self.folder / 'mongomigrations' / '001_a.py').unlink()
        now: Any = self.client.admin.command('hello')['localTime']
        lock = {'_id': 'lock', 'owner': 'x', 'expires': now.replace(year=9000)}
        self.db.migrations_lock.insert_one(lock)
        manager = self.manager(LOCK_WAIT=0)
        with self.assertRaisesRegex(MigopyException, 'Another migration command'):
            manager.forget('001_a')


class AskingTest(FabTest):
    """Before what cannot be taken back a person at a terminal is asked."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT)
        self.assert_ok(self.fab('migrations:execute'))

    def test_without_a_terminal_nobody_is(self) -> None:
        self.assert_ok(self.fab('migrations:rollback,last=2'))
        self.assertEqual(self.registered(), [])

    def test_a_no_does_nothing(self) -> None:
        shown = self.on_terminal('migrations:rollback,last=2', typed='n\n')
        self.assertIn('Roll back 2 migrations: 002_b.py, 001_a.py', shown)
        self.assertIn(f'({self.db.name} on mongodb://127.0.0.1:', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(self.registered()), 2)
        self.assertEqual(self.contents('migrations_lock'), [])

    def test_a_yes_does_it_and_so_does_the_option(self) -> None:
        self.on_terminal('migrations:rollback,to=1', typed='n\n')
        shown = self.on_terminal('migrations:rollback,last=2', typed='y\n')
        self.assertIn('001_a.py rolled back', shown)
        self.assertEqual(self.registered(), [])
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.on_terminal('migrations:rollback,last=2,yes=yes')
        self.assertNotIn('[y/N]', shown)
        self.assertEqual(self.registered(), [])

    def test_one_that_others_stand_on_is_asked_about(self) -> None:
        self.assert_error(
            self.fab('migrations:execute,001'), '\n1 later one is applied'
        )
        shown = self.on_terminal('migrations:rollback,001', typed='n\n')
        asked = 'Roll back 001_a.py, and leave 1 applied that ran after it: 002_b.py'
        self.assertIn(f'{asked} ({self.db.name} on', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(self.registered()), 2)
        shown = self.on_terminal('migrations:rollback,001,yes=yes')
        self.assertNotIn('[y/N]', shown)
        self.assertEqual(self.registered(), ['002_b.py'])
        self.assert_ok(self.fab('migrations:execute,001'))
        shown = self.on_terminal('migrations:rollback,002', typed='y\n')
        self.assertIn('002_b.py rolled back', shown)
        # Executed again it is the last one, and nobody is asked.
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.on_terminal('migrations:rollback,002')
        self.assertNotIn('[y/N]', shown)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_one_that_others_stand_on_is_undone_unasked_without_a_terminal(
        self,
    ) -> None:
        self.assert_ok(self.fab('migrations:rollback,001'))
        self.assertEqual(self.registered(), ['002_b.py'])

    def test_one_alone_is_undone_unasked(self) -> None:
        shown = self.on_terminal('migrations:rollback,last=1')
        self.assertNotIn('[y/N]', shown)

    def test_an_ignore_of_several_asks(self) -> None:
        for name in ('003_c.py', '004_d.py'):
            self.migration(name, INSERT)
        shown = self.on_terminal('migrations:ignore', typed='n\n')
        asked = 'Mark 2 migrations as applied without running them: 003_c.py, 004_d.py'
        self.assertIn(f'{asked} ({self.db.name} on mongodb://127.0.0.1:', shown)
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(self.registered()), 2)
        self.assertEqual(self.contents('migrations_lock'), [])
        shown = self.on_terminal('migrations:ignore,to=4', typed='y\n')
        self.assertIn('004_d.py ignored', shown)
        self.assertEqual(len(self.registered()), 4)

    def test_an_ignore_of_several_is_passed_by_the_option_and_without_a_terminal(
        self,
    ) -> None:
        for name in ('003_c.py', '004_d.py'):
            self.migration(name, INSERT)
        shown = self.on_terminal('migrations:ignore,yes=yes')
        self.assertNotIn('[y/N]', shown)
        self.assertEqual(len(self.registered()), 4)
        for name in ('003', '004'):
            self.assert_ok(self.fab(f'migrations:forget,{name}'))
        self.assert_ok(self.fab('migrations:ignore'))
        self.assertEqual(len(self.registered()), 4)

    def test_an_ignore_of_one_is_unasked(self) -> None:
        self.migration('003_c.py', INSERT)
        self.assertNotIn('[y/N]', self.on_terminal('migrations:ignore'))
        self.assertIn('003_c.py', self.registered())

    def leave_a_down_half_done(self) -> None:
        text = """
            def up(db): db.a.insert_one({})
            def down(db):
                db.a.delete_many({})
                raise ValueError('odd')
            """
        self.migration('003_c.py', text)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.fab('migrations:rollback,003').status, 1)

    def test_an_ignore_typed_twice_does_not_mean_the_opposite_unasked(self) -> None:
        self.leave_a_down_half_done()
        shown = self.on_terminal('migrations:ignore,003_c.py')
        self.assertIn('003_c.py taken as rolled back: it is pending again', shown)
        shown = self.on_terminal('migrations:ignore,003_c.py', typed='\n')
        self.assertIn('003_c.py was taken as rolled back at ', shown)
        asked = ', so it is pending.\nMark it as applied without running it ('
        self.assertIn(asked, shown)
        self.assertIn('Nothing was done.', shown)
        self.assertNotIn('003_c.py', self.registered())
        self.on_terminal('migrations:ignore,003', typed='y\n')
        self.assertIn('003_c.py', self.registered())

    def test_an_ignore_typed_twice_is_done_twice_without_a_terminal(self) -> None:
        self.leave_a_down_half_done()
        self.assert_ok(self.fab('migrations:ignore,003_c.py'))
        self.assertNotIn('003_c.py', self.registered())
        self.assert_ok(self.fab('migrations:ignore,003_c.py'))
        self.assertIn('003_c.py', self.registered())

    def hold(self, lasts: float) -> None:
        """Have a command of another machine hold the lock for so many seconds."""
        now: Any = self.client.admin.command('hello')['localTime']
        lock = {'owner': 'x', 'user': 'bob', 'host': 'far', 'pid': 7, 'place': 'there'}
        times = {'since': now, 'expires': now + timedelta(seconds=lasts), 'ttl': 590}
        document = {'_id': 'lock', 'subtask': 'execute', **lock, **times}
        self.db.migrations_lock.insert_one(document)

    def test_restore_asks(self) -> None:
        self.assert_ok(self.fab('migrations:dbdump'))
        [name] = [path.name for path in (self.folder / 'mongodumps').glob('2*')]
        shown = self.on_terminal(f'migrations:dbrestore,{name}', typed='\n')
        self.assertIn('[y/N]', shown)
        self.assertIn('Nothing was done.', shown)

    def test_unlock_shows_whose_the_lock_is_and_asks(self) -> None:
        self.hold(lasts=300)
        shown = self.on_terminal('migrations:unlock', typed='\n')
        self.assertRegex(
            shown,
            r'The lock is held by bob@far \(process 7, execute\) since .* UTC; it was'
            r' renewed [23]\d\d s ago\.\nTake it away \(.* on .*\)\? \[y/N\]',
        )
        self.assertIn('Nothing was done.', shown)
        self.assertEqual(len(self.contents('migrations_lock')), 1)
        shown = self.on_terminal('migrations:unlock', typed='y\n')
        self.assertIn('Took the lock from bob@far', shown)
        self.assertEqual(self.contents('migrations_lock'), [])

    def test_unlock_by_force_says_that_it_seems_to_run_and_asks(self) -> None:
        self.hold(lasts=580)
        shown = self.on_terminal('migrations:unlock')
        self.assertNotIn('[y/N]', shown)
        self.assertIn('seems to be running', shown)
        shown = self.on_terminal('migrations:unlock,force=yes', typed='\n')
        self.assertIn('s ago, so that command seems to be running.\nTake it', shown)
        self.assertEqual(len(self.contents('migrations_lock')), 1)

    def test_unlock_asks_nothing_where_nobody_holds_the_lock(self) -> None:
        for command in ('migrations:unlock', 'migrations:unlock,force=yes'):
            shown = self.on_terminal(command)
            self.assertNotIn('[y/N]', shown)
            self.assertIn('Nobody holds the lock', shown)

    def test_before_a_restore_it_says_what_will_be_lost(self) -> None:
        self.assert_ok(self.fab('migrations:dbdump'))
        [name] = [path.name for path in (self.folder / 'mongodumps').glob('2*')]
        shown = self.on_terminal(f'migrations:dbrestore,{name}', typed='\n')
        self.assertRegex(
            shown,
            f'{name} was made [0-9]+ seconds? ago.\nWhat was written since the'
            ' dump is lost, by the application, too.\n.*\\[y/N\\]',
        )
