"""What a document is to be after an undo, by what it was, became, and is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from migopy.differences import (
    ARRAY,
    DOCUMENT,
    Change,
    Difference,
    Value,
    changes,
    elements,
)
from migopy.undo.conflicts import (
    CHANGED,
    DELETED,
    MADE_AGAIN,
    OURS,
    REORDERED,
    THEIRS,
    Met,
)
from migopy.undo.field_merging import NoSuchPlace, set_back

#: The names from a document down to a field.
Path = tuple[bytes, ...]


class Decision(NamedTuple):
    """What a document is to become: `wanted`, or `None` if it is to be deleted.

    With `is_left` it stays as it is. `conflict` is what others have done that is in the
    way, and to which fields.
    """

    wanted: bytes | None
    is_left: bool = False
    conflict: Met | None = None


def decide(pair: Difference, current: bytes | None, wish: str) -> Decision:
    """Decide what a document is to become, by what it is now; pure.

    If it is as the migration has left it, it becomes what it was. If others have
    changed other fields, only the migration's fields are set back. All else is a
    conflict, which `wish` decides.
    """
    before, after = pair
    if current == before:
        return Decision(current, is_left=True)
    if current == after:
        return Decision(before)
    if current is None:
        return _by_wish(before, (DELETED, ()), wish)
    if after is None:
        return _by_wish(before, (MADE_AGAIN, ()), wish)
    theirs = changes(after, current)
    if before is None:
        return _by_wish(None, (CHANGED, [_name(each) for each in theirs]), wish)
    mine = changes(before, after)
    if not mine or not theirs:
        return _by_wish(before, (REORDERED, ()), wish)
    return _by_field(pair, current, mine, theirs, wish)


def _by_field(
    pair: Difference,
    current: bytes,
    mine: Sequence[Change],
    theirs: Sequence[Change],
    wish: str,
) -> Decision:
    before, after = pair
    assert before is not None and after is not None  # noqa: S101
    clashing = [
        each for each in mine if _clashes(each, theirs, _field_of(each.path, after))
    ]
    if not clashing:
        return Decision(set_back(current, mine))
    conflict = CHANGED, [_name(each) for each in clashing]
    if wish == THEIRS:
        rest = [each for each in mine if each not in clashing]
        wanted = set_back(current, rest)
        return Decision(wanted, wanted == current, conflict)
    if wish == OURS:
        try:
            whole = [
                _whole(each, before, after) if each in clashing else each
                for each in mine
            ]
            return Decision(set_back(current, whole), conflict=conflict)
        except NoSuchPlace:
            return Decision(before, conflict=conflict)
    return Decision(current, is_left=True, conflict=conflict)


def _clashes(mine: Change, theirs: Sequence[Change], field: Path) -> bool:
    """Tell whether others have changed a field, one that it is in, or one in it.

    `field` is that of the change, or the array that it is in. If others have set it
    back to what it was, there is nothing to decide.
    """
    for each in theirs:
        length = min(len(field), len(each.path))
        is_there = field[:length] == each.path[:length]
        if is_there and (each.path != mine.path or each.after != mine.before):
            return True
    return False


def _field_of(path: Path, document: bytes) -> Path:
    """Give the path of a field, or that of the outermost array that it is in.

    An item's number does not identify it, as others may have removed items.
    """
    for length in range(1, len(path)):
        found = _value_at(path[:length], document)
        if found is not None and found.type == ARRAY:
            return path[:length]
    return path


def _whole(change: Change, before: bytes, after: bytes) -> Change:
    """Widen the change of an array's item to one of the whole array."""
    path = _field_of(change.path, after)
    if path == change.path:
        return change
    return Change(path, _value_at(path, before), _value_at(path, after))


def _value_at(path: Path, document: bytes) -> Value | None:
    value: Value | None = Value(DOCUMENT, document)
    for name in path:
        if value is None or value.type not in (DOCUMENT, ARRAY):
            return None
        value = dict(elements(value.data)).get(name)
    return value


def _by_wish(wanted: bytes | None, conflict: Met, wish: str) -> Decision:
    if wish == OURS:
        return Decision(wanted, conflict=conflict)
    return Decision(None, is_left=True, conflict=conflict)


def _name(change: Change) -> str:
    return b'.'.join(change.path).decode(errors='replace')
