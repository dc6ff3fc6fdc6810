"""A look before a run: what a file and the server tell of migrations, as findings.

It only reads, in bounded time. What it cannot find out it does not tell.
"""

from migopy.preflight.basis import basis_of as basis_of
from migopy.preflight.basis import checksum_of as checksum_of
from migopy.preflight.checked_step import Tried as Tried
from migopy.preflight.findings import Finding as Finding
from migopy.preflight.judging import Ahead as Ahead
from migopy.preflight.judging import judge as judge
from migopy.preflight.members import down_and_behind as down_and_behind
from migopy.preflight.recorded import Recorder as Recorder
from migopy.preflight.server_queries import Server as Server
from migopy.preflight.sightings import Sightings as Sightings
