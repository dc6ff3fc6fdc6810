"""What is typed behind `migopy`: read as signatures say, spelled the same way."""

from __future__ import annotations

import shlex
import unittest
from typing import Any

from migopy import MigrationsManager
from migopy.commands import Command, FabSpelling, Option, Where
from migopy.face.cli import command_in
from migopy.face.help_option import help_of, overview_of
from migopy.face.options import NotReadable
from migopy.face.parsing import parted, read
from migopy.face.project import subtasks_of
from migopy.face.spelling import CommandSpelling, word_of
from migopy.face.subtasks import Subtasks, WrongOptions, usage_of


class Migrations(MigrationsManager):
    """Has commands with parameters of each kind."""

    def count_notes(
        self, word: str | None = None, *, loud: str | bool = 'no', limit: int = 5
    ) -> None:
        """Count the notes, 100% of them, or those that contain a word.

        Example: count_notes,word=nothing,loud=yes
        With loud=yes it shouts; limit=NUMBER is how often. Nothing is written.
        """

    def several(self, first: str, *others: str, safe: bool = True, **more: str) -> None:
        """Take whatever there is."""

    def hushed(self, *, quiet: str | bool = 'no') -> None:
        """Have an option that every command has."""

    def bare(self, *, verbose=False, needed):  # type: ignore[no-untyped-def]
        """Have no annotations."""

    def execute(self, *args: Any, **kwargs: Any) -> None:
        """Execute them, and say so."""
        super().execute(*args, **kwargs)


SUBTASKS = subtasks_of(Migrations, MigrationsManager)


def typed(line: str) -> tuple[str | None, list[str], dict[str, str]]:
    """Read a line as it is typed behind `migopy`."""
    whole = parted(shlex.split(line))
    name, words = command_in(whole, SUBTASKS)
    subtask = SUBTASKS.get(name) if name else SUBTASKS.default
    found = read(subtask, name or '', words, whole)
    return name, list(found.values), dict(found.options)


class ReadTest(unittest.TestCase):
    def test_values_and_options_of_each_kind(self) -> None:
        for line, name, values, options in (
            ('', None, [], {}),
            ('status', 'show_status', [], {}),
            ('show-status', 'show_status', [], {}),
            ('execute', 'execute', [], {}),
            ('execute 003 --dry-run', 'execute', ['003'], {'dry_run': 'yes'}),
            ('execute --to 3', 'execute', [], {'to': '3'}),
            ('execute --to=3', 'execute', [], {'to': '3'}),
            ('rename 1 --quiet 2', 'rename', ['1', '2'], {}),
            ('rename --quiet 1 2', 'rename', ['1', '2'], {}),
            ('create add user index', 'create', ['add', 'user', 'index'], {}),
            ('execute -- -x.py', 'execute', ['-x.py'], {}),
            ('execute -- --dry-run', 'execute', ['--dry-run'], {}),
            ('history -5', 'history', ['-5'], {}),
            ('count-notes', 'count_notes', [], {}),
            ('count_notes a', 'count_notes', ['a'], {}),
            ('count-notes --word a', 'count_notes', [], {'word': 'a'}),
            ('count-notes --loud', 'count_notes', [], {'loud': 'yes'}),
            ('count-notes --limit 3 a', 'count_notes', ['a'], {'limit': '3'}),
            ('several a b c', 'several', ['a', 'b', 'c'], {}),
            ('several a --no-safe', 'several', ['a'], {'safe': 'no'}),
            (
                'several a --x-y=1 --z',
                'several',
                ['a'],
                {'x_y': '1', 'z': 'yes'},
            ),
            (
                'bare --verbose --needed=1',
                'bare',
                [],
                {'verbose': 'yes', 'needed': '1'},
            ),
            ('hushed --quiet', 'hushed', [], {'quiet': 'yes'}),
            ('execute --json 3', 'execute', ['3'], {'json': 'yes'}),
            ("execute ''", 'execute', [''], {}),
        ):
            with self.subTest(line):
                self.assertEqual(typed(line), (name, values, options))

    def test_options_of_every_command_stand_anywhere(self) -> None:
        for line in (
            '--manager a.py:B --quiet execute 1',
            'execute --manager=a.py:B 1 --quiet',
            'execute 1 --quiet --manager a.py:B',
        ):
            whole = parted(line.split())
            with self.subTest(line):
                self.assertEqual(list(whole.words), ['execute', '1'])
                self.assertEqual(whole.manager, 'a.py:B')
                self.assertTrue(whole.is_quiet)
                self.assertFalse(whole.wants_help or whole.wants_version)
        self.assertTrue(parted(['execute', '-h']).wants_help)
        self.assertTrue(parted(['--version']).wants_version)
        self.assertFalse(parted(['execute', '--', '--quiet']).is_quiet)

    def test_what_is_wrong_is_one_sentence_and_how_it_may_be_typed(self) -> None:
        for line, said in (
            ('execute --dryrun', 'there is no --dryrun (did you mean --dry-run?)'),
            ('execute --dry', 'there is no --dry (did you mean --dry-run?)'),
            ('execute --dry_run', 'there is no --dry_run (did you mean --dry-run?)'),
            ('execute --quite', 'there is no --quite (did you mean --quiet?)'),
            ('execute --zzzzzz', 'there is no --zzzzzz;'),
            ('execute -d', 'there is no -d'),
            ('execute --d', 'there is no --d;'),
            ('execute --to', '--to needs a value'),
            ('execute --dry-run=yes', '--dry-run takes no value'),
            ('execute dry_run=yes', 'dry_run=yes is typed --dry-run here'),
            ('execute to=3', 'to=3 is typed --to 3 here'),
            ('--dry-run execute', '--dry-run stands before the command'),
            ('--dry-run', 'there is no --dry-run'),
        ):
            with self.subTest(line), self.assertRaises(WrongOptions) as caught:
                typed(line)
            text = caught.exception.spelled(CommandSpelling())
            self.assertIn(said, text)
            self.assertIn('; nothing was done', text)
            self.assertRegex(text, r'\nType: migopy( execute \[NAME\].*)?')
        for line, said in (
            ('--manager', '--manager needs a value; nothing was done'),
            ('--quiet=1', '--quiet takes no value; nothing was done'),
        ):
            with self.subTest(line), self.assertRaises(NotReadable) as other:
                typed(line)
            text = other.exception.spelled(CommandSpelling())
            self.assertEqual(text, f'{said}.\nSee: migopy help')


class SpellingTest(unittest.TestCase):
    def test_what_is_spelled_is_read_as_the_same(self) -> None:
        for command in (
            Command('execute', '003', dry_run='yes'),
            Command('execute', to='yes'),
            Command('execute', "it's $HOME \\ \n.py"),
            Command('execute', '-x.py', dry_run='yes'),
            Command('rollback', to='-1_x.py'),
            Command('rollback', last=3),
            Command('rename', '001_x.py', '002_y.py'),
            Command('dbrestore', '2026', in_place='yes', yes='yes'),
            Command('unlock', force='yes'),
            Command('count_notes', loud='yes', word='a'),
            Command('several', 'a', safe='no'),
            Command('history'),
            Command('show_status'),
        ):
            with self.subTest(command):
                spelled = CommandSpelling().command(command)
                _, *words = shlex.split(spelled)
                name, values, options = typed(shlex.join(words))
                self.assertEqual(name, command.name)
                self.assertEqual(values, list(command.values))
                self.assertEqual(options, command.options)

    def test_it_reads_well(self) -> None:
        spelling = CommandSpelling()
        for command, expected in (
            (Command(), 'migopy'),
            (Command('show_status'), 'migopy status'),
            (Command('execute', '003', dry_run='yes'), 'migopy execute 003 --dry-run'),
            (Command('rollback', last=1), 'migopy rollback --last 1'),
            (Command('execute', '-x'), 'migopy execute -- -x'),
        ):
            self.assertEqual(spelling.command(command), expected)
        self.assertEqual(spelling.option(Option('to')), '--to')
        self.assertEqual(spelling.option(Option('dry_run', 'yes')), '--dry-run')
        self.assertEqual(spelling.option(Option('to', 'NAME')), '--to NAME')

    def test_it_leads_to_the_same_manager(self) -> None:
        spelling = CommandSpelling('python3 -m migopy', ['--manager', 'a b.py:C'])
        self.assertEqual(
            spelling.command(Command('execute', '1')),
            "python3 -m migopy --manager 'a b.py:C' execute 1",
        )

    def test_it_says_where_a_setting_is_to_be_corrected(self) -> None:
        given = {
            'MONGO_URI': 'MIGOPY_MONGO_URI',
            'LOCK_WAIT': 'lock_wait in pyproject.toml',
        }
        uri, wait = Where(('MONGO_HOST', 'MONGO_URI')), Where(('LOCK_WAIT',))
        other = Where(('LOCK_TTL', 'LOCK_X'))
        for place, where, expected in (
            ('fabfile.py', uri, 'in the environment (MIGOPY_MONGO_URI)'),
            ('fabfile.py', wait, 'in pyproject.toml (lock_wait)'),
            ('fabfile.py', other, 'in fabfile.py'),
            ('', other, 'in the environment (MIGOPY_LOCK_TTL)'),
            ('fabfile.py', Where(), 'in fabfile.py'),
        ):
            spelling = CommandSpelling('migopy', (), place, given)
            self.assertEqual(spelling.where(where), expected)
        self.assertEqual(FabSpelling().where(uri), 'in the fabfile')

    def test_usage_of_each_kind_of_parameter(self) -> None:
        for name, expected in (
            ('ignore', 'migopy ignore [NAME] [--to NAME] [--yes]'),
            ('unlock', 'migopy unlock [--force] [--worker] [--yes]'),
            ('accept', 'migopy accept NAME'),
            ('create', 'migopy create TITLE ...'),
            ('count_notes', 'migopy count-notes [WORD] [--loud] [--limit LIMIT]'),
            (
                'several',
                'migopy several FIRST [OTHERS ...] [--no-safe] [--NAME=VALUE ...]',
            ),
            ('bare', 'migopy bare [--verbose] --needed NEEDED'),
            ('show_status', 'migopy status'),
        ):
            usage = usage_of(SUBTASKS.get(name), name)
            self.assertEqual(CommandSpelling().usage(usage), expected)


class HelpTest(unittest.TestCase):
    def test_each_command_is_explained(self) -> None:
        """From its docstring, with examples and options as they are typed here."""
        for subtask in SUBTASKS:
            name = subtask.__name__
            text = help_of(subtask, word_of(name), CommandSpelling())
            self.assertIn(f'usage: migopy {word_of(name)}', text)
            self.assertNotRegex(text, r'\w=(yes|NAME|NUMBER)')

    def test_options_have_the_sentences_that_are_about_them(self) -> None:
        subtask = SUBTASKS.get('count_notes')
        text = ' '.join(help_of(subtask, 'count-notes', CommandSpelling()).split())
        self.assertIn('Count the notes, 100% of them, or those', text)
        self.assertIn('Example: migopy count-notes --word nothing --loud', text)
        self.assertIn('--loud With --loud it shouts. --limit LIMIT', text)
        self.assertIn('--limit NUMBER is how often.', text)
        self.assertIn('Nothing is written. options of this command', text)
        # The value that stands by itself is not shown twice.
        self.assertNotIn('--word WORD', text)

    def test_the_whole_lists_each_command(self) -> None:
        text = overview_of(SUBTASKS, CommandSpelling(), 'fabfile.py')
        self.assertIn('usage: migopy [COMMAND] [OPTION ...]', text)
        self.assertIn('of fabfile.py', text)
        for name in SUBTASKS.names:
            self.assertRegex(text, rf'\n  {word_of(name)} +[A-Z]')

    def test_a_manager_is_looked_at_and_not_made(self) -> None:
        class NotToBeMade(MigrationsManager):
            def __init__(self) -> None:
                raise AssertionError('made')

        subtasks = subtasks_of(NotToBeMade, MigrationsManager)
        self.assertIsInstance(subtasks, Subtasks)
        self.assertIn('execute', subtasks.names)


if __name__ == '__main__':
    unittest.main()
