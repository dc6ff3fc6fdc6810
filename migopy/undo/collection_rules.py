"""What a collection asks of its documents: unique indexes, a validator."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from pymongo.client_session import ClientSession

from migopy.differences import collection_of
from migopy.server import STATUS, Privileges
from migopy.undo.unique_keys import fields_of

#: The privilege to write documents that a validator would refuse.
PASSING = 'bypassDocumentValidation'


class Rules(NamedTuple):
    """What a collection asks of a document that is written.

    `unique` are the top-level fields that unique indexes look at; with `is_partial`,
    one of the indexes looks at others as well. `passes` is whether to bypass a
    validator.
    """

    unique: frozenset[bytes]
    is_partial: bool
    passes: bool

    def keep_apart(self, one: bytes, other: bytes) -> bool:
        """Tell whether a unique index may have different keys for two documents."""
        if self.is_partial:
            return True
        if not self.unique:
            return False
        return fields_of(one, self.unique) != fields_of(other, self.unique)


class CollectionRules:
    """Looks up the rules of collections, each once.

    Invariant: it reads outside of any transaction, where indexes can be listed.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, Rules] = {}

    def of(self, namespace: str) -> Rules:
        """Give the rules of a collection; raises `PyMongoError`."""
        if namespace not in self._known:
            with self._client.start_session() as session:
                self._known[namespace] = self._look_up(namespace, session)
        return self._known[namespace]

    def _look_up(self, namespace: str, session: ClientSession) -> Rules:
        collection = collection_of(self._client, namespace)
        unique = [
            each
            for each in collection.list_indexes(session=session)
            if each.get('unique') and list(each['key']) != ['_id']
        ]
        fields = {
            name.partition('.')[0].encode() for each in unique for name in each['key']
        }
        is_partial = any('partialFilterExpression' in each for each in unique)
        options = collection.options(session=session)
        passes = 'validator' in options and self._may_pass(namespace)
        return Rules(frozenset(fields), is_partial, passes)

    def _may_pass(self, namespace: str) -> bool:
        return not self._privileges.lacks(namespace, [PASSING])

    @cached_property
    def _privileges(self) -> Privileges:
        with self._client.start_session() as session:
            return Privileges(self._client.admin.command(STATUS, session=session))
