"""Collections filled by `mongorestore`, under other names, and checked afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from pymongo.database import Database

from migopy.dumps.database import drop
from migopy.dumps.folder import Dump
from migopy.dumps.format import LONGEST_STEM, Say, Stored
from migopy.dumps.tools import Tool, ToolFailed

# A command line has its limits; each name stands in it four times.
_AT_A_TIME = 200


class Mongorestore:
    """Fill collections by mongorestore, which is faster than PyMongo.

    Invariant: what it has not filled completely is dropped, for PyMongo to fill. That
    is found out by counting, as it ends with status 0 even if documents failed.
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
        taken = {name: pair for name, pair in names.items() if _takes(pair[0])}
        # It reads whatever lies in the folder.
        if not taken or self._dump.foreign or not self._dump.holds_nothing_else():
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

    def _is_whole(self, stored: Stored, staged: str) -> bool:
        collection = self._db[staged]
        return collection.estimated_document_count() == stored.count and len(
            list(collection.list_indexes())
        ) == len(stored.indexes)


def _takes(stored: Stored) -> bool:
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
