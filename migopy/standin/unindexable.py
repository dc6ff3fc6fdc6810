"""Documents that an index cannot take: two arrays in one, no geometry, no language."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from pymongo.errors import OperationFailure

from migopy.standin.checks import COUNTED, NAMED, Found, looked_through
from migopy.standin.documents import RAW
from migopy.standin.world import Document, World, probing, scratch

#: The radius, in radians, of a circle that has all of the earth in it.
ALL_OF_THE_EARTH = 3.2

#: Languages of a text index.
LANGUAGES = tuple(
    """
    da danish de german en english es spanish fi finnish fr french hu hungarian it
    italian nb norwegian nl dutch pt portuguese ro romanian ru russian sv swedish tr
    turkish none
    """.split()  # noqa: SIM905
)

#: What stands in the way: two arrays, no geometry, or a language that is not known.
ARRAYS, GEO, TEXT = 'arrays', 'geo', 'text'


class Refused(NamedTuple):
    """Why an index cannot be made: a word for it, the documents, the server's error."""

    obstacle: str
    found: Found
    error: OperationFailure


def unindexable(world: World, namespace: str, index: Document) -> Refused | None:
    """Find the documents that an index cannot take.

    `None` where there are none, or where that cannot be found out. The server has
    judged the first of those that are named.
    """
    for obstacle, query in _queries(index):
        stages: list[Document] = [{'$match': query}]
        if index.get('partialFilterExpression'):
            stages.insert(0, {'$match': index['partialFilterExpression']})
        stages += [{'$project': {'_id': 1}}, {'$limit': COUNTED}]
        rows, _ = looked_through(world, namespace, stages, None)
        keys = [row['_id'] for row in rows]
        for key in keys[:NAMED]:
            error = _refusal(world, namespace, index, key)
            if error is not None:
                named = [(each, None) for each in keys[:NAMED]]
                return Refused(obstacle, Found(len(keys), named), error)
    return None


def _queries(index: Document) -> Iterator[tuple[str, Document]]:
    """Write the filters of the documents that an index may not take."""
    keys = index['key']
    plain = [key for key, way in keys.items() if way not in ('text', '2d')]
    for one, other in combinations(plain, 2):
        yield ARRAYS, _parallel(one, other)
    for key, way in keys.items():
        if way == 'hashed':
            yield ARRAYS, _array_at(key, [])
        elif way == '2dsphere':
            yield GEO, _no_geometry(key)
        elif way == '2d':
            yield GEO, _outside(key, index.get('min', -180), index.get('max', 180))
    if 'text' in keys.values() or '_fts' in keys:
        for key in plain:
            yield ARRAYS, _array_at(key, [])
        language = index.get('language_override', 'language')
        names = [name.title() for name in LANGUAGES]
        upper = [name.upper() for name in LANGUAGES]
        known = {'$nin': [*LANGUAGES, *names, *upper]}
        yield TEXT, {language: {'$exists': True, **known}}


def _parallel(one: str, other: str) -> Document:
    """Write the filter of documents that have arrays in two fields of an index."""
    shared = [each for each in _prefixes(one) if each in _prefixes(other)]
    outside = [{each: {'$not': {'$type': 'array'}}} for each in shared]
    return {'$and': [*outside, _array_at(one, shared), _array_at(other, shared)]}


def _array_at(path: str, without: list[str]) -> Document:
    parts = [each for each in _prefixes(path) if each not in without]
    return {'$or': [{each: {'$type': 'array'}} for each in parts] or [{'_id': []}]}


def _prefixes(path: str) -> list[str]:
    parts = path.split('.')
    return ['.'.join(parts[: n + 1]) for n in range(len(parts))]


def _no_geometry(path: str) -> Document:
    whole = {'$geoWithin': {'$centerSphere': [[0, 0], ALL_OF_THE_EARTH]}}
    nothing = {'$nin': [None, []], '$exists': True}
    several = {f'{path}.0': {'$type': ['array', 'object']}}
    return {'$and': [{path: nothing}, {'$or': [{'$nor': [{path: whole}]}, several]}]}


def _outside(path: str, least: float, most: float) -> Document:
    """Write the filter of what is no pair of coordinates, or one that is too far."""
    place = {'$type': ['array', 'object'], '$nin': [[], {}]}
    inside = {'$geoWithin': {'$box': [[least, least], [most, most]]}}
    no_pair = [{'$nor': [{path: inside}]}, {f'{path}.type': {'$type': 'string'}}]
    return {path: place, '$or': no_pair}


def _refusal(
    world: World, namespace: str, index: Document, key: Any
) -> OperationFailure | None:
    """Have the server put one document into such an index of an empty collection."""
    session = world.session if namespace in world.written else world.outside
    collection = world.collection(namespace).with_options(RAW)
    document = collection.find_one({'_id': key}, session=session)
    if document is None:
        return None
    database, name = collection.database, scratch()
    definition = {key: index[key] for key in index if key != 'v'}
    try:
        with probing(world.client) as session:
            made = {'createIndexes': name, 'indexes': [definition]}
            database.command({'create': name}, session=session)
            database.command(made, session=session)
            database[name].insert_one(document, session=session)
    except OperationFailure as error:
        return error
    return None
