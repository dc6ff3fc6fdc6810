"""Turn what ends a process from outside into exceptions, in one place."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

#: The signals of a container that stops and of a connection that is lost, where the
#: system has them.
ENDING = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name)
)


#: Seconds between two looks for a signal that is held back.
LOOK_EVERY = 0.25


class Terminated(SystemExit):
    """A signal told this process to end.

    Invariant: uncaught, it ends the process with the status that shells give for the
    signal, 128 and its number. `signal` is which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)

    def __str__(self) -> str:
        return f'the process was stopped by {self.signal.name}'


#: The exit status of a command that another one has asked to stop.
STOPPED = 4


class Stopped(SystemExit):
    """Somebody has typed `stop` for this command; `by` is who.

    Invariant: uncaught, it ends the process with the status 4.
    """

    def __init__(self, by: str) -> None:
        super().__init__(STOPPED)
        self.by = by

    def __str__(self) -> str:
        return f'{self.by} has typed stop'


@contextmanager
def raised() -> Iterator[None]:
    """Raise `Terminated` at SIGTERM and SIGHUP during the block, as Ctrl-C raises.

    So the work that a stopped container or a lost connection interrupts is recorded,
    and the lock is free at once. It works only in the main thread, and not for signals
    that are handled or ignored already (by nohup, an outer block, or the program).
    A process that is forked meanwhile ends by them at once, as it does elsewhere.
    """
    process = os.getpid()
    is_ending = False

    def terminate(number: int, _frame: object) -> None:
        nonlocal is_ending
        if os.getpid() != process:
            _end_by(number)
        # A closing terminal may send two: none must disturb what is done from now on.
        # They are not ignored, as what is started from now on would inherit that.
        elif not is_ending:
            is_ending = True
            raise Terminated(number)

    caught: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, terminate)
                caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


class Held:
    """The first Ctrl-C or signal of a `held` block, and whether another one came.

    Invariant: `number` is `None` until it has come.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_repeated = False

    @property
    def is_end(self) -> bool:
        """Tell whether a signal has come that ends the process, and not Ctrl-C."""
        return self.number in ENDING


#: The interruption that is held back while the work of this context goes on.
HELD: ContextVar[Held | None] = ContextVar('HELD', default=None)


def require_no_end() -> None:
    """Raise `Terminated` if a signal that ends the process is held back meanwhile."""
    first = HELD.get()
    if first is not None and first.number is not None and first.is_end:
        raise Terminated(first.number)


def sleep(seconds: float) -> None:
    """Sleep for so many seconds; raise `Terminated` as `require_no_end` does."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        require_no_end()
        time.sleep(min(left, LOOK_EVERY))


@contextmanager
def held() -> Iterator[Held]:
    """Hold back the first Ctrl-C, SIGTERM or SIGHUP until the end of the block.

    It is raised there, whatever ends the block; a second one is raised at once. It
    works only in the main thread, and only for what would be raised without it. In a
    process that is forked meanwhile none is held back.
    """
    process = os.getpid()
    first = Held()
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = (signal.SIGINT, *ENDING)
        handlers = {number: signal.getsignal(number) for number in numbers}
        before = {number: each for number, each in handlers.items() if callable(each)}

    def hold(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            before[signal.Signals(number)](number, frame)
        elif first.number is None:
            first.number = number
        else:
            first.is_repeated = True
            before[signal.Signals(number)](number, frame)

    for each in before:
        signal.signal(each, hold)
    try:
        yield first
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if first.number is not None and not first.is_repeated:
            before[signal.Signals(first.number)](first.number, None)


def _end_by(number: int) -> None:
    """End this process by a signal as if nobody had handled it.

    An exception would be lost where Python calls the handler between other code (in a
    `__del__`, say), and whoever has sent the signal waits for the end.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def end_at_ctrl_c() -> None:
    """Have the next Ctrl-C end this process at once, as all that is left is its end.

    Python's own handler would interrupt what is called at exit, and show a traceback of
    each. It works only in the main thread, and where Ctrl-C has that handler.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_interruption(error: BaseException) -> bool:
    """Tell whether it was a person or a signal that ended the work, not a fault."""
    return isinstance(error, (KeyboardInterrupt, Stopped, Terminated))


def status_after(error: BaseException) -> int:
    """Give the exit status: 1, after a signal 128 and its number as shells have it.

    It is 4 where somebody has typed `stop`.
    """
    if isinstance(error, Stopped):
        return STOPPED
    if isinstance(error, Terminated):
        return 128 + error.signal
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    return 1
