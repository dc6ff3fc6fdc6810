"""`watch`: show what runs until it has ended."""

from __future__ import annotations

import time

from migopy.backfill import ServerLoad
from migopy.pace import CAREFUL
from migopy.server import running_in
from migopy.site import Site
from migopy.state import Steering
from migopy.tell import Sight, Viewer

#: Seconds between two looks.
LOOK_EVERY = 1.0


def watch(site: Site, viewer: Viewer, worker: bool) -> None:
    """Show what the command does that holds the lock now, until it has ended.

    That is the worker where `worker` is true, or where there is no other command.
    It only reads. Ctrl-C ends the looking and nothing else.
    """
    steering = Steering(site.lock)
    seen = steering.look(worker=worker)
    if seen is None:
        return viewer.nothing()
    signals = ServerLoad(site.client, site.heartbeats, CAREFUL)
    owner, last = seen.holder.owner, seen
    try:
        while seen is not None:
            last = seen
            load = [each.text for each in signals.look()]
            running = running_in(site.client, site.db.name)
            viewer.show(Sight(seen, running, load, signals.unread))
            time.sleep(LOOK_EVERY)
            seen = steering.look(owner)
    except KeyboardInterrupt:
        return viewer.left(last)
    return viewer.ended(last, site.history.of_owner(owner))
