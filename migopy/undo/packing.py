"""Pack documents before and after a migration into few bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Literal

from migopy.differences import Difference
from migopy.errors import MigopyException

#: The kinds of a pair.
INSERTED, DELETED, CHANGED = 0, 1, 2

#: What stands at the beginning of a pair: its kind, and the bytes of its document.
HEAD = struct.Struct('<BI')

#: What follows the old document if it was changed: how many bytes are the same at the
#: beginning and at the end, and how many new ones are between them.
CHANGE = struct.Struct('<III')

#: Bytes at the beginning of a document: its length, which need not be compared.
LENGTH = 4

#: How hard zlib tries; more takes much more time than it saves.
LEVEL = 1


class Damaged(MigopyException):
    """Images are not as they were written; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'The images of {name} are not as they were written: a part of them is'
            ' missing, or was changed. Nothing can be restored from them.'
        )


def packed(pairs: Iterable[Difference]) -> bytes:
    """Put pairs into bytes, compressed."""
    parts: list[bytes] = []
    head, change = HEAD.pack, CHANGE.pack
    # All in one loop: calls would take most of the time.
    for before, after in pairs:
        if before is None:
            document = after or b''
            parts += head(INSERTED, len(document)), document
            continue
        size = len(before)
        if after is None:
            parts += head(DELETED, size), before
            continue
        if after.startswith(before[LENGTH:-1], LENGTH):
            # Fields were added after all others, which is what migrations mostly do.
            same, end = size - LENGTH - 1, 1
        else:
            same, end = _around(before, after)
        middle = after[LENGTH + same : len(after) - end]
        parts += head(CHANGED, size), before, change(same, end, len(middle)), middle
    return zlib.compress(b''.join(parts), LEVEL)


def unpacked(data: bytes) -> list[Difference]:
    """Give back what `packed` took; raises `ValueError` for anything else."""
    try:
        return _unpacked(zlib.decompress(data))
    except (zlib.error, struct.error) as error:
        raise ValueError(error) from error


def _around(before: bytes, after: bytes) -> tuple[int, int]:
    """Count the equal bytes at the beginning, and those at the end."""
    most = min(len(before), len(after)) - LENGTH
    same = _same(before[LENGTH : LENGTH + most], after[LENGTH : LENGTH + most])
    rest = most - same
    end = _same(
        before[len(before) - rest :], after[len(after) - rest :], byteorder='big'
    )
    return same, end


def _same(
    one: bytes, other: bytes, byteorder: Literal['little', 'big'] = 'little'
) -> int:
    """Count the equal bytes at the beginning, or with `big` at the end.

    Both have the same length. They are compared at once, as two large numbers.
    """
    differing = int.from_bytes(one, byteorder) ^ int.from_bytes(other, byteorder)
    if not differing:
        return len(one)
    # The lowest bit that differs tells the first byte that does.
    return ((differing & -differing).bit_length() - 1) // 8


def _unpacked(data: bytes) -> list[Difference]:
    pairs = []
    place = 0
    while place < len(data):
        kind, size = HEAD.unpack_from(data, place)
        place += HEAD.size
        document = data[place : place + size]
        place += size
        if kind == INSERTED:
            pairs.append(Difference(None, document))
        elif kind == DELETED:
            pairs.append(Difference(document, None))
        else:
            same, end, count = CHANGE.unpack_from(data, place)
            place += CHANGE.size
            middle = data[place : place + count]
            place += count
            body = b''.join(
                [document[LENGTH : LENGTH + same], middle, document[size - end :]]
            )
            after = struct.pack('<i', len(body) + LENGTH) + body
            pairs.append(Difference(document, after))
    if place != len(data):
        raise ValueError('the images end in the middle of a document')
    return pairs
