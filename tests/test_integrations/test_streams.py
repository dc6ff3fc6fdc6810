"""Where each thing is said: results on stdout, what happens and errors on stderr."""

from __future__ import annotations

from tests import server
from tests.project import NOTHING, FabTest

UP = 'def up(db):\n    db.notes.insert_one({})\n'

#: A logger as a fabfile of 1.0 has it.
OWN_LOGGER = """
    import migopy

    class Logger:
        def say(self, message):
            with open('said', 'a') as file:
                file.write(str(message) + '\\n')

        white = white_bold = red = green = say

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'
        logger = Logger()

    migrations = Migrations.create_task()
"""

#: What is typed, and what it shows without stderr.
RESULTS = {
    'migrations': 'All migrations registered\n',
    'migrations:check': 'All migrations registered\n',
    'migrations:history': '001_a.py',
    'migrations:help': 'fab migrations:execute - ',
    'migrations:create,b': 'mongomigrations/002_b.py\n',
    'migrations:dbdump': 'Dumped to ',
    'migrations:dbrestore': 'To go back to one: fab migrations:dbrestore,',
    'migrations:unlock,force=yes': 'Nobody holds the lock\n',
}


CLOSING = 'import sys\n' + UP + '    sys.stdout.close()\n    sys.stderr.close()\n'


class ClosedTest(FabTest):
    """A migration closes them: `with sys.stdout:`, say."""

    def test_all_run_and_what_follows_is_said(self) -> None:
        self.migration('001_a.py', CLOSING)
        self.migration('002_b.py', CLOSING)
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertIn('002_b.py executed in', result.stderr)
        self.assertEqual(result.stdout, '\nDone.\n')

    def test_so_does_one_that_fails_in_json(self) -> None:
        self.migration('001_a.py', f'{CLOSING}    1 / 0\n')
        result = self.fab('migrations:execute,json=yes')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('ZeroDivisionError', result.stderr)
        self.assertIn('ZeroDivisionError', result.stdout)


#: Goes to another folder, and keeps what is printed from then on.
MOVING = """
    import io
    import os
    import sys

    def up(db):
        os.chdir('data')
        sys.stdout = sys.stderr = io.StringIO()
        print('this is for nobody')
        db.notes.insert_one({})
        REST
"""

READING = """
    def up(db):
        with open('data/names.txt') as file:
            db.notes.insert_one({'name': file.read()})
        print('read')
"""


class SurroundingsTest(FabTest):
    """What a migration leaves changed in the process is none of the next one's."""

    def setUp(self) -> None:
        super().setUp()
        self.write('data/names.txt', 'Ann')

    def test_the_next_one_runs_as_it_would_alone_and_is_told_of(self) -> None:
        self.migration('001_a.py', MOVING.replace('REST', ''))
        self.migration('002_b.py', READING)
        result = self.assert_ok(self.fab('migrations:execute', 'migrations'))
        self.assertEqual(self.registered(), ['001_a.py', '002_b.py'])
        self.assertIn('002_b.py executed in', result.stderr)
        self.assertEqual(result.results, 'read\nAll migrations registered\n')

    def test_the_failure_of_one_is_told(self) -> None:
        self.migration('001_a.py', MOVING.replace('REST', '1 / 0'))
        result = self.fab('migrations:execute')
        self.assertEqual(result.status, 1, result.said)
        self.assertIn('ZeroDivisionError', result.stderr)
        self.assertIn('fab migrations:execute,001_a.py', result.stderr)

    def test_so_it_is_after_a_folder_that_is_gone(self) -> None:
        self.migration(
            '001_a.py',
            """
            import os
            import tempfile

            def up(db):
                with tempfile.TemporaryDirectory() as folder:
                    os.chdir(folder)
            """,
        )
        self.migration('002_b.py', READING)
        self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(self.contents('notes'), [{'name': 'Ann'}])


class ResultTest(FabTest):
    """`2>/dev/null`, `| grep` and `> file` have what was asked for, and that alone."""

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', UP)

    def test_is_on_stdout(self) -> None:
        self.assert_ok(self.fab('migrations:execute'))
        for command, shown in RESULTS.items():
            with self.subTest(command):
                result = self.assert_ok(self.fab(command))
                self.assertIn(shown, result.results)
                self.assertNotIn(shown, result.stderr)

    def test_what_happens_is_on_stderr(self) -> None:
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertIn('001_a.py executed in', result.stderr)
        self.assertEqual(result.results, '')
        # Of nothing to do nothing happens: that is what it shows.
        result = self.assert_ok(self.fab('migrations:execute'))
        self.assertEqual(result.results, 'All migrations registered\n')
        self.assertEqual(result.stderr, '')

    def test_an_error_is_on_stderr(self) -> None:
        result = self.fab('migrations:execute,7')
        self.assert_error(result, "There is no migration '7'")
        self.assertEqual(result.stdout, '')

    def test_a_logger_of_the_fabfile_gets_all(self) -> None:
        self.write('fabfile.py', self.filled(OWN_LOGGER))
        commands = ('migrations', 'migrations:execute', 'migrations:history')
        result = self.assert_ok(self.fab(*commands))
        self.assertEqual((result.results, result.stderr, result.about), ('', '', ''))
        said = (self.folder / 'said').read_text()
        self.assertIn('Unregistered migrations:\n001_a.py\n', said)
        self.assertIn('001_a.py executed in', said)
        self.assertIn('Started (UTC)', said)


class AboutTest(FabTest):
    """Which database a command is about, before anything else is said."""

    fabfile = """
        import migopy

        class Migrations(migopy.MigrationsManager):
            SETTINGS
            MONGO_CLIENT_OPTIONS = {'serverSelectionTimeoutMS': 200}

        migrations = Migrations.create_task()
    """

    def set(self, *settings: str) -> None:
        joined = '; '.join(settings)
        self.write('fabfile.py', self.filled(self.fabfile).replace('SETTINGS', joined))

    def test_each_command_says_it_once(self) -> None:
        self.migration('001_a.py', NOTHING)
        self.set(f'MONGO_URI = {self.uri!r}', f'MONGO_DATABASE = {self.db.name!r}')
        result = self.assert_ok(self.fab('migrations', 'migrations:execute'))
        [address] = self.client.nodes
        line = f'{self.db.name} on mongodb://{address[0]}:{address[1]}\n'
        self.assertEqual(result.about, 2 * line)
        # What is about no database does not name one.
        for command in ('help', 'create,b'):
            result = self.assert_ok(self.fab(f'migrations:{command}'))
            self.assertEqual(result.about, '')

    def test_it_has_no_password(self) -> None:
        port = server.free_port()
        line = f'shop on mongodb://127.0.0.1:{port}\n'
        uri = f'mongodb://ann:s3cr%40t@127.0.0.1:{port}/shop?authSource=admin'
        self.set(f'MONGO_URI = {uri!r}')
        result = self.assert_error(self.fab('migrations'), 'cannot be reached')
        self.assertEqual(result.about, line)
        self.assertNotIn('s3cr', result.said)
        self.set(
            "MONGO_HOST = '127.0.0.1'",
            f'MONGO_PORT = {port}',
            "MONGO_DATABASE = 'shop'",
            "MONGO_USER = 'ann'",
            "MONGO_USER_PASS = 's3cr@t'",
        )
        result = self.assert_error(self.fab('migrations'), 'cannot be reached')
        self.assertEqual(result.about, f'shop on 127.0.0.1:{port}\n')
        self.assertNotIn('s3cr', result.said)
