"""`undo`: list images and forget them, and delete those that are too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bson import ObjectId
from pymongo.errors import OperationFailure

from migopy.commands import Command
from migopy.errors import MigopyException, enumerated
from migopy.face import Asking
from migopy.operations.image_rights import is_denied
from migopy.operations.meanwhile import ImagesChanged
from migopy.run import Choice, Observer, Plan, UnknownMigration
from migopy.server import lacked_by
from migopy.site import Site
from migopy.state import Record
from migopy.texts import counted
from migopy.undo import ImageSet, leave_aside

#: Why there may be no images of a migration.
WHY_NONE = (
    'it was executed without `undo = True`, or in a database that this one is a copy'
    ' of, or they were forgotten, or deleted (UNDO_KEEP, UNDO_DAYS)'
)


class NoImagesKept(MigopyException):
    """No images are kept of a migration; `name` is its name."""

    is_for_good = True

    def __init__(self, name: str, has_down: bool) -> None:
        self.name = name
        also = ('\nTo run its down: ', Command('rollback', name)) if has_down else ()
        super().__init__(
            f'No images are kept of {name}: {WHY_NONE}. Nothing was done.\n'
            'See which migrations have images: ',
            Command('undo', 'list'),
            *also,
        )


class NotRolledBack(MigopyException):
    """`undo` was typed to roll back; `what` was given, the name of a migration."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            'undo only lists images, so nothing was done; to roll back: ',
            Command('rollback', what),
        )


class NotAList(MigopyException):
    """`undo` was typed with `what`, which is no migration's name."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f'undo only lists images, and {what!r} is no migration, so nothing was'
            ' done.\nTo list them: ',
            Command('undo', 'list'),
        )


class StillNeeded(MigopyException):
    """Images cannot be forgotten as yet; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is unfinished, or runs at this moment: without its images it'
            ' could neither go on nor be restored. Nothing was done.\n'
            'See which it is: ',
            Command(),
        )


def require_list(site: Site, what: str) -> None:
    """Make sure that a list is wanted, and no rollback.

    Raises `NotRolledBack`, and `NotAList` for what names no file.
    """
    if what == 'list':
        return
    try:
        Choice(Plan(site.directory.migrations())).find(what)
    except UnknownMigration as error:
        raise NotAList(what) from error
    except MigopyException:
        pass  # `rollback` says it
    raise NotRolledBack(what)


def kept(site: Site) -> list[ImageSet]:
    """List the sets of images, the oldest first."""
    found = site.images.all()
    return _named(found, site.plan()) if found else []


def forget(
    site: Site, name: str, wait: float, observer: Observer, asking: Asking
) -> None:
    """Delete the images of a migration, once a person at a terminal has agreed.

    Raises what `Choice` does, `NoImagesKept`, `StillNeeded`, `NotWanted`.
    """
    known = _ask_first(site, name, asking) if asking.will_ask else None
    with site.locked('undo', wait, observer.waiting):
        plan = site.plan()
        wanted, found = _kept_of(site, plan, name)
        if known is not None and any(_is_other(each, known) for each in found):
            raise ImagesChanged(wanted)
        site.lock.check()
        # The same command may have been cut off in the middle of it.
        if wanted in site.images.forget_left() and not found:
            return
        if not found:
            raise NoImagesKept(wanted, has_down=False)
        if any(_is_needed(each, plan) for each in found):
            raise StillNeeded(wanted)
        site.lock.check()
        site.images.forget([each.id for each in found])
        observer.warned(f'Deleted: images of {_described(wanted, found)}')


def _ask_first(site: Site, name: str, asking: Asking) -> Mapping[ObjectId, bool]:
    """Ask about images that are of use, before the lock keeps anybody waiting.

    Gives the ids of those that there are, and whether each is of use.
    """
    plan = site.plan()
    wanted, found = _kept_of(site, plan, name)
    known = {each.id: each.is_of_use for each in found}
    if any(_is_needed(each, plan) for each in found):
        return known
    of_use = [each for each in found if each.is_of_use]
    left = [each for each in found if each.aside and not each.is_of_use]
    said = []
    if of_use:
        said.append(
            f'Images of {_described(wanted, of_use)} are what a rollback without a down'
            ' restores from, and are not made again.'
        )
    if left:
        said.append(
            f'What {_described(wanted, left)} dropped in an earlier run is set aside'
            ' still, and may be nowhere else.'
        )
    if said:
        asking.require('\n'.join([*said, 'Delete them']))
    return known


def _is_other(kept: ImageSet, known: Mapping[ObjectId, bool]) -> bool:
    """Tell whether these are new, or of use by now: nobody was asked about that."""
    return kept.id not in known or kept.is_of_use > known[kept.id]


def _kept_of(site: Site, plan: Plan, name: str) -> tuple[str, list[ImageSet]]:
    """Give the whole name of a migration, and its images; raises what `Choice` does."""
    listed = _named(site.images.all(), plan)
    # A forgotten migration may have neither a file nor a record.
    is_listed = any(each.name == name for each in listed)
    wanted = name if is_listed else Choice(plan).name_of(name)
    return wanted, [each for each in listed if each.name == wanted]


def _described(name: str, found: Sequence[ImageSet]) -> str:
    count = sum(each.documents for each in found)
    return f'{name} ({counted(count, "document")})'


def _named(found: Sequence[ImageSet], plan: Plan) -> list[ImageSet]:
    """Give sets of images with the names that their migrations have by now.

    Those of migrations that are forgotten, ignored or not applied are of no use.
    """
    names = {each.id: each.name for each in plan.records if _is_of_run(each)}
    named = []
    for kept in found:
        known = [names[run] for run in kept.runs if run in names]
        is_of_use = bool(known) or _is_needed(kept, plan)
        name = known[0] if known else kept.name
        # Where another file has replaced it, that cannot be rolled back by parts.
        has_file = bool(plan.file_of(name)) and name not in plan.replaced
        each = replace(kept, name=name, is_of_use=is_of_use, has_file=has_file)
        named.append(each)
    return named


def _is_of_run(record: Record) -> bool:
    # Another tool's `_id` may be of any type.
    return isinstance(record.id, ObjectId)


def _is_needed(kept: ImageSet, plan: Plan) -> bool:
    """Tell whether a migration is half done or half undone, and needs its images.

    Half done is one that is unfinished or running.
    """
    runs = {each.id for each in (*plan.unfinished, *plan.at_work)}
    if runs.intersection(kept.runs):
        return True
    records = {each.id for each in plan.records if _is_of_run(each)}
    return bool(kept.undone and records.intersection(kept.runs))


def prune(site: Site, observer: Observer) -> None:
    """Delete images that are of no use any more, and those beyond the limits.

    What was set aside and not brought back is no image, but the documents themselves:
    of a migration that is not applied by now, it is left until somebody forgets it.
    The lock is held. A user who may not read images keeps none, and deletes none; one
    who may not delete any is told that they stay.
    """
    try:
        found = site.images.all()
    except OperationFailure as error:
        if not is_denied(error):
            raise
        return
    try:
        _prune(site, observer, found)
    except OperationFailure as error:
        if (lacked := lacked_by(error)) is None:
            raise
        observer.warned(
            'All is done, but images that are of no use any more stay in'
            f' {site.images.collection.full_name}: the user may not run'
            f' {lacked.command}. {lacked.advice}'
        )


def _prune(site: Site, observer: Observer, found: Sequence[ImageSet]) -> None:
    site.images.forget_left()
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
    applied = {each.id for each in old}
    for each in found:
        if each.id in kept:
            continue
        if each.id in applied or not each.aside:
            site.images.forget([each.id])
            continue
        left = leave_aside(site.images, each)
        # All others have been told of already.
        if left is not None and each.chunks:
            observer.warned(
                f'What {_described(left.name, [left])} dropped, and nothing has'
                f' brought back, stays set aside in {enumerated(left.aside)}. To delete'
                ' it for good: ',
                Command('undo', forget=left.name),
            )
