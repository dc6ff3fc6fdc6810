"""Where long work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor
from pymongo.errors import PyMongoError

from migopy.terminal.console import ColorsLogger, duration, is_coloured, is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Item = TypeVar('Item')

#: Takes a title, what is done, and the total where it is known.
Meter = Callable[[str, int, Optional[int]], None]

#: Seconds between two lines in a log.
LINE_EVERY = 10.0

#: Columns of a bar; numbers up to a hundred million stand beside it in 80.
BAR_WIDTH = 12

#: Seconds between two looks at a bar.
REDRAW_EVERY = 0.1

#: Milliseconds that a server may take to count what a cursor will give.
COUNT_MS = 2000

#: Terminals that are not for bars. The last is what Fabric gives to a remote command,
#: whose lines it shows when they end.
WITHOUT_BARS = ('dumb', 'unknown', 'vt100')

#: What writes the lines: a manager's `logger` while it runs a subtask.
LOGGER: ContextVar[Any] = ContextVar('logger')


def progress(
    iterable: Iterable[Item], total: int | None = None, title: str = ''
) -> Iterator[Item]:
    """Give the items of an iterable and show how far the loop over them is.

    On a terminal that is a bar with the rate and the time left, else a line every
    ten seconds. The total is `total`, or what a cursor's collection says, or the
    iterable's length; without one only the count is shown. The items, their order and
    what the loop raises are as without it.
    """
    if total is None:
        total = total_of(iterable)
    title = title or _title(iterable)
    with meter() as show:
        count = 0
        for item in iterable:
            show(title, count, total)
            yield item
            count += 1
        show(title, count, total)


@contextmanager
def told_by(logger: Any) -> Iterator[None]:
    """Have a logger write the lines of the loops in the block."""
    token = LOGGER.set(logger)
    try:
        yield
    finally:
        LOGGER.reset(token)


@contextmanager
def meter() -> Iterator[Meter]:
    """Give a function that takes a title, what is done and the total, ever so often.

    It shows them as `progress` does. A new title begins anew.
    """
    with _bar_meter() if _is_for_bars() else _line_meter() as show:
        yield show


def bars_are_shown() -> bool:
    """Tell whether there is a bar on the terminal."""
    return _display.is_on


def end_bars() -> None:
    """End all bars, those of inner loops first."""
    _display.clear()


def line(title: str, count: int, total: int | None, seconds: float) -> str:
    """Say how far a loop is: `notes: 12,000 of 31,995 (38%), 1,200/s, 16.7 s left`.

    A total that has been exceeded is none.
    """
    said = numbers(count, total, seconds)
    return f'{title}: {said}' if title else said


def numbers(count: int, total: int | None, seconds: float) -> str:
    """Say it without the title."""
    if total is not None and count > total:
        total = None
    said = f'{count:,}'
    if total:
        said += f' of {total:,} ({count / total:.0%})'
    if count and seconds:
        rate = count / seconds
        said += f', {rate:,.0f}/s' if rate >= 10 else f', {rate:.1f}/s'
        if total and count < total:
            said += f', {duration(round((total - count) / rate * 1000))} left'
    return said


@contextmanager
def _line_meter() -> Iterator[Meter]:
    logger = LOGGER.get(ColorsLogger())
    began = told = time.monotonic()
    now_at = ''

    def show(title: str, count: int, total: int | None) -> None:
        nonlocal began, told, now_at
        now = time.monotonic()
        if title != now_at:
            began, now_at = now, title
        if now - told >= LINE_EVERY:
            told = now
            logger.white(line(title, count, total, now - began))

    yield show


@contextmanager
def _bar_meter() -> Iterator[Meter]:
    bar: Bar | None = None

    def show(title: str, count: int, total: int | None) -> None:
        nonlocal bar
        if bar is not None and bar.title != title:
            bar.end()
            bar = None
        if bar is None:
            bar = Bar(title)
        bar.show(count, total)

    try:
        yield show
    finally:
        if bar is not None:
            bar.end()


class Bar:
    """A bar on the terminal, of one loop.

    Invariant: at its end it says the count that it was told last.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._began = time.monotonic()
        self._drawn = 0.0
        self._count = 0
        self._total: int | None = None

    def show(self, count: int, total: int | None) -> None:
        """Draw it, unless that was done a moment ago."""
        self._count, self._total = count, total
        now = time.monotonic()
        if now - self._drawn >= REDRAW_EVERY:
            self._drawn = now
            _display.draw(self, count, total, self._numbers())

    def end(self) -> None:
        """Draw it for the last time."""
        total = self._count if self._total is None else self._total
        _display.end(self, self._count, total, self._numbers())

    def _numbers(self) -> str:
        return numbers(self._count, self._total, time.monotonic() - self._began)


class Display:
    """The bars on the terminal, those of outer loops first.

    Invariant: it is on while there is a bar, and what others write comes above. The
    bar of an inner loop goes when that ends; that of the outermost stays to be read.
    """

    def __init__(self) -> None:
        # The end of a forgotten loop may come at any moment, within `draw` too.
        self._lock = threading.RLock()
        self._progress: Progress | None = None
        self._tasks: dict[Bar, TaskID] = {}

    @property
    def is_on(self) -> bool:
        """Tell whether there is a bar."""
        return bool(self._tasks)

    def draw(self, bar: Bar, count: int, total: int | None, numbers: str) -> None:
        """Draw a bar, a new one at the bottom; the title is cut, never the numbers."""
        with self._lock:
            if self._progress is None:
                self._progress = _rich_progress()
                self._progress.start()
            if bar not in self._tasks:
                self._tasks[bar] = self._progress.add_task('', total=None)
            room = self._progress.console.width - BAR_WIDTH - len(f' : {numbers}')
            title = bar.title
            if len(title) > room:
                title = f'{title[: max(room - 1, 0)]}…'
            self._progress.update(
                self._tasks[bar],
                completed=count,
                total=total,
                description=f'{title}: {numbers}' if title else numbers,
            )

    def end(self, bar: Bar, count: int, total: int, numbers: str) -> None:
        """Draw a bar for the last time, unless it has ended already."""
        with self._lock:
            if self._progress is None or bar not in self._tasks:
                return
            self.draw(bar, count, total, numbers)
            task = self._tasks.pop(bar)
            if self._tasks:
                self._progress.remove_task(task)
                return
            # A loop is not to fail because nobody is looking any more.
            with suppress(OSError):
                self._progress.stop()
            self._progress = None

    def clear(self) -> None:
        """End all bars, those of inner loops first."""
        for bar in reversed(list(self._tasks)):
            bar.end()


_display = Display()


def _rich_progress() -> Progress:
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn('{task.description}', markup=False),
        console=Console(stderr=True, no_color=not is_coloured(sys.stderr)),
        # What goes to a file stays out of the terminal.
        redirect_stdout=is_terminal(sys.stdout),
    )


def _is_for_bars() -> bool:
    return is_terminal(sys.stderr) and os.environ.get('TERM') not in WITHOUT_BARS


def _title(iterable: object) -> str:
    collection = getattr(iterable, 'collection', None)
    if isinstance(iterable, CommandCursor):
        # PyMongo has no public way to ask an aggregation's cursor.
        collection = getattr(iterable, '_collection', None)
    return collection.name if isinstance(collection, Collection) else ''


def total_of(iterable: object) -> int | None:
    """Tell how many items an iterable has, or a cursor will give, if that is known."""
    if isinstance(iterable, Cursor):
        return _count(iterable)
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def _count(cursor: Cursor[Any]) -> int | None:
    # PyMongo has no public way to ask a cursor for its query.
    query = getattr(cursor, '_spec', None)
    if query is None:
        return None
    options: dict[str, Any] = {'skip': getattr(cursor, '_skip', 0)}
    limit = getattr(cursor, '_limit', 0)
    if limit:
        options['limit'] = abs(limit)

    def count() -> int:
        if not query and not limit and not options['skip']:
            return cursor.collection.estimated_document_count(maxTimeMS=COUNT_MS)
        return cursor.collection.count_documents(query, maxTimeMS=COUNT_MS, **options)

    try:
        # An empty context knows no session, so a transaction that the loop is in is
        # not ended by a count that takes too long.
        return Context().run(count)
    except PyMongoError:
        return None
