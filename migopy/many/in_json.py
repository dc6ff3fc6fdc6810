"""What a command on many databases tells in lines of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migopy.commands import Spelling
from migopy.many.outcomes import Outcome, word
from migopy.many.status import Standing
from migopy.state import Run
from migopy.tell import LINES, of_error, of_failure, of_run, of_seen


def tell_outcome(outcome: Outcome, spelling: Spelling) -> None:
    """Write a line about a database that is done, if JSON was asked for."""
    lines = LINES.get()
    if lines is None:
        return
    gathered, error = outcome.gathered, outcome.error
    shown = {name: value for name, value in outcome.shown.items() if name != 'status'}
    if gathered.failure is not None:
        shown['failed'] = of_failure(gathered.failure, spelling)
    about = {
        'database': outcome.database.title,
        'outcome': word(outcome),
        'seconds': round(outcome.seconds, 3),
        'migrations': [
            {'name': name, 'outcome': how, 'effects': changes}
            for name, how, changes in gathered.runs
        ],
        'would_do': [
            {'name': name, 'effects': changes} for name, changes in gathered.trials
        ],
        'warnings': gathered.warnings,
        'said': list(outcome.said),
        'error': None if error is None else of_error(error, spelling),
    }
    # What preflight shows has a field of the same name, for those that it looked at.
    rest = {name: value for name, value in shown.items() if name not in about}
    lines.event('database', **about, **rest)


def answer_result(result: object) -> None:
    """Keep what a command has returned, if anything, and JSON was asked for."""
    lines = LINES.get()
    if lines is not None and result is not None:
        lines.answer(result=result)


def answer_standings(standings: Sequence[tuple[str, Standing]]) -> None:
    """Keep where all databases stand for the last line, if JSON was asked for."""
    lines = LINES.get()
    if lines is None:
        return
    found: list[dict[str, Any]] = [
        {
            'database': title,
            'applied_up_to': standing.applied_up_to or None,
            'pending': standing.pending,
            'remarks': list(standing.notes),
            'needs_attention': bool(standing.pending) or standing.does_not_fit,
        }
        for title, standing in standings
    ]
    lines.answer(databases=found)


def tell_looked(running: Sequence[Outcome], count: int) -> None:
    """Write a line about each database where something runs, if JSON was asked for.

    Behind those comes one about the look at all `count` databases.
    """
    lines = LINES.get()
    if lines is None:
        return
    for each in running:
        if each.seen is not None:
            lines.event(
                'watched',
                database=each.database.title,
                **of_seen(each.seen),
                # These are seen only by a look at one database.
                **dict.fromkeys(('builds', 'operations', 'load', 'unseen')),
            )
    lines.event('looked', databases=count, running=len(running))


def answer_ended(ended: Sequence[tuple[str, Run]]) -> None:
    """Keep runs that were watched for the last line, if JSON was asked for."""
    lines = LINES.get()
    if lines is not None:
        found = [{'database': title, 'run': of_run(None, run)} for title, run in ended]
        lines.answer(databases=found)
