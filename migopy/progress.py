"""Where long work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import PyMongoError

from migopy.console import ColorsLogger, duration, is_coloured

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar('Item')

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
        total = _total(iterable)
    title = title or _title(iterable)
    if sys.stderr.isatty():
        return _with_bar(iterable, total, title)
    return _with_lines(iterable, total, title)


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


def _with_lines(
    iterable: Iterable[Item], total: int | None, title: str
) -> Iterator[Item]:
    began = told = time.monotonic()
    for count, item in enumerate(iterable):
        now = time.monotonic()
        if now - told >= LINE_EVERY:
            told = now
            LOGGER.get(ColorsLogger()).white(line(title, count, total, now - began))
        yield item


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


def _with_bar(
    iterable: Iterable[Item], total: int | None, title: str
) -> Iterator[Item]:
    global _bars
    bar = _bar()
    began = drawn = time.monotonic()
    task = bar.add_task(line(title, 0, total, 0), total=total)
    count = 0

    def draw(now: float) -> None:
        bar.update(
            task, completed=count, description=line(title, count, total, now - began)
        )

    _bars += 1
    try:
        with bar:
            for item in iterable:
                now = time.monotonic()
                if now - drawn >= REDRAW_EVERY:
                    drawn = now
                    draw(now)
                yield item
                count += 1
            draw(time.monotonic())
    finally:
        _bars -= 1


def _bar() -> Progress:
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=20),
        TextColumn('{task.description}'),
        console=Console(stderr=True, no_color=not is_coloured(sys.stderr)),
    )


def _title(iterable: object) -> str:
    collection = getattr(iterable, 'collection', None)
    return collection.name if isinstance(collection, Collection) else ''


def _total(iterable: object) -> int | None:
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
