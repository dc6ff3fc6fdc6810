"""What migopy does with a client, of whatever options, and when the process ends."""

from __future__ import annotations

import atexit
from functools import partial
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.common import SERVER_SELECTION_TIMEOUT
from pymongo.read_concern import ReadConcern
from pymongo.synchronous import monitor

from migopy.server.settings import Settings

#: Until a server that was never reached is given up. One that was reached before may
#: be electing a primary, for which PyMongo's own time holds.
FIRST_CONTACT_SECONDS = 5.0


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


def makes_new_clients(make: object) -> bool:
    """Say whether a client that `make` gives was made for us, so that we close it.

    A class makes a new one. What a function gives may be the application's own, and
    is its to close.
    """
    while isinstance(make, partial):
        make = make.func
    return isinstance(make, type)


def await_first_contact(client: object, settings: Settings) -> None:
    """Wait until the client has found a server, for five seconds at most.

    It is the wait that the first command would begin with, so that it costs no round
    trip of its own. Who has set `serverSelectionTimeoutMS` has set this time as well.
    Raise PyMongo's `ServerSelectionTimeoutError`.
    """
    if not isinstance(client, MongoClient) or settings.sets('serverSelectionTimeoutMS'):
        return
    # A client that a fabfile's function has made has perhaps a time of its own.
    if client.options.server_selection_timeout == SERVER_SELECTION_TIMEOUT:
        with pymongo.timeout(FIRST_CONTACT_SECONDS):
            _ = client.is_primary  # waits for a server


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
