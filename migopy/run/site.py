"""The site of a run: its database, and what migopy keeps there, as it is used here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from pymongo import AsyncMongoClient

from migopy.effects import EffectsListener
from migopy.state import History, Lock, Registry


class Site(Protocol):
    """What a run needs of its site, which `migopy.site` makes."""

    @property
    def db(self) -> Any:
        """Give the database, as migrations get it."""

    @property
    def cluster(self) -> Any:
        """Give what makes clients of its server."""

    @property
    def others(self) -> Collection[str]:
        """Give the other databases on its server that are for the same migrations."""

    def async_client(self) -> AsyncMongoClient[Any]:
        """Make a client of PyMongo's asynchronous kind, for the running event loop."""

    @property
    def heartbeats(self) -> Any:
        """Give a client that hears of the members, and does nothing else."""

    @property
    def listener(self) -> EffectsListener:
        """Give what hears the commands of the site's client."""

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
    def settings(self) -> Any:
        """Give the settings: the pace of `update_each`, whether images are kept."""

    @property
    def secrets(self) -> Sequence[str]:
        """Give what is kept out of the history."""
