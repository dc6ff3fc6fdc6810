"""Which collection a name or an expression in a file stands for."""

from __future__ import annotations

import ast

#: Names that a database usually has in migration files, and methods that give a copy of
#: a collection.
DATABASES = frozenset({'database', 'db', 'mongo_db', 'mydb'})
COPYING = frozenset({'with_options'})

#: Calls on a database that give a collection.
GIVING = frozenset({'create_collection', 'get_collection'})


class Names:
    """The collections and texts that the names of a file stand for.

    Invariant: a name stands for a collection only if each assignment in the file gives
    it that one. What cannot be read is not guessed.
    """

    def __init__(self) -> None:
        self._collections: dict[str, str | None] = {}
        self._texts: dict[str, str | None] = {}
        self._databases = set(DATABASES)

    def have_parameters(self, arguments: ast.arguments) -> None:
        """Take the first parameter of an `up` or a `down` for the database."""
        first = next((each.arg for each in arguments.args if each.arg != 'self'), None)
        if first is not None:
            self._databases.add(first)

    def give(self, target: ast.expr, value: ast.expr) -> None:
        """Hear that a name is given a value."""
        name = dotted_name(target)
        if not name:
            return
        text = value.value if isinstance(value, ast.Constant) else None
        for known, found in (
            (self._collections, self.collection_of(value)),
            (self._texts, text if isinstance(text, str) else None),
        ):
            known[name] = found if known.get(name, found) == found else None

    def collection_of(self, node: ast.expr) -> str | None:
        """Give the name of the collection that an expression stands for, if any."""
        if dotted_name(node) in self._collections:
            return self._collections[dotted_name(node)]
        if isinstance(node, ast.Attribute):
            return self._within(node.value, node.attr)
        if isinstance(node, ast.Subscript):
            return self._within(node.value, self._text(node.slice))
        if isinstance(node, ast.NamedExpr):
            return self.collection_of(node.value)
        if isinstance(node, ast.Call) and dotted_name(node.func) == 'getattr':
            named = node.args[1] if len(node.args) == 2 else None
            text = None if named is None else self._text(named)
            return self._within(node.args[0], text) if text else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in GIVING and node.args:
                return self._within(node.func.value, self._text(node.args[0]))
            if node.func.attr in COPYING:
                return self.collection_of(node.func.value)
        return None

    def is_database(self, node: ast.expr) -> bool:
        """Tell whether an expression is the database: `db`, or `self.db`."""
        return dotted_name(node).rpartition('.')[2] in self._databases

    def _within(self, node: ast.expr, name: str | None) -> str | None:
        if name is None or self.is_database(node):
            return name
        parent = self.collection_of(node)
        return None if parent is None else f'{parent}.{name}'

    def _text(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        name = dotted_name(node)
        # An attribute of a class is `self.NAME` in its methods.
        return self._texts.get(name) or self._texts.get(name.partition('.')[2])


def dotted_name(node: ast.expr) -> str:
    """Write a name as it stands in the file, `a.b.c`; `''` for what is no name.

    An attribute of an expression, such as of a call, is `().name`.
    """
    if isinstance(node, ast.Attribute):
        return f'{dotted_name(node.value) or "()"}.{node.attr}'
    return node.id if isinstance(node, ast.Name) else ''
