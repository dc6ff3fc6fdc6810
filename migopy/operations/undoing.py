"""Restore from images in `rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pymongo.errors import OperationFailure

from migopy.commands import Again, Command, Option
from migopy.errors import MigopyException
from migopy.files import LoadedMigration, Migration, load_all
from migopy.operations.image_rights import is_denied
from migopy.operations.images import WHY_NONE, NoImagesKept
from migopy.operations.orders import Order
from migopy.run import NoWayBack, Observer, Plan, Step
from migopy.site import Site
from migopy.state import IGNORED, Run
from migopy.undo import ImageSet, Undo


class NeverExecuted(MigopyException):
    """A migration without a `down` was ignored, not executed; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and was ignored here: it is marked as applied, and'
            ' migopy has run no up() of it to its end. Nothing was run.\n'
            'To have it pending again, and run nothing: ',
            Command('forget', name),
            '\nOr, if there is something of it to be undone first, write a down(db)'
            ' that undoes that, then type',
            Again(),
        )


class NeverKept(MigopyException):
    """An unfinished migration without a `down` has no images; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and no images are kept of its unfinished run: that'
            ' was cut off before it had changed a document, unless somebody has deleted'
            ' them. Nothing was run.\nTo run its up again: ',
            Command('execute', name),
            '\nOr write a down(db) that takes back what there is of it, then type',
            Again(),
        )


class KeptNoMore(MigopyException):
    """A migration that is to keep images has none here; `name` is its name.

    Another one of many databases may have them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and no images of it are kept here: {WHY_NONE}.'
            ' Nothing was run.\n'
            'Write a down(db) that takes back what it has done, then type',
            Again(),
        )


class UndoRefused(MigopyException):
    """A migration without a `down` is not to be undone either; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has no down(), and with ',
            Option('undo', 'no'),
            ' nothing is restored from images, so nothing was run.\n'
            'Write a down(db) in it, then type',
            Again(),
            '\nTo restore what it has changed from images, if any are kept, type the'
            ' same without ',
            Option('undo', 'no'),
            '.',
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
            'Write a down() that takes back what is left, then type',
            Again(),
        )


def steps_down(
    site: Site,
    order: Order,
    plan: Plan,
    migrations: Sequence[Migration],
    observer: Observer,
) -> list[Step]:
    """Import what is to be rolled back; use images where there is no `down`.

    Raises `ImportFailed`, `NoSuchFunction`, `NoWayBack`, `BadTransaction`,
    `NoImagesKept`, `NeverExecuted`, `NeverKept`, `KeptNoMore`, `UndoRefused`.
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
    if order.undoing.is_refused:
        raise UndoRefused(loaded.name)
    step = undo_of(site, order, plan, loaded, observer)
    if step is not None:
        return step
    if not has_down and loaded.said().repeat:
        raise NoWayBack(loaded.name)
    records = plan.records_of(loaded.migration)
    if not has_down and {each.how for each in records} == {IGNORED}:
        raise NeverExecuted(loaded.name)
    if not has_down and any(e.images for e in plan.unfinished_of(loaded.migration)):
        raise NeverKept(loaded.name)
    if not has_down and loaded.images(site.settings.undo):
        raise KeptNoMore(loaded.name)
    return Step.of(loaded, 'down', order.transaction)


def undo_of(
    site: Site, order: Order, plan: Plan, loaded: LoadedMigration, observer: Observer
) -> Step | None:
    """Give the step that restores from images; `None` if none are kept.

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
    """Tell whether a run may have changed documents without keeping images."""
    return run.direction == 'up' and not run.images


def require_none_half_undone(
    site: Site, plan: Plan, files: Sequence[LoadedMigration]
) -> None:
    """Make sure that migrations whose `up` or `down` is to run are not half undone.

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
) -> ImageSet | None:
    """Find the images of what a migration has changed, as far as it has run.

    They have the name that the migration has by now. A user who may not read images
    gets none where the file keeps none, unless they were asked for.
    """
    migration = loaded.migration
    unfinished = plan.unfinished_of(migration)
    runs = [each.id for each in unfinished if each.direction == 'up']
    records = [each.id for each in plan.records_of(migration)]
    try:
        kept = site.images.of_runs([*records, *runs])
    except OperationFailure as error:
        if is_wanted or loaded.images(site.settings.undo) or not is_denied(error):
            raise
        return None
    return None if kept is None else replace(kept, name=loaded.name)
