"""What a person is warned of before steps run."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command
from migopy.errors import enumerated
from migopy.run.observer import Observer
from migopy.run.plan import Plan
from migopy.run.step import Step
from migopy.state import IGNORED


def _empty() -> None:
    pass


def _documented() -> None:
    """Do nothing."""


async def _empty_async() -> None:
    pass


async def _documented_async() -> None:
    """Do nothing."""


#: The bytecode of functions in which nothing stands, or a docstring alone.
EMPTY = frozenset(
    each.__code__.co_code
    for each in (_empty, _documented, _empty_async, _documented_async)
)


def warn_of_helpers(steps: Sequence[Step], observer: Observer) -> None:
    """Warn of functions named `require` or `verify` that are not called."""
    for step in steps:
        names = step.loaded.helpers_like_conditions if step.direction == 'up' else ()
        for name in names:
            observer.warned(
                f'{step.name}: its {name} is taken for a helper and not called, as it'
                ' cannot be called with a `db` alone'
            )


def warn_of_imports(steps: Sequence[Step], observer: Observer) -> None:
    """Warn of files that have written while they were imported, which all tries do."""
    for step in steps:
        written = step.loaded.at_import.describe()
        if written:
            observer.warned(
                f'{step.name} has written while it was imported: {written}. What stands'
                ' outside of its functions is done each time that the file is imported,'
                ' for a dry run or preflight, too: move it into its up'
            )


def warn_of_same_number(plan: Plan, steps: Sequence[Step], observer: Observer) -> None:
    """Warn of an `up` that may have run under a name which has no file any more."""
    for step in steps:
        old = plan.same_number.get(step.name) if step.direction == 'up' else None
        if old is not None:
            observer.warned(
                f'{step.name} has the number of {old}, which is applied and has no file'
                ' here. If it is that one under another name, it is applied already; in'
                ' place of running it, type: ',
                Command('rename', old, step.name),
            )


def tell_of_empty(step: Step, plan: Plan, observer: Observer) -> None:
    """Tell of an `up` that has run and is empty: it may be unwritten as yet.

    One that runs again once it is written is not told of, nor one that was emptied
    after it had failed half done: to forget it would forget what it had written.
    """
    is_expected = step.name in plan.repeats or bool(plan.unfinished_of(step.migration))
    if step.direction == 'up' and is_empty(step.function) and not is_expected:
        observer.empty(step.name)


def is_empty(function: object) -> bool:
    """Tell whether nothing stands in a function, or a docstring alone.

    It is told by its bytecode: of many migrations no file is read again for this.
    """
    code = getattr(function, '__code__', None)
    if code is None or code.co_code not in EMPTY:
        return False
    return {*code.co_consts} <= {None, function.__doc__}


def warn_of_other_than_executed(
    plan: Plan, steps: Sequence[Step], observer: Observer
) -> None:
    """Warn of a `down` where another `up` has run than the one in the file now."""
    for step in (each for each in steps if each.undo is None):
        record = plan.registered.get(step.name)
        if record is None:
            continue
        if record.how == IGNORED:
            observer.warned(
                f'{step.name} was ignored: its up() was not run to its end by migopy'
            )
        elif record.checksum and record.checksum != step.loaded.checksum:
            observer.warned(
                f'{step.name} has changed since it was executed: its down() is that of'
                ' the file as it is now'
            )


def warn_of_later(plan: Plan, steps: Sequence[Step], observer: Observer) -> None:
    """Warn of what was executed after what is to be rolled back, and stays applied."""
    names = {step.name for step in steps}
    for step in steps:
        later = [each for each in plan.executed_after(step.name) if each not in names]
        if later:
            were = 'was' if len(later) == 1 else 'were'
            stay = 'stays' if len(later) == 1 else 'stay'
            observer.warned(
                f'{enumerated(later)} {were} executed after {step.name}, and {stay}'
                ' applied'
            )
