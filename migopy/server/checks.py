"""What a fabfile has set, looked at before it is used: each setting by itself.

A setting that does not exist would be passed over, and the default server used.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from migopy.commands import Command, Where
from migopy.pace import wish_for
from migopy.server.meant import MEANT, PREFIXES, SAME, SIMILARITY
from migopy.server.secrets import redacted
from migopy.server.settings import EMBEDDED, BadSettings
from migopy.server.uris import SCHEMES, ServerUri, is_uri

Wish = str
"""What a value should be, to stand after `must be`."""

Check = Callable[[Any], 'Wish | None']
"""Gives what a value should be, `None` where it is."""

#: Whose values nobody may see, of whatever type they are.
SECRET = ('MONGO_CLIENT_OPTIONS', 'MONGO_DATABASES', 'MONGO_URI', *SAME)

DATABASE_BYTES = 63

#: Types of values that a setting has; a method of a setting's name is none.
PLAIN = (str, int, float, os.PathLike, Mapping)


def require_sound(values: Mapping[str, Any], given: Iterable[str]) -> None:
    """Raise `BadSettings` for the first setting at fault, by its name.

    `values` are the settings by their names, `given` what a fabfile gives a value to:
    settings, constants of its own, and settings misspelt.
    """
    names = set(given)
    for name in sorted(names):
        if name.upper() in values and name not in values:
            raise BadSettings(
                f'{name} is no setting of migopy; {name.upper()} is.\nRename it ',
                Where(),
                f' (to _{name} if it is your own), then type: ',
                Command(),
            )
    used = {name for name in names if values.get(name) not in (None, '')}
    for name in sorted(names - set(values)):
        meant = meant_by(name)
        # Who has set that one as well has this one for himself.
        if meant and not used & {meant, *SAME.get(meant, ())}:
            raise BadSettings(
                f'{name} is no setting of migopy; {meant} is.\nRename it ',
                Where(),
                f' (to _{name} if it is your own), then type: ',
                Command(),
            )
    for name, value in values.items():
        wish = CHECKS[name](value) if name in CHECKS else None
        if wish is not None:
            raise BadSettings(
                f'{name}{_shown(name, value)} must be {wish}.\nCorrect it ',
                Where((name,)),
                ', then type: ',
                Command(),
            )


def names_given(manager: object, base: type) -> set[str]:
    """List the names, as those of settings, that a manager's own classes set.

    Its own are those between it and `base`, mixins among them. Names in upper case are
    listed, and a setting's in lower case that has a plain value.
    """
    own = [each for each in type(manager).__mro__ if each not in base.__mro__]
    places = [vars(manager), *map(vars, own)]
    return {
        name
        for place in places
        for name, value in place.items()
        if name.isupper() or (name.upper() in CHECKS and isinstance(value, PLAIN))
    }


def meant_by(name: str) -> str | None:
    """Give the setting that an unknown name was meant to be, if it was one."""
    if name in CHECKS or not name.startswith(PREFIXES):
        return None
    usual = re.sub('^MONGODB_', 'MONGO_', name)
    if usual in CHECKS or usual in MEANT:
        return MEANT.get(usual, usual)
    near = difflib.get_close_matches(usual, CHECKS, n=1, cutoff=SIMILARITY)
    return near[0] if near else None


def _shown(name: str, value: object) -> str:
    return '' if name in SECRET else f' = {redacted(repr(value))}'


def _text(value: Any) -> Wish | None:
    return None if isinstance(value, str) and value else 'a text'


def _text_or_none(value: Any) -> Wish | None:
    return None if value is None or isinstance(value, str) else 'a text or None'


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
    in_place_of_uri = is_uri(value) or value.startswith(EMBEDDED)
    return _uri(value) if in_place_of_uri else None


def _port(value: Any) -> Wish | None:
    wish = 'a number from 1 to 65535 (27017)'
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return wish
    good = str(value).isascii() and str(value).isdecimal() and 0 < int(value) < 65536
    return None if good else wish


def _uri(value: Any) -> Wish | None:
    if value is None or value == '':
        return None
    if not isinstance(value, str):
        return 'a text'
    if not value.startswith((*SCHEMES, EMBEDDED)):
        return (
            'a URI that begins with mongodb:// or mongodb+srv://, or embedded:<folder>'
        )
    return _acknowledged(ServerUri.of(value).options)


def _client_options(value: Any) -> Wish | None:
    if not isinstance(value, Mapping) or not all(isinstance(n, str) for n in value):
        return "a dict of arguments for MongoClient, {'tls': True}"
    for name, setting in (('host', 'MONGO_HOST'), ('port', 'MONGO_PORT')):
        if name in value:
            return f'without {name}, for which there is {setting}'
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
    odd = next((char for char in value if char in ' .$/\\"\0'), None)
    if odd is not None:
        return f'the name of a database, in which {odd!r} cannot stand'
    if len(value.encode('utf-8', 'surrogatepass')) > DATABASE_BYTES:
        return f'the name of a database, of {DATABASE_BYTES} bytes at most'
    return None


def _databases(value: Any) -> Wish | None:
    # What is in it is looked at when it is used, as what a method gives is.
    good = value is None or isinstance(value, (str, list, tuple))
    return None if good and value != '' else 'a pattern such as tenant_*, or a list'


def _new_databases(value: Any) -> Wish | None:
    return None if value in ('execute', 'ignore') else "'execute' or 'ignore'"


def _collection(value: Any) -> Wish | None:
    good = (
        isinstance(value, str)
        and value
        and not re.search(r'[$\0]|\.\.|^\.|\.$|^system\.', value)
    )
    return None if good else 'the name of a collection, such as migrations'


def _kept(value: Any) -> Wish | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return None if value is None or good else 'a whole number, 1 at least, or None'


def _pattern(value: Any) -> Wish | None:
    return None if isinstance(value, (str, re.Pattern)) else 'a text'


CHECKS: dict[str, Check] = {
    'TASK_NAME': _text,
    'PROJECT_DIRECTORY': _path_or_none,
    'MIGRATIONS_DIRECTORY': _path,
    'MIGRATIONS_FILE_PATTERN': _pattern,
    'MIGRATION_TEMPLATE': _path_or_none,
    'MIGRATIONS_COLLECTION': _collection,
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
    'MIGRATION_PACE': wish_for,
    'LOCK_TTL': _seconds,
    'LOCK_WAIT': _seconds_or_0,
    'DO_MONGO_DUMP': _yes_or_no,
    'MONGO_DUMP_DIRECTORY': _path,
    'MONGO_DUMP_KEEP': _kept,
    'REMOTE_DIRECTORY': _path_or_none,
    'REMOTE_PREFIX': _text_or_none,
}
"""The settings, each with what looks at its value."""
