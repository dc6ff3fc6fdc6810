"""The runs that belong to one time that the lock was held."""

from __future__ import annotations

from migopy.state.documents import raw, readable
from migopy.state.history import History, Run


def runs_of(history: History, owner: str) -> list[Run]:
    """Read the runs of one owner of the lock, the oldest first."""
    collection = history.collection
    order = [('started', 1), ('_id', 1)]
    found = raw(collection).find({'owner': owner}, sort=order)
    return [Run.of(readable(each, collection.codec_options)) for each in found]
