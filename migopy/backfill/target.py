"""What `update_each` goes through: a collection, and what is special about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from migopy.errors import MigopyException
from migopy.texts import one_line

#: Operators of filters that give documents in an order of their own.
ORDERED = frozenset({'$near', '$nearSphere', '$text'})


class NotACollection(MigopyException):
    """`update_each` cannot work on `namespace`; `kind` is what that is."""

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(self, namespace: str, kind: str, reason: str) -> None:
        self.namespace = namespace
        self.kind = kind
        super().__init__(
            f'{one_line(namespace)} is a {kind}: {reason} Nothing was done.'
        )


class ReplacedMeanwhile(MigopyException):
    """Others have dropped, renamed or replaced the collection of a call meanwhile.

    `namespace` is its name.
    """

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        super().__init__(
            f'{one_line(namespace)} is not the same collection any more: it was'
            ' dropped, renamed or replaced (by $out, say) while its documents were'
            ' changed. Some may have been left out. Run again, it begins with the'
            ' first document of the collection that is there now.'
        )


@dataclass(frozen=True)
class Target:
    """What the server says of a collection, as far as it says anything.

    `uuid` changes when a collection is dropped and made anew. `has_collation` is true
    where it cannot be known.
    """

    uuid: Any = None
    has_collation: bool = True


def require_collection(what: str, given: object, right: str, wrong: str) -> None:
    """Raise `TypeError` if `what` was given anything but a collection.

    `right` is how it is written, `wrong` how others have it.
    """
    if not isinstance(given, Collection):
        raise TypeError(
            f'{what} needs a collection of a MongoClient, not a'
            f' {type(given).__name__}: write {right}, not {wrong}'
        )


def require_order(what: str, filter: object) -> None:
    """Raise `ValueError` for a filter that cannot be read in the order of `_id`."""
    odd = ORDERED.intersection(_names_in(filter))
    if odd:
        raise ValueError(
            f'{what} goes through documents in the order of _id, in which the server'
            f' does not read a filter with {min(odd)}. Give it the _ids of those that'
            " you have found so: {'_id': {'$in': […]}}"
        )


def _names_in(filter: object) -> Iterator[str]:
    """Give the names of fields and operators that stand anywhere in a filter."""
    if isinstance(filter, Mapping):
        for name, value in filter.items():
            yield name
            yield from _names_in(value)
    elif isinstance(filter, (list, tuple)):
        for each in filter:
            yield from _names_in(each)


def target_of(collection: Collection[Any], what: str = 'update_each') -> Target:
    """Ask the server about a collection that was given to `what`.

    Raises `NotACollection` for a view and for a time-series collection.
    """
    name = {'name': collection.name}
    try:
        # An empty context knows no session, and no transaction may ask this.
        found = Context().run(
            lambda: list(collection.database.list_collections(filter=name))
        )
    except OperationFailure:
        # A role may write and still not list. Then it may be another one each time.
        return Target(uuid=ObjectId())
    if not found:
        # In a transaction the collection may be one that only the transaction sees.
        return Target()
    [said] = found
    options = said.get('options', {})
    if said['type'] == 'view':
        raise NotACollection(
            collection.full_name,
            'view',
            f'nothing can be written to it. Give {what} the collection that it shows,'
            f' {one_line(options["viewOn"])}.',
        )
    if said['type'] == 'timeseries':
        raise NotACollection(
            collection.full_name,
            'time-series collection',
            'its documents have no unique _id, and they cannot be replaced. Write them'
            ' to another collection, changed.',
        )
    return Target(said['info'].get('uuid'), 'collation' in options)


def require_the_same(collection: Collection[Any], target: Target) -> None:
    """Make sure that a collection is still the same one, as far as the server tells.

    Raises `ReplacedMeanwhile`.
    """
    if target.uuid is None or isinstance(target.uuid, ObjectId):
        return
    try:
        uuid = target_of(collection).uuid
    except NotACollection:
        uuid = None
    if uuid != target.uuid and not isinstance(uuid, ObjectId):
        raise ReplacedMeanwhile(collection.full_name)
