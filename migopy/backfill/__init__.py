"""Change each document of a large collection, and go on where it stopped."""

from migopy.backfill.answers import DELETE as DELETE
from migopy.backfill.answers import Counts as Counts
from migopy.backfill.answers import DocumentsFailed as DocumentsFailed
from migopy.backfill.batches import batches as batches
from migopy.backfill.checkpoints import Checkpoints as Checkpoints
from migopy.backfill.documents import UnreadableId as UnreadableId
from migopy.backfill.each import update_each as update_each
from migopy.backfill.images import PageImages as PageImages
from migopy.backfill.loops import BatchAborted as BatchAborted
from migopy.backfill.loops import CaughtInBatch as CaughtInBatch
from migopy.backfill.loops import InLoop as InLoop
from migopy.backfill.loops import LeftBatch as LeftBatch
from migopy.backfill.loops import NotInBatch as NotInBatch
from migopy.backfill.loops import OutsideBatch as OutsideBatch
from migopy.backfill.loops import Tried as Tried
from migopy.backfill.loops import is_in_tried_batch as is_in_tried_batch
from migopy.backfill.loops import is_of_pages as is_of_pages
from migopy.backfill.loops import loops_tried as loops_tried
from migopy.backfill.server_load import ServerLoad as ServerLoad
from migopy.backfill.target import NotACollection as NotACollection
from migopy.backfill.target import ReplacedMeanwhile as ReplacedMeanwhile
from migopy.backfill.transactions import NotOnce as NotOnce
