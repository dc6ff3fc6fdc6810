"""Which collections and indexes there are, as a dry run is to see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymongo
from bson import ObjectId
from bson.regex import Regex
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.backfill import is_in_tried_batch
from migopy.codes import DUPLICATE_KEY, NAMESPACE_NOT_FOUND, NOT_IN_TRANSACTION
from migopy.standin.constraints import Constraints
from migopy.standin.findings import Unanswerable
from migopy.state import begin
from migopy.texts import counted

Document = dict[str, Any]

#: Documents that are counted one by one in a transaction, and no more.
MOST_COUNTED = 1_000_000

#: The index that each collection has but a clustered one.
ID_INDEX = {'v': 2, 'key': {'_id': 1}, 'name': '_id_'}


@dataclass
class Known:
    """A collection as a dry run is to see it.

    `is_new` is whether the transaction has made it, and the server has no other one of
    that name; it is the server's then to see to its indexes and its options.
    """

    kind: str = 'collection'
    options: Document = field(default_factory=dict)
    indexes: dict[str, Document] = field(
        default_factory=lambda: {'_id_': dict(ID_INDEX)}
    )
    is_new: bool = False


class World:
    """The collections of a server, corrected by what a dry run has done to them.

    Invariant: what was not touched is as the server has it, outside of the
    transaction. `written` are the collections that the transaction has written to, and
    `off_limits` those that it sees otherwise than they would be, with the reason.
    """

    def __init__(
        self, client: Any, session: ClientSession, outside: ClientSession
    ) -> None:
        """Take the dry run's session, and one that is in no transaction."""
        self.client = client
        self.session = session
        self.outside = outside
        self.written: set[str] = set()
        self.off_limits: dict[str, str] = {}
        #: Where constraints are still enforced that would be gone.
        self.loosened: set[str] = set()
        #: Where there would be indexes that are not there.
        self.unmade: set[str] = set()
        #: What the transaction itself has made and would have dropped.
        self.remains: set[str] = set()
        self.constraints = Constraints()
        #: The TTL indexes that would be there, and that delete nothing.
        self.expiring = Constraints()
        self._known: dict[str, Known | None] = {}
        self.version = tuple(client.server_info(session=outside)['versionArray'])

    def database(self, name: str) -> Database[Any]:
        """Give a database, read on the primary."""
        return Database(self.client, name, read_preference=ReadPreference.PRIMARY)

    def collection(self, namespace: str) -> Collection[Any]:
        """Give a collection by `database.collection`."""
        database, _, name = namespace.partition('.')
        return self.database(database)[name]

    def known(self, namespace: str) -> Known | None:
        """Give what a collection is, `None` where there is none."""
        if namespace not in self._known:
            self._known[namespace] = self._read(namespace)
        if self._known[namespace] is None and self._has_documents(namespace):
            # A write has made it.
            self._known[namespace] = Known(is_new=self.is_free(namespace))
        return self._known[namespace]

    def _has_documents(self, namespace: str) -> bool:
        # What could not be emptied, as a view, is still there for the transaction.
        if namespace not in self.written or namespace in self.off_limits:
            return False
        collection = self.collection(namespace)
        return collection.find_one({}, {'_id': 1}, session=self.session) is not None

    def is_free(self, namespace: str) -> bool:
        """Tell whether there is nothing of a name that the transaction could meet.

        What a dry run has dropped is still there for it.
        """
        return namespace not in self.remains and self._read(namespace) is None

    def make(self, namespace: str, known: Known) -> None:
        """Have a collection there."""
        self._known[namespace] = known

    def remove(self, namespace: str) -> None:
        """Have a collection gone."""
        self._known[namespace] = None
        self.written.add(namespace)

    def names(self, database: str) -> list[str]:
        """List the names of a database's collections."""
        return [each['name'] for each in self.listing(database, None)]

    def listing(
        self, database: str, wanted: Mapping[str, Any] | None
    ) -> list[Document]:
        """Describe a database's collections, as `listCollections` does."""
        prefix = f'{database}.'
        touched = {*self._known, *self.written}
        names = [each[len(prefix) :] for each in touched if each.startswith(prefix)]
        cursor = self.database(database).list_collections(
            session=self.outside, filter=wanted or {}
        )
        shown = [dict(each) for each in cursor if each['name'] not in names]
        for name in names:
            known = self.known(prefix + name)
            if known is not None:
                described = _described(name, known)
                shown += [described] if _fits(described, wanted or {}) else []
        return sorted(shown, key=lambda each: str(each['name']))

    def count(self, namespace: str) -> int:
        """Count the documents: by metadata, unless the transaction has changed them."""
        if self.is_counted(namespace):
            return self.collection(namespace).count_documents({}, session=self.session)
        return self.estimate(namespace)

    def is_counted(self, namespace: str) -> bool:
        """Tell whether documents are counted one by one: of not too many they are."""
        return namespace in self.written and self.estimate(namespace) <= MOST_COUNTED

    def documents(self, namespace: str) -> str:
        """Say how many documents there are: `1,200 documents`."""
        about = ''
        if namespace in self.written and not self.is_counted(namespace):
            about = 'about '
        return f'{about}{counted(self.count(namespace), "document")}'

    def estimate(self, namespace: str) -> int:
        """Count the documents by metadata, those of the transaction left out."""
        database, _, name = namespace.partition('.')
        reply = self.database(database).command('count', name, session=self.outside)
        return int(reply['n'])

    def _read(self, namespace: str) -> Known | None:
        collection = self.collection(namespace)
        found = list(
            collection.database.list_collections(
                session=self.outside, filter={'name': collection.name}
            )
        )
        if not found:
            return None
        kind = found[0].get('type', 'collection')
        indexes = {}
        if kind != 'view':
            listed = collection.list_indexes(session=self.outside)
            indexes = {each['name']: dict(each) for each in listed}
        return Known(kind, dict(found[0].get('options', {})), indexes)


def scratch() -> str:
    """Name a collection that is nowhere, for the server to try something on."""
    return f'migopy_dry_run_{ObjectId()}'


@contextmanager
def probing(client: Any) -> Iterator[ClientSession]:
    """Give a session whose transaction is aborted at the end.

    An error ends a transaction. So what the server says of a command is found out in
    one of its own, before the dry run's is given it.
    """
    with client.start_session() as session:
        begin(session, write_concern=None)
        try:
            yield session
        finally:
            session.abort_transaction()


def _described(name: str, known: Known) -> Document:
    described = {
        'name': name,
        'type': known.kind,
        'options': known.options,
        'info': {'readOnly': known.kind == 'view'},
    }
    if '_id_' in known.indexes:
        described['idIndex'] = known.indexes['_id_']
    return described


def refused(code: int, name: str, text: str) -> OperationFailure:
    """Make the error that PyMongo makes of a server's answer."""
    details = {'ok': 0.0, 'errmsg': text, 'code': code, 'codeName': name}
    kind = pymongo.errors.OperationFailure
    if code == DUPLICATE_KEY:
        kind = pymongo.errors.DuplicateKeyError
    return kind(f'{text}, full error: {details}', code, details)


def require_no_batch(text: str) -> None:
    """Refuse as the server does in the transaction that a batch would be.

    Raises `OperationFailure`, which says `text` first.
    """
    if is_in_tried_batch():
        text = f'{text} in a multi-document transaction'
        name = 'OperationNotSupportedInTransaction'
        raise refused(NOT_IN_TRANSACTION, name, text)


def no_namespace() -> OperationFailure:
    """Make the error for a collection that is not there."""
    return refused(NAMESPACE_NOT_FOUND, 'NamespaceNotFound', 'ns not found')


#: Operators of a filter on names and types that are understood.
OPERATORS: dict[str, Callable[[str, Any], bool]] = {
    '$eq': lambda value, wanted: value == wanted,
    '$ne': lambda value, wanted: value != wanted,
    '$in': lambda value, wanted: any(_is(value, each) for each in wanted),
    '$nin': lambda value, wanted: not any(_is(value, each) for each in wanted),
    '$not': lambda value, wanted: not _is(value, wanted),
    '$regex': lambda value, wanted: _is(value, wanted),
    '$exists': lambda value, wanted: bool(wanted),
}


def _fits(described: Document, wanted: Mapping[str, Any]) -> bool:
    return all(_fits_field(described, *each) for each in wanted.items())


def _fits_field(described: Document, name: str, wanted: Any) -> bool:
    if name == '$and':
        return all(_fits(described, each) for each in wanted)
    if name == '$or':
        return any(_fits(described, each) for each in wanted)
    if name not in ('name', 'type'):
        raise Unanswerable(
            f'a list of collections by {name!r} is not made in a dry run'
        )
    return _is(described[name], wanted)


def _is(value: str, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        for operator, operand in _with_pattern(wanted).items():
            if operator not in OPERATORS:
                reason = f'a list of collections by {operator} is not made in a dry run'
                raise Unanswerable(reason)
            if not OPERATORS[operator](value, operand):
                return False
        return True
    if isinstance(wanted, re.Pattern):
        return wanted.search(value) is not None
    if hasattr(wanted, 'try_compile'):
        return wanted.try_compile().search(value) is not None
    return bool(value == wanted)


def _with_pattern(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give operators with `$regex` and its `$options` as one pattern."""
    if '$regex' not in wanted:
        return wanted
    others = {key: wanted[key] for key in wanted if key != '$options'}
    pattern = wanted['$regex']
    if isinstance(pattern, str) or '$options' in wanted:
        text = getattr(pattern, 'pattern', pattern)
        pattern = Regex(text, wanted.get('$options', ''))
    return {**others, '$regex': pattern}
