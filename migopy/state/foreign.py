"""Read what other tools have left in the database as records of migrations."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pymongo.collection import Collection
from pymongo.database import Database

from migopy.server import own_collection
from migopy.state.documents import raw, readable
from migopy.state.fields import date_of, number_of
from migopy.state.registry import is_ours
from migopy.texts import one_line

Document = dict[str, Any]

#: The fields by which documents of any tool may say that a migration is not applied,
#: and the values that say so, compared by their letters alone.
STATES = ('state', 'status', 'direction', 'type', 'execType')
UNDONE = {
    *('down', 'downgrade', 'downgraded', 'backward', 'backwards', 'revert', 'reverted'),
    *('undo', 'undone', 'rollback', 'rolledback'),
}
FAILED = {'fail', 'failed', 'failure', 'error', 'errored', 'aborted', 'interrupted'}
NOT_BEGUN = {'new', 'pending', 'planned', 'skipped', 'canceled', 'cancelled'}
NOT_ENDED = {'started', 'running', 'inprogress', 'processing', 'dirty'}
NOT_APPLIED = UNDONE | FAILED | NOT_BEGUN | NOT_ENDED
#: The same for fields that are true or false.
FLAGS = {'success': False, 'applied': False, 'executed': False, 'dirty': True}


class ForeignRecord(NamedTuple):
    """A migration as another tool's record has it.

    Invariant: `names` are the texts that identify it, first the tool's own. `at` is
    when it was applied, in UTC if the tool keeps it so. `not_applied` says why it does
    not count as applied, `''` if it does.
    """

    names: Sequence[str]
    at: datetime | None = None
    duration_ms: int | None = None
    not_applied: str = ''
    #: If given, it stands for all files up to this number.
    up_to: int | None = None


#: Makes records of a tool's documents.
Reader = Callable[[Sequence[Document]], list[ForeignRecord]]


class Tool(NamedTuple):
    """Another tool: its name, its collections, and how its documents are read.

    `field` is what each document of it has, `''` if that is up to `read`.
    """

    name: str
    collections: Sequence[str]
    field: str
    read: Reader


class ForeignRegistry(NamedTuple):
    """The records that a tool keeps in a collection, in the order of their names."""

    tool: str
    collection: str
    records: Sequence[ForeignRecord]


def registries_of(
    tools: Sequence[Tool], collection: Collection[Document]
) -> list[ForeignRegistry]:
    """Read a collection as that of each tool of which it has any record.

    It is read once, as many tools call theirs alike.
    """
    documents = _documents(collection)
    found = []
    for tool in tools:
        theirs = [
            each
            for each in documents
            if not tool.field or operator.contains(*_place(each, tool.field))
        ]
        records = _merged(tool.read(theirs))
        if records:
            records.sort(key=lambda record: record.names[0])
            found.append(ForeignRegistry(tool.name, collection.name, records))
    return found


def registries_in(
    tools: Sequence[Tool], database: Database[Document], there: Set[str], most: float
) -> Iterator[ForeignRegistry]:
    """Read what tools have left where each of them keeps its records.

    `there` are the collections of the database; those of more than `most` documents
    are passed over.
    """
    for name in dict.fromkeys(name for tool in tools for name in tool.collections):
        if name not in there:
            continue
        collection = own_collection(database[name])
        if collection.estimated_document_count() <= most:
            those = [tool for tool in tools if name in tool.collections]
            yield from registries_of(those, collection)


def _merged(records: Sequence[ForeignRecord]) -> list[ForeignRecord]:
    """Merge records that say the same into one, with the time of the first.

    Tools without a lock write two if two deploys run at once.
    """
    merged: dict[tuple[object, ...], ForeignRecord] = {}
    for record in sorted(records, key=lambda each: (each.at is None, str(each.at))):
        key = *record.names, record.not_applied, record.up_to
        merged.setdefault(key, record)
    return list(merged.values())


def known_by(field: str, time: str | None = None) -> Tool:
    """Make a reader for an unknown tool, whose documents name a migration in `field`.

    `time` is the field with the time at which it was applied; either may be a path such
    as `runs.at`. Words that many tools use for undone or failed migrations are
    understood; those do not count as applied. One document may have a list of all.
    """

    def read(documents: Sequence[Document]) -> list[ForeignRecord]:
        return [
            ForeignRecord(
                [name],
                time_of(*_place(each, time)) if time else None,
                not_applied=_not_applied(each) or _without(each, time),
            )
            for document in documents
            for each in _one_by_one(document, field)
            if (name := label_of(*_place(each, field)))
        ]

    return Tool('another tool', (), '', read)


def log_by(name: str, time: str, way: str, back: object) -> Reader:
    """Make a reader of a log in which the last entry of a name counts.

    `way` is the field that is `back` where the entry says that it was undone.
    """

    def read(documents: Sequence[Document]) -> list[ForeignRecord]:
        last: dict[str, Document] = {}
        for document in sorted(documents, key=lambda each: str(date_of(each, time))):
            if label := label_of(document, name):
                last[label] = document
        return [
            ForeignRecord(
                [label],
                date_of(document, time),
                not_applied='undone' if document.get(way) == back else '',
            )
            for label, document in last.items()
        ]

    return read


def _one_by_one(document: Document, path: str) -> Iterator[Document]:
    """Give the document once for each entry of a list that a path leads through."""
    outer, _, rest = path.partition('.')
    value = document.get(outer)
    if path in document or not rest or not isinstance(value, (list, Mapping)):
        yield document
        return
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, Mapping):
            for inner in _one_by_one({**entry}, rest):
                yield {**document, outer: inner}


def last_of(value: object) -> Mapping[str, Any]:
    """Give an inner document, the last one of a list; an empty one if it is none."""
    last = value[-1] if isinstance(value, list) and value else value
    return last if isinstance(last, Mapping) else {}


def _place(document: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any], str]:
    """Give the document that a path leads to, and the field there."""
    while path not in document and '.' in path:
        outer, _, path = path.partition('.')
        document = last_of(document.get(outer))
    return document, path


def _not_applied(document: Mapping[str, Any]) -> str:
    """Give the field by which a document says that its migration is not applied.

    It may be `state: down`; it is `''` if there is none. An inner document may say so,
    such as the last one of a list of runs.
    """
    if said := _said(document):
        return said
    for field, value in document.items():
        if said := _said(last_of(value)):
            return f'{field}.{said}'
    return ''


def _without(document: Mapping[str, Any], time: str | None) -> str:
    """Give a time field that is null, by which tools say that one has not run yet."""
    there, field = _place(document, time) if time else ({}, '')
    return f'{time}: null' if field in there and there[field] is None else ''


def _said(document: Mapping[str, Any]) -> str:
    """Give the field by which a document itself says that it is not applied."""
    for field in STATES:
        value = label_of(document, field)
        if re.sub('[^a-z]', '', value.lower()) in NOT_APPLIED:
            return f'{field}: {value}'
    for field, flag in FLAGS.items():
        if document.get(field) is flag:
            return f'{field}: {str(flag).lower()}'
    return ''


def _documents(collection: Collection[Document]) -> list[Document]:
    """Read a collection, without migopy's own documents."""
    collection = own_collection(collection)
    options = collection.codec_options
    found = [readable(each, options) for each in raw(collection).find().to_list()]
    return [
        each
        for each in found
        if not is_ours(each.get('name')) or 'executed_at' not in each
    ]


def label_of(document: Mapping[str, Any], field: str) -> str:
    """Read a field that names something, as one line; a whole number as its digits."""
    value = document.get(field)
    if isinstance(value, str):
        return one_line(value)
    number = number_of(document, field)
    # Drivers in JavaScript write whole numbers as doubles.
    return str(int(number)) if number is not None and number == number // 1 else ''


def time_of(document: Mapping[str, Any], field: str) -> datetime | None:
    """Read a field that holds a date, or the milliseconds since 1970, as a date."""
    number = number_of(document, field)
    if number is None:
        return date_of(document, field)
    try:
        moment = datetime.fromtimestamp(number / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=None)


def milliseconds_of(document: Mapping[str, Any], field: str) -> int | None:
    """Read a field that holds milliseconds, rounded to a whole number."""
    number = number_of(document, field)
    return None if number is None else round(number)
