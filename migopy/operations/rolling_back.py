"""`rollback`: undo executed migrations, the newest first."""

from __future__ import annotations

from migopy.errors import enumerated
from migopy.face import Asking
from migopy.files import importable
from migopy.operations.images import prune
from migopy.operations.orders import ChangedMeanwhile, Order
from migopy.operations.other_hosts import is_done
from migopy.operations.preparing import load_steps, prepare
from migopy.operations.ways_back import selected
from migopy.run import (
    Choice,
    Observer,
    Runner,
    warn_of_dependents,
    warn_of_later,
    warn_of_other_than_executed,
)
from migopy.site import Site


def roll_back(site: Site, order: Order, observer: Observer, asking: Asking) -> bool:
    """Run `down` of what an order takes, each unregistered right after it.

    Before several, and before one that others were executed after, `asking` is asked.
    Returns whether there was anything to run. Raises as `execute` does.
    """
    expected = _expected(site, order, asking)
    try:
        any_run = _roll_back(site, order, observer, expected, asking.will_ask)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return any_run


def _roll_back(
    site: Site,
    order: Order,
    observer: Observer,
    expected: list[str] | None,
    was_asked: bool,
) -> bool:
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if is_done(site, order, observer):
            return True
        plan = site.plan()
        migrations = selected(site, order, plan)
        if not migrations:
            return False
        names = [each.name for each in migrations]
        if expected is not None and names != expected:
            raise ChangedMeanwhile(order.asked, expected, names)
        with importable(site.directory):
            steps = load_steps(site, order, plan, migrations, observer)
            observer.planned('rollback', plan, migrations)
            warn_of_other_than_executed(plan, steps, observer)
            warn_of_dependents(plan, steps, observer)
            if not was_asked:
                warn_of_later(plan, steps, observer)
            prepare(site, plan, migrations, observer)
            _warn_of_fewer(order, len(migrations), observer)
            Runner(site, plan, observer).run(steps, order.asked)
            prune(site, observer)
    return True


def _warn_of_fewer(order: Order, number: int, observer: Observer) -> None:
    """Warn where fewer were executed than are to be rolled back by `last`.

    Those that were ignored are applied as well, and are not among them.
    """
    wanted = int(order.asked.options.get('last', 0))
    if wanted > number:
        there, those = (
            ('Only one migration was executed', 'it is')
            if number == 1
            else (f'Only {number} migrations were executed', 'all of them are')
        )
        observer.warned(f'{there}, not {wanted}: {those} rolled back')


def _expected(site: Site, order: Order, asking: Asking) -> list[str] | None:
    """Ask a person about several before the lock is taken.

    Returns the names of those that `last` or `to` are about; `None` without these.
    """
    if not ({'last', 'to'} & set(order.asked.options)):
        if asking.will_ask:
            _ask_about_later(site, order, asking)
        return None
    names = [each.name for each in selected(site, order, site.plan())]
    if len(names) > 1:
        asking.require(f'Roll back {len(names)} migrations: {enumerated(names)}')
    return names


def _ask_about_later(site: Site, order: Order, asking: Asking) -> None:
    """Ask about one that is named, and that others were executed after."""
    plan = site.plan()
    for typed in order.asked.values:
        name = Choice(plan).name_of(str(typed))
        if later := plan.executed_after(name):
            asking.require(
                f'Roll back {name}, and leave {len(later):,} applied that ran after it:'
                f' {enumerated(later)}'
            )
