"""Which methods are subtasks, how options reach them, and the command that does it."""

from __future__ import annotations

import shlex
import unittest
from typing import Any
from unittest import mock

from migopy.commands import Command, FabSpelling, command_line
from migopy.face.spelling import CommandSpelling, FlagSpelling
from migopy.face.subtasks import (
    Subtasks,
    UnknownSubtask,
    WrongOptions,
    as_typed,
    call,
    explanation,
    task,
    usage_of,
)


class Base:
    """A manager with two subtasks and a method that is none."""

    @task(default=True)
    def status(self) -> str:
        return 'status'

    @task
    def execute(self, name: str | None = None) -> str:
        """Run what is new."""
        return f'execute {name}'

    def unregistered(self) -> list[str]:
        return []

    @classmethod
    def task_hook(cls, subtask: str, option: str) -> None: ...


class PretendsToBeMarked:
    """Answers to any name, as a PyMongo database does."""

    def __getattr__(self, name: str) -> PretendsToBeMarked:
        return PretendsToBeMarked()

    def __call__(self, *args: Any) -> None: ...


class SubtasksTest(unittest.TestCase):
    def names(self, cls: type) -> list[str]:
        return Subtasks(cls(), Base).names

    def test_the_marked_methods_are(self) -> None:
        self.assertEqual(self.names(Base), ['execute', 'status'])

    def test_a_public_method_that_a_subclass_adds_is(self) -> None:
        class Migrations(Base):
            def mytask(self, option: str | None = None) -> None: ...

        self.assertEqual(self.names(Migrations), ['execute', 'mytask', 'status'])

    def test_so_is_one_of_a_mixin(self) -> None:
        class Mixin:
            def mixed_in(self) -> None: ...

        class Migrations(Mixin, Base): ...

        self.assertIn('mixed_in', self.names(Migrations))

    def test_a_leading_underscore_makes_none(self) -> None:
        class Migrations(Base):
            def _helper(self) -> None: ...

            @task
            def _marked(self) -> None: ...

        self.assertEqual(self.names(Migrations), ['execute', 'status'])

    def test_an_override_of_what_is_none_is_none(self) -> None:
        class Migrations(Base):
            def unregistered(self) -> list[str]:
                return ['001_x.py']

            def task_hook(cls, subtask: str, option: str) -> None: ...  # noqa: N805

        self.assertEqual(self.names(Migrations), ['execute', 'status'])

    def test_an_override_of_one_is_one_with_and_without_a_mark(self) -> None:
        class Unmarked(Base):
            def execute(self, name: str | None = None) -> str:
                return 'mine, ' + super().execute(name)

        class Marked(Base):
            @task
            def execute(self, name: str | None = None) -> str:
                return 'mine, ' + super().execute(name)

        for cls in (Unmarked, Marked):
            subtasks = Subtasks(cls(), Base)
            self.assertEqual(subtasks.names, ['execute', 'status'])
            self.assertEqual(subtasks.get('execute')('a'), 'mine, execute a')

    def test_what_is_no_method_is_none(self) -> None:
        class Migrations(Base):
            number = 1
            execute = None  # type: ignore[assignment]

            class Nested: ...

            @property
            def evaluated(self) -> None:
                raise AssertionError('evaluated')

        self.assertEqual(self.names(Migrations), ['status'])

    def test_an_attribute_that_pretends_is_none(self) -> None:
        class Migrations(Base):
            first = mock.Mock()
            second = mock.MagicMock()
            third = PretendsToBeMarked()

        manager = Migrations()
        manager.fourth = mock.Mock()  # type: ignore[attr-defined]
        self.assertEqual(Subtasks(manager, Base).names, ['execute', 'status'])

    def test_gives_them_bound_in_order_of_name(self) -> None:
        manager = Base()
        self.assertEqual(
            list(Subtasks(manager, Base)), [manager.execute, manager.status]
        )

    def test_an_unknown_one_is_an_error_with_the_nearest(self) -> None:
        with self.assertRaises(UnknownSubtask) as caught:
            Subtasks(Base(), Base).get('exceute')
        self.assertEqual(
            str(caught.exception),
            "There is no command 'exceute'; nothing was done."
            ' Did you mean execute? See: fab migrations:help,execute\n'
            'There are:\n  fab migrations:execute\n  fab migrations:status',
        )
        self.assertEqual(caught.exception.name, 'exceute')
        self.assertEqual(caught.exception.known, ['execute', 'status'])

    def test_of_what_is_near_and_changes_something_the_help_is_suggested(self) -> None:
        known = ['check', 'execute', 'history', 'ignore', 'rollback', 'unlock']
        self.assertIn(
            'Did you mean fab migrations:history?',
            str(UnknownSubtask('histroy', known)),
        )
        for name, near in {
            'excute': 'execute',
            'rolback': 'rollback',
            'ignor': 'ignore',
            'unlok': 'unlock',
        }.items():
            with self.subTest(name):
                unknown = UnknownSubtask(name, known)
                see = f' Did you mean {near}? See: fab migrations:help,{near}\n'
                self.assertIn(see, str(unknown))
                self.assertEqual(unknown.next, [Command('help', near)])
        self.assertNotIn('Did you mean', str(UnknownSubtask('migrate', known)))
        own = UnknownSubtask('fix_usrs', ['fix_users']).spelled(CommandSpelling())
        self.assertIn(' Did you mean fix-users? See: migopy help fix_users\n', own)

    def test_the_habits_of_other_tools_are_known(self) -> None:
        for habit, name in {
            'migrate': 'execute',
            'up': 'execute',
            'upgrade': 'execute',
            'apply': 'execute',
            'down': 'rollback',
            'revert': 'rollback',
            'downgrade': 'rollback',
            'status': '',
            'ls': 'list',
            'new': 'create',
            'generate': 'create',
            'make': 'create',
        }.items():
            error = UnknownSubtask(habit, ['execute'], is_alone=True)
            self.assertIn('\nHere that is done by: fab migrations', str(error))
            self.assertEqual(error.next[0], Command(name))

    def test_of_what_else_was_typed_nothing_is_taken_for_known(self) -> None:
        for habit, name in {'up': 'execute', 'downgrade': 'rollback'}.items():
            error = UnknownSubtask(habit, ['execute'])
            self.assertIn(
                f'Here that is done by {name}, see: fab migrations:help', str(error)
            )
            self.assertEqual(error.next[0], Command('help', name))

    def test_with_nothing_near_none_is_suggested(self) -> None:
        with self.assertRaises(UnknownSubtask) as caught:
            Subtasks(Base(), Base).get('zzz')
        self.assertNotIn('Did you mean', str(caught.exception))


class DefaultTest(unittest.TestCase):
    def test_is_the_one_marked_so(self) -> None:
        self.assertEqual(Subtasks(Base(), Base).default(), 'status')

    def test_a_subclass_marks_another(self) -> None:
        class Migrations(Base):
            @task(default=True)
            def mine(self) -> str:
                return 'mine'

        self.assertEqual(Subtasks(Migrations(), Base).default(), 'mine')

    def test_an_override_without_a_mark_stays_it(self) -> None:
        class Migrations(Base):
            def status(self) -> str:
                return 'overridden'

        self.assertEqual(Subtasks(Migrations(), Base).default(), 'overridden')

    def test_a_mock_is_not_taken_for_it(self) -> None:
        class Migrations(Base):
            first = mock.MagicMock()

        self.assertEqual(Subtasks(Migrations(), Base).default(), 'status')


class CallTest(unittest.TestCase):
    def subtask(self, *args: str, **options: str) -> tuple[Any, ...]:
        return args, options

    def one(self, name: str, key: str = '') -> tuple[str, str]:
        return name, key

    def test_hands_over_values_and_options_and_what_comes_back(self) -> None:
        result = call(self.subtask, 'subtask', ['a', 'b'], {'key': 'c'})
        self.assertEqual(result, (('a', 'b'), {'key': 'c'}))

    def test_options_that_do_not_fit_are_an_error_before_it_starts(self) -> None:
        wrong: list[tuple[list[str], dict[str, str]]] = [
            ([], {}),
            (['a', 'b', 'c'], {}),
            (['a'], {'other': 'b'}),
            (['a'], {'name': 'b'}),
            (['a'], {'self': 'b'}),
        ]
        for values, options in wrong:
            with self.subTest(values=values, options=options):
                with self.assertRaises(WrongOptions) as caught:
                    call(self.one, 'one', values, options)
                self.assertEqual(caught.exception.subtask, 'one')
                text = str(caught.exception)
                self.assertTrue(text.startswith('one: '), text)
                self.assertTrue(
                    text.endswith('Type: fab migrations:one,NAME[,KEY]'), text
                )

    def test_an_option_that_stands_where_a_value_does_is_told(self) -> None:
        def execute(
            name: str = '', *, to: str = '', dry_run: str = 'no', odd: str = ''
        ) -> None:
            self.fail(f'called with {name}')

        for value, said in (
            ('--dry-run', '--dry-run is typed dry_run=yes here; nothing was done'),
            ('--dry_run', '--dry_run is typed dry_run=yes here'),
            ('--to', '--to is typed to=NAME here'),
            ('--odd', '--odd is typed odd=… here'),
            ('to', 'to is typed to=NAME here'),
        ):
            with self.subTest(value), self.assertRaises(WrongOptions) as caught:
                call(execute, 'execute', [value], {})
            self.assertIn(f'execute: {said}', str(caught.exception))

    def test_a_type_error_of_the_subtask_itself_is_not_taken_for_one(self) -> None:
        def breaks(name: str) -> None:
            raise TypeError('its own')

        with self.assertRaisesRegex(TypeError, 'its own'):
            call(breaks, 'breaks', ['a'], {})

    def test_an_option_that_is_typed_as_a_value_is_shown_as_each_face_has_it(
        self,
    ) -> None:
        def unlock(*, force: str | bool = 'no', own: bool = False) -> None: ...

        for name, by_fab, by_migopy in (
            ('force', 'force=yes', '--force'),
            ('own', 'own=yes', '--own'),
        ):
            with self.assertRaises(WrongOptions) as caught:
                call(unlock, 'unlock', [name], {})
            for spelling, option in (
                (FabSpelling(), by_fab),
                (CommandSpelling(), by_migopy),
            ):
                said = caught.exception.spelled(spelling)
                self.assertIn(f'unlock: {name} is typed {option} here; nothing', said)

    def test_it_names_the_command_as_it_is_typed(self) -> None:
        def show_status() -> None: ...

        with self.assertRaises(WrongOptions) as caught:
            call(show_status, 'show_status', ['x'], {})
        for spelling, expected in (
            (FabSpelling(), 'show_status'),
            (CommandSpelling(), 'status'),
            (FlagSpelling(['inv'], 'm', {}, 'show_status'), 'show-status'),
            (FlagSpelling(['inv'], 'm', {}, '', has_dashes=False), 'show_status'),
        ):
            with self.subTest(expected):
                said = caught.exception.spelled(spelling)
                self.assertTrue(said.startswith(f'{expected}: it takes no'), said)

    def test_usage_shows_all_kinds_of_options(self) -> None:
        def all_kinds(
            a: str, b: str = '', *more: str, c: str = '', **rest: str
        ) -> None: ...

        with self.assertRaises(WrongOptions) as caught:
            call(all_kinds, 'all', [], {})
        self.assertTrue(
            str(caught.exception).endswith(
                'Type: fab migrations:all,A[,B][,…][,c=…][,key=value…]'
            ),
            str(caught.exception),
        )


class ExplanationTest(unittest.TestCase):
    class Migrations(Base):
        def execute(self, name: str | None = None) -> str:
            return super().execute(name)

        def mytask(self) -> None:
            """Do what the README
            of 2014 says.

            And more.
            """

        def silent(self) -> None: ...

    def test_is_the_first_paragraph_in_one_line_and_the_rest(self) -> None:
        self.assertEqual(
            explanation(self.Migrations().mytask),
            ('Do what the README of 2014 says.', 'And more.'),
        )

    def test_of_an_override_is_that_of_what_it_overrides(self) -> None:
        self.assertEqual(explanation(self.Migrations().execute)[0], 'Run what is new.')

    def test_may_be_none(self) -> None:
        self.assertEqual(explanation(self.Migrations().silent), ('', ''))


class CommandLineTest(unittest.TestCase):
    def test_is_as_in_1_0(self) -> None:
        self.assertEqual(command_line('migrations', None, None), 'fab migrations')
        self.assertEqual(
            command_line('migrations', 'execute', None), 'fab migrations:execute'
        )
        self.assertEqual(
            command_line('migrations', 'execute', '001_x.py'),
            'fab migrations:execute,001_x.py',
        )

    def test_names_the_task(self) -> None:
        self.assertEqual(command_line('migr', 'help', None), 'fab migr:help')

    def test_leaves_plain_options_as_they_are(self) -> None:
        for option in ('db/001_x.py', 'key=value', 'a,b=c', '20%', 'a-b.c_d@e:f+g'):
            with self.subTest(option):
                self.assertEqual(
                    command_line('migrations', 'mytask', option),
                    f'fab migrations:mytask,{option}',
                )

    def test_an_empty_option_is_not_lost(self) -> None:
        """`fab migrations:execute,` must not become the command that executes all."""
        self.assertEqual(as_typed([''], {}), '')
        self.assertEqual(
            command_line('migrations', 'execute', ''), 'fab migrations:execute,'
        )


#: What a person may type as an option, all of which a shell or Fabric might take for
#: something else. (Fabric cannot take a backslash before a separator.)
NASTY = [
    'plain',
    'two words',
    ' ',
    "it's",
    'say "hi"',
    '$HOME',
    '$(id)',
    '`id`',
    ';id',
    'a&b',
    'a|b>c<d',
    '*',
    '?[a]{b}',
    '~',
    '!x',
    '#x',
    'a\\b',
    'a\nb',
    'a\tb',
    'é ✓',
    '-rf',
    'a,b',
    'a=b',
    'a=b=c,d',
    ',',
    '=',
    ',,==',
    'a:b',
    '%s',
    '',
]


class RoundTripTest(unittest.TestCase):
    """What a subtask gets, typed again on a remote machine, reaches it unchanged."""

    def parsed(self, command: str) -> tuple[list[str], dict[str, str]]:
        from fabric.main import parse_arguments

        words = shlex.split(command)
        self.assertEqual(words[0], 'fab')
        [(name, values, options, *_)] = parse_arguments(words[1:])
        self.assertEqual((name, values[0]), ('migrations', 'mytask'))
        return values[1:], options

    def assert_comes_back(self, values: list[str], options: dict[str, str]) -> None:
        option = as_typed(values, options)
        command = command_line('migrations', 'mytask', option)
        self.assertEqual(self.parsed(command), (values, options), command)

    def test_of_each_value_alone(self) -> None:
        for value in NASTY:
            with self.subTest(value):
                self.assert_comes_back([value], {})

    def test_of_each_value_by_a_key(self) -> None:
        for value in NASTY:
            with self.subTest(value):
                self.assert_comes_back([], {'key': value})

    def test_of_keys(self) -> None:
        for key in ('a b', 'a=b', 'a,b', "it's", 'é'):
            with self.subTest(key):
                self.assert_comes_back([], {key: 'value'})

    def test_of_all_together(self) -> None:
        self.assert_comes_back(NASTY, {'first': 'a,b', 'second': 'c=d', 'third': ''})

    def test_of_nothing(self) -> None:
        self.assertIsNone(as_typed([], {}))
        self.assert_comes_back([], {})


class PassingOnTest(unittest.TestCase):
    def test_an_override_that_passes_all_on_is_typed_as_what_it_overrides(self) -> None:
        class Overriding(Base):
            def execute(self, *args: Any, **kwargs: Any) -> None:
                super().execute(*args, **kwargs)

        usage = usage_of(Overriding().execute, 'execute')
        self.assertEqual(usage, usage_of(Base().execute, 'execute'))
