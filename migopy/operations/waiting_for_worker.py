"""`wait=yes`: wait for what a worker runs in the background, without a lock."""

from __future__ import annotations

from migopy.files import BACKGROUND, Migration
from migopy.operations.orders import Order
from migopy.operations.ways_back import selected
from migopy.run import Observer, Plan, Unfinished, goes_on
from migopy.signals import sleep
from migopy.site import Site

#: Seconds between two looks.
PAUSE = 1


def await_needed(site: Site, order: Order, observer: Observer) -> None:
    """Wait until nothing that an order takes needs what is still in the background.

    The observer hears for which one, and whether a worker runs it. Raises `Unfinished`
    if a person has to decide about it first.
    """
    told: tuple[str, bool] | None = None
    while True:
        plan = site.plan()
        needed = _needed(site, order, plan)
        if needed is None:
            return
        runs = plan.unfinished_of(needed)
        if runs and not goes_on(runs[-1]):
            raise Unfinished(runs, plan.file_of)
        is_running = any(run.name == needed.name for run in plan.at_work)
        if told != (needed.name, is_running):
            told = needed.name, is_running
            observer.awaiting(*told)
        sleep(PAUSE)


def _needed(site: Site, order: Order, plan: Plan) -> Migration | None:
    for migration in selected(site, order, plan):
        for each in plan.waits_for(migration):
            if plan.phase_of(each) == BACKGROUND:
                return each
    return None
