"""What does not fit: in `fab migrations`, and in `check` with an exit status."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from migopy.state.runs import FAILED
from tests.project import FABFILE, NOTHING, FabTest, PlainTest

INSERT = """
    def up(db):
        db.notes.insert_one({})
"""


def state(db: Any) -> tuple[Any, ...]:
    """Give all that a database holds, and what the server made of it."""
    names = sorted(db.list_collection_names())
    hashes = db.command('dbHash')
    return names, hashes['collections'], hashes['md5']


class ReadOnlyTest(FabTest):
    """Whatever shows writes nothing to the database."""

    reading = (
        'migrations',
        'migrations:history',
        'migrations:history,20',
        'migrations:history,002_b.py',
        'migrations:help',
        'migrations:check',
    )

    def test_of_an_empty_database(self) -> None:
        self.migration('002_b.py', INSERT)
        self.assert_error(self.fab(*self.reading), 'Some migrations need attention')
        self.assertNotIn(self.db.name, self.client.list_database_names())

    def test_of_one_with_all_that_does_not_fit(self) -> None:
        self.migration('002_b.py', INSERT)
        self.migration('003_c.py', INSERT)
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', INSERT)
        self.migration('002_b.py', NOTHING)
        self.migration('002_z.py', INSERT)
        (self.folder / 'mongomigrations/003_c.py').unlink()
        run = self.db.migrations_history.find_one({'name': '002_b.py'}) or {}
        left = {
            '_id': ObjectId(),
            'outcome': FAILED,
            'unsettled': True,
            'error': 'E: broke',
        }
        left['records'] = [run['_id']]
        self.db.migrations_history.insert_one({**run, **left})
        before = state(self.db)
        shown = self.assert_error(
            self.fab(*self.reading), 'Some migrations need attention'
        ).stdout
        self.assertEqual(state(self.db), before)
        for part in (
            'Unregistered migrations:\n001_a.py\n002_z.py\n',
            'Late (a higher number is registered already):\n  001_a.py\n',
            'Changed since executed:\n  002_b.py\n',
            'Missing (registered, but there is no file):\n  003_c.py\n',
            'Equal numbers (they run in order of name):\n  002_b.py, 002_z.py\n',
            'Unfinished: 002_b.py: up started ',
            'E: broke\n  fab migrations:execute,002_b.py',
        ):
            with self.subTest(part):
                # Once by the status, once by the check.
                self.assertEqual(shown.count(part), 2)


class CheckTest(PlainTest):
    """Each thing that does not fit is shown, and `check` fails by it alone."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('010_a.py', INSERT)
        self.migration('020_b.py', INSERT)
        self.manager().execute()

    def status(self) -> str:
        self.logger.said.clear()
        self.manager().show_status()
        return '\n'.join(message for _, message in self.logger.said)

    def assert_fits(self) -> None:
        self.assertEqual(self.status(), 'All migrations registered')
        self.manager().check()

    def assert_shown(self, title: str, name: str) -> None:
        """Fail unless the status shows it under that title alone; `check` fails."""
        shown = self.status()
        titles = [line for line in shown.splitlines() if line.endswith(':')]
        self.assertEqual(titles, [title])
        self.assertIn(f'{title}\n  {name}', shown)
        with self.assertRaisesRegex(Exception, 'Some migrations need attention'):
            self.manager().check()

    def test_where_all_fits_nothing_more_is_said(self) -> None:
        self.assert_fits()

    def test_unregistered(self) -> None:
        self.migration('030_c.py')
        self.assertEqual(
            self.status(),
            'Unregistered migrations:\n030_c.py\n'
            'To execute them: fab migrations:execute',
        )
        with self.assertRaisesRegex(Exception, 'Some migrations need attention'):
            self.manager().check()

    def test_late(self) -> None:
        self.migration('015_c.py')
        shown = self.status()
        self.assertIn('Late (a higher number is registered already):\n  015_c', shown)
        with self.assertRaisesRegex(Exception, 'Some migrations need attention'):
            self.manager().check()

    def test_changed(self) -> None:
        self.migration('010_a.py', NOTHING)
        self.assert_shown('Changed since executed:', '010_a.py')

    def test_one_of_1_0_is_never_changed(self) -> None:
        self.db.migrations.update_many({}, {'$unset': {'checksum': 1}})
        self.migration('010_a.py', NOTHING)
        self.assert_fits()

    def test_one_that_was_ignored_may_change_too(self) -> None:
        self.migration('030_c.py')
        self.manager().ignore()
        self.assert_fits()
        self.migration('030_c.py', INSERT)
        self.assert_shown('Changed since executed:', '030_c.py')

    def test_missing(self) -> None:
        (self.folder / 'mongomigrations/010_a.py').unlink()
        self.assert_shown('Missing (registered, but there is no file):', '010_a.py')

    def test_equal_numbers(self) -> None:
        self.migration('10_c.py', INSERT)
        shown = 'Equal numbers (they run in order of name):\n  010_a.py, 10_c.py'
        self.assertIn(shown, self.status())
        with self.assertRaisesRegex(Exception, 'Some migrations need attention'):
            self.manager().check()
        # All of them registered, they do no harm any more.
        self.manager().execute()
        self.assertEqual(self.status(), f'All migrations registered\n{shown}')
        self.manager().check()

    def test_unfinished(self) -> None:
        self.db.migrations_history.update_one(
            {'name': '020_b.py'},
            [{'$set': {'unsettled': True, 'outcome': None, 'records': ['$_id']}}],
        )
        self.assertIn('Unfinished: 020_b.py: up started', self.status())
        with self.assertRaisesRegex(Exception, 'Some migrations need attention'):
            self.manager().check()


class CheckStatusTest(FabTest):
    """`fab migrations:check`, for a CI job or a health check."""

    def test_ends_with_0_where_all_is_well_and_1_where_not(self) -> None:
        self.migration('001_a.py', INSERT)
        check = self.fab('migrations:check')
        self.assert_error(check, 'Some migrations need attention')
        self.assertIn('001_a.py', check.stdout)
        self.assert_ok(self.fab('migrations:execute'))
        result = self.assert_ok(self.fab('migrations:check'))
        self.assertEqual(result.results, 'All migrations registered\n')
        self.assertEqual(result.stderr, '')


class BrokenFileTest(FabTest):
    """A pending file that is no Python: only `check` takes the time to see."""

    def test_check_names_it_and_imports_none(self) -> None:
        self.migration('001_a.py', "open('ran', 'w')\n\n\ndef up(db): pass\n")
        self.migration('002_b.py', 'def up(db):\n    return return\n')
        said = '002_b.py:2: 002_b.py cannot be imported: SyntaxError'
        result = self.assert_error(self.fab('migrations:check'), 'need attention')
        self.assertIn(said, result.stdout)
        self.assertNotIn('001_a.py cannot', result.stdout)
        self.assertFalse((self.folder / 'ran').exists())
        self.assertNotIn('cannot be imported', self.fab('migrations').stdout)
        # What is applied is run no more.
        self.register('001_a.py', '002_b.py')
        self.assertNotIn(said, self.fab('migrations:check').stdout)


class LateTest(FabTest):
    """A late migration is executed with a notice, or refused."""

    def late(self, fabfile: str = FABFILE) -> None:
        self.write('fabfile.py', self.filled(fabfile))
        self.migration('002_b.py', INSERT)
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', INSERT)
        self.migration('003_c.py', INSERT)

    def test_is_executed_with_a_notice(self) -> None:
        """Others skip it without a word: mongodb-migrations, beanie."""
        self.late()
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('001_a.py is late: 002_b.py is registered already', result.stderr)
        self.assertNotIn('003_c.py is late', result.stderr)
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])

    def test_may_be_refused_unless_it_is_named(self) -> None:
        self.late(FABFILE.replace('MONGO_URI', 'ALLOW_LATE = False\n        MONGO_URI'))
        refused = self.error('migrations:execute')
        self.assertIn('Late, as 002_b.py is registered already', refused)
        self.assertIn('fab migrations:execute,001_a.py', refused)
        self.assertEqual(self.registered(), ['002_b.py'])
        self.assert_ok(self.fab('migrations:execute,001_a.py', 'migrations:execute'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
