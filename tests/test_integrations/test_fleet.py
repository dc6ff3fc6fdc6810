"""One set of migrations for many databases: `fab` on real ones."""

from __future__ import annotations

import contextlib
import re
import socket
import textwrap
import threading
import unittest
from datetime import datetime
from urllib.parse import urlsplit

from pymongo import MongoClient

from tests import schema
from tests.fleets import PICKY, FleetTest
from tests.server import standalone


class CommandsTest(FleetTest):
    """What runs and what is said."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)

    def test_execute_runs_in_each_and_says_a_line_of_each(self) -> None:
        said = self.shown(self.assert_ok(self.fab('migrations:execute')))
        for letter in 'abc':
            self.assertEqual(self.names_in(letter), ['001_a.py'])
            self.assertRegex(
                said, rf'\n{letter}: 001_a\.py executed in .*: ran 1 inserted\n'
            )
            runs = self.client[self.name(letter)].migrations_history.find()
            [effects] = [run['effects']['collections'] for run in runs]
            names = [each['name'] for each in effects]
            self.assertEqual(names, [f'{self.name(letter)}.ran'])
        self.assertRegex(said, r'^3 databases on SERVER\n')
        self.assertRegex(said, r'\nDatabases: 3 done \(.*\)\n')

    def test_what_is_done_is_passed_over(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('002_b.py')
        self.assert_ok(self.fab(f'migrations:execute,only={self.name("b")}'))
        said = self.shown(self.assert_ok(self.fab('migrations:execute')))
        self.assertIn('Databases: 2 done, 1 with nothing to do', said)
        self.assertNotIn('\nb: ', said)
        self.assertEqual(self.client[self.name('b')].ran.count_documents({}), 1)

    def test_failures_are_told_again_and_only_those_are_tried_again(self) -> None:
        self.migration('002_b.py')
        self.spoil('b')
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn('\nb: 001_a.py failed in its up.\n', said)
        self.assertIn('ValueError: no good', said)
        self.assertIn('Not run: 002_b.py', said)
        self.assertIn('fab migrations:execute,only=b\n', said)
        self.assertIn('Databases: 2 done, 1 failed', said)
        self.assertIn(
            '1 of 3 databases failed: b\n'
            'What went wrong in each stands above. To go on, type:'
            ' fab migrations:execute,only=failed\n',
            said,
        )
        self.assertNotIn('migopy/many', said)
        self.mend('b')
        said = self.shown(self.assert_ok(self.fab('migrations:execute,only=failed')))
        self.assertRegex(said, '^1 of 3 databases on SERVER\n')
        self.assertRegex(said, '\nb: 2 executed in ')
        self.assertEqual(self.names_in('b'), ['001_a.py', '002_b.py'])
        said = self.shown(self.assert_ok(self.fab('migrations:execute,only=failed')))
        self.assertIn('The last run has failed in no database', said)

    def test_what_no_history_tells_is_named(self) -> None:
        """One that is locked, for which nobody wants to wait."""
        self.write(
            'fabfile.py',
            self.filled(self.fabfile).replace(
                '    MONGO_URI', '    LOCK_WAIT = 0\n    MONGO_URI'
            ),
        )
        self.client[self.name('b')].migrations_lock.insert_one(
            {'_id': 'lock', 'owner': 'x', 'expires': datetime(9000, 1, 1)}
        )
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn('b: Another migration command is running', said)
        self.assertIn('fab migrations:unlock,only=b', said)
        self.assertIn('type: fab migrations:execute,only=b\n', said)
        self.assertEqual(self.names_in('a') + self.names_in('c'), ['001_a.py'] * 2)

    def test_a_dry_run_changes_nothing(self) -> None:
        said = self.shown(self.assert_ok(self.fab('migrations:execute,dry_run=yes')))
        for letter in 'abc':
            self.assertIn(f'{letter}: 001_a.py would do: ran 1 inserted\n', said)
            self.assertEqual(self.names_in(letter), [])

    def test_its_failures_name_the_databases(self) -> None:
        """No history tells of a dry run."""
        self.spoil('a', 'c')
        result = self.fab('migrations:execute,dry_run=yes')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn('The dry run has changed nothing', said)
        self.assertRegex(said, r"fab 'migrations:execute,dry_run=yes,only=a c'\n")

    def test_status_is_a_table_of_counts(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('002_b.py')
        self.assert_ok(self.fab(f'migrations:execute,only={self.name("c")}'))
        shown = self.assert_ok(self.fab('migrations')).results
        rows = [line.split() for line in shown.splitlines()]
        self.assertIn(['2', '001_a.py', '1', 'from'], [row[:4] for row in rows])
        self.assertIn(['1', '002_b.py', 'none'], [row[:3] for row in rows])
        self.assertIn('To execute them: fab migrations:execute', shown)

    def test_status_tells_which_ones_stand_out(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', f'{PICKY}\n# changed\n')
        self.client[self.name('b')].migrations.insert_one({'name': '000_x.py'})
        shown = self.shortened(self.assert_ok(self.fab('migrations')).results)
        self.assertIn('Changed since executed: 001_a.py (3 databases: a, b, c)', shown)
        self.assertIn('Missing (registered, but there is no file): 000_x.py (b)', shown)
        self.assertIn('All about one of those: fab migrations:show_status,only=', shown)

    def test_status_says_what_comes_first_and_where(self) -> None:
        """Unfinished in b, pending in c, changed in a."""
        text = """
            def up(db):
                db.ran.insert_one({})
                if db.settings.find_one({'bad': True}):
                    raise ValueError('no good')
        """
        self.migration('001_a.py')
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('002_b.py', text)
        self.spoil('b')
        self.assert_ok(self.fab(f'migrations:execute,only={self.name("a")}'))
        self.assertEqual(
            self.fab(f'migrations:execute,only={self.name("b")}').status, 1
        )
        self.migration('002_b.py', f'{text}\n            # changed')
        shown = self.shortened(self.assert_ok(self.fab('migrations')).results)
        self.assertIn('\nUnfinished: 002_b.py (b)\nChanged since', shown)
        self.assertIn(
            '\nFirst settle what is unfinished.'
            ' All about one of those: fab migrations:show_status,only=b\n'
            'The others can go on. To execute them: fab migrations:execute,except=b\n',
            shown,
        )
        self.assert_ok(self.fab(f'migrations:execute,except={self.name("b")}'))
        self.assertEqual(self.names_in('c'), ['001_a.py', '002_b.py'])
        # Where it is unfinished in all, nothing else can be typed.
        shown = self.shortened(self.assert_ok(self.fab('migrations')).results)
        self.assertNotIn('The others can', shown)

    def test_status_tells_what_failed_and_left_nothing(self) -> None:
        self.spoil('b', 'c')
        self.migration('001_a.py', f'transaction = True\n{textwrap.dedent(PICKY)}')
        self.assertEqual(self.fab('migrations:execute').status, 1)
        shown = self.shortened(self.assert_ok(self.fab('migrations')).results)
        self.assertIn('\nFailed in the last run: 001_a.py (2 databases: b, c)\n', shown)
        self.assertIn('one of those: fab migrations:history,only=b\n', shown)
        self.mend('b', 'c')
        self.assert_ok(self.fab('migrations:execute,only=failed'))
        self.assertNotIn('Failed', self.assert_ok(self.fab('migrations')).results)

    def test_check_fails_where_anything_is_pending_or_odd(self) -> None:
        self.assertEqual(self.fab('migrations:check').status, 1)
        self.assert_ok(self.fab('migrations:execute'))
        self.assert_ok(self.fab('migrations:check'))
        self.client[self.name('b')].migrations.insert_one({'name': '000_x.py'})
        result = self.fab('migrations:check')
        self.assert_error(result, 'Some migrations need attention, see above.')

    def test_check_names_a_pending_file_that_is_no_python(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('002_b.py', 'def up(db):\n    return return\n')
        self.client[self.name('b')].migrations.insert_one({'name': '002_b.py'})
        result = self.fab('migrations:check')
        self.assert_error(result, 'Some migrations need attention, see above.')
        said = 'mongomigrations/002_b.py:2: 002_b.py cannot be imported: SyntaxError'
        shown = self.shortened(result.stdout)
        self.assertRegex(shown, f'{re.escape(said)}.* \\(2 databases: a, c\\)\n')
        self.assertNotIn(said, self.assert_ok(self.fab('migrations')).stdout)

    def test_what_undoes_wants_to_know_where(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        for command in ('rollback,1', 'rollback,last=1', 'unlock'):
            result = self.assert_error(
                self.fab(f'migrations:{command}'),
                'wants to know for which databases; nothing was done',
                f'fab migrations:{command},only=NAME',
                f'fab migrations:{command},all=yes',
            )
            self.assertEqual(result.stdout, '')
        self.assert_ok(self.fab(f'migrations:rollback,1,only={self.name("[ab]")}'))
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], ['001_a.py']])
        said = self.shown(self.assert_ok(self.fab('migrations:rollback,1,all=yes')))
        self.assertIn('1 done, 2 with nothing to do', said)
        self.assertEqual(self.names_in('c'), [])

    def test_whose_locks_are_to_be_taken_is_shown_first(self) -> None:
        lock = self.client[self.name('b')].migrations_lock
        lock.insert_one(
            {
                '_id': 'lock',
                'owner': 'x',
                'user': 'ann',
                'host': 'far',
                'pid': 7,
                'subtask': 'execute',
                'expires': datetime(9000, 1, 1),
            }
        )
        shown = self.on_terminal('migrations:unlock,all=yes', typed='n\n')
        self.assertRegex(
            self.shortened(shown),
            r'The lock in b is held by ann@far \(process 7, execute\) since [^\n]*\n'
            r'Go on with unlock \(3 databases on SERVER: a, b, c\)\? \[y/N\]',
        )
        self.assertNotIn('lock in a', shown)
        self.assertIsNotNone(lock.find_one())
        self.on_terminal('migrations:unlock,all=yes', typed='y\n')
        self.assertIsNone(lock.find_one())
        # Then nobody holds any.
        shown = self.on_terminal('migrations:unlock,all=yes')
        self.assertNotIn('[y/N]', shown)

    def test_images_are_forgotten_where_that_was_said(self) -> None:
        text = 'transaction = undo = True\ndef up(db): db.users.insert_one({})'
        self.migration('002_b.py', text)
        self.assert_ok(self.fab('migrations:execute'))
        kept = [self.client[self.name(each)].migrations_undo for each in 'abc']
        command = 'migrations:undo,forget=002'
        self.assert_error(
            self.fab(command),
            'wants to know for which databases; nothing was done',
            f'fab {command},only=NAME\n',
            f'fab {command},all=yes\n',
        )
        self.assertTrue(all(each.count_documents({}) for each in kept))
        self.assert_ok(self.fab('migrations:undo'))
        self.assert_ok(self.fab(f'{command},only={self.name("a")}'))
        self.assertEqual(
            [bool(each.count_documents({})) for each in kept], [False, True, True]
        )
        others = f'{command},all=yes,except={self.name("a")}'
        shown = self.on_terminal(others, typed='n\n')
        self.assertEqual(shown.count('[y/N]'), 1)
        self.assertIn('Delete the images of 002, which are not made again\n', shown)
        self.assertTrue(all(each.count_documents({}) for each in kept[1:]))
        self.assert_ok(self.fab(others))
        self.assertFalse(any(each.count_documents({}) for each in kept))

    def test_a_rollback_that_is_typed_asks_once_for_all(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        command = 'migrations:rollback,last=1,all=yes'
        shown = self.on_terminal(command, typed='n\n')
        self.assertEqual(shown.count('[y/N]'), 1)
        self.assertIn('Roll back: 001_a.py in 3 databases\n', shown)
        asked = 'Go on with rollback (3 databases on SERVER: a, b, c)? [y/N]'
        self.assertIn(asked, self.shortened(shown))
        self.assertEqual(self.names_in('b'), ['001_a.py'])
        self.on_terminal(command, typed='y\n')
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])


class SelectingTest(FleetTest):
    """For which databases a command is."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)

    def test_only_except_and_sample(self) -> None:
        self.assert_ok(self.fab(f'migrations:execute,except={self.name("[ab]")}'))
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], ['001_a.py']])
        self.assert_ok(self.fab('migrations:execute,sample=1'))
        count = sum(len(self.names_in(letter)) for letter in 'abc')
        self.assertIn(count, (1, 2))

    def test_one_that_is_named_is_as_if_there_were_no_other(self) -> None:
        name = self.name('b')
        result = self.assert_ok(self.fab(f'migrations:execute,only={name}'))
        self.assertRegex(result.about, rf'^{name} on ')
        self.assertRegex(
            result.stderr,
            r'^Executing 001_a\.py\n001_a\.py executed in .*: ran 1 inserted\n$',
        )
        shown = self.assert_ok(self.fab(f'migrations:show_status,only={name}')).results
        self.assertEqual(shown, 'All migrations registered\n')
        self.assertEqual(self.names_in('a'), [])

    def test_its_next_steps_lead_to_the_same_one(self) -> None:
        name = self.name('b')
        shown = self.assert_ok(self.fab(f'migrations:show_status,only={name}')).results
        self.assertIn(f'fab migrations:execute,only={name}\n', shown)
        self.spoil('b')
        failed = self.assert_error_with_traceback(f'migrations:execute,only={name}')
        self.assertIn(f'type: fab migrations:execute,only={name}\n', failed)
        self.assertEqual(failed.count('no good'), 2)
        error = self.error(f'migrations:execute,9,only={name}').split('\n', 1)[-1]
        self.assertIn(f'fab migrations:history,only={name}', error)

    def assert_error_with_traceback(self, command: str) -> str:
        result = self.fab(command)
        self.assertEqual(result.status, 1, result.said)
        return result.stderr

    def test_what_fits_nothing_is_an_error(self) -> None:
        for option in ('only=nix*', 'except=nix', 'canary=nix', 'only=admin'):
            with self.subTest(option):
                self.assert_error(
                    self.fab(f'migrations:execute,{option}'),
                    f'{option} fits none of the databases, so nothing was done.',
                )
        self.write('fabfile.py', self.filled(self.fabfile).replace('_*', '_nix*'))
        self.assert_error(
            self.fab('migrations:execute'),
            'fits',
            'so nothing was done.',
            'Correct MONGO_DATABASES in the fabfile',
        )

    def test_no_pattern_takes_mongodb_s_own(self) -> None:
        """Tried with a command that only looks: others have databases there, too."""
        text = self.filled(self.fabfile)
        self.write('fabfile.py', text.replace(f'{self.db.name}_*', '[acl]*[nla]'))
        result = self.fab('migrations')
        for name in ('admin', 'config', 'local'):
            self.assertNotIn(name, result.said)

    def test_both_settings_are_refused(self) -> None:
        text = self.filled(self.fabfile)
        self.write(
            'fabfile.py',
            f'{text}\n    '.replace(
                '    MONGO_URI', "    MONGO_DATABASE = 'x'\n    MONGO_URI", 1
            ).rstrip()
            + '\n',
        )
        self.assert_error(
            self.fab('migrations'), 'MONGO_DATABASE is for one database', 'both are set'
        )

    def test_mongodb_s_own_and_what_is_no_name_are_refused(self) -> None:
        text = self.filled(self.fabfile)
        for given, said in (
            ("['admin']", "MongoDB's own"),
            ("['a b']", "'a b' of MONGO_DATABASES must be the name of a database"),
            ('[1]', 'one of them is of the type int'),
            ("[('a', {'LOCK_TTL': 1})]", 'a: LOCK_TTL is no setting'),
            (
                "[('a', {'MONGO_URL': 's3cret'})]",
                'a: MONGO_URL is no setting of migopy; MONGO_URI is.',
            ),
            ("[('a', {'mongo_uri': 's3cret'})]", 'no setting of migopy; MONGO_URI is.'),
            ("[('a', {'MONGO_DB': 'b'})]", 'a: MONGO_DB is no setting that one'),
            ("[('a', {'MONGO_PORT': 'x'})]", 'MONGO_PORT'),
            ('[]', 'names no database'),
        ):
            with self.subTest(given):
                self.write('fabfile.py', text.replace(f"'{self.db.name}_*'", given))
                result = self.assert_error(self.fab('migrations'), said)
                self.assertNotIn('s3cret', result.said)

    def test_a_file_that_cannot_be_imported_is_told_once(self) -> None:
        self.migration('002_b.py', 'def up(db:')
        result = self.assert_error(
            self.fab('migrations:execute'), '002_b.py cannot be imported'
        )
        self.assertEqual(result.said.count('cannot be imported'), 1)
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])

    def test_so_is_one_with_a_loop_that_does_nothing(self) -> None:
        self.migration('002_b.py', 'def up(db):\n    map(db.a.insert, [{}])\n')
        result = self.assert_error(self.fab('migrations:execute'), '002_b.py, line 2')
        self.assertEqual(result.said.count('alone does nothing'), 1)

    def test_so_is_a_name_that_there_is_not(self) -> None:
        result = self.assert_error(self.fab('migrations:execute,9'), "migration '9'")
        self.assertEqual(result.said.count('There is no migration'), 1)

    def test_a_method_gives_names_and_settings(self) -> None:
        self.write(
            'fabfile.py',
            self.filled("""
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_HOST = 'nowhere.invalid'

                def databases(self):
                    yield '{database}_a', {'MONGO_URI': '{uri}'}
                    yield '{database}_d', {'MONGO_URI': '{uri}'}

            migrations = Migrations.create_task()
            """),
        )
        self.addCleanup(self.client.drop_database, self.name('d'))
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual([*map(self.names_in, 'abd')], [['001_a.py'], [], ['001_a.py']])
        listed = self.assert_ok(self.fab('migrations:help')).results
        self.assertNotIn('migrations:databases', listed)
        self.assertIn(',only=NAME', listed)

    def test_equal_names_on_two_servers(self) -> None:
        name = self.name('a')
        with standalone() as other:
            self.write(
                'fabfile.py',
                f"""
                import migopy

                class Migrations(migopy.MigrationsManager):
                    def databases(self):
                        for uri in ({self.uri!r}, {other.uri!r}):
                            yield {name!r}, {{'MONGO_URI': uri}}

                migrations = Migrations.create_task()
                """,
            )
            said = self.assert_ok(self.fab('migrations:execute')).said
            self.assertIn('2 databases on ', said)
            where = f'{name}@127.0.0.1:{other.port}'
            self.assertIn(f'\n{where}: 001_a.py executed in ', said)
            one = f'migrations:rollback,1,only={where}'
            self.assert_ok(self.fab(one))
            with MongoClient(other.uri) as client:
                self.assertEqual(client[name].migrations.count_documents({}), 0)
            self.assert_no_dump_of_the_other_is_restored(where)
        self.assertEqual(self.names_in('a'), ['001_a.py'])

    def assert_no_dump_of_the_other_is_restored(self, where: str) -> None:
        here = f'{self.name("a")}@127.0.0.1:{urlsplit(self.uri).port}'
        said = self.assert_ok(self.fab(f'migrations:dbdump,only={here}')).said
        [dump] = re.findall(r'mongodumps/(\w+)', said)
        for name in (dump, dump[:12]):
            self.assert_error(
                self.fab(f'migrations:dbrestore,{name},only={where}'),
                f'{dump} is of {self.name("a")} on ',
                'another database of this name; nothing was done.',
                f'fab migrations:dbrestore,{dump},foreign=yes,only={where}\n',
            )
        self.assert_ok(self.fab(f'migrations:dbdump,only={where}'))
        # The beginning of both names is that of the one here.
        self.assert_ok(self.fab(f'migrations:dbrestore,{dump[:8]},only={where}'))
        self.assert_ok(
            self.fab(f'migrations:dbrestore,{dump},foreign=yes,only={where}')
        )

    def test_a_password_is_in_nobody_s_message(self) -> None:
        self.write(
            'fabfile.py',
            """
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_CLIENT_OPTIONS = {'serverSelectionTimeoutMS': 100}

                def databases(self):
                    yield 'a', {'MONGO_URI': 'mongodb://ann:s3cret1@127.0.0.1:9/'}
                    yield 'b', {'MONGO_URI': 'mongodb://bob:s3cret2@127.0.0.1:9/'}

            migrations = Migrations.create_task()
            """,
        )
        for command in ('migrations', 'migrations:execute'):
            result = self.assert_error(self.fab(command), '2 of 2 databases failed: ')
            self.assertEqual(result.said.count('cannot be reached'), 2)
            self.assertNotIn('s3cret', result.said)

    def test_one_database_has_none_of_these_options(self) -> None:
        text = self.filled(self.fabfile).replace('MONGO_DATABASES', 'MONGO_DATABASE')
        self.write('fabfile.py', text.replace('_*', '_a'))
        error = self.error('migrations:execute,only=x')
        self.assertIn('execute: there is no only=; nothing was done.', error)
        self.assertIn('Type: fab migrations:execute[,NAME][,to=NAME][,phase', error)
        self.assertNotIn('[,only', error)

    def test_a_server_that_is_gone_is_told_once(self) -> None:
        text = self.filled(self.fabfile).replace(self.uri, 'mongodb://127.0.0.1:9/')
        names = ', '.join(f"'x{number}'" for number in range(50))
        self.write('fabfile.py', text.replace(f"'{self.db.name}_*'", f'[{names}]'))
        for command in ('migrations', 'migrations:execute'):
            result = self.assert_error(self.fab(command), 'cannot be reached')
            self.assertEqual(result.said.count('cannot be reached'), 1)

    def test_those_on_other_servers_are_done_all_the_same(self) -> None:
        name = self.name('a')
        self.write(
            'fabfile.py',
            f"""
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_URI = 'mongodb://127.0.0.1:9/'
                MONGO_CLIENT_OPTIONS = {{'serverSelectionTimeoutMS': 500}}

                def databases(self):
                    yield from ('gone_1', 'gone_2')
                    yield {name!r}, {{'MONGO_URI': {self.uri!r}}}

            migrations = Migrations.create_task()
            """,
        )
        failed = '2 of 3 databases failed: gone_1, gone_2\n'
        for typed in ('workers=1,fail_fast=yes', 'workers=8,fail_fast=yes'):
            self.assert_error(self.fab(f'migrations:execute,{typed}'), ' not begun')
            self.assertEqual(self.names_in('a'), [])
        for workers in (1, 8):
            with self.subTest(workers=workers):
                result = self.fab(f'migrations:execute,workers={workers}')
                self.assert_error(result, failed)
                self.assertEqual(result.said.count('cannot be reached'), 2)
                self.assertEqual(self.names_in('a'), ['001_a.py'])
                status = self.fab(f'migrations:show_status,workers={workers}')
                self.assert_error(status, failed)
                self.assertRegex(status.stdout, r'\b1\b.* 001_a\.py')
                self.db.client[name].migrations.delete_many({})

    def test_nobody_waits_again_for_a_server_that_did_not_answer(self) -> None:
        """It closes each connection at once, and counts them."""
        knocked = 0
        deaf = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(deaf.close)

        def count() -> None:
            nonlocal knocked
            with contextlib.suppress(OSError):
                while True:
                    deaf.accept()[0].close()
                    knocked += 1

        threading.Thread(target=count, daemon=True).start()
        port = deaf.getsockname()[1]
        name = self.name('a')
        self.write(
            'fabfile.py',
            f"""
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_CLIENT_OPTIONS = {{'serverSelectionTimeoutMS': 500}}

                def databases(self):
                    for each in range(40):
                        uri = f'mongodb://127.0.0.1:{port}/?appName=x{{each}}'
                        yield f'gone_{{each}}', {{'MONGO_URI': uri}}
                    yield {name!r}, {{'MONGO_URI': {self.uri!r}}}

            migrations = Migrations.create_task()
            """,
        )
        for typed in ('execute', 'show_status'):
            with self.subTest(typed):
                knocked = 0
                result = self.fab(f'migrations:{typed},workers=2')
                self.assert_error(result, '40 of 41 databases failed: ')
                self.assertIn('gone_39: MongoDB at ', result.said)
                self.assertEqual(self.names_in('a'), ['001_a.py'])
                self.assertLess(knocked, 40)


class OthersTest(FleetTest):
    """The other commands."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)

    def test_ignore(self) -> None:
        said = self.shown(self.assert_ok(self.fab('migrations:ignore')))
        self.assertIn('b: 001_a.py ignored in ', said)
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)
        self.assertEqual(self.client[self.name('b')].ran.count_documents({}), 0)

    def test_ignore_that_is_typed_asks_once_for_all(self) -> None:
        self.migration('002_b.py', PICKY)
        self.assert_ok(self.fab(f'migrations:execute,1,only={self.name("a")}'))
        shown = self.on_terminal('migrations:ignore', typed='n\n')
        self.assertEqual(shown.count('[y/N]'), 1)
        self.assertIn(
            'Mark as applied without running: 002_b.py in 3 databases, 001_a.py in 2'
            ' databases\nGo on with ignore (3 databases on ',
            shown,
        )
        self.assertEqual(self.names_in('b'), [])
        shown = self.on_terminal('migrations:ignore', typed='y\n')
        self.assertEqual(shown.count('[y/N]'), 1)
        both = ['001_a.py', '002_b.py']
        self.assertEqual([*map(self.names_in, 'abc')], [both] * 3)

    def test_ignore_of_a_down_says_that_it_is_taken_as_rolled_back(self) -> None:
        self.migration(
            '001_a.py',
            """
            def up(db):
                db.ran.insert_one({})

            def down(db):
                db.ran.delete_many({})
                raise ValueError('no good')
            """,
        )
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.fab('migrations:rollback,001_a.py,all=yes').status, 1)
        said = self.shown(self.assert_ok(self.fab('migrations:ignore,001_a.py')))
        self.assertIn('b: 001_a.py taken as rolled back in ', said)
        self.assertEqual([*map(self.names_in, 'abc')], [[]] * 3)

    def test_history_shows_them_in_order(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        shown = self.shortened(self.assert_ok(self.fab('migrations:history')).results)
        places = [shown.index(f'{letter}:\n') for letter in 'abc']
        self.assertEqual(places, sorted(places))
        self.assertEqual(shown.count('001_a.py'), 3)

    def test_dumps_and_the_way_back(self) -> None:
        said = self.shown(self.assert_ok(self.fab('migrations:dbdump')))
        self.assertEqual(said.count('Dumped to '), 3)
        self.assert_ok(self.fab('migrations:execute'))
        listed = self.shortened(
            self.assert_ok(self.fab('migrations:dbrestore')).results
        )
        [dump] = re.findall(r'fab migrations:dbrestore,(\w+),only=b\n', listed)
        dump = dump.replace('Z_b', f'Z_{self.name("b")}')
        name = self.name('b')
        self.assert_error(
            self.fab(f'migrations:dbrestore,{dump},all=yes'),
            'A dump holds one database alone; nothing was done.',
        )
        # By its name, too, it is a dump, and no list of them.
        self.assert_error(
            self.fab(f'migrations:dbrestore,name={dump}'),
            'A dump holds one database alone; nothing was done.',
        )
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)
        self.assert_ok(self.fab(f'migrations:dbrestore,name={dump},only={name}'))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py'], [], ['001_a.py']])

    def test_a_dump_before_migrations_is_named_where_one_fails(self) -> None:
        text = self.filled(self.fabfile)
        dumping = '    DO_MONGO_DUMP = True\n    MONGO_URI'
        self.write('fabfile.py', text.replace('    MONGO_URI', dumping))
        # What fails has written nothing, but the first one has.
        self.migration('001_a.py')
        self.migration('002_b.py', PICKY)
        self.spoil('b')
        said = self.shown(self.fab('migrations:execute'))
        self.assertIn('To go back to the dump from before that:\n', said)
        self.assertRegex(said, r'  fab migrations:dbrestore,\w+_b,only=b\n')
        folders = [*(self.folder / 'mongodumps').glob('2*')]
        self.assertEqual(len(folders), 3)

    def test_bookkeeping_where_there_is_something_to_put_right(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.migration('001_a.py', f'{PICKY}\n# changed\n')
        said = self.shown(self.assert_ok(self.fab('migrations:accept,1')))
        self.assertIn('Databases: 3 done (', said)
        self.assertIn('\nb: 001_a.py accepted in ', said)
        self.assert_error(self.fab('migrations:accept,1'), 'is as it was executed')
        (self.folder / 'mongomigrations/001_a.py').rename(
            self.folder / 'mongomigrations/001_b.py'
        )
        command = f'migrations:rename,001_a.py,001_b.py,only={self.name("[ab]")}'
        self.assert_ok(self.fab(command))
        self.assertEqual([*map(self.names_in, 'ac')], [['001_b.py'], ['001_a.py']])
        said = self.shown(self.assert_ok(self.fab('migrations:forget,001_a.py')))
        self.assertIn('1 done, 2 with nothing to do', said)
        self.assertEqual([*map(self.names_in, 'ac')], [['001_b.py'], []])

    def test_a_command_of_the_fabfile_s_own_is_called_for_each(self) -> None:
        text = self.filled(self.fabfile)
        own = """
    def count(self):
        self.logger.white(f'{self.db.settings.count_documents({})} settings')

"""
        self.write('fabfile.py', text.replace('\nmigrations =', f'{own}\nmigrations ='))
        self.assert_error(
            self.fab('migrations:count'), 'count wants to know for which databases'
        )
        said = self.shown(self.assert_ok(self.fab('migrations:count,all=yes')))
        for letter in 'abc':
            self.assertIn(f'{letter}: 1 settings\n', said)
        one = self.assert_ok(self.fab(f'migrations:count,only={self.name("c")}'))
        self.assertEqual(one.stderr, '1 settings\n')

    def test_what_an_override_leaves_out_is_left_out(self) -> None:
        text = self.filled(self.fabfile)
        own = """
    def unregistered(self):
        return [] if self.db.name.endswith('b') else super().unregistered()

"""
        self.write('fabfile.py', text.replace('\nmigrations =', f'{own}\nmigrations ='))
        said = self.shown(self.assert_ok(self.fab('migrations:execute')))
        self.assertIn('2 done, 1 with nothing to do', said)
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py'], [], ['001_a.py']])

    def test_lines_of_json_name_the_database(self) -> None:
        self.spoil('b')
        result = self.fab('migrations:execute,json=yes')
        self.assertEqual(result.status, 1, result.said)
        lines = [schema.check(line) for line in result.stdout.splitlines()]
        outcomes = {
            self.shortened(line['database']): line['outcome'] for line in lines[:-1]
        }
        self.assertEqual(outcomes, {'a': 'done', 'b': 'failed', 'c': 'done'})
        self.assertEqual(lines[-1]['event'], 'ended')
        self.assertEqual(lines[-1]['error']['type'], 'Failed')
        again = lines[-1]['error']['next'][0]
        self.assertEqual(again['options'], {'only': 'failed'})
        status = self.assert_ok(self.fab('migrations:json=yes'))
        [line] = [schema.check(line) for line in status.stdout.splitlines()]
        found = {
            self.shortened(each['database']): each['pending']
            for each in line['databases']
        }
        self.assertEqual(found, {'a': 0, 'b': 1, 'c': 0})
        name = self.name('a')
        one = self.assert_ok(self.fab(f'migrations:list,only={name},json=yes'))
        [line] = [schema.check(line) for line in one.stdout.splitlines()]
        self.assertEqual(line['database'], name)

    def test_list_shows_each(self) -> None:
        shown = self.shortened(self.assert_ok(self.fab('migrations:list')).results)
        self.assertEqual(shown.count('001_a.py'), 3)

    def test_create_and_help_are_about_no_database(self) -> None:
        self.assert_ok(self.fab('migrations:create,add_it'))
        self.assertTrue((self.folder / 'mongomigrations/002_add_it.py').exists())
        self.assertIn(',only=NAME', self.assert_ok(self.fab('migrations:help')).stdout)


class OrderTest(FleetTest):
    """Which comes first, which last, and which not at all."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)

    def test_a_canary_that_fails_keeps_the_others_from_beginning(self) -> None:
        self.spoil('b')
        canary = f'migrations:execute,canary={self.name("b")}'
        result = self.fab(canary)
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn('The canary failed (b), so 2 others were not begun.', said)
        self.assertIn('fab migrations:execute,canary=b\n', said)
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])
        self.mend('b')
        self.assert_ok(self.fab(canary))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)

    def test_fail_fast(self) -> None:
        self.spoil('a')
        result = self.fab('migrations:execute,fail_fast=yes,workers=1')
        self.assertEqual(result.status, 1)
        self.assertIn('Databases: 1 failed, 2 not begun', self.shown(result))
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])

    def lock(self, letter: str) -> None:
        """Have somebody called x hold a database's lock."""
        held = {'_id': 'lock', 'owner': 'x', 'expires': datetime(9000, 1, 1)}
        self.client[self.name(letter)].migrations_lock.insert_one(held)

    def test_a_locked_one_is_waited_for_last(self) -> None:
        """Its lock is free as soon as another one is done."""
        self.lock('a')
        self.migration(
            '001_a.py',
            self.filled(
                f"""
                def up(db):
                    if db.name.endswith('_c'):
                        db.client['{self.name('a')}'].migrations_lock.delete_one({{}})
                    db.ran.insert_one({{}})

                def down(db):
                    pass
                """
            ),
        )
        for workers in (1, 2):
            with self.subTest(workers):
                command = f'migrations:execute,workers={workers}'
                said = self.shown(self.assert_ok(self.fab(command)))
                self.assertEqual(re.findall('^([abc]): ', said, re.M)[-1], 'a')
                self.assertIn('Databases: 3 done (', said)
                self.assert_ok(self.fab('migrations:rollback,1,force=yes,all=yes'))
                self.lock('a')

    def test_what_has_failed_in_a_locked_one_meanwhile_is_not_run_again(self) -> None:
        """Nobody who typed its name has decided that."""
        self.lock('a')
        self.migration(
            '001_a.py',
            self.filled(
                f"""
                from datetime import datetime

                FAILED = {{
                    'name': '001_a.py', 'direction': 'up', 'owner': 'x',
                    'started': datetime(2026, 1, 1), 'ended': datetime(2026, 1, 1),
                    'outcome': 'failed', 'error': 'boom', 'unsettled': True,
                }}

                def up(db):
                    if db.name.endswith('_c'):
                        a = db.client['{self.name('a')}']
                        a.migrations_history.insert_one(FAILED)
                        a.migrations_lock.delete_one({{}})
                    db.ran.insert_one({{}})

                def down(db):
                    pass
                """
            ),
        )
        result = self.fab('migrations:execute,001,all=yes,workers=1')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn('a: Unfinished, so nothing was done:', said)
        self.assertIn('boom', said)
        self.assertEqual([*map(self.names_in, 'abc')], [[], ['001_a.py'], ['001_a.py']])

    def test_last_is_about_no_other_one_in_a_locked_one(self) -> None:
        """What was last when it was typed is not what another one has run since."""
        self.migration('002_b.py', 'def up(db): pass\n\ndef down(db): pass')
        self.assert_ok(self.fab('migrations:execute'))
        self.lock('a')
        done = f"""
            from datetime import datetime

            RUN = {{
                'name': '002_b.py', 'direction': 'down', 'owner': 'x',
                'started': datetime(2030, 1, 1), 'ended': datetime(2030, 1, 1),
                'outcome': 'rolled back', 'unsettled': False,
            }}

            def up(db):
                pass

            def down(db):
                if db.name.endswith('_c'):
                    a = db.client['{self.name('a')}']
                    a.migrations.delete_one({{'name': '002_b.py'}})
                    a.migrations_history.insert_one(RUN)
                    a.migrations_lock.delete_one({{}})
        """
        self.migration('002_b.py', done)
        result = self.fab('migrations:rollback,last=1,all=yes,workers=1')
        self.assertEqual(result.status, 1)
        said = self.shown(result)
        self.assertIn(
            'a: Another command has run meanwhile (002_b.py rolled back). This was '
            'about 002_b.py, and would now be about 001_a.py; nothing was done.\n'
            'If you want that, type: fab migrations:rollback,last=1,only=a\n',
            said,
        )
        self.assertTrue(said.endswith('What went wrong in each stands above.\n'), said)
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)

    def test_a_file_that_is_not_parallel_runs_in_one_at_a_time(self) -> None:
        self.make(*'defgh')
        self.migration(
            '001_a.py',
            """
            import time

            parallel = False
            inside = []

            def up(db):
                inside.append(db.name)
                time.sleep(0.05)
                db.ran.insert_one({'together': len(inside)})
                inside.remove(db.name)
            """,
        )
        self.assert_ok(self.fab('migrations:execute,workers=8'))
        for letter in 'abcdefgh':
            found = self.client[self.name(letter)].ran.find_one()
            self.assertEqual(found and found['together'], 1)

    def test_parallel_is_true_or_false(self) -> None:
        self.migration('001_a.py', "parallel = 'no'\n\ndef up(db): pass")
        self.assert_error(
            self.fab('migrations:execute'),
            "001_a.py: parallel = 'no' is neither True nor False",
        )

    def test_a_new_database_may_start_at_the_latest(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        self.make('d')
        self.migration('002_b.py')
        text = self.filled(self.fabfile)
        new = "    NEW_DATABASES = 'ignore'\n    MONGO_URI"
        self.write('fabfile.py', text.replace('    MONGO_URI', new))
        said = self.shown(self.assert_ok(self.fab('migrations:execute')))
        self.assertRegex(said, '\nd: 2 ignored in ')
        self.assertRegex(said, '\na: 002_b.py executed in ')
        self.assertEqual(self.names_in('d'), ['001_a.py', '002_b.py'])
        self.assertEqual(self.client[self.name('d')].ran.count_documents({}), 0)

    def test_no_dry_run_marks_anything_in_a_new_database(self) -> None:
        text = self.filled(self.fabfile)
        new = "    NEW_DATABASES = 'ignore'\n    MONGO_URI"
        self.write('fabfile.py', text.replace('    MONGO_URI', new))
        for typed in ('dry_run=yes', 'dry_run=YES', 'show=5'):
            for where in ('workers=1', f'only={self.name("a")}'):
                with self.subTest(typed, where=where):
                    result = self.fab(f'migrations:execute,{typed},{where}')
                    said = self.shown(self.assert_ok(result))
                    self.assertIn('would be run, and marked as applied: 001_a.py', said)
                    self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])

    def test_files_alone_are_looked_at_however_yes_is_spelled(self) -> None:
        self.migration('002_b.py', 'def up(db')
        self.assert_error(
            self.fab('migrations:check,offline=YES'),
            'Some files of migrations need attention, see above.',
        )

    def test_a_dry_run_of_a_rollback_need_not_say_which(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        said = self.shown(self.assert_ok(self.fab('migrations:rollback,1,show=1')))
        self.assertIn('001_a.py would do: ', said)

    def test_one_that_goes_meanwhile_is_said_and_not_made_again(self) -> None:
        self.migration(
            '001_a.py',
            f"""
            def up(db):
                db.client['{self.name('c')}'].settings.drop()
            """,
        )
        said = self.shown(self.assert_ok(self.fab('migrations:execute,workers=1')))
        self.assertIn('\nc is gone\n', said)
        self.assertIn('2 done, 1 gone', said)
        self.assertNotIn(self.name('c'), self.client.list_database_names())


if __name__ == '__main__':
    unittest.main()
