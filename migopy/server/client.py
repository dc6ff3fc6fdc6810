"""Make clients and collections as migopy needs them, whatever options are set."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pymongo
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.common import MAX_POOL_SIZE, SERVER_SELECTION_TIMEOUT
from pymongo.read_concern import ReadConcern

from migopy.server.settings import Settings

#: Seconds after which a server that was never reached is given up. One that was reached
#: before may be electing a primary; then PyMongo's own time counts.
FIRST_CONTACT_SECONDS = 5.0

#: What PyMongo takes for an `appName` at most.
APP_NAME_BYTES = 128

#: PyMongo's shortest time between two looks at a member, in milliseconds.
HEARTBEATS_MS = 500

#: Seconds that are too few for a request, so that it fails before it is sent.
NO_TIME = 1e-6

#: Reads whatever others have written: dates out of range, texts that are not UTF-8.
AS_THEY_ARE: CodecOptions[Any] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler='replace',
)


def own_collection(collection: Collection[Any]) -> Collection[Any]:
    """Give a collection of migopy's with the options that it needs.

    It is read from the primary, as another member may not know yet what was just
    registered, and with PyMongo's own types and methods, whatever the client has.
    """
    client = collection.database.client
    concern = collection.write_concern
    if isinstance(client, MongoClient):
        # Not as migrations get it, which knows PyMongo 3's methods as well.
        collection = client[collection.database.name][collection.name]
    return collection.with_options(
        write_concern=concern,
        codec_options=AS_THEY_ARE,
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern(),
    )


def is_made_for_us(client: object, make: object, before: ObjectId) -> bool:
    """Say whether `make` has made this client for us, so that we close it.

    A class makes a new one. A function may give the application's own, made earlier,
    which the application closes. `before` is an id from before `make` was called.

    PyMongo gives a client an `ObjectId` when it is made, and those of a process are
    counted. It is shown in the client's `topology_description`, PyMongo 4.17 to 4.20;
    without it nothing is closed.
    """
    while isinstance(make, partial):
        make = make.func
    if isinstance(make, type):
        return True
    if not isinstance(client, MongoClient):
        return False
    shown = re.search(r'\bid: ([0-9a-f]{24})', repr(client.topology_description))
    if shown is None:
        return False
    made, earlier = ObjectId(shown[1]).binary, before.binary
    # Four bytes of time, five of the process, three of a count that begins anywhere.
    steps = int.from_bytes(made[9:], 'big') - int.from_bytes(earlier[9:], 'big')
    return made[4:9] == earlier[4:9] and steps % 2**24 < 2**23


def named_client(
    make: Callable[..., Any], settings: Settings, project: str
) -> Callable[..., Any]:
    """Have what makes a client tell the server whose it is, by its `appName`.

    It shows in `$currentOp`, the profiler and the server's log: `migopy`, the project's
    folder, this machine and process. If the fabfile sets an `appName`, or makes the
    client by a function, that stays.
    """
    is_class = isinstance(make, type) and issubclass(make, MongoClient)
    if not is_class or settings.sets('appName'):
        return make
    folder = os.path.basename(os.path.abspath(project))
    end = app_name_of(socket.gethostname(), os.getpid())
    room = APP_NAME_BYTES - len(end.encode('utf-8', 'replace'))
    begin = f'migopy {folder}'.encode('utf-8', 'replace')[: max(room, 0)]
    name = begin.decode('utf-8', 'ignore') + end
    return partial(make, appname=name if room > 0 else name[:room])


def app_name_of(host: str, pid: int) -> str:
    """Give how the `appName` of a process ends."""
    return f' on {host}, process {pid}'


def has_few_connections(client: object) -> bool:
    """Tell whether a client may have fewer connections than PyMongo lets one have.

    With `maxPoolSize=1` a single long write leaves none.
    """
    if not isinstance(client, MongoClient):
        return False
    return 0 < client.options.pool_options.max_pool_size < MAX_POOL_SIZE


def listening_client(
    make: Callable[..., Any], place: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Make another client of the same arguments that hears of members more often.

    Gives `None` where `make` is no class, as `another_client` does.
    """
    often = {**options, 'heartbeatFrequencyMS': HEARTBEATS_MS}
    return another_client(make, place, often)


def another_client(
    make: Callable[..., Any], place: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Make one more client.

    Gives `None` where `make` is no class: what a function gives may be any client.
    """
    kind: object = make
    while isinstance(kind, partial):
        kind = kind.func
    if not isinstance(kind, type):
        return None
    return make(*place, **options)


def await_first_contact(client: object, settings: Settings) -> None:
    """Wait until the client has found a server, for five seconds at most.

    The first command would begin with the same wait, so this costs no round trip. If
    the fabfile sets `serverSelectionTimeoutMS`, that counts instead. Raises PyMongo's
    `ServerSelectionTimeoutError`.
    """
    if not isinstance(client, MongoClient) or settings.sets('serverSelectionTimeoutMS'):
        return
    # A client made by a function of the fabfile may have a time of its own.
    if client.options.server_selection_timeout == SERVER_SELECTION_TIMEOUT:
        with pymongo.timeout(FIRST_CONTACT_SECONDS):
            _ = client.is_primary  # waits for a server


def without_last_word() -> AbstractContextManager[object]:
    """Let a client be closed in the block without sending anything more.

    PyMongo would end its sessions, which costs a round trip, and wait half a minute for
    a server that is gone. A server ends them by itself after half an hour.
    """
    return pymongo.timeout(NO_TIME)
