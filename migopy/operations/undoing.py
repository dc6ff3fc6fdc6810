"""Images in commands: `rollback` restores from them, `undo` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bson import ObjectId
from pymongo.errors import OperationFailure

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.files import LoadedMigration, Migration, load_all
from migopy.operations.orders import Order
from migopy.run import Choice, NoWayBack, Observer, Plan, Step
from migopy.site import Site
from migopy.state import IGNORED, Record, Run
from migopy.undo import Kept, Undo

#: What the server answers to a user who may not read images.
UNAUTHORIZED = 13


class NoImagesKept(MigopyException):
    """No images are kept of a migration; `name` is its name."""

    def __init__(self, name: str, has_down: bool) -> None:
        self.name = name
        also = ('\nTo run its down: ', Command('rollback', name)) if has_down else ()
        super().__init__(
            f'No images are kept of {name}: it was executed without `undo = True`, or'
            ' they were deleted (UNDO_KEEP, UNDO_DAYS). Nothing was done.\n'
            'See of which there are: ',
            Command('undo', 'list'),
            *also,
        )


class NeverExecuted(MigopyException):
    """A migration without a `down` was ignored, not executed; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and was ignored here: it is marked as applied, and'
            ' migopy has run no up() of it to its end. Nothing was run.\n'
            'To have it pending again, write a down(db) that undoes what there is of'
            ' it, `def down(db): pass` if that is nothing, then type: ',
            Command('rollback', name),
        )


class NotRolledBack(MigopyException):
    """`undo` was typed for a rollback; `what` was given, as a migration's name."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            'undo only lists images, so nothing was done; to roll back: ',
            Command('rollback', what),
        )


class HalfUndone(MigopyException):
    """A migration's documents are restored in part; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is half undone: a part of its documents is restored, the rest is'
            ' not. Nothing was run.\nTo restore the rest: ',
            Command('rollback', name, undo='yes'),
        )


class CoveredInPart(MigopyException):
    """Images hold only a part of what a migration has changed; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'The images of {name} hold only a part of what it has changed: it is'
            ' unfinished, and a run of it kept none. Nothing was restored.\n'
            'Write a down() that takes back what is left, then type: ',
            Command('rollback', name),
        )


class StillNeeded(MigopyException):
    """Images cannot be forgotten as yet; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is unfinished, or runs at this moment: without its images it'
            ' could be neither gone on with nor restored. Nothing was done.\n'
            'See which it is: ',
            Command(),
        )


def steps_down(
    site: Site,
    order: Order,
    plan: Plan,
    migrations: Sequence[Migration],
    observer: Observer,
) -> list[Step]:
    """Import what is to be rolled back, and take images where there is no `down`.

    Raises `ImportFailed`, `NoSuchFunction`, `NoWayBack`, `BadTransaction`,
    `NoImagesKept`, `NeverExecuted`.
    """
    return [
        _step_down(site, order, plan, loaded, observer)
        for loaded in load_all(migrations, site.directory)
    ]


def _step_down(
    site: Site, order: Order, plan: Plan, loaded: LoadedMigration, observer: Observer
) -> Step:
    has_down = callable(loaded.functions.get('down'))
    if has_down and not order.undoing.is_wanted:
        require_none_half_undone(site, plan, [loaded])
        return Step.of(loaded, 'down', order.transaction)
    step = undo_of(site, order, plan, loaded, observer)
    if step is not None:
        return step
    if not has_down and loaded.said().repeat:
        raise NoWayBack(loaded.name)
    record = plan.registered.get(loaded.name)
    if not has_down and record is not None and record.how == IGNORED:
        raise NeverExecuted(loaded.name)
    return Step.of(loaded, 'down', order.transaction)


def undo_of(
    site: Site, order: Order, plan: Plan, loaded: LoadedMigration, observer: Observer
) -> Step | None:
    """Give the step that restores from images, `None` where none are kept.

    Raises `NoImagesKept` where they are wanted, and `CoveredInPart`.
    """
    has_down = callable(loaded.functions.get('down'))
    kept = _kept_of(site, plan, loaded, order.undoing.is_wanted)
    if kept is None and order.undoing.is_wanted:
        raise NoImagesKept(loaded.name, has_down)
    if kept is None:
        return None
    unfinished = plan.unfinished_of(loaded.migration)
    if any(_is_bare(each) and each.id not in kept.runs for each in unfinished):
        raise CoveredInPart(loaded.name)
    why = f'{loaded.name} has no down()'
    undo = Undo(
        site.images,
        kept,
        order.undoing.conflicts,
        check=site.lock.check,
        say=observer.warned,
        why=f'{loaded.name} is undone' if has_down else why,
        is_trial=not site.lock.is_held,
    )
    return Step(loaded, 'down', undo.is_small, undo=undo)


def _is_bare(run: Run) -> bool:
    """Tell whether a run may have changed what no images are kept of."""
    return run.direction == 'up' and not run.images


def require_none_half_undone(
    site: Site, plan: Plan, files: Sequence[LoadedMigration]
) -> None:
    """Make sure that what `up` or `down` is to run of is not half undone.

    Raises `HalfUndone`.
    """
    for loaded in files:
        unfinished = plan.unfinished_of(loaded.migration)
        if any(each.direction == 'down' for each in unfinished):
            kept = _kept_of(site, plan, loaded)
            if kept is not None and kept.undone:
                raise HalfUndone(loaded.name)


def _kept_of(
    site: Site, plan: Plan, loaded: LoadedMigration, is_wanted: bool = False
) -> Kept | None:
    """Find the images of what a migration has changed, as far as it has run.

    Whose file keeps none, and who may not read any, has none, unless they are wanted.
    """
    migration = loaded.migration
    unfinished = plan.unfinished_of(migration)
    runs = [each.id for each in unfinished if each.direction == 'up']
    records = [each.id for each in plan.records_of(migration)]
    try:
        return site.images.of_runs([*records, *runs])
    except OperationFailure as error:
        if is_wanted or loaded.images(site.settings.undo) or not _is_denied(error):
            raise
        return None


def _is_denied(error: OperationFailure) -> bool:
    return error.code == UNAUTHORIZED


def require_list(what: str) -> None:
    """Make sure that a list is wanted, and no rollback; raises `NotRolledBack`."""
    if what != 'list':
        raise NotRolledBack(what)


def kept(site: Site) -> list[Kept]:
    """List of which migrations images are kept, the oldest first."""
    found = site.images.all()
    return _named(found, site.plan()) if found else []


def forget(site: Site, name: str, wait: float, observer: Observer) -> None:
    """Delete the images of a migration.

    Raises what `Choice` does, `NoImagesKept`, `StillNeeded`.
    """
    with site.locked('undo', wait, observer.waiting):
        plan = site.plan()
        listed = _named(site.images.all(), plan)
        # Of one that is forgotten there may be no file and no record.
        is_listed = any(each.name == name for each in listed)
        wanted = name if is_listed else Choice(plan).name_of(name)
        found = [each for each in listed if each.name == wanted]
        if not found:
            raise NoImagesKept(wanted, has_down=False)
        if any(_is_needed(each, plan) for each in found):
            raise StillNeeded(wanted)
        site.lock.check()
        site.images.forget([each.id for each in found])


def _named(found: Sequence[Kept], plan: Plan) -> list[Kept]:
    """Give images by the names that their migrations have by now."""
    names = {each.id: each.name for each in plan.records if _is_of_run(each)}
    return [
        replace(
            kept,
            name=next((names[run] for run in kept.runs if run in names), kept.name),
        )
        for kept in found
    ]


def _is_of_run(record: Record) -> bool:
    # Another tool's `_id` may be of any type.
    return isinstance(record.id, ObjectId)


def _is_needed(kept: Kept, plan: Plan) -> bool:
    """Tell whether a migration that is half done has to have its images.

    That is one that is unfinished or at work, or one that is half undone.
    """
    runs = {each.id for each in (*plan.unfinished, *plan.at_work)}
    if runs.intersection(kept.runs):
        return True
    records = {each.id for each in plan.records if _is_of_run(each)}
    return bool(kept.undone and records.intersection(kept.runs))


def prune(site: Site) -> None:
    """Delete images that nothing can be restored from any more, and those too many.

    The lock is held. A user who may not read them keeps none, and deletes none.
    """
    try:
        found = site.images.all()
        site.images.forget_left()
    except OperationFailure as error:
        if not _is_denied(error):
            raise
        return
    if not found:
        return
    plan = site.plan()
    records = {each.id for each in plan.records if _is_of_run(each)}
    needed = [each for each in found if _is_needed(each, plan)]
    old = [
        each for each in found if each not in needed and records.intersection(each.runs)
    ]
    settings = site.settings
    spared = old if settings.undo_keep is None else old[-settings.undo_keep :]
    if settings.undo_days is not None:
        since = site.lock.now() - timedelta(days=settings.undo_days)
        spared = [each for each in spared if each.at >= since]
    kept = {each.id for each in (*needed, *spared)}
    site.lock.check()
    site.images.forget([each.id for each in found if each.id not in kept])
