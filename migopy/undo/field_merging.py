"""Set fields back in a document that others have changed in other places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union

from migopy.differences import (
    ARRAY,
    DOCUMENT,
    Change,
    Value,
    document_with,
    elements,
)

#: What to set back in a document, by name: a value, `None` for a field that was not
#: there, or the same for a document in it.
Tree = Mapping[bytes, Union[Value, 'Tree', None]]


class NoSuchPlace(Exception):
    """A field cannot be set back, as what it was in is no document any more."""


def set_back(document: bytes, changes: Iterable[Change]) -> bytes:
    """Give a document with the changed fields as they were before.

    Fields that are there keep their place, others come last. Raises `NoSuchPlace`.
    """
    tree: dict[bytes, object] = {}
    for change in changes:
        *parents, name = change.path
        node = tree
        for each in parents:
            node = node.setdefault(each, {})  # type: ignore[assignment]
        node[name] = change.before
    return _set_back(document, tree)  # type: ignore[arg-type]


def _set_back(document: bytes, tree: Tree) -> bytes:
    fields: list[tuple[bytes, Value]] = []
    left = dict(tree)
    for name, value in elements(document):
        if name not in left:
            fields.append((name, value))
            continue
        wanted = left.pop(name)
        if isinstance(wanted, Value):
            fields.append((name, wanted))
        elif wanted is not None:
            if value.type not in (DOCUMENT, ARRAY):
                raise NoSuchPlace
            data = _set_back(value.data, wanted)
            fields.append((name, Value(value.type, data)))
    for name, wanted in left.items():
        if isinstance(wanted, Value):
            fields.append((name, wanted))
        elif wanted is not None:
            raise NoSuchPlace
    return document_with(fields)
