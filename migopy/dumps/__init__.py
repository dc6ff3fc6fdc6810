"""A dump before a deploy, and the way back.

What other wings use of it. Commands that dump import it when they do: `fab migrations`
is to start fast.
"""

from migopy.dumps.dumps import Dumps as Dumps
from migopy.dumps.errors import DirectoryUnreadable as DirectoryUnreadable
from migopy.dumps.errors import DumpFailed as DumpFailed
from migopy.dumps.errors import ForeignDump as ForeignDump
from migopy.dumps.errors import RestoreFailed as RestoreFailed
from migopy.dumps.errors import RestoreRefused as RestoreRefused
from migopy.dumps.errors import UnknownDump as UnknownDump
from migopy.dumps.folder import Dump as Dump
from migopy.dumps.tools import Connection as Connection
