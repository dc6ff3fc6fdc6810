"""What migopy does with a client, of whatever options, and when the process ends."""

from __future__ import annotations

import atexit
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern
from pymongo.synchronous import monitor


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
