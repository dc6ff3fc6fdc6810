"""Collections filled by `mongorestore`, under other names, and checked afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bson import json_util
from pymongo.database import Database

from migopy.dumps.database import drop, silent_members
from migopy.dumps.filling import has_empty_timestamp
from migopy.dumps.folder import Dump
from migopy.dumps.format import LONGEST_STEM, Say, Stored
from migopy.dumps.tools import Tool, ToolFailed
from migopy.errors import enumerated

# A command line has its limits; each name stands in it four times.
_AT_A_TIME = 200


class Mongorestore:
    """Fills collections by mongorestore, which is faster than PyMongo.

    Invariant: what it has not filled as it is stored is dropped, for PyMongo to fill.
    Documents are counted, as it ends with status 0 even if some failed; indexes and
    options are compared, as older versions change some. A document that the server
    changes in an insert, which versions before 100.12 do not set right, it does not
    get.
    """

    def __init__(self, tool: Tool, db: Database[Any], dump: Dump, say: Say) -> None:
        self._tool = tool
        self._db = db
        self._dump = dump
        self._say = say

    def fill(self, names: Mapping[str, tuple[Stored, str]]) -> dict[str, str]:
        """Fill collections; give those that are whole, and their names for now.

        `names` has for each collection what is stored, and the name it gets.
        """
        # It reads whatever lies in the folder.
        if self._dump.foreign or not self._dump.holds_nothing_else():
            return {}
        # It leaves it to the server how many members an index waits for: for all.
        if silent := silent_members(self._db):
            self._say(
                f'{enumerated(silent)} cannot be reached, and {self._tool.path} would'
                ' wait for that: PyMongo restores all.'
            )
            return {}
        taken = {name: pair for name, pair in names.items() if self._takes(pair[0])}
        if not taken:
            return {}
        whole = {}
        try:
            for some in _parts(taken):
                self._run(some)
        except ToolFailed as error:
            self._say(f'{error}\nPyMongo restores what it has not.')
        for name, (stored, staged) in taken.items():
            if self._is_whole(stored, staged):
                whole[name] = staged
            else:
                drop(self._db, [staged])
        return whole

    def _run(self, names: Mapping[str, tuple[Stored, str]]) -> None:
        arguments = ['--keepIndexVersion', '--maintainInsertionOrder']
        if any(stored.is_validated for stored, _ in names.values()):
            arguments.append('--bypassDocumentValidation')
        for name, (_, staged) in names.items():
            namespace = _pattern(f'{self._db.name}.{name}')
            arguments += [
                f'--nsInclude={namespace}',
                f'--nsFrom={namespace}',
                f'--nsTo={self._db.name}.{staged}',
            ]
        self._tool.run(*arguments, f'--dir={self._dump.path}')

    def _takes(self, stored: Stored) -> bool:
        return _finds(stored) and not any(
            any(has_empty_timestamp(document) for document in documents)
            for documents in self._dump.batches(stored)
        )

    def _is_whole(self, stored: Stored, staged: str) -> bool:
        collection = self._db[staged]
        return (
            collection.estimated_document_count() == stored.count
            and _spelled(collection.options()) == _spelled(stored.options)
            and _all_spelled(collection.list_indexes()) == _all_spelled(stored.indexes)
        )


def _all_spelled(indexes: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(map(_spelled, indexes))


def _spelled(definition: Mapping[str, Any]) -> str:
    """Spell a definition so that equal texts mean the same, in the same order.

    Old servers keep the namespace in that of an index, and PyMongo leaves it out.
    """
    given = {name: value for name, value in definition.items() if name != 'ns'}
    return json_util.dumps(given, json_options=json_util.CANONICAL_JSON_OPTIONS)


def _finds(stored: Stored) -> bool:
    """Tell whether mongorestore (100.18) finds the name of what it restores.

    If a name is too long for a file, it looks it up in the metadata, and unescapes it
    though it is not escaped. A `$` has a meaning in its patterns.
    """
    if '$' in stored.name:
        return False
    is_short = len(quote_plus(stored.data_name)) <= LONGEST_STEM
    return is_short or unquote_plus(stored.name) == stored.name


def _pattern(namespace: str) -> str:
    r"""Spell a namespace as mongorestore's patterns do, where `*` stands for any."""
    return re.sub(r'([*\\])', r'\\\1', namespace)


def _parts(
    names: Mapping[str, tuple[Stored, str]],
) -> Iterator[dict[str, tuple[Stored, str]]]:
    left = list(names.items())
    while left:
        yield dict(left[:_AT_A_TIME])
        left = left[_AT_A_TIME:]
