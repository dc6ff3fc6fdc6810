"""What a transaction has changed, document by document, compared with what was."""

from migopy.differences.comparison import Comparison as Comparison
from migopy.differences.comparison import compare as compare
from migopy.differences.fields import Change as Change
from migopy.differences.fields import changes as changes
from migopy.differences.lookup import look_up as look_up
from migopy.differences.raw import ARRAY as ARRAY
from migopy.differences.raw import DOCUMENT as DOCUMENT
from migopy.differences.raw import Value as Value
from migopy.differences.raw import document_with as document_with
from migopy.differences.raw import documents as documents
from migopy.differences.raw import elements as elements
from migopy.differences.raw import id_of as id_of
from migopy.differences.raw import with_id as with_id
from migopy.differences.scan import Difference as Difference
from migopy.differences.scan import Scan as Scan
from migopy.differences.states import NOWHERE as NOWHERE
from migopy.differences.states import States as States
from migopy.differences.states import collection_of as collection_of
from migopy.differences.states import look as look
from migopy.differences.states import state_before as state_before
