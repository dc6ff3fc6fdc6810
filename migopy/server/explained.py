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
    OperationFailure,
    PyMongoError,
)
from pymongo.ssl_support import PYSSLError

from migopy.codes import NO_SUCH_CONCERN
from migopy.commands import Command, Where
from migopy.errors import MigopyException
from migopy.secrets import redacted
from migopy.server.bulks import BULK_ERRORS, whole_error
from migopy.server.denied import refused
from migopy.server.members import is_in_no_set, only_member
from migopy.server.settings import BadSettings, Settings
from migopy.server.tls import unusable_file
from migopy.server.unreached import in_no_set, not_reached
from migopy.texts import without_command

#: What PyMongo says of a server that is too old or too new for it.
OF_VERSIONS = 'this version of PyMongo'

#: What PyMongo says of the part of a URI that a password may be in.
OF_PASSWORDS = ('escaped', 'encod', 'username', 'at least one', 'Bad database')


class UnsupportedServer(MigopyException):
    """PyMongo does not work with the server's version; `where` is its address."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(
            f'PyMongo {pymongo.version} cannot work with the MongoDB at {where}:'
            f' {reason}.\n'
            'Update the older one of the two, then type the command again.'
        )


class DatabaseError(MigopyException):
    """The server or the connection failed in another way; the cause is chained."""


#: What `MongoClient` raises besides its own errors for options that it cannot use; a
#: KeyError is of `datetime_conversion`, and the last of a certificate's file. It is no
#: OSError where PyOpenSSL is installed.
UNUSABLE = (ValueError, TypeError, OSError, KeyError, PYSSLError)


def explained(
    error: Exception, settings: Settings, client: object = None
) -> MigopyException:
    """Turn an error of PyMongo's into one that says what to do.

    `client` is asked what it knows of the server, not the server itself.
    """
    if isinstance(error, ConnectionFailure):
        reason = reason_of(error, settings)
        if not isinstance(client, MongoClient):
            return not_reached(error, reason, settings, None)
        if is_in_no_set(client):
            return in_no_set(settings)
        return not_reached(error, reason, settings, only_member(client))
    if isinstance(error, ConfigurationError) and OF_VERSIONS in str(error):
        return UnsupportedServer(settings.where, reason_of(error, settings))
    if isinstance(error, OperationFailure):
        if error.code in NO_SUCH_CONCERN and settings.sets('w'):
            place = settings.place_of('w')
            return BadSettings(
                f'w={settings.client_options["w"]} cannot be used with MongoDB at'
                f' {settings.where}: {reason_of(error, settings)}.\n'
                f'Correct {place} ',
                Where.of(place),
                ', then type: ',
                Command(),
            )
        denied = refused(error, reason_of(error, settings), settings)
        return denied or _failed(error, settings)
    if isinstance(error, (ConfigurationError, *UNUSABLE)):
        unusable = unusable_file(settings)
        if unusable is not None:
            return unusable
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
            Where.of(at_fault),
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
        text = re.sub(r' ?\(_ssl\.c:\d+\)', '', text)
        text = without_command(text)
        text = re.sub(r' ?<(?:Topology|Server)(?:Description)?\b.*>', '', text)
    text = ' '.join(text.split()).rstrip('.,: ')
    secrets = settings.secrets if settings else ()
    return redacted(text, secrets) or f'{type(error).__name__}, which says no more'


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
        # Short values, and `true`, may be in a text by chance.
        is_telling = len(str(value)) > 3 and not isinstance(value, bool)
        if _names(text, name) or (is_telling and _names(text, str(value))):
            return 'MONGO_CLIENT_OPTIONS'
    return settings.place


def _names(text: str, word: str) -> bool:
    """Tell whether a text has a word, and not only its letters: `w` in `between`."""
    whole = rf'(?<!\w){re.escape(word.lower())}(?!\w)'
    return re.search(whole, text) is not None


def _setting_error(error: Exception, settings: Settings) -> str:
    # Its own text would not say which setting is meant.
    if isinstance(error, InvalidURI) and any(one in str(error) for one in OF_PASSWORDS):
        return (
            f'{settings.place} is no URI of MongoDB'
            ' (mongodb://user:password@host:27017/database, where a user name or'
            ' password is percent-encoded, see urllib.parse.quote_plus)'
        )
    return reason_of(error, settings)
