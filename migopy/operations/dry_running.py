"""A dry run: run migrations in a transaction that is then aborted."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command, Part
from migopy.files import importable
from migopy.operations.orders import Order
from migopy.operations.preflighting import look_at
from migopy.operations.preparing import load_steps, selected_unlocked
from migopy.operations.trial_notes import TrialNotes
from migopy.run import (
    NotAllShown,
    Observer,
    Step,
    require_transactions,
    side_by_side,
    try_out,
    warn_of_dependents,
    warn_of_later,
    warn_of_other_than_executed,
)
from migopy.site import Site

#: The findings that a dry run tells itself.
TOLD = frozenset(
    """
    arrays duplicates fails geo not-shown text validator
    """.split()  # noqa: SIM905
)

#: What the finding of rights that the user lacks is called.
RIGHTS = 'rights'


def _without(order: Order) -> list[Part]:
    """Say how to try an order without transactions."""
    if order.direction == 'down':
        return ['.']
    to = order.asked.options.get('to')
    copied = Command('rehearse', *order.asked.values, to=to)
    return [', or have it run on a copy: ', copied]


def dry_run(
    site: Site, order: Order, observer: Observer, show: int | None = None
) -> None:
    """Run what an order takes in a transaction that is then aborted: a dry run.

    `show` is how many documents of each collection are shown before and after. Raises
    `Locked` where another command runs, and what `try_out` does.
    """
    plan, migrations = selected_unlocked(site, order)
    if not migrations:
        return observer.nothing_to_try()
    require_transactions(site.db.client, 'A dry run', *_without(order))
    with importable(site.directory):
        steps = load_steps(site, order, plan, migrations, observer)
        if order.direction == 'down':
            warn_of_other_than_executed(plan, steps, observer)
            warn_of_dependents(plan, steps, observer)
            warn_of_later(plan, steps, observer)
        notes = TrialNotes()
        both = side_by_side(observer, notes)
        try:
            try_out(site, plan, both, steps, order.asked, show, notes.watch)
        except NotAllShown as error:
            if RIGHTS in _tell_foreseen(site, observer, steps, notes):
                raise NotAllShown(error.names, True, show) from error
            raise
        _tell_foreseen(site, observer, steps, notes)
    imported = [each.name for each in steps if each.loaded.at_import.wrote]
    return observer.tried_all(imported)


def _tell_foreseen(
    site: Site, observer: Observer, steps: Sequence[Step], notes: TrialNotes
) -> set[str]:
    """Tell the findings about steps that the dry run has not told itself.

    Returns what they are called.
    """
    foreseen = look_at(site, steps, notes)
    findings = [each for each in foreseen.findings if each.name not in TOLD]
    if findings:
        observer.foreseen(findings, foreseen.names)
    return {each.name for each in findings}
