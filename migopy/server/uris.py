"""Take MongoDB URIs apart; the one place in migopy that does this."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from urllib.parse import quote, unquote_plus

from pymongo.common import VALIDATORS
from pymongo.errors import ConfigurationError
from pymongo.uri_parser import split_hosts, split_options

from migopy.secrets import MASK, SECRET_OPTIONS

SCHEMES = ('mongodb://', 'mongodb+srv://')

#: The options that name a file.
FILES = ('tlscafile', 'tlscertificatekeyfile', 'tlscrlfile')

#: The one option that may be there several times.
SEVERAL = 'readpreferencetags'

#: Held by the thread that hears warnings.
_HEARING = threading.RLock()


@dataclass(frozen=True)
class ServerUri:
    """A MongoDB URI in parts, cut where PyMongo cuts it, without asking the DNS.

    Invariant: neither `where` nor `repr()` shows a part of a password, even if somebody
    forgot to percent-encode it and PyMongo refuses the URI.
    """

    scheme: str
    #: As they are written, with commas between them.
    hosts: str = field(repr=False)
    #: The scheme and the hosts, for a person to read.
    where: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    #: Parts that may be a password, as they are written.
    secrets: tuple[str, ...] = field(repr=False)
    database: str
    #: The options as they are written; '' where a part of them may be a password.
    query: str = field(repr=False)
    #: By their names in lower case; there are none if PyMongo cannot read them.
    options: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> ServerUri:
        """Take a URI apart; any other text gives empty parts."""
        scheme, _, rest = text.partition('://')
        before, _, query = rest.partition('?')
        place, _, path = before.partition('/')
        user_info, _, hosts = place.rpartition('@')
        user, _, password = user_info.partition(':')
        hidden, shown = _hidden(before, query)
        if '@' in path and ('/' in path or not _are_hosts(hosts)):
            # A password with a `/` in it, which nobody has percent-encoded.
            path = path.rpartition('@')[2].partition('/')[2]
        return cls(
            scheme=scheme,
            hosts=hosts,
            where=f'{scheme}://{shown}',
            user=unquote_plus(user),
            password=unquote_plus(password),
            secrets=tuple(filter(None, {password, hidden.partition(':')[2]})),
            # What follows a dot is a collection's name.
            database=unquote_plus(path).partition('.')[0],
            query='' if '@' in query else query,
            options=_options(query),
        )


@contextmanager
def heard_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect what PyMongo warns of in the block, instead of showing it.

    Python has one place for that in a process, so threads take turns: otherwise one
    would get another's warnings, and the last to end would leave all of them hidden.
    """
    with _HEARING, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        yield said


def odd_options(text: str) -> list[str]:
    """Say which options of a URI PyMongo ignores as a whole or in part, one a line.

    No value is shown: it may be a secret.
    """
    if '@' in text.partition('?')[2]:
        return []  # it may be a part of a password
    odd: list[str] = []
    taken: set[str] = set()
    for option in filter(None, text.partition('?')[2].replace(';', '&').split('&')):
        name = option.partition('=')[0]
        with heard_warnings() as said:
            try:
                found = split_options(option, warn=True)
            except (ConfigurationError, ValueError, TypeError, OSError):
                continue  # `MongoClient` raises it
        if said and found:
            # A compressor that is not installed, say; the others are used.
            odd += [f'{name}: {str(each.message).rstrip(".")}' for each in said]
        elif said and name.lower() in VALIDATORS:
            odd.append(f'{name} has a value that it cannot have, so it is passed over')
        elif said:
            near = get_close_matches(name.lower(), VALIDATORS, 1)
            meant = f' (did you mean {near[0]}?)' if near else ''
            odd.append(f'{name} is no option of PyMongo{meant}, so it is passed over')
        elif taken.intersection(found):
            odd.append(f'{name} is there twice, and only one of them holds')
        taken.update(each for each in found if each.lower() != SEVERAL)
    return odd


def misread(text: str) -> str | None:
    """Say what a URI should be, where PyMongo reads something else than was meant.

    It would look for a host that is a part of the password, or connect in the clear.
    """
    rest = text.partition('://')[2]
    before, _, query = rest.partition('?')
    place, _, path = before.partition('/')
    has_user = ':' in place or '@' in place
    in_path = has_user and '@' in path
    in_query = has_user and '?' in _hidden(before, query)[0]
    if in_path or in_query or place.count('@') > 1:
        return (
            'a URI whose user name and password are percent-encoded, as'
            ' urllib.parse.quote_plus does it; or without them, where MONGO_USER and'
            ' MONGO_USER_PASSWORD are set'
        )
    for name in ('tls', 'ssl'):
        if _options(query).get(name, 'true') not in ('true', 'false'):
            return (
                f'a URI with {name}=true or {name}=false: PyMongo passes over any other'
                ' value, and nothing would be encrypted'
            )
    return None


def with_files_in(text: str, folder: str) -> str:
    """Give a URI whose relative paths of certificates begin at a folder."""
    place, mark, query = text.partition('?')
    if '@' in query:
        return text  # it may be a part of a password
    options = re.split('([&;])', query)
    for number, option in enumerate(options):
        name, equals, path = option.partition('=')
        if name.lower() in FILES and path:
            path = quote(os.path.join(folder, unquote_plus(path)), safe='/')
            options[number] = f'{name}{equals}{path}'
    return f'{place}{mark}{"".join(options)}'


def of_set(text: str, hosts: Iterable[str], replica_set: str) -> str:
    """Give a member's URI for its whole set, with placeholders for what is secret."""
    uri = ServerUri.of(text)
    user = 'user:password@' if uri.user and uri.password else ''
    options = {
        name: MASK if name.lower() in SECRET_OPTIONS else value
        for name, _, value in (
            option.partition('=') for option in re.split('[&;]', uri.query)
        )
        if value and name.lower() not in ('directconnection', 'replicaset')
    }
    options['replicaSet'] = replica_set
    query = '&'.join(f'{name}={value}' for name, value in options.items())
    return f'mongodb://{user}{",".join(hosts)}/{quote(uri.database)}?{query}'


def with_ports(hosts: str, port: int | str) -> str:
    """Give hosts with their ports; `port` is for those that name none."""
    try:
        found = split_hosts(hosts, int(port))
    except (ConfigurationError, ValueError):
        return f'{hosts}:{port}'
    return ','.join(map(_with_port, found))


def _with_port(place: tuple[str, int | None]) -> str:
    host, port = place
    shown = f'[{host}]' if ':' in host else host
    return shown if port is None else f'{shown}:{port}'


def is_uri(text: str) -> bool:
    """Tell whether a text is meant as a URI, of whatever scheme."""
    return '://' in text


def _hidden(before: str, query: str) -> tuple[str, str]:
    """Separate a URI's user information from its hosts; if in doubt, hide more."""
    hidden, _, rest = before.rpartition('@')
    place = rest.partition('/')[0]
    value, at, behind = query.rpartition('@')
    if at and not ('=' in value and _are_hosts(place)):
        return f'{before}?{value}', behind.partition('/')[0]
    return hidden, place


def _are_hosts(text: str) -> bool:
    try:
        return bool(split_hosts(text))
    except (ConfigurationError, ValueError):
        return False


def _options(query: str) -> dict[str, str]:
    return dict(_read(query)) if query else {}


@lru_cache(maxsize=1000)
def _read(query: str) -> Mapping[str, str]:
    """Read options, once: warnings are best left alone while migrations run."""
    try:
        with heard_warnings():  # `odd_options` tells of the same
            found = split_options(query, validate=False, normalize=False)
    except (ConfigurationError, ValueError):
        return {}
    options = {name.lower(): value for name, value in found.items()}
    # PyMongo leaves these as they are written until it validates them.
    properties = options.get('authmechanismproperties')
    if properties:
        options['authmechanismproperties'] = unquote_plus(properties)
    return options
