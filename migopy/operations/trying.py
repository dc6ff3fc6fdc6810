"""A dry run: migrations run in a transaction that is then aborted."""

from __future__ import annotations

from migopy.files import importable
from migopy.operations.orders import Order
from migopy.operations.preparing import loaded
from migopy.run import (
    Observer,
    require_transactions,
    try_out,
    warn_of_other_than_executed,
)
from migopy.site import Site
from migopy.state import Locked


def dry_run(
    site: Site, order: Order, observer: Observer, show: int | None = None
) -> None:
    """Run what an order takes in a transaction that is then aborted: a dry run.

    `show` is how many documents of each collection are shown before and after. Raises
    `Locked` where another command runs, and what `try_out` does.
    """
    plan = site.plan()
    migrations = order.select(plan)
    holder = site.lock.holder()
    if holder:
        raise Locked(holder, waited=0)
    if not migrations:
        return observer.nothing_to_try()
    require_transactions(site.db.client, 'A dry run')
    with importable(site.directory):
        steps = loaded(site, order, plan, migrations, observer)
        if order.direction == 'down':
            warn_of_other_than_executed(plan, steps, observer)
        try_out(site, plan, observer, steps, order.asked, show)
    return observer.tried_all()
