"""How far the calls of `update_each` in a run have come, so that the next goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from migopy.backfill.documents import Document, packed, unpacked
from migopy.backfill.entries import is_sound
from migopy.backfill.loops import loops_end
from migopy.effects import Recording
from migopy.pace import Wanted
from migopy.state import KeptPages

if TYPE_CHECKING:
    from migopy.backfill.changes import Batch
    from migopy.backfill.images import PageImages

#: Seconds between two checkpoints at least.
CHECKPOINT_EVERY = 1.0

#: Failed documents that are remembered by `_id`; of further ones only the number is.
REMEMBERED = 1000


#: What hears the writes in a block, if anything does.
Recorded = AbstractContextManager[Optional[Recording]]


class Place(NamedTuple):
    """How far a call is: its entry, and the number of documents that are done.

    `is_certain` is false once more documents have failed than are remembered.
    """

    entry: Document
    documents: int
    is_certain: bool = True


class Checkpoint:
    """How far one call has come.

    Invariant: all documents up to `after` are written, except those in `failed`. Once
    more fail than are remembered, both stay as they are, and so does what is kept of
    them: the next run repeats those with all that follow.
    """

    def __init__(
        self, entry: Document, changed: Callable[[], None], anew: str = ''
    ) -> None:
        """Begin with what `entry` holds, and keep it up to date.

        `changed` is called each time it says more. `anew` says why the call does not
        go on from what the run before has done.
        """
        entry.setdefault('count', 0)
        entry.setdefault('done', False)
        # A copy: the entry of the run before keeps its own list.
        entry['failed'] = list(entry.get('failed', ()))
        self.entry = entry
        self.anew = anew
        self._changed = changed
        self._place = Place(entry, entry['count'])

    @property
    def count(self) -> int:
        """Give the number of documents that are done."""
        return self._place.documents

    @property
    def is_begun(self) -> bool:
        """Tell whether there is an `after`."""
        return 'after' in self.entry

    @property
    def after(self) -> Any:
        """Give the `_id` of the last document."""
        return unpacked(self.entry['after'])

    @property
    def wrote(self) -> list[str]:
        """List what a loop over batches has written to: collections, or databases."""
        return list(self.entry.get('wrote', ()))

    @property
    def failed(self) -> list[Any]:
        """List the `_id`s of those that failed."""
        return [unpacked(each) for each in self.entry['failed']]

    @property
    def is_done(self) -> bool:
        """Tell whether all documents are written."""
        return bool(self.entry['done'])

    def following(self, batch: Batch, failed: Sequence[Any]) -> Place:
        """Tell how far the call is when the next batch is written, but for `failed`."""
        count = self.count + batch.counts.matched - len(failed)
        known: list[bytes] = self.entry['failed']
        # No more of those that are retried can fail than have failed before.
        fits = batch.retried or len(known) + len(failed) <= REMEMBERED
        if not (self._place.is_certain and fits):
            return Place(self.entry, count, is_certain=False)
        if batch.retried:
            tried = {packed(each) for each in batch.retried}
            known = [each for each in known if each not in tried]
        entry = {**self.entry, 'count': count}
        entry['failed'] = [*known, *(packed(each) for each in failed)]
        if batch.counts.matched and not batch.retried:
            entry['after'] = packed(batch.last)
        return Place(entry, count)

    def go_to(self, place: Place) -> None:
        """Hear that the call has come to a place."""
        self.entry.update(place.entry)
        self._place = place

    def passed(self, batch: Batch, failed: Sequence[Any]) -> None:
        """Hear that the next batch in order is written, except for `failed`."""
        self.go_to(self.following(batch, failed))
        if self._place.is_certain:
            self._changed()

    def finish(self) -> None:
        """Hear that all documents are written."""
        self.entry['done'] = True
        self._changed()


class Checkpoints:
    """How far the calls of `update_each` in one run of a migration have come.

    Invariant: a call goes on from an entry of the run before only if that leaves out no
    document; if it begins anew, all later entries are void.
    """

    def __init__(
        self,
        earlier: Sequence[Document],
        save: Callable[[list[Document]], None],
        was_written: Callable[[str], bool],
        pages: KeptPages | None = None,
        pace: Wanted = None,
        heartbeats: Callable[[], Any] = lambda: None,
        recording: Callable[[], Recorded] = nullcontext,
    ) -> None:
        """Take the entries of the run before, and what writes those of this run.

        An entry that is not as migopy writes it is left out, and all after it.
        `was_written` tells of a namespace whether this run has sent it a write;
        `pages` keeps entries in the transactions that write documents, where there can
        be any. `pace` is for calls that have none of their own, and `heartbeats` gives
        the client that hears of the members. `recording` gives what hears the writes
        in its block.
        """
        self.entries: list[Document] = []
        self.pages = pages
        self.pace = pace
        self.heartbeats = heartbeats
        #: What keeps images of documents, while the calls are served.
        self.images: PageImages | None = None
        self.recording = recording
        self._earlier = list(takewhile(is_sound, earlier))
        self._save = save
        self._was_written = was_written
        self._saved = time.monotonic()

    @contextmanager
    def in_force(self, images: PageImages | None = None) -> Iterator[None]:
        """Serve the calls in the block, in this thread; raises `OutsideBatch`.

        `images` keeps what documents were, where that is wanted.
        """
        self.images = images
        token = CHECKPOINTS.set(self)
        try:
            with loops_end(are_allowed=images is None):
                yield
        finally:
            CHECKPOINTS.reset(token)

    def begin(self, namespace: str, key: str) -> Checkpoint:
        """Give the checkpoint of the next call, which `key` identifies."""
        place = len(self.entries)
        entry: Document = {'collection': namespace, 'key': key}
        self.entries.append(entry)

        earlier = self._earlier[place] if place < len(self._earlier) else None
        anew = self._anew(earlier, namespace, key) if earlier else ''
        if earlier and not anew:
            entry.update(earlier)
            # From now on it is this run that the next one looks at.
            self.save()
        else:
            del self._earlier[place:]
        is_told = earlier is not None and 'after' in earlier
        return Checkpoint(entry, self._save_in_time, anew if is_told else '')

    def _anew(self, earlier: Document, namespace: str, key: str) -> str:
        """Say why a call does not go on from an entry; '' where it does."""
        if earlier['key'] != key:
            return 'its filter, its function or its collection is another one now'
        if self._was_written(namespace) or self._has_written(earlier):
            return 'this run has written there before'
        return ''

    @property
    def kept(self) -> list[Document]:
        """Give the entries that the next run is to begin with.

        They include those that this run has not come to, up to the first one whose
        collection it has written to.
        """
        rest = self._earlier[len(self.entries) :]
        same = takewhile(lambda entry: not self._has_written(entry), rest)
        return [*self.entries, *same]

    @property
    def known(self) -> list[Document] | None:
        """Give the same for the run's document; `None` where only the database knows.

        A page that was on its way when the run ended may be written, or not.
        """
        return None if self._is_unsure else self.kept

    @property
    def is_kept(self) -> bool:
        """Tell whether there is something that the next run can go on from."""
        return self._is_unsure or bool(self.kept)

    @property
    def _is_unsure(self) -> bool:
        return self.pages is not None and self.pages.is_unsure

    def kept_with(self, mine: Document, entry: Document) -> list[Document]:
        """Give the same entries, with `entry` in the place of this run's `mine`."""
        return [entry if each is mine else each for each in self.kept]

    def _has_written(self, entry: Document) -> bool:
        """Tell whether this run has written to a collection of an earlier call."""
        names = [str(entry.get('collection')), *entry.get('wrote', ())]
        return any(map(self._was_written, names))

    def _save_in_time(self) -> None:
        if self.is_time():
            self.save()

    def is_time(self) -> bool:
        """Tell whether the lock was last checked a second ago or longer."""
        return time.monotonic() - self._saved >= CHECKPOINT_EVERY

    def save(self) -> None:
        """Write them; raises `LockLost`."""
        self._save(self.kept)
        self.note_time()

    def note_time(self) -> None:
        """Hear that the lock was checked."""
        self._saved = time.monotonic()


#: The checkpoints of the run of a migration that is going on in this context.
CHECKPOINTS: ContextVar[Checkpoints | None] = ContextVar('CHECKPOINTS', default=None)


def save() -> None:
    """Write how far the calls of the run that is going on here have come."""
    checkpoints = CHECKPOINTS.get()
    if checkpoints is not None:
        checkpoints.save()


def images_here() -> PageImages | None:
    """Give what keeps images in the run that is going on here, if anything does."""
    checkpoints = CHECKPOINTS.get()
    return checkpoints.images if checkpoints else None
