"""What goes wrong under `fab`: one red message with the next thing to type, and 1."""

from __future__ import annotations

import os
import signal
import time

from tests.faults import eventually
from tests.project import FabTest, Result

RAN = """
    def up(db):
        db.ran.insert_one({})
"""


class WrongCommandTest(FabTest):
    """Commands that cannot be meant; none of them does anything."""

    fabfile = """
        import os
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'
            # Commands of a test run at once, and must not wait for each other's lock.
            MIGRATIONS_COLLECTION = 'migrations_%s' % os.getpid()

            def mytask(self, value, key=None):
                raise AssertionError('it has been called')

        migrations = Migrations.create_task()
    """

    def setUp(self) -> None:
        super().setUp()
        for name in ('001_first.py', '002_second.py', '2_other.py'):
            self.migration(name, RAN)

    def assert_refused(self, parts: dict[str, list[str]]) -> None:
        """Fail unless each command is refused with these parts in its message."""
        for (command, expected), message in zip(parts.items(), self.errors(*parts)):
            with self.subTest(command):
                for part in expected:
                    self.assertIn(part, message)
        for name in self.db.list_collection_names():
            self.assertRegex(name, '_lock$')
            self.assertEqual(self.contents(name), [])

    def test_an_unknown_subtask(self) -> None:
        known = [
            f'\n  fab migrations:{name}'
            for name in (
                'execute',
                'help',
                'ignore',
                'mytask',
                'rollback',
                'show_status',
            )
        ]
        self.assert_refused(
            {
                'migrations:exceute': ["'exceute'", 'nothing was done', *known],
                'migrations:migrate': ['by: fab migrations:execute\n', *known],
                'migrations:histroy': ['mean fab migrations:history?', *known],
                'migrations:zzz': ["'zzz'", *known],
            }
        )

    def test_wrong_or_missing_options(self) -> None:
        usage = 'Type: fab migrations:execute[,'
        self.assert_refused(
            {
                'migrations:execute,001_first.py,002_second.py': [
                    "it takes one value, so '002_second.py' is too much",
                    'nothing was done',
                    usage,
                ],
                'migrations:execute,x=1': ['no x=;', usage],
                'migrations:mytask': [
                    'it needs VALUE; nothing was done',
                    'Type: fab migrations:mytask,VALUE[,KEY]',
                ],
                'migrations:rollback': ['rollback needs the name'],
            }
        )

    def test_a_wrong_value_leads_to_no_other_migrations(self) -> None:
        """A right one by itself would: `execute,wait=yes` executes all."""
        commands = (
            'execute,001,wait=ja',
            'execute,001,dry_run=1',
            'execute,001,show=x',
            'execute,001,show=9999999',
            'execute,001,preflight=maybe',
            'execute,phase=late',
            'execute,plan=plan.json,dry_run=yes',
            'rollback,001,force=1',
            'rollback,001,conflicts=mine',
            'rollback,last=0',
            'unlock,force=1',
            'check,phase=late',
            'speed,max_per_second=0',
            'dbrestore,20261122,in_place=1',
            'plan,file=',
        )
        self.assert_refused(
            {
                f'migrations:{each}': [
                    'nothing was done',
                    f'\nType: fab migrations:help,{each.partition(",")[0]}',
                ]
                for each in commands
            }
        )

    def test_an_empty_name_is_not_all(self) -> None:
        """As typed by somebody who took the README of 2014 at its word."""
        self.assert_refused(
            {
                'migrations:execute,': ["no migration ''"],
                'migrations:rollback,': ["no migration ''"],
            }
        )

    def test_an_unknown_or_ambiguous_name(self) -> None:
        self.assert_refused(
            {
                'migrations:execute,001_frist.py': [
                    'mean 001_first.py',
                    'fab migrations',
                ],
                'migrations:execute,2': ['\n  002_second.py\n  2_other.py\n'],
            }
        )

    def test_a_colon_without_a_subtask_is_the_status(self) -> None:
        result = self.assert_ok(self.fab('migrations:'))
        self.assertIn('Unregistered migrations:', result.stdout)


class RegisteredTest(FabTest):
    """Migrations of which the registry knows already."""

    def test_what_is_registered_is_not_executed_again(self) -> None:
        self.migration('001_first.py', RAN)
        self.register('001_first.py', '003_gone.py')
        twice = self.error('migrations:execute,1')
        gone = self.error('migrations:rollback,003_gone')
        self.assertIn('001_first.py is registered already', twice)
        self.assertIn('fab migrations:rollback,001_first.py', twice)
        for command in ('ignore', 'preflight', 'plan', 'rehearse'):
            self.assertIn(
                'registered already; nothing was done.\nSee all: fab migrations:list',
                self.error(f'migrations:{command},1'),
            )
        self.assertIn('003_gone.py is applied, but its file is missing', gone)
        self.assertEqual(self.registered(), ['001_first.py', '003_gone.py'])


class WrongFilesTest(FabTest):
    """Migrations that cannot be run."""

    def results_of(self, command: str, **files: dict[str, str]) -> list[Result]:
        """Run a command at once on several folders of files."""
        started = []
        for folder, contents in files.items():
            for name, source in contents.items():
                self.write(f'{folder}/{name}', source)
            fabfile = self.filled(self.fabfile).replace(
                '    MONGO_URI',
                f'    MIGRATIONS_DIRECTORY = MIGRATIONS_COLLECTION = {folder!r}\n'
                '    MONGO_URI',
            )
            self.write(f'{folder}_fabfile.py', fabfile)
            started.append(
                self.start('-f', f'{folder}_fabfile.py', command, FORCE_COLOR='1')
            )
        return [self.ended(process) for process in started]

    def test_missing_directory_and_bad_names(self) -> None:
        missing, bad = map(
            self.red_message,
            self.results_of(
                'migrations:execute',
                missing={},
                bad={'1_a.py': RAN, 'odd.py': '', '2-b.py': '', 'notes.txt': ''},
            ),
        )
        self.assertIn(f'{self.folder}/missing', missing)
        again = 'type: fab -f {}_fabfile.py migrations'.format
        self.assertIn(again('missing'), missing)
        self.assertIn('\n  2-b.py\n  odd.py\n', bad)
        self.assertIn(again('bad'), bad)
        self.assertNotIn('notes.txt', bad)
        self.assertEqual(self.contents('ran'), [])

    def test_what_cannot_be_imported_or_has_no_up(self) -> None:
        good = {'1_a.py': RAN}
        syntax, no_up = self.results_of(
            'migrations:execute',
            syntax={**good, '2_b.py': 'def up(db):\n    return ('},
            no_up={**good, '2_b.py': 'def down(db): pass'},
        )
        message = self.red_message(syntax)
        self.assertIn('2_b.py", line 2', message)
        self.assertIn('SyntaxError', message)
        again = r'then type: fab -f \w+\.py migrations:execute$'
        self.assertRegex(message, again)
        message = self.red_message(no_up)
        self.assertIn('2_b.py has no function `up`', message)
        self.assertRegex(message, again)
        self.assertEqual(self.contents('ran'), [])
        for name in self.db.list_collection_names():
            self.assertRegex(name, '_lock$')


class InterruptTest(FabTest):
    """Ctrl-C: status 130 and a word, whatever goes on."""

    from_nothing = True

    def interrupted(self) -> None:
        process = self.start('migrations')
        eventually(lambda: (self.folder / 'begun').exists(), 'it has begun')
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
        result = self.ended(process)
        self.assertEqual(
            (result.status, result.stdout, result.stderr), (130, '', 'Interrupted.\n')
        )

    def test_while_the_server_does_not_answer(self) -> None:
        self.write(
            'fabfile.py',
            """
            import migopy

            class Migrations(migopy.MigrationsManager):
                MONGO_URI = 'mongodb://127.0.0.1:1'
                MONGO_DATABASE = 'shop'
                MONGO_CLIENT_OPTIONS = {'serverSelectionTimeoutMS': 60_000}

                @classmethod
                def task_hook(cls, subtask, option):
                    open('begun', 'w').close()

            migrations = Migrations.create_task()
            """,
        )
        self.interrupted()

    def test_in_the_hook(self) -> None:
        self.write(
            'fabfile.py',
            """
            import time
            import migopy

            class Migrations(migopy.MigrationsManager):
                @classmethod
                def task_hook(cls, subtask, option):
                    open('begun', 'w').close()
                    time.sleep(60)

            migrations = Migrations.create_task()
            """,
        )
        self.interrupted()


class ColoursTest(FabTest):
    """Colours are for terminals."""

    def test_when_there_are_any(self) -> None:
        self.migration('1_a.py', RAN)
        red = '\033[91m1_a.py\033[0m'
        plain = '\n1_a.py\n'
        self.assertIn(plain, self.fab('migrations').stdout)
        self.assertIn(red, self.fab('migrations', FORCE_COLOR='1').stdout)
        self.assertIn(red, self.on_terminal('migrations'))
        shown = self.on_terminal('migrations', NO_COLOR='1', FORCE_COLOR='1')
        self.assertIn(plain, shown)
        self.assertNotIn('\033', shown)
