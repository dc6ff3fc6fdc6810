"""`environments` at the top of a file: where it runs, and what is told elsewhere."""

from __future__ import annotations

import json
import os
from typing import Any
from unittest import mock

from migopy.origins import Shown, shown
from migopy.testing import Migrations
from tests.project import NOTHING, CommandTest, FabTest, PlainTest

SEED = "    environments = ['staging', 'Review']\n" + NOTHING


class EnvironmentsTest(FabTest):
    """One for everywhere, and one for staging and review alone."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py')
        self.migration('002_seed.py', SEED)

    def status(self, **environment: str) -> dict[str, Any]:
        result = self.fab('migrations:json=yes', **environment)
        [line] = result.stdout.removesuffix('\nDone.\n').splitlines()
        status: dict[str, Any] = json.loads(line)['status']
        return status

    def test_there_it_is_a_migration_like_others(self) -> None:
        status = self.status(MIGOPY_ENVIRONMENT='staging')
        self.assertEqual(status['pending'], ['001_a.py', '002_seed.py'])
        self.assertEqual((status['environment'], status['elsewhere']), ('staging', {}))
        self.assert_ok(self.fab('migrations:execute', ENVIRONMENT=' review '))
        self.assertEqual(self.registered(), ['001_a.py', '002_seed.py'])
        # What has run there is known wherever its database is looked at.
        for here in ({}, {'ENVIRONMENT': 'production'}):
            shown = self.assert_ok(self.fab('migrations:check', **here))
            self.assertIn('All migrations registered', shown.said)
            self.assertNotIn('seed', shown.said)
        self.assert_ok(self.fab('migrations:rollback,2', ENVIRONMENT='production'))
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_elsewhere_it_is_not_pending_and_told_of(self) -> None:
        here = {'MIGOPY_ENVIRONMENT': 'production'}
        self.assertEqual(self.fab('migrations:check', **here).status, 1)
        said = self.assert_ok(self.fab('migrations:execute', **here)).stderr
        self.assertIn(
            'Left out, as not for production: 002_seed.py. See: fab migrations:list\n',
            said,
        )
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.fab('migrations:check', **here))
        for command in ('migrations', 'migrations:execute'):
            self.assertEqual(
                self.assert_ok(self.fab(command, **here)).results,
                'All migrations registered\n'
                'Not for production:\n'
                '  002_seed.py (staging, Review)\n',
            )
        rows = self.assert_ok(self.fab('migrations:list', **here)).results
        self.assertRegex(rows, r'002_seed\.py +elsewhere \(staging, Review\)')
        self.assertIn('2 migrations: 1 applied, 1 elsewhere\n', rows)
        status = self.status(**here)
        self.assertEqual((status['pending'], status['needs_attention']), ([], False))
        self.assertEqual(status['elsewhere'], {'002_seed.py': ['staging', 'Review']})

    def test_by_its_name_it_is_refused_elsewhere(self) -> None:
        said = self.error('migrations:execute,2', ENVIRONMENT='production')
        self.assertEqual(
            said,
            '002_seed.py is for staging and Review alone, and this is production;'
            ' nothing was done.\nWhere that is set: fab migrations:settings',
        )
        said = self.error('migrations:execute,2')
        self.assertIn('and none is named here; nothing was done.\nIf this is', said)
        self.assertIn('set MIGOPY_ENVIRONMENT in the environment, or ENVIRONMENT', said)
        self.assertEqual(self.registered(), [])
        self.assert_ok(self.fab('migrations:execute,2', ENVIRONMENT='STAGING'))
        self.assertEqual(self.registered(), ['002_seed.py'])

    def test_where_none_is_named_it_waits_and_the_status_says_what_to_set(self) -> None:
        results = self.assert_ok(self.fab('migrations')).results
        self.assertEqual(
            results,
            'Unregistered migrations:\n001_a.py\n'
            'To execute them: fab migrations:execute\n'
            'For some environments alone, and none is named here:\n'
            '  002_seed.py (staging, Review)\n'
            'If this is one of those, set MIGOPY_ENVIRONMENT in the environment, or'
            ' ENVIRONMENT in the fabfile, to its name.\n',
        )
        said = self.assert_ok(self.fab('migrations:execute')).stderr
        self.assertIn('no environment is named here: 002_seed.py', said)
        self.assertEqual(self.registered(), ['001_a.py'])
        self.assert_ok(self.fab('migrations:ignore'))
        self.assertEqual(self.registered(), ['001_a.py'])
        # Who names it means it.
        self.assert_ok(self.fab('migrations:ignore,2'))
        self.assertEqual(self.registered(), ['001_a.py', '002_seed.py'])

    def test_a_dry_run_of_it_by_name(self) -> None:
        tried = self.assert_ok(self.fab('migrations:execute,2,dry_run=yes'))
        self.assertIn('002_seed.py would do', tried.stderr)
        self.assertEqual(self.registered(), [])

    def test_a_json_event_and_the_list_in_json(self) -> None:
        result = self.fab('migrations:execute,json=yes', ENVIRONMENT='production')
        lines = [
            json.loads(line) for line in result.stdout.splitlines() if line[:1] == '{'
        ]
        [event] = [line for line in lines if line['event'] == 'elsewhere']
        self.assertEqual(event['migrations'], ['002_seed.py'])
        self.assertEqual(event['environment'], 'production')
        line = self.fab('migrations:list,json=yes').stdout.splitlines()[0]
        entry = json.loads(line)['list'][1]
        self.assertEqual(entry['state'], 'elsewhere')
        self.assertEqual(entry['environments'], ['staging', 'Review'])


class SettingTest(PlainTest):
    """Which of the three places says what this environment is called."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_seed.py', "environments = ['staging']\ndef up(db): pass")

    def row(self, **attributes: Any) -> Shown:
        """Give what `settings` shows of it."""
        [row] = [
            each
            for each in shown(self.manager(**attributes))
            if each.name == 'ENVIRONMENT'
        ]
        return row

    def test_which_stands_over_which(self) -> None:
        both = {'MIGOPY_ENVIRONMENT': 'review', 'ENVIRONMENT': 'local'}
        usual = {'MIGOPY_ENVIRONMENT': ' ', 'ENVIRONMENT': 'local'}
        for environment, attribute, value, where in (
            (both, 'staging', 'review', 'MIGOPY_ENVIRONMENT'),
            (usual, 'staging', 'staging', 'Migrations in project.py'),
            (usual, None, 'local', 'ENVIRONMENT in the environment'),
            (usual, '', 'local', 'ENVIRONMENT in the environment'),
        ):
            with self.subTest(value), mock.patch.dict(os.environ, environment):
                found = self.row(ENVIRONMENT=attribute)
                self.assertEqual((found.value, found.where), (value, where))
                pending = self.manager(ENVIRONMENT=attribute).unregistered()
                self.assertEqual(bool(pending), value == 'staging')

    def test_one_that_is_no_text(self) -> None:
        for value in (['staging'], 1, True):
            with self.assertRaisesRegex(Exception, 'must be the name of one'):
                self.manager(ENVIRONMENT=value)

    def test_each_of_many_databases(self) -> None:
        names = [f'{self.db.name}_{n}' for n in (1, 2)]
        for name in names:
            self.addCleanup(self.client.drop_database, name)
        many = {'MONGO_DATABASE': None, 'MONGO_DATABASES': names}

        def told(command: str, **attributes: Any) -> str:
            self.logger.said.clear()
            manager_class = self.manager_class(**many, **attributes)
            manager_class.create_task()(command)
            return '\n'.join(message for _, message in self.logger.said)

        told('execute', ENVIRONMENT='production')
        self.assertIn(
            'Not for production: 001_seed.py',
            told('show_status', ENVIRONMENT='production'),
        )
        told('execute', ENVIRONMENT='staging')
        for name in names:
            [record] = self.client[name].migrations.find()
            self.assertEqual(record['name'], '001_seed.py')


class BadEnvironmentsTest(PlainTest):
    """What cannot be used is one sentence before anything runs, and in `check`."""

    CASES = {
        "environments = 'staging'": "environments = 'staging' is no list of names",
        'environments = []': 'environments = [] is no list of names',
        "environments = ['']": "environments = [''] is no list of names",
        'environments = [1]': 'environments = [1] is no list of names',
        'environments = None': 'environments = None is no list of names',
        f'environments = {list(range(999))}': 'environments = [0, 1, 2, 3,',
        'import os\nenvironments = [os.name]': (
            'environments is not written out at the top of the file'
        ),
        "if True:\n    environments = ['staging']": (
            'environments is not written out at the top of the file'
        ),
        "environment = ['staging']": (
            'environment would be passed over: the word is `environments`'
        ),
        "enviroments = ['staging']": (
            'enviroments would be passed over: the word is `environments`'
        ),
        "environment = 'staging'": (
            'environment would be passed over: the word is `environments`'
        ),
        "ENVIRONMENTS = ('staging',)": (
            'ENVIRONMENTS would be passed over: the word is `environments`'
        ),
    }

    def told(self, command: str, *values: str, **options: str) -> str:
        self.logger.said.clear()
        self.manager_class(ENVIRONMENT='production').create_task()(
            command, *values, **options
        )
        return '\n'.join(message for _, message in self.logger.said)

    def test_each(self) -> None:
        self.migration('001_a.py', 'def up(db): db.ran.insert_one({})')
        for text, reason in self.CASES.items():
            with self.subTest(text[:40]):
                self.migration('002_b.py', f'{text}\ndef up(db): pass')
                for command, options in (
                    ('execute', {}),
                    ('check', {'offline': 'yes'}),
                ):
                    said = self.told(command, **options)
                    self.assertIn(f'002_b.py: {reason}', said)
                    self.assertLess(len(said), 600)
                self.assertEqual(self.contents('ran'), [])
        self.migration('002_b.py', 'environments = []\ndef up(db): pass')
        for command in ('show_status', 'check'):
            self.assertIn('002_b.py: environments = [] is no', self.told(command))

    def test_words_that_a_file_may_have_of_its_own(self) -> None:
        for text in (
            "environment = 'staging'\nassert environment",
            "ENVIRONMENT = 'staging'",
            'def environments(): pass',
            'from os import path as environments',
            'ENVIRONMENTS = {"a": 1}',
        ):
            self.db.ran.drop()
            self.db.migrations.drop()
            self.migration('001_a.py', f'{text}\ndef up(db): db.ran.insert_one({{}})')
            self.manager().perform('execute', (), {})
            self.assertEqual(self.db.ran.count_documents({}), 1, text)

    def test_one_for_everywhere_cannot_need_one_that_is_not(self) -> None:
        some = "environments = ['staging', 'qa']\n"
        self.migration('001_a.py', f'{some}def up(db): pass')
        for own, is_well in (
            ('', False),
            ("environments = ['production']\n", False),
            ("environments = ['QA']\n", True),
        ):
            with self.subTest(own):
                self.migration(
                    '002_b.py',
                    f"{own}needs = ['001_a']\ndef up(db): db.x.insert_one({{}})",
                )
                said = self.told('check', offline='yes')
                reason = '002_b.py needs 001_a.py, which is for staging and qa alone'
                self.assertEqual(reason in said, not is_well, said)
        self.migration('002_b.py', "needs = ['001_a']\ndef up(db): db.x.insert_one({})")
        self.assertIn('which is for staging and qa alone', self.told('execute'))
        self.assertEqual(self.contents('x'), [])


class OrderTest(PlainTest):
    """What is for other places makes nothing late, and stands in nobody's way."""

    def test_numbers_and_a_change_of_mind(self) -> None:
        seed = "environments = ['staging']\ndef up(db): pass"
        self.migration('001_seed.py', seed)
        self.migration('002_b.py')
        self.migration('002_c.py', seed)
        self.manager(ENVIRONMENT='production').perform('execute', ('002_b',), {})
        self.assertEqual(self.registered(), ['002_b.py'])
        plan = self.manager(ENVIRONMENT='production')._site.survey()
        self.assertTrue(plan.fits)
        self.assertEqual(list(plan.elsewhere), ['001_seed.py', '002_c.py'])
        # By now it is for everywhere.
        self.migration('001_seed.py')
        plan = self.manager(ENVIRONMENT='production')._site.survey()
        self.assertEqual([each.name for each in plan.late], ['001_seed.py'])


class OfTestsTest(PlainTest):
    """Each file can be rehearsed and tested, wherever that is done."""

    def test_the_rehearsal_of_one_in_a_test(self) -> None:
        self.migration('001_a.py')
        self.migration('002_seed.py', SEED)
        migrations = Migrations(self.uri, self.manager_class(MONGO_URI=None))
        self.addCleanup(migrations.close)
        migrations.check('002_seed.py')
        db = migrations()
        names = [each['name'] for each in db.migrations.find()]
        self.assertEqual(names, ['001_a.py'])


class OfTheCommandTest(CommandTest):
    """The command `migopy` has it among its settings."""

    def test_the_variable_and_the_status(self) -> None:
        self.migration('001_seed.py', SEED)
        shown = self.assert_ok(self.migopy('list', MIGOPY_ENVIRONMENT='x')).results
        self.assertIn('elsewhere (staging, Review)', shown)
        shown = self.assert_ok(self.migopy()).results
        self.assertIn('or ENVIRONMENT in ', shown)
        self.assert_ok(self.migopy('execute', MIGOPY_ENVIRONMENT='staging'))
        self.assertEqual(self.registered(), ['001_seed.py'])
