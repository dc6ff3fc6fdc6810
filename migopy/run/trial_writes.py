"""Notice what a dry run has written past its transaction, and keep that known."""

from __future__ import annotations

from contextlib import suppress

from pymongo.errors import PyMongoError

from migopy.effects import Recording
from migopy.run.plan import Plan
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.trial_errors import TrialWrote
from migopy.state import FAILED, Run


def require_nothing_past(
    site: Site,
    plan: Plan,
    step: Step,
    effects: Recording,
    cause: BaseException | None,
) -> None:
    """Make sure that a step has written nothing that lasts; raises `TrialWrote`.

    What it wrote is kept in the history, so that the next status shows it. A child
    process cannot be heard, so it counts as having written.
    """
    outside = effects.outside
    children = effects.children.told()
    if not (outside.wrote or children):
        return
    said = [outside.describe(site.db.name), *children]
    written = '; '.join(filter(None, said))
    run = Run.new(
        step.name,
        step.direction,
        step.loaded.checksum,
        owner='',
        started=site.history.now(),
        records=[record.id for record in plan.records_of(step.migration)],
    )
    run.end(FAILED, run.started, 0, unsettled=True)
    run.error = f'a dry run that has written, or may have: {written}'
    run.effects = outside.as_document()
    is_kept = False
    with suppress(PyMongoError), site.listener.own_work():
        site.history.add(run)
        is_kept = True
    raise TrialWrote(step, written, is_kept) from cause
