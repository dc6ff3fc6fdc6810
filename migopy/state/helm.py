"""What a running command tells of itself, and what others ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from migopy.signals import Stopped, require_no_end, sleep
from migopy.state.fields import line_or_unknown, number_of
from migopy.terminal import HELM, Meter, duration, say, unheard
from migopy.texts import one_line

Document = dict[str, Any]

#: Seconds from the beginning of a step until it is first reported, and between two
#: reports: in a loop, and elsewhere.
FIRST_AFTER = 1.0
LOOP_EVERY = 0.7
STEP_EVERY = 5.0

#: Seconds of one sleep of what is paused or slowed down.
NAP = 0.1

#: Characters of a text in a report.
WIDEST = 500


class Asked(NamedTuple):
    """The requests of others to the running command; `by` is who asked last.

    Invariant: any document can be read. `number` grows with each request.
    """

    number: int = 0
    paused: bool = False
    stop: bool = False
    max_per_second: float | None = None
    by: str = '?'

    @classmethod
    def of(cls, document: object) -> Asked:
        """Read what the lock's document has."""
        if not isinstance(document, Mapping):
            return NOTHING
        limit = number_of(document, 'max_per_second')
        return cls(
            number=int(number_of(document, 'number') or 0),
            paused=document.get('paused') is True,
            stop=document.get('stop') is True,
            max_per_second=limit if limit is not None and limit > 0 else None,
            by=line_or_unknown(document, 'by'),
        )


NOTHING = Asked()


class Helm:
    """Where a command that holds the lock is steered from.

    Invariant: nothing in it waits for a server. The thread that renews the lock writes
    what is `told`, and lets it `hear` what others ask; what runs obeys where it can.
    """

    def __init__(self) -> None:
        self.asked = NOTHING
        self._step: Document | None = None
        self._effects: Callable[[], str] = str
        self._end: Callable[[], object] = unheard
        self._loops = 0
        self._loop: Document = {}
        self._waits = ''
        self._began = 0.0
        self._told: float | None = None
        #: When the next item may begin, if somebody has set a speed.
        self._next = 0.0

    # What the running step does.

    @contextmanager
    def step(
        self,
        about: Document,
        effects: Callable[[], str],
        end: Callable[[], object] = unheard,
    ) -> Iterator[None]:
        """Report a step during the block, and let its loops be steered.

        `about` is reported as it is; `effects` gives what the step has done so far.
        `end` is called, in another thread, if the lock is lost in the block.
        """
        self._effects, self._end = effects, end
        self._began, self._told = time.monotonic(), None
        self._step = about
        token = HELM.set(self)
        try:
            # Somebody may have typed `stop` while the step before came to its end, or
            # the process may have been told to end.
            self.obey()
            yield
        finally:
            HELM.reset(token)
            self._step = None
            self._loops, self._loop, self._waits = 0, {}, ''

    @contextmanager
    def loop(self) -> Iterator[Meter]:
        """Report a loop during the block, and give what hears how far it is."""
        self._loops += 1
        outer = self._loop
        try:
            yield self._count
        finally:
            self._loops = max(self._loops - 1, 0)
            self._loop = outer if self._loops else {}

    def _count(self, title: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        loop = self._loop
        if loop.get('title') != title:
            loop = {'title': title, 'began': now, 'first': done}
        self._loop = {**loop, 'done': done, 'total': total}

    @property
    def max_per_second(self) -> float | None:
        """Give the speed that somebody has set, in items a second, or `None`."""
        return None if self._is_atomic else self.asked.max_per_second

    def waits(self, why: str) -> None:
        """Hear why the step waits at this moment; `''` if it goes on."""
        self._waits = why

    def obey(self, items: int = 0) -> None:
        """Wait before so many items, if somebody has asked for it; raises `Stopped`.

        Raises `Terminated` in the thread of one of many databases, which no signal
        reaches. A step in a transaction does not wait: the server would end that.
        """
        require_no_end()
        if self.asked is NOTHING:
            return
        if self.asked.stop:
            raise Stopped(self.asked.by)
        if self._is_atomic:
            return
        if self.asked.paused:
            self._rest()
        limit = self.asked.max_per_second
        if limit is not None and items:
            self._slow_down(items, limit)

    def _rest(self) -> None:
        began = time.monotonic()
        said = f'paused by {self.asked.by}'
        title = self._loop.get('title') or 'It'
        say(f'{title}: {said}')
        self.waits(said)
        try:
            while self.asked.paused and not self.asked.stop:
                sleep(NAP)
        finally:
            self.waits('')
        if self.asked.stop:
            raise Stopped(self.asked.by)
        rested = duration(round((time.monotonic() - began) * 1000))
        say(f'{title}: goes on after {rested}, {self.asked.by} has typed resume')

    def _slow_down(self, items: int, limit: float) -> None:
        asked = self.asked
        while (left := self._next - time.monotonic()) > 0:
            sleep(min(left, NAP))
            if self.asked is not asked:
                self._next = 0.0
                return self.obey(items)
        self._next = max(self._next, time.monotonic() - NAP) + items / limit
        return None

    @property
    def _is_atomic(self) -> bool:
        return self._step is not None and bool(self._step.get('in_transaction'))

    # What the lock's renewal does, in another thread.

    @property
    def is_due(self) -> bool:
        """Tell whether a report is due now."""
        now = time.monotonic()
        if self._step is None:
            return False
        if self._told is None:
            return bool(self._loops) or now - self._began >= FIRST_AFTER
        return now - self._told >= (LOOP_EVERY if self._loops else STEP_EVERY)

    def told(self) -> Any:
        """Give the report, as an expression of MongoDB's."""
        self._told = time.monotonic()
        step, loop = self._step, self._loop
        if step is None:
            return '$$REMOVE'
        now = time.monotonic()
        document = {
            **step,
            'seconds': now - self._began,
            'effects': self._effects()[:WIDEST],
            'waits': self._waits[:WIDEST],
            'in_loop': bool(self._loops),
            'heard': self.asked.number,
        }
        if loop:
            document['loop'] = {
                'title': one_line(loop['title'])[:WIDEST],
                'done': loop['done'],
                'total': loop['total'],
                'first': loop['first'],
                'seconds': now - loop['began'],
            }
        return {'$mergeObjects': [{'$literal': document}, {'at': '$$NOW'}]}

    def lose(self) -> None:
        """Hear that the lock is lost: the step has to end, as another may begin."""
        if self._step is not None:
            self._end()

    def hear(self, document: object) -> None:
        """Hear what others ask, as the lock's document has it."""
        asked = Asked.of(document)
        if asked != self.asked:
            self.asked = asked
            # Whoever has asked waits for the report that says it was heard.
            self._told = None
