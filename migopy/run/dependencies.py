"""What a file says that it depends on, as files of pymongo-migrate do."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.files import Migration
from migopy.run.plan import Plan
from migopy.run.step import Step


class DependencyRefused(MigopyException):
    """A migration depends on what has not run before it.

    `name` is the migration's, `dependency` what its file names.
    """

    def __init__(
        self, name: str, dependency: str, why: str, what_next: str, next: Command
    ) -> None:
        self.name = name
        self.dependency = dependency
        super().__init__(
            f'{name} depends on {dependency}, {why}; nothing was run.\n{what_next}: ',
            next,
        )


def require_dependencies(steps: Sequence[Step], plan: Plan) -> None:
    """Make sure that what migrations depend on runs before them, or is applied.

    Only of files with an `upgrade`, as pymongo-migrate's: there `dependencies` is a
    list of the names of others, each the `name` in its file or the file's own. Raises
    `DependencyRefused`.
    """
    before: set[str] = set(plan.registered)
    for step in steps:
        if step.direction == 'up':
            for dependency in _dependencies(step):
                _require(step, dependency, plan, before)
        before.add(step.name)


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
        Command('execute'),
    )


def _require(step: Step, dependency: str, plan: Plan, before: set[str]) -> None:
    needed = _found(dependency, plan.migrations)
    if needed is None:
        raise DependencyRefused(
            step.name,
            dependency,
            'of which there is no file here',
            'Bring its file, or take the name out of `dependencies`, then type',
            Command('execute'),
        )
    if needed.name in before:
        return
    order = [each.name for each in plan.migrations]
    if order.index(needed.name) >= order.index(step.name):
        raise DependencyRefused(
            step.name,
            needed.name,
            'which comes after it',
            'Give the files numbers in the order in which they are to run, then type',
            Command(),
        )
    raise DependencyRefused(
        step.name,
        needed.name,
        'which is not applied',
        'Execute that first',
        Command('execute', needed.name),
    )


def _found(dependency: str, migrations: Sequence[Migration]) -> Migration | None:
    for each in migrations:
        if dependency in (each.stem, each.name):
            return each
    # Their files may have been renamed, the `name` in them has not.
    named = (each for each in migrations if each.text_in('name') == dependency)
    return next(named, None)
