"""Answers for the server, and sees what the transaction is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from migopy.backfill import is_in_tried_batch
from migopy.codes import UNAUTHORIZED
from migopy.differences import NOWHERE
from migopy.effects import READS, Address, EffectsListener, Recording, namespace_of
from migopy.pymongo3 import count_in_transaction
from migopy.server import lacked_by, reason_of
from migopy.standin.checks import broken_since
from migopy.standin.collections import (
    create,
    drop,
    drop_database,
    list_collections,
    rename,
)
from migopy.standin.collmod import modify
from migopy.standin.expiring import expired_since
from migopy.standin.findings import Foretold, Unanswerable
from migopy.standin.indexes import create_indexes, drop_indexes, list_indexes
from migopy.standin.outputs import aggregate
from migopy.standin.world import Document, World, refused

#: Who is told of each command: its name, its database, itself.
Told = Callable[[str, str, 'Mapping[str, Any]'], None]

Answer = Callable[[World, str, Document, list[Foretold]], 'Document | None']

#: What is answered for, by the command's name.
ANSWERS: dict[str, Answer] = {
    'aggregate': aggregate,
    'collMod': modify,
    'create': create,
    'createIndexes': create_indexes,
    'deleteIndexes': drop_indexes,
    'drop': drop,
    'dropDatabase': drop_database,
    'dropIndexes': drop_indexes,
    'listCollections': list_collections,
    'listIndexes': list_indexes,
    'renameCollection': rename,
}

#: What a transaction does itself.
INSIDE = frozenset(
    """
    aggregate bulkWrite delete distinct find findAndModify findandmodify getMore insert
    killCursors update
    """.split()  # noqa: SIM905
)

#: What only asks, and neither waits for the transaction nor has an effect: it is put to
#: the server outside of the transaction. (`validate` and `dbHash` would wait.)
ASKING = frozenset(
    """
    analyzeShardKey balancerCollectionStatus balancerStatus buildInfo buildinfo
    collStats collstats connPoolStats connectionStatus currentOp dataSize datasize
    dbStats dbstats explain features getClusterParameter getCmdLineOpts
    getDefaultRWConcern getLog getParameter getShardMap getShardVersion hello hostInfo
    isMaster isdbgrid ismaster listCommands listDatabases listShards ping
    planCacheListFilters replSetGetConfig replSetGetStatus rolesInfo serverStatus top
    usersInfo whatsmyuri
    """.split()  # noqa: SIM905
)

#: What only changes how a server works, not what is stored: taken as done.
TAKEN_AS_DONE = frozenset(
    """
    addShardToZone balancerStart balancerStop compact configureCollectionBalancing
    configureQueryAnalyzer createRole createSearchIndexes createUser dropRole
    dropSearchIndex dropUser enableSharding grantPrivilegesToRole grantRolesToUser
    moveChunk moveCollection moveRange planCacheClear profile refineCollectionShardKey
    reIndex removeQuerySettings removeShardFromZone reshardCollection
    revokeRolesFromUser setAllowMigrations setClusterParameter setDefaultRWConcern
    setParameter setQuerySettings shardCollection split unshardCollection updateRole
    updateSearchIndex updateUser updateZoneKeyRange
    """.split()  # noqa: SIM905
)

#: The definitions that a transaction makes.
MADE_IN_TRANSACTIONS = frozenset({'create', 'createIndexes'})

#: What is never sent where it is answered here.
UNSENT = frozenset(ANSWERS) - {'aggregate'} | TAKEN_AS_DONE

#: Parts that commands cannot be without. Before 5.0 `dropIndexes` drops none then.
STRICT = (5, 0)
REQUIRED = {
    'createIndexes': 'indexes',
    'deleteIndexes': 'index',
    'dropIndexes': 'index',
    'renameCollection': 'to',
}

#: Stages of a pipeline that read another collection, and where they name it.
READING = {'$lookup': 'from', '$graphLookup': 'from', '$unionWith': 'coll'}


class StandIn:
    """Answers one step of a dry run where a transaction refuses a command.

    Invariant: `findings` say what the commands that were answered would do, `touched`
    are the collections that the step has read or written. A step that touches what is
    `doubtful`, as it depends on what cannot be known of an earlier one, is ended.
    """

    def __init__(
        self,
        world: World,
        doubtful: Mapping[str, str],
        only_sees: bool = False,
        told: Told | None = None,
    ) -> None:
        """Take what a dry run sees, and of which collections that is not certain.

        `doubtful` has the reason for each. One that `only_sees` lets the server refuse
        what it refuses. `told` hears of each command, sent or answered here.
        """
        self._world = world
        self._only_sees = only_sees
        self._doubtful = doubtful
        self._told = told or _nobody
        self.findings: list[Foretold] = []
        self.touched: set[str] = set()

    def answer(self, database: str, command: Document) -> Document | None:
        """Give the reply to a command, `None` for one that the transaction can do.

        Raises what PyMongo raises for the server's answer, and `Unanswerable`.
        """
        name = next(iter(command))
        self._touch(name, database, command)
        is_strict = self._world.version >= STRICT or REQUIRED.get(name) != 'index'
        if is_strict and name in REQUIRED and REQUIRED[name] not in command:
            text = f"BSON field '{name}.{REQUIRED[name]}' is missing but required"
            raise refused(40414, 'Location40414', text)
        if is_in_tried_batch() and name not in MADE_IN_TRANSACTIONS:
            # Executed, it would be in the transaction of the batch.
            return None
        known = ANSWERS.get(name)
        writes = name == 'aggregate' and namespace_of(name, database, command)
        if name in UNSENT or writes:
            self._told(name, database, command)
        if known is not None:
            try:
                reply = known(self._world, database, command, self.findings)
            except OperationFailure as error:
                if error.code != UNAUTHORIZED:
                    raise
                lacked = lacked_by(error)
                right = lacked.needed if lacked else reason_of(error)
                reason = f'the user lacks a right to try {name}: {right}'
                raise Unanswerable(reason) from error
            if reply is not None and name == 'aggregate' and not writes:
                self._told(name, database, command)
            return reply
        if name == 'count':
            return self._count(database, command)
        if name in INSIDE:
            return None
        if name in ASKING:
            plain = self._world.database(database)
            return dict(plain.command(command, session=self._world.outside))
        if name in TAKEN_AS_DONE:
            text = f'would run {name}, which was not tried: it is taken as done'
            self.findings.append(Foretold(text))
            return {'ok': 1.0}
        raise Unanswerable(f'what {name} does is not known in a dry run')

    def see(
        self, name: str, database: str, command: Mapping[str, Any], address: Address
    ) -> None:
        """See a command before it is sent; raises `Unanswerable`.

        It may be one of a client that knows nothing of this, a model's perhaps: what a
        transaction refuses is not sent then, as an error would end that. Migopy's own
        look at the transaction is no part of the step.
        """
        if command.get(name) == NOWHERE:
            return
        self._told(name, database, command)
        self._touch(name, database, command)
        is_output = name == 'aggregate' and namespace_of(name, database, command)
        is_refused = is_output or name in REFUSED
        is_sent = self._only_sees or is_in_tried_batch()
        if is_refused and 'autocommit' in command and not is_sent:
            raise Unanswerable(
                f'no transaction can do {name}, and a dry run stands in for it only'
                ' on the db that the migration was given'
            )
        target = namespace_of(name, database, command) if name not in READS else None
        if target is not None:
            self._world.written.update(target.split(' + '))
            self._world.constraints.note_writes(target.split(' + '))
            self._world.expiring.note_writes(target.split(' + '))

    def settle(self) -> str:
        """Say what the step has written that what it has made would have refused.

        It is `''` where there is nothing of that. What has expired by then is found.
        """
        self.findings += expired_since(self._world)
        return '; '.join(broken_since(self._world))

    def _touch(self, name: str, database: str, command: Mapping[str, Any]) -> None:
        # A view depends on nothing that has had its name.
        asks = name not in ('listIndexes', 'drop') and 'viewOn' not in command
        for namespace in _touched(name, database, command):
            self.touched.add(namespace)
            for reasons in (self._world.off_limits, self._doubtful):
                if namespace in reasons and asks:
                    raise Unanswerable(f'it uses {namespace}: {reasons[namespace]}')

    def _count(self, database: str, command: Document) -> Document:
        collection = self._world.database(database)[command['count']]
        names = 'collation', 'hint', 'limit', 'maxTimeMS', 'skip'
        options = {key: command[key] for key in names if command.get(key)}
        query = command.get('query') or {}
        n = count_in_transaction(collection, query, None, **options)
        return {'n': n, 'ok': 1.0}


class Answering:
    """Puts the calls of one step to what stands in.

    Invariant: what is answered is counted as if the server had done it, and what is
    done to find that out is not.
    """

    def __init__(
        self, standin: StandIn, effects: Recording, listener: EffectsListener
    ) -> None:
        self._standin = standin
        self._effects = effects
        self._listener = listener

    def answer(self, database: str, command: Document) -> Document | None:
        """Give the reply to a command, `None` where the server is to be asked."""
        with self._listener.own_work():
            reply = self._standin.answer(database, command)
        name = next(iter(command))
        if reply is not None and name not in READS:
            self._effects.ledger.pretend(name, database, command, reply)
        return reply


#: What a transaction refuses of what is answered.
REFUSED = (frozenset(ANSWERS) | READS) - INSIDE - MADE_IN_TRANSACTIONS


def _nobody(name: str, database: str, command: Mapping[str, Any]) -> None:
    """Hear of a command, and do nothing about it."""


def _touched(name: str, database: str, command: Mapping[str, Any]) -> list[str]:
    target = namespace_of(name, database, command) if name not in READS else None
    found = (target or '').split(' + ')
    value = command.get(name)
    if isinstance(value, str) and name not in ('renameCollection', 'getMore'):
        found.append(f'{database}.{value}')
    elif isinstance(command.get('collection'), str):
        found.append(f'{database}.{command["collection"]}')
    if name == 'renameCollection':
        found.append(str(command.get('to')))
    found += [f'{database}.{each}' for each in _read_by(command.get('pipeline'))]
    return [each for each in found if '.' in each]


def _read_by(pipeline: Any) -> list[str]:
    """List the collections that the stages of a pipeline read beside its own."""
    stages = pipeline if isinstance(pipeline, list) else []
    return [
        name
        for stage in stages
        if isinstance(stage, Mapping)
        for operator, body in stage.items()
        for name in _read_by_stage(operator, body)
    ]


def _read_by_stage(operator: str, body: Any) -> list[str]:
    is_document = isinstance(body, Mapping)
    names: list[str] = []
    if operator in READING:
        name = body.get(READING[operator]) if is_document else body
        names += [name] if isinstance(name, str) else []
    if is_document:
        names += _read_by(body.get('pipeline'))
    if is_document and operator == '$facet':
        names += [name for inner in body.values() for name in _read_by(inner)]
    return names
