"""Migrations rehearsed on a copy: what they do, undo and do again.

It is imported only when a rehearsal begins, or is told of.
"""

from migopy.rehearsal.copying import Copied as Copied
from migopy.rehearsal.copying import Copier as Copier
from migopy.rehearsal.copying import of_dump as of_dump
from migopy.rehearsal.guard import Guard as Guard
from migopy.rehearsal.guard import WroteElsewhere as WroteElsewhere
from migopy.rehearsal.rehearser import Rehearser as Rehearser
from migopy.rehearsal.report import HARMLESS as HARMLESS
from migopy.rehearsal.report import Caution as Caution
from migopy.rehearsal.report import Deviation as Deviation
from migopy.rehearsal.report import Kind as Kind
from migopy.rehearsal.report import Rehearsed as Rehearsed
from migopy.rehearsal.report import Stage as Stage
from migopy.rehearsal.report import Teller as Teller
from migopy.rehearsal.scratch import InUse as InUse
from migopy.rehearsal.scratch import NotScratch as NotScratch
from migopy.rehearsal.scratch import SameDatabase as SameDatabase
from migopy.rehearsal.scratch import mark as mark
from migopy.rehearsal.scratch import occupied as occupied
from migopy.rehearsal.scratch import require_another as require_another
from migopy.rehearsal.scratch import require_scratch as require_scratch
from migopy.rehearsal.server import NoRoomHere as NoRoomHere
from migopy.rehearsal.server import ServerGone as ServerGone
from migopy.rehearsal.server import private_server as private_server
from migopy.rehearsal.server import require_room as require_room
