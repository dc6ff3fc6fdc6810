"""Change each document of a large collection, and go on where it stopped.

Most migrations do nothing of the kind: what does it is loaded when its names are asked
for.
"""

from typing import TYPE_CHECKING

from migopy.backfill.checkpoints import Checkpoints
from migopy.backfill.documents import UnreadableId
from migopy.backfill.loops import (
    BatchAborted,
    CaughtInBatch,
    InLoop,
    LeftBatch,
    NotInBatch,
    OutsideBatch,
    TriedStep,
    is_in_tried_batch,
    is_of_pages,
    loops_tried,
)
from migopy.lazy import late

if TYPE_CHECKING:
    from migopy.backfill.answers import DELETE, Counts, DocumentsFailed
    from migopy.backfill.calls import batches, update_each
    from migopy.backfill.images import PageImages
    from migopy.backfill.server_load import ServerLoad
    from migopy.backfill.target import NotACollection, ReplacedMeanwhile
    from migopy.backfill.transactions import NotOnce

#: The rooms of the names that are loaded late.
LATE = {
    'DELETE': 'answers',
    'Counts': 'answers',
    'DocumentsFailed': 'answers',
    'NotACollection': 'target',
    'NotOnce': 'transactions',
    'PageImages': 'images',
    'ReplacedMeanwhile': 'target',
    'ServerLoad': 'server_load',
    'batches': 'calls',
    'update_each': 'calls',
}

__all__ = [
    'DELETE',
    'BatchAborted',
    'CaughtInBatch',
    'Checkpoints',
    'Counts',
    'DocumentsFailed',
    'InLoop',
    'LeftBatch',
    'NotACollection',
    'NotInBatch',
    'NotOnce',
    'OutsideBatch',
    'PageImages',
    'ReplacedMeanwhile',
    'ServerLoad',
    'TriedStep',
    'UnreadableId',
    'batches',
    'is_in_tried_batch',
    'is_of_pages',
    'loops_tried',
    'update_each',
]

__getattr__ = late(__name__, LATE)
