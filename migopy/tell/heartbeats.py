"""Tell now and then that work which takes long still goes on."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable

from migopy.naps import Naps
from migopy.terminal import DISPLAY, LINE_EVERY, SILENCE

#: Seconds between two looks whether it is time.
LOOK_EVERY = 0.25

#: After so many looks without work the thread ends.
IDLE_LOOKS = 40

#: Seconds that the end of the process waits for it, which may be writing to a pipe.
LAST_LOOK = 1.0


class Heartbeats:
    """Calls a function now and then while some work takes long.

    Invariant: it is not called for work that has ended. One thread serves any number of
    works, one after the other, and ends by itself when there are none.
    """

    def __init__(self, beside_bars: bool = False) -> None:
        """Take whether to tell while a bar is shown, too."""
        self._beside_bars = beside_bars
        self._turn = threading.Lock()
        self._tell: Callable[[float], None] | None = None
        self._began = self._due = 0.0
        self._watching = False
        self._naps = Naps()

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
                thread = threading.Thread(
                    target=self._watch, name='migopy-heartbeat', daemon=True
                )
                thread.start()
                atexit.register(self._leave, thread)

    def end(self) -> None:
        """Hear that the work is over.

        Bars that were begun in it end now, even if something still refers to their
        loops.
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
        while self._naps.sleep(LOOK_EVERY):
            self.look()
            with self._turn:
                idle = 0 if self._tell else idle + 1
                if idle > IDLE_LOOKS:
                    self._watching = False
                    atexit.unregister(self._leave)
                    return

    def _leave(self, thread: threading.Thread) -> None:
        """End the thread before the process ends."""
        self._naps.end()
        thread.join(LAST_LOOK)
