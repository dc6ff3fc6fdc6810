"""`rollback`: undo executed migrations, the newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from migopy.commands import Command
from migopy.errand import ERRAND
from migopy.errors import MigopyException, enumerated
from migopy.face import Agreed, Asking
from migopy.files import importable
from migopy.operations.images import prune
from migopy.operations.meanwhile import about, require_agreed
from migopy.operations.orders import Order
from migopy.operations.other_hosts import is_done
from migopy.operations.preparing import load_steps, prepare
from migopy.operations.ways_back import ran_in_vain, selected
from migopy.run import (
    Choice,
    Observer,
    Plan,
    Runner,
    warn_of_dependents,
    warn_of_later,
    warn_of_other_than_executed,
)
from migopy.site import Site
from migopy.state import FAILED, Run


class NothingToUndo(MigopyException):
    """A `down` that is not of the `up` that ran, which has changed nothing.

    `name` is the migration's, `asked` what was typed.
    """

    def __init__(self, name: str, asked: Command) -> None:
        self.name = name
        super().__init__(
            f'{name} has changed since it was executed, and that run changed nothing:'
            ' its down() might undo what others have done. Nothing was done.\n'
            'To have it pending again, and run nothing: ',
            Command('forget', name),
            '\nTo roll it back all the same: ',
            asked.having(yes='yes'),
        )


def roll_back(site: Site, order: Order, observer: Observer, asking: Asking) -> bool:
    """Run `down` of what an order takes, each unregistered right after it.

    Before several, and before one that others were executed after, `asking` is asked.
    Returns whether there was anything to run. Raises as `execute` does,
    `ChangedMeanwhile`, and where a person would be asked `NothingToUndo`.
    """
    if asking.will_ask and is_done(site, order, observer):
        # For a second host it would be asked about others.
        observer.over(None)
        return True
    # Of many databases it may have found this one locked when it was typed.
    awaited = frozenset(site.lock.awaited)
    agreed = asking.agreed or _agreed(site, order, asking, observer)
    try:
        any_run = _roll_back(site, order, observer, agreed, awaited, asking.will_ask)
    except BaseException as error:
        observer.over(error)
        raise
    observer.over(None)
    return any_run


def _roll_back(
    site: Site,
    order: Order,
    observer: Observer,
    agreed: Agreed | None,
    awaited: Collection[str],
    was_asked: bool,
) -> bool:
    with site.locked(order.asked.name, order.wait, observer.waiting, order.names):
        if is_done(site, order, observer):
            return True
        plan = site.plan()
        migrations = selected(site, order, plan)
        if not migrations:
            return False
        if agreed is not None:
            ran = _ran_since(site, awaited)
            require_agreed(order, agreed, about(order, plan, migrations), ran)
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


def _ran_since(site: Site, awaited: Collection[str]) -> list[Run]:
    """List what these owners of the lock have run, but for what changed nothing."""
    runs = [run for owner in awaited for run in site.history.of_owner(owner)]
    return [run for run in runs if run.outcome != FAILED or run.unsettled]


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


def _agreed(
    site: Site, order: Order, asking: Asking, observer: Observer
) -> Agreed | None:
    """Ask a person before the lock is taken; give what it is about.

    That is `None` where nobody would be asked about one that is named, and where the
    line that was typed has the same command twice: it is about others then.
    """
    if not ({'last', 'to'} & set(order.asked.options)):
        if asking.will_ask:
            return _agreed_by_name(site, order, asking, observer)
        return None
    plan = site.plan()
    migrations = selected(site, order, plan)
    names = [each.name for each in migrations]
    if asking.will_ask:
        _refuse_nothing_to_undo(site, order, plan, names)
        _refuse_without_way_back(site, order, plan, names, observer)
    if len(names) > 1:
        asking.require(f'Roll back {len(names)} migrations: {enumerated(names)}')
    errand = ERRAND.get()
    if errand is not None and errand.times > 1:
        return None
    return Agreed(about(order, plan, migrations))


def _agreed_by_name(
    site: Site, order: Order, asking: Asking, observer: Observer
) -> Agreed | None:
    """Ask about one that is named, and that others were executed after."""
    plan = site.plan()
    names = [Choice(plan).name_of(str(typed)) for typed in order.asked.values]
    _refuse_nothing_to_undo(site, order, plan, names)
    _refuse_without_way_back(site, order, plan, names, observer)
    for name in names:
        if later := plan.executed_after(name):
            asking.require(
                f'Roll back {name}, and leave {len(later):,} applied that ran after it:'
                f' {enumerated(later)}'
            )
    files = [each for each in plan.migrations if each.name in names]
    return Agreed(about(order, plan, files)) if files else None


def _refuse_without_way_back(
    site: Site, order: Order, plan: Plan, names: Sequence[str], observer: Observer
) -> None:
    """Refuse what has neither a `down` nor images before a person is asked about it.

    Raises what `steps_down` does.
    """
    files = filter(None, map(plan.file_of, names))
    is_wanted, ways = order.undoing.is_wanted, site.directory.may_be_undone
    doubtful = [each for each in files if is_wanted or not ways(each, undo=False)]
    if doubtful:
        from migopy.operations.undoing import steps_down

        with importable(site.directory):
            steps_down(site, order, plan, doubtful, observer)


def _refuse_nothing_to_undo(
    site: Site, order: Order, plan: Plan, names: Sequence[str]
) -> None:
    """Refuse a `down` whose `up` never ran, where a person can decide.

    To restore images undoes nothing but what the migration itself has done.
    """
    if order.undoing.is_wanted:
        return
    for name in names:
        file, records = plan.file_of(name), plan.of_name(name)
        ran = {record.checksum for record in records} - {None}
        is_other = file is not None and bool(ran) and file.checksum() not in ran
        if is_other and ran_in_vain(site, plan, name):
            raise NothingToUndo(name, order.asked)
