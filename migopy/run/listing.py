"""Every migration in order, each with its state: files, records and open runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from migopy.files import AFTER, BACKGROUND
from migopy.run.plan import Plan
from migopy.state import IGNORED, Run

PENDING = 'pending'
APPLIED = 'applied'
LEFT_OUT = 'left out'
ELSEWHERE = 'elsewhere'


class Entry(NamedTuple):
    """One migration in the list of all.

    Invariant: `state` is `pending`, `applied`, `ignored`, `left out` (by the
    fabfile's `unregistered`) or `elsewhere` (it is for other environments, which are
    named in `environments`); `also` has what else there is to say: its phase
    unless that is the usual one, `replaced` by another one, `squashed` where it stands
    for others, `late`, `changed`, `renamed`, `missing`, `repeat` of what runs again
    when it changes, `again` where it has, `running`, `unfinished`. `when` is in UTC
    without a zone: when it was registered, or begun where it has not ended.
    """

    name: str
    state: str
    also: Sequence[str] = ()
    when: datetime | None = None
    duration_ms: int | None = None
    by: str | None = None
    environments: Sequence[str] = ()
    #: The migration that stands for it, where one does.
    replaced_by: str | None = None


def listing(plan: Plan, pending: Collection[str]) -> list[Entry]:
    """List all migrations in the order in which they run.

    One without a file has the place that the number in its name gives it; one without
    a number comes last. `pending` are the names that `execute` would run.
    """
    open_runs = [*plan.unfinished, *plan.open_runs.running]
    begun = [run for run in open_runs if not run.is_restore]
    places = _places(plan, [run.name for run in begun])
    runs = {run.name: run for run in begun}
    replaced = _replaced(plan)
    marks = _marks(plan, places.keys(), replaced.keys())
    waiting = frozenset(pending)
    return [
        _entry(
            plan,
            name,
            ELSEWHERE
            if name in plan.elsewhere
            else (PENDING if name in waiting else LEFT_OUT),
            [mark for mark, names in marks.items() if name in names],
            runs.get(name),
        )._replace(replaced_by=replaced.get(name))
        for name in sorted(places, key=places.__getitem__)
    ]


def _places(plan: Plan, begun: Sequence[str]) -> dict[str, tuple[float, float, str]]:
    """Give each name's sort key: the names of files, of records and of `begun` runs."""
    places: dict[str, tuple[float, float, str]] = {
        each.name: (0, each.number, each.name) for each in plan.once
    }
    # They run after all others, whatever their number is.
    places.update({name: (1, 0, name) for name in plan.repeats})
    for name in [*plan.registered, *begun]:
        if name not in places:
            number = plan.number_of(name)
            places[name] = (0, float('inf') if number is None else number, name)
    return places


def _replaced(plan: Plan) -> dict[str, str]:
    """Give what stands for others by their names, of files those that ran as a part."""
    files = {each.name for each in plan.migrations}
    parts = plan.ran_as_part
    return {**plan.replaced, **{old: parts[old] for old in parts if old in files}}


def _marks(
    plan: Plan, names: Set[str], replaced: Set[str]
) -> dict[str, Collection[str]]:
    """Give the names that each mark is for, in the order in which marks are shown."""
    phases = {each.name: plan.phase_of(each) for each in plan.migrations}
    accounted_for = phases.keys() | replaced | plan.elsewhere_squashed.keys()
    return {
        AFTER: {name for name in phases if phases[name] == AFTER},
        BACKGROUND: {name for name in phases if phases[name] == BACKGROUND},
        'late': {each.name for each in plan.late},
        'changed': set(plan.changed),
        'renamed': set(plan.renamed),
        'replaced': replaced,
        'squashed': plan.stand_ins.keys() | plan.elsewhere_squashed.keys(),
        'missing': names - accounted_for,
        'repeat': plan.repeats.keys(),
        'again': plan.again,
        'running': {run.name for run in plan.open_runs.running},
        'unfinished': {run.name for run in plan.unfinished},
    }


def _entry(
    plan: Plan, name: str, unregistered: str, also: Sequence[str], run: Run | None
) -> Entry:
    record = plan.registered.get(name)
    if record is not None:
        state = IGNORED if record.how == IGNORED else APPLIED
        if name in plan.again and name not in plan.elsewhere:
            state = unregistered
        when = None if record.since == datetime.min else record.since
        return Entry(name, state, also, when, record.duration_ms, record.by)
    places = plan.elsewhere.get(name, ())
    if run is not None:
        began = None if run.started == datetime.min else run.started
        state, by = ELSEWHERE if places else PENDING, str(run.agent)
        return Entry(name, state, also, began, run.duration_ms, by, places)
    return Entry(name, unregistered, also, environments=places)
