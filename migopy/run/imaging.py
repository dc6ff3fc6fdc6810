"""Keep images of what a step changes, in its transaction or page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo.client_session import ClientSession

from migopy.effects import Changes, Keeper, Recording, RefusedWrite
from migopy.errand import is_typed
from migopy.files import BEST_EFFORT
from migopy.run.imaging_errors import NoImagesHere, refusal_of
from migopy.run.marks import has_one_log
from migopy.run.observer import Observer
from migopy.run.own_collections import OwnNames
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.transaction import require_transactions
from migopy.state import Run

if TYPE_CHECKING:
    from migopy.backfill import PageImages
    from migopy.undo import Capture, ImageSet


def with_images(steps: Sequence[Step], wish: bool | str, client: Any) -> list[Step]:
    """Mark the steps that are to keep images, before anything runs.

    `wish` is the manager's. Raises `NoTransactions`, `NoImagesHere`, `BadUndo`.
    """
    wishes = [each.loaded.images(wish) for each in steps]
    # Most keep none; ten thousand steps are not copied for nothing.
    steps = [
        step._replace(images=images) if images else step
        for step, images in zip(steps, wishes)
    ]
    for step in steps:
        if step.images is True:
            without = ', or have `undo = False` at the top of the file.'
            require_transactions(client, f'{step.name}: undo = True', without)
            if not has_one_log(client):
                raise NoImagesHere(step.name)
    return steps


@contextmanager
def pages_of(
    step: Step,
    run: Run,
    site: Site,
    effects: Recording,
    earlier: Sequence[Run],
    observer: Observer,
) -> Iterator[PageImages | None]:
    """Give what keeps images of the pages of a step that runs without a transaction.

    In the block the step can write nothing but pages. `earlier` are runs that have left
    it unfinished. Raises `OutsidePages`, `NotImaged`, `NotCovered`, `WroteOutside`.
    """
    if step.images is not True:
        if step.images:
            observer.warned(f'{step.name}: no images are kept, without a transaction')
        yield None
        return
    from migopy.undo import (
        CurrentSet,
        DefinitionKeeper,
        NotCovered,
        PageImager,
        settle_left,
    )

    images = site.images
    with site.db.client.start_session() as session:
        kept = begun(site, run, earlier)
        settle_left(images, kept)
        images.save(kept)
        known, limit = CurrentSet(kept), site.settings.undo_mb
        try:
            keeper = DefinitionKeeper(images, known, limit, own_names(site))
            with effects.kept_to(session.session_id, is_typed(), keeper):
                yield PageImager(images, known, session, limit, own_names(site))
        except RefusedWrite as refused:
            raise refusal_of(refused) from refused
        if effects.refused is not None:
            raise refusal_of(effects.refused)
        problems = list(effects.unknowns())
        if effects.outside.wrote:
            problems.append(effects.outside.describe(site.db.name))
        if problems:
            raise NotCovered(problems)


def keeper_of(step: Step, site: Site) -> Keeper | None:
    """Give what refuses writes that a step in a transaction keeps no images of."""
    if step.images is not True:
        return None
    from migopy.undo import UnkeptCollections

    return UnkeptCollections(site.images)


def begun(site: Site, run: Run, earlier: Sequence[Run]) -> ImageSet:
    """Give the set of images that a run adds to, before it has any of its own.

    It is the set of the earlier runs that have left the migration unfinished, or a new
    one. Raises `NotCovered` where those runs have kept no images.
    """
    from migopy.undo import ImageSet, NotCovered

    found: ImageSet | None = site.images.of_runs([each.id for each in earlier])
    home = site.db.name
    kept = found or ImageSet(run.name, site.lock.now(), [], database=home)
    # A run that was killed before it began has no images, and needs none.
    if any(not each.images and each.id not in kept.runs for each in earlier):
        raise NotCovered(['what a run before has written, which is unfinished'])
    kept.runs.append(run.id)
    return kept


class NoImages:
    """Keeps nothing."""

    def keep(self, effects: Recording, observer: Observer) -> None:
        """Keep nothing."""


@contextmanager
def images_of(
    step: Step,
    run: Run,
    site: Site,
    session: ClientSession,
    earlier: Sequence[Run],
) -> Iterator[NoImages]:
    """Give what keeps images of a step that runs in the block, in its transaction.

    `earlier` are runs that have left it unfinished.
    """
    if not step.images:
        yield NoImages()
        return
    from migopy.undo import capturing

    readable = site.registry.collection.name
    with capturing(session, site.db.name, readable) as capture:
        yield StepImages(
            run, site, session, capture, step.images == BEST_EFFORT, earlier
        )


class StepImages(NoImages):
    """Keeps images of what a step has changed in its transaction.

    Invariant: there are images of all that the step has changed, or there are none;
    then the transaction fails, or a person is told so.
    """

    def __init__(
        self,
        run: Run,
        site: Site,
        session: ClientSession,
        capture: Capture,
        is_best_effort: bool,
        earlier: Sequence[Run],
    ) -> None:
        self._run = run
        self._site = site
        self._session = session
        self._capture = capture
        self._is_best_effort = is_best_effort
        self._earlier = earlier

    def keep(self, effects: Recording, observer: Observer) -> None:
        """Keep images of all that a step has changed.

        Raises `NotCovered`, `TooManyImages`, `PyMongoError`.
        """
        from migopy.undo import NotCovered, TooManyImages

        images, run = self._site.images, self._run
        with self._site.listener.own_work():
            kept = None
            try:
                kept = begun(self._site, run, self._earlier)
                self._keep(images, kept, effects)
            except (NotCovered, TooManyImages) as error:
                if not self._is_best_effort:
                    raise
                images.forget([kept.id] if kept else [], self._session)
                observer.warned(f'{run.name}: no images are kept. {error.cause}')
            else:
                images.save(kept, self._session)

    def _keep(self, images: Any, kept: ImageSet, effects: Recording) -> None:
        from migopy.undo import NotCovered, keep

        limit = self._site.settings.undo_mb
        problems = list(effects.unknowns())
        # A collection may stand alone, and beside others as well.
        touched: dict[str, Changes] = {}
        for name, changes in effects.changes.items():
            if not self._is_known(name):
                problems.append(f'{name}: {"; ".join(changes.phrases())}')
                continue
            for namespace in names_in(name):
                own = touched.setdefault(namespace, Changes())
                if namespace == name:
                    own.add(changes)
        for namespace, changes in touched.items():
            was_there = self._capture.exists(namespace)
            pairs = self._capture.pairs(namespace, was_there)
            count = keep(images, kept, namespace, pairs, self._session, limit)
            defined = changes.collection or changes.indexes
            # An insert makes the collection even if the document is gone again.
            if not was_there and (count or changes.inserted or defined):
                kept.add_made(namespace)
            elif changes.indexes:
                problems.append(f'{namespace}: {"; ".join(changes.phrases())}')
            # MongoDB 7 takes `create` for one that is there, and makes nothing.
        if problems:
            raise NotCovered(problems)

    def _is_known(self, name: str) -> bool:
        """Tell whether effects are on collections, and on none of migopy's own."""
        own = own_names(self._site)
        return '.' in name and not own.intersection(names_in(name))


def own_names(site: Site) -> set[str]:
    """Name the collections that migopy keeps for itself."""
    return {f'{site.db.name}.{each}' for each in OwnNames.of(site).names}


def names_in(name: str) -> list[str]:
    """List the collections that effects under a name may be on.

    A write to several collections is noted under all their names, joined by ` + `; a
    single collection may also be called like that.
    """
    names = [name, *name.split(' + ')]
    return [each for each in dict.fromkeys(names) if '.' in each]
