"""The commands that a dry run has sent, and the lines of the file that sent them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migopy.effects import STATEMENTS, namespace_of, parts_of

Document = Mapping[str, Any]

#: How many commands of one line are kept, and how many lines are told apart.
KEPT = 20
MOST_LINES = 500

#: How many statements of a command are kept.
KEPT_STATEMENTS = 20

#: What PyMongo adds to a command for the way to the server.
ON_THE_WAY = frozenset({'lsid', 'txnNumber', '$clusterTime', '$readPreference', '$db'})
OF_TRANSACTIONS = frozenset({'startTransaction', 'autocommit', 'readConcern'})


@dataclass
class Sighting:
    """The commands of one kind, for one collection, that one line of a file has sent.

    Invariant: `count` and `statements` count all, `commands` are the first `KEPT`, each
    with its first `KEPT_STATEMENTS`. `line` is 0 if no line of the file led to them.
    """

    name: str
    namespace: str
    line: int
    count: int = 0
    statements: int = 0
    #: How many commands had a single statement, as a loop sends them.
    single: int = 0
    commands: list[dict[str, Any]] = field(default_factory=list)

    def take(self, command: Document) -> None:
        """Count a command, and keep it if it is one of the first."""
        listed = STATEMENTS.get(self.name, '')
        statements = len(command[listed]) if listed in command else 1
        self.count += 1
        self.statements += statements
        self.single += statements == 1
        if len(self.commands) < KEPT:
            self.commands.append(_trimmed(self.name, command))


class Sightings:
    """What one step of a dry run has sent, in the order of the first of each kind.

    Invariant: its size is bounded by the number of lines, not of commands.
    """

    def __init__(self, name: str, path: str) -> None:
        """Take the migration's name, and the path of its file."""
        self.name = name
        self.path = path
        self._by_line: dict[tuple[str, str, int], Sighting] = {}

    def saw(self, name: str, database: str, command: Document) -> None:
        """Take a command that is about to be sent, or was answered in its place."""
        line = self._line()
        for part in parts_of(name, database, command):
            self._take(*part, line)

    def _take(self, name: str, database: str, command: Document, line: int) -> None:
        namespace = _namespace(name, database, command)
        if namespace is None:
            return
        key = name, namespace, line
        seen = self._by_line.get(key)
        if seen is None:
            if len(self._by_line) >= MOST_LINES:
                return
            seen = self._by_line[key] = Sighting(name, namespace, line)
        seen.take(command)

    def all(self) -> list[Sighting]:
        """List all sightings, in the order of the first command of each."""
        return list(self._by_line.values())

    def of(self, *names: str) -> list[Sighting]:
        """List the sightings of commands of these names."""
        return [each for each in self._by_line.values() if each.name in names]

    def _line(self) -> int:
        """Give the innermost line of the file that has led here."""
        frame: Any = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                return int(frame.f_lineno)
            frame = frame.f_back
        return 0


def _namespace(name: str, database: str, command: Document) -> str | None:
    """Give what a command reads or writes, `None` for what is about no collection."""
    target = namespace_of(name, database, command) if name != 'aggregate' else None
    if target is not None and '.' in target and name not in READING:
        return target
    value = command.get(name)
    if name in ('getMore', 'killCursors') or not isinstance(value, str):
        return None
    return f'{database}.{value}' if name in READING else target


#: Commands that read a collection; their filters are looked at.
READING = frozenset({'aggregate', 'count', 'distinct', 'find'})


def _trimmed(name: str, command: Document) -> dict[str, Any]:
    """Copy a command with its lists cut, without what PyMongo has added."""
    drop = ON_THE_WAY | OF_TRANSACTIONS
    kept = {key: value for key, value in command.items() if key not in drop}
    listed = STATEMENTS.get(name)
    if listed in kept:
        kept[listed] = list(kept[listed])[:KEPT_STATEMENTS]
        if name == 'insert':
            kept[listed] = kept[listed][:1]
    return kept
