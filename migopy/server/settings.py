"""Where the database is and as which user to connect, as a fabfile sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migopy.commands import Command, Where
from migopy.errors import MigopyException
from migopy.secrets import secrets_in
from migopy.server.uris import ServerUri, is_uri, odd_options, with_ports

EMBEDDED = 'embedded:'

#: The folder of a private server where none is named.
DATA = 'mongodata'


class NoDatabase(MigopyException):
    """Neither `MONGO_DATABASE` nor the `MONGO_URI` names a database."""

    def __init__(self) -> None:
        super().__init__(
            'No database is named. Set MONGO_DATABASE ',
            Where(('MONGO_DATABASE',)),
            ', then type: ',
            Command(),
        )


class OneOfMany(MigopyException):
    """A manager of many databases was asked for something of a single one."""

    def __init__(self) -> None:
        super().__init__(
            'This manager has many databases, so it has to be said which one is meant:'
            " manager.perform('execute', [], {'only': 'NAME'}), or type: ",
            Command('show_status', only='NAME'),
        )


class BadSettings(MigopyException):
    """The connection settings cannot be used as they are; the cause is chained."""


@dataclass(frozen=True)
class Settings:
    """Where the database is, and as which user to connect.

    Invariant: no text made from it shows the password.
    """

    #: A URI in this place is taken as one, as `MongoClient` takes it.
    host: str = field(default='localhost', repr=False)
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
        return self._parts.database or None

    @property
    def embedded_folder(self) -> str | None:
        """Give the folder of `embedded:<folder>`, `None` for another server."""
        uri = self._uri
        if uri.startswith(EMBEDDED):
            return uri[len(EMBEDDED) :] or DATA
        return None

    @property
    def where(self) -> str:
        """Name the server without a user or a password."""
        if not self._uri:
            return with_ports(self.host, self.port)
        if self.embedded_folder is not None:
            return self._uri
        return self._parts.where

    @property
    def title(self) -> str:
        """Name the database and the server; '' if no database is named."""
        name = self.database_name
        return f'{name} on {self.where}' if name else ''

    @property
    def place(self) -> str:
        """Name the setting that says where the server is."""
        if self.uri:
            return 'MONGO_URI'
        return 'MONGO_HOST' if self._uri else 'MONGO_HOST and MONGO_PORT'

    @property
    def user_name(self) -> str | None:
        """Give the user's name, wherever it is set."""
        return self._parts.user or self.user or self.options.get('username')

    @property
    def secrets(self) -> list[str]:
        """List what no text may show."""
        found = [
            self.password,
            *self._parts.secrets,
            self._parts.password,
            *secrets_in(self._parts.options),
            *secrets_in(self.options),
        ]
        return [str(secret) for secret in found if secret]

    @property
    def looked_up_in(self) -> str:
        """Say in which database the user is looked up."""
        if self.auth_source or not self._uri:
            return str(self.auth_source or self.database_name)
        return 'of the URI (authSource)'

    def sets(self, option: str) -> bool:
        """Tell whether an option of `MongoClient` is set, in the URI or otherwise."""
        names = {name.lower() for name in self.options}
        return option.lower() in names | set(self._parts.options)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments for `MongoClient`, by position and by name."""
        options: dict[str, Any] = dict(self.options)
        if self.user and not self._parts.user:
            options.setdefault('username', self.user)
            options.setdefault('password', self.password)
            options.setdefault('authSource', self.auth_source or self.database_name)
        elif self.auth_source:
            options.setdefault('authSource', self.auth_source)
        place = [self._uri] if self._uri else [self.host, int(self.port)]
        # False and 0 are values: {'retryWrites': False}.
        given = {name: value for name, value in options.items() if value is not None}
        return place, given

    @property
    def passed_over(self) -> list[str]:
        """Say which options of the URI PyMongo ignores, and why."""
        return odd_options(self._uri)

    @property
    def _uri(self) -> str:
        if self.uri:
            return self.uri
        in_place_of_one = is_uri(self.host) or self.host.startswith(EMBEDDED)
        return self.host if in_place_of_one else ''

    @property
    def _parts(self) -> ServerUri:
        return ServerUri.of(self._uri)
