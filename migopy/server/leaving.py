"""PyMongo's threads at the end of a process: woken, then waited for."""

from __future__ import annotations

import time
from types import SimpleNamespace

from pymongo import network_layer, periodic_executor
from pymongo.synchronous import monitor

from migopy.naps import Naps

#: Seconds until a thread that waits for a server looks whether it is to end. PyMongo's
#: own are 0.5; a look takes some 10 µs.
LOOK_EVERY = 0.02


def leave_without_sleeping() -> None:
    """Have PyMongo's threads end at once when this process does.

    At exit PyMongo tells its monitor threads to stop and waits for them, so that none
    is left when Python takes itself down (`migopy.naps` tells what happens then). Each
    sleeps out its half second first, or waits that long for a server: the sleep is cut
    short, and the wait made of short ones. Where PyMongo is built otherwise it keeps
    its own way. Found in `pymongo.periodic_executor`, `pymongo.network_layer` and
    `pymongo.synchronous.monitor`, PyMongo 4.17 to 4.20.
    """
    stop = getattr(monitor, '_shutdown_monitors', None)
    if stop is None or getattr(periodic_executor, 'time', None) is not time:
        return
    naps = Naps()

    def stop_and_wake() -> None:
        stop()
        naps.end()

    # `_shutdown_resources`, which PyMongo has registered, calls it and then joins.
    monitor._shutdown_monitors = stop_and_wake
    with_naps = SimpleNamespace(**{**vars(time), 'sleep': naps.sleep})
    setattr(periodic_executor, 'time', with_naps)  # noqa: B010 - a module, for mypy
    if hasattr(network_layer, '_POLL_TIMEOUT'):
        network_layer._POLL_TIMEOUT = LOOK_EVERY
