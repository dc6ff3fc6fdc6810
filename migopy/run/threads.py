"""Wait for the threads that a migration has started and not waited for itself."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, TypeVar, cast

from migopy.errand import is_typed
from migopy.run.lingering import LOOK, Lingering, at_work
from migopy.signals import is_interruption

Returned = TypeVar('Returned')

#: Seconds in which a thread of a pool begins with the work that it has just taken.
TAKEN = 0.01

#: The module of Python's pools of threads.
POOLS = 'concurrent.futures.thread'

#: What the names of migopy's own threads begin with, which it waits for itself, and the
#: name of those that work on one of several databases at a time.
OWN = 'migopy-'
OF_DATABASE = f'{OWN}database'


class _Inherited(int):
    """Whether a thread is a daemon: it is, if only as the one that started it is."""


def inherited() -> bool:
    """Make a thread a daemon whose threads are waited for, if they are none themselves.

    Python hands on what this gives, as it is, to each that is started in that thread.
    So each call gives another one, which tells the threads of several apart.
    """
    return cast(bool, _Inherited(True))


#: Held while frames are looked at.
_FRAMES = threading.Lock()

#: What a file can do about a thread that never ends.
WAY_OUT = 'have the file end that thread, or start it with daemon=True'


def call_with_threads(
    function: Callable[[], Returned], is_over: Callable[[], bool]
) -> Returned:
    """Call what may start threads or give them work, and wait for their end.

    Python does so at the end of a program, when the client is closed. Daemons are not
    waited for, nor threads of a pool that have nothing to do; none is after an
    interruption, or once `is_over`. It is done in the process of a typed command;
    elsewhere threads may be the application's.
    """
    if not is_typed():
        return function()
    # A pool that was there has work of this call, if it has any afterwards.
    there = threading.enumerate()
    idle = frozenset(each for each in there if _is_idle(each))
    look = partial(_at_work, idle, frozenset(there) - idle)
    try:
        returned = function()
    except BaseException as error:
        if not is_interruption(error):
            _await_others(look, is_over)
        raise
    _await_others(look, is_over)
    return returned


def _await_others(
    look: Callable[[], list[threading.Thread]], is_over: Callable[[], bool]
) -> None:
    wait = Lingering(WAY_OUT, _are_several())
    while others := look():
        if is_over():
            return
        wait.goes_on(partial(_said, others[0]), len(others))
        # One that another thread is just starting cannot be joined yet.
        with suppress(RuntimeError):
            others[0].join(LOOK)


def _at_work(
    idle: Collection[threading.Thread], busy: Collection[threading.Thread]
) -> list[threading.Thread]:
    """List the threads that may be at work for a call; `idle` and `busy` were there.

    A daemon that another database's thread has started counts only in a pool for all.
    """
    there = [each for each in threading.enumerate() if not each.name.startswith(OWN)]
    heirs = {each for each in there if isinstance(each.daemon, _Inherited)}
    mine = threading.current_thread().daemon
    own = {each for each in heirs if each.daemon is mine or each in idle}
    pools = [queue for each in own if (queue := _queue_of(each)) is not None]
    own |= {each for each in heirs if _queue_of(each) in pools}
    new = [
        each for each in there if each not in busy and (not each.daemon or each in own)
    ]
    at_work = [each for each in new if not _is_idle(each)]
    if new and not at_work:
        time.sleep(TAKEN)
        at_work = [each for each in new if each.is_alive() and not _is_idle(each)]
    return at_work


def _are_several() -> bool:
    names = [each.name for each in threading.enumerate()]
    return names.count(OF_DATABASE) > 1


def _said(thread: threading.Thread) -> str:
    return at_work('thread', thread.name, _frames(thread))


def _frames(thread: threading.Thread) -> list[FrameType]:
    """List the frames of a thread, the outermost one first.

    Python 3.11 makes the frames while it lists them, which may begin a collection of
    garbage. What that calls lets other threads run, and then the process hangs, or
    crashes (python/cpython#106883).
    """
    frames = []
    with _FRAMES:
        collects = gc.isenabled()
        gc.disable()
        try:
            frame = sys._current_frames().get(thread.ident or 0)
            while frame is not None:
                frames.append(frame)
                frame = frame.f_back
        finally:
            if collects:
                gc.enable()
    return frames[::-1]


def _is_idle(thread: threading.Thread) -> bool:
    """Tell whether it is a thread of a pool and waits for work."""
    return _waits_for_tasks(thread) or _manages_idle_processes(thread)


def _waits_for_tasks(thread: threading.Thread) -> bool:
    """Tell whether it carries out the tasks of a pool of threads, and has none."""
    queue = _queue_of(thread)
    # Most threads are of no pool; frames are looked at only where one is.
    if queue is None or not queue.empty():
        return False
    worker = getattr(sys.modules.get(POOLS), '_worker', None)
    innermost = [each.f_code for each in _frames(thread)[-1:]]
    return innermost == [getattr(worker, '__code__', None)] and bool(queue.empty())


def _queue_of(thread: threading.Thread) -> Any:
    """Give the queue of tasks of the pool that a thread is of, `None` if of none."""
    return getattr(sys.modules.get(POOLS), '_threads_queues', {}).get(thread)


def _manages_idle_processes(thread: threading.Thread) -> bool:
    """Tell whether it hands tasks to a pool of processes, and has none to hand out.

    Such a thread ends when the pool does, which may be at the end of the program.
    """
    futures = sys.modules.get('concurrent.futures.process')
    manager = getattr(futures, '_ExecutorManagerThread', None)
    if manager is None or not isinstance(thread, manager):
        return False
    wait = getattr(manager, 'wait_result_broken_or_wakeup', None)
    # A task is gone from the list before what is to be done with its result is.
    is_waiting = wait is not None and any(
        frame.f_code is wait.__code__ for frame in _frames(thread)
    )
    return is_waiting and getattr(thread, 'pending_work_items', None) == {}
