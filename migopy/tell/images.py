"""Images, as they are listed, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from migopy.commands import Command, Spelling, spelled
from migopy.errors import enumerated
from migopy.tell.amounts import size
from migopy.tell.voice import Voice
from migopy.terminal import table

if TYPE_CHECKING:
    from migopy.undo import ImageSet


def tell_images(voice: Voice, spelling: Spelling, kept: Sequence[ImageSet]) -> None:
    """List images, and how to restore documents from them."""
    if not kept:
        return voice.green('No images are kept')
    titles = ('Migration', 'Executed (UTC)', 'Documents', 'Size')
    voice.white(table(titles, rows_of(kept)))
    of_use = [each.name for each in kept if each.is_of_use and each.has_file]
    if of_use:
        again = Command('rollback', of_use[-1], undo='yes')
        voice.white(spelled(['To restore documents as they were: ', again], spelling))
    without = [each.name for each in kept if each.is_of_use and not each.has_file]
    if without:
        voice.white(
            f'Without a file in this folder, or replaced: {enumerated(without)}. To'
            ' restore from their images, bring back the folder as it was with these'
            ' (from version control, say).'
        )
    # A migration that has failed twice may have images of both runs.
    told: dict[str, None] = {}
    for each in kept:
        if not each.is_of_use:
            said = (
                f'{each.name} is not applied, so nothing can be restored from its'
                ' images. To delete them now: '
                if not each.aside
                else f'What {each.name} dropped, and nothing has brought back, is set'
                f' aside in {enumerated(each.aside)}. To delete it for good, with all'
                ' images of this migration: ',
                Command('undo', forget=each.name),
            )
            told[spelled(said, spelling)] = None
    for line in told:
        voice.white(line)
    return None


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
