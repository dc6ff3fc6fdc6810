"""A file that is checked, and helpers for its checks."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from migopy.preflight.findings import FILE, Finding
from migopy.preflight.source import Call, Source

#: Methods of a collection that write: one document, any number, and those of PyMongo 2,
#: whose names dictionaries and lists have as well.
ONE = frozenset(
    """
    delete_one find_one_and_delete find_one_and_replace find_one_and_update replace_one
    update_one
    """.split()  # noqa: SIM905
)
WRITES = ONE | {'bulk_write', 'delete_many', 'insert_many', 'insert_one', 'update_many'}
OLD_WRITES = frozenset({'find_and_modify', 'insert', 'remove', 'save', 'update'})

#: Classes of the operations of a bulk.
OPERATIONS = frozenset(
    """
    DeleteMany DeleteOne InsertOne ReplaceOne UpdateMany UpdateOne
    """.split()  # noqa: SIM905
)


class CheckedFile(NamedTuple):
    """A file to be checked.

    Invariant: nothing of it is run. `size` gives the number of documents of a
    collection, `None` if it is not known; `is_tried` is whether a dry run has told
    what the file sends, `has_images` whether images are kept of what it changes.
    """

    source: Source
    in_transaction: bool
    size: Callable[[str | None], int | None]
    is_tried: bool
    has_images: bool = False

    def finding(
        self,
        name: str,
        severity: str,
        line: int,
        what: str,
        cost: str = '',
        instead: str = '',
        **figures: Any,
    ) -> Finding:
        """Make a finding: what is the case, what it costs, what to write instead."""
        named = self.source.name, self.source.path, line
        return Finding(name, severity, FILE, *named, what, cost, instead, figures)

    def writes(self, call: Call) -> bool:
        """Tell whether a call writes to a collection, as far as that can be read."""
        if call.method in OLD_WRITES:
            return call.collection is not None
        return call.method in WRITES


def is_empty(node: ast.expr | None) -> bool:
    """Tell whether an expression is `{}`."""
    return isinstance(node, ast.Dict) and not node.keys


def constant(node: ast.expr | None) -> Any:
    """Give the value of a constant; `...` for any other expression."""
    return node.value if isinstance(node, ast.Constant) else ...


def inside(call: Call) -> Iterator[ast.AST]:
    """Iterate over all that stands in the arguments of a call."""
    for each in [*call.node.args, *[each.value for each in call.node.keywords]]:
        yield from ast.walk(each)
