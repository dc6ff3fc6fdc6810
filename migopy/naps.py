"""Sleep of threads that the end of the process cuts short."""

from __future__ import annotations

import threading


class Naps:
    """Sleep that can be ended for all who sleep, and for good.

    A daemon that wakes up while Python takes itself down finds its own state freed.
    Python 3.9 looks at that once more (`take_gil` and `drop_gil` in CPython's
    `ceval_gil.h`): now and then it crashes, after a command that went well, or hangs
    (CPython's issue 96387). So a daemon is woken and waited for before.

    Invariant: the gate is closed until `end`. A lock and no `threading.Event`, as the
    latter has a lock of its own, which a fork may copy while another thread holds it.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()
        self._are_over = False

    def sleep(self, seconds: float) -> bool:
        """Sleep for that many seconds, or until `end`; tell whether to go on."""
        if self._gate.acquire(timeout=seconds):
            self._gate.release()
        return not self._are_over

    def end(self) -> None:
        """Wake all who sleep; nobody sleeps any more."""
        if not self._are_over:
            self._are_over = True
            self._gate.release()
