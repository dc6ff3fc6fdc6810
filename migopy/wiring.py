"""What a manager is made of: its site, and who tells."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy.commands import Spelling
from migopy.errand import fab_spelling
from migopy.errors import MigopyException
from migopy.server import CHECKS, names_given, require_sound
from migopy.site import Site, site_of
from migopy.site_settings import ManagerSettings
from migopy.tell import Narrator, Report, Voice
from migopy.terminal.console import ColorsLogger

Document = dict[str, Any]


class Wiring(ManagerSettings):
    """A manager's site and its speaker.

    Invariant: it knows no command and no setting of its own; `MigrationsManager`, which
    derives from it, has them.
    """

    TASK_NAME: str
    logger: Any = ColorsLogger()

    def __init__(self) -> None:
        # The class that has the settings and their defaults.
        base = next(cls for cls in type(self).__mro__ if Wiring in cls.__bases__)
        values = {name: getattr(self, name) for name in CHECKS}
        require_sound(values, names_given(self, base))
        # As in 1.0, a new manager has its client; it connects when it is first used.
        server = self._site.settings.server
        if server.database_name and server.embedded_folder is None:
            self.mongo_client  # noqa: B018 - a cached property

    def has_told(self, error: BaseException) -> bool:
        """Tell whether the person has been told of an error already."""
        return self._narrator.has_told(error)

    def explained(self, error: PyMongoError) -> MigopyException:
        """Turn an error of PyMongo's into one that says what to do."""
        return self._site.explained(error)

    def disconnect(self) -> None:
        """Close the client, and stop a server that was started for it."""
        self._site.disconnect()

    @cached_property
    def mongo_client(self) -> Any:
        """Connect to the server."""
        return self._site.client

    @cached_property
    def db(self) -> Database[Document]:
        """Give the database, as migrations get it."""
        return self._site.db

    @cached_property
    def collection(self) -> Collection[Document]:
        """Give the collection of registered migrations."""
        return self._site.collection

    # What it is made of.

    @cached_property
    def _site(self) -> Site:
        return site_of(self, self._notify)

    def _notify(self, text: str) -> None:
        self._voice.white(text)

    @cached_property
    def _narrator(self) -> Narrator:
        database = self._site.settings.server.database_name or ''
        return Narrator(self._voice, self._spelling, database)

    @property
    def _report(self) -> Report:
        return Report(self._voice, self._spelling)

    @property
    def _voice(self) -> Voice:
        return Voice(self.logger, self._site.secrets)

    @property
    def _spelling(self) -> Spelling:
        return fab_spelling(self.TASK_NAME)
