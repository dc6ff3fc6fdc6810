"""The runs of the history: those left open, the last ones, or one migration's."""

from __future__ import annotations

from collections.abc import Iterable

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
    holders, contents = lock.holders(), registry.read()
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
        return history.each(min(number or 0, MOST), without=open_runs.ahead)
    # A migration without a file and a record is known to the history alone.
    named = history.each(name=which, without=open_runs.ahead) if is_utf8(which) else ()
    return list(named) or None


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
    return history.each(name=name, without=open_runs.ahead)
