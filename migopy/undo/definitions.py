"""What a collection or a view is defined as, read from the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bson import decode, encode
from pymongo.client_session import ClientSession

from migopy.differences import collection_of

Document = dict[str, Any]

#: What `listCollections` calls them.
COLLECTION, VIEW = 'collection', 'view'

#: The index that each collection has.
ID_INDEX = '_id_'

#: Options that the server keeps after a validator is gone; these values are defaults.
OPTION_DEFAULTS = {'validationLevel': 'strict', 'validationAction': 'error'}

#: The field that the validator of a placeholder asks for: the collection that holds the
#: place of one that is set aside before it is dropped.
PLACEHOLDER = 'migopy_undo_placeholder'


@dataclass(frozen=True)
class Definition:
    """What a collection or a view is defined as.

    Invariant: it holds all that makes it again, but for documents. A view has no
    `uuid` and no `indexes`; those are by name, without that of `_id`.
    """

    kind: str
    options: Mapping[str, Any]
    uuid: Any = None
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def is_like(self, other: Definition | None) -> bool:
        """Tell whether another definition is the same, for whichever collection."""
        if other is None or self.kind != other.kind:
            return False
        return _plain(self.options) == _plain(other.options) and all(
            same(self.indexes.get(name), other.indexes.get(name))
            for name in {*self.indexes, *other.indexes}
        )

    def with_index(self, name: str, index: Mapping[str, Any] | None) -> Definition:
        """Give it with an index, or without one of that name."""
        return replace(self, indexes=_with(self.indexes, name, index))

    def with_option(self, name: str, value: Any) -> Definition:
        """Give it with an option; `None` takes the option out."""
        return replace(self, options=_with(self.options, name, value))

    def as_bytes(self) -> bytes:
        """Give it as bytes to be kept: documents in it may have names no field has."""
        return encode({**vars(self), 'indexes': list(self.indexes.values())})

    @classmethod
    def from_bytes(cls, data: bytes) -> Definition:
        """Read what `as_bytes` has given."""
        document = decode(data)
        indexes = {each['name']: each for each in document.pop('indexes')}
        return cls(**document, indexes=indexes)


def definition_of(client: Any, namespace: str) -> Definition | None:
    """Read a definition; `None` if there is nothing of that name.

    A placeholder is nothing. Raises `PyMongoError`.
    """
    with client.start_session() as session:
        found = _found(client, namespace, session)
        if found is None or is_placeholder(found['options']):
            return None
        indexes: dict[str, Document] = {}
        if found['type'] == COLLECTION:
            listed = collection_of(client, namespace).list_indexes(session=session)
            indexes = {each['name']: dict(each) for each in listed}
            indexes.pop(ID_INDEX, None)
    return Definition(
        found['type'], found['options'], found['info'].get('uuid'), indexes
    )


def has_placeholder(client: Any, namespace: str) -> bool:
    """Tell whether a placeholder has this name; raises `PyMongoError`."""
    with client.start_session() as session:
        found = _found(client, namespace, session)
    return found is not None and is_placeholder(found['options'])


def is_placeholder(options: Mapping[str, Any]) -> bool:
    """Tell by its options whether a collection holds the place of another."""
    validator = options.get('validator')
    return isinstance(validator, Mapping) and PLACEHOLDER in validator


def same(one: Any, other: Any) -> bool:
    """Tell whether two values of definitions are the same, or both missing.

    The order of the outermost fields does not matter; that within a key does.
    """
    return bool(_sorted(one) == _sorted(other))


def _found(client: Any, namespace: str, session: ClientSession) -> Document | None:
    collection = collection_of(client, namespace)
    wanted = {'name': collection.name}
    for each in collection.database.list_collections(filter=wanted, session=session):
        found: Document = dict(each)
        return found
    return None


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((name, encode({'': each})) for name, each in value.items())
    return None if value is None else encode({'': value})


def _plain(options: Mapping[str, Any]) -> Any:
    return _sorted(
        {
            key: value
            for key, value in options.items()
            if OPTION_DEFAULTS.get(key) != value
        }
    )


def _with(values: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    rest = {key: each for key, each in values.items() if key != name}
    return rest if value is None else {**rest, name: value}
