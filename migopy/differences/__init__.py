"""What a transaction has changed, document by document, compared with what was."""

from migopy.differences.comparison import Comparison as Comparison
from migopy.differences.comparison import compare as compare
from migopy.differences.fields import Change as Change
from migopy.differences.fields import changes as changes
from migopy.differences.raw import Value as Value
from migopy.differences.scan import Difference as Difference
from migopy.differences.states import NOWHERE as NOWHERE
from migopy.differences.states import States as States
from migopy.differences.states import look as look
from migopy.differences.states import state_before as state_before
