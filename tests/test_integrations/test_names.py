"""Names of other projects' files, and how a project begins with old ones."""

from __future__ import annotations

from typing import Any

from migopy import MigopyException
from tests.project import FabTest, PlainTest

DASHES = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        MIGRATIONS_FILE_PATTERN = (
            r'(?P<migr_nr_year>[0-9]+)-(?P<migr_nr_month>[0-9]+)-(?P<migr_nr_day>[0-9]+)'
            r'-[A-Za-z0-9-]+[.]py'
        )
        MIGRATIONS_HELPERS = ['base.py']
        MIGRATION_NUMBERING = 'timestamp'

    migrations = Migrations.create_task()
"""

NOTE = """
    from .base import note

    def up(db):
        note(db, __name__)

    def down(db):
        db.notes.delete_one({'by': __name__})
"""


class DatesTest(FabTest):
    """`2020-07-24-Add-x.py`, with a helper beside it."""

    fabfile = DASHES

    def setUp(self) -> None:
        super().setUp()
        self.migration(
            'base.py', "def note(db, name): db.notes.insert_one({'by': name})"
        )
        for name in ('2020-12-01-b.py', '2020-7-24-Add-x.py', '2021-01-01-C.py'):
            self.migration(name, NOTE)

    def test_they_run_in_order_and_are_found_by_their_date(self) -> None:
        self.assert_ok(self.fab('migrations:execute,to=2020-12-01'))
        self.assertEqual(
            [each['by'] for each in self.contents('notes')],
            ['mongomigrations.2020-7-24-Add-x', 'mongomigrations.2020-12-01-b'],
        )
        self.assert_ok(self.fab('migrations:rollback,20200724'))
        self.assertEqual(self.registered(), ['2020-12-01-b.py'])
        result = self.assert_ok(self.fab('migrations'))
        self.assertIn('Late (a higher number is registered already)', result.stdout)

    def test_a_new_one_has_the_day(self) -> None:
        result = self.assert_ok(self.fab('migrations:create,Add Flag'))
        self.assertRegex(
            result.stdout, r'mongomigrations/2\d{3}-\d\d-\d\d-add-flag\.py'
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(len(self.registered()), 4)

    def test_one_that_is_gone_is_forgotten_by_its_date(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        (self.folder / 'mongomigrations/2020-12-01-b.py').unlink()
        self.assert_ok(self.fab('migrations:forget,2020-12-01'))
        self.assertEqual(len(self.registered()), 2)


class LocaleTest(FabTest):
    """`001_größe.py`, typed where the locale is not UTF-8."""

    from_nothing = True
    fabfile = DASHES.replace('[A-Za-z0-9-]+[.]py', '.+')

    def test_nobody_is_told_to_rename_what_has_run(self) -> None:
        self.migration('2020-07-24-größe.py')
        self.assert_ok(self.fab('migrations:execute'))
        locale = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}
        result = self.fab('migrations', **locale)
        self.assert_error(result, 'set LC_ALL to C.UTF-8, then type: fab migrations')
        self.assertNotIn('Rename', result.stderr)
        self.assert_ok(self.fab('migrations', **{**locale, 'LC_ALL': 'C.UTF-8'}))


class BaselineTest(PlainTest):
    """A project that begins with old files on a database that has it all."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 201):
            self.migration(f'{number:03}_x.py', 'def up(db): db.a.insert_one({})')

    def test_all_up_to_one_are_registered_at_once(self) -> None:
        manager = self.manager()
        manager.baseline('198')
        self.assertEqual(manager.unregistered(), ['199_x.py', '200_x.py'])
        self.assertEqual(self.db.migrations.count_documents({'how': 'ignored'}), 198)
        manager.execute()
        self.assertEqual(self.contents('a'), [{}, {}])

    def test_is_refused_where_anything_is_registered(self) -> None:
        self.register('001_x.py')
        with self.assertRaises(MigopyException) as caught:
            self.manager().baseline('5')
        message = str(caught.exception)
        self.assertIn('here 1 is registered. Nothing was done.', message)
        self.assertIn('fab migrations:ignore,to=005_x.py', message)
        self.assertEqual(self.registered(), ['001_x.py'])

    def test_ignore_goes_up_to_one_as_well(self) -> None:
        self.register('001_x.py')
        manager = self.manager()
        manager.ignore(to='150')
        self.assertEqual(len(manager.unregistered()), 50)
        with self.assertRaisesRegex(MigopyException, 'exclude each other'):
            manager.ignore('160', to='170')


class BaselineOnHostsTest(FabTest):
    def test_is_done_once_for_one_database(self) -> None:
        for name in ('001_x.py', '002_x.py'):
            self.migration(name)
        self.write(
            'fabfile.py',
            self.filled(self.fabfile)
            + "\nfrom fabric.api import env\nenv.hosts = ['a', 'b']\n",
        )
        result = self.assert_ok(self.fab('migrations:baseline,1'))
        self.assertIn('has been carried out already, for another host', result.stderr)
        self.assertEqual(self.registered(), ['001_x.py'])

    def test_needs_a_name(self) -> None:
        message: Any = self.error('migrations:baseline')
        self.assertIn('Type: fab migrations:baseline,NAME', message)
