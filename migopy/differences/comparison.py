"""The first documents of a collection that a transaction has changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from bson import encode
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from migopy.differences.raw import Value, documents, id_of
from migopy.differences.scan import Difference, Scan
from migopy.differences.states import States
from migopy.effects import Clues
from migopy.server import reason_of

#: Seconds that the search by clues may take, and one filter of it.
GUESSING = 1.5
ONE_GUESS = 0.5

#: How many documents of a filter are looked at for each that is wanted.
LOOKED_AT = 4


@dataclass
class Comparison:
    """What was found of one collection, `database.collection`.

    Invariant: each difference was made by the transaction. `wanted` is how many were
    looked for. If fewer were found, there are no more (`is_whole`), or time ran out
    after `compared` documents, or there is a `reason`.
    """

    namespace: str
    wanted: int
    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    is_whole: bool = False
    reason: str = ''

    @property
    def is_bounded(self) -> bool:
        """Tell whether there may be more than was found and wanted."""
        return len(self.differences) < self.wanted and not self.is_whole

    @property
    def is_full(self) -> bool:
        """Tell whether as many were found as were wanted, so that there may be more."""
        return len(self.differences) >= self.wanted and not self.is_whole


def compare(
    states: States, namespace: str, clues: Clues, wanted: int, seconds: float
) -> Comparison:
    """Look for the first documents that differ, for so many seconds at most.

    First where `clues` lead, which is fast, then through all documents, in the order
    of `_id`. What cannot be compared is told as the `reason`, never raised.
    """
    until = time.monotonic() + seconds
    comparison = Comparison(namespace, wanted)
    try:
        _search(states, comparison, clues, until)
    except PyMongoError as error:
        comparison.reason = reason_of(error).partition(' to execute command')[0]
    return comparison


def _search(states: States, comparison: Comparison, clues: Clues, until: float) -> None:
    namespace, wanted = comparison.namespace, comparison.wanted
    is_new = not states.exists(namespace)
    guessed = _guessed(states, namespace, clues, wanted, until)
    scan = Scan(states, namespace, until)
    known: set[Value] = set()
    for found in chain(guessed, scan.differences()):
        if found.id in known:
            continue
        known.add(found.id)
        if is_new or states.is_own(namespace, *found):
            comparison.differences.append(found)
            if len(comparison.differences) == wanted:
                return
    comparison.compared, comparison.is_whole = scan.compared, scan.is_whole


def _guessed(
    states: States, namespace: str, clues: Clues, wanted: int, until: float
) -> Iterator[Difference]:
    """Iterate over the differences of documents that clues lead to."""
    until = min(until, time.monotonic() + GUESSING)
    for id in _ids(states, namespace, clues, wanted):
        if time.monotonic() > until:
            return
        old, new = states.before(namespace, id), states.after(namespace, id)
        if old != new:
            yield Difference(old, new)


def _ids(states: States, namespace: str, clues: Clues, wanted: int) -> Iterator[Value]:
    for id in clues.ids:
        # Types that only the project's client can encode are left to the scan.
        try:
            yield id_of(encode({'_id': id}))
        except (BSONError, ValueError, TypeError):
            continue
    for query in clues.filters:
        yield from _selected(states, namespace, query, wanted * LOOKED_AT)


def _selected(
    states: States, namespace: str, query: dict[str, Any], most: int
) -> Iterator[Value]:
    """Iterate over the `_id`s that a filter selects now, outside of any transaction.

    In a transaction an error would end that; here it ends only the search.
    """
    try:
        batches = states.collection(namespace).find_raw_batches(
            **query,
            projection=['_id'],
            limit=most,
            max_time_ms=round(ONE_GUESS * 1000),
        )
        found = [id_of(each) for batch in batches for each in documents(batch)]
    except (PyMongoError, BSONError, ValueError, TypeError):
        return
    yield from found
