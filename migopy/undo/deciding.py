"""What a document is to be after an undo, by what it was, became, and is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from migopy.differences import Change, Difference, Value, changes
from migopy.undo.merging import NoSuchPlace, set_back

#: What is done where others have changed the same: nothing at all is restored, or those
#: documents are left as they are, or others' fields are, or nothing of others is left.
STOP, KEEP, THEIRS, OURS = 'stop', 'keep', 'theirs', 'ours'

#: What others have done.
DELETED = 'was deleted since'
MADE_AGAIN = 'was made again since'
CHANGED = 'was changed since'
REORDERED = 'was changed since, in the order of its fields'


class Conflict(NamedTuple):
    """A document that others have changed where the migration had changed it."""

    namespace: str
    id: Value
    what: str
    fields: Sequence[str] = ()


class Decision(NamedTuple):
    """What a document is to be: `wanted`, `None` where it is to be gone.

    `is_left` means that it stays as it is. `conflict` is what others have done, and to
    which fields, where that is in the way.
    """

    wanted: bytes | None
    is_left: bool = False
    conflict: tuple[str, Sequence[str]] | None = None


def decide(pair: Difference, current: bytes | None, wish: str) -> Decision:
    """Decide of a document by what it is now; pure.

    One that is as the migration has left it is to be what it was. Where others have
    changed other fields, only the migration's are. All else is a conflict, which `wish`
    decides.
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
    return _by_field(before, current, mine, theirs, wish)


def _by_field(
    before: bytes,
    current: bytes,
    mine: Sequence[Change],
    theirs: Sequence[Change],
    wish: str,
) -> Decision:
    clashing = [each for each in mine if _clashes(each, theirs)]
    if not clashing:
        return Decision(set_back(current, mine))
    conflict = CHANGED, [_name(each) for each in clashing]
    if wish == THEIRS:
        rest = [each for each in mine if each not in clashing]
        wanted = set_back(current, rest)
        return Decision(wanted, wanted == current, conflict)
    if wish == OURS:
        try:
            return Decision(set_back(current, mine), conflict=conflict)
        except NoSuchPlace:
            return Decision(before, conflict=conflict)
    return Decision(current, is_left=True, conflict=conflict)


def _clashes(mine: Change, theirs: Sequence[Change]) -> bool:
    """Tell whether others have changed a field, one that it is in, or one in it.

    Where they have made of it what it was there is nothing to decide.
    """
    for each in theirs:
        length = min(len(mine.path), len(each.path))
        if mine.path[:length] == each.path[:length]:
            return each.path != mine.path or each.after != mine.before
    return False


def _by_wish(
    wanted: bytes | None, conflict: tuple[str, Sequence[str]], wish: str
) -> Decision:
    if wish == OURS:
        return Decision(wanted, conflict=conflict)
    return Decision(None, is_left=True, conflict=conflict)


def _name(change: Change) -> str:
    return b'.'.join(change.path).decode(errors='replace')
