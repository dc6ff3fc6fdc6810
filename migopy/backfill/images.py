"""The interfaces of what keeps images of what a page or a batch changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from pymongo.client_session import ClientSession

from migopy.effects import Effects, Keeper


class OpenBatch(Protocol):
    """What is known of a batch that is being written."""

    @property
    def keeper(self) -> Keeper:
        """Give what is to see its writes before they are sent."""


class LoopImages(Protocol):
    """Keeps images of what batches change, each in the batch's transaction."""

    def batch(self) -> AbstractContextManager[Any]:
        """Open the session's transaction; give an `OpenBatch` for the block."""

    def keep(self, batch: Any, ids: Sequence[Any], effects: Effects | None) -> None:
        """Keep images of what a batch of documents with these `_id`s has changed.

        `effects` are those of the loop.
        """

    def settle(self) -> None:
        """Hear that the batch was committed."""


class NoLoopImages:
    """Keeps nothing."""

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Open nothing."""
        yield

    def keep(self, batch: Any, ids: Sequence[Any], effects: Effects | None) -> None:
        """Keep nothing."""

    def settle(self) -> None:
        """Hear that the batch was committed."""


class PageImages(Protocol):
    """Keeps images of a page's documents, in the transaction that writes the page."""

    @property
    def session(self) -> ClientSession:
        """Give the session that all pages are written in."""

    def begin(self, namespace: str) -> None:
        """Hear that a call is about to write pages of a collection."""

    def loop(self, namespace: str) -> LoopImages:
        """Give what keeps images of a loop over the documents of a collection."""

    def look(self, namespace: str, ids: Sequence[Any], seen: Sequence[bytes]) -> Any:
        """Give the documents with these `_id`s as they are before the page.

        `seen` is what they were when the page was read.
        """

    def keep(self, namespace: str, before: Any) -> None:
        """Keep what `look` gave, and what the documents are now."""

    def settle(self) -> None:
        """Hear that the page was committed."""
