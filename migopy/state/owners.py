"""The runs under one owner of the lock, which is new each time it is held."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.server import end_sessions
from migopy.state.documents import raw, readable
from migopy.state.history import History
from migopy.state.runs import Run


def runs_of(history: History, owner: str) -> list[Run]:
    """Read the runs of one owner of the lock, the oldest first."""
    collection = history.collection
    order = [('started', 1), ('_id', 1)]
    found = raw(collection).find({'owner': owner}, sort=order)
    return [Run.of(readable(each, collection.codec_options)) for each in found]


def end_left(history: History, owners: Sequence[str]) -> None:
    """End the transactions that commands without their lock have left open.

    A process that was killed leaves its transaction open for a minute, in which others
    who write the same documents wait. Those of another user the server ends itself.
    """
    if not owners:
        return
    collection = history.collection
    left = {
        'owner': {'$in': list(owners)},
        'outcome': None,
        'session': {'$type': 'binData'},
    }
    found = raw(collection).find(left, ['session'])
    sessions = [readable(each, collection.codec_options)['session'] for each in found]
    end_sessions(collection.database.client, sessions)
