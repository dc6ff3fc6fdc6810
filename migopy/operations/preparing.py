"""What is done before the first migration runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from migopy.files import Migration
from migopy.operations.orders import Order
from migopy.operations.ways_back import selected
from migopy.run import (
    Observer,
    Plan,
    Step,
    require_dependencies,
    require_not_elsewhere,
    require_transactions,
    steps_of,
    warn_of_helpers,
    warn_of_imports,
    warn_of_same_number,
    with_images,
)
from migopy.server import BEGAN, Process, end_remains
from migopy.signals import sleep
from migopy.site import Site
from migopy.state import (
    Agent,
    Locked,
    require_kept,
    require_rights,
    require_usable,
)
from migopy.terminal import told_by


def selected_unlocked(site: Site, order: Order) -> tuple[Plan, list[Migration]]:
    """Give the plan and what an order takes of it, for a command that only looks.

    It takes no lock, so it begins only if nobody holds it, and only where what runs
    could be registered. Raises `Locked`, and what `require_registrable` does.
    """
    plan = site.plan()
    migrations = selected(site, order, plan)
    holder = site.lock.holder()
    if holder:
        raise Locked(holder, waited=None)
    if migrations:
        require_registrable(site, migrations[0].name)
    return plan, migrations


def require_registrable(site: Site, name: str) -> None:
    """Make sure that the migration of a name can be registered when it has run.

    Raises what `require_usable` does.
    """
    rooms = site.registry, site.history, site.lock
    registry, history, lock = (each.collection for each in rooms)
    require_usable(registry, history, lock, name)


def load_steps(
    site: Site,
    order: Order,
    plan: Plan,
    migrations: Sequence[Migration],
    observer: Observer,
) -> list[Step]:
    """Import all that is going to run, before the first one does."""
    with told_by(observer.speaker):
        if order.direction == 'down':
            from migopy.operations.undoing import steps_down

            steps = steps_down(site, order, plan, migrations, observer)
        else:
            require_not_elsewhere(
                site.registry, site.history, plan, migrations, observer
            )
            steps = steps_of(migrations, site.directory, 'up', order.transaction)
            if any(map(plan.unfinished_of, migrations)):
                from migopy.operations.undoing import require_none_half_undone

                files = [each.loaded for each in steps]
                require_none_half_undone(site, plan, files)
            steps = with_images(steps, site.settings.undo, site.db.client)
            if any(each.images is True for each in steps):
                from migopy.operations.image_rights import require_right

                require_right(site, steps)
    require_dependencies(steps, plan, order.in_trial)
    warn_of_helpers(steps, observer)
    warn_of_imports(steps, observer)
    warn_of_same_number(plan, steps, observer)
    for step in steps:
        if step.in_transaction:
            without = ', or have `transaction = False` at the top of the file.'
            require_transactions(site.db.client, step.name, without)
            break
    return steps


def prepare(
    site: Site, plan: Plan, migrations: Sequence[Migration], observer: Observer
) -> None:
    """End what commands that are gone have left running on the server.

    Waits for those that may still write, as they have not noticed that their lock was
    taken away. Makes the indexes of migopy's collections, unless an earlier command
    has; then it could also write there what these migrations will need, unless one is
    unfinished. Raises `LeftRunning`, and what `make_ready` does.
    """
    _await_robbed(site, plan, observer)
    end_remains(site.client, site.db.name, _gone(site, plan))
    if plan.has_indexes and not plan.unfinished:
        # To look again costs a request, and is for what may have run before.
        if plan.are_behind(migrations):
            require_kept(site.registry.collection, migrations[0].name)
        return
    make_ready(site, migrations[0].name, observer)


def make_ready(site: Site, name: str, observer: Observer) -> None:
    """Make the indexes of migopy's collections, in which it can keep what it has to.

    `name` is that of a migration. Raises `MayNotRecord`, and what
    `require_registrable` does.
    """
    rooms = site.registry, site.history, site.lock
    require_rights([each.collection for each in rooms])
    require_registrable(site, name)
    site.history.prepare()
    for warning in site.registry.prepare():
        observer.warned(warning)


def _await_robbed(site: Site, plan: Plan, observer: Observer) -> None:
    """Wait until what is unfinished can write nothing more; it has noticed by then."""
    robbed = [each for each in plan.unfinished if each.writes_until is not None]
    if not robbed:
        return
    last = max(robbed, key=lambda each: each.writes_until or datetime.min)
    until = last.writes_until or datetime.min
    # Somebody may have written any time there.
    seconds = min((until - site.lock.now()).total_seconds(), site.lock.ttl)
    if seconds > 0:
        observer.warned(
            f'{last.name} may write until {until:%Y-%m-%d %H:%M:%S} UTC if it still'
            f' runs, as its lock was taken away: waiting {seconds:,.0f} s'
        )
        sleep(seconds)


def _gone(site: Site, plan: Plan) -> list[Process]:
    """List the processes whose runs are unfinished, and that hold no lock."""
    me, now = Agent.current(), site.lock.now()
    at_work = {each.agent for each in plan.holders} - {me}
    # After a container restarts, its process may have the id of the one before.
    seconds: dict[Agent, float] = {me: time.monotonic() - BEGAN}
    gone = []
    for run in plan.unfinished:
        agent = run.agent
        if agent in at_work:
            continue
        ago = seconds.get(agent, 0.0)
        if run.ended is not None:
            ago = (now - run.ended).total_seconds()
        gone.append(Process(agent.host, agent.pid, ago))
    return list(dict.fromkeys(gone))
