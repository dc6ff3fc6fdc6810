"""Tests of migrations: the plugin of pytest, and `migopy.testing` for unittest."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from migopy.testing.folder import PREFIX
from tests.project import TIMEOUT, FabTest, clean_environment

#: Where the manager's database would be; nobody listens there.
FABFILE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = 'mongodb://127.0.0.1:1/?uuidRepresentation=standard'
        MONGO_DATABASE = 'shop'

        def after_run(self, outcome):
            open('hooked', 'w').close()

    migrations = Migrations.create_task()
"""

FIRST = """
    def up(db):
        open('ran', 'a').write('.')
        db.users.create_index('name', unique=True)

    def down(db):
        db.users.drop_indexes()
"""

SPLIT = """
    def up(db):
        for user in db.users.find():
            first, last = user['name'].split()
            db.users.update_one(
                {'_id': user['_id']}, {'$set': {'first': first, 'last': last}}
            )

    def down(db):
        db.users.update_many({}, {'$unset': {'first': 1, 'last': 1}})
"""

FIXTURE = '{"users": [{"_id": {"$oid": "0123456789abcdef01234567"}, "name": "Ann B"}]}'

ASYNC = """
    async def up(db):
        await db.users.update_many({}, {'$set': {'seen': True}})

    async def down(db):
        await db.users.update_many({}, {'$unset': {'seen': 1}})
"""

WITH_PYTEST = """
    import pytest

    @pytest.mark.parametrize('number', range(10))
    def test_each_has_its_own(migrations, number):
        db = migrations(at='001')
        assert 'name_1' in db.users.index_information()
        assert [each['name'] for each in db.migrations.find()] == ['001_index.py']
        db.users.insert_one({'name': 'Ann B'})

    def test_up_and_down(migrations):
        db = migrations(before='2')
        db.users.insert_one({'_id': 1, 'name': 'Ann B'})
        migrations.up(db, '2')
        assert db.users.find_one() == {
            '_id': 1, 'name': 'Ann B', 'first': 'Ann', 'last': 'B'
        }
        migrations.down(db, '2')
        assert db.users.find_one() == {'_id': 1, 'name': 'Ann B'}

    def test_all(migrations):
        assert migrations().migrations.count_documents({}) == 2

    @pytest.mark.parametrize('number', range(4))
    def test_empty(migopy_db, migopy_server, number):
        with open('servers', 'a') as file:
            file.write(f'{migopy_server}\\n')
        assert migopy_db.list_collection_names() == []
        migopy_db.users.insert_one({})
"""

WITH_UNITTEST = """
    from migopy.testing import MigrationsTestCase

    class SplitTest(MigrationsTestCase):
        manager = 'fabfile.py:Migrations'

        def test_it(self):
            db = self.migrations(before='2')
            db.users.insert_one({'name': 'Ann B'})
            self.migrations.up(db, '2')
            self.assertEqual(db.users.find_one()['last'], 'B')

        def test_each(self):
            for name in self.migrations.names:
                with self.subTest(name):
                    self.migrations.check(name)
"""


class TestingTest(FabTest):
    """A project whose tests are run, each time in a process of its own."""

    fabfile = FABFILE

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_index.py', FIRST)
        self.migration('002_split.py', SPLIT)
        self.write('mongomigrations/fixtures/002.json', FIXTURE)
        # Other tests have servers of this kind at the same time.
        self.temporary = self.folder / 'tmp'
        self.temporary.mkdir()
        self.addCleanup(self.assert_nothing_is_left)

    def assert_nothing_is_left(self) -> None:
        self.assertEqual(list(self.temporary.glob(f'{PREFIX}*')), [])
        self.assertFalse((self.folder / 'hooked').exists())

    def run_python(self, *arguments: str, status: int = 0) -> str:
        """Run Python in the project; give all that it said."""
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=clean_environment(TMPDIR=str(self.temporary)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        said = f'{ended.stdout}\n{ended.stderr}'
        self.assertEqual(ended.returncode, status, said)
        return said

    def pytest(self, *arguments: str, status: int = 0) -> str:
        """Run pytest in the project."""
        given = ('-m', 'pytest', '-p', 'no:cacheprovider', *arguments)
        return self.run_python(*given, status=status)

    def times_run(self) -> int:
        return len((self.folder / 'ran').read_text())


class PytestTest(TestingTest):
    """With pytest."""

    def test_fixtures(self) -> None:
        self.write('test_project.py', WITH_PYTEST)
        self.assertIn('16 passed', self.pytest('test_project.py'))
        # For 001 and for both.
        self.assertEqual(self.times_run(), 2)
        servers = (self.folder / 'servers').read_text().split()
        self.assertEqual(len(set(servers)), 1)

    def test_a_failure_is_the_test_s_and_the_migration_s_own_lines(self) -> None:
        self.write(
            'test_project.py',
            """
            def test_fails(migrations):
                db = migrations(before='2')
                db.users.insert_one({'name': 'Prince'})
                migrations.up(db, '2')

            def test_twice(migrations):
                migrations.up(migrations(), '2')
            """,
        )
        for style in ('long', 'native'):
            said = self.pytest('test_project.py', f'--tb={style}', status=1)
            with self.subTest(style):
                self.assertIn("migrations.up(db, '2')", said)
                self.assertIn('ValueError: not enough values to unpack', said)
                # What is to be typed at a shell is for the project's own database.
                self.assertIn(
                    "To have it pending: migrations.down(db, '002_split.py')", said
                )
                self.assertNotIn('fab migrations:', said)
                self.assertNotIn('migopy/run/', said)

    def test_no_error_names_a_command_for_the_project_s_own_database(self) -> None:
        self.migration('004_slow.py', "phase = 'background'\ndef up(db): ...")
        self.write(
            'test_project.py',
            """
            import pytest
            from migopy import MigopyException

            def test_it(migrations):
                db = migrations()
                for call, said in (
                    (lambda: migrations(at='077'), "There is no migration '077'."),
                    (lambda: migrations(before='077'), "There is no migration '077'."),
                    (
                        lambda: migrations(at='4'),
                        "004_slow.py says phase = 'background'; nothing was done.",
                    ),
                    (
                        lambda: migrations.down(db, '4'),
                        '004_slow.py is not applied, so there is nothing to roll back;'
                        ' nothing was done.',
                    ),
                ):
                    with pytest.raises(MigopyException) as caught:
                        call()
                    assert str(caught.value) == said
            """,
        )
        self.assertIn('1 passed', self.pytest('test_project.py'))

    def test_migopy_without_a_file_tests_nothing_and_says_so(self) -> None:
        self.write('test_project.py', 'def test_nothing(): pass')
        said = self.pytest('--migopy', 'test_project.py')
        self.assertIn('PytestWarning: --migopy has made no test: name the file', said)
        self.assertNotIn('--migopy', self.pytest('test_project.py'))

    def test_processes_of_xdist_share_the_server(self) -> None:
        self.write('test_project.py', WITH_PYTEST)
        self.assertIn('16 passed', self.pytest('-n2', 'test_project.py'))
        servers = (self.folder / 'servers').read_text().split()
        self.assertEqual(len(set(servers)), 1)

    def test_a_test_of_each_migration(self) -> None:
        said = self.pytest('-v', '--migopy', 'fabfile.py')
        self.assertIn('fabfile.py::001_index.py PASSED', said)
        self.assertIn('fabfile.py::002_split.py PASSED', said)
        self.assertIn('2 passed', said)

    def test_of_several_files_each_has_its_own_migrations(self) -> None:
        self.write('other/fabfile.py', FABFILE)
        self.write('other/mongomigrations/001_index.py', 'def up(db): 1 / 0')
        self.write('other/mongomigrations/002_more.py', 'def up(db): pass')
        said = self.pytest('-v', '--migopy', 'fabfile.py', 'other/fabfile.py', status=1)
        self.assertRegex(said, '\nfabfile.py::001_index.py PASSED')
        self.assertIn('other/fabfile.py::001_index.py FAILED', said)
        self.assertNotIn('There is no migration', said)
        self.assertIn('2 failed, 2 passed', said)
        # What the settings name is for the tests that name no file.
        self.write('pytest.ini', '[pytest]\nmigopy_manager = fabfile.py:Migrations')
        said = self.pytest('-v', '--migopy', 'other/fabfile.py', status=1)
        self.assertIn('other/fabfile.py::002_more.py FAILED', said)
        self.assertIn('2 failed', said)

    def test_of_an_async_one_and_one_that_runs_again(self) -> None:
        self.migration('001_again.py', f'    repeat = True\n{FIRST}')
        self.migration('003_seen.py', ASYNC)
        (self.folder / 'mongomigrations/001_index.py').unlink()
        said = self.pytest('-v', '--migopy', 'fabfile.py')
        for name in ('001_again.py', '003_seen.py'):
            self.assertRegex(said, f'{name} PASSED')
        self.write(
            'test_order.py',
            """
            def test_it(migrations):
                assert migrations.names[-1] == '001_again.py'
                db = migrations(at='003')
                assert 'name_1' not in db.users.index_information()
                assert 'name_1' in migrations(at='1').users.index_information()
            """,
        )
        self.pytest('test_order.py')

    def test_up_to_one_that_does_not_run_here(self) -> None:
        self.migration('003_staging.py', "environments = ['staging']\ndef up(db): ...")
        self.migration('004_slow.py', "phase = 'background'\ndef up(db): ...")
        self.migration('005_after.py', "phase = 'after'\ndef up(db): ...")
        self.write(
            'test_at.py',
            """
            import pytest
            from migopy.run import OtherEnvironment, OtherPhase

            def test_it(migrations, monkeypatch):
                # What tests begin with is the same, and copied.
                names = [each['name'] for each in migrations().migrations.find()]
                assert names == ['001_index.py', '002_split.py', '005_after.py']
                assert migrations(at='005').migrations.count_documents({}) == 3
                migrations(before='004')
                for _ in range(2):
                    with pytest.raises(OtherEnvironment, match='staging alone'):
                        migrations(at='003')
                    with pytest.raises(OtherPhase, match='background'):
                        migrations(at='004')
                monkeypatch.setenv('MIGOPY_ENVIRONMENT', 'production')
                with pytest.raises(OtherEnvironment, match='this is production'):
                    migrations(at='003')
                monkeypatch.setenv('MIGOPY_ENVIRONMENT', 'staging')
                names = [each['name'] for each in migrations(at='3').migrations.find()]
                assert names == ['001_index.py', '002_split.py', '003_staging.py']
            """,
        )
        self.assertIn('1 passed', self.pytest('test_at.py'))

    def test_one_in_the_background_is_run_as_a_worker_runs_it(self) -> None:
        """It was refused, and could be tested by its name in no way."""
        self.migration(
            '004_slow.py',
            """
            import migopy

            phase = 'background'

            def up(db):
                migopy.update_each(db.users, lambda each: {'$set': {'done': True}})

            def down(db):
                db.users.update_many({}, {'$unset': {'done': 1}})
            """,
        )
        self.write(
            'test_slow.py',
            """
            def test_it(migrations):
                db = migrations(before='004')
                db.users.insert_one({'name': 'Ann Miller'})
                migrations.up(db, '4')
                assert db.users.find_one()['done']
                migrations.down(db, '004_slow.py')
                assert 'done' not in db.users.find_one()
            """,
        )
        self.assertIn('1 passed', self.pytest('test_slow.py'))

    def test_what_such_a_test_finds(self) -> None:
        self.migration('002_split.py', SPLIT.replace(", 'last': 1", ''))
        self.migration('003_broken.py', 'def up(db): 1 / 0')
        said = self.pytest('--migopy', 'fabfile.py', status=1)
        self.assertIn('after its down it is not as it was', said)
        self.assertIn("last: (none) -> 'B'", said)
        self.assertIn('ZeroDivisionError', said)
        self.assertIn('2 failed, 1 passed', said)
        self.assertNotIn('INTERNALERROR', said)

    def test_files_that_are_not_as_they_should_be(self) -> None:
        self.write('mongomigrations/fixtures/002.json', '[1]')
        said = self.pytest('--migopy', 'fabfile.py', status=1)
        self.assertIn('It is to be Extended JSON', said)
        self.write('fabfile.py', 'class MigrationsManager: 1 / 0')
        said = self.pytest('--migopy', 'fabfile.py', status=2)
        self.assertIn('fabfile.py cannot be loaded', said)

    def test_a_manager_that_the_settings_name(self) -> None:
        self.write('test_project.py', WITH_PYTEST)
        (self.folder / 'fabfile.py').rename(self.folder / 'other.py')
        self.pytest('test_project.py', '-k', 'all', status=1)
        self.write('pytest.ini', '[pytest]\nmigopy_manager = other.py:Migrations')
        self.pytest('test_project.py', '-k', 'all')

    def test_it_costs_nothing_where_it_is_not_used(self) -> None:
        self.write(
            'test_other.py',
            """
            import sys

            def test_it():
                names = {each.partition('.')[0] for each in sys.modules}
                assert not names & {'pymongo', 'bson', 'rich'}
                assert 'migopy.testing.plugin' in sys.modules
                assert 'migopy.manager' not in sys.modules
            """,
        )
        self.pytest('test_other.py')
        self.pytest('-n1', 'test_other.py')


class UnittestTest(TestingTest):
    """With unittest."""

    def test_it(self) -> None:
        self.write('test_project.py', WITH_UNITTEST)
        said = self.run_python('-m', 'unittest', 'test_project')
        self.assertIn('Ran 2 tests', said)

    def test_what_is_found(self) -> None:
        self.migration('002_split.py', SPLIT.replace(", 'last': 1", ''))
        self.write('test_project.py', WITH_UNITTEST)
        said = self.run_python('-m', 'unittest', 'test_project', status=1)
        self.assertIn('documents of users differ', said)

    def test_a_write_to_the_real_database_is_refused(self) -> None:
        self.migration(
            '002_split.py',
            textwrap.dedent(
                f"""
                from pymongo import MongoClient

                def up(db):
                    MongoClient({self.uri!r})[{self.db.name!r}].users.drop()
                """
            ),
        )
        self.db.users.insert_one({})
        self.write('test_project.py', WITH_UNITTEST)
        said = self.run_python('-m', 'unittest', '-k', 'each', 'test_project', status=1)
        self.assertIn('refused before it was sent', said)
        self.assertEqual(self.db.users.count_documents({}), 1)
