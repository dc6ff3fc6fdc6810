"""How one run is said: how it ended, and how long it took."""

from __future__ import annotations

from migopy.run import OpenRuns, State
from migopy.state import Run
from migopy.terminal import duration


def took(open_runs: OpenRuns, run: Run) -> str:
    """Say how long a run took, as far as that is known."""
    if run.duration_ms is not None:
        return duration(run.duration_ms)
    # The process was killed before it could tell; that the migration ended is known.
    return '?' if open_runs.outcome_of(run) else ''


def outcome(open_runs: OpenRuns, run: Run) -> str:
    """Say in a word or two how a run ended, or that it has not."""
    state = open_runs.state_of(run)
    if state is State.UNFINISHED:
        return f'{run.outcome}, unfinished' if run.outcome else 'unfinished'
    if state is State.RUNNING:
        return 'running'
    return open_runs.outcome_of(run) or 'interrupted'
