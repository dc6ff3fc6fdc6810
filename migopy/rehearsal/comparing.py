"""How a database differs from what it was at an earlier moment."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy.differences import (
    Comparison,
    Difference,
    Scan,
    Value,
    changes,
    look_up_one,
)
from migopy.rehearsal.fingerprint import Fingerprint, Shape
from migopy.rehearsal.preserving import Preserver
from migopy.rehearsal.report import Deviation, Kind
from migopy.server import reason_of
from migopy.texts import counted

#: How many documents of a collection are shown, and seconds to find them.
SHOWN = 3
SECONDS = 10.0

#: A document that has an ObjectId as its `_id` begins with its length, then these
#: bytes; and the place where the other fields begin.
LENGTH, OBJECT_ID = 4, b'\x07_id\x00'
BEHIND_ID = LENGTH + len(OBJECT_ID) + 12

#: Documents that the server sends at once.
BATCH = 4000


class Sides:
    """A collection as it was, in the database beside, and as it is."""

    def __init__(self, was: Database[Any], now: Database[Any], name: str) -> None:
        self._was = was[name]
        self._now = now[name]

    def before(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it was."""
        return look_up_one(self._was, id)

    def after(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it is."""
        return look_up_one(self._now, id)

    def batches_before(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they were, in the order of `_id`."""
        return _all(self._was)

    def batches_after(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they are, in the order of `_id`."""
        return _all(self._now)


def deviations(
    preserver: Preserver, now: Fingerprint, is_made_again: bool
) -> list[Deviation]:
    """List how a database differs now from what was preserved, with some documents.

    `is_made_again` is whether the same code has made both, so that new documents have
    other `_id`s.
    """
    was, found = preserver.state, []
    for name in sorted({*was, *now}):
        if name not in now:
            found.append(_alone(name, was[name], Kind.MISSING))
        elif name not in was:
            found.append(_alone(name, now[name], Kind.EXTRA))
        else:
            found += list(_shapes(name, was[name], now[name]))
            if was[name].measured and now[name].measured:
                found += list(_series(name, was[name], now[name], is_made_again))
            elif was[name].digest != now[name].digest:
                search = Search(f'{preserver.db.name}.{name}', is_made_again)
                found.append(_documents(name, preserver, search))
    return found


def only_counted(was: Fingerprint, now: Fingerprint) -> list[str]:
    """List the time series of which nothing but the number of documents is known."""
    return [
        name
        for name in sorted({*was} & {*now})
        if was[name].digest != now[name].digest
        and was[name].measured == now[name].measured
        and _is_counted(now[name])
    ]


def _is_counted(shape: Shape) -> bool:
    return shape.measured is not None and shape.measured.whole is None


def _series(
    name: str, was: Shape, now: Shape, is_made_again: bool
) -> Iterator[Deviation]:
    """Compare the documents of a time series, in whatever order they are."""
    before, after = was.measured, now.measured
    if before is None or after is None or was.digest == now.digest:
        return
    if before.number != after.number:
        said = f'{counted(after.number, "document")} in place of {before.number:,}'
        yield Deviation(name, Kind.NUMBER, said)
    elif before.whole != after.whole:
        is_same = is_made_again and before.bodies == after.bodies
        yield Deviation(name, Kind.IDS if is_same else Kind.DOCUMENTS)


def _alone(name: str, shape: Shape, kind: Kind) -> Deviation:
    """Tell of a collection that only one of two states has."""
    if not shape.is_bare:
        return Deviation(name, kind)
    return Deviation(name, Kind.EMPTY, 'missing' if kind is Kind.MISSING else 'new')


def _shapes(name: str, was: Shape, now: Shape) -> Iterator[Deviation]:
    if was.kind != now.kind:
        yield Deviation(name, Kind.TYPE, now.kind)
    for option in _changed(was.options, now.options):
        yield Deviation(name, Kind.OPTION, option)
    for index in _changed(was.indexes, now.indexes):
        kind = Kind.INDEX_CHANGED
        if index not in now.indexes:
            kind = Kind.INDEX_MISSING
        elif index not in was.indexes:
            kind = Kind.INDEX_EXTRA
        yield Deviation(name, kind, index)


def _changed(was: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[str]:
    return sorted(key for key in {*was, *now} if was.get(key) != now.get(key))


def _documents(name: str, preserver: Preserver, search: Search) -> Deviation:
    """Find the first documents that differ, if those of before were kept."""
    comparison = search.comparison
    try:
        if not preserver.state[name].has_documents:
            comparison.reason = 'it is no plain collection'
        elif not preserver.is_sound(name):
            comparison.reason = preserver.reasons.get(
                name, 'something has written to it that migopy does not hear'
            )
        else:
            sides = Sides(preserver.beside, preserver.db, name)
            search.through(
                Scan(sides, comparison.namespace, time.monotonic() + SECONDS)
            )
    except PyMongoError as error:
        comparison.reason = reason_of(error)
    if search.found_new_ids_alone:
        return Deviation(name, Kind.IDS)
    if comparison.is_whole and search.reordered and not comparison.differences:
        return Deviation(name, Kind.ORDER)
    return Deviation(name, Kind.DOCUMENTS, '', comparison)


class Search:
    """A search for what differs, which keeps the first few documents.

    Documents that differ only in the order of their fields are counted, not kept. If
    all were `made_again`, it also looks whether they differ only in ObjectIds that were
    generated as `_id`s.
    """

    def __init__(self, namespace: str, made_again: bool) -> None:
        self.comparison = Comparison(namespace, SHOWN)
        self.reordered = 0
        self._has_new_ids_alone = made_again
        #: How many more there were than there are now, by a digest without the `_id`.
        self._bodies: Counter[bytes] = Counter()

    @property
    def found_new_ids_alone(self) -> bool:
        """Tell whether each document that is gone is there again, by another `_id`."""
        found = self._has_new_ids_alone and self.comparison.is_whole
        return found and bool(self._bodies) and not any(self._bodies.values())

    def through(self, scan: Scan) -> None:
        """Look through both states of a collection; raises `PyMongoError`."""
        comparison = self.comparison
        for each in scan.differences():
            is_there = each.before is not None and each.after is not None
            if is_there and not changes(each.before, each.after):
                self.reordered += 1
                continue
            if len(comparison.differences) < comparison.wanted:
                comparison.differences.append(each)
            self._has_new_ids_alone = self._has_new_ids_alone and self._counted(each)
            is_enough = len(comparison.differences) == comparison.wanted
            if is_enough and not self._has_new_ids_alone:
                break
        comparison.compared, comparison.is_whole = scan.compared, scan.is_whole

    def _counted(self, difference: Difference) -> bool:
        """Count a document by its fields; tell whether just one state has its `_id`."""
        before, after = difference
        document = before or after or b''
        if (before and after) or not document.startswith(OBJECT_ID, LENGTH):
            return False
        body = hashlib.sha256(document[BEHIND_ID:]).digest()
        self._bodies[body] += 1 if before else -1
        return True


def _all(collection: Any) -> Iterator[bytes]:
    with collection.find_raw_batches({}, sort=[('_id', 1)], batch_size=BATCH) as all_:
        yield from all_
