"""The dropped `group` and `map_reduce`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from migopy.pymongo3.sending import Document, without_none, write_command


def group(
    collection: Collection[Any],
    key: Any,
    condition: Mapping[str, Any],
    initial: Mapping[str, Any],
    reduce: str,
    finalize: str | None = None,
    **options: Any,
) -> list[Any]:
    """Group documents as the server's lost `group` command did, by aggregation.

    `key` is a list of fields (none: all is one group) or a JavaScript function from a
    document to the key; `reduce(document, group)` changes the group, which begins as
    the key's fields and `initial`; `finalize(group)` changes it or gives another
    value. Gives the groups in no particular order.
    """
    accumulator = {
        'lang': 'js',
        'init': 'function(key, initial) { return Object.assign({}, key, initial); }',
        'initArgs': ['$$ROOT', {'$literal': initial}],
        'accumulate': f'function(group, document) {{'
        f' ({reduce})(document, group); return group; }}',
        'accumulateArgs': ['$$ROOT'],
        'merge': 'function() { throw new Error("group() works on one server only"); }',
    }
    if finalize is not None:
        accumulator['finalize'] = (
            f'function(group) {{ const result = ({finalize})(group);'
            f' return result === undefined ? group : result; }}'
        )
    pipeline: list[Document] = [
        {'$match': condition},
        {'$group': {'_id': _group_key(key), 'group': {'$accumulator': accumulator}}},
    ]
    return [row['group'] for row in collection.aggregate(pipeline, **options)]


def _group_key(key: Any) -> Document:
    """Write the expression that gives `group()`'s key; a missing field is null."""
    if isinstance(key, str):
        return {'$function': {'lang': 'js', 'body': key, 'args': ['$$ROOT']}}
    pairs = [
        {'k': {'$literal': field}, 'v': {'$ifNull': [f'${field}', None]}}
        for field in key or ()
    ]
    return {'$arrayToObject': [pairs]}


def map_reduce(
    collection: Collection[Any],
    map: str,
    reduce: str,
    out: Any,
    full_response: bool = False,
    session: ClientSession | None = None,
    **options: Any,
) -> Any:
    """Run the server's `mapReduce` and give the collection that holds the results.

    Gives the server's answer instead with `full_response`, or with `out` inline.
    """
    if not isinstance(out, (str, Mapping)):
        raise TypeError("map_reduce()'s out must be a collection's name or a mapping")
    command = {
        'mapReduce': collection.name,
        'map': map,
        'reduce': reduce,
        'out': out,
        **options,
    }
    reply = write_command(collection, command, session)
    result = reply.get('result')
    if full_response or not result:
        return reply
    if isinstance(result, str):
        return collection.database[result]
    database: Any = collection.database
    return database._legacy_client[result['db']][result['collection']]


def inline_map_reduce(
    collection: Collection[Any],
    map: str,
    reduce: str,
    full_response: bool = False,
    session: ClientSession | None = None,
    **options: Any,
) -> Any:
    """Run the server's `mapReduce` and give the list of results."""
    command = {
        'mapReduce': collection.name,
        'map': map,
        'reduce': reduce,
        'out': {'inline': 1},
        **options,
    }
    reply = collection.database.command(
        without_none(command),
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        session=session,
    )
    return dict(reply) if full_response else reply['results']
