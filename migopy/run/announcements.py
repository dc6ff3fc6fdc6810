"""Many quick migrations wait for a majority together.

A registration that the primary has acknowledged is in the server's log before all that
the next migration writes: whatever a failover or a crash of the server takes away, it
takes from the end, so never the registration alone. What waiting for a majority adds is
that "executed" is not taken back. So the quick ones of a long run are told of a little
later, after one wait for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from pymongo.errors import PyMongoError

from migopy.effects import Effects
from migopy.state.history import Run
from migopy.state.lock import LockLost

#: Seconds between two waits for a majority.
EVERY = 0.05

Ended = tuple[Run, Effects]


class Announcements:
    """What is to be told of runs that have ended well.

    Invariant: a run is told of, in order, only after its registration is durable.
    """

    def __init__(
        self,
        tell: Callable[[Run, Effects], None],
        make_durable: Callable[[Sequence[Run]], None],
    ) -> None:
        """Take what tells the observer, and what writes registrations once more.

        `make_durable` waits for a majority. Where a registration still stands it
        changes nothing; where a failover undid it, it stands again.
        """
        self._tell = tell
        self._make_durable = make_durable
        self._pending: list[Ended] = []
        self._telling = threading.Lock()

    @property
    def first(self) -> Run:
        """Give the first run that has not been told of."""
        return self._pending[0][0]

    def add(self, run: Run, effects: Effects) -> None:
        """Hear that a run has ended and that the primary has its registration."""
        self._pending.append((run, effects))

    def tell(self) -> None:
        """Tell of all; raises what `make_durable` does."""
        with self._telling:
            ended = self._pending[:]
            if ended:
                self._make_durable([run for run, _ in ended])
            for run, effects in ended:
                self._tell(run, effects)
                del self._pending[0]

    @contextmanager
    def regularly(
        self, own_work: Callable[[], AbstractContextManager[object]]
    ) -> Iterator[None]:
        """Tell of runs from another thread during the block.

        What fails there is tried again, at last by whoever calls `tell`.
        """
        over = threading.Event()

        def work() -> None:
            with own_work():
                while not over.wait(EVERY):
                    with suppress(PyMongoError, LockLost):
                        self.tell()

        thread = threading.Thread(target=work, name='migopy-announcer', daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
