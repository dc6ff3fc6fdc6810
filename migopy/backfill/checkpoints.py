"""How far calls of `update_each` have come, for the run that goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable

import bson
from pymongo.collection import Collection

from migopy.backfill.answers import Answer
from migopy.backfill.changes import Batch
from migopy.backfill.documents import Document, packed, unpacked

#: Seconds between two checkpoints at least.
CHECKPOINT_EVERY = 1.0

#: Failed documents that are remembered by `_id`; of more only the number is known.
REMEMBERED = 1000


class Checkpoint:
    """How far one call has come.

    Invariant: all documents up to `after` are written, but for those in `failed`.
    """

    def __init__(self, start: Document, keep: Callable[[Document], None]) -> None:
        """Begin with what was kept, `{}` for nothing; `keep` takes it from now on."""
        self.begun = 'after' in start
        self.after: Any = unpacked(start['after']) if self.begun else None
        self.failed = [unpacked(each) for each in start.get('failed', ())]
        self.count: int = start.get('count', 0)
        self.done: bool = start.get('done', False)
        self._keep = keep

    def passed(self, batch: Batch, failed: Sequence[Any]) -> None:
        """Hear that a batch is written, the next one in order, but for `failed`."""
        tried = {packed(each) for each in batch.retried}
        still = [each for each in self.failed if packed(each) not in tried]
        self.failed = [*still, *failed]
        if not batch.retried:
            self.after, self.begun = batch.last, True
        self.count += batch.counts.matched - len(failed)
        # Those that are too many to remember are repeated with all that follow.
        if len(self.failed) <= REMEMBERED:
            self._keep(self.document())

    def finish(self) -> None:
        """Hear that all documents are written."""
        self.done = True
        self._keep(self.document())

    def document(self) -> Document:
        """Give what is to be kept."""
        document: Document = {
            'count': self.count,
            'failed': [packed(each) for each in self.failed],
            'done': self.done,
        }
        if self.begun:
            document['after'] = packed(self.after)
        return document


class Checkpoints:
    """How far the calls of `update_each` in one run of a migration have come.

    Invariant: a call goes on from an entry of the run before only where that can
    leave out no document; where it begins anew, no later entry holds either.
    """

    def __init__(
        self,
        earlier: Sequence[Document],
        save: Callable[[list[Document]], None],
        was_written: Callable[[str], bool],
    ) -> None:
        """Take the entries of the run before, and what writes those of this run.

        `was_written` tells of a namespace whether this run has sent it a write.
        """
        self.entries: list[Document] = []
        self._earlier = list(earlier)
        self._save = save
        self._was_written = was_written
        self._saved = time.monotonic()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Serve the calls of `update_each` in the block, in this thread."""
        token = CHECKPOINTS.set(self)
        try:
            yield
        finally:
            CHECKPOINTS.reset(token)

    def begin(self, namespace: str, key: str) -> Checkpoint:
        """Give the checkpoint of the next call; `key` tells it from any other."""
        place = len(self.entries)
        entry: Document = {'collection': namespace, 'key': key}
        self.entries.append(entry)

        def keep(document: Document) -> None:
            entry.update(document)
            if time.monotonic() - self._saved >= CHECKPOINT_EVERY:
                self.save()

        earlier = self._earlier[place : place + 1]
        if earlier and earlier[0]['key'] == key and not self._was_written(namespace):
            entry.update(earlier[0])
            # From now on it is this run that the next one looks at.
            self.save()
        else:
            del self._earlier[place:]
        return Checkpoint(entry, keep)

    def save(self) -> None:
        """Write the entries."""
        self._save(self.entries)
        self._saved = time.monotonic()


#: Those of the run of a migration that is going on in this context.
CHECKPOINTS: ContextVar[Checkpoints | None] = ContextVar('CHECKPOINTS', default=None)


def begin(
    collection: Collection[Any],
    function: Callable[[Any], Answer],
    query: Mapping[str, Any],
) -> Checkpoint:
    """Give the checkpoint of a call in the run that is going on here, if any."""
    checkpoints = CHECKPOINTS.get()
    if checkpoints is None:
        return Checkpoint({}, lambda document: None)
    found = list(collection.database.list_collections(filter={'name': collection.name}))
    what = {
        # One that was dropped and made anew has another.
        'uuid': found[0].get('info', {}).get('uuid') if found else None,
        'filter': query,
        'function': getattr(function, '__qualname__', type(function).__qualname__),
    }
    data = bson.encode(what, codec_options=collection.codec_options)
    return checkpoints.begin(collection.full_name, hashlib.sha256(data).hexdigest())
