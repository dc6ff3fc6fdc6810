"""Bars on a terminal, one for each loop that is going on."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from migopy.terminal.console import is_coloured, is_terminal
from migopy.terminal.figures import numbers
from migopy.terminal.lines import is_taken_over, take_over, unnamed

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Columns of a bar; numbers up to a hundred million stand beside it in 80.
BAR_WIDTH = 12

#: Seconds between two looks at a bar.
REDRAW_EVERY = 0.1


class Bar:
    """A bar on the terminal, of one loop.

    Invariant: at its end it says the count that it was told last.
    """

    def __init__(self, title: str, first: int) -> None:
        """Begin where a loop does: at the first item, or where an earlier run was."""
        self.title = title
        self._first = first
        self._began = time.monotonic()
        self._drawn = 0.0
        self._count = 0
        self._total: int | None = None
        self._why = ''

    def show(self, count: int, total: int | None) -> None:
        """Draw it, unless that was done a moment ago."""
        self._count, self._total = count, total
        now = time.monotonic()
        if now - self._drawn >= REDRAW_EVERY:
            self._drawn = now
            self._draw()

    def wait(self, why: str) -> None:
        """Say why it does not go on at this moment; `''` where it does."""
        if why != self._why:
            self._why = why
            self._draw()

    def end(self) -> None:
        """Draw it for the last time."""
        total = self._count if self._total is None else self._total
        DISPLAY.end(self, self._count, total, self._numbers())

    def _draw(self) -> None:
        DISPLAY.draw(self, self._count, self._total, self._numbers(), self._why)

    def _numbers(self) -> str:
        seconds = time.monotonic() - self._began
        return numbers(self._count, self._total, self._first, seconds)


class Display:
    """The bars on the terminal, those of outer loops first.

    Invariant: it is on while there is a bar, and what others write comes above. The bar
    of an inner loop is removed when that ends; the bar of the outermost loop stays.
    """

    def __init__(self) -> None:
        # A forgotten loop may end at any moment, in the middle of `draw`, too.
        self._lock = threading.RLock()
        self._progress: Progress | None = None
        self._tasks: dict[Bar, TaskID] = {}

    @property
    def is_on(self) -> bool:
        """Tell whether there is a bar."""
        return bool(self._tasks)

    def draw(
        self, bar: Bar, count: int, total: int | None, numbers: str, why: str = ''
    ) -> None:
        """Draw a bar, a new one at the bottom; the title is cut, never the numbers.

        Behind the numbers it says why the loop waits, if there is room; of `paused: …`
        at least the first word.
        """
        with self._lock, unnamed():
            if self._progress is None:
                self._progress = _rich_progress()
                has_names = is_taken_over(sys.stderr)
                self._progress.start()
                # rich has put a stream there that mixes text of several threads. At its
                # end rich puts back what was there before.
                if has_names:
                    take_over()
            if bar not in self._tasks:
                self._tasks[bar] = self._progress.add_task('', total=None)
            room = self._progress.console.width - BAR_WIDTH - len(f' : {numbers}')
            title = bar.title
            if len(title) > room:
                title = f'{title[: max(room - 1, 0)]}…'
            text = f'{title}: {numbers}' if title else numbers
            room += len(f' : {numbers}') - len(f' {text}')
            behind = [each for each in (why, why.partition(':')[0]) if each]
            fitting = [f', {each}' for each in behind if len(f', {each}') <= room]
            self._progress.update(
                self._tasks[bar],
                completed=count,
                total=total,
                description=''.join([text, *fitting[:1]]),
            )

    def end(self, bar: Bar, count: int, total: int, numbers: str) -> None:
        """Draw a bar for the last time, unless it has ended already."""
        with self._lock, unnamed():
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


#: The one display of this process: there is one terminal.
DISPLAY = Display()


def _rich_progress() -> Progress:
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn('{task.description}', markup=False),
        # Lines above are broken by the terminal, so that they can be copied whole.
        console=Console(
            stderr=True, no_color=not is_coloured(sys.stderr), soft_wrap=True
        ),
        # What goes to a file stays out of the terminal.
        redirect_stdout=is_terminal(sys.stdout),
    )
