"""Take a lock away from whoever holds it, and from nobody who has taken it since."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from bson.errors import InvalidBSON

from migopy.state.concerns import MARK, told_if_slow
from migopy.state.holder import Holder, StillRunning, TakenMeanwhile
from migopy.state.lock import Lock
from migopy.state.renewal import freed

#: What finds a lock that nobody holds any more, as its time is up.
RAN_OUT = {'$expr': {'$not': [{'$gt': ['$expires', '$$NOW']}]}}

#: The owner of a lock, as migopy writes it. Any other may not be found again as it is
#: read.
OWNER = re.compile('[0-9a-f]{32}')


def to_unlock(lock: Lock, force: bool = False) -> Holder | None:
    """Read who would be robbed by `unlock`.

    Raises `StillRunning` if the holder still renews the lock, unless `force`.
    """
    holder = lock.holder()
    _require_dead(lock, holder, force)
    return holder


def unlock(
    lock: Lock, force: bool = False, owners: Collection[str] | None = None
) -> Holder | None:
    """Take a lock away from whoever holds it; returns whom it robbed.

    Nobody is robbed but one of the `owners`, if they are given. Raises `StillRunning`
    if the holder still renews it, unless `force`, and `TakenMeanwhile`. Only the
    primary has to acknowledge that, as a majority may be what is missing.
    """
    held = next(iter(lock.with_gone([lock.id])), None)
    holder = None if held is None or held.is_gone else held
    if holder is not None and owners is not None and holder.owner not in owners:
        raise TakenMeanwhile(holder)
    _require_dead(lock, holder, force)
    which = {'_id': lock.id, **_only(held)}
    collection = lock.collection.with_options(write_concern=MARK)
    take = partial(freed, collection.find_one_and_delete, collection, which)
    try:
        document = told_if_slow(take, collection)
    except InvalidBSON:
        # The document was deleted all the same.
        return holder
    if document is None and (now := lock.holder()) is not None:
        raise TakenMeanwhile(now)
    if document is None or (holder is None and 'owner' not in document):
        return None
    # The one that was read before also knows how long it was to last.
    robbed = lock.holder_of(document)
    return holder if holder == robbed else robbed


def _require_dead(lock: Lock, holder: Holder | None, force: bool) -> None:
    if holder is not None and not force and lock.seems_alive(holder):
        raise StillRunning(holder)


def _only(held: Holder | None) -> Mapping[str, Any]:
    """Find the lock only as long as nobody else has taken it."""
    if held is None:
        return RAN_OUT
    return {'owner': held.owner} if OWNER.fullmatch(held.owner) else {}
