"""Tell a person of threads and tasks that a migration has left at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType

from migopy.terminal import SILENCE, say
from migopy.texts import one_line
from migopy.traces import is_machinery

#: Seconds between two looks at what is at work.
LOOK = 0.05


class Lingering:
    """The wait for what a migration has started and not waited for itself.

    Invariant: a person is told of it once, as soon as it takes long: it may never end.
    """

    def __init__(self, way_out: str, are_several: bool = False) -> None:
        """Begin to wait; `way_out` is what the file can do about what never ends.

        `are_several`: it may be at work for another database.
        """
        self._way_out = way_out
        self._or = ', or is at work for another database' if are_several else ''
        self._began = time.monotonic()
        self._is_said = False

    def goes_on(self, first: Callable[[], str], count: int) -> None:
        """Hear that so many are at work; `first` says which is the first of them."""
        if self._is_said or time.monotonic() - self._began < SILENCE:
            return
        self._is_said = True
        others = f' and {count - 1:,} more' if count > 1 else ''
        say(
            'Waiting for what the migration has started and not waited for itself'
            f'{self._or}: {first()}{others}. If that never ends, press Ctrl-C, twice if'
            f' need be, and {self._way_out}'
        )


def at_work(kind: str, name: str, frames: Iterable[FrameType]) -> str:
    """Name a thread or a task, and the outermost line of its own that it is at.

    `frames` are its own, from the outermost one inwards.
    """
    lines = [(each.f_code.co_filename, each.f_lineno) for each in frames]
    own = (line for line in lines if not _is_pythons(line[0]))
    for file, number in [*own, *lines[-1:]]:
        return one_line(f'{kind} {name} (at {file}:{number})')
    return one_line(f'{kind} {name}')


def _is_pythons(file: str) -> bool:
    return file == threading.__file__ or is_machinery(file)
