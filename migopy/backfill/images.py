"""What keeps images of the documents of a page, with the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pymongo.client_session import ClientSession


class PageImages(Protocol):
    """Keeps what the documents of a page were, in the transaction that writes it."""

    @property
    def session(self) -> ClientSession:
        """Give the session that all pages are written in."""

    def begin(self, namespace: str) -> None:
        """Hear that a call is about to write pages of a collection."""

    def look(self, namespace: str, ids: Sequence[Any]) -> Any:
        """Give the documents with these `_id`s as they are before the page."""

    def keep(self, namespace: str, ids: Sequence[Any], before: Any) -> None:
        """Keep what `look` gave, and what the documents are now."""

    def settle(self) -> None:
        """Hear that the page was committed."""
