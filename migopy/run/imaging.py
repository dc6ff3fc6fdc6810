"""Images of what a step in a transaction changes, kept with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from pymongo.client_session import ClientSession

from migopy.commands import Command
from migopy.effects import EffectsListener, Recording
from migopy.errors import MigopyException
from migopy.files import BEST_EFFORT
from migopy.run.marks import has_one_log
from migopy.run.observer import Observer
from migopy.run.step import Step
from migopy.state import History, Lock, Registry, Run

if TYPE_CHECKING:
    from migopy.undo import Capture, Kept


class Ground(Protocol):
    """What images are made of and kept in."""

    @property
    def db(self) -> Any:
        """Give the database, as migrations get it."""

    @property
    def lock(self) -> Lock:
        """Give the lock, which is held."""

    @property
    def registry(self) -> Registry:
        """Give the registered migrations."""

    @property
    def history(self) -> History:
        """Give the runs."""

    @property
    def images(self) -> Any:
        """Give the images of what migrations have changed."""

    @property
    def listener(self) -> EffectsListener:
        """Give what hears the commands of the site's client."""

    @property
    def settings(self) -> Any:
        """Give the settings, with whether images are kept and how large they may be."""


class NeedsTransaction(MigopyException):
    """Images can be kept in a transaction only; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name}: undo = True needs a transaction, so nothing was run.\n'
            'Write `transaction = True` at the top of the file, or `undo = False`, then'
            ' type: ',
            Command('execute'),
        )


class NoImagesHere(MigopyException):
    """Behind a router no images can be kept; `name` is the migration's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name}: undo = True needs a replica set, and this server is a router of a'
            ' sharded cluster, so nothing was run.\n'
            'Write `undo = False` at the top of the file, then type: ',
            Command('execute'),
        )


def require_images(steps: Sequence[Step], wish: bool | str, client: Any) -> None:
    """Make sure, before anything runs, that images can be kept where they are wanted.

    `wish` is the manager's. Raises `NeedsTransaction`, `NoImagesHere`.
    """
    for step in steps:
        if step.direction == 'up' and step.loaded.images(wish) is True:
            if not step.in_transaction:
                raise NeedsTransaction(step.name)
            if not has_one_log(client):
                raise NoImagesHere(step.name)


class NoImages:
    """Keeps nothing."""

    def keep(self, effects: Recording, observer: Observer) -> None:
        """Keep nothing."""


@contextmanager
def images_of(
    step: Step, run: Run, ground: Ground, session: ClientSession
) -> Iterator[NoImages]:
    """Give what keeps images of a step that runs in the block, in its transaction."""
    wish = step.direction == 'up' and step.loaded.images(ground.settings.undo)
    if not wish:
        yield NoImages()
        return
    from migopy.undo import capturing

    readable = ground.registry.collection.name
    with capturing(session, ground.db.name, readable) as capture:
        yield StepImages(run, ground, session, capture, wish == BEST_EFFORT)


class StepImages(NoImages):
    """Keeps images of what a step has changed in its transaction.

    Invariant: there are images of all that the step has changed, or none, and then the
    transaction fails, or it is said that there are none.
    """

    def __init__(
        self,
        run: Run,
        ground: Ground,
        session: ClientSession,
        capture: Capture,
        is_best_effort: bool,
    ) -> None:
        self._run = run
        self._ground = ground
        self._session = session
        self._capture = capture
        self._is_best_effort = is_best_effort

    def keep(self, effects: Recording, observer: Observer) -> None:
        """Keep images of all that a step has changed.

        Raises `NotCovered`, `TooManyImages`, `PyMongoError`.
        """
        from migopy.undo import Kept, NotCovered, TooManyImages

        images, run = self._ground.images, self._run
        kept = Kept(run.name, self._ground.lock.now(), [run.id])
        with self._ground.listener.own_work():
            try:
                self._keep(images, kept, effects)
            except (NotCovered, TooManyImages) as error:
                if not self._is_best_effort:
                    raise
                images.forget([kept.id], self._session)
                observer.warned(f'{run.name}: no images are kept. {error}')
            else:
                images.save(kept, self._session)

    def _keep(self, images: Any, kept: Kept, effects: Recording) -> None:
        from migopy.undo import NotCovered, keep

        limit = self._ground.settings.undo_mb
        problems = list(effects.unknowns())
        for name, changes in effects.changes.items():
            is_known = self._is_known(name)
            if not is_known:
                problems.append(f'{name}: {"; ".join(changes.phrases())}')
                continue
            for namespace in names_in(name):
                was_there = self._capture.exists(namespace)
                pairs = self._capture.pairs(namespace, was_there)
                count = keep(images, kept, namespace, pairs, self._session, limit)
                defined = changes.collection or changes.indexes
                if not was_there and (count or defined):
                    kept.made.append(namespace)
                elif defined:
                    problems.append(f'{name}: {"; ".join(changes.phrases())}')
        if problems:
            raise NotCovered(problems)

    def _is_known(self, name: str) -> bool:
        """Tell whether effects are of collections, and of none of migopy's own."""
        ground = self._ground
        own = {
            each.collection.full_name
            for each in (ground.registry, ground.history, ground.lock, ground.images)
        }
        return '.' in name and not own.intersection(names_in(name))


def names_in(name: str) -> list[str]:
    """List the collections that effects may be of, by the name that they stand under.

    Of a write to several it is all their names, and a collection may be called so.
    """
    names = [name, *name.split(' + ')]
    return [each for each in dict.fromkeys(names) if '.' in each]
