"""What a migration did, counted from the server's replies.

PyMongo tells a `CommandListener` every command it sends and every reply it gets,
whichever call was used. Here the replies are added up: documents inserted, updated
and deleted, indexes and collections made and dropped. What a reply does not tell
(`$out`, an unacknowledged write, a lost connection) is named, never guessed.
"""

from migopy.effects.bulk import parts_of as parts_of
from migopy.effects.commands import ENDS as ENDS
from migopy.effects.commands import READS as READS
from migopy.effects.commands import namespace_of as namespace_of
from migopy.effects.commands import whole_reply as whole_reply
from migopy.effects.evidence import Clues as Clues
from migopy.effects.evidence import Evidence as Evidence
from migopy.effects.failures import FailedCommand as FailedCommand
from migopy.effects.guards import Address as Address
from migopy.effects.guards import Guard as Guard
from migopy.effects.guards import Keeper as Keeper
from migopy.effects.guards import RefusedWrite as RefusedWrite
from migopy.effects.listener import EffectsListener as EffectsListener
from migopy.effects.process import listen as listen
from migopy.effects.recording import BeforeBuild as BeforeBuild
from migopy.effects.recording import Recording as Recording
from migopy.effects.refusals import STATEMENTS as STATEMENTS
from migopy.effects.tally import Changes as Changes
from migopy.effects.tally import Effects as Effects
from migopy.effects.unheard import unwatched_clients as unwatched_clients
