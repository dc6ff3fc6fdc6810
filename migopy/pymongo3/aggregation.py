"""The dropped `group` and `map_reduce`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

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
    value. All three see the `scope` of each that is a `bson.Code` with one. Gives the
    groups in no particular order.
    """
    scope = _scope_of(key, reduce, finalize)
    accumulator = {
        'lang': 'js',
        # The scope is kept with the group, as the last function is given that alone.
        'init': 'function(key, initial, scope) {'
        ' return {group: Object.assign({}, key, initial), scope: scope}; }',
        'initArgs': ['$$ROOT', {'$literal': initial}, {'$literal': scope}],
        'accumulate': 'function(state, document) { with (state.scope) {'
        f' ({reduce})(document, state.group); }} return state; }}',
        'accumulateArgs': ['$$ROOT'],
        'merge': 'function() { throw new Error("group() works on one server only"); }',
        'finalize': 'function(state) { with (state.scope) {'
        f' var result = ({finalize or "function() {}"})(state.group); }}'
        ' return result === undefined ? state.group : result; }',
    }
    pipeline: list[Document] = [
        {'$match': condition},
        {
            '$group': {
                '_id': _group_key(key, scope),
                'group': {'$accumulator': accumulator},
            }
        },
    ]
    return [row['group'] for row in collection.aggregate(pipeline, **options)]


def _group_key(key: Any, scope: Document) -> Document:
    """Write the expression that gives `group()`'s key; a missing field is null."""
    if isinstance(key, str):
        body = (
            'function(document, scope) { with (scope) {'
            f' return ({key})(document); }} }}'
        )
        arguments = ['$$ROOT', {'$literal': scope}]
        return {'$function': {'lang': 'js', 'body': body, 'args': arguments}}
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
    if isinstance(out, Mapping) and 'inline' in out:
        # It writes nothing, and with a concern the server refuses it.
        collection = collection.with_options(write_concern=WriteConcern())
    command = _map_reduce_command(collection, map, reduce, out, options)
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
    command = _map_reduce_command(collection, map, reduce, {'inline': 1}, options)
    reply = collection.database.command(
        without_none(command),
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        session=session,
    )
    return dict(reply) if full_response else reply['results']


def _map_reduce_command(
    collection: Collection[Any], map: str, reduce: str, out: Any, options: Document
) -> Document:
    """Write the command; servers want the functions' scopes apart from them."""
    functions: Document = {'map': map, 'reduce': reduce}
    if options.get('finalize') is not None:
        functions['finalize'] = options['finalize']
    scope = {**_scope_of(*functions.values()), **(options.get('scope') or {})}
    return {
        'mapReduce': collection.name,
        'out': out,
        **options,
        **{name: str(function) for name, function in functions.items()},
        **({'scope': scope} if scope else {}),
    }


def _scope_of(*functions: Any) -> Document:
    """Collect the values that functions bring, as each `bson.Code` may have some."""
    scope: Document = {}
    for function in functions:
        scope.update(getattr(function, 'scope', None) or {})
    return scope
