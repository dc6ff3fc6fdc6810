"""Commands as data, and how the classic face spells them."""

from __future__ import annotations

import inspect
import subprocess
import unittest

from migopy.commands import Command, FabSpelling, Usage


def _example(
    spec_migr: str, title: str = '', *more: str, to: str | None = None, **rest: str
) -> None:
    pass


class CommandTest(unittest.TestCase):
    def test_holds_texts_and_leaves_out_what_is_none(self) -> None:
        command = Command('rollback', 3, last=2, to=None)
        self.assertEqual(command.values, ('3',))
        self.assertEqual(command.options, {'last': '2'})

    def test_is_read_from_an_example(self) -> None:
        self.assertEqual(
            Command.parse('execute,003_a.py,dry_run=yes'),
            Command('execute', '003_a.py', dry_run='yes'),
        )

    def test_is_an_object_for_json(self) -> None:
        self.assertEqual(
            Command('execute', '003', to='4').as_document(),
            {'command': 'execute', 'values': ['003'], 'options': {'to': '4'}},
        )
        self.assertEqual(Command().as_document()['command'], 'status')


class FabSpellingTest(unittest.TestCase):
    def test_spells_as_fab_reads(self) -> None:
        spelling = FabSpelling('migr')
        self.assertEqual(spelling.command(Command()), 'fab migr')
        self.assertEqual(spelling.command(Command('help')), 'fab migr:help')
        self.assertEqual(
            spelling.command(Command('execute', '003_a.py', dry_run='yes')),
            'fab migr:execute,003_a.py,dry_run=yes',
        )

    def test_what_it_spells_is_one_word_for_a_shell(self) -> None:
        """A file name may be anything where the fabfile's pattern allows it."""
        name = "1_a b;echo $(id) 'x',y=z.py"
        typed = FabSpelling().command(Command('execute', name))
        shown = subprocess.run(
            ['sh', '-c', typed.replace('fab ', 'printf %s ', 1)],
            capture_output=True,
            text=True,
            check=True,
        )
        escaped = name.replace(',', r'\,').replace('=', r'\=')
        self.assertEqual(shown.stdout, f'migrations:execute,{escaped}')

    def test_usage_shows_all_kinds_of_options(self) -> None:
        parameters = tuple(inspect.signature(_example).parameters.values())
        self.assertEqual(
            FabSpelling().usage(Usage('example', parameters)),
            'fab migrations:example,NAME[,TITLE][,…][,to=NAME][,key=value…]',
        )

    def test_usage_has_no_brackets_around_an_option_that_is_needed(self) -> None:
        def speed(*, max_per_second: str, worker: str = 'no') -> None: ...

        parameters = tuple(inspect.signature(speed).parameters.values())
        self.assertEqual(
            FabSpelling().usage(Usage('speed', parameters)),
            'fab migrations:speed,max_per_second=NUMBER[,worker=yes]',
        )
