"""Where the database is and as whom to connect, as a fabfile sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from migopy.commands import Command
from migopy.errors import MigopyException

#: Milliseconds until a server that cannot be reached is given up.
SELECTION_TIMEOUT_MS = 5000

EMBEDDED = 'embedded:'


class NoDatabase(MigopyException):
    """Neither `MONGO_DATABASE` nor the `MONGO_URI` names a database."""

    def __init__(self) -> None:
        super().__init__(
            'No database is named. Set MONGO_DATABASE in the class in the fabfile:\n'
            "  MONGO_DATABASE = 'mydatabase'\n"
            'then type: ',
            Command(),
        )


class BadSettings(MigopyException):
    """The connection settings cannot be used as they are; the cause is chained."""


@dataclass(frozen=True)
class Settings:
    """Where the database is, and as whom to connect.

    Invariant: no text made from it shows the password.
    """

    host: str = 'localhost'
    port: int = 27017
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    uri: str | None = field(default=None, repr=False)
    auth_source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def database_name(self) -> str | None:
        """Give the database's name: the setting, or else the URI's."""
        if self.database or self.embedded_folder is not None:
            return self.database
        path = self._before_options.partition('/')[2]
        # What follows a dot is a collection's name.
        return unquote_plus(path).partition('.')[0] or None

    @property
    def embedded_folder(self) -> str | None:
        """Give the folder of `embedded:<folder>`, `None` for another server."""
        if self.uri and self.uri.startswith(EMBEDDED):
            return self.uri[len(EMBEDDED) :] or 'mongodata'
        return None

    @property
    def where(self) -> str:
        """Name the server without a user or a password."""
        if not self.uri:
            return f'{self.host}:{self.port}'
        if self.embedded_folder is not None:
            return self.uri
        scheme = self.uri.partition('://')[0]
        hosts = self._before_options.rpartition('@')[2].partition('/')[0]
        return f'{scheme}://{hosts}'

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments for `MongoClient`, those in place and those by name.

        Raises `BadSettings` for a port that is no number.
        """
        options: dict[str, Any] = dict(self.options)
        if not self._sets('serverSelectionTimeoutMS'):
            options['serverSelectionTimeoutMS'] = SELECTION_TIMEOUT_MS
        if self.user and '@' not in self._before_options:
            options.setdefault('username', self.user)
            options.setdefault('password', self.password)
            options.setdefault('authSource', self.auth_source or self.database_name)
        elif self.auth_source:
            options.setdefault('authSource', self.auth_source)
        place = [self.uri] if self.uri else [self.host, self._port_number()]
        # False and 0 are values: {'retryWrites': False}.
        given = {name: value for name, value in options.items() if value is not None}
        return place, given

    @property
    def looked_up_in(self) -> str:
        """Say in which database the user is looked up."""
        if self.auth_source or not self.uri:
            return str(self.auth_source or self.database_name)
        return 'of the URI (authSource)'

    @property
    def secrets(self) -> list[str]:
        """List what no text may show."""
        in_uri = self._before_options.rpartition('@')[0].partition(':')[2]
        secrets = (
            self.password,
            self.options.get('password'),
            in_uri,
            unquote_plus(in_uri),
        )
        return [str(secret) for secret in secrets if secret]

    @property
    def _before_options(self) -> str:
        """Give the URI from the user name to the database, as PyMongo cuts it."""
        return (self.uri or '').partition('://')[2].partition('?')[0]

    def _port_number(self) -> int:
        try:
            return int(self.port)
        except (TypeError, ValueError) as error:
            raise BadSettings(
                f'MONGO_PORT = {self.port!r} is no port.\n'
                'Correct it in the fabfile (MONGO_PORT = 27017), then type: ',
                Command(),
            ) from error

    def _sets(self, option: str) -> bool:
        names = {name.lower() for name in self.options}
        in_uri = self.uri and f'{option.lower()}=' in self.uri.lower()
        return option.lower() in names or bool(in_uri)
