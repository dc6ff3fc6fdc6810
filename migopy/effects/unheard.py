"""Tell what may have written without being heard: clients, child processes."""

from __future__ import annotations

import os
import sys

from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import CommandListener

#: How many programs are named.
MOST_PROGRAMS = 5


def unwatched_clients(listener: CommandListener) -> bool:
    """Tell whether a client lives in this process that `listener` does not hear.

    PyMongo keeps its clients in a private attribute, and only where a process can be
    forked; if it is missing the answer is True, as it cannot be known.
    """
    try:
        # A list of references: another thread may make a client, or forget one.
        known = [
            *MongoClient._clients.valuerefs(),
            *AsyncMongoClient._clients.valuerefs(),
        ]
        clients = [client for each in known if (client := each()) is not None]
        ears = [client._event_listeners.event_listeners() for client in clients]
    except AttributeError:
        return True
    return not ears or any(listener not in each for each in ears)


class Children:
    """The child processes that were started, from now to `close`.

    Invariant: a process that was heard is known by its program; of others it is known
    only that there are some, if they were waited for or are of `multiprocessing`.
    """

    def __init__(self) -> None:
        self._programs: dict[str, None] = {}
        self._before = _traces()
        self._after: tuple[float, bool] | None = None

    def add(self, program: str) -> None:
        """Hear of one."""
        self._programs[program] = None

    def close(self) -> None:
        """Look one last time whether there are any."""
        self._after = _traces()

    def told(self) -> list[str]:
        """Say that there were some, if there were any."""
        time, living = self._after or _traces()
        if not self._programs:
            was_running = time > self._before[0] or living or self._before[1]
            return ['a child process was running'] if was_running else []
        # A copy: other threads may start some meanwhile.
        named = sorted(each for each in [*self._programs] if each)
        if len(named) > MOST_PROGRAMS:
            named[MOST_PROGRAMS:] = [f'and {len(named) - MOST_PROGRAMS:,} more']
        programs = f' ({", ".join(named)})' if named else ''
        return [f'a child process was started{programs}']


def _traces() -> tuple[float, bool]:
    """Give the seconds that child processes took, and whether there are any now."""
    times = os.times()
    spawned = sys.modules.get('multiprocessing')
    living = bool(spawned and spawned.active_children())
    return times.children_user + times.children_system, living
