"""A way back: a dump before a deploy, and the restore of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import textwrap
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import migopy
from migopy.dumps import DumpFailed, servers_of
from migopy.run import Unfinished
from migopy.state.holder import Locked
from tests.dumps import left
from tests.project import FabTest, PlainTest, RecordingLogger

#: Makes a collection, an index and a change.
GOOD = """
    def up(db):
        db.notes.create_index('n')
        db.notes.update_many({}, {'$set': {'changed': True}})
        db.new.insert_one({'n': 1})
"""

BAD = """
    def up(db):
        db.notes.delete_many({})
        raise ValueError('odd content')
"""

#: A PATH on which there is no mongodump.
NO_TOOLS = '/nowhere'

needs_tools = unittest.skipUnless(
    shutil.which('mongodump') and shutil.which('mongorestore'),
    'mongodump and mongorestore are not installed',
)


class DumpingTest(PlainTest):
    """Dumps by PyMongo, in a database of two collections, one with an index."""

    path = NO_TOOLS

    def setUp(self) -> None:
        super().setUp()
        patched = mock.patch.dict(os.environ, PATH=self.path)
        patched.start()
        self.addCleanup(patched.stop)
        self.dumps = self.folder / 'dumps'
        self.db.notes.insert_many([{'_id': n, 'n': n % 3} for n in range(10)])
        self.db.notes.create_index([('n', 1), ('_id', -1)], name='own')
        self.db.tags.insert_one({'_id': 'a'})

    def manager(self, **attributes: Any) -> migopy.MigrationsManager:
        """Make a manager with a folder of its own for dumps."""
        settings = {'MONGO_DUMP_DIRECTORY': str(self.dumps), 'DO_MONGO_DUMP': True}
        return super().manager(**{**settings, **attributes})

    def state(self) -> dict[str, Any]:
        """Give all documents and indexes, but for the lock's."""
        return {
            name: (list(self.db[name].find()), self.db[name].index_information())
            for name in self.db.list_collection_names()
            if name != 'migrations_lock'
        }

    def made(self) -> list[str]:
        """List the names of the dumps there are."""
        return sorted(path.name for path in left(self.dumps))

    def status(self, **attributes: Any) -> list[str]:
        """Give all that the status says."""
        logger = RecordingLogger()
        self.manager(logger=logger, **attributes).show_status()
        return [text for _, text in logger.said]

    def someone_holds_the_lock(self) -> bool:
        return bool(self.db.migrations_lock.find_one({}))


class BeforeDeployTest(DumpingTest):
    """`DO_MONGO_DUMP = True`."""

    def test_is_made_under_the_lock_before_the_first_migration_runs(self) -> None:
        self.migration('1_a.py', GOOD)
        before = self.state()
        test = self
        moments = []

        class Migrations(self.manager_class()):  # type: ignore[misc]
            MONGO_DUMP_DIRECTORY = str(self.dumps)
            DO_MONGO_DUMP = True

            def dbdump(self) -> None:
                moments.append((test.someone_holds_the_lock(), test.state()))
                super().dbdump()
                moments.append((test.someone_holds_the_lock(), test.state()))

        manager = Migrations()
        self.addCleanup(manager.disconnect)
        manager.execute()
        for locked, state in moments:
            self.assertTrue(locked)
            self.assertEqual({**state, **before}, state)
            self.assertNotIn('new', state)
        self.assertEqual(len(moments), 2)
        [name] = self.made()
        self.assertRegex(name, rf'^\d{{8}}T\d{{6}}Z_{self.db.name}$')
        said = [text for _, text in self.logger.said]
        dumped = next(n for n, text in enumerate(said) if 'Dumped to' in text)
        self.assertLess(dumped, said.index('Executing 1_a.py'))
        by_tool = any('mongodump' in text for text in said[:dumped])
        self.assertIs(by_tool, self.path != NO_TOOLS)
        self.assertIn(f'{self.dumps}/{name} (', said[dumped])

    def test_a_dump_that_fails_keeps_all_from_running(self) -> None:
        self.migration('1_a.py', GOOD)
        self.dumps.write_text('a file where the folder should be')
        before = self.state()
        with self.assertRaises(DumpFailed):
            self.manager().execute()
        self.assertEqual({**self.state(), **before}, self.state())
        self.assertNotIn('new', self.state())
        self.assertEqual(self.registered(), [])
        self.assertFalse(self.someone_holds_the_lock())

    def test_none_is_made_where_nothing_is_going_to_run(self) -> None:
        self.manager().execute()
        self.migration('1_a.py', 'def up(db): return 1 +')
        with self.assertRaisesRegex(migopy.MigopyException, 'cannot be imported'):
            self.manager().execute()
        self.manager().ignore()
        self.manager(DO_MONGO_DUMP=False).execute()
        self.assertEqual(self.made(), [])

    def test_after_a_failure_the_message_names_the_dump_and_the_command(self) -> None:
        self.migration('1_a.py', GOOD)
        self.migration('2_b.py', BAD)
        before, status = self.state(), self.status()
        with self.assertRaises(ValueError):
            self.manager().execute()
        [name] = self.made()
        *_, (_, failure), (method, way_back) = self.logger.said
        self.assertIn('2_b.py failed in its up', failure)
        self.assertEqual(method, 'white')
        self.assertIn(f'The dump {name} was made before this run', way_back)
        # The command is as it can be typed, and brings all back that was before.
        typed = re.search('fab migrations:dbrestore,(.*)$', way_back)
        assert typed is not None
        self.manager().dbrestore(typed[1])
        self.assertEqual({**self.state(), **before}, self.state())
        self.assertNotIn('new', self.state())
        self.assertEqual(self.status(), status)

    def test_where_a_failure_has_changed_nothing_no_way_back_is_offered(self) -> None:
        self.db.create_collection('new')
        in_transaction = f'transaction = True\n{textwrap.dedent(BAD)}'
        for name, source in (
            ('1_a.py', in_transaction),
            ('1_a.py', 'def up(db): 1 / 0'),
        ):
            self.migration(name, source)
            with self.assertRaises((ValueError, ZeroDivisionError)):
                self.manager().execute()
            self.assertTrue(self.made())
            told = '\n'.join(text for _, text in self.logger.said)
            self.assertRegex(told, 'nothing was changed|had written nothing')
            self.assertNotIn('dbrestore', told)
        # What ran before it did change something.
        self.migration('1_a.py', GOOD)
        self.migration('2_b.py', in_transaction)
        with self.assertRaises(ValueError):
            self.manager().execute()
        self.assertIn('migrations:dbrestore', self.logger.said[-1][1])

    def test_after_a_failure_without_a_dump_none_is_named(self) -> None:
        self.migration('2_b.py', BAD)

        class Migrations(self.manager_class()):  # type: ignore[misc]
            DO_MONGO_DUMP = True

            def dbdump(self) -> None:
                self.logger.white('By other means')

        manager = Migrations()
        self.addCleanup(manager.disconnect)
        with self.assertRaises(ValueError):
            manager.execute()
        self.assertIn(('white', 'By other means'), self.logger.said)
        self.assertNotIn('dbrestore', str(self.logger.said))


class DumpAtAnyTimeTest(DumpingTest):
    """`dbdump`, whatever `DO_MONGO_DUMP` says."""

    def test_is_the_owner_s_alone_and_says_where_it_is(self) -> None:
        self.manager(DO_MONGO_DUMP=False).dbdump()
        [name] = self.made()
        self.assertRegex(
            self.logger.said[-1][1], f'^Dumped to {self.dumps}/{name} .[0-9]+ bytes.$'
        )
        for path in (self.dumps, *self.dumps.rglob('*')):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_holds_the_lock(self) -> None:
        held = []
        manager = self.manager()
        make = Path.rename

        def rename(*args: Any) -> Any:
            held.append(self.someone_holds_the_lock())
            return make(*args)

        with mock.patch.object(Path, 'rename', rename):
            manager.dbdump()
        self.assertEqual(held, [True])
        self.assertFalse(self.someone_holds_the_lock())

    def test_the_newest_are_kept(self) -> None:
        manager = self.manager(MONGO_DUMP_KEEP=1)
        manager.dbdump()
        [first] = self.made()
        manager.dbdump()
        [second] = self.made()
        self.assertLess(first, second)

    def test_of_nothing_is_told_and_takes_the_place_of_none(self) -> None:
        """The name may be misspelt, or somebody has dropped the database."""
        manager = self.manager(MONGO_DUMP_KEEP=1)
        manager.dbdump()
        [whole] = self.made()
        self.assertNotIn('Nothing is in this dump', str(self.logger.said))
        self.client.drop_database(self.db.name)
        self.migration('1_a.py', 'def up(db): db.new.insert_one({})')
        for command in (manager.dbdump, manager.execute):
            with self.subTest(command=command.__name__):
                self.logger.said.clear()
                command()
                told = [text for _, text in self.logger.said if 'Nothing is in' in text]
                self.assertEqual(
                    told,
                    [
                        'Nothing is in this dump: there are no collections but'
                        f" migopy's own in {self.title()}. Is that the one you mean?"
                    ],
                )
                self.assertEqual(self.made()[0], whole)
        # Now there is one.
        self.logger.said.clear()
        manager.dbdump()
        self.assertNotIn('Nothing is in', str(self.logger.said))

    def test_the_status_of_what_was_dropped_names_the_dump_to_go_back_to(self) -> None:
        self.migration('1_a.py', 'def up(db): db.new.insert_one({})')
        self.migration('2_b.py', 'def up(db): db.new.insert_one({})')
        manager = self.manager(DO_MONGO_DUMP=False)
        self.assertNotIn('dbrestore', str(self.status()))
        manager.execute('1')
        manager.dbdump()
        [whole] = self.made()
        self.assertNotIn('dbrestore', str(self.status()))
        self.client.drop_database(self.db.name)
        last = self.status()[-1]
        self.assertRegex(
            last,
            f'^Nothing is registered in {self.db.name}, and there is a dump of it with'
            r' documents \([0-9.]+ KB, made [0-9]+ seconds? ago\)\. If the database was'
            ' dropped or emptied, execute nothing, but go back to that:\n'
            f'  fab migrations:dbrestore,{whole}$',
        )
        self.assertIn('To execute them: fab migrations:execute', self.status())
        # Whoever executes all the same makes a dump of nothing, which is no way back.
        self.manager().execute('1')
        _, empty = self.made()
        self.assertNotIn('dbrestore', str(self.status()))
        self.logger.said.clear()
        with mock.patch.dict(os.environ, COLUMNS='120'):
            manager.dbrestore()
        [(_, table), (_, hint)] = self.logger.said
        titles, _line, first, second = table.splitlines()
        self.assertEqual(titles.split(), ['Dump', 'Size', 'Age', 'Holds'])
        self.assertRegex(first, f'^{whole} .* documents$')
        self.assertNotIn('no documents', first)
        self.assertRegex(second, f'^{empty} .* no documents$')
        self.assertIn(f'fab migrations:dbrestore,{whole}', hint)

    def test_what_was_emptied_of_all_that_is_registered_goes_back_to_a_dump_with_it(
        self,
    ) -> None:
        """One without is newer: somebody has imported some of it again, say."""
        self.migration('1_a.py', 'def up(db): db.new.insert_one({})')
        manager = self.manager(DO_MONGO_DUMP=False)
        manager.execute()
        manager.dbdump()
        self.db.migrations.drop()
        manager.dbdump()
        known, _ = self.made()
        self.assertIn(f'dbrestore,{known}', self.status()[-1])

    def test_what_was_dropped_before_a_second_deploy_goes_back_to_before_the_first(
        self,
    ) -> None:
        self.migration('1_a.py', 'def up(db): db.new.insert_one({})')
        self.manager(DO_MONGO_DUMP=False).dbdump()
        [first] = self.made()
        # All is there, and was only dumped before the first deploy.
        self.assertNotIn('dbrestore', str(self.status()))
        self.client.drop_database(self.db.name)
        self.assertIn(f'dbrestore,{first}', self.status()[-1])

    def test_what_only_begins_like_a_name_of_migopy_s_is_something(self) -> None:
        self.client.drop_database(self.db.name)
        self.db.migrations_undone.insert_one({})
        self.manager().dbdump()
        self.assertNotIn('Nothing is in', str(self.logger.said))

    def title(self) -> str:
        return self.manager()._site.settings.server.title


class UnfinishedTest(DumpingTest):
    """Dumps while a migration is half done: those from before are the way back."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('1_a.py', BAD)
        self.before = self.state()
        self.fail('execute')
        [self.good] = self.made()

    def fail(self, *typed: str) -> None:  # type: ignore[override]
        """Run what fails, with a limit of two dumps."""
        command, *names = typed
        with self.assertRaises(ValueError):
            getattr(self.manager(MONGO_DUMP_KEEP=2), command)(*names)

    def test_no_try_to_run_it_again_removes_one_from_before(self) -> None:
        for _ in range(3):
            self.fail('execute', '1_a.py')
        self.assertEqual(self.db.notes.count_documents({}), 0)
        made = self.made()
        self.assertEqual(made[0], self.good)
        self.assertEqual(len(made), 3)
        self.manager().dbrestore(self.good)
        self.assertEqual({**self.state(), **self.before}, self.state())

    def test_nor_does_one_that_is_made_by_hand(self) -> None:
        for _ in range(3):
            self.manager(MONGO_DUMP_KEEP=1).dbdump()
        self.assertEqual(len(self.made()), 2)
        self.assertEqual(self.made()[0], self.good)

    def test_nor_where_it_is_one_of_many_databases(self) -> None:
        many = {'MONGO_DATABASE': '', 'MONGO_DATABASES': [self.db.name]}
        manager = self.manager(**many, MONGO_DUMP_KEEP=1)
        for _ in range(2):
            manager.perform('dbdump', [], {'only': self.db.name})
        self.assertEqual(len(self.made()), 2)
        self.assertEqual(self.made()[0], self.good)

    def test_another_failure_leads_back_to_before_the_first_attempt(self) -> None:
        self.fail('execute', '1_a.py')
        self.migration('1_a.py', 'def up(db): 1 / 0')
        with self.assertRaises(ZeroDivisionError):
            self.manager().execute('1_a.py')
        *_, (_, failure), (_, way_back) = self.logger.said
        self.assertIn('This attempt has written nothing', failure)
        self.assertRegex(
            way_back,
            f'^The dump {self.good} was made before the first attempt, .* ago. To go'
            f' back to it:\n  fab migrations:dbrestore,{self.good}$',
        )

    def test_the_status_names_the_one_from_before_the_first_attempt(self) -> None:
        self.fail('execute', '1_a.py')
        self.assertIn(f'  fab migrations:dbrestore,{self.good}', self.status()[-1])
        self.manager().dbrestore(self.good)
        self.assertNotIn('dbrestore', str(self.status()))

    def test_so_does_each_command_that_it_keeps_from_its_work(self) -> None:
        self.fail('execute', '1_a.py')
        self.migration('2_b.py')
        for command, values, options in (
            ('execute', [], {}),
            ('execute', ['2_b.py'], {}),
            ('execute', [], {'dry_run': 'yes'}),
            ('ignore', [], {}),
            ('rollback', [], {'last': '1'}),
            ('preflight', [], {}),
        ):
            with (
                self.subTest(command, values=values, options=options),
                self.assertRaises(Unfinished) as caught,
            ):
                self.manager().perform(command, values, options)
            self.assertRegex(
                str(caught.exception),
                f'applied\nThe dump {self.good} was made before the first attempt,'
                f' .* ago. To go back to it:\n  fab migrations:dbrestore,{self.good}$',
            )
        self.manager().dbrestore(self.good)
        self.migration('1_a.py')
        self.manager().execute()

    def test_the_list_tells_which_were_made_while_it_was_half_done(self) -> None:
        self.fail('execute', '1_a.py')
        self.logger.said.clear()
        with mock.patch.dict(os.environ, COLUMNS='120'):
            self.manager().dbrestore()
        [(_, table), (_, hint)] = self.logger.said
        titles, _line, *rows = table.splitlines()
        self.assertIn('Made while unfinished', titles)
        self.assertNotIn('1_a.py', rows[0])
        self.assertRegex(rows[1], ' 1_a.py$')
        self.assertEqual(
            hint, f'To go back to one: fab migrations:dbrestore,{self.good}'
        )

    def test_ruins_from_which_one_went_back_are_no_way_back(self) -> None:
        """The next first attempt is made without a dump."""
        self.fail('execute', '1_a.py')
        self.manager().dbrestore(self.good)
        with self.assertRaises(ValueError):
            self.manager(DO_MONGO_DUMP=False).execute()
        self.assertIn(f'  fab migrations:dbrestore,{self.good}', self.status()[-1])

    def test_once_it_is_settled_the_newest_are_kept(self) -> None:
        self.fail('execute', '1_a.py')
        self.manager().ignore('1_a.py')
        self.manager(MONGO_DUMP_KEEP=1).dbdump()
        [name] = self.made()
        self.assertGreater(name, self.good)


class RestoreTest(DumpingTest):
    """`dbrestore`."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('1_a.py', GOOD)
        self.migration('2_b.py', GOOD)
        self.migrations = self.manager(DO_MONGO_DUMP=False)
        self.migrations.execute('1')
        self.before, self.before_status = self.state(), self.status()
        self.migrations.dbdump()
        [self.name] = self.made()
        self.logger.said.clear()

    def another(self, days: int) -> str:
        """Make a dump of some days ago; give its name."""
        made = time.gmtime(time.time() - days * 86_400)
        name = f'{time.strftime("%Y%m%dT%H%M%SZ", made)}_{self.db.name}'
        shutil.copytree(self.dumps / self.name, self.dumps / name)
        return name

    def change(self) -> None:
        """Change everything that can be changed, and forget what was said."""
        self.migrations.execute('2')
        self.db.notes.delete_many({'n': 1})
        self.db.notes.drop_index('own')
        self.db.notes.create_index('more')
        self.db.tags.drop()
        self.db.made_since.insert_one({})
        self.db.create_collection('empty_since')
        self.logger.said.clear()

    def test_brings_data_indexes_and_registry_back(self) -> None:
        for typed in (self.name, self.name[:9], '2'):
            with self.subTest(typed):
                self.change()
                self.migrations.dbrestore(typed)
                self.assertEqual(self.state(), self.before)
                self.assertEqual(self.status(), self.before_status)
                self.assertEqual(self.registered(), ['1_a.py'])
        self.migrations.execute()
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])

    def test_says_what_it_does_before_and_after_and_holds_the_lock(self) -> None:
        self.change()
        held = {}
        logger = RecordingLogger()
        write = logger.white

        def white(message: object) -> None:
            write(message)
            held[str(message)] = self.someone_holds_the_lock()

        logger.white = white  # type: ignore[method-assign]
        self.manager(logger=logger).dbrestore(self.name)
        going = logger.said[0][1]
        self.assertRegex(
            going,
            f'^Going to bring {self.db.name} back to {self.name}, made [0-9]+ seconds?'
            ' ago.\nWhat was written since the dump is lost, by the application, too.$',
        )
        done = f'{self.db.name} is as it was in {self.name}'
        self.assertEqual(logger.said[-1], ('white_bold', done))
        self.assertTrue(held[going])
        self.assertFalse(self.someone_holds_the_lock())

    def test_waits_for_who_holds_the_lock(self) -> None:
        self.change()
        changed = self.state()
        test = self

        class Holder(self.manager_class()):  # type: ignore[misc]
            DO_MONGO_DUMP = True

            def dbdump(self) -> None:
                with test.assertRaises(Locked):
                    test.manager(LOCK_WAIT=0).dbrestore(test.name)

        self.migration('3_c.py')
        holder = Holder()
        self.addCleanup(holder.disconnect)
        holder.execute()
        for name, content in changed.items():
            if not name.startswith('migrations'):
                self.assertEqual(self.state()[name], content)

    def test_without_a_name_lists_and_does_nothing(self) -> None:
        self.change()
        changed = self.state()
        older = self.another(days=3)
        with mock.patch.dict(os.environ, COLUMNS='120'):
            self.migrations.dbrestore()
        self.assertEqual(self.state(), changed)
        [(_, table), (_, hint)] = self.logger.said
        titles, _line, *rows = table.splitlines()
        self.assertEqual(titles.split(), ['Dump', 'Size', 'Age'])
        self.assertRegex(rows[0], rf'^{older} +[0-9.]+ KB +3 days$')
        self.assertRegex(rows[1], rf'^{self.name} +[0-9.]+ KB +[0-9]+ seconds?$')
        self.assertEqual(len(rows), 2)
        self.assertIn(f'fab migrations:dbrestore,{self.name}', hint)

    def test_one_of_a_clock_that_was_ahead_has_no_age(self) -> None:
        ahead = self.another(days=-3)
        with mock.patch.dict(os.environ, COLUMNS='120'):
            self.migrations.dbrestore()
        self.assertRegex(
            self.logger.said[0][1], rf'{ahead} .* [?] .the clock was ahead'
        )
        self.migrations.dbrestore(ahead)
        self.assertIn('as the clock was ahead.\nWhat', self.logger.said[2][1])
        self.assertEqual(self.state(), self.before)

    def test_one_of_another_server_is_told_as_what_it_is(self) -> None:
        manifest = self.dumps / self.name / 'migopy.json'
        [here] = servers_of(self.db)[:1]
        for server, is_told in (
            ('elsewhere:27418', True),
            ('localhost:1', True),
            (here, False),
            # The same in another spelling.
            (here.replace('localhost', '127.0.0.1'), False),
            (here.replace('127.0.0.1', 'LOCALHOST'), False),
        ):
            with self.subTest(server=server):
                content = json.loads(manifest.read_text())
                manifest.write_text(json.dumps({**content, 'servers': [server]}))
                self.logger.said.clear()
                self.migrations.dbrestore(self.name)
                told = [text for _, text in self.logger.said if 'was made from' in text]
                line = (
                    f'{self.name} was made from {server}; here the server is'
                    f' {", ".join(servers_of(self.db))}'
                )
                self.assertEqual(told, [line] if is_told else [])
                self.assertEqual(self.state(), self.before)

    def test_the_list_offers_one_of_another_server_only_if_there_is_none_of_this(
        self,
    ) -> None:
        other = self.another(days=-1)
        manifest = self.dumps / other / 'migopy.json'
        content = json.loads(manifest.read_text())
        newer = {**content, 'servers': ['elsewhere:1'], 'number': 7}
        manifest.write_text(json.dumps(newer))
        self.migrations.dbrestore()
        self.assertIn(f'fab migrations:dbrestore,{self.name}', self.logger.said[-1][1])

    def test_one_that_is_foreign_must_be_asked_for(self) -> None:
        foreign = self.dumps / 'dump'
        shutil.copytree(self.dumps / self.name, foreign)
        (foreign / 'migopy.json').unlink()
        self.change()
        changed = self.state()
        with self.assertRaisesRegex(
            migopy.MigopyException, 'fab migrations:dbrestore,dump,foreign=yes'
        ):
            self.migrations.dbrestore('dump')
        with self.assertRaisesRegex(migopy.MigopyException, 'neither yes nor no'):
            self.migrations.dbrestore('dump', foreign='maybe')
        self.assertEqual(self.state(), changed)
        self.migrations.dbrestore('dump', foreign='yes')
        self.assertEqual(self.state(), self.before)

    def test_one_that_is_foreign_and_of_some_collections_says_what_is_dropped(
        self,
    ) -> None:
        foreign = self.dumps / 'dump'
        shutil.copytree(self.dumps / self.name, foreign)
        (foreign / 'migopy.json').unlink()
        for path in foreign.glob('*/migrations*'):
            path.unlink()
        (foreign / 'oplog.bson').touch()
        self.migrations.dbrestore('dump', foreign='yes')
        said = [text for _, text in self.logger.said]
        self.assertIn(
            f'dump lacks what {self.db.name} has, which is dropped: migrations,'
            ' migrations_history',
            said[0],
        )
        self.assertIn('oplog.bson is not replayed', said[1])
        self.assertIn('Going to bring', said[2])

    def test_in_place_brings_the_same_back(self) -> None:
        self.change()
        self.migrations.dbrestore(self.name, in_place='yes')
        self.assertEqual(self.state(), self.before)

    def test_a_history_that_takes_nothing_is_no_obstacle(self) -> None:
        """It is exchanged, too."""
        for options in ({'viewOn': 'notes'}, {'validator': {'never': 1}}):
            with self.subTest(options):
                self.change()
                self.db.drop_collection('migrations_history')
                self.db.create_collection('migrations_history', **options)
                self.migrations.dbrestore(self.name)
                # The server keeps it when the last view is gone.
                self.db.drop_collection('system.views')
                self.assertEqual(self.state(), self.before)

    def test_without_a_dump_says_how_to_make_one(self) -> None:
        shutil.rmtree(self.dumps)
        self.migrations.dbrestore()
        self.assertIn('fab migrations:dbdump', self.logger.said[-1][1])

    def test_the_path_of_one_as_tab_completes_it_is_its_name(self) -> None:
        self.change()
        self.migrations.dbrestore(f'{os.path.relpath(self.dumps)}/{self.name}/')
        self.assertEqual(self.state(), self.before)
        # A copy in another folder is not the one that would be restored.
        for path in (f'elsewhere/{self.name}', f'{self.dumps}/', '/', '.'):
            with self.subTest(path), self.assertRaises(migopy.MigopyException):
                self.migrations.dbrestore(path)

    def test_a_name_that_is_none_changes_nothing(self) -> None:
        self.change()
        changed = self.state()
        half = self.dumps / f'.{self.name}.part'
        shutil.copytree(self.dumps / self.name, half)
        for typed in ('', 'x', '.', half.name, str(half)):
            with self.subTest(typed), self.assertRaises(migopy.MigopyException):
                self.migrations.dbrestore(typed)
        older = self.another(days=1)
        with self.assertRaisesRegex(migopy.MigopyException, 'Several') as caught:
            self.migrations.dbrestore('2')
        for name in (older, self.name):
            self.assertIn(name, str(caught.exception))
        self.assertEqual(self.state(), changed)


@needs_tools
class BeforeDeployByToolsTest(BeforeDeployTest):
    """The same by mongodump and mongorestore."""

    path = os.environ.get('PATH', '')


@needs_tools
class RestoreByToolsTest(RestoreTest):
    """The same by mongodump and mongorestore."""

    path = os.environ.get('PATH', '')


class WithoutRoomTest(FabTest):
    """A restore for which the server's disk has too little room."""

    fabfile = """
        import migopy
        from migopy.dumps import exchange

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

        migrations = Migrations.create_task()

        exchange.free_bytes = lambda db: 10
    """

    def test_what_was_typed_is_to_be_typed_in_place(self) -> None:
        """Without `foreign` it would be refused, and lead back here."""
        self.db.notes.insert_one({})
        self.assert_ok(self.fab('migrations:dbdump', PATH=NO_TOOLS))
        [dump] = left(self.folder / 'mongodumps')
        dump.rename(dump.with_name('dump'))
        (dump.with_name('dump') / 'migopy.json').unlink()
        typed = 'migrations:dbrestore,dump,foreign=yes'
        refused = self.fab(typed, PATH=NO_TOOLS)
        self.assert_error(refused, f'fab {typed},in_place=yes')
        self.assert_ok(self.fab(f'{typed},in_place=yes', PATH=NO_TOOLS))


#: What does not go on in a database that is incomplete.
REFUSED = (
    *('execute', 'execute,2', 'execute,dry_run=yes', 'preflight', 'ignore'),
    *('rollback,1', 'work'),
    # It would take the place of the one that is whole.
    'dbdump',
)


class KilledTest(FabTest):
    """A restore that is killed while collections are exchanged."""

    fabfile = """
        import os, signal

        import migopy
        from migopy.dumps import exchange

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            MONGO_DUMP_KEEP = 1

        migrations = Migrations.create_task()

        place = exchange.Exchange._place

        def place_or_die(self, stored, kinds):
            if stored.name == os.environ.get('DIE_AT'):
                os.kill(os.getpid(), signal.SIGKILL)
            place(self, stored, kinds)

        exchange.Exchange._place = place_or_die
    """

    def setUp(self) -> None:
        super().setUp()
        self.migration('1_a.py', GOOD)
        self.db.notes.insert_many([{'_id': n} for n in range(100)])
        self.assert_ok(self.fab('migrations:execute', PATH=NO_TOOLS))
        self.assert_ok(self.fab('migrations:dbdump', PATH=NO_TOOLS))
        [dump] = left(self.folder / 'mongodumps')
        self.name = dump.name
        self.db.notes.delete_many({})
        self.migration('2_b.py', 'def up(db): db.late.insert_one({})')

    def kill(self, at: str, option: str = '') -> None:
        command = f'migrations:dbrestore,{self.name}{option}'
        killed = self.fab(command, PATH=NO_TOOLS, DIE_AT=at)
        self.assertEqual(killed.status, -9, killed.stderr)

    def test_nothing_runs_in_what_is_incomplete_until_it_is_whole(self) -> None:
        # The registry is exchanged before the notes, the history at the very end.
        for option in ('', ',in_place=yes'):
            for at in ('notes', 'migrations_history'):
                with self.subTest(at=at, option=option):
                    self.kill(at, option)
                    status = self.assert_ok(self.fab('migrations'))
                    self.assertRegex(
                        status.stdout,
                        f'Unfinished: dbrestore of {self.name} started .*, it did not'
                        ' come to its end, so the database is incomplete\n'
                        f'  fab migrations:dbrestore,{self.name}  - do it to its end\n'
                        f'  fab migrations:forget,{self.name}  - take the database as'
                        ' it is\n',
                    )
                    self.assertNotIn('To execute them', status.stdout)
                    self.assertEqual(self.fab('migrations:check').status, 1)
                    typed = REFUSED if (at, option) == ('notes', '') else REFUSED[:1]
                    for command in typed:
                        refused = self.fab(f'migrations:{command}', PATH=NO_TOOLS)
                        self.assert_error(refused, 'Unfinished, so nothing was done')
                        self.assertIn(f'dbrestore,{self.name}', refused.stderr)
                    [dump] = left(self.folder / 'mongodumps')
                    self.assertEqual(dump.name, self.name)
                    again = self.fab(f'migrations:dbrestore,{self.name}', PATH=NO_TOOLS)
                    self.assert_ok(again)
                    self.assertEqual(self.db.notes.count_documents({}), 100)
                    status = self.assert_ok(self.fab('migrations'))
                    self.assertNotIn('Unfinished', status.stdout)
                    self.assertEqual(self.registered(), ['1_a.py'])

    def test_what_was_unfinished_before_does_not_go_on_either(self) -> None:
        self.migration('2_b.py', BAD)
        self.assertEqual(self.fab('migrations:execute').status, 1)
        self.kill('notes')
        refused = self.fab('migrations:execute,2')
        self.assert_error(refused, f'dbrestore of {self.name} started')

    def test_where_there_are_many_databases_it_is_told_for_each(self) -> None:
        self.kill('notes')
        text = (self.folder / 'fabfile.py').read_text()
        name = f"'{self.db.name}'"
        self.assertIn(name, text)
        many = text.replace('MONGO_DATABASE ', 'MONGO_DATABASES ')
        self.write('fabfile.py', many.replace(name, f'[{name}]'))
        shown = self.assert_ok(self.fab('migrations')).stdout
        told = f'Unfinished: dbrestore of {self.name}'
        self.assertIn(told, shown)

    def test_who_has_put_it_right_by_hand_goes_on(self) -> None:
        self.kill('notes')
        forgotten = self.fab(f'migrations:forget,{self.name}')
        self.assert_ok(forgotten)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['1_a.py', '2_b.py'])

    def test_killed_before_the_exchange_all_is_as_it_was(self) -> None:
        before = self.fab('migrations').stdout
        program = self.folder / 'fabfile.py'
        text = program.read_text()
        program.write_text(
            text
            + """
exchange.Exchange._may_rename = lambda self: os.kill(os.getpid(), signal.SIGKILL)
"""
        )
        self.kill('')
        program.write_text(text)
        self.assertEqual(self.fab('migrations').stdout, before)
        self.db['migopy_restoring.0'].insert_one({})
        dumped = self.assert_ok(self.fab('migrations:dbdump', PATH=NO_TOOLS))
        # It held two locks, and is told of once.
        self.assertEqual(dumped.stderr.count('that held the lock is gone'), 1)
        self.assertIn(
            'A dbrestore that was killed has left migopy_restoring.0, which is in no'
            ' dump. The next dbrestore drops it.',
            ' '.join(dumped.stderr.split()),
        )
        self.assert_ok(self.fab('migrations:execute'))


class TypedTest(FabTest):
    """The commands as they are typed, in a project with the default folder."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            DO_MONGO_DUMP = True

            def dbdump(self):
                self.logger.white('Stop the workers')
                super().dbdump()
                self.logger.white('Start the workers')

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        self.db.notes.insert_many([{'_id': n} for n in range(100)])

    def test_a_deploy_that_fails_and_the_way_back(self) -> None:
        self.migration('1_a.py', GOOD)
        self.migration('2_b.py', BAD)
        # The dumps lie beside the fabfile, wherever one is.
        elsewhere = self.folder / 'mongomigrations'
        failed = self.fab('migrations:execute', cwd=elsewhere, PATH=NO_TOOLS)
        self.assertEqual(failed.status, 1)
        [dump] = left(self.folder / 'mongodumps')
        self.assertRegex(failed.stdout, rf'^Dumped to {dump} \([\d.]+ KB\)\n$')
        self.assertRegex(
            failed.stderr,
            '(?s)Going to execute 2 migrations.*Stop.*Start.*'
            'Executing 1_a.py.*2_b.py failed in its up.*'
            f'To go back to it:\n  fab migrations:dbrestore,{dump.name}\n$',
        )
        command = failed.stderr.split()[-1]
        restored = self.assert_ok(self.fab(command, PATH=NO_TOOLS))
        self.assertIn(f'{self.db.name} is as it was in {dump.name}', restored.stderr)
        self.assertEqual(self.db.notes.count_documents({}), 100)
        self.assertEqual(self.registered(), [])
        self.assertNotIn('new', self.db.list_collection_names())

    def test_a_dump_that_fails_ends_with_status_1_and_nothing_has_run(self) -> None:
        self.write('mongodumps', 'a file where the folder should be')
        self.migration('1_a.py', GOOD)
        result = self.fab('migrations:execute', PATH=NO_TOOLS)
        self.assert_error(result, f'The dump of the database {self.db.name} failed')
        self.assertNotIn('Executing', result.stderr)
        self.assertEqual(self.registered(), [])

    def test_on_a_terminal_each_collection_has_a_bar(self) -> None:
        shown = self.on_terminal('migrations:dbdump', PATH=NO_TOOLS, COLUMNS='80')
        self.assertRegex(shown, r'━.* notes: 100 of 100 \(100%\)')
        self.assertRegex(shown, r'Dumped to .*_migopy_\w+ \([0-9.]+ KB\)')
