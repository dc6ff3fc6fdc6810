"""The table of commands, by what they are for; the rest of it is in `manager.py`."""

from migopy.table.background import Background
from migopy.table.dumps import Dumps
from migopy.table.files import Files
from migopy.table.images import Images
from migopy.table.previews import Previews
from migopy.table.records import Records
from migopy.table.rehearsals import Rehearsals
from migopy.table.status import Status
from migopy.table.steering import Steering

__all__ = [
    'Background',
    'Dumps',
    'Files',
    'Images',
    'Previews',
    'Records',
    'Rehearsals',
    'Status',
    'Steering',
]
