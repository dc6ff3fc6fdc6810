"""Turn PyMongo's errors into ones that say what to do."""

from __future__ import annotations

import re

import pymongo
from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from migopy.codes import AUTHENTICATION_FAILED, OUTSIDE_STABLE_API, UNAUTHORIZED
from migopy.commands import Command, Part, Where
from migopy.errors import MigopyException
from migopy.secrets import redacted
from migopy.server.bulks import BULK_ERRORS, whole_error
from migopy.server.members import Member, is_in_no_set, only_member
from migopy.server.settings import BadSettings, Settings

#: The settings for the password.
PASSWORDS = ('MONGO_USER_PASS', 'MONGO_USER_PASSWORD')

#: What a role has to allow for a command, if that has another name.
ACTIONS = {
    'aggregate': 'find',
    'count': 'find',
    'create': 'createCollection',
    'createIndexes': 'createIndex',
    'delete': 'remove',
    'distinct': 'find',
    'drop': 'dropCollection',
    'dropIndexes': 'dropIndex',
    'findAndModify': 'find, insert, update and remove',
}

#: What PyMongo says of a server that is too old or too new for it.
OF_VERSIONS = 'this version of PyMongo'

_REFUSED = re.compile(
    r'not authorized on (?P<database>\S+) to execute command {? ?(?P<command>\w+)'
)


class ServerUnreachable(MigopyException):
    """No server answered; `where` is its address as the settings have it."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(
            f'MongoDB at {where} cannot be reached: {reason}.\n'
            'Start it, or correct MONGO_HOST and MONGO_PORT (or MONGO_URI) ',
            Where(('MONGO_URI', 'MONGO_HOST', 'MONGO_PORT')),
            ', then type the command again.',
        )


class NoPrimary(MigopyException):
    """A server answers, but none takes writes; `where` is its address."""

    def __init__(self, where: str, *what_to_do: Part) -> None:
        self.where = where
        super().__init__(*what_to_do)


class UnsupportedServer(MigopyException):
    """PyMongo does not work with the server's version; `where` is its address."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(
            f'PyMongo {pymongo.version} cannot work with the MongoDB at {where}:'
            f' {reason}.\n'
            'Update the older one of the two, then type the command again.'
        )


class AccessDenied(MigopyException):
    """The server refused the user, or what the user wanted to do.

    `is_of_user` is whether it was the user, who can then do nothing there at all.
    """

    def __init__(self, *said: object, is_of_user: bool = False) -> None:
        super().__init__(*said)
        self.is_of_user = is_of_user


class DatabaseError(MigopyException):
    """The server or the connection failed in another way; the cause is chained."""


#: What `MongoClient` raises besides its own errors for options that it cannot use; a
#: KeyError is of `datetime_conversion`.
UNUSABLE = (ValueError, TypeError, OSError, KeyError)


def explained(
    error: Exception, settings: Settings, client: object = None
) -> MigopyException:
    """Turn an error of PyMongo's into one that says what to do.

    `client` is asked what it knows of the server, not the server itself.
    """
    if isinstance(error, ConnectionFailure):
        if not isinstance(client, MongoClient):
            return _not_reached(error, settings, None)
        if is_in_no_set(client):
            return _in_no_set(settings)
        return _not_reached(error, settings, only_member(client))
    if isinstance(error, ConfigurationError) and OF_VERSIONS in str(error):
        return UnsupportedServer(settings.where, reason_of(error, settings))
    if isinstance(error, OperationFailure):
        return _refused(error, settings)
    if isinstance(error, (ConfigurationError, *UNUSABLE)):
        at_fault = _at_fault(error, settings)
        if at_fault == 'MONGO_USER_PASSWORD':
            return BadSettings(
                f'{at_fault} is not set, or empty, and MONGO_USER is set.\nSet it ',
                Where((at_fault, 'MONGO_USER')),
                ', then type: ',
                Command(),
            )
        return BadSettings(
            f'{at_fault} cannot be used:'
            f' {_setting_error(error, settings)}.\n'
            'Correct it ',
            Where(tuple(at_fault.split(' and '))),
            ', then type: ',
            Command(),
        )
    if isinstance(error, InvalidName):
        return BadSettings(
            'A database or a collection cannot have this name:'
            f' {reason_of(error, settings)}.\n'
            f'The database is {settings.database_name!r}. If its name is at fault,'
            ' correct MONGO_DATABASE ',
            Where(('MONGO_DATABASE',)),
            '. Then type: ',
            Command(),
        )
    return _failed(error, settings)


def reason_of(error: BaseException, settings: Settings | None = None) -> str:
    """Give what an error of PyMongo says, without the driver's own notes.

    One line without a period at its end, never empty, and without secrets.
    """
    # A KeyError's text is in quotes.
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    error = whole_error(error)
    if isinstance(error, BULK_ERRORS):
        details = error.details.get('writeErrors') or []
        concerns = error.details.get('writeConcernErrors') or []
        text = next((each['errmsg'] for each in [*details, *concerns]), text)
    elif isinstance(error, OperationFailure):
        text = str((error.details or {}).get('errmsg') or text)
    if isinstance(error, PyMongoError):
        for note in (', Timeout:', ', Topology Description:', ', full error:'):
            text = text.partition(note)[0]
        text = re.sub(r' ?\(configured timeouts:[^)]*\)', '', text)
        text = re.sub(r' ?<(?:Topology|Server)(?:Description)?\b.*>', '', text)
    text = ' '.join(text.split()).rstrip('.,: ')
    secrets = settings.secrets if settings else ()
    return redacted(text, secrets) or f'{type(error).__name__}, which says no more'


def _not_reached(
    error: ConnectionFailure, settings: Settings, member: Member | None
) -> MigopyException:
    where = settings.where
    if member and member.kind not in ('', 'primary'):
        return NoPrimary(
            where,
            f'MongoDB at {where} is {member.described}, which takes no writes.'
            + (f' The primary is {member.primary}.' if member.primary else ''),
            f'\nCorrect {settings.place} ',
            Where(tuple(settings.place.split(' and '))),
            ': name the replica set, so that its primary is found, and leave'
            ' directConnection out:\n'
            f'  MONGO_URI = {member.uri(bool(settings.user_name))!r}\n'
            'then type the command again.',
        )
    reason = reason_of(error, settings)
    no_primary = isinstance(error, NotPrimaryError) or (
        isinstance(error, ServerSelectionTimeoutError)
        and reason.startswith(('No primary available', 'No replica set members match'))
    )
    if no_primary:
        return NoPrimary(
            where,
            f'The replica set at {where} has no primary now: {reason}.\n'
            'It elects one within seconds if most of its members run. Look at them'
            ' (rs.status() in mongosh), then type the command again.',
        )
    return ServerUnreachable(where, reason)


def _in_no_set(settings: Settings) -> NoPrimary:
    return NoPrimary(
        settings.where,
        f'MongoDB at {settings.where} answers, but is in no replica set now, and takes'
        ' no writes.\nIf it is new and to be a set of its own, type rs.initiate() in'
        ' mongosh. If it was a member of one, look at that (rs.status() on another'
        f' member). If it is not the one that is meant, correct {settings.place} ',
        Where(tuple(settings.place.split(' and '))),
        '. Then type the command again.',
    )


def _refused(error: OperationFailure, settings: Settings) -> MigopyException:
    where, reason = settings.where, reason_of(error, settings)
    if error.code == AUTHENTICATION_FAILED:
        return AccessDenied(
            f'MongoDB at {where} refused the user name or the password.\n'
            'Correct MONGO_USER and MONGO_USER_PASS (or MONGO_URI) ',
            Where(('MONGO_URI', 'MONGO_USER', *PASSWORDS)),
            '; the user is looked up in the database'
            f' {settings.looked_up_in}, set MONGO_AUTH_SOURCE where it is another.',
            is_of_user=True,
        )
    if error.code == UNAUTHORIZED:
        return _forbidden(reason, settings)
    if error.code == OUTSIDE_STABLE_API:
        return AccessDenied(
            f'MongoDB at {where} does not allow this: {reason}.\n'
            'server_api in MONGO_CLIENT_OPTIONS is strict. Take strict=True out of it'
            ' ',
            Where(('MONGO_CLIENT_OPTIONS',)),
            ', then type the command again.',
        )
    return _failed(error, settings)


def _forbidden(reason: str, settings: Settings) -> AccessDenied:
    user = settings.user_name
    refused = _REFUSED.search(reason)
    if refused is None:
        if user is None and 'requires authentication' in reason:
            return AccessDenied(
                f'MongoDB at {settings.where} wants a user, and none is set.\n'
                'Set MONGO_USER and MONGO_USER_PASS (or MONGO_URI) ',
                Where(('MONGO_USER', 'MONGO_URI')),
                ', then type the command again.',
            )
        return AccessDenied(
            f'MongoDB at {settings.where} does not allow this: {reason}.\n'
            'Give the user the role readWrite on the database'
            f' {settings.database_name}, or set MONGO_USER and MONGO_USER_PASS.'
        )
    database, command = refused['database'], refused['command']
    return AccessDenied(
        f'MongoDB at {settings.where} does not allow {user or "this user"} to run'
        f' {command}: not authorized on {database}.\n'
        f'Give the user the role readWrite on the database {database}, or a role that'
        f' allows {ACTIONS.get(command, command)} there.'
        + ('' if user else ' Or set MONGO_USER and MONGO_USER_PASS.')
    )


def _failed(error: Exception, settings: Settings) -> DatabaseError:
    return DatabaseError(
        f'MongoDB at {settings.where} failed: {reason_of(error, settings)}.\n'
        'See what has run: ',
        Command(),
    )


def _at_fault(error: Exception, settings: Settings) -> str:
    """Name the setting that an error of `MongoClient` is about."""
    text = str(error).lower()
    if 'password is required' in text and settings.place != 'MONGO_URI':
        return 'MONGO_USER_PASSWORD'
    for name, value in settings.options.items():
        # Short values may be in a text by chance.
        if name.lower() in text or (len(str(value)) > 3 and str(value).lower() in text):
            return 'MONGO_CLIENT_OPTIONS'
    return settings.place


def _setting_error(error: Exception, settings: Settings) -> str:
    # PyMongo's text may quote what was meant for a part of the password.
    if isinstance(error, InvalidURI):
        return (
            f'{settings.place} is no URI of MongoDB'
            ' (mongodb://user:password@host:27017/database, where a user name or'
            ' password is percent-encoded, see urllib.parse.quote_plus)'
        )
    return reason_of(error, settings)
