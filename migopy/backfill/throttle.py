"""How fast `update_each` goes: the size of its batches, and when it waits."""

from __future__ import annotations

import time
from contextvars import copy_context
from typing import Any, Callable, TypeVar

from pymongo import MongoClient
from pymongo.collection import Collection

from migopy.backfill.checkpoints import CHECKPOINTS
from migopy.backfill.server_load import LOOK_EVERY, ServerLoad, Strain
from migopy.backfill.silence import Silence
from migopy.backfill.sizes import BASE, RoundTrip, Sizes
from migopy.backfill.threads import Submit
from migopy.pace import CAREFUL, NAMED, NOTHING, Pace, Wanted
from migopy.server import has_members, is_bound
from migopy.terminal import HELM, duration, say, wait_for

Result = TypeVar('Result')

#: Documents of the smallest batch, and how many more the next one has after a fast one:
#: `MORE`, and from `BASE` on a fourth of its size.
SMALLEST = 10
MORE = 50
FOURTH = 4

#: The part of a limit from which on writing slows down; beyond the limit it waits.
#: Members report whole seconds: that is 3 of 5, and 2 of 3.
SLOW_FROM = 0.6

#: Seconds between two lines that say why it is slow.
SAY_EVERY = 10.0

#: Seconds that a batch is tried again before a line says so.
AGAIN_AFTER = 5.0

#: Seconds of one sleep, so that an interruption and an end of the reason are noticed.
NAP = 0.1


def throttle_of(
    collection: Collection[Any], wanted: Wanted, size: int | None
) -> Throttle:
    """Give the throttle of a call that may write `size` documents a batch.

    Without a size, batches are larger if the server is far away. If neither the call
    nor the run names a pace, it is careful for a replica set of several members. In a
    transaction there is no pace: a transaction must not wait.
    """
    checkpoints = CHECKPOINTS.get()
    client = collection.database.client
    if wanted is None and checkpoints is not None:
        wanted = checkpoints.pace
        if wanted is None and has_members(client):
            wanted = CAREFUL
    pace = wanted if isinstance(wanted, Pace) else NAMED.get(wanted or '', NOTHING)
    if is_bound():
        pace = NOTHING
    sizes = Sizes(size, RoundTrip(client), pace.target)
    watched = pace._replace(max_per_second=None, hours=None, target=None)
    if watched == NOTHING or not isinstance(client, MongoClient):
        return Throttle(collection.name, pace, None, sizes)
    heartbeats = client
    if checkpoints is not None and checkpoints.pages is not None:
        is_same = checkpoints.pages.client is client
        heartbeats = checkpoints.heartbeats() if is_same else client
    return Throttle(collection.name, pace, ServerLoad(client, heartbeats, pace), sizes)


class Throttle:
    """The pace of one call.

    Invariant: it waits between batches only, never in a transaction; a batch has at
    least `SMALLEST` documents, and at most what `sizes` allow.
    """

    def __init__(
        self, name: str, pace: Pace, load: ServerLoad | None, sizes: Sizes
    ) -> None:
        """Go through the collection `name`."""
        self._name = name
        self._pace = pace
        self._load = load
        self.sizes = sizes
        self.silence = Silence(name, self._tell)
        self._helm = HELM.get()
        #: Documents of a batch while it is held below the largest size, else `None`.
        self._held: int | None = None
        self._next = 0.0
        self._said = -SAY_EVERY
        self._told = 0
        self._took = 0.0
        #: The context of the call, for what other threads say; whether they said it.
        self._context = copy_context()
        self._is_again = False

    @property
    def size(self) -> int:
        """Give the documents of the next batch."""
        largest, held = self._largest, self._held
        return largest if held is None else min(held, largest)

    def start(
        self,
        submit: Submit,
        write: Callable[[Any], Result],
        what: Any,
        count: int,
        trips: int,
    ) -> Callable[[], Result]:
        """Start to write a batch of `count` changes when the pace allows it.

        Writing takes `trips` round trips, one after the other. Raises `Stopped` if
        somebody has asked for that.
        """
        self._obey()
        if not count:
            return submit(write, what)
        self.wait(count)
        return submit(self.timed, write, what, count, trips)

    def timed(
        self, write: Callable[[Any], Result], what: Any, size: int, trips: int
    ) -> Result:
        """Write a batch of so many documents, in any thread, and time it."""
        began = time.monotonic()
        result = write(what)
        self.took(time.monotonic() - began, size, trips)
        return result

    def took(self, seconds: float, size: int, trips: int) -> None:
        """Hear how long a batch of so many documents took.

        Batches halve if that is too long, else they grow a little. The time of the
        round trips does not count, as it is not the server's work: smaller batches
        would only make more of them.
        """
        self._took = seconds
        worked = self.sizes.took(seconds, size, trips)
        if self._pace.target is not None and worked > self._pace.target:
            self._halve(min(self.size, size))
        elif self._held is not None:
            self._held += MORE if self._held < BASE else self._held // FOURTH
            if self._held >= self._largest:
                self._held = None

    def _halve(self, size: int) -> None:
        """Make the next batch half of this size, but not smaller than `SMALLEST`."""
        self._held = max(min(SMALLEST, self._largest), size // 2)

    def wait(self, documents: int) -> None:
        """Wait until a batch of so many documents may be written; raises `Stopped`."""
        self._context = copy_context()
        self._obey()
        limit = self._limit
        if limit is not None:
            now = time.monotonic()
            self._sleep_until(self._next)
            self._next = max(self._next, now) + documents / limit
        if self._pace.hours is not None:
            self._wait_for_hours()
        if self._load is None:
            return
        worst = self._worst(self._load)
        if worst.share >= 1:
            self._pause(self._load, worst)
        elif worst.share >= SLOW_FROM:
            self._halve(min(self.size, BASE))
            now = time.monotonic()
            if now - self._said >= SAY_EVERY:
                self._said = now
                say(f'{self._name}: slowed down: {worst.text}')
            self._tell(f'slowed down: {worst.text}')
            self._sleep_until(now + max(self._took, NAP))
        self._tell('')

    def tries_again(self, why: str, since: float) -> None:
        """Say, in any thread, why the one batch at hand is tried again since then."""
        self._is_again = True
        self.silence.heard()
        said = f'a batch is tried again: {why}'
        self._context.run(self._tell, said)
        now = time.monotonic()
        if now - since >= AGAIN_AFTER and now - self._said >= SAY_EVERY:
            self._said = now
            self._context.run(say, f'{self._name}: {said}')

    def goes_on(self) -> None:
        """Hear that no batch is tried again any more."""
        if self._is_again:
            self._is_again = False
            self._context.run(self._tell, '')

    def _pause(self, load: ServerLoad, worst: Strain) -> None:
        """Wait until nothing is near a limit, saying so, then start again slowly."""
        self._halve(min(self.size, BASE))
        began = said = time.monotonic()
        say(f'{self._name}: paused: {worst.text}')
        while worst.share >= SLOW_FROM:
            self._tell(f'paused: {worst.text}')
            time.sleep(LOOK_EVERY)
            self._obey()
            worst = self._worst(load)
            if time.monotonic() - said >= SAY_EVERY and worst.share >= SLOW_FROM:
                said = time.monotonic()
                say(f'{self._name}: still paused: {worst.text}')
        paused = round((time.monotonic() - began) * 1000)
        say(f'{self._name}: goes on after {duration(paused)}')

    @property
    def _limit(self) -> float | None:
        """Give the documents a second: as typed with `speed`, else the pace's."""
        typed = self._helm.max_per_second if self._helm else None
        return self._pace.max_per_second if typed is None else typed

    @property
    def _largest(self) -> int:
        limit, most = self._limit, self.sizes.most
        return most if limit is None else max(1, min(most, int(limit)))

    def _obey(self) -> None:
        if self._helm is not None:
            self._helm.obey()

    def _tell(self, why: str) -> None:
        wait_for(why)
        if self._helm is not None:
            self._helm.waits(why)

    def _sleep_until(self, moment: float) -> None:
        limit = self._limit
        while (left := moment - time.monotonic()) > 0:
            time.sleep(min(left, NAP))
            self._obey()
            if self._limit != limit:
                # The new speed counts from now on.
                self._next = 0.0
                return

    def _worst(self, load: ServerLoad) -> Strain:
        strains = load.look()
        if unread := load.unread[self._told :]:
            self._told += len(unread)
            say(f'{self._name}: the pace cannot know: {", ".join(unread)}')
        return max(strains, key=lambda each: each.share, default=Strain(0.0, ''))

    def _wait_for_hours(self) -> None:
        is_said = False
        while not self._pace.is_open(_minute()):
            if not is_said and self._pace.hours is not None:
                is_said = True
                begin, end = self._pace.hours
                say(f'{self._name}: paused until {begin} (hours {begin} to {end})')
                self._tell(f'paused until {begin} (hours {begin} to {end})')
            time.sleep(LOOK_EVERY)
            self._obey()
        if is_said:
            say(f'{self._name}: goes on')
            self._tell('')


def _minute() -> int:
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min
