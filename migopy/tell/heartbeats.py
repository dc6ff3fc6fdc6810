"""Signs of life, now and then, of work that takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from migopy.terminal import DISPLAY, LINE_EVERY

#: Seconds until work that says nothing is first told of.
SILENCE = 5.0

#: Seconds between two looks whether it is time.
LOOK_EVERY = 0.25

#: Looks without work until the thread ends.
IDLE_LOOKS = 40


class Heartbeats:
    """Calls, now and then, what tells of work that takes long.

    Invariant: nothing is told of work that has ended. One thread serves for any number
    of works, one after the other, and ends by itself when there are none.
    """

    def __init__(self, beside_bars: bool = False) -> None:
        """Take whether to tell while a bar is shown, too."""
        self._beside_bars = beside_bars
        self._turn = threading.Lock()
        self._tell: Callable[[float], None] | None = None
        self._began = self._due = 0.0
        self._watching = False

    def begin(self, tell: Callable[[float], None]) -> None:
        """Call `tell` with the seconds passed until `end`.

        The first time after five seconds, then every ten.
        """
        with self._turn:
            self._began = time.monotonic()
            self._due = self._began + SILENCE
            self._tell = tell
            if not self._watching:
                self._watching = True
                threading.Thread(
                    target=self._watch, name='migopy-heartbeat', daemon=True
                ).start()

    def end(self) -> None:
        """Hear that the work is over.

        Bars that were begun in it end with it, whatever still refers to their loops.
        """
        with self._turn:
            self._tell = None
        DISPLAY.clear()

    def look(self) -> None:
        """Call what is due."""
        with self._turn:
            now = time.monotonic()
            if self._tell is not None and now >= self._due:
                self._due = now + LINE_EVERY
                if self._beside_bars or not DISPLAY.is_on:
                    self._tell(now - self._began)

    def _watch(self) -> None:
        idle = 0
        while True:
            time.sleep(LOOK_EVERY)
            self.look()
            with self._turn:
                idle = 0 if self._tell else idle + 1
                if idle > IDLE_LOOKS:
                    self._watching = False
                    return
