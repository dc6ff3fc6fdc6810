"""A way back that nobody wrote: images of what a migration changes, and the undo."""

from migopy.undo.capture import Capture as Capture
from migopy.undo.capture import capturing as capturing
from migopy.undo.capture import keep as keep
from migopy.undo.conflicts import KEEP as KEEP
from migopy.undo.conflicts import OURS as OURS
from migopy.undo.conflicts import STOP as STOP
from migopy.undo.conflicts import THEIRS as THEIRS
from migopy.undo.definition_changes import Unkept as Unkept
from migopy.undo.definition_keeper import DEFINING as DEFINING
from migopy.undo.definition_keeper import DefinitionKeeper as DefinitionKeeper
from migopy.undo.definition_keeper import require_kept as require_kept
from migopy.undo.definition_keeper import settle_left as settle_left
from migopy.undo.definitions import OPTION_DEFAULTS as OPTION_DEFAULTS
from migopy.undo.errors import Conflicts as Conflicts
from migopy.undo.errors import InTheWay as InTheWay
from migopy.undo.errors import NotCovered as NotCovered
from migopy.undo.errors import NotExact as NotExact
from migopy.undo.errors import OfNoImages as OfNoImages
from migopy.undo.errors import TooManyImages as TooManyImages
from migopy.undo.image_sets import CurrentSet as CurrentSet
from migopy.undo.image_sets import ImageSet as ImageSet
from migopy.undo.images import Images as Images
from migopy.undo.packing import Damaged as Damaged
from migopy.undo.page_images import PageImager as PageImager
from migopy.undo.transaction_keepers import UnkeptCollections as UnkeptCollections
from migopy.undo.undoing import Undo as Undo
