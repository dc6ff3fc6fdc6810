"""`check,offline=yes`: the files alone, for CI and before a commit."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import yaml

from tests.project import FAB, NOTHING, FabTest, Result

NO_DATABASE = """
    import migopy

    class Migrations(migopy.MigrationsManager):
        pass

    migrations = Migrations.create_task()
"""

#: Servers for which not even a client can be made.
NO_CLIENT = (
    'mongodb+srv://ann:secret@nohost.invalid/shop',
    'mongodb://nohost.invalid/shop?tls=true&tlsCAFile=/nonexistent.pem',
    'embedded:mongodata',
)

ROOT = Path(__file__).parents[2]


class OfflineTest(FabTest):
    fabfile = NO_DATABASE

    def check(self, more: str = '', **environment: str) -> Result:
        return self.fab(f'migrations:check,offline=yes{more}', **environment)

    def problems(self) -> list[str]:
        """Give what is told, of a check that finds anything."""
        result = self.check()
        self.assert_error(result, 'Some files of migrations need attention')
        return result.stdout.splitlines()

    def test_sound_files(self) -> None:
        self.migration('001_a.py', 'import os\n\ndef up(db):\n    pass\n')
        self.migration('002_b.py', 'from . import _shared\n\nup = _shared.up\n')
        self.migration('_shared.py', NOTHING)
        result = self.assert_ok(self.check())
        self.assertEqual(result.results, '2 files of migrations, all sound\n')
        self.assertEqual((result.stderr, result.about), ('', ''))

    def test_nothing_is_written_and_no_server_is_needed(self) -> None:
        self.migration('001_a.py')
        for uri in NO_CLIENT:
            with self.subTest(uri):
                setting = f"MONGO_URI = '{uri}'\n        MONGO_DATABASE = 'shop'"
                self.write('fabfile.py', NO_DATABASE.replace('pass', setting))
                before = sorted(self.folder.rglob('*'))
                result = self.assert_ok(self.check(PYTHONDONTWRITEBYTECODE='1'))
                self.assertEqual((result.stderr, result.about), ('', ''))
                self.assertEqual(sorted(self.folder.rglob('*')), before)

    def test_each_that_could_not_run(self) -> None:
        for name, text in (
            ('001_syntax.py', 'def up(db):\n    pass\n\nif\n'),
            ('002_raises.py', 'def up(db):\n    pass\n\n1 / 0\n'),
            ('003_module.py', 'import os\nimport nowhere_to_be_found\n'),
            ('004_no_up.py', 'def down(db):\n    pass\n'),
            ('005_async.py', 'async def up(db):\n    yield\n'),
            ('006_transaction.py', 'transaction = 1\n\ndef up(db):\n    pass\n'),
            ('007_exits.py', 'import sys\nup = sys.exit(0)\n'),
            ('008_deeper.py', 'import json\n\n\nup = json.loads("[")\n'),
            ('009_merge.py', '<<<<<<< HEAD\ndef up(db):\n    pass\n'),
            ('010_idle.py', 'def up(db):\n    map(db.a.insert, [{}])\n'),
        ):
            self.migration(name, text)
        found = [line.removeprefix('mongomigrations/') for line in self.problems()]
        self.assertEqual(
            [line.split(' ')[0] for line in found],
            [
                '001_syntax.py:4:',
                '002_raises.py:4:',
                '003_module.py:2:',
                '004_no_up.py:1:',
                '005_async.py:1:',
                '006_transaction.py:1:',
                '007_exits.py:2:',
                '008_deeper.py:4:',
                '009_merge.py:1:',
                '010_idle.py:2:',
            ],
        )
        self.assertIn('cannot be imported: ZeroDivisionError: division by', found[1])
        self.assertIn('has no function `up`', found[3])
        self.assertIn('map(…) alone does nothing in Python 3', found[9])

    def test_each_word_that_cannot_be_used(self) -> None:
        """None keeps the others from being told."""
        words = {
            'transaction = 1': 'transaction = 1 is neither True nor False',
            'transactions = True': (
                'transactions = True would be passed over, as the word is `transaction`'
            ),
            "undo = 'no'": "undo = 'no' is neither True nor False nor 'best effort'",
            'UNDO = True': 'UNDO would be passed over: the word is `undo`',
            "enviroments = ['staging']": (
                'enviroments would be passed over: the word is `environments` (or call'
                ' it _enviroments if it is your own)'
            ),
            'def verfy(db): pass': (
                'verfy would be passed over: the word is `verify` (or call it _verfy if'
                ' it is your own)'
            ),
            'parallel = 1': 'parallel = 1 is neither True nor False',
        }
        for number, word in enumerate(words, start=1):
            self.migration(f'{number:03}_a.py', f'{word}\ndef up(db): pass\n')
        self.assertEqual(
            self.problems(),
            [
                f'mongomigrations/{number:03}_a.py:1: {number:03}_a.py: {said}'
                for number, said in enumerate(words.values(), start=1)
            ],
        )

    def test_names_and_numbers(self) -> None:
        """Two branches that are merged bring files of one number."""
        for name in ('001_a.py', '002_b.py', '002_c.py', '2_d.py', 'Add-Index.py'):
            self.migration(name)
        found = self.problems()
        self.assertEqual(len(found), 3, found)
        self.assertIn('002_c.py has the same number as 002_b.py', found[0])
        self.assertIn('2_d.py has the same number as 002_c.py', found[1])
        self.assertIn('Add-Index.py does not fit MIGRATIONS_FILE_PATTERN', found[2])

    def test_a_file_that_writes_while_it_is_imported(self) -> None:
        self.migration(
            '001_a.py',
            f"""
            import pymongo

            NOTES = pymongo.MongoClient({self.uri!r})[{self.db.name!r}].notes
            NOTES.insert_one({{'_id': 1}})

            def up(db):
                pass
            """,
        )
        [said] = self.problems()
        self.assertIn('001_a.py has written while it was imported: ', said)
        self.assertIn('notes 1 inserted. Each import does so, for this check', said)

    def test_a_folder_that_cannot_be_imported_or_is_not_there(self) -> None:
        self.migration('001_a.py')
        self.migration('__init__.py', '1 / 0')
        [line] = self.problems()
        self.assertIn('mongomigrations/__init__.py:1: __init__.py cannot be', line)
        (self.folder / 'mongomigrations').rename(self.folder / 'elsewhere')
        self.assert_error(self.check(), 'No such file or directory')

    def test_a_file_that_cannot_be_read(self) -> None:
        file = self.migration('001_a.py')
        file.unlink()
        file.symlink_to('nowhere')
        [line] = self.problems()
        self.assertIn('001_a.py:1: 001_a.py cannot be read: No such file', line)

    def test_annotations(self) -> None:
        self.migration('001_a.py', "raise ValueError('100%\\r,:\\x1b[31m\\n::x::')\n")
        self.migration('odd,: 5%\n::error::x.py')
        checkout = {'GITHUB_WORKSPACE': str(self.folder.parent), 'FORCE_COLOR': '1'}
        result = self.check(',format=github', **checkout)
        self.assertEqual(result.status, 1)
        start = f'::error file={self.folder.name}/mongomigrations/'
        first, second = result.stdout.splitlines()
        self.assertEqual(
            first,
            f'{start}001_a.py,line=1,title=migopy::001_a.py cannot be imported:'
            ' ValueError: 100%25',
        )
        self.assertTrue(
            second.startswith(f'{start}odd%2C%3A 5%25\\n%3A%3Aerror%3A%3Ax.py,line=1,'),
            second,
        )
        self.assertIn('::odd,: 5%25\\n::error::x.py does not fit', second)

    def test_in_json(self) -> None:
        self.migration('001_a.py', 'if')
        result = self.check(',json=yes')
        told = json.loads(result.stdout)
        [problem] = told['problems']
        self.assertEqual((told['files'], problem['line']), (1, 1))
        self.assertEqual(problem['path'], str(self.folder / 'mongomigrations/001_a.py'))
        self.assertEqual(told['error']['type'], 'DoesNotFit')

    def test_options_that_do_not_fit(self) -> None:
        for options, said in (
            (',format=html', 'format=html is none of text, github'),
            (',offline=maybe', 'neither yes nor no'),
        ):
            self.assert_error(self.check(options), said)
        result = self.fab('migrations:check,format=github')
        typed = 'fab migrations:check,offline=yes,format=github'
        self.assert_error(result, f'Type: {typed}')
        self.assert_ok(self.fab(*shlex.split(typed)[1:]))

    def test_in_a_folder_that_cannot_be_written_to(self) -> None:
        self.migration('001_a.py')
        folder = self.folder / 'mongomigrations'
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        self.addCleanup(folder.chmod, 0o755)
        self.assert_ok(self.check())


class PreCommitTest(FabTest):
    """`.pre-commit-hooks.yaml`, which pre-commit reads from a checkout of migopy."""

    fabfile = NO_DATABASE

    def test_the_hook_is_the_command_for_files(self) -> None:
        [hook] = yaml.safe_load((ROOT / '.pre-commit-hooks.yaml').read_text())
        self.assertEqual(hook['entry'].split(), ['migopy', 'check', '--offline'])
        self.assertIs(hook['pass_filenames'], False)
        self.assertRegex('mongomigrations/001_a.py', hook['files'])

    def test_in_a_commit(self) -> None:
        """As git has a hook run: from the top of the checkout."""
        hook = self.write(
            '.git-hooks/pre-commit',
            f'#!/bin/sh\nexec {shlex.quote(str(FAB))} migrations:check,offline=yes\n',
        )
        hook.chmod(0o755)
        git = ['git', '-c', 'core.hooksPath=.git-hooks', '-c', 'user.name=Ann']
        git += ['-c', 'user.email=ann@example.org']
        environment = {**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull}

        def run(*words: str) -> int:
            done = subprocess.run(
                [*git, *words],
                cwd=self.folder,
                env=environment,
                check=False,
                capture_output=True,
            )
            return done.returncode

        self.assertEqual(run('init', '-q'), 0)
        file = self.migration('001_a.py', 'if')
        self.assertEqual(run('add', '.'), 0)
        self.assertNotEqual(run('commit', '-m', 'broken'), 0)
        file.write_text('def up(db):\n    pass\n')
        self.assertEqual(run('add', '.'), 0)
        self.assertEqual(run('commit', '-m', 'sound'), 0)
