"""Registries that the tools themselves have written, taken over.

It takes minutes and installs other packages, so it runs only where `MIGOPY_TEST_TOOLS`
names a folder for them: each tool gets an environment of its own there, once. A tool
that cannot be installed is skipped, with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unittest
import venv
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.project import PlainTest

TOOLS = os.environ.get('MIGOPY_TEST_TOOLS', '')

#: Seconds that an installation or a run may take.
TIMEOUT = 300

UP = "def up(db): db.ran.insert_one({'by': 'migopy'})\n"


@unittest.skipUnless(TOOLS, 'MIGOPY_TEST_TOOLS names no folder to install tools in')
class ToolsTest(PlainTest):
    """Each test lets a tool migrate, then adopts what it has left."""

    def setUp(self) -> None:
        super().setUp()
        # With the database's name, as most of the tools have it.
        self.url = self.uri.replace('/?', f'/{self.db.name}?')

    def python_tool(self, package: str, program: str, python: str = '') -> str:
        """Give the path of a tool's program, installed if need be."""
        folder = Path(TOOLS).resolve() / package
        path = folder / 'bin' / program
        if not path.exists():
            if python:
                self.do(python, '-m', 'venv', str(folder))
            else:
                venv.create(folder, with_pip=True)
            self.do(str(folder / 'bin/python'), '-m', 'pip', 'install', '-q', package)
        return str(path)

    def node_tool(self, *packages: str) -> Path:
        """Give the folder of packages for Node, installed if need be."""
        npm = shutil.which('npm')
        if npm is None:
            self.skipTest('there is no npm')
        folder = Path(TOOLS).resolve() / packages[0]
        if not (folder / 'node_modules').exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / 'package.json').write_text('{}')
            self.do(npm, 'install', '--no-audit', '--no-fund', *packages, cwd=folder)
        return folder / 'node_modules'

    def do(self, *command: str, cwd: Path | None = None) -> None:
        """Install something, or skip the test."""
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT
        )
        if done.returncode:
            self.skipTest(f'{" ".join(command)}: {done.stderr.strip()[-300:]}')

    def run_tool(self, *command: str, **environment: str) -> None:
        """Run a tool in the project's folder."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(done.returncode, 0, f'{done.stdout}\n{done.stderr}')

    def assert_adopted(self, collection: str, *names: str) -> None:
        """Adopt; these and no others are registered then, with times of today."""
        before = list(self.db[collection].find())
        self.assertTrue(before)
        self.manager().adopt(yes='yes')
        self.assertEqual(self.registered(), sorted(names))
        self.assertEqual(list(self.db[collection].find()), before)
        # Some of the tools write the local time.
        now: datetime = self.client.admin.command('hello')['localTime']
        for document in self.db.migrations.find():
            seconds = (now - document['executed_at']).total_seconds()
            self.assertLess(abs(seconds), 86_400)

    def ran(self) -> list[Any]:
        return sorted(each['n'] for each in self.contents('ran'))

    def test_pymongo_migrate(self) -> None:
        for name, after in (('20190320_a', []), ('20190321_b', ['20190320_a'])):
            self.migration(
                f'{name}.py',
                f'name = {name!r}\ndependencies = {after!r}\n'
                f"def upgrade(db): db.ran.insert_one({{'n': {name!r}}})\n"
                f"def downgrade(db): db.ran.delete_one({{'n': {name!r}}})\n",
            )
        tool = self.python_tool('pymongo-migrate', 'pymongo-migrate')
        where = ('-u', self.url, '-m', 'mongomigrations')
        self.run_tool(tool, 'migrate', *where)
        self.run_tool(tool, 'downgrade', *where, '20190320_a')
        self.assert_adopted('pymongo_migrate', '20190320_a.py')
        # Migopy goes on with the same files.
        self.manager().execute()
        self.assertEqual(self.ran(), ['20190320_a', '20190321_b'])

    def test_mongodb_migrations(self) -> None:
        self.migration(
            '20130320145400_add.py',
            """
            from mongodb_migrations.base import BaseMigration

            class Migration(BaseMigration):
                def upgrade(self):
                    self.db.ran.insert_one({'n': 1})
            """,
        )
        tool = self.python_tool('mongodb-migrations', 'mongodb-migrate')
        self.run_tool(tool, '--url', self.url, '--migrations', 'mongomigrations')
        self.assert_adopted('database_migrations', '20130320145400_add.py')

    def test_mongomig(self) -> None:
        tool = self.python_tool('mongomig', 'mongomig')
        place = {'MONGODB_URI': self.uri, 'MONGODB_DATABASE': self.db.name}
        self.run_tool(tool, 'init', **place)
        self.run_tool(tool, 'revision', '-m', 'add notes', **place)
        self.run_tool(tool, 'upgrade', '--yes', **place)
        [file] = (self.folder / 'migrations/versions').glob('*_add_notes.py')
        self.migration(file.name, file.read_text())
        self.assert_adopted('__mongomig_migrations', file.name)

    def test_mongrator(self) -> None:
        newest = 'python3.13'
        python = sys.executable if sys.version_info >= (3, 13) else newest
        if shutil.which(python) is None:
            self.skipTest('mongrator needs Python 3.13')
        self.migration('20260408_143022_add_x.py', UP)
        self.write(
            'mongrator.toml',
            f'uri = {self.uri!r}\ndatabase = {self.db.name!r}\n'
            "migrations_dir = 'mongomigrations'\n",
        )
        self.run_tool(self.python_tool('mongrator', 'mongrator', python), 'up')
        self.assert_adopted('mongrator_migrations', '20260408_143022_add_x.py')

    def test_beanie(self) -> None:
        names = [f'2021010{day}000000_{word}.py' for day, word in enumerate('abc', 1)]
        for name in names:
            self.migration(name, 'class Forward: ...\nclass Backward: ...\n')
        tool = self.python_tool('beanie', 'beanie')
        where = ('-uri', self.uri, '-db', self.db.name, '-p', 'mongomigrations')
        run = (tool, 'migrate', *where, '--no-use-transaction')
        self.run_tool(*run)
        self.run_tool(*run, '--backward', '--distance', '1')
        self.assert_adopted('migrations_log', *names[:2])

    def test_beanie_that_has_undone_all(self) -> None:
        self.migration('20210101000000_a.py', 'class Forward: ...\nclass Backward: ...')
        tool = self.python_tool('beanie', 'beanie')
        where = ('-uri', self.uri, '-db', self.db.name, '-p', 'mongomigrations')
        run = (tool, 'migrate', *where, '--no-use-transaction')
        self.run_tool(*run)
        self.run_tool(*run, '--backward', '--distance', '1')
        self.manager().adopt(yes='yes')
        self.assertEqual(self.registered(), [])

    def test_migrate_mongo(self) -> None:
        modules = self.node_tool('migrate-mongo', 'mongodb')
        self.write(
            'migrations/20200724120000-add-x.js',
            "module.exports = {async up(db) { await db.collection('ran')"
            '.insertOne({n: 1}) }, async down() {}}',
        )
        self.write(
            'migrate-mongo-config.js',
            f"module.exports = {{mongodb: {{url: '{self.uri}', databaseName:"
            f" '{self.db.name}'}}, migrationsDir: 'migrations',"
            " changelogCollectionName: 'changelog', lockCollectionName: 'lock',"
            " lockTtl: 0, migrationFileExtension: '.js', useFileHash: true,"
            " moduleSystem: 'commonjs'}",
        )
        self.migration('20200724120000_add_x.py', UP)
        self.run_tool(str(modules / '.bin/migrate-mongo'), 'up')
        self.assert_adopted('changelog', '20200724120000_add_x.py')

    def test_mongo_migrate_ts(self) -> None:
        modules = self.node_tool('mongo-migrate-ts', 'mongodb@6', 'typescript')
        (self.folder / 'node_modules').symlink_to(modules)
        self.write(
            'migrations/1595592000000_AddX.js',
            'exports.AddX1595592000000 = class AddX1595592000000 {'
            "async up(db) { await db.collection('ran').insertOne({n: 1}) }"
            ' async down() {}}',
        )
        self.write(
            'index.js',
            "const {mongoMigrateCli} = require('mongo-migrate-ts');"
            f"mongoMigrateCli({{uri: '{self.uri}', database: '{self.db.name}',"
            " migrationsDir: __dirname + '/migrations'});",
        )
        self.migration('1595592000000_add_x.py', UP)
        self.run_tool('node', 'index.js', 'up')
        self.assert_adopted('migrations_changelog', '1595592000000_add_x.py')

    def test_umzug(self) -> None:
        modules = self.node_tool('umzug', 'mongodb@6')
        (self.folder / 'node_modules').symlink_to(modules)
        self.write(
            'index.js',
            "const {Umzug, MongoDBStorage} = require('umzug');"
            "const {MongoClient} = require('mongodb'); (async () => {"
            f"const client = new MongoClient('{self.uri}');"
            f"const collection = client.db('{self.db.name}').collection('migrations');"
            "const migrations = ['001-a', '002-b'].map((name) => ({name: name + '.js',"
            ' async up() {}, async down() {}}));'
            'const umzug = new Umzug({migrations, storage: new MongoDBStorage('
            '{collection})}); await umzug.up(); await umzug.down();'
            ' await client.close() })()',
        )
        self.run_tool('node', 'index.js')
        self.assert_found('migrations', '001_a.py')

    def test_east(self) -> None:
        modules = self.node_tool('east', 'east-mongo', 'mongodb@3')
        (self.folder / 'node_modules').symlink_to(modules)
        for name in ('1_a', '2_b'):
            self.write(
                f'migrations/{name}.js',
                'exports.tags = []; exports.migrate = async () => {};'
                ' exports.rollback = async () => {};',
            )
        self.write(
            '.eastrc',
            f'{{"adapter": "east-mongo", "url": "{self.url}", "options": {{}}}}',
        )
        self.run_tool(str(modules / '.bin/east'), 'migrate')
        self.run_tool(str(modules / '.bin/east'), 'rollback', '2_b')
        self.assert_found('_migrations', '001_a.py')

    def test_ts_migrate_mongoose(self) -> None:
        modules = self.node_tool('ts-migrate-mongoose', 'mongoose')
        (self.folder / 'node_modules').symlink_to(modules)
        for number, name in enumerate('ab'):
            self.write(
                f'migrations/159559200000{number}-{name}-it.ts',
                'export async function up(): Promise<void> {}\n'
                'export async function down(): Promise<void> {}\n',
            )
        tool = (str(modules / '.bin/migrate'), '-d', self.url)
        self.run_tool(*tool, 'up')
        self.run_tool(*tool, 'down', 'b-it')
        self.assert_found('migrations', '001_a_it.py', pending='002_b_it.py')

    def assert_found(
        self, collection: str, *names: str, pending: str = '002_b.py'
    ) -> None:
        """Adopt into a collection of migopy's own what a tool has not undone."""
        before = list(self.db[collection].find())
        for name in (*names, pending):
            self.migration(name, UP)
        manager = self.manager(MIGRATIONS_COLLECTION='migopy_migrations')
        manager.adopt(yes='yes')
        self.assertEqual(manager.unregistered(), [pending])
        self.assertEqual(list(self.db[collection].find()), before)
