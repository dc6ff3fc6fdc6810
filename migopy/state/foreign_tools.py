"""The tools whose records of migrations are known, and how each one is read.

The documents are as pymongo-migrate 1.0, mongodb-migrations 1.3, mongomig 0.4,
mongrator 0.4, beanie 2.2, migrate-mongo 14, mongo-migrate-ts 2, umzug 3, east 2 and
ts-migrate-mongoose 5 were seen to write them; those of the others are as their sources
have them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from migopy.state.fields import date_of, number_of
from migopy.state.foreign import (
    Document,
    ForeignRecord,
    Tool,
    known_by,
    label_of,
    last_of,
    log_by,
    milliseconds_of,
    time_of,
)


def _pymongo_migrate(documents: Sequence[Document]) -> list[ForeignRecord]:
    records = []
    for document in documents:
        at, name = date_of(document, 'applied'), label_of(document, 'name')
        if name:
            # It keeps the record of what it has undone, with `None` for the time.
            undone = '' if at is not None else 'undone'
            records.append(ForeignRecord([name], at, not_applied=undone))
    return records


def _mongodb_migrations(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord([name], date_of(document, 'created_at'))
        for document in documents
        if (name := label_of(document, 'migration_datetime'))
    ]


def _mongomig(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            list(filter(None, [revision, label_of(document, 'description')])),
            date_of(document, 'applied_at'),
            milliseconds_of(document, 'execution_time_ms'),
            '' if document.get('status') == 'applied' else label_of(document, 'status'),
        )
        for document in documents
        if (revision := label_of(document, 'revision'))
    ]


def _mongrator(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            [name],
            date_of(document, 'applied_at'),
            milliseconds_of(document, 'duration_ms'),
            '' if document.get('direction') == 'up' else 'undone',
        )
        for document in documents
        if (name := label_of(document, '_id'))
    ]


def _migrate_mongo(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord([name], date_of(document, 'appliedAt'))
        for document in documents
        if (name := label_of(document, 'fileName'))
    ]


def _mongo_migrate_ts(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            list(filter(None, [label_of(document, 'file'), name])),
            time_of(document, 'timestamp'),
        )
        for document in documents
        if (name := label_of(document, 'className'))
    ]


#: What beanie calls the state before all migrations.
BEANIE_ROOT = 'root'


def _beanie(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read a log in which one entry is current: what comes after it was undone.

    When it goes back, beanie adds an entry for the migration it came to; it orders
    migrations by name. After it has undone all, that is `root`, which is none.
    """
    documents = [each for each in documents if label_of(each, 'name') != BEANIE_ROOT]
    current = [
        label_of(document, 'name')
        for document in documents
        if document.get('is_current')
    ]
    first: dict[str, datetime | None] = {}
    for document in sorted(documents, key=lambda each: str(date_of(each, 'ts'))):
        name = label_of(document, 'name')
        if name:
            first.setdefault(name, date_of(document, 'ts'))
    last = max(current, default='')
    return [
        ForeignRecord([name], at, not_applied='' if name <= last else 'undone')
        for name, at in first.items()
    ]


#: The states of what Mongock and Flamingock have done; an old Mongock wrote none.
DONE = frozenset({None, 'EXECUTED', 'APPLIED'})
MARKED_DONE = frozenset({'MANUAL_MARKED_AS_EXECUTED', 'MANUAL_MARKED_AS_APPLIED'})


def _mongock(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read a log with several entries for a change, the last of which counts.

    `IGNORED` says that a change was skipped, as it had been executed before.
    """
    last: dict[tuple[str, ...], Document] = {}
    for document in sorted(documents, key=_when):
        is_own = document.get('systemChange') is True
        if is_own or document.get('state') == 'IGNORED':
            continue
        # What prepares a change, apart from its transaction, has a type of its own.
        if str(document.get('type', '')).startswith('BEFORE'):
            continue
        change = label_of(document, 'changeId')
        if change:
            # Two authors may have given the same id.
            last[change, label_of(document, 'author')] = document
    return [
        ForeignRecord(
            [change, *filter(None, [_class_name(document)])],
            time_of(document, 'timestamp'),
            milliseconds_of(document, 'executionMillis'),
            ''
            if _is_one_of(document.get('state'), DONE | MARKED_DONE)
            else label_of(document, 'state').lower().replace('_', ' ')
            or 'unknown state',
        )
        for (change, _), document in last.items()
    ]


def _when(document: Mapping[str, Any]) -> str:
    """Give the sort key of an entry; those without a time come first."""
    at = time_of(document, 'timestamp')
    return '' if at is None else str(at)


def _class_name(document: Mapping[str, Any]) -> str:
    name = label_of(document, 'changeLogClass') or label_of(document, 'changeUnitClass')
    return name.rpartition('.')[2]


def _golang_migrate(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read the one document, which has the version that was migrated up to."""
    records = []
    for document in documents:
        version = number_of(document, 'version')
        if 'dirty' not in document or version is None or version < 0:
            continue
        number = int(version)
        if document['dirty']:
            dirty = ForeignRecord([str(number)], not_applied='dirty: half done, maybe')
            records += [dirty, ForeignRecord([f'up to {number - 1}'], up_to=number - 1)]
        else:
            records.append(ForeignRecord([f'up to {number}'], up_to=number))
    return records


def _xakep666(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read a log whose last entry has the version; going back adds one as well."""
    found = [each for each in documents if date_of(each, 'timestamp') is not None]
    last = max(found, key=lambda each: str(each['_id']), default={})
    number = number_of(last, 'version') or 0
    return (
        [ForeignRecord([f'up to {number}'], up_to=int(number))] if number >= 1 else []
    )


def _east(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read documents that are nothing but a name."""
    names = [label_of(each, '_id') for each in documents if each.keys() == {'_id'}]
    return [ForeignRecord([name]) for name in names if name]


#: The operations of udata that leave a migration applied, if they succeed.
UDATA_APPLIED = frozenset({'migrate', 'record'})


def _udata(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read records that hold all operations of a migration, the last of which counts.

    Until 2019 they held none, and a record was written only after a success.
    """
    records = []
    for document in documents:
        name, plugin = label_of(document, 'filename'), label_of(document, 'plugin')
        if not name or not ({'ops', 'script'} & document.keys()):
            continue
        # Two plugins may have files of one name.
        is_own = plugin in ('', 'udata')
        names = [name] if is_own else [f'{plugin}:{name}', name]
        last = last_of(document['ops']) if 'ops' in document else document
        why = _not_applied_in_udata(last) if 'ops' in document else ''
        records.append(ForeignRecord(names, date_of(last, 'date'), not_applied=why))
    return records


def _not_applied_in_udata(operation: Mapping[str, Any]) -> str:
    if not operation:
        return 'not begun'
    if operation.get('success') is not True:
        return 'failed'
    return '' if _is_one_of(operation.get('type'), UDATA_APPLIED) else 'undone'


def _is_one_of(value: object, words: Collection[str | None]) -> bool:
    """Tell whether a value is one of some words; it may be of any type."""
    return (value is None or isinstance(value, str)) and value in words


#: The tools whose records are known, by the names that their collections have where
#: nobody has given another.
TOOLS = (
    Tool('pymongo-migrate', ['pymongo_migrate'], 'applied', _pymongo_migrate),
    Tool(
        'mongodb-migrations',
        ['database_migrations'],
        'migration_datetime',
        _mongodb_migrations,
    ),
    Tool('mongomig', ['__mongomig_migrations'], 'revision', _mongomig),
    Tool('mongrator', ['mongrator_migrations'], 'direction', _mongrator),
    Tool('migrate-mongo', ['changelog'], 'fileName', _migrate_mongo),
    Tool('mongo-migrate-ts', ['migrations_changelog'], 'className', _mongo_migrate_ts),
    Tool('beanie', ['migrations_log'], 'is_current', _beanie),
    Tool('Mongock', ['mongockChangeLog', 'dbchangelog'], 'changeId', _mongock),
    Tool(
        'Flamingock',
        ['flamingockAuditLog', 'flamingockAuditLogs'],
        'changeId',
        _mongock,
    ),
    Tool('golang-migrate', ['schema_migrations'], 'version', _golang_migrate),
    Tool('udata', ['migrations'], 'filename', _udata),
    Tool('xakep666/mongo-migrate', ['migrations'], 'timestamp', _xakep666),
    Tool('east', ['_migrations'], '', _east),
    Tool(
        'MongoDBMigrations of .NET',
        ['_migrations'],
        'd',
        log_by('n', 'applied', 'd', False),
    ),
    Tool(
        'alley and mongo-migrations',
        ['db_migrations', 'migrations'],
        'id',
        log_by('filename', 'date', 'type', 'down'),
    ),
    *(
        Tool(tool, [collection], field, known_by(*name_and_time).read)
        for tool, collection, field, *name_and_time in (
            ('umzug', 'migrations', 'migrationName', 'migrationName'),
            ('db-migrate', 'migrations', 'run_on', 'name', 'run_on'),
            ('ts-migrate-mongoose', 'migrations', 'state', 'name', 'createdAt'),
            ('mongo-migrate', 'migrations', 'num', 'name', 'executed'),
            ('Laravel', 'migrations', 'batch', 'migration'),
            ('mongodb-migrations of Node', '_migrations', 'id', 'id'),
            ('mongrate', '_migrations', 'migration', 'migration'),
            ('mongoladdu', 'db_migrations', 'execution_time', 'name', 'execution_time'),
            ('mongoid_rails_migrations', 'data_migrations', 'version', 'version'),
            ('Liquibase', 'DATABASECHANGELOG', 'dateExecuted', 'id', 'dateExecuted'),
        )
    ),
)
