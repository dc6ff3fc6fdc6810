"""Whether migopy's collections are such that it can keep in them what it keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import NOT_KNOWN
from migopy.commands import Again, Where
from migopy.errors import MigopyException
from migopy.server import reason_of
from migopy.state.agent import Agent
from migopy.state.own_indexes import passes, require_harmless
from migopy.state.runs import EXECUTED, FAILED, Run

Document = dict[str, Any]

#: What is no collection, by what the server calls it.
KINDS = {'view': 'view', 'timeseries': 'time series'}

#: The dates of what is kept in each collection: when a migration was registered, when a
#: run began, ended and may write until, and since when a lock is held. (A lock that has
#: expired may be deleted.)
REGISTERED = frozenset({'executed_at'})
OF_RUNS = frozenset({'started', 'ended', 'writes_until'})
OF_LOCK = frozenset({'since'})

#: The fields of a lock that is held.
OF_HOLDER = dict.fromkeys(
    """
    _id owner former user host pid subtask since expires place ttl
    """.split()  # noqa: SIM905
)

#: What a server says that merges nothing into a collection, as its index of `_id` has
#: a collation, or is none of its own, as in a clustered one.
NO_INDEX_TO_MERGE_ON = 51183

#: What is said of a capped collection. What has run would run again once it is full;
#: nothing can be written there in a transaction, nor deleted before MongoDB 5.0.
CAPPED = 'is a capped collection, which drops its oldest documents'

#: DocumentValidationFailure, CommandNotSupportedOnView; of a time series it may be one
#: of the others.
NOT_WRITTEN = frozenset({121, 166}) | NOT_KNOWN


class NoLock(MigopyException):
    """The server does not know what the lock is kept by; the cause is chained."""

    is_for_good = True

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"This server does not take what migopy's lock needs: {reason}.\n"
            'Migopy needs MongoDB itself, 4.4 or later: a server that only speaks its'
            ' protocol may lack this. Nothing was done.\nCorrect MONGO_HOST and'
            ' MONGO_PORT (or MONGO_URI) ',
            Where(('MONGO_URI', 'MONGO_HOST', 'MONGO_PORT')),
            ', then type the command again.',
        )


class NoRegistry(MigopyException):
    """Nothing can be kept in a collection, as it is of the `kind` of a view."""

    is_for_good = True

    def __init__(self, collection: str, kind: str) -> None:
        self.collection = collection
        self.kind = kind
        super().__init__(
            f'{collection} is a {kind}, in which migopy can keep nothing, so nothing'
            ' was run.\nSet MIGRATIONS_COLLECTION ',
            Where(('MIGRATIONS_COLLECTION',)),
            ' to the collection in which the migrations of this database are'
            ' registered.',
        )


class Unmergeable(MigopyException):
    """The server merges nothing into a `collection`, or from it, as it is made so.

    `free` is a name that nothing has in that database.
    """

    def __init__(self, collection: str, made: str, free: str) -> None:
        self.collection = collection
        self.free = free
        name, plain = json.dumps(collection), json.dumps(free)
        super().__init__(
            f'{collection} {made}, so the server does not let migopy keep there what it'
            ' has to, and nothing was run.\n'
            'Make it a plain collection with the same documents, in mongosh:\n'
            f'  db.getCollection({name}).aggregate([{{$out: {plain}}}])\n'
            f'  db.getCollection({plain}).renameCollection({name}, true)\n'
            'Then type',
            Again(),
        )


class Invalid(MigopyException):
    """The validator of a `collection` refuses what migopy has to keep there."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        command = f'{{collMod: {json.dumps(collection)}, validationAction: "warn"}}'
        super().__init__(
            f'The validator of {collection} refuses what migopy has to keep there, so'
            ' nothing was run.\nHave it warn only, in mongosh:\n'
            f'  db.runCommand({command})\n'
            'Then type',
            Again(),
        )


def require_usable(
    registry: Collection[Document],
    history: Collection[Document],
    lock: Collection[Document],
    name: str,
) -> None:
    """Make sure that a migration's runs can be noted, and that it can be registered.

    `name` is the migration's, as a validator may look at it. One request, and one for
    the indexes of each that is there. A user who may not ask does without it. Raises
    `NoRegistry`, `Unmergeable`, `Invalid`, and what `require_harmless` does.
    """
    run = _sample(name)
    mark = run.document()
    run.end(EXECUTED, run.started, 0)
    described = _described(registry.database, [registry, history, lock])
    for collection in (registry, history, lock):
        if described.get(collection.name, {}).get('capped'):
            raise Unmergeable(collection.name, CAPPED, _free_name(collection))
    for collection, sample in ((registry, run.record()), (history, mark)):
        options = described.get(collection.name, {})
        made = _made(options)
        if made and not _takes_merges(collection):
            raise Unmergeable(collection.name, made, _free_name(collection))
        validator = options.get('validator', {})
        if _is_strict(options) and not passes(sample, collection, validator):
            raise Invalid(collection.name)
    if 'collation' in described.get(lock.name, {}):
        # What is merged comes from there, and is compared by it.
        raise Unmergeable(lock.name, 'has a collation', _free_name(lock))
    if registry.name in described:
        require_kept(registry, name)
    if history.name in described:
        run.end(FAILED, run.started, 0, unsettled=True)
        require_harmless(history, [mark, run.document()], OF_RUNS)
    # Where neither is there, the lock has made its collection a moment ago.
    if not described.keys().isdisjoint({registry.name, history.name}):
        require_harmless(lock, [OF_HOLDER], OF_LOCK)


def require_kept(registry: Collection[Document], name: str) -> None:
    """Make sure that what is registered stays so, and what is to be registered can be.

    One request. Raises as `require_harmless` does.
    """
    run = _sample(name)
    run.end(EXECUTED, run.started, 0)
    require_harmless(registry, [run.record()], REGISTERED, of_what_ran=True)


def _sample(name: str) -> Run:
    """Make a run as of a migration of a name."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    return Run(name, 'up', f'sha256:{"0" * 64}', '0' * 32, Agent.current(), '2.0', now)


def require_known(error: PyMongoError) -> None:
    """Raise `NoLock` if a server refuses what it does not know."""
    if getattr(error, 'code', None) in NOT_KNOWN:
        raise NoLock(reason_of(error)) from error


def require_lockable(lock: Collection[Document]) -> None:
    """Find out why the server refused to write the lock; raises as `require_usable`."""
    require_harmless(lock, [OF_HOLDER], ())
    if _is_strict(_described(lock.database, [lock]).get(lock.name, {})):
        raise Invalid(lock.name)


def _described(
    database: Database[Any], collections: list[Collection[Document]]
) -> Mapping[str, Document]:
    """Give the options of those that there are; raises `NoRegistry`."""
    wanted = {'name': {'$in': [each.name for each in collections]}}
    found: list[Any] = []
    with suppress(OperationFailure):
        listed = database.list_collections(filter=wanted, authorizedCollections=True)
        found = list(listed)
    for each in found:
        if each['type'] in KINDS:
            raise NoRegistry(each['name'], KINDS[each['type']])
    return {each['name']: each['options'] for each in found}


def _made(options: Document) -> str:
    """Say how a collection is made that may take no merges, `''` of any other."""
    if 'clusteredIndex' in options:
        return 'is a clustered collection'
    return 'has a collation' if 'collation' in options else ''


def _free_name(collection: Collection[Document]) -> str:
    """Give a name for a copy beside a collection; `$out` would replace what has it."""
    taken = collection.database.list_collection_names()
    name = f'{collection.name}_plain'
    while name in taken:
        name += '_'
    return name


def _takes_merges(collection: Collection[Document]) -> bool:
    """Ask the server, as versions differ; nothing is merged."""
    pipeline: list[Document] = [
        {'$match': {'$expr': False}},
        {'$merge': {'into': collection.name, 'on': '_id'}},
    ]
    try:
        collection.aggregate(pipeline, collation={'locale': 'simple'})
    except OperationFailure as error:
        return error.code != NO_INDEX_TO_MERGE_ON
    return True


def _is_strict(options: Document) -> bool:
    """Tell whether documents are refused that do not pass a validator."""
    level, action = options.get('validationLevel'), options.get('validationAction')
    return bool(options.get('validator')) and level != 'off' and action != 'warn'
