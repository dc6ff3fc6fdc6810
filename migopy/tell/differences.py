"""Documents that a step would insert, delete or change, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from migopy.differences import Change, Comparison, Difference, Value, changes
from migopy.tell.values import TYPES, cut, cut_both, identity, in_full, name
from migopy.texts import one_line

if TYPE_CHECKING:
    from migopy.tell.voice import Voice

#: How many fields of a document are shown.
FIELDS = 12

#: Stands for a field that is not there.
NOTHING = '(none)'


class Line(NamedTuple):
    """A line, and the method of a logger that says it."""

    method: str
    text: str


def tell(
    voice: Voice, comparisons: Sequence[Comparison], since: str, database: str
) -> None:
    """Say what was found, through a voice that only a person at a terminal hears."""
    for comparison in comparisons:
        for line in lines(comparison, database):
            getattr(voice, line.method)(line.text)
    if since and any(each.differences for each in comparisons):
        voice.white(f'  (compared with how it was before {since})')


def lines(comparison: Comparison, database: str) -> Iterator[Line]:
    """Set one collection's differences; `database` is the one not to be named."""
    collection = one_line(comparison.namespace.removeprefix(f'{database}.'))
    for difference in comparison.differences:
        sign, method = sign_of(difference)
        shown = identity(difference.id.decoded())
        yield Line(method, f'  {sign} {cut(collection)} _id {shown}')
        for text in fields(difference):
            yield Line('white', f'      {text}')
    if comparison.reason:
        yield Line('white', f'  {collection} cannot be compared: {comparison.reason}')
    elif comparison.is_bounded:
        found = f'{len(comparison.differences):,} of {comparison.wanted:,}'
        yield Line(
            'white',
            f'  compared {comparison.compared:,} documents of {collection}, then the'
            f' time was out: found {found}',
        )


def sign_of(difference: Difference) -> tuple[str, str]:
    """Give the sign before a document, and the method of a logger that says it."""
    if difference.before is None:
        return '+', 'green'
    if difference.after is None:
        return '-', 'red'
    return '~', 'white'


def fields(difference: Difference) -> Iterator[str]:
    """Iterate over the fields of a document that have changed, a line each."""
    found = changes(difference.before, difference.after)
    is_changed = difference.before is not None and difference.after is not None
    if is_changed and not found:
        yield '(its fields have another order)'
        return
    if not is_changed:
        found = [each for each in found if each.path != (b'_id',)]
    names = [cut('.'.join(map(name, each.path))) for each in found[:FIELDS]]
    width = max(map(len, names), default=0) + 1
    for label, change in zip(names, found):
        yield f'{f"{label}:":<{width}} {_change(change, is_changed)}'
    if len(found) > FIELDS:
        yield f'and {len(found) - FIELDS:,} more fields'


def _change(change: Change, is_changed: bool) -> str:
    before, after = _shown(change.before), _shown(change.after)
    if not is_changed:
        return cut(after if change.before is None else before)
    if before == after and change.before is not None and change.after is not None:
        return f'{_typed(before, change.before)} -> {_typed(after, change.after)}'
    before, after = cut_both(before, after)
    return f'{before} -> {after}'


def _shown(value: Value | None) -> str:
    return NOTHING if value is None else in_full(value.decoded())


def _typed(shown: str, value: Value) -> str:
    kind = TYPES.get(value.type, f'type {value.type}')
    return f'{cut(shown)} ({kind})'
