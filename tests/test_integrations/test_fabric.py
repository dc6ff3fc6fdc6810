"""A command that a hook rebuilds, typed again in a real shell for a real `fab`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess

from tests.project import FAB, FabTest, clean_environment

#: Values that a shell, or Fabric, would take for something else.
NASTY = [
    '',
    ' ',
    'two words',
    "it's",
    '"quoted"',
    '$HOME',
    '$(touch harm)',
    '`touch harm`',
    ';touch harm',
    'a&b|c>harm',
    '*',
    '~',
    '!!',
    '#comment',
    'a\\b',
    'a\nb',
    'é ✓',
    '--help',
    ',',
    '=',
    'a,b=c,',
    'a:b',
]


class RoundTripTest(FabTest):
    """`fab staging migrations:mytask,…` runs the same subtask elsewhere.

    Elsewhere is a shell of this machine here, where a variable says that it is there.
    """

    fabfile = """
        import json
        import os
        import subprocess
        import migopy

        class Migrations(migopy.MigrationsManager):
            MONGO_URI = '{uri}'
            MONGO_DATABASE = '{database}'

            @classmethod
            def task_hook(cls, subtask, option):
                with open('hooks', 'a') as hooks:
                    hooks.write(json.dumps([subtask, option]) + '\\n')
                if 'ELSEWHERE' not in os.environ:
                    command = cls.fab_command(subtask, option)
                    environment = {**os.environ, 'ELSEWHERE': '1'}
                    subprocess.run(['sh', '-c', command], env=environment, check=True)
                    raise migopy.StopTaskExecution

            def mytask(self, *values, **options):
                print(json.dumps([values, options]), end='')

        migrations = Migrations.create_task()
    """

    def test_all_values_come_through_as_they_are(self) -> None:
        typed = ','.join(
            value.replace(',', r'\,').replace('=', r'\=') for value in NASTY
        )
        options = {'key': 'a,b', 'another': "it's $HOME"}
        for name, value in options.items():
            typed += f',{name}=' + value.replace(',', r'\,')
        path = f'{FAB.parent}{os.pathsep}{os.environ["PATH"]}'
        result = self.assert_ok(self.fab(f'migrations:mytask,{typed}', PATH=path))
        got = json.loads(result.stdout.partition('\n')[0])
        self.assertEqual(got, [NASTY, options])
        here, there = map(json.loads, (self.folder / 'hooks').read_text().splitlines())
        self.assertEqual(here, ['mytask', typed])
        self.assertEqual(there, here)
        self.assertFalse((self.folder / 'harm').exists())

    def test_a_failure_there_is_one_here(self) -> None:
        path = f'{FAB.parent}{os.pathsep}{os.environ["PATH"]}'
        result = self.fab('migrations:nope', PATH=path)
        self.assertNotEqual(result.status, 0)
        self.assertIn("There is no command 'nope'", result.stderr)


class UnescapedTest(FabTest):
    r"""A `=` in a value that is typed without a `\`."""

    def test_what_to_type_is_said_and_nothing_is_done(self) -> None:
        self.migration('1_a.py')
        for typed, meant in (
            (
                'rehearse,on=mongodb://h/?a=b&c=d',
                r'rehearse,on=mongodb://h/?a\=b&c\=d',
            ),
            ('execute,to=1=2', r'execute,to=1\=2'),
            (r'create,a\,b,x=y=z', r'create,a\,b,x=y\=z'),
            ('a=b=c', r',a=b\=c'),
            (',dry_run=yes=', r',dry_run=yes\='),
        ):
            with self.subTest(typed):
                result = self.fab('-f', 'fabfile.py', f'migrations:{typed}')
                self.assert_error(result, 'nothing was done.\nType it like this: ')
                said = result.stderr.splitlines()[-1]
                [word] = shlex.split(said.partition('like this: ')[2])
                self.assertEqual(word, f'migrations:{meant}')
                self.assertNotIn('Fabric takes', self.fab(word).said)
        # The last one of those, as it is meant, has been a dry run or nothing.
        self.assertEqual(self.registered(), [])

    def test_no_password_is_said(self) -> None:
        result = self.fab('migrations:rehearse,on=mongodb://ann:s3cret@h/?a=b')
        self.assert_error(
            result, 'like this (with the password for ***): ', 'ann:***@h/'
        )
        self.assertNotIn('s3cret', result.said)

    def test_in_json_it_is_an_error_too(self) -> None:
        result = self.fab('migrations:execute,to=1=2,json=yes')
        self.assertEqual(result.status, 1)
        self.assertEqual(json.loads(result.stdout)['error']['type'], 'Unescaped')

    def test_what_is_no_word_of_its_task_is_left_alone(self) -> None:
        self.migration('1_a.py')
        options = '--set', 'where=http://h/?a=b=c', '--timeout', '5'
        self.assert_ok(self.fab(*options, 'migrations:execute'))
        self.assertEqual(self.registered(), ['1_a.py'])
        said = self.fab('other:a=b=c').said
        self.assertNotIn('Type it like this', said)


class DeployScriptTest(FabTest):
    """A shell script that goes on only where `fab` ended well."""

    def script(self, *commands: str) -> str:
        text = '\n'.join(f'{shlex.quote(str(FAB))} {each}' for each in commands)
        done = subprocess.run(
            ['sh', '-e', '-c', f'{text}\necho went on'],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def test_it(self) -> None:
        self.migration('1_a.py')
        self.assertIn('went on', self.script('migrations', 'migrations:execute'))
        self.migration('2_b.py', 'def up(db): 1 / 0')
        self.assertNotIn('went on', self.script('migrations:execute'))
        self.assertNotIn('went on', self.script('migrations:exceute'))
