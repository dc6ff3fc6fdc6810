"""Hear of threads and child processes when they are started.

Python calls audit hooks in the thread that starts them: for all processes except those
of `multiprocessing` that are not forked, and since 3.12 for threads. A hook cannot be
removed, so there is one for the whole process, which returns at once while nobody
listens.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from typing import Any, Protocol

#: The audit events of processes, and which argument names the program, if any does.
PROCESSES: dict[str, int | None] = {
    'subprocess.Popen': 0,
    'os.exec': 0,
    'os.posix_spawn': 0,
    'os.spawn': 1,
    'os.startfile': 0,
    'os.fork': None,
    'os.forkpty': None,
    'os.system': None,
}

#: The audit events of threads; which one depends on the release of Python.
THREADS = frozenset({'_thread.start_new_thread', '_thread.start_joinable_thread'})

EVENTS = THREADS | frozenset(PROCESSES)


class Listener(Protocol):
    """What hears of threads and processes."""

    def thread_started(self, thread: threading.Thread) -> None:
        """Hear, in the thread that starts it, that a thread is about to begin."""

    def process_started(self, program: str) -> None:
        """Hear that a child process is about to begin; `program` may be ''."""


_turn = threading.Lock()
_listeners: tuple[Listener, ...] = ()


def hear(listener: Listener) -> None:
    """Begin to tell a listener."""
    global _listeners
    with _turn:
        _install()
        _listeners = (*_listeners, listener)


def leave(listener: Listener) -> None:
    """Stop telling a listener."""
    global _listeners
    with _turn:
        _listeners = tuple(each for each in _listeners if each is not listener)


@cache
def _install() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _listeners or event not in EVENTS:
        return
    if event in THREADS:
        # A thread's own method, of a `threading.Thread`.
        thread = getattr(args[0], '__self__', None)
        if isinstance(thread, threading.Thread):
            for listener in _listeners:
                listener.thread_started(thread)
    else:
        for listener in _listeners:
            listener.process_started(_program(event, args))


def _program(event: str, args: tuple[Any, ...]) -> str:
    place = PROCESSES[event]
    try:
        return '' if place is None else os.path.basename(os.fsdecode(args[place]))
    except (TypeError, IndexError):
        return ''  # an error in a hook would keep the process from being started
