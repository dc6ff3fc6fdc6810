"""Check the value of each setting."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from migopy.pace import wish_for
from migopy.server.settings import EMBEDDED
from migopy.server.uris import SCHEMES, ServerUri, is_uri, misread
from migopy.texts import is_utf8

#: What a value should be, to follow `must be`.
Wish = str

#: Gives what a value should be; `None` if the value is right.
Check = Callable[[Any], 'Wish | None']

DATABASE_BYTES = 63

#: Days that can be counted back from today: before the year 1 there is no date.
MOST_DAYS = 100_000

#: The methods of what writes to the person.
LOGGER = ('white', 'white_bold', 'red', 'green')


def _text(value: Any) -> Wish | None:
    return None if isinstance(value, str) and value else 'a text'


def _text_or_none(value: Any) -> Wish | None:
    if value is None or isinstance(value, str):
        return _sendable(value)
    return 'a text or None'


def _sendable(value: Any) -> Wish | None:
    """Refuse a text that no server can be told: a variable may have any bytes."""
    good = not isinstance(value, str) or is_utf8(value)
    return None if good else 'a text in UTF-8'


def _path(value: Any) -> Wish | None:
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return None
    return 'a path: a text or a pathlib.Path'


def _path_or_none(value: Any) -> Wish | None:
    return None if value is None else _path(value)


def _yes_or_no(value: Any) -> Wish | None:
    # 1.0 took 1, 0 and None as well.
    return None if value is None or value in (True, False) else 'True or False'


def _seconds(value: Any) -> Wish | None:
    good = _is_number(value) and value > 0 and math.isfinite(value)
    return None if good else 'a number of seconds greater than 0'


def _seconds_or_0(value: Any) -> Wish | None:
    good = _is_number(value) and value >= 0
    return None if good else 'a number of seconds, 0 at least'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _host(value: Any) -> Wish | None:
    wish = 'the name of a host, or several with commas between them in one text'
    if value is None:
        return None  # as in 1.0: localhost
    if not isinstance(value, str) or not value:
        return wish
    if is_uri(value) or value.startswith(EMBEDDED):
        return _uri(value)
    if has_user(value):
        return (
            'a host without a user before it: MONGO_USER and MONGO_USER_PASSWORD are'
            ' for that'
        )
    return _without_ends(value, 'a host') or _sendable(value)


def has_user(host: str) -> bool:
    """Tell whether a host has a user before it, and maybe a password, as in a URI.

    In the path of a socket an @ may stand.
    """
    return '@' in host and not is_uri(host) and not host.startswith(('/', EMBEDDED))


def _port(value: Any) -> Wish | None:
    wish = 'a number from 1 to 65535 (27017)'
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return wish
    good = str(value).isascii() and str(value).isdecimal() and 0 < int(value) < 65536
    return None if good else wish


def _uri(value: Any) -> Wish | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return 'a text'
    if not value:
        # As of a variable that is set nowhere: it would lead to localhost.
        return 'a URI, or None where MONGO_HOST says where the server is'
    if not value.startswith((*SCHEMES, EMBEDDED)):
        return (
            'a URI that begins with mongodb:// or mongodb+srv://, or embedded:<folder>'
        )
    if value.startswith(EMBEDDED):
        return None
    uri = ServerUri.of(value)
    odd = _database(uri.database)
    return (
        _sendable(value)
        or _without_ends(value, 'a URI')
        or misread(value)
        or (f'a URI with {odd}' if odd else None)
        or _acknowledged(uri.options)
    )


def _without_ends(value: str, what: str) -> Wish | None:
    """Refuse white space around a value, such as the line end of a file.

    The server would take it as a part of a name, and make what has that name.
    """
    if value == value.strip():
        return None
    return f'{what} without white space or a line end around it: add .strip()'


def _client_options(value: Any) -> Wish | None:
    if not isinstance(value, Mapping) or not all(isinstance(n, str) for n in value):
        return "a dict of arguments for MongoClient, {'tls': True}"
    for name, setting in (('host', 'MONGO_HOST'), ('port', 'MONGO_PORT')):
        if name in value:
            return f'without {name}, for which there is {setting}'
    if any(_sendable(text) for pair in value.items() for text in pair):
        return 'a dict with texts in UTF-8 alone'
    return _acknowledged({name.lower(): one for name, one in value.items()})


def _acknowledged(options: Mapping[str, Any]) -> Wish | None:
    if str(options.get('w')) == '0':
        return (
            'without w=0: the server would not tell whether it has written'
            ' what a migration writes'
        )
    return None


def _database(value: Any) -> Wish | None:
    if value is None or value == '':
        return None
    if not isinstance(value, str):
        return 'a text'
    odd = next((each for each in value if _is_odd(each)), None)
    if odd is not None:
        return f'the name of a database, in which {odd!r} cannot stand'
    if len(value.encode('utf-8', 'surrogatepass')) > DATABASE_BYTES:
        return f'the name of a database, of {DATABASE_BYTES} bytes at most'
    return None


def _is_odd(letter: str) -> bool:
    """Tell whether a letter cannot stand in a database's name, or cannot be meant."""
    return letter in ' .$/\\"' or not letter.isprintable()


def _databases(value: Any) -> Wish | None:
    # Its items are checked when they are used, like those that a method gives.
    good = value is None or isinstance(value, (str, list, tuple))
    return None if good and value != '' else 'a pattern such as tenant_*, or a list'


def _new_databases(value: Any) -> Wish | None:
    return None if value in ('execute', 'ignore') else "'execute' or 'ignore'"


def _collection(value: Any) -> Wish | None:
    good = (
        isinstance(value, str)
        and value
        and not re.search(r'[$\0-\x1f]|\.\.|^[. ]|[. ]$|^system\.', value)
    )
    return _sendable(value) if good else 'the name of a collection, such as migrations'


def _kept(value: Any) -> Wish | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return None if value is None or good else 'a whole number, 1 at least, or None'


def _undo(value: Any) -> Wish | None:
    good = isinstance(value, bool) or value == 'best effort'
    return None if good else "True, False or 'best effort'"


def _size(value: Any) -> Wish | None:
    good = _is_number(value) and value > 0 and math.isfinite(value)
    return None if good else 'a number of MB greater than 0'


def _days(value: Any) -> Wish | None:
    good = _is_number(value) and 0 < value <= MOST_DAYS
    wish = f'a number of days, {MOST_DAYS:,} at most, or None for ever'
    return None if value is None or good else wish


def _pattern(value: Any) -> Wish | None:
    return None if isinstance(value, (str, re.Pattern)) else 'a text'


def _file_names(value: Any) -> Wish | None:
    good = isinstance(value, (list, tuple, set, frozenset)) and all(
        isinstance(name, str) and name.endswith('.py') and '/' not in name
        for name in value
    )
    return None if good else "a list of file names, such as ['base.py']"


def _numbering(value: Any) -> Wish | None:
    return None if value in ('number', 'timestamp') else "'number' or 'timestamp'"


def _environment(value: Any) -> Wish | None:
    good = value is None or isinstance(value, str)
    return None if good else "the name of one environment, such as 'staging', or None"


def _logger(value: Any) -> Wish | None:
    if is_logger(value):
        return None
    *names, last = LOGGER
    return f'an object with the methods {", ".join(names)} and {last}'


def is_logger(value: Any) -> bool:
    """Tell whether it has what migopy writes by."""
    return all(callable(getattr(value, name, None)) for name in LOGGER)


def _maker(value: Any) -> Wish | None:
    return None if callable(value) else 'what makes a client, as pymongo.MongoClient'


#: The settings, each with what looks at its value.
CHECKS: dict[str, Check] = {
    'TASK_NAME': _text,
    'PROJECT_DIRECTORY': _path_or_none,
    'MIGRATIONS_DIRECTORY': _path,
    'MIGRATIONS_FILE_PATTERN': _pattern,
    'MIGRATIONS_HELPERS': _file_names,
    'MIGRATION_NUMBERING': _numbering,
    'MIGRATION_TEMPLATE': _path_or_none,
    'MIGRATIONS_COLLECTION': _collection,
    'ENVIRONMENT': _environment,
    'ALLOW_LATE': _yes_or_no,
    'MONGO_HOST': _host,
    'MONGO_PORT': _port,
    'MONGO_DATABASE': _database,
    'MONGO_DATABASES': _databases,
    'NEW_DATABASES': _new_databases,
    'MONGO_USER': _text_or_none,
    'MONGO_USER_PASS': _text_or_none,
    'MONGO_USER_PASSWORD': _text_or_none,
    'MONGO_AUTH_SOURCE': _text_or_none,
    'MONGO_URI': _uri,
    'MONGO_CLIENT_OPTIONS': _client_options,
    'TRANSACTION': _yes_or_no,
    'PREFLIGHT': _yes_or_no,
    'UNDO': _undo,
    'UNDO_MB': _size,
    'UNDO_KEEP': _kept,
    'UNDO_DAYS': _days,
    'MIGRATION_PACE': wish_for,
    'LOCK_TTL': _seconds,
    'LOCK_WAIT': _seconds_or_0,
    'DO_MONGO_DUMP': _yes_or_no,
    'MONGO_DUMP_DIRECTORY': _path,
    'MONGO_DUMP_KEEP': _kept,
    'REMOTE_DIRECTORY': _path_or_none,
    'REMOTE_PREFIX': _text_or_none,
}

#: Settings that only a class can make, as no text can express them.
OBJECTS: dict[str, Check] = {'logger': _logger, 'MongoClient': _maker}
