"""Whether the indexes of migopy's collections let it keep there what it has to.

Other tools and people make them, for their own documents or for all collections.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.commands import Again, Command, Part
from migopy.errors import MigopyException
from migopy.texts import one_line

Document = Mapping[str, Any]

#: What tells the documents of each collection apart, whatever else is equal in them.
OWN_KEYS = frozenset({'_id', 'name'})

#: Kinds of keys that refuse documents whose values are no places on earth.
GEOGRAPHIC = frozenset({'2d', '2dsphere', 'geoHaystack'})


class DeletingIndex(MigopyException):
    """A TTL index deletes from a `collection` what migopy keeps; `index` is its name.

    `of_what_ran` is whether that is what tells which migrations have run.
    """

    def __init__(
        self, collection: str, index: str, seconds: float, of_what_ran: bool
    ) -> None:
        self.collection = collection
        self.index = index
        said: list[Part] = [
            f'The index {one_line(index)} of {collection} deletes what migopy keeps'
            f' there after {seconds:,.0f} s (it is a TTL index), so nothing was'
            f' run.\n{_dropping(collection, index)}'
        ]
        if of_what_ran:
            said += [
                'What it has deleted already would run again. See what has run: ',
                Command('history'),
                '\nMark as applied what is pending and has run, one by one: ',
                Command('ignore', 'NAME'),
            ]
        super().__init__(*said, '\nThen type' if of_what_ran else 'Then type', Again())


class RefusingIndex(MigopyException):
    """An index refuses what migopy has to keep in a `collection`; `index` names it."""

    def __init__(self, collection: str, index: str, how: str) -> None:
        self.collection = collection
        self.index = index
        super().__init__(
            f'The index {one_line(index)} of {collection} {how}, so it may refuse what'
            ' migopy has to keep there, and nothing was run.\n'
            f'{_dropping(collection, index)}'
            'Then type',
            Again(),
        )


def require_harmless(
    collection: Collection[Any],
    samples: Sequence[Document],
    expiring: Iterable[str],
    of_what_ran: bool = False,
) -> None:
    """Look at the indexes of a collection, with one request.

    `samples` are documents as migopy keeps them there, `expiring` the fields of theirs
    that are dates and that no index may delete them by. A user who may not ask has
    to do without this. Raises `DeletingIndex`, `RefusingIndex`.
    """
    indexes: list[Document] = []
    with suppress(OperationFailure):
        indexes += collection.list_indexes()
    for index in indexes:
        keys = list(index['key'])
        seconds = index.get('expireAfterSeconds')
        deletes = seconds is not None and not {*keys}.isdisjoint(expiring)
        how = '' if deletes else _how_it_refuses(index, samples)
        if (deletes or how) and _has_any(index, samples, collection):
            if how:
                raise RefusingIndex(collection.name, index['name'], how)
            raise DeletingIndex(
                collection.name, index['name'], float(seconds or 0), of_what_ran
            )


def _how_it_refuses(index: Document, samples: Sequence[Document]) -> str:
    """Say what an index may refuse such documents for, `''` if for nothing."""
    keys = index['key']
    fields = {field for sample in samples for field in sample}
    held = [each for each in keys if each.partition('.')[0] in fields]
    if any(keys[each] in GEOGRAPHIC for each in held):
        return 'takes nothing but places on earth'
    # A sparse one has no documents that have none of its fields.
    has_them = bool(held) or not index.get('sparse')
    is_by_another = bool(index.get('unique')) and OWN_KEYS.isdisjoint(keys)
    return 'is unique, and not by name' if is_by_another and has_them else ''


def _has_any(
    index: Document, samples: Sequence[Document], collection: Collection[Any]
) -> bool:
    """Tell whether an index that is a partial one has any of such documents."""
    partial = index.get('partialFilterExpression')
    return not partial or any(passes(each, collection, partial) for each in samples)


def passes(sample: Document, collection: Collection[Any], query: Document) -> bool:
    """Tell whether a document matches a query; it is not written."""
    pipeline: list[dict[str, Any]] = [
        # One document, whether the collection has any or none.
        {'$limit': 1},
        {'$facet': {'one': [{'$count': 'n'}]}},
        {'$replaceWith': {'$literal': sample}},
        {'$match': query},
    ]
    try:
        return bool(list(collection.aggregate(pipeline)))
    except OperationFailure:
        return True


def _dropping(collection: str, index: str) -> str:
    """Say how an index is dropped."""
    of_it = f'db.getCollection({json.dumps(collection)})'
    return f'Remove it, in mongosh:\n  {of_it}.dropIndex({json.dumps(index)})\n'
