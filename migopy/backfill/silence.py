"""A server that does not answer: what a person is told while a call waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Callable, TypeVar

from migopy.terminal import SILENCE, duration, say

Answer = TypeVar('Answer')

#: Seconds between two looks whether there is an answer.
LOOK_EVERY = 0.5

#: What is shown while it lasts.
WAITS = 'waits for the server, which does not answer'


class Silence:
    """Tells that a call waits for the server, which a bar alone does not show.

    Invariant: it only looks at the clock, in a thread of its own; what is waited for
    stays in the caller's.
    """

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        """Go through the collection `name`; `tell` shows why a call does not go on."""
        self._name = name
        self._tell = tell
        self._turn = threading.Lock()
        #: When it began to wait for the answer at hand, and whether that was said.
        self._since: float | None = None
        self._is_said = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell in the block where `answer` takes long."""
        over = threading.Event()
        arguments = (self._look_until, over)
        looking = threading.Thread(
            target=copy_context().run, args=arguments, name='migopy-wait', daemon=True
        )
        # Where the machine has no thread to spare it is done all the same.
        with suppress(RuntimeError):
            looking.start()
        try:
            yield
        finally:
            over.set()
            if looking.is_alive():
                looking.join()

    def answer(self, ask: Callable[[], Answer]) -> Answer:
        """Give what `ask` gets from the server; say when it goes on after long."""
        began = self._since = time.monotonic()
        is_answered = False
        try:
            answer = ask()
            is_answered = True
            return answer
        finally:
            with self._turn:
                was_said, self._is_said, self._since = self._is_said, False, None
            if was_said:
                self._tell('')
                took = duration(round((time.monotonic() - began) * 1000))
                if is_answered:
                    say(f'{self._name}: goes on after {took}')

    def heard(self) -> None:
        """Hear, in any thread, that an attempt has ended, and that another one begins.

        So a server that answers each time, with a conflict, is not said to be silent.
        """
        with self._turn:
            if self._since is not None:
                self._since = time.monotonic()

    def _look_until(self, over: threading.Event) -> None:
        while not over.wait(LOOK_EVERY):
            with self._turn:
                since = self._since
                is_long = since is not None and time.monotonic() - since >= SILENCE
                if is_long and not self._is_said:
                    self._is_said = True
                    self._tell(WAITS)
                    say(
                        f'{self._name}: waits for the server, which has not answered'
                        f' for {SILENCE:g} s: it may be gone, busy, wait for another'
                        ' member, or be locked against writes'
                    )
