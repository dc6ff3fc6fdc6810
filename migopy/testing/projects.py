"""The manager of a project for its tests, on a server of theirs."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from migopy.commands import FabSpelling
from migopy.effects import listen
from migopy.errand import Errand, carrying_out
from migopy.face.project import project_here
from migopy.manager import MigrationsManager
from migopy.server import ServerUri

#: Options of a client that decide what Python makes of documents.
TYPES = frozenset(
    """
    datetime_conversion document_class type_registry tz_aware tzinfo
    unicode_decode_error_handler uuidrepresentation
    """.split()  # noqa: SIM905
)

#: Settings that differ from the project: where the database is, and no dumps.
INSTEAD: dict[str, Any] = {
    'MONGO_DATABASES': None,
    'MONGO_HOST': None,
    'MONGO_PORT': 27017,
    'MONGO_USER': None,
    'MONGO_USER_PASS': None,
    'MONGO_USER_PASSWORD': None,
    'MONGO_AUTH_SOURCE': None,
    'DO_MONGO_DUMP': False,
}

#: What a project's manager may do beside a run.
HOOKS = ('before_migration', 'after_migration', 'after_run')


class Silent:
    """A logger that says nothing: pytest and unittest say what went wrong."""

    def white(self, message: object) -> None:
        """Say nothing."""

    white_bold = red = green = white


def manager_of(which: str | None = None) -> type[MigrationsManager]:
    """Find the manager of the project here, or the one named, `FILE.py:CLASS`.

    Raises what is wrong with it, as the command `migopy` does.
    """
    # First, so that clients that the file makes are heard. It needs no Fabric here.
    listen()
    with carrying_out(Errand(spelling=FabSpelling())):
        found: type[MigrationsManager] = project_here(
            MigrationsManager, which
        ).manager_class
    return found


def client_for(manager_class: type[Any], uri: str) -> MongoClient[Any]:
    """Make a client of a server of tests, whose documents are as the project's."""
    return MongoClient(uri, **_types_of(manager_class))


def _types_of(manager_class: type[Any]) -> dict[str, Any]:
    """Give the options of a project's client that decide what documents are."""
    given: dict[str, Any] = dict(manager_class.MONGO_CLIENT_OPTIONS or {})
    in_uri = ServerUri.of(manager_class.MONGO_URI or '').options
    options = {**in_uri, **given}
    return {name: options[name] for name in options if name.lower() in TYPES}


def on_database(
    manager_class: type[MigrationsManager],
    client: MongoClient[Any],
    uri: str,
    database: str,
) -> MigrationsManager:
    """Make the manager of one database of a server of tests, of the client's `uri`.

    Migrations with an async function get a client of their own.
    """
    attributes = {
        **INSTEAD,
        **dict.fromkeys(HOOKS, _nothing),
        '__module__': manager_class.__module__,
        'MONGO_URI': uri,
        'MONGO_CLIENT_OPTIONS': _types_of(manager_class),
        'MONGO_DATABASE': database,
        'MongoClient': staticmethod(lambda *_place, **_options: client),
        'logger': Silent(),
    }
    made: type[MigrationsManager] = type('Testing', (manager_class,), attributes)
    return made()


def _nothing(_manager: object, *_what: object) -> None:
    """Do nothing beside a run."""


def names_of(manager_class: type[MigrationsManager]) -> list[str]:
    """List the names of a manager's migrations, without a server."""
    manager: Any = object.__new__(manager_class)
    return [each.name for each in manager._site.directory.migrations()]
