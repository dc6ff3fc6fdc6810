"""Records of other tools, as they were seen to write them, taken over.

`test_adopt_tools` lets the tools themselves write them.
"""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from typing import Any
from unittest import mock

from bson import Int64, ObjectId, Regex

from migopy import MigopyException
from migopy.operations.adoption import NothingToAdopt
from tests import schema
from tests.project import FabTest, PlainTest

AT = datetime(2020, 3, 20, 10, 30, 5)
LATER = datetime(2020, 3, 21, 11, 0, 0)

UP = 'def up(db): db.ran.insert_one({})\ndef down(db): pass'


def mongock(change: str, state: str | None, at: datetime, **more: Any) -> Any:
    """Make an entry of Mongock's log."""
    return {
        'executionId': f'2020-{at:%d}',
        'changeId': change,
        'author': 'ann',
        'timestamp': at,
        'type': 'EXECUTION',
        'changeLogClass': f'com.example._0001__{change.title()}',
        'changeSetMethod': 'execution',
        'executionMillis': Int64(12),
        'executionHostname': 'web1',
        'systemChange': False,
        **({} if state is None else {'state': state}),
        **more,
    }


def udata_operation(kind: str, at: datetime, success: bool = True) -> dict[str, Any]:
    """Make one of the operations that udata keeps in a record."""
    return {
        'date': at,
        'type': kind,
        'script': 'def migrate(db): ...',
        'output': [['info', 'Done']],
        'success': success,
        'traceback': None if success else 'Traceback',
    }


class AdoptTest(PlainTest):
    """What each tool leaves, and what of it is registered."""

    def files(self, *names: str) -> None:
        for name in names:
            self.migration(name, UP)

    def theirs(self, collection: str, *documents: dict[str, Any]) -> None:
        self.db[collection].insert_many([dict(each) for each in documents])

    def adopted(
        self, _there: str, *documents: dict[str, Any], **options: Any
    ) -> dict[str, datetime | None]:
        """Adopt documents of a collection; give what is registered, with its times.

        Theirs must be untouched, and a second time must register nothing.
        """
        self.theirs(_there, *documents)
        before = list(self.db[_there].find())
        ours = self.db[options.pop('MIGRATIONS_COLLECTION', 'migrations')]
        manager = self.manager(MIGRATIONS_COLLECTION=ours.name)
        manager.adopt(**options)
        self.assertEqual(ours.count_documents({}), 0)
        manager.adopt(yes='yes', **options)
        registered = list(ours.find())
        self.logger.said.clear()
        manager.adopt(yes='yes', **options)
        self.assertIn('Nothing to register', self.logger.of('green'))
        self.assertEqual(list(self.db[_there].find()), before)
        self.assertEqual(list(ours.find()), registered)
        self.assertEqual(self.contents('ran'), [])
        self.assertEqual(self.contents(f'{ours.name}_lock'), [])
        return {each['name']: each.get('executed_at') for each in registered}

    def shown(self, **options: Any) -> str:
        self.logger.said.clear()
        with mock.patch.dict(os.environ, COLUMNS='160'):
            self.manager().adopt(**options)
        return '\n'.join(message for _, message in self.logger.said)

    def test_of_pymongo_migrate(self) -> None:
        self.files('20190320_add.py', '20190321_more.py', '20190322_new.py')
        found = self.adopted(
            'pymongo_migrate',
            {'name': '20190320_add', 'applied': AT},
            {'name': '20190321_more', 'applied': None},
        )
        self.assertEqual(found, {'20190320_add.py': AT})
        shown = self.shown()
        self.assertIn('pymongo-migrate, collection pymongo_migrate:', shown)
        self.assertRegex(shown, r'20190321_more +undone')
        self.assertIn('Files without a record there:\n  20190322_new.py', shown)

    def test_of_a_renamed_file_by_the_name_in_it(self) -> None:
        self.migration('001_add.py', f"name = '20190320_ad'\n{UP}")
        found = self.adopted('pymongo_migrate', {'name': '20190320_ad', 'applied': AT})
        self.assertEqual(found, {'001_add.py': AT})

    def test_of_mongodb_migrations(self) -> None:
        self.files('20130320145400_add.py', '20130321145400_more.py')
        found = self.adopted(
            'database_migrations',
            {'migration_datetime': '20130320145400', 'created_at': AT},
        )
        self.assertEqual(found, {'20130320145400_add.py': AT})
        self.assertIn('20130320145400_add.py', self.shown())

    def test_of_mongomig(self) -> None:
        record = {
            'revision': 'a24b5193c961',
            'down_revision': None,
            'description': 'add notes',
            'status': 'applied',
            'applied_at': AT,
            'execution_time_ms': 7,
        }
        self.migration('001_first.py', f"revision = 'a24b5193c961'\n{UP}")
        self.files('002_more_notes.py')
        failed = {**record, '_id': 'b', 'revision': 'b', 'status': 'failed'}
        failed['description'] = 'more notes'
        found = self.adopted(
            '__mongomig_migrations', {'_id': 'a24b5193c961', **record}, failed
        )
        self.assertEqual(found, {'001_first.py': AT})
        [document] = self.db.migrations.find()
        self.assertEqual(document['duration_ms'], 7)
        self.assertEqual(document['adopted_from'], 'mongomig: a24b5193c961')

    def test_of_mongrator(self) -> None:
        self.files('20260408_143022_add_x.py', '20260409_add_y.py')
        found = self.adopted(
            'mongrator_migrations',
            {'_id': '_mongrator_lock', 'locked': False, 'locked_at': AT},
            {
                '_id': '20260408_143022_add_x',
                'applied_at': AT,
                'checksum': 'e3b0',
                'direction': 'up',
                'duration_ms': 16,
            },
        )
        self.assertEqual(found, {'20260408_143022_add_x.py': AT})

    def test_of_migrate_mongo(self) -> None:
        """Its files are in JavaScript; here are the same in Python."""
        self.files('20200724120000_add_x.py', '20200725120000_add_flag.py')
        found = self.adopted(
            'changelog',
            {
                'fileName': '20200724120000-add-x.js',
                'appliedAt': AT,
                'fileHash': '946f',
                'migrationBlock': 1795838857747.0,
            },
            {'fileName': '20200725120000-add-y.js', 'appliedAt': LATER},
            {'fileName': '20200726120000-gone.js', 'appliedAt': LATER},
        )
        self.assertEqual(
            found,
            {'20200724120000_add_x.py': AT, '20200725120000_add_flag.py': LATER},
        )
        self.assertRegex(self.shown(), r'20200726120000-gone.js .* no file')

    def test_says_by_what_each_was_found(self) -> None:
        self.files('20200724120000_add_x.py', '20200725120000_flag.py')
        self.files('003_third.py', '004_fourth.py')
        self.theirs(
            'changelog',
            {'fileName': '20200724120000-add-x.js', 'appliedAt': AT},
            {'fileName': '20200725120000-add-y.js', 'appliedAt': AT},
            {'fileName': '3-other.js', 'appliedAt': AT},
            {'fileName': '20200727-fourth.js', 'appliedAt': AT},
        )
        shown = self.shown()
        for name, how in (
            ('20200724120000_add_x.py', 'name'),
            ('20200725120000_flag.py', 'timestamp'),
            ('003_third.py', 'number'),
            ('004_fourth.py', 'words'),
        ):
            self.assertRegex(shown, rf'{name} +{how}')
        self.assertIn('To register what fits (4), type: fab migrations:adopt', shown)

    def test_what_fits_several_fits_none(self) -> None:
        self.files('001_add.py', '002_add.py', '003_note.py', '003_other.py')
        self.theirs(
            'changelog',
            {'fileName': 'add.js', 'appliedAt': AT},
            {'fileName': '2-x.js', 'appliedAt': AT},
            {'fileName': '2-y.js', 'appliedAt': AT},
            {'fileName': '3-z.js', 'appliedAt': AT},
            {'fileName': 'note.js', 'appliedAt': AT},
        )
        shown = self.shown()
        # One of those that 3-z may be is found to be note's, by its words.
        self.assertRegex(shown, 'none, as it fits several: 003_note.py, 003_other.py')
        self.assertNotIn('no file', shown)
        several = 'none, as it fits several: 001_add.py, 002_add.py'
        self.assertRegex(shown, rf'add.js .* {several}')
        for name in ('2-x.js', '2-y.js'):
            self.assertRegex(
                shown, rf'{name} .* none, as others fit it too: 002_add.py'
            )
        self.assertIn('To register what fits (1), type: ', shown)

    def test_two_records_of_one_name_are_one(self) -> None:
        """Tools without a lock write two where two deploys ran at once.

        Its file would run again here otherwise.
        """
        self.files('20200724120000_add_x.py')
        name = {'fileName': '20200724120000-add-x.js'}
        found = self.adopted(
            'changelog',
            {**name, 'appliedAt': LATER},
            {**name, 'appliedAt': AT},
            {**name},
        )
        self.assertEqual(found, {'20200724120000_add_x.py': AT})
        self.assertEqual(self.shown().count('-add-x.js'), 1)

    def test_but_not_of_one_that_is_undone_in_another(self) -> None:
        self.files('20190320_add.py')
        name = {'name': '20190320_add'}
        found = self.adopted(
            'pymongo_migrate', {**name, 'applied': AT}, {**name, 'applied': None}
        )
        self.assertEqual(found, {})

    def test_two_times_with_the_same_words_are_two_migrations(self) -> None:
        self.files('20220104120000_add_index.py')
        found = self.adopted(
            'changelog', {'fileName': '20190104120000-add-index.js', 'appliedAt': AT}
        )
        self.assertEqual(found, {})

    def test_an_endless_duration_is_none(self) -> None:
        self.files('001_a.py')
        record = {'revision': '001', 'description': 'a', 'status': 'applied'}
        record |= {'applied_at': AT, 'execution_time_ms': float('inf')}
        found = self.adopted('__mongomig_migrations', record)
        self.assertEqual(found, {'001_a.py': AT})

    def test_an_endless_version_is_none(self) -> None:
        self.files('001_a.py')
        self.theirs('schema_migrations', {'version': float('inf'), 'dirty': False})
        with self.assertRaises(NothingToAdopt):
            self.manager().adopt()

    def test_whatever_their_fields_hold(self) -> None:
        """They are another tool's, or of whoever can write there."""
        self.files('001_add_x.py')
        done = {'success': True}
        for odd in ([1], {'a': 1}, Regex('x'), '9' * 5000):
            for collection, document in (
                ('mongockChangeLog', {'changeId': 'add-x', 'state': odd}),
                ('changelog', {'fileName': odd, 'appliedAt': odd}),
                ('migrations', {'filename': 'x', 'ops': [{'type': odd} | done]}),
                ('schema_migrations', {'version': odd, 'dirty': odd}),
            ):
                with self.subTest((collection, type(odd))):
                    self.db[collection].insert_one(document)
                    with contextlib.suppress(MigopyException):
                        self.manager().adopt()
                    self.db.drop_collection(collection)

    def test_of_mongo_migrate_ts(self) -> None:
        self.files('1595592000000_add_x.py', '1595592000001_more.py')
        found = self.adopted(
            'migrations_changelog',
            {
                'file': '1595592000000_AddX.js',
                'className': 'AddX1595592000000',
                'timestamp': 1584700205000.0,
            },
            {
                'file': 'Other.ts',
                'className': 'Other1595592000001',
                'timestamp': 1584700205000.0,
            },
        )
        self.assertEqual(
            found, {'1595592000000_add_x.py': AT, '1595592000001_more.py': AT}
        )

    def test_of_mongock(self) -> None:
        self.files('001_clients.py', '002_orders.py', '003_prices.py', '004_old.py')
        found = self.adopted(
            'mongockChangeLog',
            mongock('clients', 'EXECUTED', AT),
            mongock('clients', 'IGNORED', LATER),
            mongock('orders', 'EXECUTED', AT, changeLogClass='x.Orders'),
            mongock('orders', 'ROLLED_BACK', LATER, changeLogClass='x.Orders'),
            mongock('prices', 'FAILED', AT, changeLogClass='x.Prices'),
            mongock('old', None, AT, changeLogClass='x.Old'),
            mongock('system-change', 'EXECUTED', AT, systemChange=True),
        )
        self.assertEqual(found, {'001_clients.py': AT, '004_old.py': AT})
        shown = self.shown()
        self.assertRegex(shown, r'orders +rolled back')
        self.assertRegex(shown, r'prices +failed')
        self.assertNotIn('system-change', shown)

    def test_of_mongock_with_one_id_of_two_authors(self) -> None:
        self.files('001_clients.py', '002_orders.py')
        found = self.adopted(
            'mongockChangeLog',
            mongock('1', 'EXECUTED', AT, author='ann', changeLogClass='x.Clients'),
            mongock('1', 'FAILED', LATER, author='bob', changeLogClass='x.Orders'),
        )
        self.assertEqual(found, {'001_clients.py': AT})

    def test_of_mongock_without_a_time(self) -> None:
        self.files('003_prices.py')
        entry = mongock('prices', 'EXECUTED', AT)
        del entry['timestamp']
        found = self.adopted(
            'mongockChangeLog', entry, mongock('prices', 'ROLLED_BACK', AT)
        )
        self.assertEqual(found, {})

    def test_of_flamingock(self) -> None:
        self.files('001_clients.py', '002_orders.py', '003_prices.py')
        entries = [
            ('clients', 'STARTED', AT),
            ('clients', 'APPLIED', LATER),
            ('orders', 'MANUAL_MARKED_AS_APPLIED', LATER),
            ('prices', 'STARTED', LATER),
        ]
        found = self.adopted(
            'flamingockAuditLog',
            *(
                {'changeId': change, 'state': state, 'timestamp': at, 'author': 'x'}
                for change, state, at in entries
            ),
        )
        self.assertEqual(found, {'001_clients.py': LATER, '002_orders.py': LATER})

    def test_of_beanie(self) -> None:
        """After one step back the third one is not applied any more."""
        names = [f'2021010{day}000000_{word}.py' for day, word in enumerate('abc', 1)]
        self.files(*names)
        found = self.adopted(
            'migrations_log',
            {'name': names[0], 'ts': AT, 'is_current': False},
            {'name': names[1], 'ts': AT, 'is_current': False},
            {'name': names[2], 'ts': AT, 'is_current': False},
            {'name': names[1], 'ts': LATER, 'is_current': True},
        )
        self.assertEqual(found, {names[0]: AT, names[1]: AT})

    def test_of_beanie_that_has_undone_all(self) -> None:
        """It goes back to a migration `root` then, which is none."""
        names = ['20210101000000_a.py', '20210102000000_b.py']
        self.files(*names)
        found = self.adopted(
            'migrations_log',
            {'name': names[0], 'ts': AT, 'is_current': False},
            {'name': names[1], 'ts': AT, 'is_current': False},
            {'name': names[0], 'ts': LATER, 'is_current': False},
            {'name': 'root', 'ts': LATER, 'is_current': True},
        )
        self.assertEqual(found, {})
        shown = self.shown()
        self.assertRegex(shown, rf'{names[0]} +undone')
        self.assertNotIn('root', shown)

    def test_of_golang_migrate(self) -> None:
        self.files('001_a.py', '002_b.py', '003_c.py', '004_d.py')
        found = self.adopted('schema_migrations', {'version': Int64(3), 'dirty': False})
        self.assertEqual(found, {'001_a.py': None, '002_b.py': None, '003_c.py': None})

    def test_of_golang_migrate_left_half_done(self) -> None:
        self.files('001_a.py', '002_b.py', '003_c.py', '004_d.py')
        found = self.adopted('schema_migrations', {'version': Int64(3), 'dirty': True})
        self.assertEqual(found, {'001_a.py': None, '002_b.py': None})
        self.assertRegex(self.shown(), r'3 +dirty: half done, maybe')

    def udata_file(self, name: str) -> None:
        self.migration(name, 'def migrate(db): db.ran.insert_one({})')

    def test_of_udata(self) -> None:
        """The last of a record's operations says whether it is applied.

        It writes into `migrations` as well, so migopy needs a collection of its own.
        """
        names = [
            f'2021-08-1{day}-{word}-integrity.py'
            for day, word in enumerate(('follow', 'harvest', 'users', 'tags', 'new'))
        ]
        for name in names:
            self.udata_file(name)
        failed = udata_operation('migrate', AT, success=False)
        self.theirs(
            'migrations',
            {'filename': names[0], 'ops': [failed, udata_operation('migrate', LATER)]},
            {'filename': names[1], 'ops': [udata_operation('record', AT)]},
            {'filename': names[2], 'ops': [udata_operation('migrate', AT), failed]},
            # With a plugin's name, as until 2025.
            {
                'plugin': 'udata',
                'filename': names[3],
                'ops': [failed, udata_operation('rollback', LATER)],
            },
            {'plugin': 'front', 'filename': names[4], 'ops': []},
        )
        before = list(self.db.migrations.find())
        options = {
            'MIGRATIONS_COLLECTION': 'migopy_migrations',
            'MIGRATIONS_FILE_PATTERN': r'(?P<migr_nr_y>\d+)-(?P<migr_nr_m>\d+)-'
            r'(?P<migr_nr_d>\d+)-[A-Za-z0-9-]+\.py',
        }
        manager = self.manager(**options)
        with mock.patch.dict(os.environ, COLUMNS='160'):
            manager.adopt()
        shown = '\n'.join(message for _, message in self.logger.said)
        self.assertIn('udata, collection migrations:', shown)
        self.assertRegex(shown, rf'{names[2]} +failed')
        self.assertRegex(shown, rf'{names[3]} +undone')
        self.assertRegex(shown, rf'front:{names[4]} +not begun')
        manager.adopt(yes='yes')
        self.assertEqual(
            {
                each['name']: each['executed_at']
                for each in self.db.migopy_migrations.find()
            },
            {names[0]: LATER, names[1]: AT},
        )
        self.assertEqual(list(self.db.migrations.find()), before)
        self.assertEqual(manager.unregistered(), names[2:])

    def test_of_udata_of_before_2019(self) -> None:
        """It recorded only what had succeeded, of files in JavaScript."""
        self.files('20160307_slug.py', '20160308_new.py')
        record = {'plugin': 'udata', 'script': 'db.x.find()', 'output': ''}
        found = self.adopted(
            'migrations',
            {**record, 'filename': '2016-03-07-slug.js', 'date': AT},
            MIGRATIONS_COLLECTION='migopy_migrations',
        )
        self.assertEqual(found, {'20160307_slug.py': AT})

    def test_of_tools_that_keep_a_name_or_a_number(self) -> None:
        """Of what a log has gone back from only what is left is registered."""
        up, id_ = {'applied': AT, 'd': True}, ObjectId
        timed = {'name': '001-aa.js', 'executed': AT, 'num': 1}
        went = [
            {'_id': id_(f'{at:024x}'), 'version': version, 'timestamp': AT}
            for at, version in enumerate((1, 2, 3, 2))
        ]
        state = {'createdAt': AT, 'updatedAt': LATER}
        shapes: list[tuple[str, str, list[dict[str, Any]], datetime | None]] = [
            ('umzug', 'migrations', [{'migrationName': '001-aa.js'}], None),
            ('db-migrate', 'migrations', [{'name': '/001-aa', 'run_on': AT}], AT),
            (
                'ts-migrate-mongoose',
                'migrations',
                [
                    {'name': 'aa', 'state': 'up', **state},
                    {'name': 'bb', 'state': 'down', **state},
                ],
                AT,
            ),
            ('mongo-migrate', 'migrations', [timed], AT),
            ('Laravel', 'migrations', [{'migration': '001_aa', 'batch': 1}], None),
            ('east', '_migrations', [{'_id': '1_aa'}], None),
            ('mongodb-migrations of Node', '_migrations', [{'id': '1-aa'}], None),
            (
                'MongoDBMigrations of .NET',
                '_migrations',
                [
                    {'n': '001 aa', **up},
                    {'n': '002 bb', **up},
                    {'n': '002 bb', 'd': False, 'applied': LATER},
                ],
                AT,
            ),
            (
                'alley',
                'db_migrations',
                [{'id': '0001', 'filename': '001_aa.py', 'date': AT}],
                AT,
            ),
            (
                'mongo-migrations',
                'migrations',
                [
                    {'id': 1, 'filename': name, 'date': date, 'type': way}
                    for name, date, way in (
                        ('001_aa.py', AT, 'up'),
                        ('001_aa.py', AT, 'down'),
                        ('001_aa.py', LATER, 'up'),
                        ('002_bb.py', AT, 'up'),
                        ('002_bb.py', LATER, 'down'),
                    )
                ],
                LATER,
            ),
            ('mongrate', '_migrations', [{'migration': '001_aa.py'}], None),
            (
                'mongoladdu',
                'db_migrations',
                [{'id': '1', 'name': 'aa', 'execution_time': AT}],
                AT,
            ),
            ('mongoid_rails_migrations', 'data_migrations', [{'version': '1'}], None),
            (
                'Liquibase',
                'DATABASECHANGELOG',
                [
                    {'id': '1', 'dateExecuted': AT, 'execType': 'EXECUTED'},
                    {'id': '2', 'dateExecuted': AT, 'execType': 'FAILED'},
                ],
                AT,
            ),
            ('xakep666/mongo-migrate', 'migrations', went, None),
        ]
        self.files('001_aa.py', '002_bb.py', '003_cc.py')
        for tool, collection, documents, at in shapes:
            with self.subTest(tool):
                self.client.drop_database(self.db.name)
                found = self.adopted(
                    collection, *documents, MIGRATIONS_COLLECTION='migopy_migrations'
                )
                names = ['001_aa.py', *(['002_bb.py'] if documents is went else [])]
                self.assertEqual(found, dict.fromkeys(names, at))

    def test_of_any_other_tool_not_what_a_part_of_its_document_calls_failed(
        self,
    ) -> None:
        self.files('001_a.py', '002_b.py', '003_c.py', '004_d.py', '005_e.py')
        up, down = {'direction': 'up', 'at': AT}, {'direction': 'down', 'at': LATER}
        found = self.adopted(
            'log',
            {'file': {'name': '001_a.py'}, 'runs': [down, up]},
            {'file': {'name': '002_b.py'}, 'runs': [up, down]},
            {'file': {'name': '003_c.py'}, 'result': {'success': False}},
            {'file': {'name': '004_d.py'}, 'result': {'success': True}},
            {'file': '005_e.py'},
            collection='log',
            field='file.name',
            time='runs.at',
        )
        self.assertEqual(found, {'001_a.py': AT, '004_d.py': None})
        shown = self.shown(collection='log', field='file.name')
        self.assertRegex(shown, r'002_b.py +runs.direction: down')
        self.assertRegex(shown, r'003_c.py +result.success: false')

    def test_of_any_other_tool_not_what_has_no_time_where_others_have_one(self) -> None:
        self.files('001_a.py', '002_b.py', '003_c.py')
        found = self.adopted(
            'log',
            {'title': '001_a.js', 'ran': 1584700205000.0},
            {'title': '002_b.js', 'ran': None},
            {'title': '003_c.js'},
            collection='log',
            field='title',
            time='ran',
        )
        self.assertEqual(found, {'001_a.py': AT, '003_c.py': None})
        shown = self.shown(collection='log', field='title', time='ran')
        self.assertRegex(shown, r'002_b.js +ran: null')

    def test_of_any_other_tool_all_that_one_document_lists(self) -> None:
        """As node-migrate keeps them."""
        self.files('001_a.py', '002_b.py', '003_c.py', '004_d.py')
        found = self.adopted(
            'log',
            {
                'lastRun': '002-b.js',
                'migrations': [
                    {'title': '001-a.js', 'timestamp': 1584700205000.0},
                    {'title': '002-b.js', 'timestamp': 1584700205000.0},
                    {'title': '003-c.js', 'timestamp': None},
                    {'other': 1},
                ],
            },
            {'migrations': {'title': '004-d.js', 'timestamp': AT}},
            {'migrations': []},
            collection='log',
            field='migrations.title',
            time='migrations.timestamp',
        )
        self.assertEqual(found, dict.fromkeys(['001_a.py', '002_b.py', '004_d.py'], AT))

    def test_one_day_alone_makes_no_two_one(self) -> None:
        """Registered for the other one, it would never run."""
        self.files('20210817_users.py', '20210818_tags.py')
        found = self.adopted(
            'changelog',
            {'fileName': '20210817-follow.js', 'appliedAt': AT},
            {'fileName': '20210818', 'appliedAt': AT},
        )
        self.assertEqual(found, {'20210818_tags.py': AT})

    def test_of_any_other_tool(self) -> None:
        self.files('001_a.py', '002_b.py')
        found = self.adopted(
            'versions',
            {'version': 1, 'when': AT},
            {'version': '002', 'when': 1584700205000},
            {'other': 3},
            collection='versions',
            field='version',
            time='when',
        )
        self.assertEqual(found, {'001_a.py': AT, '002_b.py': AT})
        shown = self.shown(collection='versions', field='version')
        self.assertIn('time unknown', shown)

    def test_of_any_other_tool_not_what_it_has_undone_or_failed_at(self) -> None:
        """Registered, it would never run here."""
        for field, applied, not_applied in (
            ('state', 'up', ['down']),
            ('status', 'Success', ['FAILED', 'rolled_back', 'in progress', 'pending']),
            ('execType', 'MARK_RAN', ['SKIPPED']),
            ('type', 'migrate', ['rollback']),
            ('success', True, [False]),
            ('dirty', False, [True]),
        ):
            with self.subTest(field):
                self.db.versions.drop()
                self.db.migrations.drop()
                names = [f'{n:03}_{field.lower()}.py' for n in range(9)]
                self.files(names[0], *names[1 : len(not_applied) + 1])
                found = self.adopted(
                    'versions',
                    *(
                        {'version': name, field: value}
                        for name, value in zip(names, [applied, *not_applied])
                    ),
                    collection='versions',
                    field='version',
                )
                self.assertEqual(found, {names[0]: None})
                shown = self.shown(collection='versions', field='version')
                for value in not_applied:
                    said = value if isinstance(value, str) else str(value).lower()
                    self.assertIn(f'{field}: {said}', shown)

    def test_of_any_other_tool_not_what_its_log_has_as_undone(self) -> None:
        self.files('001_a.py', '002_b.py')
        found = self.adopted(
            'log',
            {'filename': '001_a.py', 'type': 'up', 'date': AT},
            {'filename': '002_b.py', 'type': 'up', 'date': AT},
            {'filename': '002_b.py', 'type': 'down', 'date': LATER},
            collection='log',
            field='filename',
            time='date',
        )
        self.assertEqual(found, {'001_a.py': AT})

    def test_of_a_known_tool_in_a_collection_of_another_name(self) -> None:
        self.files('20200724120000_add_x.py')
        found = self.adopted(
            'log',
            {'fileName': '20200724120000-add-x.js', 'appliedAt': AT},
            collection='log',
        )
        self.assertEqual(found, {'20200724120000_add_x.py': AT})
        self.assertIn('migrate-mongo, collection log:', self.shown(collection='log'))

    def test_in_migopy_s_own_collection(self) -> None:
        """Other tools call theirs `migrations` as well."""
        self.files('20200724120000_add_x.py', '002_y.py')
        manager = self.manager()
        manager.execute('2')
        theirs = {'fileName': '20200724120000-add-x.js', 'appliedAt': AT}
        self.theirs('migrations', theirs)
        manager.adopt(collection='migrations', yes='yes')
        self.assertEqual(manager.unregistered(), [])
        [left] = self.db.migrations.find({'fileName': {'$exists': True}}, {'_id': 0})
        self.assertEqual(left, theirs)


class AfterwardsTest(PlainTest):
    def setUp(self) -> None:
        super().setUp()
        for name in ('001_a.py', '002_b.py', '003_c.py'):
            self.migration(name, UP)
        self.db.changelog.insert_many(
            [
                {'fileName': '001-a.js', 'appliedAt': LATER},
                {'fileName': '002-b.js', 'appliedAt': AT},
            ]
        )

    def test_they_are_as_if_they_had_run_here_then(self) -> None:
        manager = self.manager()
        manager.adopt(yes='yes')
        manager.execute()
        manager.check()
        self.assertEqual(self.contents('ran'), [{}])
        manager.history()
        table = '\n'.join(self.logger.of('white'))
        self.assertRegex(table, r'001_a\.py +adopted')
        self.logger.said.clear()
        manager.rollback(last=2)
        said = '\n'.join(self.logger.of('white'))
        self.assertIn('003_c.py, 001_a.py', said)
        self.assertEqual(self.registered(), ['002_b.py'])

    def test_what_was_rolled_back_here_since_is_not_registered_again(self) -> None:
        """The other tool knows nothing of that; registered, it would not run again."""
        manager = self.manager()
        manager.adopt(yes='yes')
        manager.rollback('1')
        self.logger.said.clear()
        manager.adopt(yes='yes')
        self.assertEqual(manager.unregistered(), ['001_a.py', '003_c.py'])
        shown = '\n'.join(message for _, message in self.logger.said)
        self.assertRegex(shown, r'001_a\.py +rolled back here')
        self.assertIn('Nothing to register', shown)
        # The other tool has run it again.
        again = datetime(2200, 1, 1)
        self.db.changelog.insert_one({'fileName': '001-a.js', 'appliedAt': again})
        self.db.changelog.delete_one({'fileName': '001-a.js', 'appliedAt': LATER})
        manager.adopt(yes='yes')
        self.assertEqual(manager.unregistered(), ['003_c.py'])

    def test_of_what_is_unfinished_it_is_the_end(self) -> None:
        self.migration('001_a.py', 'def up(db): db.x.insert_one({}); 1 / 0')
        manager = self.manager()
        # With the other tool's records there it would be refused.
        self.db.changelog.rename('aside')
        with self.assertRaises(ZeroDivisionError):
            manager.execute()
        self.db.aside.rename('changelog')
        manager.adopt(yes='yes')
        self.assertEqual(manager.unregistered(), ['003_c.py'])
        manager.execute()

    def test_a_changed_file_is_one_changed_since(self) -> None:
        manager = self.manager()
        manager.adopt(yes='yes')
        manager.execute()
        self.migration('001_a.py', f'{UP}\n# changed')
        with self.assertRaises(MigopyException):
            manager.check()


class RefusedTest(FabTest):
    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', UP)

    def test_nothing_there_says_what_is_known(self) -> None:
        message = self.error('migrations:adopt')
        self.assertIn('No records of another tool were found', message)
        self.assertIn('  migrate-mongo: changelog\n', message)
        self.assertIn('fab migrations:adopt,collection=NAME,field=FIELD', message)

    def test_what_is_not_to_be_found_is_a_sentence(self) -> None:
        self.db.other.insert_one({'a': [1], 'b': 2.5})
        for typed, said in (
            ('collection=NAME,field=FIELD', "There is no collection 'NAME'"),
            ('collection=other,field=a', "in other names anything in 'a'"),
            ('collection=other,field=b', "in other names anything in 'b'"),
            ('collection=other', 'No tool that is known has written the documents'),
            ('yes=maybe', 'is neither yes nor no'),
        ):
            with self.subTest(typed):
                self.assertIn(said, self.error(f'migrations:adopt,{typed}'))
        message = self.error('migrations:adopt,field=x')
        self.assertIn('field= needs collection=', message)

    def test_of_several_tools_one_is_to_be_named(self) -> None:
        self.db.changelog.insert_one({'fileName': '001-a.js', 'appliedAt': AT})
        self.db.schema_migrations.insert_one({'version': 1, 'dirty': False})
        result = self.assert_ok(self.fab('migrations:adopt'))
        self.assertIn(
            'fab migrations:adopt,yes=yes,collection=changelog', result.stdout
        )
        result = self.assert_error(
            self.fab('migrations:adopt,yes=yes'),
            'Several tools have left records',
            'fab migrations:adopt,collection=schema_migrations,yes=yes',
        )
        self.assertEqual(self.registered(), [])
        self.assert_ok(
            self.fab('migrations:adopt,collection=schema_migrations,yes=yes')
        )
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_documents_of_odd_types_stop_nothing(self) -> None:
        odd: list[Any] = [None, 5, 1.5, 'a\x1b[2Jb\n', b'x', [], {}, ObjectId(), AT]
        for name, fields in {
            'pymongo_migrate': ('name', 'applied'),
            'database_migrations': ('migration_datetime', 'created_at'),
            '__mongomig_migrations': ('revision', 'status', 'applied_at'),
            'mongrator_migrations': ('direction', 'applied_at'),
            'changelog': ('fileName', 'appliedAt'),
            'migrations_changelog': ('className', 'file', 'timestamp'),
            'migrations_log': ('is_current', 'name', 'ts'),
            'mongockChangeLog': ('changeId', 'state', 'timestamp', 'type'),
            'schema_migrations': ('version', 'dirty'),
            'migrations': ('migrationName', 'run_on', 'state', 'timestamp', 'version'),
            '_migrations': ('id', 'd', 'n', 'applied', 'migration'),
            'db_migrations': ('id', 'filename', 'date', 'type', 'execution_time'),
            'DATABASECHANGELOG': ('id', 'dateExecuted'),
        }.items():
            self.db[name].insert_many([dict.fromkeys(fields, value) for value in odd])
        result = self.assert_ok(self.fab('migrations:adopt', FORCE_COLOR='1'))
        self.assertNotIn('Traceback', result.said)
        self.assertNotIn('\x1b[2J', result.said)

    def test_on_two_hosts_all_is_done_once(self) -> None:
        self.db.changelog.insert_one({'fileName': '001-a.js', 'appliedAt': AT})
        self.write(
            'fabfile.py',
            self.filled(self.fabfile)
            + "\nfrom fabric.api import env\nenv.hosts = ['a', 'b']\n",
        )
        result = self.assert_ok(self.fab('migrations:adopt,yes=yes'))
        self.assertEqual(result.stderr.count('001_a.py adopted'), 1)
        self.assertEqual(self.registered(), ['001_a.py'])

    def test_in_json_it_answers_what_is_of_what(self) -> None:
        self.migration('002_b.py', f'{UP}\ndef verify(db): return True')
        self.migration('003_same.py', UP)
        self.migration('004_same.py', UP)
        self.db.changelog.insert_many(
            [
                {'fileName': '001-a.js', 'appliedAt': AT},
                {'fileName': '9-gone.js', 'appliedAt': AT},
                {'fileName': 'same.js', 'appliedAt': AT},
            ]
        )
        result = self.assert_ok(self.fab('migrations:adopt,yes=yes,json=yes'))
        lines = [schema.check(line) for line in result.results.splitlines()]
        self.assertEqual([each['event'] for each in lines], ['adopted', 'ended'])
        [adoption] = lines[-1]['adoptions']
        first, second, third = adoption['records']
        self.assertEqual((first['name'], first['found_by']), ('001_a.py', 'name'))
        self.assertEqual((second['record'], second['name']), ('9-gone.js', None))
        self.assertEqual(second['fitting'], [])
        self.assertEqual(third['fitting'], ['003_same.py', '004_same.py'])
        self.assertEqual(
            adoption['without_record'], ['002_b.py', '003_same.py', '004_same.py']
        )
        self.assert_ok(self.fab('migrations:execute'))
        result = self.assert_ok(self.fab('migrations:verify,json=yes'))
        lines = [schema.check(line) for line in result.results.splitlines()]
        self.assertEqual([each['event'] for each in lines], ['verified', 'ended'])
