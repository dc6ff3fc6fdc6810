"""Many databases behind each face: what is typed, named next, and told in JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import environments, schema
from tests.fleets import FABFILE, PICKY, FleetTest
from tests.project import FAB, Result

NAMESPACE = FABFILE.replace('migrations =', 'ns =').replace(
    'create_task', 'create_namespace'
)


class FaceTest(FleetTest):
    """`fab` of Fabric 1; the other faces derive from it.

    Invariant: each test types the same, as its face has it typed.
    """

    #: How a face has a command typed: its name, values, and options.
    begin = 'fab migrations:'

    def setUp(self) -> None:
        super().setUp()
        self.migration('001_a.py', PICKY)

    def typed(self, command: str, *values: str, **options: str) -> list[str]:
        text = ','.join(
            [*values, *(f'{name}={text}' for name, text in options.items())]
        )
        return [f'migrations:{command}{"," if text else ""}{text}']

    def do(self, command: str, *values: str, **options: str) -> Result:
        return self.fab(*self.typed(command, *values, **options))

    def printed(self, command: str, *values: str, **options: str) -> str:
        """Give a command as it is printed."""
        return ' '.join(['fab', *self.typed(command, *values, **options)])

    def test_only_those_that_failed_are_done_again(self) -> None:
        self.spoil('b')
        failed = self.do('execute')
        self.assertEqual(failed.status, 1, failed.said)
        again = self.printed('execute', only='failed')
        self.assertIn('1 of 3 databases failed: b\n', self.shown(failed))
        self.assertIn(f'{again}\n', failed.stderr)
        self.mend('b')
        self.assert_ok(self.do('execute', only='failed'))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py']] * 3)

    def test_what_undoes_wants_to_know_where(self) -> None:
        self.assert_ok(self.do('execute'))
        refused = self.do('rollback', '001')
        one = self.printed('rollback', '001', only='NAME')
        every = self.printed('rollback', '001', all='yes')
        self.assert_error(refused, f'{one}\nFor all: {every}\n')
        self.assert_ok(self.do('rollback', '001', only=self.name('b')))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py'], [], ['001_a.py']])
        self.assert_ok(self.do('rollback', '001', all='yes'))
        again = self.do('rollback', '001', all='yes')
        # Nobody is led to run a down() of what is not applied, in any of them.
        self.assert_error(again, 'is not applied', 'all the same.\n')
        forced = self.printed('rollback', '001_a.py', force='yes', only='NAME')
        self.assertNotIn(forced, again.stderr)

    def test_all_but_one(self) -> None:
        self.assert_ok(self.do('execute', **{'except': self.name('b')}))
        self.assertEqual([*map(self.names_in, 'abc')], [['001_a.py'], [], ['001_a.py']])
        wrong = self.do('execute', **{'except': 'nix'})
        option = self.typed('x', **{'except': 'nix'})[-1:]
        self.assertIn(f'{" ".join(option)[-3:]} fits none of the databases', wrong.said)

    def test_documents_stand_below_the_line_of_their_database(self) -> None:
        shown = self.shown(self.assert_ok(self.do('execute', show='1')))
        for each in 'abc':
            self.assertRegex(
                shown, rf'\n{each}: 001_a\.py would do: ran 1 inserted\n  \+ ran _id '
            )
        self.assertEqual([*map(self.names_in, 'abc')], [[], [], []])

    def test_what_none_has_is_told_once(self) -> None:
        for command in ('verify', 'adopt'):
            shown = self.shown(self.do(command))
            self.assertIn('Databases: 3 with nothing to do', shown)
            self.assertLessEqual(shown.count('No '), 1, shown)

    def test_json_has_what_is_shown_of_each_as_data(self) -> None:
        self.spoil('b')
        lines = self.lines(self.do('execute', json='yes'))
        failed = next(each for each in lines if each.get('outcome') == 'failed')
        [again] = failed['failed']['next'][:1]
        self.assertEqual(again['options'], {'only': failed['database']})
        for command, field in (('list', 'list'), ('history', 'history')):
            lines = self.lines(self.do(command, json='yes'))
            names = {
                self.shortened(each['database']): [
                    entry['name'] for entry in each[field]
                ]
                for each in lines[:-1]
            }
            self.assertEqual(names, {each: ['001_a.py'] for each in 'abc'})

    def test_json_of_what_preflight_finds_in_each(self) -> None:
        *of_each, ended = self.lines(self.do('preflight', json='yes'))
        self.assertEqual([each['findings'] for each in of_each], [[]] * 3)
        self.assertEqual([each['migrations'] for each in of_each], [[]] * 3)
        for each in of_each:
            # A person reads these lines, too.
            self.assertLess([*each].index('database'), [*each].index('findings'))
        self.assertTrue(ended['ok'], ended)

    def lines(self, result: Result) -> list[dict[str, Any]]:
        """Read lines of JSON; fail unless they are as the page says."""
        return [schema.check(line) for line in result.stdout.splitlines()]


class CommandTest(FaceTest):
    """The command `migopy`."""

    program = FAB.with_name('migopy')

    def typed(self, command: str, *values: str, **options: str) -> list[str]:
        return [command, *values, *words(options)]

    def printed(self, command: str, *values: str, **options: str) -> str:
        return ' '.join(['migopy', *self.typed(command, *values, **options)])


class InvokeTest(FaceTest):
    """Fabric 3."""

    fabfile = NAMESPACE

    def setUp(self) -> None:
        self.program = self.fabric()
        super().setUp()

    def fabric(self) -> Path:
        return environments.fabric_3() / 'fab'

    def typed(self, command: str, *values: str, **options: str) -> list[str]:
        named = [word for value in values for word in ('--name', value)]
        return [f'migrations.{command}', *named, *words(options)]


def words(options: dict[str, str]) -> list[str]:
    """Give options as flags."""
    return [
        word
        for name, text in options.items()
        for word in ([f'--{name}'] if text == 'yes' else [f'--{name}', text])
    ]
