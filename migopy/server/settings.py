"""From a manager's settings to a client and its database."""

from __future__ import annotations

import atexit
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from bson.codec_options import CodecOptions
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    OperationFailure,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.synchronous import monitor

from migopy.commands import Command
from migopy.errors import MigopyException

#: Milliseconds until a server that cannot be reached is given up.
SELECTION_TIMEOUT_MS = 5000

AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13

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


class ServerUnreachable(MigopyException):
    """No server answered; `where` is its address as the settings have it."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(
            f'MongoDB at {where} cannot be reached: {reason}\n'
            'Start it, or correct MONGO_HOST and MONGO_PORT (or MONGO_URI) in the'
            ' fabfile, then type the command again.'
        )


class AccessDenied(MigopyException):
    """The server refused the user, or what the user wanted to do."""


class DatabaseError(MigopyException):
    """The server, or the way to it, failed otherwise; the cause is chained."""


def own_collection(collection: Collection[Any]) -> Collection[Any]:
    """Give a collection of migopy's as it needs it, whatever the client is like.

    Read on the primary, for another member may not know yet what has just been
    registered, and with PyMongo's own types.
    """
    return collection.with_options(
        codec_options=CodecOptions(),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern(),
    )


def leave_without_waiting() -> None:
    """Let this process end at once, for a command that is about to.

    PyMongo stops its monitor threads at exit and waits until each has slept out its
    half second. They are daemons that hold nothing once their sockets are closed, so
    they are told to stop, and not waited for. Where PyMongo is built otherwise it
    keeps its own way. Found in `pymongo.synchronous.monitor`, PyMongo 4.17 to 4.20.
    """
    stop = getattr(monitor, '_shutdown_monitors', None)
    stop_and_wait = getattr(monitor, '_shutdown_resources', None)
    if stop is None or stop_and_wait is None:
        return
    atexit.unregister(stop_and_wait)
    atexit.unregister(stop)
    atexit.register(stop)


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

    def explain(self, error: Exception) -> MigopyException:
        """Turn an error of PyMongo's into one that says what to do."""
        if isinstance(error, ConnectionFailure):
            return ServerUnreachable(self.where, self._reason(error))
        if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
            return AccessDenied(
                f'MongoDB at {self.where} refused the user name or the password.\n'
                'Correct MONGO_USER and MONGO_USER_PASS (or MONGO_URI) in the fabfile;'
                ' the user is looked up in the database'
                f' {self._source()}, set MONGO_AUTH_SOURCE where it is another.'
            )
        if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
            return AccessDenied(
                f'MongoDB at {self.where} does not allow this: {self._reason(error)}\n'
                'Give the user the role readWrite on the database'
                f' {self.database_name}, or set MONGO_USER and MONGO_USER_PASS.'
            )
        if isinstance(error, (ConfigurationError, ValueError, TypeError, OSError)):
            return BadSettings(
                'The connection settings cannot be used:'
                f' {self._setting_error(error)}\n'
                'Correct them in the fabfile, then type: ',
                Command(),
            )
        if isinstance(error, InvalidName):
            return BadSettings(
                f'{self.database_name!r} cannot be the name of a database: {error}.\n'
                'Correct MONGO_DATABASE in the fabfile, then type: ',
                Command(),
            )
        return DatabaseError(
            f'MongoDB at {self.where} failed: {self._reason(error)}\n'
            'See what has run: ',
            Command(),
        )

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

    def _source(self) -> str:
        if self.auth_source or not self.uri:
            return str(self.auth_source or self.database_name)
        return 'of the URI (authSource)'

    def _reason(self, error: Exception) -> str:
        if isinstance(error, ServerSelectionTimeoutError):
            text = str(error).split(', Timeout:')[0]
        elif isinstance(error, OperationFailure):
            text = str((error.details or {}).get('errmsg') or error)
        else:
            text = str(error)
        text = re.sub(r' \(configured timeouts:[^)]*\)', '', text)
        for secret in self._secrets():
            text = text.replace(secret, '***')
        return text

    def _setting_error(self, error: Exception) -> str:
        # PyMongo's text may quote what was meant for a part of the password.
        if isinstance(error, InvalidURI):
            return (
                'MONGO_URI is no URI of MongoDB'
                ' (mongodb://user:password@host:27017/database, where a user name or'
                ' password is percent-encoded, see urllib.parse.quote_plus).'
            )
        return self._reason(error)

    def _secrets(self) -> list[str]:
        in_uri = self._before_options.rpartition('@')[0].partition(':')[2]
        secrets = (
            self.password,
            self.options.get('password'),
            in_uri,
            unquote_plus(in_uri),
        )
        return [str(secret) for secret in secrets if secret]
