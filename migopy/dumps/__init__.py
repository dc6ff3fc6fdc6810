"""A dump before a deploy, and the way back.

What other wings use of it. Commands that dump import it when they do: `fab migrations`
is to start fast.
"""

from migopy.dumps.database import plain_database as plain_database
from migopy.dumps.database import servers_of as servers_of
from migopy.dumps.dumps import Dumps as Dumps
from migopy.dumps.errors import FAILURES as FAILURES
from migopy.dumps.errors import DirectoryUnreadable as DirectoryUnreadable
from migopy.dumps.errors import DumpFailed as DumpFailed
from migopy.dumps.errors import DumpOfOtherServer as DumpOfOtherServer
from migopy.dumps.errors import ForeignDump as ForeignDump
from migopy.dumps.errors import RestoreFailed as RestoreFailed
from migopy.dumps.errors import RestoreRefused as RestoreRefused
from migopy.dumps.errors import UnknownDump as UnknownDump
from migopy.dumps.errors import reason_of as reason_of
from migopy.dumps.exchange import Mark as Mark
from migopy.dumps.filling import Filler as Filler
from migopy.dumps.folder import Dump as Dump
from migopy.dumps.format import STAGED as STAGED
from migopy.dumps.format import Progress as Progress
from migopy.dumps.format import Stored as Stored
from migopy.dumps.keeping import newest_before as newest_before
from migopy.dumps.listed import SNAPSHOT_TOO_OLD as SNAPSHOT_TOO_OLD
from migopy.dumps.listed import changes_noticed as changes_noticed
from migopy.dumps.listed import extent_of as extent_of
from migopy.dumps.listed import has_snapshots as has_snapshots
from migopy.dumps.listed import stored_in as stored_in
from migopy.dumps.raw import raw_batches as raw_batches
from migopy.dumps.tools import Connection as Connection
