"""What a file says that it depends on: `needs`, or pymongo-migrate's `dependencies`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from migopy.commands import Again, Command
from migopy.errors import MigopyException
from migopy.files import BACKGROUND, Migration, Unreadable
from migopy.run.needs import named
from migopy.run.observer import Observer
from migopy.run.plan import Plan
from migopy.run.step import Step


class DependencyRefused(MigopyException):
    """A migration depends on what has not run before it.

    `name` is the migration's, `dependency` what its file names.
    """

    def __init__(
        self,
        name: str,
        dependency: str,
        why: str,
        what_next: str,
        next: Command | Again,
    ) -> None:
        self.name = name
        self.dependency = dependency
        what_next += '' if isinstance(next, Again) else ': '
        super().__init__(
            f'{name} depends on {dependency}, {why}; nothing was run.\n{what_next}',
            next,
        )


def require_dependencies(
    steps: Sequence[Step], plan: Plan, in_trial: bool = False
) -> None:
    """Make sure that what migrations depend on runs before them, or is applied.

    With `in_trial` they are only tried, and nobody is led to anything else.
    A file says so with `needs`; one with an `upgrade`, as pymongo-migrate's, with
    `dependencies`, a list of the names of others: each the `name` in its file or the
    file's own. Raises `DependencyRefused`.
    """
    before: set[str] = {*plan.registered, *plan.done}
    done = [old for old, by in plan.replaced.items() if by in plan.registered]
    before.update(done)
    for step in steps:
        if step.direction == 'up':
            for each in step.loaded.said().needs:
                found = named(each, plan.migrations) or plan.stands_for(each)
                _require(step, each, 'needs', found, plan, before, in_trial)
            for each in _dependencies(step):
                found = _found(each, plan.migrations) or plan.stands_for(each)
                _require(step, each, 'dependencies', found, plan, before, in_trial)
        before.add(step.name)


def warn_of_dependents(plan: Plan, steps: Sequence[Step], observer: Observer) -> None:
    """Warn of what stays applied, and depends on what is to be rolled back."""
    names = {step.name for step in steps}
    for each in plan.migrations:
        if each.name not in plan.registered or each.name in names:
            continue
        for dependency in _written_in(each):
            needed = _found(dependency, plan.migrations)
            if needed is not None and needed.name in names:
                observer.warned(
                    f'{each.name} depends on {needed.name}, and stays applied'
                )


def _written_in(migration: Migration) -> list[str]:
    """Read what a file depends on without importing it, `[]` where that cannot be."""
    with suppress(Unreadable):
        if b'dependencies' in migration.content() and migration.defines('upgrade'):
            found = migration.value_in('dependencies')
            names = found if isinstance(found, (list, tuple)) else ()
            return [each for each in names if isinstance(each, str)]
        return list(migration.said().needs)
    return []


def _dependencies(step: Step) -> list[str]:
    found = getattr(step.loaded.module, 'dependencies', None)
    if not hasattr(step.loaded.module, 'upgrade') or found is None:
        return []
    if isinstance(found, (list, tuple)) and all(isinstance(n, str) for n in found):
        return list(found)
    raise DependencyRefused(
        step.name,
        repr(found),
        'which is no list of names',
        'Correct it in the file, then type',
        Again(),
    )


def _require(
    step: Step,
    dependency: str,
    word: str,
    needed: Migration | None,
    plan: Plan,
    before: set[str],
    in_trial: bool,
) -> None:
    if needed is None:
        if {dependency, f'{dependency}.py'} & before:
            return
        raise DependencyRefused(
            step.name,
            dependency,
            'of which there is no file here',
            f'Bring its file, or take the name out of `{word}`, then type',
            Again(),
        )
    if needed.name in before:
        return
    if plan.phase_of(needed) == BACKGROUND:
        _refuse_background(step, needed, plan, in_trial)
    order = [each.name for each in plan.migrations]
    if order.index(needed.name) >= order.index(step.name):
        raise DependencyRefused(
            step.name,
            needed.name,
            'which comes after it',
            'Give the files numbers in the order in which they are to run, then type',
            Command(),
        )
    next: Command | Again = Command('execute', needed.name)
    what_next = 'Execute that first'
    if in_trial:
        what_next, next = 'To take that with it, type', Again(to=step.name)
    raise DependencyRefused(
        step.name, needed.name, 'which is not applied', what_next, next
    )


def _refuse_background(
    step: Step, needed: Migration, plan: Plan, in_trial: bool
) -> None:
    why = 'which has not run in the background'
    next: Command | Again = Command('work', needed.name)
    what_next = 'To run it'
    is_running = any(run.name == needed.name for run in plan.at_work)
    if is_running:
        why = 'which a worker runs at this moment'
        what_next, next = 'To wait until it has ended, type', Again(wait='yes')
    if in_trial:
        tried = Command('execute', needed.name, dry_run='yes')
        watched = Command('watch', worker='yes')
        what_next, next = 'To look at it', watched if is_running else tried
    if plan.unfinished_of(needed) and not is_running:
        # By its name it would be run again, before anybody has decided that.
        what_next, next = 'It is unfinished, see', Command()
    raise DependencyRefused(step.name, needed.name, why, what_next, next)


def _found(dependency: str, migrations: Sequence[Migration]) -> Migration | None:
    # Their files may have been renamed, the `name` in them has not.
    by_text = (each for each in migrations if each.text_in('name') == dependency)
    return named(dependency, migrations) or next(by_text, None)
