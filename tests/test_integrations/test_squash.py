"""`squash`: one file that stands for several, on old databases and on new ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

from migopy import MigopyException
from tests import schema
from tests.fleets import FleetTest
from tests.invoking import InvokeTest
from tests.project import MIGOPY, FabTest, PlainTest

ADD = """
    import os
    from . import _names
    HERE = os.path.dirname(__file__)

    def up(db):
        text = open(os.path.join(HERE, 'text.txt')).read()
        db.log.insert_one({'up': '{name}', 'text': text, 'own': _names.OWN})

    def down(db):
        db.log.insert_one({'down': '{name}'})
    """


def add(name: str) -> str:
    return ADD.replace('{name}', name)


class SquashTest(PlainTest):
    """Three files with a helper and a resource beside them, and one that follows."""

    def setUp(self) -> None:
        super().setUp()
        self.migrations = self.folder / 'mongomigrations'
        self.write('mongomigrations/_names.py', "OWN = 'helper'\n")
        self.write('mongomigrations/text.txt', 'text')
        for letter in 'abcd':
            number = 'abcd'.index(letter) + 1
            self.migration(f'00{number}_{letter}.py', add(letter))

    def log(self, way: str) -> list[str]:
        return [each[way] for each in self.db.log.find({way: {'$exists': True}})]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.migrations / 'archive'))

    def refused(self, command: str, *values: str, **options: str) -> str:
        before = self.contents('migrations'), self.contents('log'), self.files()
        with self.assertRaises(MigopyException) as caught:
            getattr(self.manager(), command)(*values, **options)
        after = self.contents('migrations'), self.contents('log'), self.files()
        self.assertEqual(before, after)
        return str(caught.exception)

    def files(self) -> list[Path]:
        files = self.migrations.rglob('*.py')
        return sorted(each for each in files if each.name != '__init__.py')

    def listed(self) -> str:
        self.logger.said.clear()
        self.manager().list()
        return self.said()

    def test_an_old_database_knows_it_as_applied(self) -> None:
        self.manager().execute()
        old = {each.name: each.read_bytes() for each in self.migrations.glob('00*')}
        self.manager().squash(to='003')
        self.assertEqual(self.names(), ['001_a.py', '002_b.py', '003_c.py'])
        for name in self.names():
            moved = (self.migrations / 'archive' / name).read_bytes()
            self.assertEqual(moved, old[name])
        self.assertIn('003_squashed.py', self.logger.of('white_bold')[-1])
        self.manager().check()
        self.manager().check(offline='yes')
        self.assertIsNone(self.manager().execute())
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])
        listed = self.listed()
        self.assertRegex(listed, '003_squashed.py +applied, squashed')
        self.assertRegex(listed, '001_a.py +applied, replaced')
        self.assertNotIn('missing', listed)

    def test_a_new_database_runs_it_in_order_and_back(self) -> None:
        self.manager().squash(to='003_c.py')
        self.manager().execute()
        self.assertEqual(self.registered(), ['003_squashed.py', '004_d.py'])
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])
        for each in self.db.log.find():
            self.assertEqual((each['text'], each['own']), ('text', 'helper'))
        self.manager().check()
        self.manager().rollback('3')
        self.assertEqual(self.log('down'), ['c', 'b', 'a'])
        self.assertEqual(self.registered(), ['004_d.py'])

    def test_a_folder_of_before_runs_nothing_twice(self) -> None:
        old = {each.name: each.read_text() for each in self.migrations.glob('00*')}
        self.manager().squash(to='003')
        self.manager().execute()
        (self.migrations / '003_squashed.py').unlink()
        for name, text in old.items():
            (self.migrations / name).write_text(text)
        self.migration('005_e.py', '    needs = ["002_b.py"]\n' + add('e'))
        self.manager().execute()
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd', 'e'])
        self.manager().check()
        self.assertIn('003_squashed.py, which has no file in this folder', self.said())
        self.assertNotIn('Missing', self.said())
        self.assertNotIn('forget', self.said())
        listed = self.listed()
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.assertRegex(listed, f'{name} +applied, replaced')
        self.assertIn('Replaced by 003_squashed.py: 001_a.py, 002_b.py', listed)
        self.assertRegex(listed, '003_squashed.py +applied, squashed')
        ran = '{} has run here as a part of 003_squashed.py'
        for command in ('execute', 'ignore', 'rollback'):
            said = self.refused(command, '2')
            self.assertIn(ran.format('002_b.py'), said)
        self.assertIn('as a part of', self.refused('rollback', '2', force='yes'))
        self.assertIn('003_squashed.py was', self.refused('accept', '2'))
        for command in ('forget', 'rollback', 'execute'):
            said = self.refused(command, '003_squashed.py')
            self.assertIn('has run here in place of 001_a.py, 002_b.py', said)
        said = self.refused('rename', '003_squashed.py', '005_e.py')
        self.assertIn('has run here in place of', said)
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd', 'e'])

    def test_the_record_says_what_it_replaces_as_its_file_does(self) -> None:
        names = ['001_a.py', '002_b.py', '003_c.py']
        self.manager().squash(to='003')
        self.manager().ignore('003')
        record = self.db.migrations.find_one({'name': '003_squashed.py'})
        self.assertEqual(record['replaces'], names)
        path = self.migrations / '003_squashed.py'
        self.db.migrations.update_one({}, {'$unset': {'replaces': 1}})
        path.write_text(f'# changed\n{path.read_text()}')
        self.manager().accept('003')
        record = self.db.migrations.find_one({'name': '003_squashed.py'})
        self.assertEqual(record['replaces'], names)

    def test_a_squash_of_more_counts_what_a_squash_has_run(self) -> None:
        self.manager().squash(to='003')
        self.manager().execute()
        names = [f'00{n}_{letter}.py' for n, letter in enumerate('abcd', start=1)]
        (self.migrations / '003_squashed.py').unlink()
        os.rename(self.migrations / names[3], self.migrations / 'archive' / names[3])
        self.write('mongomigrations/004_squashed.py', f'replaces = {names}')
        self.manager().execute()
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])
        self.manager().check()

    def test_a_dry_run_runs_all_and_changes_nothing(self) -> None:
        self.manager().squash(to='003')
        self.manager().execute(dry_run='yes')
        self.assertEqual(self.contents('log'), [])
        said = self.said()
        self.assertIn('log 3 inserted', said)

    def test_a_database_that_has_some_of_them_is_told_and_runs_nothing(self) -> None:
        self.manager().squash(to='003')
        self.register('001_a.py', '002_b.py')
        for typed in ({}, {'to': '004'}):
            said = self.refused('execute', **typed)
            self.assertIn('not applied here: 003_c.py', said)
            self.assertIn('fab migrations:execute,to=003_c.py', said)
        self.assertIn('not applied here: 003_c.py', self.refused('execute', '004'))
        self.assertIn('not applied here', self.refused('ignore', '003'))
        with self.assertRaisesRegex(MigopyException, 'need attention'):
            self.manager().check()
        said = self.said()
        self.assertIn('003_squashed.py: replaces 001_a.py', said)

    def test_the_old_ones_and_its_rollback_are_refused_on_an_old_database(
        self,
    ) -> None:
        self.manager().execute(to='003')
        self.manager().squash(to='003')
        for command in ('rollback', 'forget', 'verify', 'execute', 'accept'):
            said = self.refused(command, '001_a.py')
            self.assertIn('001_a.py is a part of 003_squashed.py', said)
        self.assertIn('002_b.py is a part', self.refused('forget', '2'))
        self.assertIn('has not run here itself', self.refused('rollback', '003'))
        self.assertIn(
            'is a part of 003_squashed.py', self.refused('rollback', last='1')
        )
        self.assertIn('what it replaces was', self.refused('accept', '003'))
        self.assertIn('registered already', self.refused('execute', '003'))

    def test_it_can_be_marked_where_nothing_is_to_run(self) -> None:
        self.manager().squash(to='003')
        self.manager().baseline('003')
        self.assertEqual(self.registered(), ['003_squashed.py'])
        self.register('001_a.py')
        self.manager().execute()
        self.manager().check()
        self.assertEqual(self.log('up'), ['d'])

    def test_require_and_verify_of_each_are_asked_in_turn(self) -> None:
        asks = """
            def require(db): assert db.log.count_documents({}) == 0, 'too late'
            def up(db): db.log.insert_one({'up': 'a'})
            def verify(db): assert db.log.find_one({'up': 'a'}), 'gone'
            """
        self.migration('001_a.py', asks)
        self.manager().squash(to='003')
        self.assertIn('It has no down(), as these have none: 001_a.py', self.said())
        self.manager().execute()
        self.manager().verify()
        self.assertIn('003_squashed.py verified', self.said())
        self.db.log.delete_many({})
        with self.assertRaisesRegex(MigopyException, 'not verified'):
            self.manager().verify('003')
        self.assertIn('AssertionError: gone', self.said())
        self.assertIn('has no function `down`', self.refused('rollback', '003'))
        self.db.migrations.delete_many({})
        self.db.log.insert_one({'other': 1})
        with self.assertRaisesRegex(AssertionError, 'too late'):
            self.manager().execute('003')
        self.assertEqual(self.log('up'), [])

    def said(self) -> str:
        return '\n'.join(text for _, text in self.logger.said)

    def test_what_a_later_file_needs_may_be_a_part(self) -> None:
        self.migration('004_d.py', "    needs = ['002_b.py']\n" + add('d'))
        self.manager().squash(to='003')
        self.manager().check(offline='yes')
        self.manager().execute()
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])
        self.migration('005_e.py', "    needs = ['001_a']\n" + add('e'))
        self.manager().execute()
        self.assertEqual(self.log('up')[-1], 'e')
        self.manager().rollback(last='3')
        said = self.refused('execute', '005')
        self.assertIn('depends on 003_squashed.py, which is not applied', said)

    def test_async_ones_run_to_their_end(self) -> None:
        self.migration(
            '002_b.py',
            "    async def up(db): await db.log.insert_one({'up': 'b'})\n"
            "    async def down(db): await db.log.insert_one({'down': 'b'})\n",
        )
        self.manager().squash(to='003')
        self.manager().execute('003')
        self.manager().rollback('003')
        self.assertEqual(self.log('up') + self.log('down'), list('abccba'))

    def test_one_that_fails_names_its_own_line(self) -> None:
        self.migration('002_b.py', "    def up(db):\n        raise ValueError('no')\n")
        self.manager().squash(to='003')
        with self.assertRaises(ValueError):
            self.manager().execute()
        said = self.said()
        self.assertIn(os.path.join('archive', '002_b.py'), said)
        self.assertIn("raise ValueError('no')", said)
        self.assertEqual(self.registered(), [])

    def test_those_that_are_not_run_alike_are_refused(self) -> None:
        for line in (
            "phase = 'after'",
            'transaction = True',
            'undo = True',
            "environments = ['staging']",
            'parallel = False',
        ):
            self.migration('002_b.py', f'    {line}\n' + add('b'))
            said = self.refused('squash', to='003')
            self.assertIn(f'not run alike: {line.split()[0]} is', said)
            self.assertIn('002_b.py', said)
            # The one file before it is none to be squashed.
            self.assertIn('See all: fab migrations:list', said)
        self.migration('002_b.py', add('b'))
        self.migration('003_c.py', "    phase = 'after'\n" + add('c'))
        said = self.refused('squash', to='003')
        self.assertIn('can be squashed: fab migrations:squash,to=002_b.py', said)

    def test_what_all_of_them_say_is_written_on_top(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            lines = "    phase = 'after'\n    transaction = True\n    undo = True\n"
            self.migration(name, lines + add(name[4]))
        self.manager().squash(to='002')
        text = (self.migrations / '002_squashed.py').read_text()
        self.assertTrue(
            text.endswith("]\nphase = 'after'\ntransaction = True\nundo = True\n")
        )

    def test_what_is_changed_unfinished_or_half_applied_is_refused(self) -> None:
        self.manager().execute('001')
        said = self.refused('squash', to='003')
        self.assertIn(
            'Only some of them are applied here; pending: 002_b.py, 003_c.py', said
        )
        self.assertIn('fab migrations:execute,to=003_c.py', said)
        self.migration('001_a.py', add('a') + '    # changed\n')
        said = self.refused('squash', to='002')
        self.assertIn('001_a.py is not as it was executed', said)
        self.assertIn('fab migrations:accept,001_a.py', said)
        self.manager().accept('001')
        self.migration(
            '002_b.py',
            '    def up(db):\n        db.log.insert_one({})\n        1 / 0\n',
        )
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute('002')
        self.assertIn('002_b.py is unfinished', self.refused('squash', to='002'))

    def test_what_cannot_be_squashed_is_refused(self) -> None:
        self.assertIn('no two files', self.refused('squash', to='001'))
        self.assertIn('no migration', self.refused('squash', to='009'))
        self.assertIn('squash,to=NAME', self.refused('squash'))
        self.migration('003_cc.py', add('cc'))
        self.assertIn('to=003_cc.py', self.refused('squash', to='003_c.py'))
        (self.migrations / '003_cc.py').unlink()
        self.migration('002_b.py', '    def up(db): yield\n')
        self.assertIn('yields', self.refused('squash', to='003'))
        self.migration('002_b.py', '    1 / 0\n')
        self.assertIn('cannot be imported', self.refused('squash', to='003'))
        self.migration('002_b.py', "    needs = ['004_d']\n" + add('b'))
        self.assertIn('comes after them', self.refused('squash', to='003'))
        self.migration('002_b.py', add('b'))
        self.write('mongomigrations/archive/001_a.py', 'mine')
        self.assertIn('There is a file', self.refused('squash', to='003'))

    def test_a_second_one_begins_behind_the_first(self) -> None:
        self.manager().execute()
        self.manager().squash(to='002')
        self.assertIn('no two files', self.refused('squash', to='003'))
        self.manager().squash(to='004')
        self.manager().check()
        self.db.migrations.delete_many({})
        self.db.log.delete_many({})
        self.manager().execute()
        self.assertEqual(self.registered(), ['002_squashed.py', '004_squashed.py'])
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])

    def test_a_squash_that_was_killed_between_goes_on(self) -> None:
        self.manager().squash(to='003')
        os.replace(
            self.migrations / 'archive' / '002_b.py', self.migrations / '002_b.py'
        )
        said = self.refused('execute')
        self.assertIn('still among the migrations: 002_b.py', said)
        self.assertIn('fab migrations:squash,to=003_squashed.py', said)
        self.manager().show_status()
        told = '\n'.join(text for _, text in self.logger.said)
        self.assertIn('003_squashed.py replaces: fab migrations:squash,to=', told)
        self.logger.said.clear()
        os.replace(self.migrations / 'archive/003_c.py', self.migrations / '003_c.py')
        with self.assertRaises(MigopyException):
            self.manager().check(offline='yes')
        self.assertEqual(
            [text.partition(':1: ')[2] for _, text in self.logger.said],
            [
                '003_squashed.py replaces what is'
                ' still among the migrations: 002_b.py, 003_c.py. To move them:'
                ' fab migrations:squash,to=003_squashed.py'
            ],
        )
        self.manager().squash(to='003_squashed.py')
        self.assertEqual(self.names(), ['001_a.py', '002_b.py', '003_c.py'])
        self.manager().execute()
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])

    def test_one_that_was_written_by_hand_has_an_up_of_its_own(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            (self.migrations / name).unlink()
        text = "    replaces = ['001_a.py', '002_b.py']\n" + add('ab')
        self.migration('002_ab.py', text)
        self.manager().execute()
        self.assertEqual(self.log('up'), ['ab', 'c', 'd'])
        self.db.migrations.delete_many({})
        self.register('001_a.py')
        self.assertIn('not applied here: 002_b.py', self.refused('execute'))
        self.register('002_b.py')
        self.manager().ignore()
        self.assertEqual(len(self.registered()), 4)
        self.manager().check()
        for wrong in ('[1]', "['001_a']", "['../001_a.py']"):
            self.migration('002_ab.py', f'    replaces = {wrong}\n' + add('ab'))
            self.db.migrations.delete_one({'name': '002_ab.py'})
            said = self.refused('execute', '002')
            self.assertIn(f'replaces = {wrong} is no list', said)

    def test_a_plan_holds_for_the_archive_as_it_was(self) -> None:
        self.manager().squash(to='003')
        plan = str(self.folder / 'plan.json')
        self.manager().plan(file=plan)
        self.migration('archive/002_b.py', add('other'))
        self.assertIn('archive/002_b.py', self.refused('execute', plan=plan))
        self.migration('archive/002_b.py', add('b'))
        self.manager().execute(plan=plan)
        self.assertEqual(self.log('up'), ['a', 'b', 'c', 'd'])

    def test_an_archived_file_that_is_gone_is_told(self) -> None:
        self.manager().squash(to='003')
        (self.migrations / 'archive' / '002_b.py').unlink()
        self.assertIn('002_b.py cannot be read', self.refused('execute'))

    def test_names_with_dates(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py', '004_d.py'):
            (self.migrations / name).unlink()
        settings = {'MIGRATIONS_FILE_PATTERN': r'(?P<migr_nr>\d{8})-[a-z-]+\.py'}
        self.migration('20200101-a.py', add('a'))
        self.migration('20200102-b.py', add('b'))
        self.manager(**settings).squash(to='20200102')
        self.manager(**settings).execute()
        self.assertEqual(self.registered(), ['20200102-squashed.py'])


class SquashTypedTest(FabTest):
    def test_fab_and_migopy_squash(self) -> None:
        for name in ('001_a.py', '002_b.py', '003_c.py', '004_d.py'):
            self.migration(name)
        made = self.assert_ok(self.fab('migrations:squash,to=002'))
        self.assertEqual(made.results, 'mongomigrations/002_squashed.py\n')
        self.program = MIGOPY
        made = self.assert_ok(self.fab('squash', '--to', '004', '--json'))
        [line] = made.stdout.splitlines()
        self.assertTrue(json.loads(line)['ok'])
        self.assert_ok(self.fab('execute'))
        self.assertEqual(self.registered(), ['002_squashed.py', '004_squashed.py'])

    def test_json_has_how_to_finish_one_that_was_interrupted(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name)
        self.assert_ok(self.fab('migrations:squash,to=002'))
        self.migration('001_a.py')
        result = self.fab('migrations:check,offline=yes,json=yes')
        self.assertEqual(result.status, 1)
        [problem] = schema.check(result.stdout.strip())['problems']
        [command] = problem['next']
        self.assertEqual(command['command'], 'squash')
        self.assertEqual(command['options'], {'to': '002_squashed.py'})

    def test_on_a_terminal_it_asks_first(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name)
        archive = self.folder / 'mongomigrations' / 'archive'
        shown = self.on_terminal('migrations:squash,to=002', typed='n\n')
        self.assertIn('Move 2 files into archive: 001_a.py, 002_b.py (', shown)
        self.assertIn('Nothing was done', shown)
        self.assertFalse(archive.exists())
        shown = self.on_terminal('migrations:squash,to=002,yes=yes')
        self.assertNotIn('[y/N]', shown)
        self.assertTrue(archive.exists())


class SquashManyTest(FleetTest):
    def test_of_many_databases_it_is_done_once(self) -> None:
        self.migration('001_a.py')
        self.migration('002_b.py')
        self.assert_ok(self.fab('migrations:execute,only=*_a'))
        self.client[self.name('b')].migrations.insert_one({'name': '001_a.py'})
        made = self.assert_ok(self.fab('migrations:squash,to=002'))
        self.assertEqual(made.results, 'mongomigrations/002_squashed.py\n')
        self.assertIn('has not been looked at', made.stderr)
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('not applied here: 002_b.py', self.shown(result))
        self.assertEqual(self.names_in('a'), ['001_a.py', '002_b.py'])
        self.assertEqual(self.names_in('b'), ['001_a.py'])
        self.assertEqual(self.names_in('c'), ['002_squashed.py'])


class SquashInvokeTest(InvokeTest):
    def test_fabric_3_squashes(self) -> None:
        self.migration('001_a.py')
        self.migration('002_b.py')
        made = self.fab('migrations.squash', '--to', '002', '--yes')
        self.assertEqual(made.status, 0, made.said)
        self.assertEqual(self.fab('migrations.execute').status, 0)
        self.assertEqual(self.registered(), ['002_squashed.py'])
