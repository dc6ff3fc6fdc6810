"""The runs of the history: those left open, the last ones, or one migration's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from migopy.run.choice import Choice
from migopy.run.choice_errors import NoNumberOfRuns, UnknownMigration
from migopy.run.plan import Plan
from migopy.run.unfinished import OpenRuns
from migopy.state import History, Lock, Registry, Run
from migopy.texts import is_utf8, whole_number

#: As many as a query may ask for, on whatever server.
MOST = 2**31 - 1


def read_open_runs(history: History, lock: Lock, registry: Registry) -> OpenRuns:
    """Read the runs that the history leaves open, and how each of them stands.

    Where there are none, as is usual, the registry is not read.
    """
    runs = history.unsettled()
    if not runs:
        return OpenRuns()
    # In this order: if a run ends well meanwhile, the registry has it then.
    holders, contents = lock.holders(), registry.read(in_full=True)
    return Plan((), contents.records, runs=runs, holders=holders).open_runs


def last_runs(
    history: History, open_runs: OpenRuns, which: str
) -> Iterable[Run] | None:
    """Read the last runs: a number of them, those of this whole name, or all for `''`.

    They can be iterated over once; where there may be many, that reads them. It is
    `None` where no run has such a name: it may be a part of one, for `runs_of`.
    """
    number = whole_number(which.lstrip('-'))
    if not which or (number is not None and which[0] not in '-0'):
        last = history.each(min(number or 0, MOST), without=open_runs.ahead)
        return _as_known(last, open_runs)
    # A migration without a file and a record is known to the history alone.
    named = history.each(name=which, without=open_runs.ahead) if is_utf8(which) else ()
    return list(_as_known(named, open_runs)) or None


def runs_of(
    which: str, history: History, open_runs: OpenRuns, plan: Plan
) -> Iterable[Run]:
    """Read the runs of a migration of the plan by what was typed: `001_x`, say.

    They can be iterated over once, which reads them. Raises `UnknownMigration`,
    `AmbiguousName`, `NoNumberOfRuns`.
    """
    number = whole_number(which.lstrip('-'))
    try:
        name = Choice(plan).name_of(which)
    except UnknownMigration as error:
        if number == 0 or (number is not None and which[0] == '-'):
            raise NoNumberOfRuns(which) from error
        raise
    return _as_known(history.each(name=name, without=open_runs.ahead), open_runs)


def _as_known(runs: Iterable[Run], open_runs: OpenRuns) -> Iterator[Run]:
    """Give runs with what the registry alone knows: since when, and how long."""
    # Somebody else's ids may be of any type, so these are compared one by one.
    known = [*open_runs.running, *open_runs.unfinished, *open_runs.ended]
    for run in runs:
        for each in known:
            if each.id == run.id:
                run = replace(run, started=each.started)
        record = open_runs.record_of(run)
        if record is not None:
            ended, took = record.executed_at, record.duration_ms
            run = replace(run, ended=ended, duration_ms=took)
        yield run
