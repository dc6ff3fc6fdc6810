"""What a command was about before it held the lock, against what it is about by then.

A question may stand for minutes, a lock may be waited for, and a locked one of many
databases has a second turn at the end: other commands run meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command
from migopy.errors import MigopyException, some_of
from migopy.face import Agreed
from migopy.files import Migration
from migopy.operations.orders import ChangedMeanwhile, Order
from migopy.run import Plan
from migopy.state import Run


class ImagesChanged(MigopyException):
    """There are other images than a person was asked about; `name` is whose."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'Another command has run meanwhile: the images of {name} are not those'
            ' that there were. Nothing was done.\nSee which there are: ',
            Command('undo', 'list'),
        )


def looked(order: Order, plan: Plan) -> list[str]:
    """Say what an order is about by a plan; of one that is refused, it is nothing."""
    try:
        return about(order, plan, order.select(plan))
    except MigopyException:
        return []


def about(order: Order, plan: Plan, migrations: Sequence[Migration]) -> list[str]:
    """Name migrations that an order takes, with what else a person decides about.

    That is whether `ignore` takes a half done `down` as done, and what stays applied
    where a name was typed to be rolled back.
    """
    if order.direction == 'down':
        is_named = bool(order.asked.values)
        return [
            _with_later(plan, each.name) if is_named else each.name
            for each in migrations
        ]
    return [_as_settled(plan, each) for each in migrations]


def require_agreed(
    order: Order, agreed: Agreed, now: Sequence[str], runs: Sequence[Run] = ()
) -> None:
    """Make sure that an order is still about what was agreed to.

    What a person was asked about is done as a whole or not at all, and so is a
    rollback. Any other one may be about less: another command has done the rest. `runs`
    are what others are known to have run. Raises `ChangedMeanwhile`.
    """
    before = list(agreed.names)
    is_whole = agreed.was_asked or order.direction == 'down'
    is_same = before == [*now] if is_whole else {*now} <= {*before}
    if not is_same or runs:
        told = None if is_same else before
        raise ChangedMeanwhile(order.asked, told, list(now), runs)


def _with_later(plan: Plan, name: str) -> str:
    later = plan.executed_after(name)
    return f'{name} ({some_of(later)} ran after it)' if later else name


def _as_settled(plan: Plan, migration: Migration) -> str:
    unfinished = plan.unfinished_of(migration)
    if unfinished and unfinished[-1].direction == 'down':
        return f'{migration.name} (to be taken as rolled back)'
    return migration.name
