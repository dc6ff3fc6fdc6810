"""Tell the files of tools for SQL databases from migrations, without an import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from migopy.commands import Command, Where
from migopy.errors import MigopyException
from migopy.files.compiled import parsed

if TYPE_CHECKING:
    import ast

#: A file without one of these words need not be parsed.
WORDS = re.compile(
    rb'\b(?:alembic|django|south|down_revision|BaseDBAsyncClient|migrate_engine|migrator'
    rb'|yoyo)\b'
)

#: What migopy runs, and would run in a file of such a tool as well.
FUNCTIONS = ('upgrade', 'migrate')

#: Tools whose functions are told by their first parameter.
FIRST_PARAMETERS = {
    'migrate_engine': 'sqlalchemy-migrate',
    'migrator': 'peewee-migrate',
}


class OtherTool(NamedTuple):
    """A tool for other databases, and what in a file is only that tool's."""

    name: str
    sign: str


class OtherDatabase(MigopyException):
    """A file is of a tool for SQL databases.

    `name` is the file's, `tool` the tool's name.
    """

    def __init__(self, name: str, tool: OtherTool) -> None:
        self.name = name
        self.tool = tool.name
        # It is in use where it lies: it is not to be changed, renamed or marked.
        super().__init__(
            f'{name} is a file of {tool.name} ({tool.sign}), which is not for MongoDB,'
            ' so nothing was done.\nGive the migrations of MongoDB a folder of their'
            ' own: set MIGRATIONS_DIRECTORY ',
            Where(('MIGRATIONS_DIRECTORY',)),
            ', then type: ',
            Command(),
        )


def other_tool(content: bytes) -> OtherTool | None:
    """Give the tool that a file is for, `None` where it may be for MongoDB.

    A file that defines `up` is never one of these.
    """
    if not WORDS.search(content):
        return None
    tree = parsed(content)
    if tree is None:
        return None
    top = dict(_at_the_top(tree))
    if 'up' in top:
        return None
    imported = set(_imported(tree))
    return _of_a_class(top, imported) or _of_functions(top, imported)


def _of_a_class(top: dict[str, ast.AST], imported: set[str]) -> OtherTool | None:
    import ast

    migration = top.get('Migration')
    if not isinstance(migration, ast.ClassDef):
        return None
    # One that has it is run, on a MongoDB, as of mongodb-migrations.
    if any(getattr(each, 'name', '') == 'upgrade' for each in migration.body):
        return None
    for package, name in (('django.db', 'Django'), ('south', 'South')):
        if any(f'{each}.'.startswith(f'{package}.') for each in imported):
            return OtherTool(name, 'class Migration')
    return None


def _of_functions(top: dict[str, ast.AST], imported: set[str]) -> OtherTool | None:
    # A tool of one's own may number files as Alembic does, and hand in a database.
    is_given = bool(_parameters(top.get('upgrade'))) and 'alembic' not in imported
    if {'revision', 'down_revision', 'upgrade'} <= set(top) and not is_given:
        return OtherTool('Alembic', 'down_revision')
    # Its env.py, beside the folder of its migrations.
    if {'alembic', 'context'} <= imported:
        return OtherTool('Alembic', 'alembic.context')
    if 'upgrade' in top and 'BaseDBAsyncClient' in imported:
        return OtherTool('Aerich', 'BaseDBAsyncClient')
    for function in FUNCTIONS:
        first = next(iter(_parameters(top.get(function))), '')
        if first in FIRST_PARAMETERS:
            return OtherTool(FIRST_PARAMETERS[first], f'{function}({first})')
    if 'yoyo' in imported and not any(each in top for each in FUNCTIONS):
        return OtherTool('yoyo', 'import yoyo')
    return None


def _parameters(defined: ast.AST | None) -> list[str]:
    arguments = getattr(defined, 'args', None)
    return [each.arg for each in getattr(arguments, 'args', ())]


def _at_the_top(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Give what a file defines or sets at its top, by name."""
    import ast

    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node


def _imported(tree: ast.Module) -> Iterator[str]:
    """Give the modules that a file imports at its top, and the names out of them."""
    import ast

    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ''
            yield from (each.name for each in node.names)
