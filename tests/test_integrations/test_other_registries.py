"""What another collection of the database has as applied runs no second time."""

from __future__ import annotations

from datetime import datetime

from bson.codec_options import TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument

from migopy.run import AppliedByAnotherTool, RegisteredElsewhere
from tests.project import FABFILE, FabTest, PlainTest

INSERT = """
    def up(db):
        db.ran.insert_one({'n': 1})

    def down(db):
        db.ran.delete_one({'n': 1})
"""


class Dates(TypeDecoder):
    """Has a client give dates as texts."""

    bson_type = datetime

    def transform_bson(self, value: datetime) -> str:
        return value.isoformat()


class OtherRegistryTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', INSERT)
        self.migration('002_b.py', INSERT)

    def assert_refused(self, collection: str, *names: str, now: str) -> None:
        """No command runs them again where the setting is `now`."""
        before = self.contents('ran')
        manager = self.manager(MIGRATIONS_COLLECTION=now)
        for options in ({}, {'spec_migr': names[-1]}, {'dry_run': 'yes'}):
            with self.assertRaises(RegisteredElsewhere) as caught:
                manager.execute(**options)
            self.assertEqual(caught.exception.collection, collection)
        self.assertEqual(caught.exception.names, list(names))
        self.assertEqual(self.contents('ran'), before)
        self.assertEqual(self.contents(now), [])

    def test_of_a_setting_that_was_made_later(self) -> None:
        self.manager().execute()
        self.assert_refused('migrations', '001_a.py', '002_b.py', now='changes')

    def test_of_a_setting_that_was_lost(self) -> None:
        self.manager(MIGRATIONS_COLLECTION='changes').execute()
        self.assert_refused('changes', '001_a.py', '002_b.py', now='migrations')

    def test_of_what_1_0_has_registered(self) -> None:
        self.register('001_a.py', '002_b.py')
        self.assert_refused('migrations', '001_a.py', '002_b.py', now='changes')

    def test_of_what_another_tool_has_applied(self) -> None:
        """Who comes from another tool may type this before `adopt`."""
        there = ('001-a.js', '002-b.js', '004-gone.js')
        self.db.changelog.insert_many(
            {'fileName': name, 'appliedAt': datetime(2020, 7, 24)} for name in there
        )
        self.migration('003_c.py', INSERT)
        manager = self.manager()
        for options in ({}, {'spec_migr': '002_b.py'}, {'dry_run': 'yes'}):
            with self.assertRaisesRegex(
                AppliedByAnotherTool, 'migrate-mongo, as changelog has it'
            ) as caught:
                manager.execute(**options)
            self.assertIn(
                'fab migrations:adopt,collection=changelog', str(caught.exception)
            )
        self.assertEqual(caught.exception.names, ['001_a.py', '002_b.py'])
        self.assertEqual(self.contents('ran'), [])
        manager.adopt(collection='changelog', yes='yes')
        manager.execute()
        self.assertEqual(len(self.contents('ran')), 1)

    def test_of_another_tool_one_record_is_enough_if_it_can_be_of_no_other(
        self,
    ) -> None:
        """`001_a` is; `001-a.js` and `001` may be those of another project."""
        day = datetime(2019, 3, 20)
        self.migration('20200724120000_c.py', INSERT)
        for collection, record, name in (
            ('pymongo_migrate', {'name': '001_a', 'applied': day}, '001_a.py'),
            (
                'changelog',
                {'fileName': '20200724120000-c.js', 'appliedAt': day},
                '20200724120000_c.py',
            ),
        ):
            with self.subTest(record):
                self.db[collection].insert_one(record)
                manager = self.manager()
                for options in ({}, {'spec_migr': name}, {'dry_run': 'yes'}):
                    with self.assertRaises(AppliedByAnotherTool) as caught:
                        manager.execute(**options)
                    self.assertEqual(caught.exception.names, [name])
                    self.assertIn('fab migrations:adopt', str(caught.exception))
                self.assertEqual(self.contents('ran'), [])
                self.client.drop_database(self.db.name)
        for collection, record in (
            ('changelog', {'fileName': '001-a.js', 'appliedAt': day}),
            ('pymongo_migrate', {'name': '001', 'applied': day}),
            ('pymongo_migrate', {'name': '001_a', 'applied': None}),
        ):
            with self.subTest(record):
                self.db[collection].insert_one(record)
                self.manager().execute()
                self.assertEqual(len(self.contents('ran')), 3)
                self.client.drop_database(self.db.name)

    def test_of_another_tool_in_a_collection_of_the_same_name(self) -> None:
        for collection, documents in (
            ('migrations', [{'migrationName': '001-a.js'}, {'migrationName': '002-b'}]),
            ('_migrations', [{'_id': '001_a'}, {'_id': '002_b'}]),
        ):
            self.db[collection].insert_many(documents)
            with self.subTest(collection), self.assertRaises(AppliedByAnotherTool):
                self.manager().execute()
            self.db[collection].drop()
        self.assertEqual(self.contents('ran'), [])

    def test_of_an_application_s_collection_of_that_name_nothing(self) -> None:
        self.db.migrations.insert_many(
            [
                {'name': name, 'state': 'north', 'timestamp': 5}
                for name in ('001_a', 'b')
            ]
        )
        self.db['_migrations'].insert_one({'_id': 'birds', 'd': 1, 'id': [1]})
        before = self.contents('migrations'), self.contents('_migrations')
        self.manager(MIGRATIONS_COLLECTION='changes').execute()
        self.assertEqual(len(self.contents('ran')), 2)
        after = self.contents('migrations'), self.contents('_migrations')
        self.assertEqual(after, before)

    def test_of_another_tool_not_what_it_has_undone_nor_a_number_alone(self) -> None:
        self.db.pymongo_migrate.insert_many(
            [{'name': '001_a', 'applied': None}, {'name': '002_b', 'applied': None}]
        )
        self.db.changelog.insert_many(
            {'fileName': name, 'appliedAt': datetime(2020, 7, 24)}
            for name in ('001-of-another.js', '002-of-another.js')
        )
        self.manager().execute()
        self.assertEqual(len(self.contents('ran')), 2)

    def test_of_another_tool_what_it_has_by_a_time_alone(self) -> None:
        """mongodb-migrations and golang-migrate record no words."""
        self.migration('20200724120000_c.py', INSERT)
        self.migration('20200725112233_d.py', INSERT)
        self.migration('20210101000000_new.py', INSERT)
        day = datetime(2020, 7, 26)
        times = ['20200724120000_c.py', '20200725112233_d.py']
        all_up_to = ['001_a.py', '002_b.py', *times]
        version = 20200725112233
        for collection, records, names in (
            (
                'database_migrations',
                [
                    {'migration_datetime': time[:14], 'created_at': day}
                    for time in times
                ],
                times,
            ),
            (
                'database_migrations',
                [{'migration_datetime': '20200724120000', 'created_at': day}],
                times[:1],
            ),
            ('data_migrations', [{'version': time[:14]} for time in times], times),
            ('schema_migrations', [{'version': version, 'dirty': False}], all_up_to),
            (
                'schema_migrations',
                [{'version': version, 'dirty': True}],
                all_up_to[:-1],
            ),
        ):
            with self.subTest(records):
                self.db[collection].insert_many(records)
                manager = self.manager()
                for options in ({}, {'spec_migr': names[0]}, {'dry_run': 'yes'}):
                    with self.assertRaises(AppliedByAnotherTool) as caught:
                        manager.execute(**options)
                    self.assertIn('fab migrations:adopt', str(caught.exception))
                self.assertEqual(caught.exception.names, names)
                self.assertEqual(self.contents('ran'), [])
                manager.adopt(yes='yes')
                manager.execute()
                self.assertEqual(len(self.contents('ran')), 5 - len(names))
                self.client.drop_database(self.db.name)

    def test_of_another_tool_not_times_of_other_files(self) -> None:
        """Of two projects in one database each has times of its own."""
        self.migration('20200724_c.py', INSERT)
        self.migration('20200724120000_d.py', INSERT)
        for collection, record in (
            ('schema_migrations', {'version': 20200725112233, 'dirty': False}),
            ('schema_migrations', {'version': 2, 'dirty': False}),
            ('database_migrations', {'migration_datetime': '20200724120001'}),
            ('changelog', {'fileName': '20200724-other.js'}),
            ('pymongo_migrate', {'name': '20200724120000', 'applied': None}),
        ):
            with self.subTest(record):
                self.db[collection].insert_one(record)
                self.manager().execute()
                self.assertEqual(len(self.contents('ran')), 4)
                self.client.drop_database(self.db.name)

    def test_of_another_tool_not_a_late_file_once_its_records_are_adopted(
        self,
    ) -> None:
        self.migration('20200725112233_d.py', INSERT)
        self.db.schema_migrations.insert_one(
            {'version': 20200725112233, 'dirty': False}
        )
        manager = self.manager()
        manager.adopt(yes='yes')
        self.migration('20200724120000_late.py', INSERT)
        manager.execute()
        self.assertEqual(len(self.contents('ran')), 1)

    def test_of_another_tool_where_a_later_one_has_run_here(self) -> None:
        self.db.changelog.insert_many(
            {'fileName': name, 'appliedAt': datetime(2020, 7, 24)}
            for name in ('001-a.js', '002-b.js')
        )
        self.migration('003_c.py', INSERT)
        manager = self.manager()
        manager.execute('3')
        with self.assertRaises(AppliedByAnotherTool):
            manager.execute()
        self.assertEqual(len(self.contents('ran')), 1)

    def test_not_what_was_rolled_back_here_since(self) -> None:
        self.db.changelog.insert_many(
            {'fileName': name, 'appliedAt': datetime(2020, 7, 24)}
            for name in ('001-a.js', '002-b.js')
        )
        manager = self.manager()
        manager.adopt(yes='yes')
        manager.rollback('2')
        manager.rollback('1')
        manager.execute()
        self.assertEqual(len(self.contents('ran')), 2)
        changed = self.manager(MIGRATIONS_COLLECTION='changes')
        changed.ignore()
        changed.rollback('2')
        changed.rollback('1')
        changed.execute()
        self.assertEqual(len(self.contents('ran')), 2)

    def test_whatever_the_client_makes_of_what_it_reads(self) -> None:
        """Options that an application's client has may be those of the fabfile."""
        dates = TypeRegistry([Dates()])
        for options in (
            {'tz_aware': True},
            {'datetime_conversion': 'DATETIME_MS'},
            {'type_registry': dates},
            {'document_class': RawBSONDocument},
            {'readConcernLevel': 'snapshot'},
        ):
            with self.subTest(options):
                self.db.changelog.insert_many(
                    {'fileName': name, 'appliedAt': datetime(2020, 7, 24)}
                    for name in ('001-a.js', '002-b.js')
                )
                manager = self.manager(MONGO_CLIENT_OPTIONS=options)
                with self.assertRaises(AppliedByAnotherTool):
                    manager.execute()
                self.assertEqual(self.contents('ran'), [])
                manager.adopt(yes='yes')
                manager.rollback('2', force='yes')
                self.migration('003_c.py')
                manager.execute('3')
                # It is late, and was rolled back since that tool applied it.
                manager.execute('2')
                self.assertEqual(len(self.contents('ran')), 1)
                self.client.drop_database(self.db.name)

    def test_what_cannot_be_read_hides_no_other(self) -> None:
        self.manager().execute()
        fails = [{'$project': {'n': {'$divide': ['$n', 0]}}}]
        for name in ('changelog', 'pymongo_migrate', 'aaa'):
            self.db.create_collection(name, viewOn='ran', pipeline=fails)
        self.db.aaa_history.insert_one({})
        self.assert_refused('migrations', '001_a.py', '002_b.py', now='changes')

    def test_of_a_single_file_it_only_warns(self) -> None:
        self.manager().execute('1')
        self.manager(MIGRATIONS_COLLECTION='changes').execute('1')
        self.assertIn(
            "001_a.py is registered in migrations; MIGRATIONS_COLLECTION is 'changes',"
            ' where nothing is registered',
            [text for _, text in self.logger.said],
        )
        self.assertEqual(len(self.contents('ran')), 2)

    def test_of_1_0_not_where_it_has_names_of_another_project(self) -> None:
        self.register('001_a.py', '002_other.py')
        self.manager(MIGRATIONS_COLLECTION='changes').execute()
        self.assertEqual(len(self.contents('ran')), 2)

    def test_as_soon_as_the_setting_is_put_right_all_goes_on(self) -> None:
        self.migration('003_c.py', INSERT)
        self.manager().execute(to='2')
        with self.assertRaises(RegisteredElsewhere):
            self.manager(MIGRATIONS_COLLECTION='changes').execute()
        self.manager().execute()
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py', '003_c.py'])
        self.assertEqual(len(self.contents('ran')), 3)

    def test_files_of_other_content_are_another_project_s(self) -> None:
        self.manager().execute()
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT.replace("'n': 1", "'n': 2"))
        manager = self.manager(MIGRATIONS_COLLECTION='changes')
        manager.execute()
        self.assertEqual([each['n'] for each in self.contents('ran')], [1, 1, 2, 2])

    def test_two_projects_with_records_of_their_own_are_let_alone(self) -> None:
        self.manager().execute('1')
        other = self.manager(MIGRATIONS_COLLECTION='changes')
        other.ignore('1')
        other.execute()
        self.assertEqual(len(self.contents('ran')), 2)

    def test_documents_of_another_tool_say_nothing(self) -> None:
        self.db.migrations.insert_many([{'name': '001_a'}, {'filename': '001_a.py'}])
        self.manager(MIGRATIONS_COLLECTION='changes').execute()
        self.assertEqual(len(self.contents('ran')), 2)


class ToldTest(FabTest):
    fabfile = FABFILE.replace(
        'MONGO_DATABASE', "MIGRATIONS_COLLECTION = 'changes'\n        MONGO_DATABASE"
    )

    def test_it_says_what_to_set(self) -> None:
        for name in ('001_a.py', '002_b.py'):
            self.migration(name, INSERT)
            self.register(name)
        self.assertEqual(
            self.error('migrations:execute'),
            'Applied already, as migrations has it, so nothing was done:\n'
            '  001_a.py\n'
            '  002_b.py\n'
            "MIGRATIONS_COLLECTION is 'changes', where nothing is registered. To go on"
            " with migrations, have MIGRATIONS_COLLECTION = 'migrations' in the"
            ' fabfile, then look: fab migrations\n'
            "If migrations is another project's, give these files other names.",
        )
