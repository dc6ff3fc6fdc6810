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

#: How many programs are named.
MOST_PROGRAMS = 5


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
    _install()
    with _turn:
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


class Children:
    """The child processes that were started, from now to `close`.

    Invariant: a process that was heard is known by its program; of others it is known
    only that there are some, if they were waited for or are of `multiprocessing`.
    """

    def __init__(self) -> None:
        self._programs: dict[str, None] = {}
        self._before = _traces()
        self._after: tuple[float, bool] | None = None

    def add(self, program: str) -> None:
        """Hear of one."""
        self._programs[program] = None

    def close(self) -> None:
        """Look one last time whether there are any."""
        self._after = _traces()

    def told(self) -> list[str]:
        """Say that there were some, if there were any."""
        time, living = self._after or _traces()
        if not self._programs:
            was_running = time > self._before[0] or living or self._before[1]
            return ['a child process was running'] if was_running else []
        named = sorted(each for each in self._programs if each)
        if len(named) > MOST_PROGRAMS:
            named[MOST_PROGRAMS:] = [f'and {len(named) - MOST_PROGRAMS:,} more']
        programs = f' ({", ".join(named)})' if named else ''
        return [f'a child process was started{programs}']


def _traces() -> tuple[float, bool]:
    """Give the seconds that child processes took, and whether there are any now."""
    times = os.times()
    spawned = sys.modules.get('multiprocessing')
    living = bool(spawned and spawned.active_children())
    return times.children_user + times.children_system, living
