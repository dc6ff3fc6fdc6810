"""Where long work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, Optional, TypeVar

from migopy.terminal.bars import Bar
from migopy.terminal.console import ColorsLogger, is_terminal
from migopy.terminal.figures import line
from migopy.terminal.helm import HELM, Meter
from migopy.terminal.totals import title_of, total_of, whole
from migopy.texts import text_of

Item = TypeVar('Item')

#: Takes a title, what is done, the total, what was done when the title was new, and the
#: seconds since.
Tell = Callable[[str, int, Optional[int], int, float], None]

#: Seconds without a word until a person is told what is waited for, and seconds
#: between two lines in a log.
SILENCE = 5.0
LINE_EVERY = 10.0

#: Terminals that are not for bars. The last one is what Fabric gives to a remote
#: command; it shows its lines only when they end.
WITHOUT_BARS = ('dumb', 'unknown', 'vt100')

#: What writes the lines: a manager's `logger` while it runs a subtask.
LOGGER: ContextVar[Any] = ContextVar('logger')

#: The bar of the loop that goes on in this context, if there is one.
BAR: ContextVar[Bar | None] = ContextVar('bar', default=None)

#: The function that is told of loops as well, in figures, if there is one.
COUNTED: ContextVar[Tell | None] = ContextVar('counted', default=None)


def progress(
    iterable: Iterable[Item], total: int | None = None, title: str = ''
) -> Iterator[Item]:
    """Give the items of an iterable and show how far the loop over them is.

    On a terminal that is a bar with the rate and the time left, else a line every
    ten seconds. `watch` shows it in another terminal; `pause`, `speed` and `stop` take
    effect between two items. The total is `total`, or what a cursor's collection says,
    or the iterable's length; without one only the count is shown. The items, their
    order and what the loop raises are as without it. Before the first item it raises
    `TypeError` if `total` is no number.
    """
    total = total_of(iterable) if total is None else whole(total)
    title = text_of(title or title_of(iterable))
    with meter() as show:
        count = 0
        helm = HELM.get()
        for item in iterable:
            show(title, count, total)
            if helm is not None:
                helm.obey(1)
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


def say(text: str) -> None:
    """Write a line where the loops of this context are told of."""
    LOGGER.get(ColorsLogger()).white(text)


def unheard(*what: object, **named: object) -> None:
    """Hear what nobody is to be told."""


def wait_for(why: str) -> None:
    """Say on the bar why its loop does not go on at this moment; `''` where it does."""
    bar = BAR.get()
    if bar is not None:
        bar.wait(why)


@contextmanager
def counted_by(tell: Tell) -> Iterator[None]:
    """Have a function told of the loops in the block, too, every ten seconds."""
    token = COUNTED.set(tell)
    try:
        yield
    finally:
        COUNTED.reset(token)


def count_no_more() -> None:
    """Tell nobody of the loops of this context any more, but a person."""
    COUNTED.set(None)


@contextmanager
def meter() -> Iterator[Meter]:
    """Give a function that takes a title, what is done and the total, ever so often.

    It shows them as `progress` does. A new title begins anew.
    """
    tell, helm = COUNTED.get(), HELM.get()
    with ExitStack() as stack:
        shown = _bar_meter() if _is_for_bars() else _line_meter()
        meters = [stack.enter_context(shown)]
        if tell is not None:
            meters.append(_now_and_then(tell))
        if helm is not None:
            meters.append(stack.enter_context(helm.loop()))
        if len(meters) == 1:
            yield meters[0]
            return

        def show(title: str, count: int, total: int | None) -> None:
            for each in meters:
                each(title, count, total)

        yield show


@contextmanager
def _line_meter() -> Iterator[Meter]:
    logger = LOGGER.get(ColorsLogger())
    yield _now_and_then(lambda *what: logger.white(line(*what)))


def _now_and_then(tell: Tell) -> Meter:
    """Make a meter that tells of a loop every ten seconds."""
    began = told = time.monotonic()
    now_at = ''
    first = 0

    def show(title: str, count: int, total: int | None) -> None:
        nonlocal began, told, now_at, first
        now = time.monotonic()
        if title != now_at:
            began, now_at, first = now, title, count
        if now - told >= LINE_EVERY:
            told = now
            tell(title, count, total, first, now - began)

    return show


@contextmanager
def _bar_meter() -> Iterator[Meter]:
    bar: Bar | None = None

    def show(title: str, count: int, total: int | None) -> None:
        nonlocal bar
        if bar is not None and bar.title != title:
            bar.end()
            bar = None
        if bar is None:
            bar = Bar(title, count)
            BAR.set(bar)
        bar.show(count, total)

    outer = BAR.get()
    try:
        yield show
    finally:
        BAR.set(outer)
        if bar is not None:
            bar.end()


def _is_for_bars() -> bool:
    if getattr(LOGGER.get(None), 'is_quiet', False):
        return False
    return is_terminal(sys.stderr) and os.environ.get('TERM') not in WITHOUT_BARS
