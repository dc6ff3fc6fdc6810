"""Each page of the docs is done from its first block to its last, as a reader does.

Python is written into the file that the page names, commands are typed on a terminal
and what they show is compared. Where a page needs more than that, its class says what:

- `before_NAME` makes the world as the page supposes it before the block of that name,
- `check_NAME` takes the place of what is done with that block,
- `elsewhere` names blocks and the modules that test them.

A block for which none of these holds fails its page.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import unittest
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import yaml
from pymongo import MongoClient

from tests import environments, readme, server, transcripts
from tests.faults import eventually
from tests.project import FAB, FABFILE, FabTest
from tests.readme import Block

#: Whether the pages are to be written anew, as `tests.transcripts` tells.
REWRITES = bool(os.environ.get('MIGOPY_WRITE_DOCS'))

SPLIT = """
    def up(db):
        for user in db.users.find():
            first, last = user['name'].split()
            names = {'first': first, 'last': last}
            db.users.update_one({'_id': user['_id']}, {'$set': names})

    def down(db): db.users.update_many({}, {'$unset': {'first': 1, 'last': 1}})
"""

#: It says when it has begun, and does not end by itself.
WAITS = """
    import time

    def up(db):
        db.begun.insert_one({})
        time.sleep(600)

    def down(db): db.begun.drop()
"""

#: It says nothing for longer than five seconds.
LOOPS = """
    import time

    def up(db):
        for note in db.notes.find().limit(146):
            db.notes.update_one({'_id': note['_id']}, {'$set': {'seen': True}})
        time.sleep(6)
"""


#: What a Flask application is to its tests, as far as the page needs it.
SHOP = """
    from types import SimpleNamespace
    from pymongo import MongoClient
    from pymongo.errors import DuplicateKeyError

    def create_app(config):
        db = MongoClient(config['MONGO_URI'])[config['MONGO_DATABASE']]

        def post(path, data):
            try:
                db.users.insert_one(dict(data))
            except DuplicateKeyError:
                return SimpleNamespace(status_code=409)
            return SimpleNamespace(status_code=201)

        client = SimpleNamespace(post=post)
        return SimpleNamespace(test_client=lambda: client)
"""


class PageTest(FabTest):
    """What is done with the blocks of `page`.

    Invariant: the database of the page is called `mydatabase` there; `stamps` are the
    times in the page's names of dumps and those that they have here.
    """

    page = ''
    files: dict[str, str] = {}
    elsewhere: dict[str, str] = {}

    def setUp(self) -> None:
        super().setUp()
        # As long as the name on the page, so that tables look the same.
        self.db = self.client[f'm{uuid.uuid4().hex[:9]}']
        self.addCleanup(self.client.drop_database, self.db.name)
        self.write('fabfile.py', self.filled(self.fabfile))
        self.environment = {'LOGNAME': 'deploy'}
        self.stamps: dict[str, str] = {}

    def do_the_page(self) -> None:
        """Do all that the page shows, in order."""
        for block in readme.blocks(self.page):
            key = block.name.replace('-', '_')
            with self.subTest(block=block.name or block.text):
                if block.name in self.elsewhere:
                    module = readme.ROOT / self.elsewhere[block.name]
                    self.assertRegex(module.read_text(), rf'\b{block.name}\b')
                    continue
                if block.name:
                    getattr(self, f'before_{key}', lambda: None)()
                getattr(self, f'check_{key or "any"}', self.check_any)(block)

    def check_any(self, block: Block) -> None:
        """Write the file that the block shows, or type its commands."""
        path = block.caption or self.files.get(block.name)
        if block.language == 'console':
            self.type(block)
        elif path is not None:
            self.write_as_told(path, block.text)
        else:
            self.fail(f'nothing tests this block of {self.page}:\n{block.text}')

    def write_as_told(self, path: str, text: str) -> None:
        """Write a file of the page; the database is the test's."""
        if path in ('fabfile.py', 'migopyfile.py', 'pyproject.toml'):
            text = self.with_the_test_s_server(text)
        self.write(path, text)

    def with_the_test_s_server(self, text: str) -> str:
        """Have a fabfile of the page connect to the test's server."""
        for given in (
            "    MONGO_HOST = 'localhost'\n    MONGO_PORT = 27017\n",
            "    MONGO_URI = 'embedded:mongodata'\n",
        ):
            text = text.replace(given, '')
        return text.replace(
            "MONGO_DATABASE = 'mydatabase'",
            f'MONGO_URI = {self.uri!r}\n    MONGO_DATABASE = {self.db.name!r}',
        )

    def type(self, block: Block, between: Callable[[], None] = lambda: None) -> None:
        """Type a block's commands and compare what they show, where that is told."""
        said: list[transcripts.Shown] = []
        is_stale = False
        for shown in transcripts.commands(block.text):
            if said:
                between()
            command = shown.command.replace('mydatabase', self.db.name)
            for there, here in self.stamps.items():
                command = command.replace(there, here)
            answers = transcripts.answers(shown.output)
            status, output = transcripts.typed(
                command, self.folder, answers, **self.environment
            )
            output = self.as_on_the_page(output)
            self.stamps.update(transcripts.stamps(shown.output, output))
            if not shown.output:
                self.assertEqual(status, 0, f'{command}\n{output}')
            elif REWRITES and not transcripts.fits(shown.output, output):
                anew = transcripts.rewritten(shown.output, output)
                shown, is_stale = replace(shown, output=anew), True
            elif not transcripts.fits(shown.output, output):
                self.assertEqual(
                    transcripts.masked(shown.output),
                    transcripts.masked(output),
                    f'{self.page}: {command}',
                )
            said.append(shown)
        if is_stale:
            readme.rewrite(block, transcripts.text(said))

    def as_on_the_page(self, output: str) -> str:
        """Put the names of the page in the places of the test's."""
        for here, there in (
            (str(self.folder), '/srv/myproject'),
            (self.db.name, 'mydatabase'),
            (f'127.0.0.1:{(self.client.address or ("", 0))[1]}', 'localhost:27017'),
        ):
            output = output.replace(here, there)
        output = re.sub(r'process \d+', 'process 2718', output)
        return transcripts.WHO.sub('deploy@web1', output)

    def add_users(self, count: int = 1000) -> None:
        """Have users with first and last names."""
        self.db.users.insert_many(
            {'_id': number, 'name': f'Ann No{number}'} for number in range(count)
        )

    def add_prince(self) -> None:
        """Have one who goes by a single name, after 400 others."""
        self.db.users.update_one({'_id': 400}, {'$set': {'name': 'Prince'}})


class ReadmeTest(PageTest):
    """README.rst; its commands in bash are typed by .ci/run, word for word."""

    page = 'README.rst'
    files = {
        'fabfile': 'fabfile.py',
        'migration': 'mongomigrations/001_add_note.py',
    }
    elsewhere = {
        'demonstration': '.ci/run',
        'query': '.ci/run',
        'answer': 'tests/test_integrations/test_demonstration.py',
        'undo': '.ci/run',
        'install': '.ci/run',
        'tests': '.ci/run',
    }

    def test_it(self) -> None:
        self.do_the_page()

    def before_first_screen(self) -> None:
        self.add_users(900)
        self.migration('002_split_names.py', SPLIT)

    def check_first_screen(self, block: Block) -> None:
        """Type it; the user signs up between the two commands."""
        self.type(block, between=self.add_prince)

    def before_fabfile(self) -> None:
        """Begin anew, without the first screen's user."""
        self.client.drop_database(self.db.name)
        (self.folder / 'mongomigrations/002_split_names.py').unlink()


class DailyTest(PageTest):
    """Daily use."""

    page = 'docs/daily.rst'
    elsewhere = {
        'progress-line': 'tests/test_units/test_docs.py',
    }

    def test_it(self) -> None:
        self.do_the_page()

    def before_create(self) -> None:
        self.migration('001_add_note.py', readme.block('migration'))
        self.assert_ok(self.fab('migrations:execute'))
        self.db.notes.insert_many({'content': 'two words'} for _ in range(500))

    def check_heartbeat_line(self, block: Block) -> None:
        """Wait for it."""
        self.migration('003_loop.py', LOOPS)
        said = self.assert_ok(self.fab('migrations:execute')).stderr
        lines = [transcripts.masked(line) for line in said.splitlines()]
        self.assertIn(transcripts.masked(block.text), lines)


class SettingsTest(PageTest):
    """Settings and the fabfile."""

    page = 'docs/settings.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def test_a_plain_task_is_hidden_by_any_other(self) -> None:
        """Why there are two forms."""
        for name, hidden in (
            ('task-fabfile', 'migrations'),
            ('plain-fabfile', 'deploy'),
        ):
            text = readme.block(name)
            wrapped = 'task(Migrations.create_task())'
            if name == 'task-fabfile':
                text = text.replace(wrapped, 'Migrations.create_task()')
            else:
                text = text.replace('Migrations.create_task()', wrapped)
                text = f'from fabric.api import task\n{text}'
            self.write('fabfile.py', text)
            with self.subTest(name):
                listed = self.assert_ok(self.fab('--shortlist')).stdout.split()
                self.assertNotIn(hidden, listed)
                self.assertTrue(listed)

    def before_task_fabfile(self) -> None:
        listed = self.assert_ok(self.fab('--shortlist')).stdout.split()
        self.assertEqual(listed, ['Migrations', 'deploy', 'migrations'])
        self.assertIn('001_add_note.py', self.fab('migrations').stdout)

    def before_plain_fabfile(self) -> None:
        self.migration('001_add_note.py', readme.block('migration'))

    def check_embedded(self, block: Block) -> None:
        self.write('fabfile.py', block.text)

    def before_override(self) -> None:
        self.assertTrue((self.folder / 'mongodata').is_dir())

    def before_plain_python(self) -> None:
        self.assert_ok(self.fab('migrations:rollback,1'))


class CommandTest(PageTest):
    """The command `migopy`."""

    page = 'docs/command.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def before_command_first(self) -> None:
        self.migration('001_add_note.py', readme.block('migration'))

    def before_pyproject(self) -> None:
        (self.folder / 'fabfile.py').unlink()
        (self.folder / 'migopyfile.py').unlink()

    def with_the_test_s_server(self, text: str) -> str:
        text = super().with_the_test_s_server(text)
        return text.replace('"mydatabase"', f'"{self.db.name}"')

    def check_from_the_environment(self, block: Block) -> None:
        """Type the command in the environment that the line before it makes."""
        export, _ = [each.command for each in transcripts.commands(block.text)]
        name, _, value = export.removeprefix('export ').partition('=')
        self.assertEqual(value, 'mongodb://localhost:27017')
        self.environment.update({name: self.uri, 'COLUMNS': '100'})
        self.type(block)


class PhasesTest(PageTest):
    """Before and after a roll-out."""

    page = 'docs/phases.rst'
    files = {'needs': 'mongomigrations/_needs.py'}

    def test_it(self) -> None:
        self.db.users.insert_many(
            {'_id': n, 'email': f'Ann{n}@x.org', 'login': 'ann', 'name': f'Ann {n}'}
            for n in range(100)
        )
        self.do_the_page()
        user = {'email': 'ann7@x.org', 'full_name': 'Ann 7'}
        self.assertEqual(self.db.users.find_one({'_id': 7}, {'_id': 0}), user)
        self.assert_ok(self.fab('migrations:rollback,12'))
        self.assertEqual(self.db.users.find_one({'_id': 7})['name'], 'Ann 7')

    def before_fill_it(self) -> None:
        self.db.users.insert_one({'name': 'Bea', 'full_name': 'Bea Bee', 'email': ''})

    def before_contract(self) -> None:
        self.db.users.delete_one({'name': 'Bea'})


class SquashTest(PageTest):
    """Many old files."""

    page = 'docs/squash.rst'

    def test_it(self) -> None:
        for name in ('001_add_note.py', '002_count.py', '003_add_flag.py'):
            self.migration(name)
        self.assert_ok(self.fab('migrations:execute', **self.environment))
        then = {'executed_at': datetime(2026, 11, 22, 15, 3)}
        self.db.migrations.update_many({}, {'$set': then})
        self.migration('004_next.py')
        self.do_the_page()


class RepeatTest(PageTest):
    """Files that run again."""

    page = 'docs/repeat.rst'

    def test_it(self) -> None:
        self.migration('001_add_paid.py', 'def up(db): db.orders.find_one()')
        self.db.orders.insert_one({'paid': False, 'cancelled': True})
        self.do_the_page()
        self.assertEqual(list(self.db.open_orders.find()), [])
        self.assertEqual(self.registered(), ['001_add_paid.py', '002_views.py'])

    def before_again(self) -> None:
        self.assertEqual(self.db.open_orders.count_documents({}), 1)

    def before_listed(self) -> None:
        then = {'executed_at': datetime(2026, 11, 22, 15, 3)}
        self.db.migrations.update_many({}, {'$set': then})


class MigrationsTest(PageTest):
    """Migration files."""

    page = 'docs/migrations.rst'

    def test_it(self) -> None:
        self.do_the_page()
        contents = [note['content'] for note in self.contents('notes')]
        self.assertEqual(contents, ['a b', 'test', 'test', 'test'])
        # `remove` takes away all that fit.
        self.assert_ok(self.fab('migrations:rollback,4'))
        left = [{'content': 'a b', 'loud': 'A B', 'text': 'a b'}]
        self.assertEqual(self.contents('notes'), left)

    def before_plain(self) -> None:
        self.db.notes.insert_one({'content': ' a  b '})

    def before_with_models(self) -> None:
        self.write(
            'mymodels.py',
            self.filled(
                """
                import pymongo

                class Note(dict):
                    def save(self):
                        with pymongo.MongoClient('{uri}') as client:
                            client['{database}'].notes.insert_one(dict(self))
                """
            ),
        )


class TransactionsTest(PageTest):
    """Transactions and dry runs."""

    page = 'docs/transactions.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def before_transaction(self) -> None:
        self.db.accounts.insert_many(
            {'_id': number, 'balance': 75.345, 'currency': 'HRK'}
            for number in range(200)
        )
        self.db.accounts.update_one({'_id': 2}, {'$set': {'balance': '75,35'}})

    def before_dry_run_goes_on(self) -> None:
        self.db.accounts.update_many({}, [{'$set': {'number': '$_id'}}])
        self.db.accounts.update_many({'_id': {'$lt': 2}}, {'$set': {'number': 'CH-17'}})
        self.db.old_accounts.insert_many([{} for _ in range(12)])

    def check_initiate(self, block: Block) -> None:
        """Type it, for a server on another port; it is a primary then."""
        with server.temporary_folder() as folder:
            alone = server.Server(folder, '--replSet=rs0')
            alone.start()
            try:
                exec(block.text.replace('27017', str(alone.port)), {})
                with MongoClient(alone.uri) as client:
                    eventually(
                        lambda: client.admin.command('isMaster')['ismaster'],
                        'a primary',
                    )
            finally:
                alone.kill()

    def before_dry_run_migration(self) -> None:
        self.assertEqual(self.db.accounts.count_documents({'currency': 'EUR'}), 0)
        self.db.accounts.update_one({'_id': 2}, {'$set': {'balance': 75.35}})
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.db.accounts.count_documents({'balance': 10}), 200)


class TestingTest(PageTest):
    """Tests of migrations."""

    page = 'docs/testing.rst'

    def test_it(self) -> None:
        self.write('shop.py', SHOP)
        self.do_the_page()

    def run_well(self, block: Block, said: str) -> None:
        """Type the block's command, which says how long it took."""
        [shown] = transcripts.commands(block.text)
        status, output = transcripts.typed(shown.command, self.folder)
        self.assertEqual(status, 0, output)
        self.assertIn(said, output)

    def check_run_pytest(self, block: Block) -> None:
        self.run_well(block, '2 passed')

    def check_run_check(self, block: Block) -> None:
        self.run_well(block, '2 passed')

    def check_run_unittest(self, block: Block) -> None:
        self.run_well(block, 'Ran 2 tests')


class LargeTest(PageTest):
    """Large collections."""

    page = 'docs/large.rst'
    elsewhere = {
        'pace': 'tests/test_integrations/test_pace.py',
        'paused': 'tests/test_units/test_pace.py',
        'watched': 'tests/test_units/test_watching.py',
    }

    def test_it(self) -> None:
        self.do_the_page()
        self.assertEqual(self.db.cities.count_documents({'country': 'CH'}), 5000)

    def before_update_each(self) -> None:
        self.db.cities.insert_many(
            {
                '_id': n,
                'name': 'Bern',
                'code': 'CH-BE',
                'latitude': 46.9,
                'longitude': 7.4,
            }
            for n in range(5000)
        )
        self.db.cities.update_many(
            {'_id': {'$lt': 10}}, {'$unset': {'latitude': '', 'longitude': ''}}
        )

    def before_on_error_collect(self) -> None:
        codes = {'code': 'CH'}
        self.db.cities.update_many({'_id': {'$in': [1200, 3400]}}, {'$set': codes})


class EnvironmentsTest(PageTest):
    """Environments and SSH; the machines are in another module."""

    page = 'docs/environments.rst'
    elsewhere = dict.fromkeys(
        (
            'staging-and-production',
            'environments',
            'remote-execute',
            'environments-by-hook',
        ),
        'tests/test_integrations/test_remote.py',
    )

    def test_it(self) -> None:
        self.do_the_page()

    def test_without_an_environment_commands_run_here(self) -> None:
        """Neither example sends anything away then."""
        self.write('settings.py', f'MONGO_DATABASE = {self.db.name!r}')
        self.migration('001_add_note.py', readme.block('migration'))
        for name in ('environments', 'environments-by-hook'):
            text = readme.block(name).replace(
                'MONGO_HOST = settings.MONGO_HOST', f'MONGO_URI = {self.uri!r}'
            )
            self.write('fabfile.py', text)
            self.assert_ok(self.fab('migrations:execute'))
            self.assertEqual(self.registered(), ['001_add_note.py'])
            self.assertIn('production', self.assert_ok(self.fab('-l')).stdout)
            self.assert_ok(self.fab('migrations:rollback,1'))


class InvokePageTest(PageTest):
    """Fabric 2, 3 and Invoke, by the `fab` of Fabric 3."""

    page = 'docs/invoke.rst'
    elsewhere = {
        'install-core': '.ci/run',
        'namespace-remote': 'tests/test_integrations/test_invoke_hosts.py',
        'namespace-hosts': 'tests/test_integrations/test_invoke_hosts.py',
    }

    def setUp(self) -> None:
        self.program = environments.fabric_3() / 'fab'
        super().setUp()
        path = f'{self.program.parent}{os.pathsep}{os.environ["PATH"]}'
        self.environment['PATH'] = path

    def test_it(self) -> None:
        self.migration('001_add_note.py', readme.block('migration'))
        self.do_the_page()

    def test_what_is_typed_as_flags(self) -> None:
        """The table's two columns mean the same."""
        self.write_as_told('fabfile.py', readme.block('namespace-fabfile'))
        rows = re.findall(
            r'^``(fab migrations:\S+)`` +``(fab .*)``$', readme.source(self.page), re.M
        )
        self.assertEqual(len(rows), 6)
        for classic, typed in rows:
            with self.subTest(classic):
                result = self.fab(classic.split()[1])
                self.assert_error(result, f'Type: {typed}\n')


class ManyTest(PageTest):
    """Many databases, one at a time, so that the lines come in order."""

    page = 'docs/many.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def setUp(self) -> None:
        super().setUp()
        # As long as the names on the page.
        self.prefix = f't{uuid.uuid4().hex[:6]}'
        self.stamps = {
            'tenant_': self.prefix,
            'migrations:execute': 'migrations:execute,workers=1',
        }
        for letter in 'abc':
            db = self.client[f'{self.prefix}{letter}']
            self.addCleanup(self.client.drop_database, db.name)
            db.users.insert_many({'name': f'Ann No{n}'} for n in range(20))
        self.prince = self.client[f'{self.prefix}b'].users
        self.prince.insert_one({'_id': 0, 'name': 'Prince'})

    def with_the_test_s_server(self, text: str) -> str:
        settings = "    MONGO_HOST = 'localhost'\n    MONGO_PORT = 27017\n"
        text = text.replace(settings, f'    MONGO_URI = {self.uri!r}\n')
        return text.replace('tenant_', self.prefix)

    def as_on_the_page(self, output: str) -> str:
        output = output.replace(self.prefix, 'tenant_').replace(',workers=1', '')
        # The page has host and port, the test a URI.
        return super().as_on_the_page(output).replace('on mongodb://', 'on ')

    def before_many_failed(self) -> None:
        self.prince.update_one({'_id': 0}, {'$set': {'name': 'Prince Nelson'}})

    def check_many_plain_python(self, block: Block) -> None:
        self.write('deploy.py', block.text.replace('tenant_', self.prefix))

    def check_many_deploy(self, block: Block) -> None:
        """The environment's own Python is the one that is meant."""
        python = block.text.replace('python', sys.executable)
        self.type(replace(block, text=python))
        names = [f'{self.prefix}{letter}' for letter in 'ab']
        found = [self.client[name].migrations.count_documents({}) for name in names]
        self.assertEqual(found, [1, 1])

    def before_many_method(self) -> None:
        tenants = [{'database': f'{self.prefix}a', 'uri': self.uri}]
        self.write('tenants.json', json.dumps(tenants))


class UndoTest(PageTest):
    """Undo without a down."""

    page = 'docs/undo.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def before_undo_rollback(self) -> None:
        self.db.accounts.insert_many(
            {'_id': n, 'balance': n * 7.5345, 'currency': 'HRK'} for n in range(200)
        )
        self.was = list(self.db.accounts.find())

    def before_undo_conflict(self) -> None:
        self.assertEqual(list(self.db.accounts.find(sort=[('_id', 1)])), self.was)

    def check_undo_conflict(self, block: Block) -> None:
        """Type it; others change an account after the first command."""
        change = {'$set': {'balance': 7}}
        self.type(block, lambda: self.db.accounts.update_one({'_id': 5}, change))


class BackTest(PageTest):
    """A way back."""

    page = 'docs/back.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def setUp(self) -> None:
        """Have no tools of MongoDB on the PATH: the page shows migopy's own dumps."""
        super().setUp()
        folder = self.folder / 'bin'
        folder.mkdir()
        for name in ('bash', 'sh'):
            (folder / name).symlink_to(f'/bin/{name}')
        self.environment['PATH'] = f'{FAB.parent}:{folder}'

    def before_dumping_fabfile(self) -> None:
        self.add_users()
        self.add_prince()
        self.migration('004_index_names.py')

    def before_around_a_dump(self) -> None:
        self.assertEqual(self.db.users.count_documents({'first': {'$exists': 1}}), 0)
        supervisorctl = self.write(
            'bin/supervisorctl', '#!/bin/sh\necho "$@" >> told\n'
        )
        supervisorctl.chmod(0o755)

    def check_dump_at_any_time(self, block: Block) -> None:
        self.type(block)
        self.assertEqual((self.folder / 'told').read_text(), 'stop workers\n')


class ContainersTest(PageTest):
    """Containers and CI: what they would run is run here, in their environment."""

    page = 'docs/containers.rst'
    elsewhere = {'least-roles': 'tests/test_integrations/test_rights.py'}

    def test_it(self) -> None:
        self.do_the_page()

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_add_note.py', readme.block('migration'))
        self.environment['MONGO_URI'] = self.uri

    def with_the_test_s_server(self, text: str) -> str:
        return text.replace('mydatabase', self.db.name)

    def run_as_a_container(self, command: list[str]) -> None:
        """Run a command with nothing in its environment but what is told."""
        told = [f'{name}={text}' for name, text in self.environment.items()]
        typed = ['env', '-i', f'PATH={FAB.parent}:/usr/bin:/bin', *told, *command]
        status, output = transcripts.typed(shlex.join(typed), self.folder)
        self.assertEqual(status, 0, output)

    def check_dockerfile(self, block: Block) -> None:
        """What is copied is there, and what is run by it runs."""
        lines = [line.split(' ', 1) for line in block.text.splitlines()]
        self.write('requirements.txt', 'migopy\n')
        for instruction, rest in lines:
            if instruction == 'COPY':
                source, target = rest.split()
                self.assertTrue((self.folder / source).exists())
                self.assertIn(target, (source, '.'))
        self.assertEqual(lines[0][0], 'FROM')
        instruction, command = lines[-1]
        self.assertEqual(instruction, 'CMD')
        self.run_as_a_container(json.loads(command))
        self.assertEqual(self.registered(), ['001_add_note.py'])

    def check_kubernetes_job(self, block: Block) -> None:
        job = yaml.safe_load(block.text)
        self.assertEqual((job['apiVersion'], job['kind']), ('batch/v1', 'Job'))
        self.assertEqual(job['spec']['backoffLimit'], 0)
        pod = job['spec']['template']['spec']
        self.assertEqual(pod['restartPolicy'], 'Never')
        [container] = pod['containers']
        self.assertEqual({each['name'] for each in container['env']}, {'MONGO_URI'})
        self.assert_ok(self.fab('migrations:rollback,1', **self.environment))
        self.run_as_a_container(container['command'])
        self.assertEqual(self.registered(), ['001_add_note.py'])

    def check_kubectl(self, block: Block) -> None:
        """The commands name the job by its name."""
        job = yaml.safe_load(readme.block('kubernetes-job'))
        name = f'job/{job["metadata"]["name"]}'
        apply, *others = [each.command for each in transcripts.commands(block.text)]
        self.assertEqual(apply, 'kubectl apply -f job.yaml')
        for command in others:
            self.assertEqual(shlex.split(command)[-1], name)

    def check_github_workflow(self, block: Block) -> None:
        """Its steps run here, on an empty database."""
        workflow = yaml.safe_load(block.text)
        job = workflow['jobs']['migrations']
        self.assertEqual(job['env'], {'MONGO_URI': 'embedded:mongodata'})
        self.client.drop_database(self.db.name)
        self.environment.update(job['env'])
        uses = [step['uses'] for step in job['steps'] if 'uses' in step]
        self.assertEqual(uses, ['actions/checkout@v4', 'actions/setup-python@v5'])
        install, *commands = [step['run'] for step in job['steps'] if 'run' in step]
        self.assertEqual(install, 'pip install -r requirements.txt')
        for command in commands:
            status, output = transcripts.typed(command, self.folder, **self.environment)
            self.assertEqual(status, 0, output)
        self.assertTrue((self.folder / 'mongodata').is_dir())

    def check_command_job(self, block: Block) -> None:
        """It runs with the environment that it tells, and with no file but those."""
        pod = yaml.safe_load(block.text)['spec']['template']['spec']
        [container] = pod['containers']
        [volume], [mount] = pod['volumes'], container['volumeMounts']
        self.assertEqual(volume['name'], mount['name'])
        told = {each['name']: each['value'] for each in container['env']}
        variable = 'MIGOPY_MONGO_URI_FILE'
        self.assertEqual(told[variable], f'{mount["mountPath"]}/uri')
        told[variable] = str(self.write('secret/uri', self.uri))
        (self.folder / 'fabfile.py').unlink()
        self.db.migrations.drop()
        before = self.environment
        self.environment = {**told, 'MIGOPY_MONGO_DATABASE': self.db.name}
        self.run_as_a_container(container['command'])
        self.environment = before
        self.assertEqual(self.registered(), ['001_add_note.py'])
        self.write_as_told('fabfile.py', readme.block('container-fabfile'))

    def check_helm_hook(self, block: Block) -> None:
        annotations = yaml.safe_load(block.text)['metadata']['annotations']
        for name, text in annotations.items():
            self.assertTrue(name.startswith('helm.sh/hook'))
            self.assertIsInstance(text, str)

    def check_roles(self, block: Block) -> None:
        """A user with these roles can do everything; without the second one most."""
        roles = re.findall(r"role: '(\w+)', db: 'mydatabase'", block.text)
        self.assertEqual(roles, ['readWrite', 'dbAdmin'])
        for number in (1, 2):
            with server.with_auth('ann', 'secret', 'shop', tuple(roles[:number])) as it:
                self.write(
                    'fabfile.py',
                    f"""
                    import migopy

                    class Migrations(migopy.MigrationsManager):
                        MONGO_URI = 'mongodb://ann:secret@127.0.0.1:{it.port}/shop'

                    migrations = Migrations.create_task()
                """,
                )
                with MongoClient(it.uri, username='root', password='root') as root:
                    strict = {'content': {'$type': 'string'}}
                    root.shop.create_collection('notes', validator=strict)
                    root.shop.notes.insert_one(
                        {'content': 1}, bypass_document_validation=True
                    )
                for command in (
                    *('execute', 'rollback,1', 'ignore', 'history', 'check', 'unlock'),
                    'dbdump',
                ):
                    self.assert_ok(self.fab(f'migrations:{command}'))
                [dump] = [each.name for each in self.folder.glob('mongodumps/2*')]
                result = self.fab(f'migrations:dbrestore,{dump}')
                self.assertEqual(result.status, 2 - number, result.said)
                shutil.rmtree(self.folder / 'mongodumps')


class MachinesTest(PageTest):
    """JSON, checks without a database, hooks."""

    page = 'docs/machines.rst'

    def test_it(self) -> None:
        self.do_the_page()

    def before_status_in_json(self) -> None:
        self.migration('001_add_note.py', readme.block('migration'))

    def before_followed(self) -> None:
        self.add_users()
        self.add_prince()
        up, _, _ = SPLIT.partition('    def down')
        self.migration('002_split_names.py', up)

    def before_check_offline(self) -> None:
        self.migration('003_count.py', 'def up(db):\n    pass\nprint(unknown)')
        self.migration('004_first.py')
        self.migration('004_second.py')

    def check_annotations(self, block: Block) -> None:
        """What it runs finds the same, each in a line for GitHub."""
        [job] = yaml.safe_load(block.text)['jobs'].values()
        *_, command = [step['run'] for step in job['steps'] if 'run' in step]
        found = self.fab(*shlex.split(command)[1:])
        self.assertEqual(found.status, 1)
        starts = [line.partition(',')[0] for line in found.stdout.splitlines()]
        files = ('003_count.py', '004_second.py')
        self.assertEqual(
            starts, [f'::error file=mongomigrations/{name}' for name in files]
        )
        for name in files:
            (self.folder / 'mongomigrations' / name).unlink()
        self.assert_ok(self.fab(*shlex.split(command)[1:]))

    def check_git_hook(self, block: Block) -> None:
        self.write_as_told(block.caption, block.text)
        hook = self.folder / block.caption
        hook.chmod(0o755)
        status, output = transcripts.typed(str(hook), self.folder)
        self.assertEqual(status, 0, output)

    def check_hooks_in_a_fabfile(self, block: Block) -> None:
        self.check_any(block)
        self.assert_ok(self.fab('migrations:ignore,2'))
        self.migration('005_fails.py', 'def up(db):\n    1 / 0')
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.assertEqual(
            (self.folder / 'chat.txt').read_text().splitlines(),
            [
                'up of 004_first.py begins',
                '004_first.py executed: ',
                'up of 005_fails.py begins',
                '005_fails.py failed: ZeroDivisionError: division by zero',
                'execute: 1 done, 0 not run',
            ],
        )


class WrongTest(PageTest):
    """When something is wrong."""

    page = 'docs/wrong.rst'
    fabfile = FABFILE.replace(
        '\n\n    migrations', '\n        LOCK_WAIT = 1\n\n    migrations'
    )

    def test_it(self) -> None:
        self.do_the_page()

    def before_wrong_split(self) -> None:
        self.add_users()
        self.add_prince()

    def check_three_ways_out(self, block: Block) -> None:
        """Each of them, from the same state."""
        names = self.db.list_collection_names()
        kept = {name: list(self.db[name].find()) for name in names}
        right = readme.block('right-split')
        for shown in transcripts.commands(block.text):
            for name, documents in kept.items():
                self.db[name].delete_many({})
                if documents:
                    self.db[name].insert_many(documents)
            self.migration('003_split_names.py', right)
            with self.subTest(shown.command):
                status, output = transcripts.typed(shown.command, self.folder)
                self.assertEqual(status, 0, output)
                self.assertNotIn('nfinished', self.fab('migrations').said)
        for name, documents in kept.items():
            self.db[name].delete_many({})
            if documents:
                self.db[name].insert_many(documents)

    def before_shown_late(self) -> None:
        (self.folder / 'mongomigrations/004_count_users.py').unlink()
        self.migration('002_late_to_the_party.py')

    def before_shown_changed(self) -> None:
        (self.folder / 'mongomigrations/002_late_to_the_party.py').unlink()
        self.file = self.folder / 'mongomigrations/003_split_names.py'
        self.text = self.file.read_text()
        self.file.write_text(f'{self.text}\n# Changed since.\n')

    def before_shown_missing(self) -> None:
        self.assert_way_out('accept,003', 'Changed')
        self.file.unlink()

    def check_forget_or_rename(self, block: Block) -> None:
        """Each of them, from the same state; then all is as it was."""
        forget, rename = (each.command for each in transcripts.commands(block.text))
        name, other = rename.split(',')[1:]
        file = self.migration(other, self.text)
        self.assert_way_out(rename.partition(':')[2], 'Missing')
        file.rename(self.file)
        self.assert_way_out(f'rename,{other},{name}', 'Missing')
        self.file.unlink()
        self.assert_way_out(forget.partition(':')[2], 'Missing')
        self.file.write_text(self.text)
        self.assert_ok(self.fab('migrations:ignore,003'))

    def before_shown_equal(self) -> None:
        self.migration('004_add_flag.py')
        self.migration('004_count_users.py')

    def assert_way_out(self, command: str, state: str) -> None:
        """Type a command that the page names as the way out of a state."""
        self.assertIn(state, self.fab('migrations').stdout)
        self.assertIn(command.split(',')[0], readme.source(self.page))
        self.assert_ok(self.fab(f'migrations:{command}'))
        self.assertNotIn(state, self.fab('migrations').stdout)

    def before_shown_locked(self) -> None:
        (self.folder / 'mongomigrations/004_add_flag.py').unlink()
        self.migration('004_count_users.py', WAITS)
        self.holder = self.start('migrations:execute')
        eventually(lambda: self.contents('begun'), 'the migration has begun')

    def as_on_the_page(self, output: str) -> str:
        """Have waited for as long as a command does by default."""
        return super().as_on_the_page(output).replace('Waited 1 s', 'Waited 60 s')

    def check_wrong_host(self, block: Block) -> None:
        """Write it as it is: nobody listens there."""
        self.write('fabfile.py', block.text)

    def before_unlock(self) -> None:
        self.holder.kill()
        self.holder.wait()


class ComingTest(PageTest):
    """Coming from 1.0, or from another tool."""

    page = 'docs/coming.rst'

    def test_it(self) -> None:
        self.do_the_page()
        self.assert_ok(self.fab('migrations:rollback,20190320_add_note'))
        self.assertEqual(self.contents('notes'), [])

    def before_after_the_update(self) -> None:
        for name in ('001_add_note.py', '002_old_calls.py'):
            self.migration(name, readme.block('migration-of-2014'))
        self.register('001_add_note.py')

    def before_from_pymongo_migrate(self) -> None:
        self.db.migrations.drop()
        for name in ('001_add_note.py', '002_old_calls.py'):
            (self.folder / 'mongomigrations' / name).unlink()
        self.db.notes.insert_one({'content': 'test'})
        applied = {'applied': datetime(2019, 3, 20, 10, 30, 5)}
        self.db.pymongo_migrate.insert_one({'name': '20190320_add_note', **applied})


class HouseTest(PageTest):
    """The house, and how to test it."""

    page = 'docs/house.rst'
    elsewhere = {
        'test-commands': 'tests/test_units/test_docs.py',
        'rewrite-docs': 'tests/test_units/test_docs.py',
        'build-docs': '.ci/run',
        'way-of-a-command': 'tests/test_units/test_docs.py',
    }

    def test_it(self) -> None:
        self.do_the_page()


class AllPagesTest(unittest.TestCase):
    """No page is forgotten."""

    def test_each_page_has_its_test(self) -> None:
        tested = {each.page for each in PageTest.__subclasses__()}
        # The index has links, and no block.
        self.assertEqual(tested | {'docs/index.rst'}, set(readme.PAGES))
        self.assertEqual(readme.blocks('docs/index.rst'), [])

    def test_what_is_said_of_a_block_is_said_of_one_that_is_there(self) -> None:
        for test in PageTest.__subclasses__():
            names = {each.name for each in readme.blocks(test.page)}
            keys = {name.replace('-', '_') for name in names}
            for name in vars(test):
                kind, _, key = name.partition('_')
                if kind in ('before', 'check'):
                    self.assertIn(key, keys, test.page)
            self.assertLessEqual({*test.elsewhere, *test.files}, names)


if __name__ == '__main__':
    unittest.main()
