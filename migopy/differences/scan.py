"""The differences between two states of a collection, both in the order of `_id`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from migopy.differences.raw import LENGTH, SIZES, Value, id_of, length_at
from migopy.texts import alike

#: Bytes that are compared at once: first `WINDOW`, then twice as many each time, up to
#: `LARGEST` or one document.
WINDOW = 4096
LARGEST = 1 << 20

#: After so many equal documents in a row, bytes are compared again.
IN_A_ROW = 8


class Difference(NamedTuple):
    """A document before and after, as bytes.

    Invariant: at least one is there, and they are not the same.
    """

    before: bytes | None
    after: bytes | None

    @property
    def id(self) -> Value:
        """Give the document's `_id`."""
        return id_of(self.before or self.after or b'')


class TwoStates(Protocol):
    """Collections by `database.collection`, before a change and after it.

    Its methods raise `PyMongoError`.
    """

    def before(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it was, if it was there."""

    def after(self, namespace: str, id: Value) -> bytes | None:
        """Give the document with an `_id` as it is, if it is there."""

    def batches_before(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they were, in the order of `_id`."""

    def batches_after(self, namespace: str) -> Iterator[bytes]:
        """Iterate over all documents as they are, in the order of `_id`."""


class Reader:
    """Reads documents of batches, one after the other or many at once.

    Invariant: `left` is how many bytes were received and not passed over yet; these are
    whole documents. It is 0 only at the end.
    """

    def __init__(self, batches: Iterator[bytes]) -> None:
        self._batches = batches
        #: What was received last, and how far it is passed over.
        self.batch = b''
        self.place = 0
        self._receive()

    @property
    def left(self) -> int:
        """Give the number of bytes that can be looked at."""
        return len(self.batch) - self.place

    @property
    def document(self) -> bytes | None:
        """Give the next document, `None` at the end."""
        if not self.left:
            return None
        return self.ahead(length_at(self.batch, self.place))

    def ahead(self, size: int) -> bytes:
        """Give the next so many bytes, `left` at most."""
        return self.batch[self.place : self.place + size]

    def skip(self, size: int) -> None:
        """Pass over so many bytes, which are whole documents."""
        self.place += size
        self._receive()

    def _receive(self) -> None:
        while self.place == len(self.batch):
            batch = next(self._batches, None)
            if batch is None:
                return
            self.batch, self.place = batch, 0


class Scan:
    """Compares the two states of a collection, document by document, until a time.

    Invariant: each difference is given once, nearly in the order of `_id`. `compared`
    is how many documents of the state before were compared, `is_whole` whether these
    were all.

    Equal bytes are passed over without a look at the documents. Where bytes differ,
    documents with the same `_id` have changed. Where the `_id`s differ, the smaller one
    is missing in the other state, as both have the same order: a look there tells which
    one it is. So neither the order of BSON nor a collation need be known here.
    """

    def __init__(self, states: TwoStates, namespace: str, until: float) -> None:
        """Take the time, of `time.monotonic`, at which to give up."""
        self._states = states
        self._namespace = namespace
        self._until = until
        self.compared = 0
        self.is_whole = False

    def differences(self) -> Iterator[Difference]:
        """Iterate over the differences; raises `PyMongoError`."""
        before = Reader(self._states.batches_before(self._namespace))
        after = Reader(self._states.batches_after(self._namespace))
        while time.monotonic() < self._until:
            self.compared += pass_over_same(before, after, self._until)
            changed, count = pass_over_changed(before, after)
            yield from changed
            self.compared += count
            if count:
                continue
            old, new = before.document, after.document
            if old is None and new is None:
                self.is_whole = True
                return
            for found in self._told_apart(old, new):
                yield found
                if found.before is not None:
                    self.compared += 1
                    before.skip(len(found.before))
                if found.after is not None:
                    after.skip(len(found.after))

    def _told_apart(self, old: bytes | None, new: bytes | None) -> Iterator[Difference]:
        """Iterate over the differences that two documents with two `_id`s tell."""
        if old is None or new is None:
            yield Difference(old, new)
            return
        is_gone = self._states.after(self._namespace, id_of(old)) is None
        is_new = self._states.before(self._namespace, id_of(new)) is None
        if not is_gone and not is_new:
            # The `_id`s are equal to the server, as 1 and 1.0 are: one replaced the
            # other.
            yield Difference(old, new)
        if is_gone:
            yield Difference(old, None)
        if is_new:
            yield Difference(None, new)


def pass_over_same(before: Reader, after: Reader, until: float) -> int:
    """Pass over documents that are the same in both, until a time, and count them."""
    count, window = 0, WINDOW
    while time.monotonic() < until:
        size = min(window, before.left, after.left)
        one, other = before.ahead(size), after.ahead(size)
        same = size if one == other else alike(one, other)
        whole, passed = _whole_documents(one, same)
        before.skip(passed)
        after.skip(passed)
        count += whole
        if same < size or not size:
            break
        if window < LARGEST or not passed:
            window *= 2
    return count


def pass_over_changed(before: Reader, after: Reader) -> tuple[list[Difference], int]:
    """Pass over documents with the same `_id`s, as long as some of them have changed.

    Returns those that have, and how many documents of each state were passed over. It
    ends with the batch of either, behind `LARGEST` bytes, where the next `_id`s are not
    the same, and behind some documents in a row that have not changed.
    """
    one, other = before.batch, after.batch
    place, place_of_other = before.place, after.place
    end, end_of_other = min(len(one), place + LARGEST), len(other)
    length = LENGTH.unpack_from
    changed: list[Difference] = []
    count = in_a_row = 0
    # All is in one loop: calls for each document would take most of the time.
    while place < end and place_of_other < end_of_other and in_a_row < IN_A_ROW:
        following = place + length(one, place)[0]
        following_of_other = place_of_other + length(other, place_of_other)[0]
        old, new = one[place:following], other[place_of_other:following_of_other]
        if old == new:
            in_a_row += 1
        elif not is_of_one_id(old, new):
            break
        else:
            in_a_row = 0
            changed.append(Difference(old, new))
        place, place_of_other = following, following_of_other
        count += 1
    before.skip(place - before.place)
    after.skip(place_of_other - after.place)
    return changed, count


def aligned(before: bytes, after: bytes) -> list[Difference] | None:
    """Give the differences of documents that have the same `_id`s in the same order.

    `None` if they do not.
    """
    one, other = Reader(iter([before])), Reader(iter([after]))
    differences: list[Difference] = []
    while one.left and other.left:
        changed, count = pass_over_changed(one, other)
        if not count:
            break
        differences += changed
    return None if one.left or other.left else differences


def is_of_one_id(old: bytes, new: bytes) -> bool:
    """Tell whether two documents have the same `_id`, of the same type."""
    size = SIZES.get(old[4])
    # As in `id_of`, which takes longer.
    if size is not None and old[5:9] == new[5:9] == b'_id\0':
        return old[4 : 9 + size] == new[4 : 9 + size]
    return id_of(old) == id_of(new)


def _whole_documents(data: bytes, size: int) -> tuple[int, int]:
    """Count the documents in the first bytes, and give the bytes that they take."""
    count = place = 0
    length = LENGTH.unpack_from
    while place + LENGTH.size <= size:
        (step,) = length(data, place)
        if place + step > size:
            break
        count, place = count + 1, place + step
    return count, place
