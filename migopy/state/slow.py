"""Say what migopy waits for if the server is slow to answer one of its writes."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Callable, TypeVar

from pymongo.collection import Collection

from migopy.terminal import SILENCE, say

Answer = TypeVar('Answer')


def told_if_slow(write: Callable[[], Answer], to: Collection[Any]) -> Answer:
    """Call what writes to a collection; say so once if that takes long."""
    said = (
        f'Waiting for the server, which has not answered a write to {to.full_name} for'
        f' {SILENCE:g} s: it may be busy, wait for another member, or be locked against'
        ' writes, as for a backup (db.fsyncUnlock() ends that)'
    )
    reminder = threading.Timer(SILENCE, copy_context().run, (say, said))
    reminder.daemon = True
    try:
        # Where the machine has no thread to spare it is written all the same.
        with suppress(RuntimeError):
            reminder.start()
        return write()
    finally:
        reminder.cancel()
