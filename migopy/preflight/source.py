"""One migration file, parsed: its calls, their loops, and comments that allow."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from migopy.files import Migration
from migopy.preflight.names import Names, dotted_name

#: The functions of each direction, of migopy's files and of other tools'.
DOWN = frozenset({'backward', 'down', 'downgrade', 'revert', 'rollback', 'unapply'})
UP = frozenset({'apply', 'forward', 'migrate', 'up', 'upgrade'})

#: The beginning of a comment that allows a finding on its line.
ALLOW = 'migopy: allow='


class Allowance(NamedTuple):
    """A comment `# migopy: allow=NAME reason`."""

    name: str
    reason: str


class Call(NamedTuple):
    """A call in a file.

    Invariant: `method` is the last part of the name that is called, `dotted` the whole
    name. `collection` is the name of the collection whose method it is, if that can be
    read. `loop` and `function` are the innermost ones around it, if any.
    """

    node: ast.Call
    method: str
    dotted: str
    collection: str | None
    loop: ast.For | ast.AsyncFor | ast.While | None
    function: ast.FunctionDef | ast.AsyncFunctionDef | None
    is_statement: bool

    @property
    def line(self) -> int:
        """Give the line with the name that is called."""
        function = self.node.func
        return function.end_lineno or self.node.lineno

    def keyword(self, name: str) -> ast.expr | None:
        """Give the value of a keyword argument, `None` where there is none."""
        for each in self.node.keywords:
            if each.arg == name:
                return each.value
        return None

    def argument(self, place: int, *names: str) -> ast.expr | None:
        """Give an argument by its place or one of its names."""
        if len(self.node.args) > place:
            return self.node.args[place]
        found = [self.keyword(name) for name in names]
        return next((each for each in found if each is not None), None)


class Source:
    """A migration file, parsed; nothing of it is run.

    Invariant: `calls` has no calls in functions of the other direction.
    """

    def __init__(self, migration: Migration, direction: str, content: bytes) -> None:
        """Take a file's content; raises `SyntaxError`, `ValueError`."""
        self.name = migration.name
        self.path = migration.path
        self.direction = direction
        self.tree = ast.parse(content)
        self.allowed = dict(_allowances(content))
        self._others = DOWN if direction == 'up' else UP
        reader = _Reader(self._others)
        reader.visit(self.tree)
        self.calls = reader.calls
        self.dictionaries = reader.dictionaries
        self.names = reader.names

    def functions(
        self, names: frozenset[str]
    ) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """List the functions and methods of these names."""
        kinds = ast.FunctionDef, ast.AsyncFunctionDef
        found = [each for each in ast.walk(self.tree) if isinstance(each, kinds)]
        return [each for each in found if each.name in names]

    def span(self, line: int) -> range:
        """Give the lines of the innermost statement that has a line."""
        spans = [
            range(each.lineno, (each.end_lineno or each.lineno) + 1)
            for each in ast.walk(self.tree)
            if isinstance(each, ast.stmt) and not hasattr(each, 'body')
        ]
        fitting = [each for each in spans if line in each]
        return min(fitting, key=len, default=range(line, line + 1))

    def allows(self, name: str, line: int) -> bool:
        """Tell whether a comment on a line, or on its statement, allows a finding."""
        comments = [self.allowed[at] for at in self.span(line) if at in self.allowed]
        return any(each.name == name and each.reason for each in comments)


def _allowances(content: bytes) -> Iterator[tuple[int, Allowance]]:
    """Find the comments that allow something, by line; no texts that look like one."""
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type != tokenize.COMMENT:
            continue
        _, found, said = token.string.partition(ALLOW)
        if found:
            name, _, reason = said.strip().partition(' ')
            yield token.start[0], Allowance(name.rstrip(':'), reason.strip())


class _Reader(ast.NodeVisitor):
    """Collects the calls of a file, and what names stand for.

    Invariant: each is collected once, in the order of the text.
    """

    def __init__(self, others: frozenset[str]) -> None:
        self.calls: list[Call] = []
        self.dictionaries: list[ast.Dict] = []
        self.names = Names()
        #: What the file has imported under another name.
        self._imported: dict[str, str] = {}
        self._others = others
        self._loops: list[ast.For | ast.AsyncFor | ast.While] = []
        self._functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._statement: ast.expr | None = None

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in self._others:
            return
        if node.name in UP | DOWN:
            self.names.have_parameters(node.args)
        loops, self._loops = self._loops, []
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()
        self._loops = loops

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - as ast calls it

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._looped(node)

    visit_AsyncFor = visit_For  # noqa: N815 - as ast calls it

    def visit_While(self, node: ast.While) -> None:
        self._looped(node)

    def _looped(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        self._loops.append(node)
        for each in [*node.body, *node.orelse]:
            self.visit(each)
        self._loops.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.names.give(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.names.give(node.target, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.names.give(node.target, node.value)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        renamed = {each.asname: each.name for each in node.names if each.asname}
        self._imported.update(renamed)

    visit_ImportFrom = visit_Import  # noqa: N815 - as ast calls it

    def visit_If(self, node: ast.If) -> None:
        if any(getattr(each, 'id', '') == '__name__' for each in ast.walk(node.test)):
            # This part runs only if the file is started as a script.
            return
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        self.dictionaries.append(node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value
        self._statement = value.value if isinstance(value, ast.Await) else value
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        method, dotted, collection = '', '', None
        if isinstance(node.func, ast.Attribute):
            method = node.func.attr
            dotted = self._own_name(dotted_name(node.func))
            collection = self.names.collection_of(node.func.value)
        elif isinstance(node.func, ast.Name):
            method = dotted = self._own_name(node.func.id)
        self.calls.append(
            Call(
                node,
                method,
                dotted,
                collection,
                self._loops[-1] if self._loops else None,
                self._functions[-1] if self._functions else None,
                node is self._statement,
            )
        )
        self.generic_visit(node)

    def _own_name(self, dotted: str) -> str:
        """Give a name as it is where it was imported from."""
        first, dot, rest = dotted.partition('.')
        return f'{self._imported.get(first, first)}{dot}{rest}'
