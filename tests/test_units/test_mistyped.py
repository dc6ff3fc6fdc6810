"""What is typed wrongly, told in the form of the face that it was typed for."""

from __future__ import annotations

import ast
import inspect
import unittest
from collections.abc import Iterator
from pathlib import Path

import migopy
from migopy import MigrationsManager
from migopy.commands import PLACEHOLDERS
from migopy.face.flags import flags_of
from migopy.face.mistyped import mistake_in, unknown_in
from migopy.face.project import subtasks_of
from migopy.face.spelling import FlagSpelling
from migopy.face.subtasks import usage_of
from migopy.face.which_fabric import way_to_fabric_1

HOUSE = Path(inspect.getfile(migopy)).parent


class Migrations(MigrationsManager):
    """Has many databases, so commands have all options that there are."""

    MONGO_DATABASES = 'tenant_*'


SUBTASKS = subtasks_of(Migrations, MigrationsManager)
FLAGS = {
    each.__name__: flags_of(usage_of(each, each.__name__).parameters)
    for each in SUBTASKS
}


class InvokeTest(unittest.TestCase):
    def said(self, line: str) -> str | None:
        of_fabric = {'--help', '-H', '--hosts'}
        error = mistake_in(line.split(), 'migrations', FLAGS, 'show_status', of_fabric)
        spelling = FlagSpelling(['fab'], 'migrations', FLAGS, 'show_status')
        return error and error.spelled(spelling)

    def test_what_is_right_is_passed(self) -> None:
        for line in (
            '',
            'deploy x',
            'migrations',
            'migrations --only tenant_a',
            'migrations.execute',
            'migrations.execute --to 004 --dry-run',
            'migrations.execute --to=004 deploy --anything',
            'migrations.execute --except tenant_a --all',
            'migrations.execute -H www1 --anything',
            'migrations.execute --help',
            'migrations.accept 001 deploy',
            'migrations.rename 001 002',
            'migrations.create add_note deploy',
            'migrations.own anything',
            'migrations.create --title add_note',
            'migrations.speed -H www1',
            'migrations.help --command execute',
            'other.execute --anything',
        ):
            with self.subTest(line):
                self.assertIsNone(self.said(line))

    def test_what_is_typed_as_two_flags_is_shown_once(self) -> None:
        said = self.said('migrations.rollback --no-und') or ''
        self.assertIn('(did you mean --no-undo?)', said)
        self.assertEqual(said.count('[--undo] [--no-undo]'), 1, said)

    def test_what_is_wrong_is_told_with_the_right_form(self) -> None:
        for line, begin, *more in (
            (
                'migrations.execute 001',
                'execute: 001 is typed --name 001 here; nothing was done.',
                '\nType: fab migrations.execute [--name NAME]',
            ),
            (
                'migrations.execute --dryrun',
                'execute: there is no --dryrun (did you mean --dry-run?); nothing',
            ),
            (
                'migrations.execute --dry_run',
                'execute: there is no --dry_run (did you mean --dry-run?); nothing',
            ),
            (
                'migrations.rename 1 2 --exept x',
                'rename: there is no --exept (did you mean --except?); nothing',
            ),
            (
                'migrations.speed --worker',
                'speed: it needs NUMBER; nothing was done.',
                '\nType: fab migrations.speed NUMBER',
            ),
            ('migrations.rename 001', 'rename: it needs '),
            ('migrations.accept', 'accept: it needs '),
            ('migrations.accept 001 002', 'accept: 002 is too much here; nothing'),
            (
                'migrations.squash 003',
                'squash: 003 is too much here; nothing was done.',
                '\nType: fab migrations.squash',
            ),
            ('migrations.check 003', 'check: 003 is too much here; nothing was done.'),
        ):
            with self.subTest(line):
                said = self.said(line) or ''
                self.assertTrue(said.startswith(begin), said)
                for each in more:
                    self.assertIn(each, said)

    def test_a_command_that_is_none_is_found(self) -> None:
        for line, expected in (
            ('', None),
            ('migrations', None),
            ('migrations.execute', None),
            ('migrations.show-status', None),
            ('migrations:execute', None),
            ('other.exeucte', None),
            ('migrations.exeucte --to 4', 'exeucte'),
            ('migrations.count-all', 'count_all'),
            ('the-db.migrations.exeucte', 'exeucte'),
            ('the-db.migrations.execute', None),
            ('the-migrations.exeucte', None),
        ):
            with self.subTest(line):
                found = unknown_in(line.split(), 'migrations', FLAGS)
                self.assertEqual(found, expected)


class FabricTest(unittest.TestCase):
    def test_fabric_1_is_never_to_be_laid_over_another(self) -> None:
        """`pip install` of it would break the command `fab` that is there."""
        self.assertIn('pip install fab-classic', way_to_fabric_1([]))
        self.assertNotIn('pip', way_to_fabric_1(['fabric 3.2.3']))
        self.assertIn('--force-reinstall', way_to_fabric_1(['fab-classic 1.21.0']))
        both = way_to_fabric_1(['fab-classic 1.21.0', 'fabric 3.2.3'])
        self.assertIn('installed over each other', both)


class SentencesTest(unittest.TestCase):
    """An option that a sentence names is data, which each face spells."""

    #: Rooms in which a text is of one face, or of none.
    APART = ('commands.py', 'face', 'pymongo3', 'standin', 'server', 'dumps')

    def test_no_text_spells_an_option_for_one_face(self) -> None:
        names = {name.rstrip('_') for name in PLACEHOLDERS} | {'field', 'time'}
        found = [
            f'{path.relative_to(HOUSE)}:{line}: {text}'
            for path in HOUSE.rglob('*.py')
            if path.relative_to(HOUSE).parts[0] not in self.APART
            and path.name != 'problems.py'  # which writes GitHub's `file=`
            for line, text in texts_in(ast.parse(path.read_text()))
            for word in text.split()
            if '=' in word and word.partition('=')[0] in names
        ]
        self.assertEqual(found, [])


def texts_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give the texts of a room but its docstrings, `to` for what is filled in."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [
                str(each.value) if isinstance(each, ast.Constant) else 'to'
                for each in node.values
            ]
            yield node.lineno, ''.join(parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.lineno, node.value


if __name__ == '__main__':
    unittest.main()
