"""Where long work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import PyMongoError

from migopy.console import ColorsLogger, duration, is_coloured

if TYPE_CHECKING:
    from rich.progress import TaskID

Item = TypeVar('Item')

#: Takes a title, what is done, and the total where it is known.
Meter = Callable[[str, int, Optional[int]], None]

#: Seconds between two lines in a log.
LINE_EVERY = 10.0

#: Seconds until a migration that says nothing is first told of.
SILENCE = 5.0

#: Seconds between two looks at a bar.
REDRAW_EVERY = 0.1

#: Milliseconds that a server may take to count what a cursor will give.
COUNT_MS = 2000

#: What writes the lines: a manager's `logger` while it runs a subtask.
LOGGER: ContextVar[Any] = ContextVar('logger')

_bars = 0


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
def meter() -> Iterator[Meter]:
    """Give a function that takes a title, what is done and the total, ever so often.

    It shows them as `progress` does. A new title begins anew.
    """
    with _bar_meter() if sys.stderr.isatty() else _line_meter() as show:
        yield show


@contextmanager
def heartbeat(tell: Callable[[float], None]) -> Iterator[None]:
    """Call `tell` with the seconds passed, now and then, while the block is long.

    The first time after five seconds, then every ten; not while a bar is shown.
    """
    began = time.monotonic()
    ended = threading.Event()

    def beat() -> None:
        pause = SILENCE
        while not ended.wait(pause):
            if not _bars:
                tell(time.monotonic() - began)
            pause = LINE_EVERY

    thread = threading.Thread(target=beat, name='migopy-heartbeat', daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def line(title: str, count: int, total: int | None, seconds: float) -> str:
    """Say how far a loop is: `notes: 12,000 of 31,995 (38 %), 1,200/s, 17 s left`."""
    rate = count / seconds if seconds else 0.0
    said = f'{count:,}'
    left = ''
    if total:
        said += f' of {total:,} ({min(count / total, 1):.0%})'
        if rate and total > count:
            left = f', {duration(round((total - count) / rate * 1000))} left'
    return f'{title + ": " if title else ""}{said}, {rate:,.0f}/s{left}'


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
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    global _bars
    bar = Progress(
        BarColumn(bar_width=20),
        TextColumn('{task.description}'),
        console=Console(stderr=True, no_color=not is_coloured(sys.stderr)),
    )
    task: TaskID | None = None
    began = drawn = time.monotonic()
    now_at = ''

    def show(title: str, count: int, total: int | None) -> None:
        nonlocal task, began, drawn, now_at
        now = time.monotonic()
        if task is None or title != now_at:
            began, now_at = now, title
            task = bar.add_task(line(title, count, total, 0), total=total)
        elif now - drawn >= REDRAW_EVERY or count == total:
            drawn = now
            said = line(title, count, total, now - began)
            bar.update(task, completed=count, description=said)

    _bars += 1
    try:
        with bar:
            yield show
    finally:
        _bars -= 1


def _title(iterable: object) -> str:
    collection = getattr(iterable, 'collection', None)
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
