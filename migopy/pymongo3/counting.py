"""The dropped `count`, of collections and of cursors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError

from migopy.pymongo3.sending import bound_session, without_none


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
        return collection.count_documents(query, session=session, **options)
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
