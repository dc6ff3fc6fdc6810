"""`execute` and `ignore`: run pending migrations, or register them without that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from migopy.errand import ERRAND
from migopy.errors import MigopyException, enumerated
from migopy.face import Agreed, Asking
from migopy.files import importable
from migopy.operations.meanwhile import about, looked, require_agreed
from migopy.operations.orders import Order
from migopy.operations.other_hosts import is_done
from migopy.operations.preparing import load_steps, prepare
from migopy.operations.waiting_for_worker import await_needed
from migopy.operations.ways_back import dumps, names_of_dumps, selected, way_back
from migopy.run import Choice, Failure, Observer, Plan, Runner, Step
from migopy.site import Site
from migopy.state import IGNORED, Holder

if TYPE_CHECKING:
    from migopy.operations.agreed_plan import AgreedPlan


def execute(
    site: Site,
    order: Order,
    observer: Observer,
    dump: Callable[[], object] | None,
    looks_ahead: bool = False,
    agreed: AgreedPlan | None = None,
) -> Plan | None:
    """Run `up` of what an order takes, each registered right after it.

    `dump` is called before the first one, under the lock. With `looks_ahead`, nothing
    runs if the look finds a problem; with an `agreed` plan, nothing else runs. Returns
    the plan if there was nothing to run. Raises what a migration raised, or what kept
    it from running.
    """
    try:
        plan = _execute(site, order, observer, dump, looks_ahead, agreed)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return plan


def _execute(
    site: Site,
    order: Order,
    observer: Observer,
    dump: Callable[[], object] | None,
    looks_ahead: bool,
    agreed: AgreedPlan | None,
) -> Plan | None:
    if 'wait' in order.asked.options:
        await_needed(site, order, observer)
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if is_done(site, order, observer):
            return None
        plan = site.plan()
        migrations = selected(site, order, plan)
        if not migrations:
            if agreed is not None:
                agreed.require(site, [], plan, observer)
            Runner(site, plan, observer).complete_history()
            _tell_of_nothing(order, plan, observer)
            return site.surveyed(plan)
        with importable(site.directory):
            foreseen = None
            if looks_ahead:
                from migopy.operations.preflighting import look_ahead

                foreseen = look_ahead(site, plan, migrations, order, observer)
            steps = load_steps(site, order, plan, migrations, observer)
            if foreseen is not None:
                foreseen.require_unchanged(steps)
            if agreed is not None:
                agreed.require(site, steps, plan, observer)
            observer.planned('execute', plan, migrations)
            prepare(site, plan, migrations, observer)
            if dump is None:
                Runner(site, plan, observer).run(steps, order.asked)
            else:
                _run_after_dump(site, plan, steps, order, observer, dump)
            if any(each.images for each in steps):
                from migopy.operations.images import prune

                prune(site, observer)
        _tell_what_is_left(order, plan, observer)
    return None


class _Failed:
    """Lets an observer hear all, and keeps what has failed."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.failure: Failure | None = None

    def failed(self, failure: Failure) -> None:
        self.failure = failure
        self._observer.failed(failure)

    def __getattr__(self, event: str) -> Any:
        return getattr(self._observer, event)


def _tell_of_nothing(order: Order, plan: Plan, observer: Observer) -> None:
    """Tell that nothing is to be done up to the migration that was typed, if any."""
    to = order.asked.options.get('to')
    if to is not None:
        observer.nothing_up_to(order.asked.name, Choice(plan).name_of(to))


def _tell_what_is_left(order: Order, plan: Plan, observer: Observer) -> None:
    """Tell what an order leaves to a worker, and what is for other environments."""
    if left := order.leaves(plan):
        observer.left([each.name for each in left])
    if plan.elsewhere and not order.names:
        observer.elsewhere(list(plan.elsewhere), plan.environment)


def _run_after_dump(
    site: Site,
    plan: Plan,
    steps: Sequence[Step],
    order: Order,
    observer: Observer,
    dump: Callable[[], object],
) -> None:
    """Run steps after a dump; if one fails, the observer hears of the dump.

    It hears nothing where nothing was changed: to go back would only lose what others
    have written. Where a step was unfinished already, it hears of the dump from before
    the first attempt, as the new one holds what was half done.
    """
    before = names_of_dumps(site)
    earlier = [run for each in steps for run in plan.unfinished_of(each.migration)]
    dump()
    heard: Any = _Failed(observer)
    try:
        Runner(site, plan, heard).run(steps, order.asked)
    except BaseException:
        if earlier:
            if (first := way_back(site, earlier)) is not None:
                observer.way_back(first, is_of_earlier=True)
            raise
        if heard.failure is not None and heard.failure.changed_nothing:
            raise
        with suppress(MigopyException):
            made = [each for each in dumps(site) if each.name not in before]
            if made:
                observer.way_back(made[-1])
        raise


def ignore(site: Site, order: Order, observer: Observer, asking: Asking) -> Plan | None:
    """Register what an order takes without running it.

    Before several, and before one whose `down` was taken as done, `asking` is asked.
    Returns the plan if there was nothing to register. Raises `ChangedMeanwhile`.
    """
    agreed = asking.agreed
    if asking.will_ask:
        agreed = _agreed_to_ignore(site, order, asking)

    def waiting(holder: Holder) -> None:
        nonlocal agreed
        if agreed is None and order.wait:
            # What others roll back once it is said to wait, nobody has meant.
            agreed = Agreed(looked(order, site.plan()), was_asked=False)
        observer.waiting(holder)

    with site.locked(order.asked.name, order.wait, waiting, order.names):
        if is_done(site, order, observer):
            return None
        plan = site.plan()
        migrations = selected(site, order, plan)
        if not migrations:
            _tell_of_nothing(order, plan, observer)
            return plan
        if agreed is not None:
            require_agreed(order, agreed, about(order, plan, migrations))
        prepare(site, plan, migrations, observer)
        Runner(site, plan, observer).ignore(migrations)
    return None


def _agreed_to_ignore(site: Site, order: Order, asking: Asking) -> Agreed:
    """Ask a person before the lock is taken; give what that was about."""
    plan = site.plan()
    if order.asked.values:
        for typed in order.asked.values:
            _ask_about_rolled_back(site, Choice(plan).name_of(str(typed)), asking)
        return Agreed(looked(order, plan), was_asked=False)
    migrations = selected(site, order, plan)
    names = [each.name for each in migrations]
    if len(names) > 1:
        asking.require(
            f'Mark {len(names):,} migrations as applied without running them:'
            f' {enumerated(names)}'
        )
    return Agreed(about(order, plan, migrations))


def _ask_about_rolled_back(site: Site, name: str, asking: Asking) -> None:
    """Ask about one that an `ignore` has settled as rolled back.

    The same line typed once more would mean the opposite.
    """
    errand = ERRAND.get()
    for last in site.history.last_of(name):
        is_same = errand is not None and last.command == errand.id
        if (last.direction, last.outcome) == ('down', IGNORED) and not is_same:
            asking.require(
                f'{name} was taken as rolled back at {last.started:%Y-%m-%d %H:%M:%S}'
                f' UTC by {last.agent}, so it is pending.\n'
                'Mark it as applied without running it'
            )
