"""What stands in the way of a unique index or of a validator, on the real documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError

from migopy.server import reason_of
from migopy.standin.world import Document, World

#: Documents that are looked through within the transaction, where no time can be set:
#: an error would end it. Outside of it so many milliseconds are set.
MOST = 1_000_000
TIME_MS = 10_000

#: Values that are counted, and those that are named.
COUNTED = 1000
NAMED = 3


class Found(NamedTuple):
    """What stands in the way.

    Invariant: `number` is `COUNTED` where there may be more; `values` are the first,
    with the number of documents that have each, or `None` where it is their `_id`.
    `unknown` says why it is not known.
    """

    number: int = 0
    values: Sequence[tuple[Any, int | None]] = ()
    unknown: str = ''

    @property
    def amount(self) -> str:
        """Give the number, as far as it was counted."""
        more = ' or more' if self.number >= COUNTED else ''
        return f'{self.number:,}{more}'


def duplicates(world: World, namespace: str, index: Document) -> Found:
    """Find the values that a unique index would meet twice."""
    keys = list(index['key'])
    if any(not isinstance(way, (int, float)) for way in index['key'].values()):
        return Found()
    around = _around(keys)
    places = [part for key in keys for part in key.split('.') if part.isdigit()]
    if places or not set(around).isdisjoint(keys):
        return Found(unknown='a key is a place in an array, or within another key')
    stages: list[Document] = []
    if index.get('partialFilterExpression'):
        stages.append({'$match': index['partialFilterExpression']})
    for each in around:
        one_by_one = {'path': f'${each}', 'preserveNullAndEmptyArrays': True}
        stages.append({'$unwind': one_by_one})
    if index.get('sparse'):
        stages.append({'$match': {'$or': [{key: {'$exists': True}} for key in keys]}})
    parts = {f'k{place}': f'${key}' for place, key in enumerate(keys)}
    stages.append({'$project': {k: _entries(v) for k, v in parts.items()}})
    stages += [{'$unwind': f'${part}'} for part in parts]
    entry = {part: f'${part}' for part in parts}
    if around:
        # A document may have the same entry several times.
        stages.append({'$group': {'_id': {'of': '$_id', 'k': entry}}})
        entry = {part: f'$_id.k.{part}' for part in parts}
    stages += [
        {'$group': {'_id': entry, 'n': {'$sum': 1}}},
        {'$match': {'n': {'$gt': 1}}},
        {'$limit': COUNTED},
    ]
    rows, unknown = looked_through(world, namespace, stages, index.get('collation'))
    values = [(_value(row['_id']), row['n']) for row in rows]
    values.sort(key=lambda pair: -pair[1])
    return Found(len(rows), values[:NAMED], unknown)


def misfits(world: World, namespace: str, validator: Mapping[str, Any]) -> Found:
    """Find the documents that a validator would reject."""
    stages: list[Document] = [
        {'$match': {'$nor': [validator]}},
        {'$project': {'_id': 1}},
        {'$limit': COUNTED},
    ]
    rows, unknown = looked_through(world, namespace, stages, None)
    return Found(len(rows), [(row['_id'], None) for row in rows[:NAMED]], unknown)


def broken_since(world: World) -> list[str]:
    """Say which constraints that nobody enforces were broken by later writes."""
    said = []
    for constraint in world.constraints.to_be_checked():
        if constraint.index is not None:
            found = duplicates(world, constraint.namespace, constraint.index)
        else:
            found = misfits(world, constraint.namespace, constraint.validator or {})
        if found.number > constraint.broken:
            more = found.number - constraint.broken
            text = 'would refuse what is written later'
            said.append(f'{constraint.name} {text} ({more:,})')
        elif found.unknown:
            said.append(f'{constraint.name} may refuse what is written later')
    return said


def _around(keys: Sequence[str]) -> list[str]:
    """List the fields around those of an index, outer ones first.

    If one is an array, each of its items has an entry of its own in the index.
    """
    parts = [key.split('.') for key in keys]
    found = {tuple(each[:n]) for each in parts for n in range(1, len(each))}
    return ['.'.join(each) for each in sorted(found)]


def _entries(path: str) -> Document:
    """Write the expression for what an index has of a field: an array's items, once.

    What is not there is null, and so is no array's only item an empty one.
    """
    items = {'$cond': [{'$eq': [path, []]}, [[]], {'$setUnion': [path, []]}]}
    one = [{'$ifNull': [path, None]}]
    return {'$cond': [{'$isArray': path}, items, one]}


def _value(entry: Mapping[str, Any]) -> Any:
    values = list(entry.values())
    return values[0] if len(values) == 1 else values


def looked_through(
    world: World, namespace: str, stages: list[Document], collation: Any
) -> tuple[list[Document], str]:
    """Run a pipeline on what the dry run sees; give the rows, or why there are none."""
    collection = world.collection(namespace)
    # Whether an index is in use is to be seen without what migopy looks for.
    options: Document = {'allowDiskUse': True, 'hint': {'$natural': 1}}
    if collation is not None:
        options['collation'] = collation
    is_written = namespace in world.written
    if is_written and world.estimate(namespace) > MOST:
        return [], f'more than {MOST:,} documents are too many in a transaction'
    try:
        if is_written:
            # A stage that the server refuses would end the dry run's transaction.
            list(collection.aggregate([{'$limit': 1}, *stages], session=world.outside))
            return list(
                collection.aggregate(stages, session=world.session, **options)
            ), ''
        options['maxTimeMS'] = TIME_MS
        return list(collection.aggregate(stages, session=world.outside, **options)), ''
    except PyMongoError as error:
        return [], reason_of(error)
