"""The commands of a dry run, as they are shown to whoever has to agree to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bson import json_util

from migopy.effects import READS, namespace_of, parts_of
from migopy.preflight.sightings import OF_TRANSACTIONS, ON_THE_WAY

#: Commands of one migration that are kept, and bytes of them.
KEPT = 2000
KEPT_BYTES = 4_000_000

#: Commands that are shown as they are: they have names and options, and no data.
SHOWN_COMMANDS = frozenset(
    """
    collMod create createIndexes deleteIndexes drop dropDatabase dropIndexes
    renameCollection
    """.split()  # noqa: SIM905
)

#: Parts that are a list of statements.
STATEMENTS = frozenset({'deletes', 'updates'})

#: Parts of a command, and of a statement, that are shown as they are.
SHOWN = frozenset({'hint', 'limit', 'multi', 'ordered', 'upsert'})

OPTIONS = json_util.RELAXED_JSON_OPTIONS


class Recorder:
    """The commands of one migration that write, in the order in which they were sent.

    Invariant: `count` counts all of them, and `digest` is of all that can be written
    down, in full. `commands` are the first ones; equal ones in a row are there once,
    with their `times`. Without `values` each value is shown by its type only.
    """

    def __init__(self, values: bool) -> None:
        self.count = 0
        self.commands: list[dict[str, Any]] = []
        self.left_out = 0
        self._values = values
        self._size = 0
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Give the checksum of all commands."""
        return f'sha256:{self._hash.hexdigest()}'

    def saw(self, name: str, database: str, command: Mapping[str, Any]) -> None:
        """Take a command that is about to be sent, or was answered in its place."""
        if name in READS or namespace_of(name, database, command) is None:
            return
        for part in parts_of(name, database, command):
            self._take(*part)

    def _take(self, name: str, database: str, command: Mapping[str, Any]) -> None:
        drop = ON_THE_WAY | OF_TRANSACTIONS
        sent = {key: value for key, value in command.items() if key not in drop}
        self.count += 1
        try:
            exact = json_util.dumps({'$db': database, **sent}, json_options=OPTIONS)
        except (TypeError, ValueError):
            # A type of the project's own, which only its codec knows.
            self.left_out += 1
            return
        self._hash.update(exact.encode())
        if not self._values:
            sent = json.loads(exact)
            del sent['$db']
            shown = sent if name in SHOWN_COMMANDS else _without_values(name, sent)
            exact = json.dumps({'$db': database, **shown}, ensure_ascii=False)
        kept = json.loads(exact)
        last = self.commands[-1] if self.commands else None
        if last is not None and last['command'] == kept:
            last['times'] += 1
        elif len(self.commands) >= KEPT or self._size + len(exact) > KEPT_BYTES:
            self.left_out += 1
        else:
            self._size += len(exact)
            self.commands.append({'command': kept, 'times': 1})


def _without_values(name: str, command: Mapping[str, Any]) -> dict[str, Any]:
    """Put the types of values in their places; names of fields stay."""
    shown: dict[str, Any] = {}
    for key, value in command.items():
        if key == name:
            shown[key] = value
        elif key in STATEMENTS:
            statements = [_shown(each) for each in value]
            shown[key] = _once(statements)
        else:
            shown.update(_shown({key: value}))
    return shown


def _shown(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if key in SHOWN else _types(value) for key, value in part.items()
    }


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        # In Extended JSON {"$oid": "…"} is a single value.
        [key, *others] = value or ['']
        if not others and key in EXTENDED:
            return f'<{EXTENDED[key]}>'
        return {each: _types(inner) for each, inner in value.items()}
    if isinstance(value, list):
        return _once([_types(each) for each in value])
    return f'<{"null" if value is None else type(value).__name__}>'


def _once(shown: list[Any]) -> list[Any]:
    """Show a list of equal items as one item, and how many there are."""
    same = len(shown) > 1 and all(each == shown[0] for each in shown)
    return [shown[0], f'<{len(shown):,} of these>'] if same else shown


EXTENDED = {
    '$binary': 'binary',
    '$date': 'date',
    '$numberDecimal': 'decimal',
    '$oid': 'ObjectId',
    '$regularExpression': 'regular expression',
    '$timestamp': 'timestamp',
    '$uuid': 'UUID',
}
