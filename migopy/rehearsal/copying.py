"""A database copied into an empty one on another server, all of it or a part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.differences import documents
from migopy.dumps import (
    SNAPSHOT_TOO_OLD,
    Filler,
    Progress,
    Stored,
    changes_noticed,
    extent_of,
    has_snapshots,
    plain_database,
    raw_batches,
    stored_in,
)


@dataclass(frozen=True)
class Copied:
    """How many documents of each collection there are, and how many were copied.

    Invariant: the two are equal if nothing was left out. They are estimates of the
    server if only a part was asked for.
    """

    there: Mapping[str, int]
    taken: Mapping[str, int]
    sample: int | None = None

    def factor(self, names: Set[str]) -> float | None:
        """Give how many times more documents some collections have than were copied.

        `None` if all were copied.
        """
        taken = sum(self.taken.get(each, 0) for each in names)
        there = sum(self.there.get(each, 0) for each in names)
        return there / taken if taken and there > taken else None


class Copier:
    """Copies a database, which it only reads.

    Invariant: the copy is of one moment if the server gives a snapshot. Memory is
    bounded by a few batches of a megabyte.
    """

    def __init__(
        self,
        source: Database[Any],
        target: Database[Any],
        sample: int | None,
        whole: Set[str],
        progress: Progress,
    ) -> None:
        """Take both databases, and how many documents of each collection at most.

        Those named in `whole` are copied in full.
        """
        self._source = plain_database(source)
        self._sample = sample
        self._whole = whole
        self._progress = progress
        self._filler = Filler(target, self._batches, progress, is_scratch=True)
        self._session: ClientSession | None = None
        self._there: dict[str, int] = {}
        self._taken: dict[str, int] = {}

    def copy(self, excluded: Set[str]) -> Copied:
        """Copy all but the collections named in `excluded`.

        Raises what `migopy.dumps.FAILURES` lists.
        """
        contents = [
            self._counted(each.stored) for each in stored_in(self._source, excluded)
        ]
        with self._snapshot() as self._session:
            self._filler.fill_all(contents)
        return Copied(self._there, self._taken, self._sample)

    def _counted(self, stored: Stored) -> Stored:
        if stored.is_view:
            return stored
        count = self._source[stored.data_name].estimated_document_count()
        self._there[stored.name] = count
        self._taken[stored.name] = 0
        most = self._most(stored)
        return replace(stored, count=count if most is None else min(count, most))

    def _most(self, stored: Stored) -> int | None:
        return None if stored.name in self._whole else self._sample

    def _snapshot(self) -> contextlib.AbstractContextManager[ClientSession | None]:
        if has_snapshots(self._source):
            return self._source.client.start_session(snapshot=True)
        return contextlib.nullcontext()

    def _batches(self, stored: Stored) -> Iterator[list[bytes]]:
        for batch in _read_ahead(self._encoded(stored)):
            whole = list(documents(batch))
            self._taken[stored.name] += len(whole)
            yield whole

    def _encoded(self, stored: Stored) -> Iterator[bytes]:
        has_begun = False
        try:
            session = None if stored.is_capped else self._session
            for batch in self._read(stored, session):
                has_begun = True
                yield batch
        except OperationFailure as error:
            if error.code != SNAPSHOT_TOO_OLD or has_begun:
                raise
            # The copy took longer than the server keeps its snapshots.
            self._session = None
            yield from self._read(stored, None)

    def _read(self, stored: Stored, session: ClientSession | None) -> Iterator[bytes]:
        collection = self._source[stored.data_name]
        most = self._most(stored)
        how: dict[str, Any] = {'hint': [('$natural', 1)]}
        if most is not None:
            # The newest ones: what they refer to is more likely to be there as well.
            how = {'sort': [('$natural' if stored.is_capped else '_id', -1)]}
            how['limit'] = most
        how['batch_size'] = extent_of(collection).batch_size
        batches = raw_batches(collection, session, **how)
        with contextlib.closing(batches), changes_noticed(stored):
            for batch in batches:
                yield batch.data


def _read_ahead(batches: Iterator[bytes]) -> Iterator[bytes]:
    """Iterate over batches; the next one is read while one is worked on."""
    with ThreadPoolExecutor(1, 'migopy-copy') as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def of_dump(contents: Sequence[Stored]) -> Copied:
    """Describe a copy that was filled from a dump, which has all documents."""
    counts = {each.name: each.count or 0 for each in contents if not each.is_view}
    return Copied(counts, counts)
