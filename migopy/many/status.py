"""Where one of many databases stands, in a few words, and all of them as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from migopy.commands import Command, Part
from migopy.errors import MOST, some_of
from migopy.files import AFTER
from migopy.many.patterns import typed_only
from migopy.many.selecting import Selection
from migopy.operations import pending
from migopy.run import Plan
from migopy.site import Site
from migopy.state import FAILED
from migopy.tell import elsewhere_of, phases_to_run, phases_waiting, ways_to_run

#: How two of the remarks begin.
UNFINISHED, FAILED_LAST = 'Unfinished', 'Failed in the last run'


class Standing(NamedTuple):
    """How far a database is, and what does not fit in it.

    Invariant: it keeps only what is told of a plan, not the plan. `applied_up_to` is
    the highest migration that is applied, `''` for none. `pending` is how many are
    pending, `first_pending` the first of them. `remarks` say what needs attention.
    """

    applied_up_to: str
    pending: int
    first_pending: str
    remarks: Sequence[str]
    #: Whether `check` has to fail, whatever is pending.
    does_not_fit: bool
    #: The phases of what can be run now; none if something is in the way.
    phases: frozenset[str] = frozenset()
    #: Those of them in which something needs what is still in the background.
    waiting: frozenset[str] = frozenset()
    #: Whether somebody has to decide about what is unfinished.
    is_unfinished: bool = False
    #: Which of the pending ones failed when it ran last, and left nothing behind.
    failed: str = ''
    #: Old and new names of what is applied, it seems, and has another name now.
    renames: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(
        cls,
        plan: Plan,
        pending: Sequence[str],
        background: Sequence[str] = (),
        is_all_wanted: bool = True,
        broken: Sequence[str] = (),
    ) -> Standing:
        """Read it from a plan; `pending` are the names of what `execute` would run.

        `background` are the names of what it leaves to a worker; they make `check` fail
        if `is_all_wanted`. `broken` says which pending files are no Python.
        """
        last = plan.last_registered
        # If only one phase is wanted, what comes after it is left for later as well.
        later = 'To run in the background' if is_all_wanted else 'To run later'
        return cls(
            last.name if last else '',
            len(pending),
            pending[0] if pending else '',
            (*_remarks(plan, background, later), *broken),
            not plan.fits or (is_all_wanted and bool(background)),
            phases_to_run(plan, [*pending, *background]),
            phases_waiting(plan, pending),
            plan.needs_decision,
            renames=[
                (old, new)
                for renamed in (plan.renamed, plan.same_number)
                for new, old in renamed.items()
            ],
        )

    @property
    def notes(self) -> Sequence[str]:
        """List what is told of it: the remarks, and what failed."""
        failed = [f'{FAILED_LAST}: {self.failed}'] if self.failed else []
        return [*self.remarks, *failed]


def standing_of(
    manager: Any, site: Site, plan: Plan, phase: str | None, parses: bool = False
) -> Standing:
    """Read where a manager's database stands, up to a phase if one is given.

    With `parses` it says which pending files are no Python.
    """
    names = pending(manager, plan, phase or AFTER)
    rest = [each for each in pending(manager, plan) if each not in names]
    broken: Sequence[str] = ()
    if parses:
        from migopy.run import unparsable
        from migopy.tell import lines_of_problems

        broken = lines_of_problems(
            unparsable(plan.unregistered), 'text', manager._spelling
        )
    standing = Standing.of(plan, names, rest, phase is None, broken)
    return standing._replace(failed=_failed_last(site, names))


def _failed_last(site: Site, pending: Sequence[str]) -> str:
    """Name what failed in the last run of a database, and is pending; `''` for none."""
    last = site.history.last(1) if pending else []
    if last and last[0].outcome == FAILED and not last[0].interrupted:
        return last[0].name if last[0].name in pending else ''
    return ''


class Row(NamedTuple):
    """Databases that stand at the same point."""

    applied_up_to: str
    pending: int
    first_pending: str
    titles: Sequence[str]


def is_new(site: Site) -> bool:
    """Tell whether no migration has touched a database yet."""
    return not site.registry.read().records and not site.history.last(1)


def failed_last(site: Site) -> bool:
    """Tell whether the last run of a database failed, or one is unfinished."""
    last = site.history.last(1)
    return (bool(last) and last[0].outcome == FAILED) or bool(site.plan().unfinished)


def rows_of(standings: Iterable[tuple[str, Standing]]) -> list[Row]:
    """Group databases by where they stand, the largest group first."""
    groups: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for title, standing in standings:
        where = standing.applied_up_to, standing.pending, standing.first_pending
        groups[where].append(title)
    # Groups of equal size stand in the order of where they are.
    rows = [Row(*where, titles) for where, titles in sorted(groups.items())]
    return sorted(rows, key=lambda row: len(row.titles), reverse=True)


def remarks_of(
    standings: Iterable[tuple[str, Standing]],
) -> list[tuple[str, Sequence[str]]]:
    """Group databases by what does not fit in them: each remark with its databases.

    What is unfinished comes first.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for title, standing in standings:
        for remark in standing.notes:
            groups[remark].append(title)
    return sorted(groups.items(), key=_rank)


def next_steps(
    standings: Sequence[tuple[str, Standing]], selection: Selection
) -> list[Part]:
    """Say what to type where databases stand so, for those that were meant."""
    phases = {phase for _, each in standings for phase in each.phases}
    waiting = {phase for _, each in standings for phase in each.waiting}
    ways = selection.narrow_all(ways_to_run(phases, waiting))
    unfinished = [title for title, each in standings if each.is_unfinished]
    if unfinished:
        about = Command('show_status', only=typed_only(unfinished[0]))
        first = 'First settle what is unfinished. All about one of those: '
        others = selection.without(ways, unfinished)
        go_on = ['\nThe others can go on. ', *others] if ways else []
        return [first, about, *go_on]
    renames = _renames(standings, selection)
    ways = [*renames, *(['\n'] if renames and ways else []), *ways]
    odd = [title for title, each in standings if each.remarks]
    failed = [title for title, each in standings if each.failed]
    if odd:
        about = Command('show_status', only=typed_only(odd[0]))
        ways += ['\n' if ways else '', 'All about one of those: ', about]
    elif failed:
        why = Command('history', only=typed_only(failed[0]))
        ways += ['\n' if ways else '', 'Why it failed in one of those: ', why]
    return ways


def _renames(
    standings: Sequence[tuple[str, Standing]], selection: Selection
) -> list[Part]:
    """Say what to type for each that may have been renamed, a line each."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for title, standing in standings:
        for names in standing.renames:
            groups[names].append(title)
    said: list[Part] = []
    for (old, new), titles in list(groups.items())[:MOST]:
        rename = Command('rename', old, new)
        there = selection.for_those(rename, titles, len(standings))
        begin = '\n' if said else ''
        if there is not None:
            if_so = f'{begin}If {new} is {old} under another name, and not to run: '
            said += [if_so, there]
    return said


def _rank(group: tuple[str, Sequence[str]]) -> tuple[bool, int, str]:
    remark, titles = group
    return not remark.startswith(UNFINISHED), len(titles), remark


def _remarks(plan: Plan, left: Sequence[str], later: str) -> Iterable[str]:
    running = [run.name for run in plan.open_runs.running]
    restores = [f'dbrestore of {run.name}' for run in plan.restores]
    runs = [run.name for run in plan.to_settle if not run.is_restore]
    unfinished = list(dict.fromkeys([*restores, *runs]))
    for what, names in (
        (UNFINISHED, unfinished),
        (later, left),
        ('Running at this moment', running),
        (elsewhere_of(plan), list(plan.elsewhere)),
        ('Late', [each.name for each in plan.late]),
        ('Changed since executed', plan.changed),
        ('Missing (registered, but there is no file)', plan.missing),
    ):
        if names:
            yield f'{what}: {some_of(names)}'
    for new, old in plan.renamed.items():
        yield f'{old} seems to be {new} now'
    for new, old in plan.same_number.items():
        yield f'{new} has the number of {old}'
    for name, why in plan.wrong:
        yield f'{name}: {why}'
    if plan.foreign:
        yield f"{plan.foreign:,} of another tool's documents in the registry"
