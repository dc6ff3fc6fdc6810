"""What is left of owners of the lock, of which there is a new one each time."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.server import end_sessions
from migopy.state.documents import raw, readable
from migopy.state.history import History


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
