"""How one run is said: how it ended, and how long it took."""

from __future__ import annotations

from migopy.run import OpenRuns, State
from migopy.state import ROLLED_BACK, Run
from migopy.terminal import duration


def took(open_runs: OpenRuns, run: Run) -> str:
    """Say how long a run took, as far as that is known."""
    if run.duration_ms is not None:
        return duration(run.duration_ms)
    # The process was killed before it could tell, though the migration had ended.
    return '?' if open_runs.outcome_of(run) else ''


def outcome(open_runs: OpenRuns, run: Run) -> str:
    """Say in a word or two how a run ended, or that it has not.

    One of a `down` that has not rolled back says so, as it may have undone some.
    """
    said = _outcome(open_runs, run)
    return f'{said} (down)' if run.direction == 'down' and said != ROLLED_BACK else said


def _outcome(open_runs: OpenRuns, run: Run) -> str:
    state = open_runs.state_of(run)
    if state is State.UNFINISHED:
        return f'{run.outcome}, unfinished' if run.outcome else 'unfinished'
    if state is State.RUNNING:
        return 'running'
    return open_runs.outcome_of(run) or 'interrupted'
