"""Make sure that a file's function has awaited each coroutine that it has made."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from migopy.errors import MigopyException
from migopy.texts import one_line
from migopy.traces import is_machinery

#: What Python calls for a coroutine that goes away without having been begun.
WARNS = '_warn_unawaited_coroutine'


class Forgotten(NamedTuple):
    """A coroutine that nobody has awaited: its function, and the line that made it."""

    function: str
    file: str
    line: int


class NeverAwaited(MigopyException):
    """A function has made coroutines and awaited none of them, so nothing has run them.

    `name` is the migration's, `function` which one of its functions, and `forgotten`
    are they, in the order in which they went away.
    """

    def __init__(
        self, name: str, function: str, forgotten: Sequence[Forgotten]
    ) -> None:
        self.name = name
        self.function = function
        self.forgotten = forgotten
        first, more = forgotten[0], len(forgotten) - 1
        line = f'{os.path.basename(first.file)}, line {first.line}'
        also = f' (and {more:,} more like it)' if more else ''
        super().__init__(
            one_line(
                f'{name}: its {function} never awaited {first.function}() ({line})'
            )
            + f'{also}, which does nothing by itself; it has not run.\n'
            f'Write `await` before it, in `async def {function}(db)`.'
        )


class _Watch:
    """Hears of coroutines that were never awaited, in the threads that want to know.

    Invariant: once no thread wants to know, Python's own function is back in place. Of
    coroutines of other threads, and those that a library forgets, Python warns as ever.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        # A list for each call that a thread is in: a migration may run other ones.
        self._found: dict[int, list[list[Forgotten]]] = {}
        self._pythons: Callable[[Any], None] | None = None

    def begin(self, found: list[Forgotten]) -> None:
        """Begin to add to `found` what this thread makes and does not await."""
        with self._turn:
            if not self._found:
                self._pythons = getattr(warnings, WARNS, None)
                setattr(warnings, WARNS, self._hear)
            self._found.setdefault(threading.get_ident(), []).append(found)

    def end(self) -> None:
        """End that for what this thread has begun last."""
        thread = threading.get_ident()
        with self._turn:
            self._found[thread].pop()
            if not self._found[thread]:
                del self._found[thread]
            if not self._found and self._pythons is not None:
                setattr(warnings, WARNS, self._pythons)

    def _hear(self, coroutine: Any) -> None:
        found = self._found.get(threading.get_ident())
        # Only what was made while this thread is watched knows where it was made.
        origin = coroutine.cr_origin
        if found and origin and not _is_of_library(origin[0][0]):
            file, line, _ = origin[0]
            found[-1].append(Forgotten(coroutine.__qualname__, file, line))
        elif self._pythons is not None:
            self._pythons(coroutine)


#: There is one module of warnings.
WATCH = _Watch()


def call_awaited(call: Callable[[], object], name: str, function: str) -> object:
    """Call a file's function; give what it returns.

    `name` is the migration's, `function` which one of its functions. Raises what the
    function raises, and `NeverAwaited`.
    """
    forgotten: list[Forgotten] = []
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(depth, 1))
    WATCH.begin(forgotten)
    try:
        returned = call()
    finally:
        WATCH.end()
        sys.set_coroutine_origin_tracking_depth(depth)
    if forgotten:
        raise NeverAwaited(name, function, forgotten)
    return returned


def _is_of_library(file: str) -> bool:
    """Tell whether a file is Python's, or was installed: its author forgot, if any."""
    # Most commands forget nothing, and need not import it.
    import sysconfig

    places = {sysconfig.get_path(each) for each in ('stdlib', 'purelib', 'platlib')}
    inside = tuple(f'{each}{os.sep}' for each in places)
    return is_machinery(file) or file.startswith(inside)
