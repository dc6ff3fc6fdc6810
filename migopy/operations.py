"""What commands that change migrations do to a site, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from migopy.errand import ERRAND
from migopy.errors import MigopyException, enumerated
from migopy.files import Migration, importable
from migopy.orders import ChangedMeanwhile, FailedBefore, Order
from migopy.run import (
    Observer,
    Plan,
    Runner,
    Step,
    require_dependencies,
    require_transactions,
    steps_of,
    try_out,
    warn_of_helpers,
    warn_of_other_than_executed,
)
from migopy.site import Site
from migopy.state import FAILED, Locked
from migopy.terminal import told_by

if TYPE_CHECKING:
    from migopy.dumps import Dump


class Restore(NamedTuple):
    """Which dump to bring the database back to, and how."""

    name: str
    foreign: bool
    in_place: bool
    #: Seconds to wait for the lock.
    wait: float


def execute(
    site: Site, order: Order, observer: Observer, dump: Callable[[], object] | None
) -> Plan | None:
    """Run `up` of what an order takes, each registered right after it.

    `dump` is called before the first one, under the lock. Returns the plan where there
    was nothing to run. Raises what a migration raised, or what kept it from running.
    """
    try:
        plan = _execute(site, order, observer, dump)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return plan


def _execute(
    site: Site, order: Order, observer: Observer, dump: Callable[[], object] | None
) -> Plan | None:
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if _is_done(site, order, observer):
            return None
        plan = site.plan()
        migrations = order.select(plan)
        runner = Runner(site, plan, observer)
        if not migrations:
            runner.complete_history()
            return site.surveyed(plan)
        with importable(site.directory):
            steps = _loaded(site, order, plan, migrations, observer)
            observer.planned('execute', plan, migrations)
            _prepare(site, plan, observer)
            if dump is None:
                runner.run(steps, order.asked)
            else:
                _run_after_dump(site, runner, steps, order, observer, dump)
    return None


def _run_after_dump(
    site: Site,
    runner: Runner,
    steps: Sequence[Step],
    order: Order,
    observer: Observer,
    dump: Callable[[], object],
) -> None:
    """Run steps after a dump; where one fails, the dump is the way back."""
    before = _names_of_dumps(site)
    dump()
    try:
        runner.run(steps, order.asked)
    except BaseException:
        with suppress(MigopyException):
            made = [each for each in dumps(site) if each.name not in before]
            if made:
                observer.way_back(made[-1])
        raise


class Asking(Protocol):
    """What asks a person, where there is one."""

    def require(self, doing: str) -> None:
        """Ask whether to do something; raises unless the answer is yes."""


def roll_back(site: Site, order: Order, observer: Observer, asking: Asking) -> bool:
    """Run `down` of what an order takes, each unregistered right after it.

    Before several `asking` is asked. Returns whether there was anything to run.
    Raises as `execute` does.
    """
    agreed = _agreed(site, order, asking)
    try:
        any_run = _roll_back(site, order, observer, agreed)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return any_run


def _roll_back(
    site: Site, order: Order, observer: Observer, agreed: Sequence[str] | None
) -> bool:
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if _is_done(site, order, observer):
            return True
        plan = site.plan()
        migrations = order.select(plan)
        if not migrations:
            return False
        if agreed is not None and [each.name for each in migrations] != agreed:
            raise ChangedMeanwhile(order.asked)
        wanted = int(order.asked.options.get('last', 0))
        if wanted > len(migrations):
            observer.warned(
                f'last={wanted}, but {len(migrations)} were executed: all of them are'
                ' rolled back'
            )
        with importable(site.directory):
            steps = _loaded(site, order, plan, migrations, observer)
            observer.planned('rollback', plan, migrations)
            warn_of_other_than_executed(plan, steps, observer)
            _prepare(site, plan, observer)
            Runner(site, plan, observer).run(steps, order.asked)
    return True


def _agreed(site: Site, order: Order, asking: Asking) -> list[str] | None:
    """Ask about several migrations, while nobody else waits for the lock.

    Returns the names that a person has agreed to, `None` where there is one at most.
    """
    if not ({'last', 'to'} & set(order.asked.options)):
        return None
    names = [each.name for each in order.select(site.plan())]
    if len(names) < 2:
        return None
    asking.require(f'Roll back {len(names)} migrations: {enumerated(names)}')
    return names


def ignore(site: Site, order: Order, observer: Observer) -> Plan | None:
    """Register what an order takes without running it.

    Returns the plan where there was nothing to register.
    """
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if _is_done(site, order, observer):
            return None
        plan = site.plan()
        migrations = order.select(plan)
        if not migrations:
            return plan
        _prepare(site, plan, observer)
        Runner(site, plan, observer).ignore(migrations)
    return None


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
        steps = _loaded(site, order, plan, migrations, observer)
        if order.direction == 'down':
            warn_of_other_than_executed(plan, steps, observer)
        try_out(site, plan, observer, steps, order.asked, show)
    return observer.tried_all()


def dump(site: Site, keep: int | None, wait: float, observer: Observer) -> Dump:
    """Dump the database, under the lock; of its dumps the newest `keep` stay."""
    locked = site.locked('dbdump', wait, observer.waiting)
    with locked, told_by(observer.speaker), site.dumps(observer.warned) as dumps:
        observer.dumping(site.db.name)
        return dumps.make(site.db, keep)


def dumps(site: Site) -> Sequence[Dump]:
    """List the dumps of the database, the oldest first."""
    with site.dumps(_nobody) as dumps:
        return dumps.of(site.db.name)


def restore(site: Site, which: Restore, observer: Observer, asking: Asking) -> None:
    """Bring the database back to a dump, under the lock, if that is wanted."""
    with told_by(observer.speaker), site.dumps(observer.warned) as dumps:
        dump = dumps.find(site.db.name, which.name, which.foreign)
        asking.require(f'Bring the database back to {dump.name}')
        with site.locked('dbrestore', which.wait, observer.waiting):
            observer.restoring(dump)
            dumps.restore(site.db, dump, which.in_place)
    observer.restored(dump)


def _names_of_dumps(site: Site) -> set[str]:
    # Where they cannot be read, the dump itself will say so.
    with suppress(MigopyException):
        return {each.name for each in dumps(site)}
    return set()


def _is_done(site: Site, order: Order, observer: Observer) -> bool:
    """Tell whether this typed command has been carried out here for another host.

    Fabric repeats a command for each host, and several may have one database. What
    takes all that is pending may be repeated; what names migrations, or counts them,
    would be done to others. Raises `FailedBefore`.
    """
    is_of_some = bool(order.asked.values or order.asked.options)
    return is_of_some and is_carried_out(site, observer)


def is_carried_out(site: Site, observer: Observer) -> bool:
    """Tell whether the history has what this typed command has done for another host.

    The observer is told. Raises `FailedBefore`.
    """
    errand = ERRAND.get()
    if errand is None:
        return False
    runs = site.history.of_command(errand.id)
    # Each time under the lock has an owner of its own.
    if len({run.owner for run in runs}) < errand.times:
        return False
    failed = [run for run in runs if run.outcome == FAILED]
    if failed:
        raise FailedBefore(failed[-1])
    observer.repeated(runs)
    return True


def _loaded(
    site: Site,
    order: Order,
    plan: Plan,
    migrations: Sequence[Migration],
    observer: Observer,
) -> list[Step]:
    """Import all that is going to run, before the first one does."""
    with told_by(observer.speaker):
        steps = steps_of(migrations, site.directory, order.direction, order.transaction)
    require_dependencies(steps, plan)
    warn_of_helpers(steps, observer)
    for step in steps:
        if step.in_transaction:
            require_transactions(site.db.client, step.name)
            break
    return steps


def _prepare(site: Site, plan: Plan, observer: Observer) -> None:
    """Make the indexes of migopy's collections, unless an earlier command has."""
    if plan.has_indexes:
        return
    site.history.prepare()
    for warning in site.registry.prepare():
        observer.warned(warning)


def _nobody(line: str) -> None:
    """Take a line that nobody is to read."""
