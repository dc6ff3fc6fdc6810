"""A way back that nobody wrote: images of what a migration changes, and the undo."""

from migopy.undo.capture import Capture as Capture
from migopy.undo.capture import capturing as capturing
from migopy.undo.capture import keep as keep
from migopy.undo.deciding import KEEP as KEEP
from migopy.undo.deciding import OURS as OURS
from migopy.undo.deciding import STOP as STOP
from migopy.undo.deciding import THEIRS as THEIRS
from migopy.undo.defining import DEFINING as DEFINING
from migopy.undo.defining import Defining as Defining
from migopy.undo.defining import require_kept as require_kept
from migopy.undo.defining import settle_left as settle_left
from migopy.undo.definitions import OPTION_DEFAULTS as OPTION_DEFAULTS
from migopy.undo.errors import Conflicts as Conflicts
from migopy.undo.errors import InTheWay as InTheWay
from migopy.undo.errors import NotCovered as NotCovered
from migopy.undo.errors import NotExact as NotExact
from migopy.undo.errors import OfNoImages as OfNoImages
from migopy.undo.errors import TooManyImages as TooManyImages
from migopy.undo.images import Images as Images
from migopy.undo.kept import Kept as Kept
from migopy.undo.kept import Known as Known
from migopy.undo.kinds import Kinds as Kinds
from migopy.undo.paging import Paging as Paging
from migopy.undo.pairs import Damaged as Damaged
from migopy.undo.touched import Unkept as Unkept
from migopy.undo.undoing import Undo as Undo
