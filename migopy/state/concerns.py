"""How writes of migopy's own are acknowledged, and when they are sent again."""

from __future__ import annotations

import time
from collections.abc import Callable

from pymongo import WriteConcern
from pymongo.errors import ConnectionFailure, OperationFailure

#: For what is not to be taken back once it is acknowledged: a majority has it on disk.
#: A server of 4.4 without a replica set has it there only if `j` says so.
DURABLE = WriteConcern('majority', j=True)

#: For what need not wait: as it precedes in the server's log all that is written later,
#: it survives whatever keeps that.
MARK = WriteConcern(1)

#: Errors of a server that stops or is no longer primary, after which the same command
#: may be sent again: the codes of MongoDB's specification of retryable writes.
PASSING = frozenset(
    {6, 7, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)

#: Seconds between two tries.
PAUSE = 0.2


def is_passing(error: Exception) -> bool:
    """Tell whether an error is one that the same command may not meet again."""
    return isinstance(error, ConnectionFailure) or (
        isinstance(error, OperationFailure) and error.code in PASSING
    )


def repeat(work: Callable[[], object], seconds: float) -> None:
    """Call `work`, which may be repeated, until the network lets it succeed.

    Raises what `work` does, at the latest when it still fails after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            work()
            return
        except (ConnectionFailure, OperationFailure) as error:
            if not is_passing(error) or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)
