"""The threads in which one command works on several databases at a time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextvars import copy_context

from migopy.many.databases import Database
from migopy.many.outcomes import Outcome, Turn
from migopy.run import OF_DATABASE, inherited
from migopy.signals import HELD, Held, Stopped, held, is_interruption
from migopy.state import Locked
from migopy.terminal import say

#: Carries the command out for one database, and gives how that ended. In its second
#: turn the command is waited for that held its lock in the first one.
Work = Callable[[Database, Turn], Outcome]

#: Seconds between two signs that no database has ended yet.
TICK = 0.25

#: Said where an interruption does not end the command soon.
ENDING = (
    'Interrupted: no other database is begun, and those under way end first. '
    'Interrupted again, it does not wait for them, and they are left unfinished.'
)


#: Said of a signal that ends the process, which nobody may send twice.
ENDING_SOON = (
    'Told to end: no other database or migration is begun, a loop under way ends after '
    'its batch, and a migration in no loop ends first.'
)


class Workers:
    """The threads in which a command is carried out for many databases.

    Invariant: a database is in one thread at a time. Its turn comes once, or twice if
    another command held its lock the first time: those are waited for at the end.
    """

    def __init__(
        self,
        databases: Sequence[Database],
        work: Work,
        count: int,
        fail_fast: bool,
    ) -> None:
        """Take the databases, and how many at a time.

        With `fail_fast` no database is begun after a failure. After an error that all
        would meet none is begun in any case.
        """
        self._work = work
        self._count = count
        self._fail_fast = fail_fast
        self._next: deque[tuple[Database, Turn]] = deque()
        self._next.extend((each, None) for each in databases)
        self._locked: list[tuple[Database, Outcome]] = []
        self._turn = threading.Lock()
        self._busy = 0
        self._is_stopped = False
        self._broken: BaseException | None = None
        #: What somebody has typed `stop` with: it is for the whole command.
        self._end_of_all: Stopped | None = None
        self._ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def outcomes(self) -> Generator[Outcome | None, None, None]:
        """Carry the command out for all; give each outcome as soon as it is there.

        Gives `None` now and then if there is none. An interruption, or `Stopped`, is
        raised when those under way have ended; a second interruption at once.
        """
        give = self._one_by_one if self._count == 1 else self._at_once
        yield from give(waits=False)
        if not self._is_stopped:
            self._next.extend(self._locked)
            self._locked.clear()
            yield from give(waits=True)

    def _one_by_one(self, waits: bool) -> Iterator[Outcome | None]:
        """Work in this thread, which an interruption reaches."""
        while self._next and not self._is_stopped:
            # What is set for one database holds for no other.
            apart = copy_context()
            outcome = apart.run(self._work, *self._next.popleft())
            yield from self._heard(outcome, waits)
            if outcome.error is not None and is_interruption(outcome.error):
                raise outcome.error

    def _at_once(self, waits: bool) -> Iterator[Outcome | None]:
        started: list[threading.Thread] = []
        is_told = False
        # Whenever an interruption comes, those under way end first.
        with held() as interruption:
            # Daemons, as are those that migrations start in them: at a second Ctrl-C
            # the process ends, and the next command finds what is left unfinished.
            threads = [
                threading.Thread(
                    target=copy_context().run,
                    args=(self._take_turns, interruption),
                    name=OF_DATABASE,
                    daemon=inherited(),
                )
                for _ in range(min(self._count, len(self._next)))
            ]
            try:
                for each in threads:
                    self._start(each, started)
                while self._busy or not self._ended.empty():
                    try:
                        outcome = self._ended.get(timeout=TICK)
                    except queue.Empty:
                        if interruption.number is not None and not is_told:
                            is_told = True
                            say(ENDING_SOON if interruption.is_end else ENDING)
                        yield None
                    else:
                        yield from self._heard(outcome, waits)
            finally:
                was_asked = interruption.number is not None
                self._is_stopped = self._is_stopped or was_asked or bool(self._busy)
                if not interruption.is_repeated:
                    for each in started:
                        each.join()
        if self._broken is not None:
            raise self._broken
        if self._end_of_all is not None:
            raise self._end_of_all

    def _start(self, thread: threading.Thread, started: list[threading.Thread]) -> None:
        """Start a thread; if the system gives no more, those there are do all."""
        try:
            with self._turn:
                self._busy += 1
            thread.start()
        except RuntimeError:
            with self._turn:
                self._busy -= 1
            if not started:
                raise
        else:
            started.append(thread)

    def _heard(self, outcome: Outcome, waits: bool) -> Iterator[Outcome]:
        """Give an outcome, unless the database is locked and will have another turn."""
        if isinstance(outcome.error, Locked) and not waits:
            self._locked.append((outcome.database, outcome))
            return
        if outcome.is_of_all or (self._fail_fast and outcome.is_failure):
            self._is_stopped = True
        yield outcome

    def _take_turns(self, interruption: Held) -> None:
        # This thread's context is its own.
        HELD.set(interruption)
        try:
            while True:
                with self._turn:
                    is_asked_to_end = interruption.number is not None
                    if self._is_stopped or is_asked_to_end or not self._next:
                        return
                    database, earlier = self._next.popleft()
                outcome = self._work(database, earlier)
                if isinstance(outcome.error, Stopped):
                    # Before another one can begin.
                    self._end_of_all = outcome.error
                    self._is_stopped = True
                self._ended.put(outcome)
        except BaseException as error:  # a fault of migopy's own, never passed over
            with self._turn:
                self._broken = self._broken or error
                self._is_stopped = True
        finally:
            with self._turn:
                self._busy -= 1


def in_order(
    databases: Sequence[Database], outcomes: Iterable[Outcome]
) -> Iterator[Outcome]:
    """Give outcomes in the order of the databases, each as soon as it can be."""
    early: dict[str, Outcome] = {}
    titles = iter([each.title for each in databases])
    title = next(titles, None)
    for outcome in outcomes:
        early[outcome.database.title] = outcome
        while title in early:
            yield early.pop(title)
            title = next(titles, None)
    yield from early.values()
