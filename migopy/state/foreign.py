"""What other tools have left in the database: their records of applied migrations.

The documents are as pymongo-migrate 1.0, mongodb-migrations 1.3, mongomig 0.4,
mongrator 0.4, beanie 2.2, migrate-mongo 14 and mongo-migrate-ts 2 were seen to write
them; those of Mongock, Flamingock and golang-migrate are as their sources have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pymongo.collection import Collection

from migopy.state.agent import date_of, number_of
from migopy.state.documents import raw, readable
from migopy.state.registry import is_ours
from migopy.texts import one_line

Document = dict[str, Any]


class ForeignRecord(NamedTuple):
    """A migration as another tool's record has it.

    Invariant: `names` are the texts that it is known by, the first is the tool's own.
    `at` is when it was applied, in UTC as far as the tool keeps it so, and
    `not_applied` says why it is none that counts as applied, `''` for one that does.
    """

    names: Sequence[str]
    at: datetime | None = None
    duration_ms: int | None = None
    not_applied: str = ''
    #: It stands for all files up to this number.
    up_to: int | None = None


class Tool(NamedTuple):
    """Another tool: its name, its collections, and how its documents are read.

    `field` is what each document of it has.
    """

    name: str
    collections: Sequence[str]
    field: str
    read: Callable[[Sequence[Document]], list[ForeignRecord]]


class ForeignRegistry(NamedTuple):
    """The records that a tool keeps in a collection, in the order of their names."""

    tool: str
    collection: str
    records: Sequence[ForeignRecord]


def registry_of(tool: Tool, collection: Collection[Document]) -> ForeignRegistry | None:
    """Read a collection as a tool's; `None` where it has none of its documents."""
    found = [each for each in _documents(collection) if tool.field in each]
    records = _merged(tool.read(found))
    if not records:
        return None
    records.sort(key=lambda record: record.names[0])
    return ForeignRegistry(tool.name, collection.name, records)


def _merged(records: Sequence[ForeignRecord]) -> list[ForeignRecord]:
    """Make one of records that say the same, with the time of the first.

    Tools without a lock write two where two deploys ran at once.
    """
    merged: dict[tuple[object, ...], ForeignRecord] = {}
    for record in sorted(records, key=lambda each: (each.at is None, str(each.at))):
        key = *record.names, record.not_applied, record.up_to
        merged.setdefault(key, record)
    return list(merged.values())


def known_by(field: str, time: str | None) -> Tool:
    """Make a tool of any kind, whose documents name a migration in a field.

    `time` is the field of the time at which it was applied.
    """

    def read(documents: Sequence[Document]) -> list[ForeignRecord]:
        return [
            ForeignRecord([name], _time(document, time) if time else None)
            for document in documents
            if (name := _text(document, field))
        ]

    return Tool('another tool', (), field, read)


def _documents(collection: Collection[Document]) -> list[Document]:
    """Read a collection, without migopy's own documents."""
    options = collection.codec_options
    found = [readable(each, options) for each in raw(collection).find().to_list()]
    return [
        each
        for each in found
        if not is_ours(each.get('name')) or 'executed_at' not in each
    ]


def _text(document: Mapping[str, Any], field: str) -> str:
    """Give a field that names a migration as one line; a number as its digits."""
    value = document.get(field)
    if isinstance(value, str):
        return one_line(value)
    number = number_of(document, field)
    # Drivers in JavaScript write whole numbers as doubles.
    return str(int(number)) if number is not None and number == number // 1 else ''


def _time(document: Mapping[str, Any], field: str) -> datetime | None:
    """Give a field that is a date, or the milliseconds of one."""
    number = number_of(document, field)
    if number is None:
        return date_of(document, field)
    try:
        moment = datetime.fromtimestamp(number / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=None)


def _milliseconds(document: Mapping[str, Any], field: str) -> int | None:
    number = number_of(document, field)
    return None if number is None else round(number)


def _pymongo_migrate(documents: Sequence[Document]) -> list[ForeignRecord]:
    records = []
    for document in documents:
        at, name = date_of(document, 'applied'), _text(document, 'name')
        if name:
            # It keeps the record of what it has undone, with `None` for the time.
            undone = '' if at is not None else 'undone'
            records.append(ForeignRecord([name], at, not_applied=undone))
    return records


def _mongodb_migrations(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord([name], date_of(document, 'created_at'))
        for document in documents
        if (name := _text(document, 'migration_datetime'))
    ]


def _mongomig(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            list(filter(None, [revision, _text(document, 'description')])),
            date_of(document, 'applied_at'),
            _milliseconds(document, 'execution_time_ms'),
            '' if document.get('status') == 'applied' else _text(document, 'status'),
        )
        for document in documents
        if (revision := _text(document, 'revision'))
    ]


def _mongrator(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            [name],
            date_of(document, 'applied_at'),
            _milliseconds(document, 'duration_ms'),
            '' if document.get('direction') == 'up' else 'undone',
        )
        for document in documents
        if (name := _text(document, '_id'))
    ]


def _migrate_mongo(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord([name], date_of(document, 'appliedAt'))
        for document in documents
        if (name := _text(document, 'fileName'))
    ]


def _mongo_migrate_ts(documents: Sequence[Document]) -> list[ForeignRecord]:
    return [
        ForeignRecord(
            list(filter(None, [_text(document, 'file'), name])),
            _time(document, 'timestamp'),
        )
        for document in documents
        if (name := _text(document, 'className'))
    ]


def _beanie(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read a log in which one entry is current: what comes after it was undone.

    Going back, beanie makes a new entry for the one it came to, and goes by the names.
    """
    current = [
        _text(document, 'name') for document in documents if document.get('is_current')
    ]
    first: dict[str, datetime | None] = {}
    for document in sorted(documents, key=lambda each: str(date_of(each, 'ts'))):
        name = _text(document, 'name')
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
    """Read a log with several entries for a change, of which the last one counts.

    `IGNORED` says that it was passed over, having been executed before.
    """
    last: dict[tuple[str, ...], Document] = {}
    for document in sorted(documents, key=_when):
        is_own = document.get('systemChange') is True
        if is_own or document.get('state') == 'IGNORED':
            continue
        # What prepares a change, apart from its transaction, has a type of its own.
        if str(document.get('type', '')).startswith('BEFORE'):
            continue
        change = _text(document, 'changeId')
        if change:
            # Two authors may have given the same id.
            last[change, _text(document, 'author')] = document
    return [
        ForeignRecord(
            [change, *filter(None, [_class_name(document)])],
            _time(document, 'timestamp'),
            _milliseconds(document, 'executionMillis'),
            ''
            if document.get('state') in DONE | MARKED_DONE
            else _text(document, 'state').lower().replace('_', ' ') or 'unknown state',
        )
        for (change, _), document in last.items()
    ]


def _when(document: Mapping[str, Any]) -> str:
    """Give what to sort by; an entry without a time counts for less than others."""
    at = _time(document, 'timestamp')
    return '' if at is None else str(at)


def _class_name(document: Mapping[str, Any]) -> str:
    name = _text(document, 'changeLogClass') or _text(document, 'changeUnitClass')
    return name.rpartition('.')[2]


def _golang_migrate(documents: Sequence[Document]) -> list[ForeignRecord]:
    """Read the one document, of the version that all was migrated up to."""
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
)
