"""How it is said.

The rooms that speak JSON are loaded when one of their names is asked for.
"""

from typing import TYPE_CHECKING

from migopy.lazy import late
from migopy.tell.amounts import IS_LOST, ago
from migopy.tell.failures import failure_text
from migopy.tell.json_lines import LINES, Lines, gather_answers, told_in
from migopy.tell.kept_dumps import KeptDumps, going_back
from migopy.tell.narrator import Narrator
from migopy.tell.pending import (
    elsewhere_of,
    phases_to_run,
    phases_waiting,
    ways_to_run,
)
from migopy.tell.report import Report
from migopy.tell.runs import ended_as
from migopy.tell.voice import KeptLines, Voice

if TYPE_CHECKING:
    from migopy.tell.json_answers import JsonReport
    from migopy.tell.json_data import of_error, of_failure, of_run
    from migopy.tell.json_events import JsonEvents
    from migopy.tell.json_watching import of_seen
    from migopy.tell.plans import as_markdown
    from migopy.tell.problems import lines_of_problems
    from migopy.tell.rehearsals import REALLY_RUNS, RehearsalTeller
    from migopy.tell.steering import Steered
    from migopy.tell.watching import Rates, Sight, Viewer, line_of_run, lines_of_seen

#: The rooms of the names that are loaded late.
LATE = {
    'REALLY_RUNS': 'rehearsals',
    'JsonEvents': 'json_events',
    'JsonReport': 'json_answers',
    'Rates': 'watching',
    'RehearsalTeller': 'rehearsals',
    'Sight': 'watching',
    'Steered': 'steering',
    'Viewer': 'watching',
    'as_markdown': 'plans',
    'line_of_run': 'watching',
    'lines_of_problems': 'problems',
    'lines_of_seen': 'watching',
    'of_error': 'json_data',
    'of_failure': 'json_data',
    'of_run': 'json_data',
    'of_seen': 'json_watching',
}

__all__ = [
    'IS_LOST',
    'LINES',
    'REALLY_RUNS',
    'JsonEvents',
    'JsonReport',
    'KeptDumps',
    'KeptLines',
    'Lines',
    'Narrator',
    'Rates',
    'RehearsalTeller',
    'Report',
    'Sight',
    'Steered',
    'Viewer',
    'Voice',
    'ago',
    'as_markdown',
    'elsewhere_of',
    'ended_as',
    'failure_text',
    'gather_answers',
    'going_back',
    'line_of_run',
    'lines_of_problems',
    'lines_of_seen',
    'of_error',
    'of_failure',
    'of_run',
    'of_seen',
    'phases_to_run',
    'phases_waiting',
    'told_in',
    'ways_to_run',
]

__getattr__ = late(__name__, LATE)
