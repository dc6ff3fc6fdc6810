"""Note where a migration's changes are likely to be: its first filters and `_id`s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from migopy.effects.bulk import parts_of
from migopy.effects.tally import Document

#: How many filters, and how many `_id`s, are kept of one collection.
MOST = 50

#: Options of a statement, and of its command, that its filter may depend on.
OPTIONS = ('collation', 'hint', 'sort')


@dataclass
class Clues:
    """The first filters and `_id`s of what was written to one collection.

    Invariant: there are at most `MOST` of each. A filter is the arguments of a `find`
    command that selects what a statement selected, in the state before it.
    """

    filters: list[dict[str, Any]] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for more."""
        return len(self.filters) >= MOST or len(self.ids) >= MOST


class Evidence:
    """Clues by namespace, taken from commands that were answered.

    Invariant: its size is bounded by the number of collections, not of commands.
    """

    def __init__(self) -> None:
        self._clues: dict[str, Clues] = {}

    def of(self, namespace: str) -> Clues:
        """Give the clues of a collection, none where there are none."""
        return self._clues.get(namespace) or Clues()

    def take(
        self, name: str, database: str, command: Document, reply: Document
    ) -> None:
        """Take what a command and its reply tell; most kinds tell nothing."""
        for part in parts_of(name, database, command):
            self._take(*part, reply)

    def _take(
        self, name: str, database: str, command: Document, reply: Document
    ) -> None:
        look = LOOKS.get(name)
        if look is None:
            return
        namespace = f'{database}.{command[name]}'
        clues = self._clues.setdefault(namespace, Clues())
        if clues.is_full:
            return
        for kind, value in look(command, reply):
            (clues.ids if kind == 'id' else clues.filters).append(value)
            if clues.is_full:
                return


Found = Iterator[tuple[str, Any]]


def _inserted(command: Document, reply: Document) -> Found:
    for document in command['documents']:
        yield 'id', document['_id']


def _updated(command: Document, reply: Document) -> Found:
    for upserted in reply.get('upserted', ()):
        yield 'id', upserted['_id']
    for statement in command['updates']:
        yield 'filter', _filter(statement, statement['q'], command)


def _deleted(command: Document, reply: Document) -> Found:
    for statement in command['deletes']:
        yield 'filter', _filter(statement, statement['q'], command)


def _modified(command: Document, reply: Document) -> Found:
    upserted = reply.get('lastErrorObject', {}).get('upserted')
    if upserted is not None:
        yield 'id', upserted
    yield 'filter', _filter(command, command.get('query') or {}, command)


def _filter(statement: Document, query: Any, command: Document) -> dict[str, Any]:
    selected = {'filter': query}
    selected.update({key: statement[key] for key in OPTIONS if statement.get(key)})
    if command.get('let'):
        selected['let'] = command['let']
    return selected


LOOKS = {
    'delete': _deleted,
    'findAndModify': _modified,
    'insert': _inserted,
    'update': _updated,
}
