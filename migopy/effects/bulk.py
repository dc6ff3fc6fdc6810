"""The bulkWrite of a client: the commands that it stands for, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from migopy.codes import FAILED_TO_PARSE
from migopy.effects.refusals import STATEMENTS, reason_of
from migopy.effects.tally import Changes, Document, Tally, changes_of

BULK_WRITE = 'bulkWrite'

#: A command: its name, the database, itself.
Part = tuple[str, str, Mapping[str, Any]]

#: What bulkWrite's names in a statement are elsewhere.
NAMES = {'filter': 'q', 'updateMods': 'u', 'constants': 'c'}

#: What of a bulkWrite is about the whole.
OF_THE_WHOLE = frozenset({BULK_WRITE, 'ops', 'nsInfo', 'errorsOnly', 'cursor'})


def parts_of(name: str, database: str, command: Document) -> list[Part]:
    """List the commands that a bulkWrite stands for, in order; any other is its own.

    Operations that follow each other are one command if they are of one kind and for
    one collection.
    """
    if name != BULK_WRITE:
        return [(name, database, command)]
    options = {key: command[key] for key in command if key not in OF_THE_WHOLE}
    parts: list[Part] = []
    statements: list[Any] = []
    before = None
    for operation in command['ops']:
        kind, namespace = _place(operation, command)
        if (kind, namespace) != before:
            before, statements = (kind, namespace), []
            database, _, collection = namespace.partition('.')
            whole = {kind: collection, STATEMENTS[kind]: statements, **options}
            parts.append((kind, database, whole))
        statements.append(_statement(kind, operation))
    return parts


def told_apart(name: str, command: Document, reply: Document) -> Tally | None:
    """Count what the reply of a bulkWrite tells, by collection as far as it does.

    A number that may be of several collections stands under the names of them all.
    `None` for another command, and for a reply that is not a server's.
    """
    if name == BULK_WRITE:
        with suppress(KeyError, TypeError, IndexError):
            return _told_apart(command, reply)
    return None


def _told_apart(command: Document, reply: Document) -> Tally:
    tally: Tally = {}
    places = [_place(each, command) for each in command['ops']]
    failed = _failed(command, reply)
    if len(failed) == reply['nErrors']:
        for kind, namespace in _done(places, command, reply):
            changes_of(tally, namespace).inserted += kind == 'insert'
    else:
        inserted = Changes(inserted=reply['nInserted'])
        _of_all(tally, places, 'insert').add(inserted)
    updated = Changes(
        inserted=reply['nUpserted'],
        matched=reply['nMatched'],
        modified=reply['nModified'],
    )
    _of_all(tally, places, 'update').add(updated)
    _of_all(tally, places, 'delete').add(Changes(deleted=reply['nDeleted']))
    if len(failed) < reply['nErrors'] and any(map(_is_for_many, command['ops'])):
        names = ' + '.join(sorted({namespace for _, namespace in places}))
        changes_of(tally, names).note(f'perhaps changed by {BULK_WRITE} (some failed)')
    for operation, namespace, error in failed:
        # It may have stopped at any of its documents.
        is_checked = not isinstance(operation.get('updateMods'), list)
        is_refused = is_checked and error['code'] == FAILED_TO_PARSE
        if _is_for_many(operation) and not is_refused:
            note = f'perhaps changed by {BULK_WRITE} ({reason_of(error)})'
            changes_of(tally, namespace).note(note)
    tally.pop('', None)
    for changes in tally.values():
        changes.is_written_to = True
    return tally


def first_failure(command: Document, reply: Document) -> tuple[str, Document] | None:
    """Give the first error that the reply of a bulkWrite tells, and its collection."""
    with suppress(KeyError, TypeError, IndexError):
        for _, namespace, error in _failed(command, reply):
            return namespace, error
    return None


def _failed(
    command: Document, reply: Document
) -> list[tuple[Mapping[str, Any], str, Document]]:
    """List the operations that failed: each, its collection, and its error.

    The first reply has them, unless it has more results than one reply can hold.
    """
    operations = command['ops']
    return [
        (operation, _place(operation, command)[1], each)
        for each in reply['cursor']['firstBatch']
        if not each['ok']
        for operation in [operations[each['idx']]]
    ]


def _done(
    places: list[tuple[str, str]], command: Document, reply: Document
) -> list[tuple[str, str]]:
    """List the places of what was done, where all that failed is in the reply."""
    failed = {each['idx'] for each in reply['cursor']['firstBatch'] if not each['ok']}
    is_ended = failed and command.get('ordered', True)
    end = min(failed) if is_ended else len(places)
    return [each for index, each in enumerate(places[:end]) if index not in failed]


def _is_for_many(operation: Mapping[str, Any]) -> bool:
    return bool(operation.get('multi'))


def _of_all(tally: Tally, places: list[tuple[str, str]], kind: str) -> Changes:
    """Give the changes of all collections that have operations of a kind."""
    names = sorted({namespace for each, namespace in places if each == kind})
    return changes_of(tally, ' + '.join(names))


def _place(operation: Mapping[str, Any], command: Document) -> tuple[str, str]:
    """Give an operation's kind, and the collection that it is for."""
    kind, number = next(iter(operation.items()))
    return kind, command['nsInfo'][int(number)]['ns']


def _statement(kind: str, operation: Mapping[str, Any]) -> Any:
    """Give an operation as the command of its kind has it."""
    if kind == 'insert':
        return operation['document']
    statement = {NAMES.get(key, key): operation[key] for key in operation}
    del statement[kind]
    if kind == 'delete':
        statement['limit'] = 0 if statement.pop('multi', False) else 1
    return statement
