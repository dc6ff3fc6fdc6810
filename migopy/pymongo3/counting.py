"""The dropped `count`, of collections and of cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError

from migopy.pymongo3.sending import bound_session, without_none

#: What a `find` may ask for, and not an aggregation.
NOT_AGGREGATED = frozenset({'$near', '$nearSphere', '$where'})


def count(
    collection: Collection[Any],
    filter: Mapping[str, Any] | None = None,
    session: ClientSession | None = None,
    **options: Any,
) -> int:
    """Count the documents that match, or all."""
    if filter is None:
        filter = options.pop('query', {})
    elif 'query' in options:
        raise ConfigurationError('count() was given both a filter and a query')
    return send_count(collection, filter, session, **options)


def send_count(
    collection: Collection[Any],
    query: Mapping[str, Any] | None,
    session: ClientSession | None,
    **options: Any,
) -> int:
    """Send the server's `count`, which knows `$where` and `$near` as well.

    In a transaction, where the server refuses that, count by aggregation.
    """
    query = query or {}
    options = {name: value for name, value in without_none(options).items() if value}
    if not isinstance(options.get('hint', ''), (str, Mapping)):
        options['hint'] = dict(options['hint'])
    current = session or bound_session(collection)
    if current is not None and current.in_transaction:
        return count_in_transaction(collection, query, session, **options)
    reply = collection.database.command(
        'count',
        collection.name,
        query=query,
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        session=session,
        **options,
    )
    return int(reply['n'])


def count_in_transaction(
    collection: Collection[Any],
    query: Mapping[str, Any],
    session: ClientSession | None,
    **options: Any,
) -> int:
    """Count as `count` does, where that command is refused.

    By aggregation; what that does not know is found, and counted here.
    """
    if not _has(query, NOT_AGGREGATED):
        return collection.count_documents(query, session=session, **options)
    options['max_time_ms'] = options.pop('maxTimeMS', None)
    found = collection.find(query, {'_id': 1}, session=session, **options)
    return sum(1 for _ in found)


def _has(query: Any, operators: frozenset[str]) -> bool:
    """Tell whether a filter has any of some operators, at any depth."""
    if isinstance(query, Mapping):
        deeper = any(_has(each, operators) for each in query.values())
        return deeper or not operators.isdisjoint(query)
    return isinstance(query, list) and any(_has(each, operators) for each in query)
