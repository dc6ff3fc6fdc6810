"""Tell whether all clients of this process are heard."""

from __future__ import annotations

from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import CommandListener


def unwatched_clients(listener: CommandListener) -> bool:
    """Tell whether a client lives in this process that `listener` does not hear.

    PyMongo keeps its clients in a private attribute, and only where a process can be
    forked; if it is missing the answer is True, as it cannot be known.
    """
    try:
        clients = [*MongoClient._clients.values(), *AsyncMongoClient._clients.values()]
        ears = [client._event_listeners.event_listeners() for client in clients]
    except AttributeError:
        return True
    return not ears or any(listener not in each for each in ears)
