"""Many databases behind each face: what is typed, named next, and told in JSON."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from migopy.commands import escape
from tests import environments, schema
from tests.fleets import FABFILE, PICKY, FleetTest
from tests.project import FAB, Result

NAMESPACE = FABFILE.replace('migrations =', 'ns =').replace(
    'create_task', 'create_namespace'
)


#: Fails after it has written, but where all is well.
HALF = """
    def up(db):
        db.ran.insert_one({})
        if not db.settings.find_one({'well': True}):
            raise ValueError('no good')

    def down(db):
        db.ran.delete_many({})
"""

#: What the names of databases may have in them, more than anybody thinks of; `{a}` is
#: the name of the database that is well.
ODD = (
    'b\xa0{a}',
    'b\u2003{a}',
    'b\nDatabases:',
    'b\tc',
    'b\x1b[1m',
    'b\u202ec',
    "b'c",
    'b*',
    'b[!c]',
    'b,c=d',
    'b[U+0063]',
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
            [*values, *(f'{name}={escape(text)}' for name, text in options.items())]
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

    def test_those_that_were_left_out_stay_left_out(self) -> None:
        b = self.name('b')
        self.assert_ok(self.do('execute'))
        refused = self.do('rollback', '001', **{'except': b})
        self.assertIn('For all but these: ', refused.said)
        line = refused.said.split('For all but these: ')[1].splitlines()[0]
        self.assert_ok(self.fab(*shlex.split(line)[1:]))
        self.assertEqual([*map(self.names_in, 'abc')], [[], ['001_a.py'], []])

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
        self.assertIsNone(ended['database'])
        self.assertIn(self.uri.split('/')[2], ended['server'])

    def test_what_is_printed_is_for_one_database_whatever_it_is_called(self) -> None:
        a, _ = self.make_odd()
        failed = self.do('execute', workers='1')
        self.assertEqual(failed.status, 1, failed.said)
        # Of ten the ways out are told in full.
        lines = re.findall(r'^ +(.*rollback.*only.*?)  - run', failed.said, re.M)
        of_one = [each for each in lines if ' ' not in each.partition('only')[2][1:]]
        self.assertGreaterEqual(len(of_one), 10, failed.said)
        left = self.ran()
        for line in of_one:
            with self.subTest(line):
                self.assertTrue(line.isprintable())
                self.assert_ok(self.fab(*shlex.split(line)[1:]))
                before, left = left, self.ran()
                self.assertEqual(len(before - left), 1, before - left)
                self.assertIn(a, left)

    def test_what_json_has_next_is_for_one_database_too(self) -> None:
        _, odd = self.make_odd()
        lines = self.lines(self.do('execute', json='yes'))
        failed = [each for each in lines if each.get('outcome') == 'failed']
        self.assertEqual({each['database'] for each in failed}, {*odd})
        for each in failed:
            back = next(
                one for one in each['failed']['next'] if one['command'] == 'rollback'
            )
            with self.subTest(each['database']):
                before = self.ran()
                self.assert_ok(self.do('rollback', *back['values'], **back['options']))
                self.assertEqual(before - self.ran(), {each['database']})

    def make_odd(self) -> tuple[str, list[str]]:
        """Make a database that is well, and some with odd names; give all names."""
        # A name has 63 bytes at most, and one of them is to have another one in it.
        short = self.db.name[:20]
        self.write('fabfile.py', self.filled(self.fabfile).replace(self.db.name, short))
        self.migration('001_a.py', HALF)
        a = f'{short}_a'
        odd = [f'{short}_{each.format(a=a)}' for each in ODD]
        for name in (a, *odd):
            self.client[name].settings.insert_one({'well': name == a})
            self.addCleanup(self.client.drop_database, name)
        return a, odd

    def ran(self) -> set[str]:
        """Give the databases of `make_odd` in which something was written."""
        names = self.client.list_database_names()
        ours = [each for each in names if each.startswith(f'{self.db.name[:20]}_')]
        return {name for name in ours if self.client[name].ran.find_one()}

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
