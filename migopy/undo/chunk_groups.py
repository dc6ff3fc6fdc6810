"""Chunks that are restored together, so that a server far away is asked less often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migopy.differences import Difference
from migopy.undo.image_sets import Chunk, ImageSet
from migopy.undo.images import Images

#: Documents of a group, and bytes before and after, or those of one chunk.
DOCUMENTS = 4000
BYTES = 4_000_000


def grouped(kept: ImageSet, chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Put chunks in a row together that are of one collection.

    Invariant: no document is in two chunks of a group, and a definition is alone.
    """
    group: list[Chunk] = []
    documents = size = 0
    for chunk in chunks:
        count, length = len(chunk.pairs), _bytes_of(chunk)
        if group and not (
            _fit(kept, group[-1], chunk)
            and documents + count <= DOCUMENTS
            and size + length <= BYTES
        ):
            yield group
            group, documents, size = [], 0, 0
        group.append(chunk)
        documents += count
        size += length
    if group:
        yield group


def groups_of(images: Images, kept: ImageSet) -> Iterator[list[Chunk]]:
    """Read the chunks that are left, in groups; raises what `Images.chunks` does."""
    return grouped(kept, images.chunks(kept))


def pairs_of(group: Iterable[Chunk]) -> list[Difference]:
    """Give the pairs of all chunks of a group."""
    return [pair for chunk in group for pair in chunk.pairs]


def _fit(kept: ImageSet, one: Chunk, other: Chunk) -> bool:
    if one.record is not None or other.record is not None:
        return False
    return one.namespace == other.namespace and one.namespace not in kept.repeated


def _bytes_of(chunk: Chunk) -> int:
    return sum(
        [len(each.before or b'') + len(each.after or b'') for each in chunk.pairs]
    )
