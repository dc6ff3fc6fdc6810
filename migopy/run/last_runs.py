"""The runs of the history that were asked for: the last ones, or one migration's."""

from __future__ import annotations

from collections.abc import Iterable

from migopy.run.choice import Choice
from migopy.run.choice_errors import NoNumberOfRuns, UnknownMigration
from migopy.run.plan import Plan
from migopy.state import History, Run
from migopy.texts import is_utf8, whole_number

#: As many as a query may ask for, on whatever server.
MOST = 2**31 - 1


def last_runs(history: History, plan: Plan, which: str) -> Iterable[Run]:
    """Read the last runs: a number of them, those of one migration, or all for `''`.

    They can be iterated over once; where there may be many, that reads them.
    Raises `UnknownMigration`, `AmbiguousName`, `NoNumberOfRuns`.
    """
    ahead = plan.open_runs.ahead
    number = whole_number(which.lstrip('-'))
    if not which or (number is not None and which[0] not in '-0'):
        return history.each(min(number or 0, MOST), without=ahead)
    # A migration without a file and a record is known to the history alone.
    named = history.each(name=which, without=ahead) if is_utf8(which) else ()
    runs = list(named)
    if runs:
        return runs
    try:
        name = Choice(plan).name_of(which)
    except UnknownMigration as error:
        if number == 0 or (number is not None and which[0] == '-'):
            raise NoNumberOfRuns(which) from error
        raise
    return history.each(name=name, without=ahead)
