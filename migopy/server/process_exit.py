"""PyMongo's threads at the end of a process: woken, then waited for."""

from __future__ import annotations

import time
from functools import partial
from types import SimpleNamespace

from pymongo import network_layer, periodic_executor
from pymongo.synchronous import monitor

from migopy.naps import Naps
from migopy.signals import end_at_ctrl_c

#: Seconds until a thread that waits for a server looks whether it is to end. PyMongo's
#: own are 0.5; a look takes some 10 µs.
LOOK_EVERY = 0.005

#: Seconds to wait for all of them: one may be in the middle of a connection to a server
#: that does not answer, and goes on with that for longer than anybody waits.
LONGEST = 1.0


def leave_without_sleeping() -> None:
    """Have PyMongo's threads end at once when this process does.

    At exit PyMongo tells its monitor threads to stop and waits for them, so that none
    is left when Python takes itself down (`migopy.naps` tells what happens then). Each
    sleeps out its half second first, or waits that long for a server: the sleep is cut
    short, and the wait made of short ones. Where PyMongo is built otherwise it keeps
    its own way. Found in `pymongo.periodic_executor`, `pymongo.network_layer` and
    `pymongo.synchronous.monitor`, PyMongo 4.17 to 4.20.
    """
    is_known = hasattr(monitor, '_shutdown_executors') and hasattr(
        periodic_executor, '_EXECUTORS'
    )
    if not is_known or getattr(periodic_executor, 'time', None) is not time:
        return
    naps = Naps()
    # `_shutdown_resources`, which PyMongo has registered, calls it last.
    vars(monitor)['_shutdown_executors'] = partial(_end_executors, naps)
    with_naps = SimpleNamespace(**{**vars(time), 'sleep': naps.sleep})
    vars(periodic_executor)['time'] = with_naps
    if hasattr(network_layer, '_POLL_TIMEOUT'):
        network_layer._POLL_TIMEOUT = LOOK_EVERY


def _end_executors(naps: Naps) -> None:
    """Stop PyMongo's executors, wake them, and wait until their threads have ended.

    PyMongo waits a second for each, and several members may be out of reach.
    """
    end_at_ctrl_c()
    executors = [each for ref in list(periodic_executor._EXECUTORS) if (each := ref())]
    for each in executors:
        each.close()
    naps.end()
    until = time.monotonic() + LONGEST
    for each in executors:
        each.join(max(0.0, until - time.monotonic()))
