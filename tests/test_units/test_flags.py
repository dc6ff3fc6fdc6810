"""How a command's parameters are typed as flags, and what is made of them."""

from __future__ import annotations

import inspect
import shlex
import unittest
from collections.abc import Callable
from typing import Any

from migopy.commands import Command, Usage
from migopy.face.flags import (
    Flag,
    arguments,
    flags_of,
    option_words,
    words_of,
)
from migopy.face.options import own_in
from migopy.face.spelling import FlagSpelling


def execute(
    spec_migr: str | None = None,
    *,
    to: str | None = None,
    dry_run: str | bool = 'no',
) -> None:
    """Stand for migopy's own."""


def rollback(spec_migr: str, *, undo: str | bool | None = None) -> None:
    """Stand for migopy's own, of which an option may be yes, no or neither."""


def own(
    first: str,
    second: int = 2,
    *values: str,
    n: int = 3,
    careful: bool = True,
    **options: str,
) -> None:
    """Stand for one of a fabfile."""


def flags(command: Callable[..., Any]) -> list[Flag]:
    return flags_of(inspect.signature(command).parameters.values())


class ArgumentsTest(unittest.TestCase):
    """What was typed, as values and options."""

    def test_what_nobody_typed_is_left_out(self) -> None:
        given = {'name': None, 'to': None, 'dry_run': False}
        self.assertEqual(arguments(flags(execute), given), ([], {}))

    def test_switches_are_yes_or_no(self) -> None:
        given = {'name': '', 'to': None, 'dry_run': True}
        self.assertEqual(arguments(flags(execute), given), ([''], {'dry_run': 'yes'}))
        given = {'first': 'a', 'careful': False}
        self.assertEqual(arguments(flags(own), given), (['a'], {'careful': 'no'}))

    def test_one_that_is_neither_has_a_switch_for_each(self) -> None:
        typed = [each.typed for each in flags(rollback)]
        self.assertEqual(typed, ['--name', '--undo', '--no-undo'])
        for given, options in (
            ({'undo': False, 'no_undo': False}, {}),
            ({'undo': True, 'no_undo': False}, {'undo': 'yes'}),
            ({'undo': False, 'no_undo': True}, {'undo': 'no'}),
        ):
            asked = arguments(flags(rollback), {'name': '1', **given})
            self.assertEqual(asked, (['1'], options))
            words = words_of(flags(rollback), Command('rollback', '1', **options))
            typed = [f'--{name.replace("_", "-")}' for name in given if given[name]]
            self.assertEqual(words, ['1', *typed])
        usage = Usage('rollback', [each.parameter for each in flags(rollback)][:2])
        for word, undo in {'--undo': 'yes', '--no-undo': 'no'}.items():
            self.assertEqual(own_in(['1', word], usage), ({'undo': undo}, ['1']))

        def both(*, sure: bool | None = None, no_sure: bool = False) -> None: ...

        self.assertEqual([each.name for each in flags(both)], ['sure', 'no_sure'])

    def test_behind_a_gap_values_go_by_name(self) -> None:
        def places(latitude: str = '', longitude: str = '', *more: str) -> None: ...

        given = {'longitude': '7'}
        self.assertEqual(arguments(flags(places), given), ([], {'longitude': '7'}))
        with self.assertRaisesRegex(ValueError, '--more needs --latitude before it'):
            arguments(flags(places), {'more': ['x']})

    def test_several_and_pairs(self) -> None:
        given = {'first': 'a', 'second': 'b', 'values': ['c', 'd'], 'options': ['x=y=']}
        self.assertEqual(
            arguments(flags(own), given), (['a', 'b', 'c', 'd'], {'x': 'y='})
        )
        with self.assertRaisesRegex(ValueError, 'KEY=VALUE, and xy is none'):
            arguments(flags(own), {'first': 'a', 'options': ['xy']})

    def test_a_parameter_of_the_name_that_another_would_get_keeps_it(self) -> None:
        def command(spec_migr: str = '', name: str = '') -> None: ...

        names = [each.name for each in flags(command)]
        self.assertEqual(names, ['spec_migr', 'name'])


class SpellingTest(unittest.TestCase):
    """What is printed can be typed."""

    def spelled(
        self, command: Callable[..., Any], asked: Command, **how: Any
    ) -> list[str]:
        by_name = {command.__name__: flags(command), 'show_status': []}
        settings = {'before': ['fab'], 'collection': 'migrations', **how}
        spelling = FlagSpelling(flags=by_name, status='show_status', **settings)
        return shlex.split(spelling.command(asked))[1:]

    def test_what_is_called_as_a_word_of_python_s_is_typed_without_its_line(
        self,
    ) -> None:
        # A database may be called `no`.
        self.assertEqual(option_words('except', 'no'), ['--except', 'no'])

        def own(self: object, *, except_: str = '', from_: str = '') -> None:
            pass

        for options in ({'except': 'a', 'from': 'b'}, {'except_': 'a', 'from_': 'b'}):
            words = words_of(flags(own), Command('own', **options))
            self.assertEqual(words, ['--except', 'a', '--from', 'b'])

    def test_own_commands(self) -> None:
        asked = Command('execute', '003', dry_run='yes')
        self.assertEqual(
            self.spelled(execute, asked),
            ['migrations.execute', '--name', '003', '--dry-run'],
        )
        asked = Command('execute', to='4', dry_run='no')
        self.assertEqual(
            self.spelled(execute, asked), ['migrations.execute', '--to', '4']
        )

    def test_all_kinds_of_parameters(self) -> None:
        asked = Command('own', 'a', 'b', 'c', '-d', n=5, careful='no', key='=')
        self.assertEqual(
            self.spelled(own, asked)[1:],
            shlex.split(
                'a --second b --values c --values=-d -n 5 --no-careful --options key=='
            ),
        )
        asked = Command('own', '-a', careful='yes')
        self.assertEqual(self.spelled(own, asked)[1:], ['--first=-a'])

    def test_the_collection_s_name_and_underscores(self) -> None:
        for command, how, expected in (
            (Command(), {}, 'migrations'),
            (Command('show_status'), {}, 'migrations.show-status'),
            (Command('show_status'), {'has_dashes': False}, 'migrations.show_status'),
            (Command(), {'collection': ''}, 'show-status'),
            (Command(), {'collection': 'a.b'}, 'a.b'),
        ):
            with self.subTest(expected):
                self.assertEqual(self.spelled(own, command, **how), [expected])

    def test_what_stands_before_is_quoted(self) -> None:
        spelling = FlagSpelling(['fab', '-H', 'a;b'], 'm', {}, 'show_status')
        self.assertEqual(spelling.command(Command()), "fab -H 'a;b' m")

    def test_usage(self) -> None:
        spelling = FlagSpelling(['inv'], 'm', {}, 'show_status')
        usage = Usage('own', tuple(inspect.signature(own).parameters.values()))
        self.assertEqual(
            spelling.usage(usage),
            'inv m.own FIRST [--second SECOND] [--values VALUES]… [-n N]'
            ' [--no-careful] [--options KEY=VALUE]…',
        )

    def test_words_of_a_command_that_is_typed_are_what_was_typed(self) -> None:
        asked = Command('own', 'a', '2', 'x', n='1', careful='no', key='v')
        self.assertEqual(
            words_of(flags(own), asked),
            shlex.split('a --second 2 --values x -n 1 --no-careful --options key=v'),
        )
