"""What is to be done with documents: the function's answers as operations."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Union

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, ReplaceOne, UpdateOne

from migopy.backfill.answers import DELETE, Answer, Counts, kind_of
from migopy.backfill.comparison import unchanged
from migopy.backfill.documents import BY_ID, both, id_of, packed

Operation = Union[UpdateOne, ReplaceOne[Any], DeleteOne]

#: Bytes of a document and its replacement that fit into one statement, of at most
#: 16 MiB, with what else is in it.
COMPARED_UP_TO = 16_700_000

#: Bytes of a document up to which its replacement is not measured.
SMALL = 100_000


class Change(NamedTuple):
    """What is to be done with a document: a kind, and its statement in a command.

    `seen` is the document, where images are kept of it.
    """

    id: Any
    answer: Any
    kind: type
    statement: Mapping[str, Any]
    seen: bytes

    @property
    def operation(self) -> Operation:
        """Give it as PyMongo's bulks have it."""
        query = self.statement['q']
        if self.kind is DeleteOne:
            return DeleteOne(query)
        if self.kind is ReplaceOne:
            return ReplaceOne(query, self.answer)
        hint = BY_ID if 'hint' in self.statement else None
        return UpdateOne(query, self.answer, hint=hint)


class Failed(NamedTuple):
    """A document that failed: its `_id`, and the error."""

    id: Any
    error: Exception


@dataclass
class Batch:
    """What is to be done with the documents of a page.

    `last` is the page's last `_id`. A page of documents that failed in an earlier run
    has their `_id`s in `retried` instead.
    """

    changes: list[Change] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    retried: Sequence[Any] = ()
    last: Any = None
    #: The `_id`s of all documents, where images are kept of what a loop changes.
    ids: Sequence[Any] = ()

    def leave(self, keys: Sequence[Any], error: Exception) -> None:
        """Leave out documents that have failed."""
        self.changes = self._without(keys)
        self.failures += [Failed(key, error) for key in keys]

    def replace(self, keys: Sequence[Any], repeated: Batch) -> None:
        """Replace what is to be done with documents that others have changed."""
        self.changes = self._without(keys) + repeated.changes
        self.failures += repeated.failures
        self.counts.left += repeated.counts.left
        self.counts.gone += len(keys) - repeated.counts.matched

    def _without(self, keys: Sequence[Any]) -> list[Change]:
        gone = {packed(key) for key in keys}
        return [each for each in self.changes if packed(each.id) not in gone]


class ChangedMeanwhile(Exception):
    """Others changed a document each time it was about to be replaced or deleted."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f'others changed it {attempts} times meanwhile')


class Changes:
    """Asks the function what is to be done, in this thread.

    Invariant: a document that fails is noted with its error, and nothing else is lost.
    """

    def __init__(
        self,
        function: Callable[[Any], Answer],
        query: Mapping[str, Any],
        codec_options: CodecOptions[Any],
        collated: bool,
        keeps_seen: bool,
    ) -> None:
        """Give documents to `function` as `codec_options` decode them.

        `collated` is whether the collection may have a collation, `keeps_seen` whether
        images are kept.
        """
        self._function = function
        self._query = query
        self._hint = {'hint': dict(BY_ID)} if query else {}
        self._codec_options = codec_options
        self._collated = collated
        self._keeps_seen = keeps_seen

    def of(
        self,
        documents: Sequence[RawBSONDocument],
        retried: Sequence[Any] = (),
        stops_at_failure: bool = False,
        seconds: float = math.inf,
    ) -> Batch:
        """Call the function for each document, up to the first failure if asked to.

        After `seconds` the other documents are left for the next batch.
        """
        batch = Batch(retried=retried)
        end = time.monotonic() + seconds
        for document in documents:
            batch.last = id_of(document)
            batch.counts.matched += 1
            try:
                change = self._change(document, batch.last)
            except Exception as error:
                batch.failures.append(Failed(batch.last, error))
                if stops_at_failure:
                    break
            else:
                if change is None:
                    batch.counts.left += 1
                else:
                    batch.changes.append(change)
            if time.monotonic() > end:
                break
        return batch

    def _change(self, document: RawBSONDocument, key: Any) -> Change | None:
        seen = bson.decode(document.raw, codec_options=self._codec_options)
        answer: Any = self._function(seen)
        kind = kind_of(answer)
        if kind is None:
            return None
        query: dict[str, Any] = {'_id': key}
        raw = bytes(document.raw) if self._keeps_seen else b''
        if kind is UpdateOne:
            statement = {'q': both(query, self._query), 'u': answer, **self._hint}
            return Change(key, answer, kind, statement, raw)
        if self._fits(document, answer):
            query.update(unchanged(document, self._collated))
        if kind is DeleteOne:
            return Change(key, answer, kind, {'q': query, 'limit': 1}, raw)
        return Change(key, answer, kind, {'q': query, 'u': answer}, raw)

    def _fits(self, document: RawBSONDocument, answer: Any) -> bool:
        """Tell whether a document can be compared in the statement of its answer."""
        size = len(document.raw)
        if size > SMALL and answer is not DELETE:
            size += len(bson.encode(answer, codec_options=self._codec_options))
        return size <= COMPARED_UP_TO
