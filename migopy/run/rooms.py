"""What a run needs of its site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pymongo import AsyncMongoClient

from migopy.run.imaging import Ground


class Rooms(Ground, Protocol):
    """What a run needs of its site."""

    def async_client(self) -> AsyncMongoClient[Any]:
        """Make a client of PyMongo's asynchronous kind, for the running event loop."""

    @property
    def secrets(self) -> Sequence[str]:
        """Give what is kept out of the history."""

    @property
    def heartbeats(self) -> Any:
        """Give a client that hears of the members, and does nothing else."""

    @property
    def version(self) -> str:
        """Give migopy's version, as the history keeps it."""
