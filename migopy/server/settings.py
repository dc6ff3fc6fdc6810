"""Where the database is and as which user to connect, as a fabfile sets it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migopy.commands import Command, Where
from migopy.errors import MigopyException
from migopy.secrets import secrets_in
from migopy.server.uris import (
    FILES,
    ServerUri,
    is_uri,
    odd_options,
    of_set,
    with_files_in,
    with_ports,
)

EMBEDDED = 'embedded:'

#: The folder of a private server where none is named.
DATA = 'mongodata'

#: Mechanisms whose users the server looks up elsewhere than in a database of its own.
EXTERNAL = ('GSSAPI', 'MONGODB-AWS', 'MONGODB-OIDC', 'MONGODB-X509', 'PLAIN')


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
    #: The folder that relative paths of certificates lie in; '' is the current one.
    base: str = ''

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
        given = {name.lower(): value for name, value in self.options.items()}
        found = given.get('authsource') or self.auth_source
        if found := found or self._parts.options.get('authsource'):
            return str(found)
        if self.mechanism in EXTERNAL:
            return '$external'
        if self._parts.user and self._parts.scheme == 'mongodb+srv':
            return 'that the URI or its DNS names (authSource)'
        if self._parts.user:
            return self._parts.database or 'admin'
        return str(self.database_name)

    @property
    def says_where_the_user_is(self) -> bool:
        """Tell whether something other than a database decides where one is known."""
        is_external = self.mechanism in EXTERNAL
        return bool(self.auth_source or self.sets('authSource') or is_external)

    @property
    def mechanism(self) -> str:
        """Name the way to log in, '' where PyMongo and the server agree on one."""
        return str(self.client_options.get('authmechanism') or '')

    @property
    def client_options(self) -> dict[str, Any]:
        """Give all options of `MongoClient` by their names in lower case.

        As for PyMongo, an argument comes before the same option of the URI.
        """
        given = {name.lower(): value for name, value in self.options.items()}
        return {**self._parts.options, **given}

    def sets(self, option: str) -> bool:
        """Tell whether an option of `MongoClient` is set, in the URI or otherwise."""
        return option.lower() in self.client_options

    def place_of(self, option: str) -> str:
        """Name the setting that an option of `MongoClient` is in, or belongs in."""
        is_argument = option.lower() in {name.lower() for name in self.options}
        return 'MONGO_CLIENT_OPTIONS' if is_argument or not self._uri else self.place

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments for `MongoClient`, by position and by name."""
        options: dict[str, Any] = {
            name: os.path.join(self.base, value)
            if name.lower() in FILES and isinstance(value, (str, os.PathLike))
            else value
            for name, value in self.options.items()
        }
        if self.user and not self._parts.user:
            options.setdefault('username', self.user)
            options.setdefault('password', self.password)
            if not self.says_where_the_user_is:
                options['authSource'] = self.database_name
        if self.auth_source:
            options.setdefault('authSource', self.auth_source)
        uri = with_files_in(self._uri, self.base)
        place = [uri] if self._uri else [self.host, int(self.port)]
        # False and 0 are values: {'retryWrites': False}.
        given = {name: value for name, value in options.items() if value is not None}
        return place, given

    def uri_of_set(self, hosts: Iterable[str], replica_set: str) -> str:
        """Give the URI for a whole set, with placeholders for what is secret."""
        return of_set(self._uri or 'mongodb://', hosts, replica_set)

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
