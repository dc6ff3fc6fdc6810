"""What stands in for the server in a dry run, where a transaction refuses a command.

Each such command is answered as the server would answer it, as far as that can be
known, and what it would do is found out on the real data. Nothing that is written
lasts.
"""

from migopy.standin.checks import COUNTED as COUNTED
from migopy.standin.findings import DUPLICATES as DUPLICATES
from migopy.standin.findings import EXPIRED as EXPIRED
from migopy.standin.findings import MISFITS as MISFITS
from migopy.standin.findings import Foretold as Foretold
from migopy.standin.findings import Unanswerable as Unanswerable
from migopy.standin.standin import Answering as Answering
from migopy.standin.standin import StandIn as StandIn
from migopy.standin.standin import Told as Told
from migopy.standin.unindexable import ARRAYS as ARRAYS
from migopy.standin.unindexable import GEO as GEO
from migopy.standin.unindexable import TEXT as TEXT
from migopy.standin.world import World as World
