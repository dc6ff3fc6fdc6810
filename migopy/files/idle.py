"""Find loops of Python 2 that do nothing in Python 3: `map(db.notes.insert, notes)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from migopy.commands import Again
from migopy.errors import MigopyException
from migopy.files.compiled import parsed

if TYPE_CHECKING:
    import ast

#: What gives an iterator since Python 3, which calls nothing until it is iterated over.
LOOPS = ('map', 'filter')

#: The functions that are not called by a direction.
NOT_CALLED = {'up': ('down', 'downgrade'), 'down': ('up', 'upgrade', 'migrate')}


class IdleLoop(NamedTuple):
    """A loop whose items nobody takes; `function` is the one that it stands in."""

    loop: str
    line: int
    function: str = ''


class DoesNothing(MigopyException):
    """A migration has a loop that does nothing; `name` is the migration's.

    Nothing has been run. `line` is where the loop stands, `reason` what is wrong.
    """

    def __init__(self, name: str, found: IdleLoop) -> None:
        self.name = name
        self.line = found.line
        self.reason = f'{found.loop}(…) alone does nothing in Python 3'
        super().__init__(
            f'{name}, line {found.line}: {self.reason}, so nothing was run.\n'
            'Write a for loop in its place, then type',
            Again(),
        )


def require_none_idle(name: str, direction: str, loops: Sequence[IdleLoop]) -> None:
    """Make sure that a direction meets no idle loop; raises `DoesNothing`."""
    for each in loops:
        if each.function not in NOT_CALLED.get(direction, ()):
            raise DoesNothing(name, each)


def idle_loops(content: bytes) -> Sequence[IdleLoop]:
    """Find the idle loops in a file's content."""
    # Few files have the words, and only those are worth parsing.
    if not any(f'{each}('.encode() in content for each in LOOPS):
        return ()
    return tuple(_found(content))


def _found(content: bytes) -> Iterator[IdleLoop]:
    import ast

    tree = parsed(content)
    if tree is None:
        return
    own = _own_names(tree)
    left: list[tuple[ast.AST, str]] = [(tree, '')]
    while left:
        node, function = left.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = function or node.name
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            loop = getattr(node.value.func, 'id', '')
            if loop in LOOPS and loop not in own and '*' not in own:
                yield IdleLoop(loop, node.lineno, function)
        left += [(each, function) for each in ast.iter_child_nodes(node)]


def _own_names(tree: ast.AST) -> set[str]:
    """Give the names that a file defines, imports, or has as parameters."""
    import ast

    found = set()
    for node in ast.walk(tree):
        found |= {getattr(node, each, '') or '' for each in ('name', 'asname', 'arg')}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
