"""How runs are said: when each began, how it ended, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from migopy.commands import Command, Spelling, spelled
from migopy.run import OpenRuns, Plan, State
from migopy.state import IGNORED, ROLLED_BACK, Run
from migopy.tell.voice import Voice
from migopy.terminal import duration, table_rows, texts_of

#: How many texts are looked through for an equal one.
SAME = 100


def tell_runs(
    voice: Voice, spelling: Spelling, open_runs: OpenRuns, runs: Iterable[Run]
) -> None:
    """Show runs as a table, in the order given."""
    # Most began, ended and took as others did: one text serves all of these.
    same = lru_cache(SAME)(str)
    rows = [
        (
            same(f'{run.started:%Y-%m-%d %H:%M:%S}'),
            '\n'.join(filter(None, [run.name, run.error])),
            same(outcome(open_runs, run)),
            same(took(open_runs, run)),
            same(str(run.agent)),
        )
        for run in runs
    ]
    if not rows:
        # What is applied may have run under 1.0.
        none = 'The history has no runs (1.0 kept none). See what is applied: '
        return voice.white(spelled((none, Command('list')), spelling))
    titles = ('Started (UTC)', 'Migration', 'Outcome', 'Took', 'By')
    for text in texts_of(table_rows(titles, rows)):
        voice.white(text)
    return None


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
        return f'{_ended(run)}, unfinished' if run.outcome else 'unfinished'
    if state is State.RUNNING:
        return 'running'
    took_effect = open_runs.outcome_of(run) != run.outcome
    return run.good_outcome if took_effect else _ended(run)


def _ended(run: Run) -> str:
    """Say in a word or two what has ended a run, or that it could not tell its end."""
    if run.outcome is None:
        return 'killed or cut off'
    if not run.interrupted:
        return run.outcome
    return 'stopped' if (run.error or '').startswith('stopped') else 'interrupted'


def ended_as(run: Run) -> str:
    """Say in a word or two how a run has ended well."""
    if run.outcome == IGNORED and run.direction == 'down':
        return 'taken as rolled back'
    return run.outcome or ''


def running_now(run: Run) -> str:
    """Say in a line what runs, by whom and since when."""
    by = f'{run.agent} (process {run.agent.pid})'
    since = f'{run.started:%Y-%m-%d %H:%M:%S}'
    return f'{run.name} ({run.direction}) by {by} since {since} UTC'


def attempt_now(plan: Plan, run: Run) -> str:
    """Say what runs, and how often it was left unfinished before."""
    earlier = plan.unfinished_of(run)
    if not earlier:
        return running_now(run)
    last = f'{earlier[-1].started:%Y-%m-%d %H:%M:%S} UTC'
    attempts = 'an attempt' if len(earlier) == 1 else f'{len(earlier):,} attempts'
    return f'{running_now(run)}, after {attempts} left unfinished, the last of {last}'


def watching(plan: Plan) -> Command:
    """Give the command that shows how far what runs is."""
    is_worker = len(plan.at_work) == len(plan.open_runs.running)
    return Command('watch', worker='yes' if is_worker else None)
