"""PyMongo's errors as ones that say what to do."""

from __future__ import annotations

import re

from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.server.settings import BadSettings, Settings

AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13


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


def explained(error: Exception, settings: Settings) -> MigopyException:
    """Turn an error of PyMongo's into one that says what to do."""
    if isinstance(error, ConnectionFailure):
        return ServerUnreachable(settings.where, _reason(error, settings))
    if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
        return AccessDenied(
            f'MongoDB at {settings.where} refused the user name or the password.\n'
            'Correct MONGO_USER and MONGO_USER_PASS (or MONGO_URI) in the fabfile;'
            ' the user is looked up in the database'
            f' {settings.looked_up_in}, set MONGO_AUTH_SOURCE where it is another.'
        )
    if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
        return AccessDenied(
            f'MongoDB at {settings.where} does not allow this:'
            f' {_reason(error, settings)}\n'
            'Give the user the role readWrite on the database'
            f' {settings.database_name}, or set MONGO_USER and MONGO_USER_PASS.'
        )
    if isinstance(error, (ConfigurationError, ValueError, TypeError, OSError)):
        return BadSettings(
            'The connection settings cannot be used:'
            f' {_setting_error(error, settings)}\n'
            'Correct them in the fabfile, then type: ',
            Command(),
        )
    if isinstance(error, InvalidName):
        return BadSettings(
            f'{settings.database_name!r} cannot be the name of a database: {error}.\n'
            'Correct MONGO_DATABASE in the fabfile, then type: ',
            Command(),
        )
    return DatabaseError(
        f'MongoDB at {settings.where} failed: {_reason(error, settings)}\n'
        'See what has run: ',
        Command(),
    )


def _reason(error: Exception, settings: Settings) -> str:
    if isinstance(error, ServerSelectionTimeoutError):
        text = str(error).split(', Timeout:')[0]
    elif isinstance(error, OperationFailure):
        text = str((error.details or {}).get('errmsg') or error)
    else:
        text = str(error)
    text = re.sub(r' \(configured timeouts:[^)]*\)', '', text)
    for secret in settings.secrets:
        text = text.replace(secret, '***')
    return text


def _setting_error(error: Exception, settings: Settings) -> str:
    # PyMongo's text may quote what was meant for a part of the password.
    if isinstance(error, InvalidURI):
        return (
            'MONGO_URI is no URI of MongoDB'
            ' (mongodb://user:password@host:27017/database, where a user name or'
            ' password is percent-encoded, see urllib.parse.quote_plus).'
        )
    return _reason(error, settings)
