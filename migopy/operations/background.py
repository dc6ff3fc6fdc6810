"""`work`: run migrations that say `phase = 'background'`, beside deploys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from migopy.files import importable
from migopy.operations.images import prune
from migopy.operations.orders import Order
from migopy.operations.other_hosts import is_done
from migopy.operations.preparing import load_steps, prepare
from migopy.operations.ways_back import selected
from migopy.run import Observer, Runner
from migopy.site import Site

if TYPE_CHECKING:
    from migopy.files import Migration
    from migopy.run import Plan, Step


def work(site: Site, order: Order, observer: Observer) -> bool:
    """Run `up` of the migrations for the background, one after the other.

    Returns whether there was anything to run. Raises as `execute` does.
    """
    try:
        any_run = _work(site, order, observer)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return any_run


def _work(site: Site, order: Order, observer: Observer) -> bool:
    """Hold the worker's lock, and the other commands' lock only to begin a migration.

    So no other command can decide differently at the same moment, and they know what
    runs by its mark in the history: no migration is run, ignored or rolled back by two
    commands at once.
    """
    done: list[str] = []
    with _alone(site, order, observer) as at_work:
        if is_done(site, order, observer):
            return True
        while True:
            step = _next(site, order, observer, done)
            if step is None:
                return bool(done)
            # No deploy waits while this waits for a turn that another database has.
            with step.turn, ExitStack() as deploys:
                deploys.enter_context(
                    site.locked(order.asked.name, order.wait, observer.waiting)
                )
                plan = site.plan()
                now = _selected(site, order, plan, done)
                if [each.name for each in now] != [step.name]:
                    continue
                prepare(site, plan, [step.migration], observer)
                if step.loaded.images(site.settings.undo):
                    prune(site, observer)
                observer.planned('work', plan, [step.migration])
                runner = Runner(at_work, plan, observer, begun=deploys.close)
                runner.run([_in_turn(step)], order.asked)
            done.append(step.name)


@contextmanager
def _alone(site: Site, order: Order, observer: Observer) -> Iterator[Site]:
    """Hold the worker's lock; give the site with it in the place of its lock."""
    lock = site.lock.of_worker()
    held = lock.held(order.asked.name, order.wait, observer.waiting)
    with site.listener.own_work(), held:
        site.history.end_transactions_of(lock.formers)
        yield site.under(lock)


def _next(site: Site, order: Order, observer: Observer, done: list[str]) -> Step | None:
    """Import what is to run next, if there is anything."""
    plan = site.plan()
    migrations = _selected(site, order, plan, done)
    if not migrations:
        return None
    with importable(site.directory):
        [step] = load_steps(site, order, plan, migrations, observer)
    return step


def _selected(site: Site, order: Order, plan: Plan, done: list[str]) -> list[Migration]:
    # A migration that was named is selected once.
    return [] if done and order.names else selected(site, order, plan)


def _in_turn(step: Step) -> Step:
    return step._replace(loaded=step.loaded._replace(turn=nullcontext()))
