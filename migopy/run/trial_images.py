"""Refuse in a dry run what no image could be kept of when it is executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo.errors import PyMongoError

from migopy.effects import READS, RefusedWrite, namespace_of
from migopy.run.imaging_errors import refusal_of
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.standin import Told


def refusing(step: Step, site: Site, told: Told | None) -> TriedPages | None:
    """Give what refuses a step's writes that no image could be kept of.

    It is `None` where no images are kept, or where the transaction's changes are found
    afterwards. `told` hears of each command first.
    """
    if step.images is not True or step.in_transaction:
        return None
    return TriedPages(site.images, told)


class TriedPages:
    """Sees the commands of a step that keeps images of pages, in a dry run.

    Invariant: what is refused is what is refused when the step is executed: writes
    outside of pages, and definitions that are not kept.
    """

    def __init__(self, images: Any, told: Told | None) -> None:
        from migopy.undo import UnkeptCollections

        self._images = images
        self._kinds = UnkeptCollections(images)
        self._told = told
        #: The first write that was refused.
        self._refused: RefusedWrite | None = None

    def hear(self, name: str, database: str, command: Mapping[str, Any]) -> None:
        """Hear of a command that is sent or answered; raises `RefusedWrite`."""
        if self._told is not None:
            self._told(name, database, command)
        namespace = namespace_of(name, database, command)
        if name in READS or namespace is None:
            return
        reason = self._reason(name, database, command)
        if reason is not None:
            refused = RefusedWrite(name, namespace, reason)
            self._refused = self._refused or refused
            raise refused

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Raise the reason of a refusal in the block, also where that was swallowed.

        Raises `NotImaged`, `OutsidePages`.
        """
        try:
            yield
        except RefusedWrite as refused:
            if refused is self._refused:
                raise refusal_of(refused) from refused
            raise
        if self._refused is not None:
            raise refusal_of(self._refused)

    def _reason(
        self, name: str, database: str, command: Mapping[str, Any]
    ) -> str | None:
        """Say why no image could be kept; `None` where one could."""
        from migopy.backfill import is_of_pages
        from migopy.undo import DEFINING, Unkept, require_kept

        if is_of_pages():
            return self._kinds.inside(name, database, command)
        if name not in DEFINING:
            return ''
        try:
            require_kept(self._images, name, database, command)
        except Unkept as unkept:
            return str(unkept)
        except PyMongoError:
            # What is not known here is looked up again when it is executed.
            return None
        return None
