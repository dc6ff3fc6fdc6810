"""Tell of a file, without importing it, what it surely has not: a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migopy.files.compiled import parsed
from migopy.files.migration import Migration, names_one_of
from migopy.files.shapes import SHAPES

if TYPE_CHECKING:
    import ast

#: What nearly all files have; the others are parsed before they are imported.
USUAL = (b'def up(', b'def upgrade(', b'def migrate(')

#: What a file has one of that can be rolled back, whichever tool it was written for.
WAYS_BACK = ('down', 'downgrade', 'Migration', 'undo')

#: By one of these a file may give itself functions that do not stand in it.
DYNAMIC = ('globals', 'locals', 'vars', 'exec', 'setattr')


def is_script(migration: Migration, content: bytes) -> bool:
    """Tell whether a file does something when imported and surely has no function."""
    if any(each in content for each in USUAL) or not _calls_at_its_top(content):
        return False
    if names_one_of(content, *SHAPES, *DYNAMIC) or _reaches_for_itself(content):
        return False
    # One that replaces others has theirs.
    return not migration.archived()


def may_be_undone(migration: Migration) -> bool:
    """Tell whether a file may have a `down`, or say that images are to be kept.

    Raises `Unreadable`.
    """
    names = (*WAYS_BACK, *DYNAMIC)
    return migration.defines(*names) or _reaches_for_itself(migration.content())


def _calls_at_its_top(content: bytes) -> bool:
    """Tell whether a file's content calls anything outside of functions and classes.

    What cannot be parsed does not.
    """
    import ast

    tree = parsed(content)
    passive = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Raise)
    return any(
        isinstance(node, ast.Call)
        for statement in (tree.body if tree else ())
        if not isinstance(statement, passive)
        for node in ast.walk(statement)
    )


def _reaches_for_itself(content: bytes) -> bool:
    """Tell whether a file may set functions as attributes of its own module.

    It may do so by `sys.modules[__name__].up = run`, or by a helper that is told the
    name, as in `register(__name__, run)`.
    """
    import ast

    tree = parsed(content)
    return any(map(_may_set_own, ast.walk(tree) if tree else ()))


def _may_set_own(node: ast.AST) -> bool:
    import ast

    if isinstance(node, ast.Attribute):
        is_set = isinstance(node.ctx, ast.Store) and node.attr in SHAPES
        return is_set or node.attr == 'modules'
    if isinstance(node, ast.ImportFrom):
        return node.module == 'sys' and 'modules' in [each.name for each in node.names]
    # One whose result is kept, as a logger is, sets nothing.
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    given = [*node.value.args, *(each.value for each in node.value.keywords)]
    return any(getattr(each, 'id', '') == '__name__' for each in given)
