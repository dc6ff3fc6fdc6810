"""What each command writes to, and what its reply tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from migopy.codes import FAILED_TO_PARSE, INVALID_OPTIONS, NOT_ON_A_VIEW
from migopy.effects.refusals import reason_of
from migopy.effects.tally import RENAMED_TO, Changes, Document, add_new, shown

#: Commands that write nothing. One in none of the lists counts as a write.
READS = frozenset(
    """
    analyzeShardKey authenticate balancerCollectionStatus balancerStatus buildInfo
    buildinfo checkMetadataConsistency checkShardingIndex collStats collstats
    connectionStatus connPoolStats count currentOp dataSize datasize dbHash dbhash
    dbStats dbstats distinct endSessions explain features find getClusterParameter
    getCmdLineOpts getDefaultRWConcern getLastError getLog getMore getnonce getParameter
    getShardMap getShardVersion hello hostInfo isdbgrid isMaster ismaster
    killAllSessions killAllSessionsByPattern killCursors killOp killSessions
    listCollections listCommands listDatabases listIndexes listShards lockInfo logout
    ping planCacheListFilters refreshSessions replSetGetConfig replSetGetStatus
    rolesInfo saslContinue saslStart serverStatus startSession top usersInfo validate
    whatsmyuri
    """.split()  # noqa: SIM905
)

#: Commands that say where the shards of a cluster keep a collection. Their own value is
#: the collection's name with that of its database.
PLACING = frozenset(
    """
    abortMoveCollection abortReshardCollection abortUnshardCollection clearJumboFlag
    configureCollectionBalancing configureQueryAnalyzer mergeAllChunksOnShard
    mergeChunks moveChunk moveCollection moveRange refineCollectionShardKey
    reshardCollection setAllowMigrations shardCollection split unshardCollection
    updateZoneKeyRange
    """.split()  # noqa: SIM905
)

#: Commands that end a transaction.
ENDS = frozenset({'abortTransaction', 'commitTransaction'})

#: Commands that change collections and indexes, but no document.
DEFINING = PLACING | frozenset(
    """
    collMod compact create createIndexes createSearchIndexes deleteIndexes dropIndexes
    dropSearchIndex reIndex updateSearchIndex
    """.split()  # noqa: SIM905
)


def namespace_of(name: str, database: str, command: Document) -> str | None:
    """Give the namespace that a command writes to, `None` for one that only reads."""
    if name in ON_A_COLLECTION:
        return f'{database}.{command[name]}'
    if name in PLACING:
        return str(command[name])
    target = TARGETS.get(name)
    return target(database, command) if target else database


def _aggregate_target(database: str, command: Document) -> str | None:
    # $out and $merge are allowed as the last stage only, and not in a sub-pipeline.
    pipeline = command.get('pipeline')
    last = pipeline[-1] if pipeline and isinstance(pipeline, (list, tuple)) else {}
    if command.get('explain') or not isinstance(last, Mapping):
        return None
    target = last.get('$out') or last.get('$merge')
    if isinstance(target, Mapping):
        target = target.get('into', target)
    if isinstance(target, Mapping):
        database, target = target.get('db', database), target.get('coll')
    return f'{database}.{target}' if target else None


def _map_reduce_target(database: str, command: Document) -> str | None:
    out = command.get('out')
    if isinstance(out, Mapping):
        database = out.get('db', database)
        out = out.get('replace') or out.get('merge') or out.get('reduce')
    return f'{database}.{out}' if out else None


def _bulk_target(database: str, command: Document) -> str:
    return ' + '.join(sorted({each['ns'] for each in command.get('nsInfo', ())}))


def _renamed(database: str, command: Document) -> str:
    return str(command['renameCollection'])


def _capped_copy(database: str, command: Document) -> str:
    return f'{database}.{command.get("toCollection")}'


#: Commands whose own value is the name of the collection they write to.
ON_A_COLLECTION = frozenset(
    """
    collMod compact convertToCapped create createIndexes createSearchIndexes delete
    deleteIndexes drop dropIndexes dropSearchIndex findAndModify findandmodify insert
    reIndex update updateSearchIndex
    """.split()  # noqa: SIM905
)

#: Commands that name it elsewhere. One in neither list is about the database.
TARGETS: dict[str, Callable[[str, Document], str | None]] = {
    'aggregate': _aggregate_target,
    'bulkWrite': _bulk_target,
    'cloneCollectionAsCapped': _capped_copy,
    'mapReduce': _map_reduce_target,
    'mapreduce': _map_reduce_target,
    'renameCollection': _renamed,
}


def count_reply(
    name: str, changes: Changes, command: Document, reply: Document
) -> None:
    """Add to the changes what a reply tells of a command."""
    concern = command.get('writeConcern')
    if concern and concern.get('w') == 0:
        # The reply is PyMongo's own.
        changes.note(f'written by an unacknowledged {name} (count unknown)')
        return
    try:
        COUNTERS[name](changes, command, whole_reply(reply))
    except (KeyError, TypeError, IndexError):
        # A command that is not counted, or a reply that no mongod gives: it came from a
        # router, or from an imitation.
        changes.note(f'{name} done')


def whole_reply(reply: Document) -> Document:
    """Give a server's reply as it is, of a router's that of one shard.

    A router puts the replies of its shards together by their names, without figures of
    its own. The one where most indexes were made is given.
    """
    by_shard = reply.get('raw')
    if not isinstance(by_shard, Mapping) or not by_shard:
        return reply
    return max(map(dict, by_shard.values()), key=_indexes_made)


def _indexes_made(reply: Document) -> int:
    made = reply.get('numIndexesAfter', 0) - reply.get('numIndexesBefore', 0)
    return int(made)


def _count_insert(changes: Changes, command: Document, reply: Document) -> None:
    changes.inserted += reply['n']


def _count_update(changes: Changes, command: Document, reply: Document) -> None:
    found, modified = reply['n'], reply['nModified']
    upserted = len(reply.get('upserted', ()))
    changes.inserted += upserted
    changes.matched += found - upserted
    changes.modified += modified
    _note_partial(changes, 'update', command['updates'], reply)


def _count_delete(changes: Changes, command: Document, reply: Document) -> None:
    changes.deleted += reply['n']
    _note_partial(changes, 'delete', command['deletes'], reply)


def _note_partial(
    changes: Changes, name: str, statements: list[Document], reply: Document
) -> None:
    """Note a statement for many documents that stopped at one of them.

    The server reports `n: 0` for it, although the documents before were written.
    """
    for error in reply.get('writeErrors', ()):
        statement = statements[error['index']]
        many = statement.get('multi') or statement.get('limit') == 0
        pipeline = isinstance(statement.get('u'), list)
        if _is_not_for_it(error):
            continue
        if many and (pipeline or error['code'] != FAILED_TO_PARSE):
            changes.note(f'perhaps changed by {name} ({reason_of(error)})')


def _is_not_for_it(error: Document) -> bool:
    """Tell whether no document has met an error: the collection is not one for it."""
    if error['code'] == INVALID_OPTIONS:
        # A document whose shard key would change has this code, too.
        return 'time-series' in error.get('errmsg', '')
    return bool(error['code'] == NOT_ON_A_VIEW)


def _count_find_and_modify(
    changes: Changes, command: Document, reply: Document
) -> None:
    last = reply['lastErrorObject']
    if command.get('remove'):
        changes.deleted += last['n']
    elif 'upserted' in last:
        changes.inserted += 1
    else:
        changes.found += last['n']


def _count_bulk(changes: Changes, command: Document, reply: Document) -> None:
    inserted, upserted = reply['nInserted'], reply['nUpserted']
    matched, modified = reply['nMatched'], reply['nModified']
    changes.deleted += reply['nDeleted']
    changes.inserted += inserted + upserted
    changes.matched += matched
    changes.modified += modified
    if reply['nErrors'] and any(each.get('multi') for each in command['ops']):
        changes.note('perhaps changed by bulkWrite (some of it failed)')


def _note_output(changes: Changes, command: Document, reply: Document) -> None:
    pipeline = command.get('pipeline')
    by = next(iter(pipeline[-1])) if pipeline else 'mapReduce'
    changes.note(f'written by {by} (count unknown)')


def _count_indexes(changes: Changes, command: Document, reply: Document) -> None:
    made = reply['numIndexesAfter'] - reply['numIndexesBefore']
    names = [shown(each['name']) for each in command['indexes']]
    if reply.get('createdCollectionAutomatically'):
        add_new(changes.collection, ['made'])
    if made == len(names):
        add_new(changes.indexes, [f'{name} made' for name in names])
    elif made:
        changes.note(f'some of the indexes {", ".join(names)} made')


def _count_dropped_indexes(
    changes: Changes, command: Document, reply: Document
) -> None:
    before, which = reply['nIndexesWas'], command['index']
    if which == '*':
        # In a clustered collection, which has no index _id_, one index may be any.
        if before:
            unsure = ', if there were any' if before == 1 else ''
            changes.note(f'all indexes but _id_ dropped{unsure}')
    elif isinstance(which, Mapping):
        add_new(changes.indexes, [f'on {", ".join(map(shown, which))} dropped'])
    else:
        names = [which] if isinstance(which, str) else which
        add_new(changes.indexes, [f'{shown(name)} dropped' for name in names])


def _count_made(changes: Changes, command: Document, reply: Document) -> None:
    add_new(changes.collection, ['made'])


def _count_dropped(changes: Changes, command: Document, reply: Document) -> None:
    # Since MongoDB 7.0 it is no error to drop what is not there.
    if 'ns' in reply:
        add_new(changes.collection, ['dropped'])
    else:
        changes.note('dropped, if it existed')


def _note_dropped_database(
    changes: Changes, command: Document, reply: Document
) -> None:
    changes.note('dropped, if it existed')


def _count_renamed(changes: Changes, command: Document, reply: Document) -> None:
    replaced = ' in place of what was there' if command.get('dropTarget') else ''
    add_new(changes.collection, [f'{RENAMED_TO}{command["to"]}{replaced}'])


COUNTERS: dict[str, Callable[[Changes, Document, Document], None]] = {
    'aggregate': _note_output,
    'bulkWrite': _count_bulk,
    'cloneCollectionAsCapped': _count_made,
    'create': _count_made,
    'createIndexes': _count_indexes,
    'delete': _count_delete,
    'deleteIndexes': _count_dropped_indexes,
    'drop': _count_dropped,
    'dropDatabase': _note_dropped_database,
    'dropIndexes': _count_dropped_indexes,
    'findAndModify': _count_find_and_modify,
    'findandmodify': _count_find_and_modify,
    'insert': _count_insert,
    'mapReduce': _note_output,
    'mapreduce': _note_output,
    'renameCollection': _count_renamed,
    'update': _count_update,
}
