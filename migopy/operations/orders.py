"""Orders: what a command was asked to do, made of what was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from migopy.commands import Command, Option
from migopy.errors import MigopyException, enumerated, some_of
from migopy.face import WrongOptions, is_yes, number, one_of, only_one, refused_value
from migopy.files import AFTER, BACKGROUND, BEFORE, PHASES, Migration
from migopy.operations.own_order import Sorting, require_same_order
from migopy.origins import ORIGINAL
from migopy.run import AlreadyRegistered, Choice, Plan
from migopy.state import Run


class LeftOut(MigopyException):
    """A migration that the fabfile's `unregistered` leaves out; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is left out by the fabfile's unregistered(); nothing was done.\n"
            'See what is to run: ',
            Command(),
        )


class ChangedMeanwhile(MigopyException):
    """A command would be about other migrations now than when it was typed.

    `before` are the names of those that it was about, `None` where that is not known;
    `now` are those that it would be about, and `runs` what others have run since.
    """

    #: Typed again it would be done: to others than were meant.
    is_for_good = True

    def __init__(
        self,
        asked: Command,
        before: list[str] | None,
        now: list[str],
        runs: Sequence[Run] = (),
    ) -> None:
        self.before, self.now, self.runs = before, now, runs
        done = some_of([f'{each.name} {each.outcome or "run"}' for each in runs])
        told = f' ({done})' if done else ''
        would = f'would now be about {enumerated(now)}; nothing was done'
        if before is not None:
            would = f'was about {enumerated(before) or "nothing"}, and {would}'
        super().__init__(
            f'Another command has run meanwhile{told}. This {would}.\n'
            'If you want that, type: ',
            asked,
        )


class NothingHere(MigopyException):
    """There is nothing to do in this database; another one of many may have it."""


class NothingToPutRight(NothingHere):
    """The registry is as it should be; `name` is the migration's."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(
            f'{name} {why}; nothing was done.\nSee the status: ', Command()
        )


class DoesNotFit(MigopyException):
    """What `check` found needs a person's attention."""

    exit_status = 2


class Manager(Sorting, Protocol):
    """The parts of a manager that an order depends on."""

    ALLOW_LATE: bool
    TRANSACTION: bool
    LOCK_WAIT: float

    def unregistered(self) -> list[str]:
        """List the names of pending migrations; an override narrows them."""


class Undoing(NamedTuple):
    """How a rollback is to use images.

    `is_wanted` is whether they are preferred to a `down`, `is_refused` whether they are
    not to be used at all; `conflicts` decides about what others have changed since.
    """

    is_wanted: bool = False
    conflicts: str = 'stop'
    is_refused: bool = False


class Order(NamedTuple):
    """A command that changes migrations, as it was given.

    Invariant: to make it, nothing was read. `asked` is the command, `direction` the
    function that it runs, and `select` gives the migrations that it takes from a plan.
    `wait` is for the lock, in seconds; `transaction` is whether migrations run in one
    if their files do not say. `undoing` is for `rollback` alone.
    """

    asked: Command
    direction: str
    select: Callable[[Plan], list[Migration]]
    wait: float
    transaction: bool
    undoing: Undoing = Undoing()
    #: Gives the migrations of a plan that it leaves to a worker.
    leaves: Callable[[Plan], list[Migration]] = lambda plan: []
    #: Whether it only tries migrations, so that nothing of this database changes.
    in_trial: bool = False

    @property
    def names(self) -> Sequence[str]:
        """List the names of migrations that were typed."""
        to = self.asked.options.get('to')
        return [*self.asked.values, *([] if to is None else [to])]


#: Documents of a collection that a dry run shows at most.
MOST_SHOWN = 1000

#: Commands that also take what is to run in the background.
OF_ALL_PHASES = ('ignore', 'rehearse')


class DryRun(NamedTuple):
    """A dry run that is wanted; `show` documents of each collection are to be shown."""

    show: int | None


def order_up(
    manager: Manager,
    command: str,
    name: str | None,
    to: str | None = None,
    phase: str | None = None,
    in_trial: bool = False,
    waits: bool = False,
) -> Order:
    """Take what `execute` or `ignore` was given; raises `WrongOptions`.

    `execute` leaves to a worker what is to run in the background, unless it is a dry
    run of a migration that is named.
    """
    only_one(command, {'a name': name, 'to': to})
    only_one(command, {'a name': name, 'phase': phase})
    phases = _phases(command, phase, all_of_them=in_trial and name is not None)

    def select(plan: Plan) -> list[Migration]:
        choice = Choice(plan)
        try:
            taken = (
                choice.to_ignore(name, to)
                if command == 'ignore'
                else choice.to_execute(name, manager.ALLOW_LATE, to, phases)
            )
        except AlreadyRegistered as error:
            is_to_run = command == 'execute' and not in_trial
            raise AlreadyRegistered(
                error.name, error.how, is_to_run, error.later
            ) from None
        chosen = narrowed(manager, taken, name)
        if phase == AFTER and chosen:
            pending = narrowed(manager, plan.unregistered)
            choice.require_ready(chosen[-1], pending, to)
        return chosen

    wait = 'yes' if waits else None
    asked = Command(command, name, to=to, phase=phase, wait=wait)
    settings = manager.LOCK_WAIT, manager.TRANSACTION
    order = Order(asked, 'up', select, *settings, in_trial=in_trial)
    if order.names:
        return order
    return order._replace(leaves=lambda plan: narrowed(manager, plan.background))


def order_work(manager: Manager, name: str | None) -> Order:
    """Take what `work` was given: it selects what is to run next, if anything."""

    def select(plan: Plan) -> list[Migration]:
        choice = Choice(plan)
        taken = narrowed(manager, choice.to_work(name), name)
        # If each waits for another one, the first one's error says for which.
        ready = [each for each in taken if not plan.waits_for(each)]
        chosen = (ready or taken)[:1]
        if name is None and chosen:
            choice.require_ready(chosen[0], narrowed(manager, plan.unregistered))
        return chosen

    asked = Command('work', name)
    return Order(asked, 'up', select, manager.LOCK_WAIT, manager.TRANSACTION)


def order_baseline(manager: Manager, name: str) -> Order:
    """Take what `baseline` was given."""

    def select(plan: Plan) -> list[Migration]:
        return narrowed(manager, Choice(plan).to_begin_at(name))

    asked = Command('baseline', name)
    return Order(asked, 'up', select, manager.LOCK_WAIT, manager.TRANSACTION)


def order_down(
    manager: Manager,
    name: str | None,
    last: str | int | None,
    to: str | None,
    force: bool,
    undo: str | bool | None = None,
    conflicts: str = 'stop',
) -> Order:
    """Take what `rollback` was given; raises `WrongOptions`."""
    wishes = 'stop', 'keep', 'theirs', 'ours'
    wish = one_of(conflicts, wishes, 'rollback', 'conflicts')
    is_refused = undo is not None and not is_yes(undo, 'rollback', 'undo')
    decided = None if wish == 'stop' else wish
    only_one('rollback', {'undo': undo if is_refused else None, 'conflicts': decided})
    # A `down` knows no conflicts, so to decide about them means images.
    is_wanted = (undo is not None and not is_refused) or decided is not None
    only_one('rollback', {'a name': name, 'last': last, 'to': to})
    count = None if last is None else number(last, 'rollback', 'last')

    def select(plan: Plan) -> list[Migration]:
        return Choice(plan).to_roll_back(name, count, to, force)

    how = 'no' if is_refused else 'yes' if is_wanted else None
    options = {'last': count, 'to': to, 'undo': how, 'conflicts': decided}
    asked = Command('rollback', name, **options)
    undoing = Undoing(is_wanted, wish, is_refused)
    settings = manager.LOCK_WAIT, manager.TRANSACTION
    return Order(asked, 'down', select, *settings, undoing)


def wanted_dry_run(
    command: str, dry_run: str | bool, show: str | int | None
) -> DryRun | None:
    """Take what a command was given for a dry run; `None` where it is to be none.

    `show` alone makes it one. Raises `WrongOptions`.
    """
    wanted = is_yes(dry_run, command, 'dry_run')
    if show is None:
        return DryRun(None) if wanted else None
    count = number(show, command, 'show')
    if count > MOST_SHOWN:
        raise refused_value(count, command, 'show', f'is more than {MOST_SHOWN:,}')
    return DryRun(count)


def narrowed(
    manager: Manager, migrations: list[Migration], name: str | None = None
) -> list[Migration]:
    """Leave out what an override of `unregistered` leaves out.

    Raises `LeftOut`, and `OtherOrder` for an override of `sorted`.
    """
    require_same_order(manager, migrations)
    if hasattr(manager.unregistered, ORIGINAL):
        return migrations
    wanted = set(manager.unregistered())
    kept = [each for each in migrations if each.name in wanted]
    if name is not None and not kept:
        raise LeftOut(migrations[0].name)
    return kept


def pending(manager: Manager, plan: Plan, until: str | None = None) -> list[str]:
    """List the names of what is pending, up to the phase `until` if one is given.

    Raises `WrongOptions`.
    """
    migrations = narrowed(manager, plan.unregistered)
    if until is not None:
        last = PHASES.index(one_of(until, PHASES, 'check', 'phase'))
        phases = PHASES[: last + 1]
        migrations = [each for each in migrations if plan.phase_of(each) in phases]
    return [each.name for each in migrations]


def _phases(command: str, phase: str | None, all_of_them: bool) -> Sequence[str]:
    if phase is not None:
        if phase == BACKGROUND:
            reason = ' is run by a worker; nothing was done'
            raise WrongOptions(command, Option('phase', phase), reason, Command('work'))
        return [one_of(phase, (BEFORE, AFTER), command, 'phase')]
    return PHASES if command in OF_ALL_PHASES or all_of_them else (BEFORE, AFTER)
