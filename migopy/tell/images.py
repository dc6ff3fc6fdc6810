"""Images, as rows of a table and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from migopy.tell.amounts import size

if TYPE_CHECKING:
    from migopy.undo import ImageSet


def rows_of(kept: Sequence[ImageSet]) -> list[tuple[str, ...]]:
    """Give the rows of a table of images."""
    return [
        (
            each.name,
            f'{each.at:%Y-%m-%d %H:%M:%S}',
            f'{each.documents:,}',
            size(each.stored),
        )
        for each in kept
    ]


def of_kept(kept: ImageSet) -> dict[str, Any]:
    """Tell of images; `size` is in bytes."""
    return {
        'name': kept.name,
        'at': kept.at,
        'documents': kept.documents,
        'size': kept.stored,
    }
