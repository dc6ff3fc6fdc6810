"""What has changed within a document: its fields before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from migopy.differences.raw import ARRAY, DOCUMENT, Value, elements


class Change(NamedTuple):
    """A field before and after, `None` where it is not there.

    Invariant: the two are not the same. `path` has the names from the document down to
    the field, as bytes; an array's items are named by their numbers.
    """

    path: tuple[bytes, ...]
    before: Value | None
    after: Value | None


def changes(before: bytes | None, after: bytes | None) -> list[Change]:
    """List what has changed from one document to another, in the order of fields.

    Documents within documents are compared by field, arrays of equal length by item,
    other arrays as a whole. Nothing is listed if only the order of fields differs, or
    if a name stands twice. A document that does not exist has no fields.
    """
    old, new = _fields(before), _fields(after)
    if old is None or new is None:
        return []
    return list(_between((), old, new))


Fields = dict[bytes, Value]


def _fields(document: bytes | None) -> Fields | None:
    """Give the fields by name, `None` where a name stands there twice."""
    if document is None:
        return {}
    listed = list(elements(document))
    fields = dict(listed)
    return fields if len(fields) == len(listed) else None


def _between(
    path: tuple[bytes, ...], before: Fields, after: Fields
) -> Iterator[Change]:
    for name in {**before, **after}:
        yield from _of_field((*path, name), before.get(name), after.get(name))


def _of_field(
    path: tuple[bytes, ...], before: Value | None, after: Value | None
) -> Iterator[Change]:
    if before == after:
        return
    # If only the order of its fields differs, the value is shown as a whole.
    yield from _within(path, before, after) or [Change(path, before, after)]


def _within(
    path: tuple[bytes, ...], before: Value | None, after: Value | None
) -> list[Change]:
    """List what has changed within a value; nothing if it is compared as a whole."""
    if before is None or after is None or before.type != after.type:
        return []
    if before.type not in (DOCUMENT, ARRAY):
        return []
    old, new = _fields(before.data), _fields(after.data)
    if old is None or new is None:
        return []
    if before.type == ARRAY and len(old) != len(new):
        return []
    return list(_between(path, old, new))
