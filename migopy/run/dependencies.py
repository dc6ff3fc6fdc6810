"""What a file says that it depends on: `needs`, or pymongo-migrate's `dependencies`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from migopy.commands import Again, Command
from migopy.errors import MigopyException
from migopy.files import BACKGROUND, Migration, Unreadable
from migopy.run.needs import named
from migopy.run.observer import Observer
from migopy.run.plan import Plan
from migopy.run.step import Step
from migopy.run.unfinished import goes_on


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

    A file says what it depends on with `needs`; one with an `upgrade`, as
    pymongo-migrate has it, with `dependencies`, a list of names: each the `name` in
    another file or that file's own. With `in_trial` migrations are only tried, so the
    next step runs nothing for good. Raises `DependencyRefused`.
    """
    applied = [old for old, by in plan.replaced.items() if by in plan.registered]
    before: set[str] = {*plan.registered, *plan.done, *applied}
    for place, step in enumerate(steps):
        for word, dependency, needed in _needed(step, plan):
            if needed is None:
                if not {dependency, f'{dependency}.py'} & before:
                    raise _without_file(step, dependency, word)
            elif needed.name not in before:
                earlier = steps[place - 1] if place else None
                raise _not_before(step, needed, plan, in_trial, earlier)
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


def warn_of_left_without(name: str, plan: Plan, observer: Observer) -> None:
    """Warn of files that depend on a migration which has neither file nor record."""
    if plan.stands_for(name):
        return
    for each in plan.migrations:
        for dependency in _written_in(each):
            is_it = name in (dependency, f'{dependency}.py')
            if is_it and _found(dependency, plan.migrations) is None:
                observer.warned(
                    f'{each.name} depends on {name}, which has no file here and no'
                    ' longer counts as applied'
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


def _needed(step: Step, plan: Plan) -> Iterator[tuple[str, str, Migration | None]]:
    """Give what a step depends on: the file's word for it, the name, and its file."""
    if step.direction != 'up':
        return
    for each in step.loaded.said().needs:
        found = named(each, plan.migrations) or plan.stands_for(each)
        yield 'needs', each, found
    for each in _dependencies(step):
        found = _found(each, plan.migrations) or plan.stands_for(each)
        yield 'dependencies', each, found


def _without_file(step: Step, dependency: str, word: str) -> DependencyRefused:
    return DependencyRefused(
        step.name,
        dependency,
        'which has no file here',
        f'Bring its file, or take the name out of `{word}`, then type',
        Again(),
    )


def _not_before(
    step: Step, needed: Migration, plan: Plan, in_trial: bool, earlier: Step | None
) -> DependencyRefused:
    """Say why what is needed has not run before a step, and what helps."""
    if plan.phase_of(needed) == BACKGROUND:
        return _in_background(step, needed, plan, in_trial, earlier)
    if plan.place_of(needed) >= plan.place_of(step.migration):
        return DependencyRefused(
            step.name,
            needed.name,
            'which comes after it',
            'Give the files numbers in the order in which they are to run, then type',
            Command(),
        )
    why = 'which is not applied'
    if in_trial:
        taken = 'To take that with it, type'
        return DependencyRefused(
            step.name, needed.name, why, taken, Again(to=step.name)
        )
    first = Command('execute', needed.name)
    return DependencyRefused(step.name, needed.name, why, 'Execute that first', first)


def _in_background(
    step: Step, needed: Migration, plan: Plan, in_trial: bool, earlier: Step | None
) -> DependencyRefused:
    """Say why what a worker is to run has not run, and what helps.

    That is to go as far as the step before it, `earlier`, if there is one.
    """
    is_running = any(run.name == needed.name for run in plan.at_work)
    why = 'which has not run in the background'
    next: Command | Again = Command('work', needed.name)
    what_next = 'To run it'
    if is_running:
        why = 'which a worker runs at this moment'
        what_next, next = 'To wait until it has ended, type', Again(wait='yes')
    if in_trial:
        tried = Command('execute', needed.name, dry_run='yes')
        watched = Command('watch', worker='yes')
        what_next, next = 'To look at it', watched if is_running else tried
    if earlier is not None and not is_running:
        what_next, next = 'To go as far as that, type', Again(to=earlier.name)
    unfinished = plan.unfinished_of(needed)
    if unfinished and not is_running and (in_trial or not goes_on(unfinished[-1])):
        # By its name it would be run again, before anybody has decided that.
        what_next, next = 'It is unfinished, see', Command()
    return DependencyRefused(step.name, needed.name, why, what_next, next)


def _found(dependency: str, migrations: Sequence[Migration]) -> Migration | None:
    # Their files may have been renamed, the `name` in them has not.
    by_text = (each for each in migrations if each.text_in('name') == dependency)
    return named(dependency, migrations) or next(by_text, None)
