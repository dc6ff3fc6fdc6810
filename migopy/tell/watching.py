"""What `watch` shows: in one place on a terminal, now and then a line in a log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from migopy.commands import Part, Spelling, spelled
from migopy.tell.voice import Voice
from migopy.terminal import LINE_EVERY, board, duration, how_far, is_for_board
from migopy.texts import one_line

if TYPE_CHECKING:
    from migopy.server import Build, Running
    from migopy.state import Doing, Loop, Run, Seen

#: Seconds over which a rate is measured.
RATE_OVER = 10.0

#: How many operations are shown.
MOST = 3


class Sight(NamedTuple):
    """What is seen at one moment.

    `load` says how far secondaries are behind and how busy the server is, `unread`
    which of this the user may not read.
    """

    seen: Seen
    running: Running
    load: Sequence[str]
    unread: Sequence[str]


class Rates:
    """How fast a loop goes, by what was seen of it in the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._title = ''

    def of(self, loop: Loop, now: float) -> float | None:
        """Give the documents a second; at first those that the loop tells itself."""
        if loop.title != self._title or (self._seen and loop.done < self._seen[-1][1]):
            self._seen.clear()
            self._title = loop.title
        self._seen.append((now, loop.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_OVER:
            self._seen.popleft()
        began, first = self._seen[0]
        if now - began >= 1:
            return (loop.done - first) / (now - began)
        return (loop.done - loop.first) / loop.seconds if loop.seconds else None


class Viewer:
    """Shows what `watch` sees to a person.

    Invariant: on a terminal it stays in one place and is drawn anew each second.
    Elsewhere a line is written every ten seconds, and whenever something else is done
    or waited for.
    """

    def __init__(self, voice: Voice, spelling: Spelling) -> None:
        self._voice = voice
        self._spelling = spelling
        self._rates = Rates()
        self._stack = ExitStack()
        self._draw: Callable[[str], None] | None = None
        self._said = -LINE_EVERY
        self._about = ''

    def show(self, sight: Sight) -> None:
        """Show what is seen now."""
        now = time.monotonic()
        lines = [one_line(each) for each in self._seen(sight, now)]
        if not self._voice.is_custom and is_for_board():
            if self._draw is None:
                self._draw = self._stack.enter_context(board())
            self._draw(self._voice.fitted('\n  '.join(lines)))
            return
        doing = sight.seen.doing
        about = f'{doing.name} {doing.waits}' if doing else ''
        if now - self._said >= LINE_EVERY or about != self._about:
            self._said, self._about = now, about
            self._voice.white('; '.join(lines))

    def nothing(self) -> None:
        """Show that nothing runs."""
        self._voice.green('No migration command is running')

    def ended(self, seen: Seen, runs: Sequence[Run]) -> None:
        """Show that it has ended, and how."""
        self._stack.close()
        self._voice.white_bold(f'Ended: {seen.holder}')
        for run in runs:
            self._voice.white(f'  {line_of_run(run)}')

    def left(self, seen: Seen) -> None:
        """Show what comes of it now, and how to end it."""
        self._stack.close()
        for said in what_comes_of(seen):
            self._voice.white(one_line(spelled(said, self._spelling)))

    def _seen(self, sight: Sight, now: float) -> Iterator[str]:
        yield from lines_of_seen(sight.seen, self._rates, now)
        yield from _running(sight.running)
        yield from sight.load
        if sight.unread:
            yield f'this user cannot see: {", ".join(sight.unread)}'


def lines_of_seen(seen: Seen, rates: Rates, now: float) -> Iterator[str]:
    """Say what a command does, and what somebody has asked it to do; a line each."""
    doing: Doing | None = seen.doing
    if doing is None:
        yield f'{seen.holder}: no migration has begun or told of itself yet'
    else:
        place = f', {doing.place} of {doing.count}' if doing.count > 1 else ''
        yield (
            f'{doing.name} ({doing.direction}{place}) running for'
            f' {duration(round(doing.seconds * 1000))}, by {seen.holder}'
        )
        if doing.loop is not None:
            loop = doing.loop
            far = how_far(loop.done, loop.total, rates.of(loop, now))
            yield f'{loop.title}: {far}' if loop.title else far
        if doing.effects:
            yield f'so far: {doing.effects}'
        if doing.waits:
            yield doing.waits
    if seen.asked.stop:
        yield f'{seen.asked.by} has typed stop'
    if seen.asked.max_per_second is not None:
        limit = seen.asked.max_per_second
        yield f'{seen.asked.by} has typed speed: {limit:,g}/s at most'


def what_comes_of(seen: Seen) -> Iterator[list[Part]]:
    """Say whether what is watched no more goes on, and how to end it; a line each."""
    end: list[Part] = ['To end it after its batch: ', seen.command('stop')]
    if not seen.hears:
        yield [f'It goes on. To end it: {seen.way_to_end}']
    elif seen.asked.stop:
        yield [f'It ends after its batch: {seen.asked.by} has typed stop']
    elif seen.is_paused:
        yield ['It stays paused. To let it go on: ', seen.command('resume')]
        yield end
    else:
        yield ['It goes on. ', *end]


def line_of_run(run: Run) -> str:
    """Say how a run has ended that was watched."""
    how = run.outcome or 'not known to have ended'
    took = '' if run.duration_ms is None else f' in {duration(run.duration_ms)}'
    error = f': {run.error}' if run.error else ''
    return f'{run.name} {how}{took}{error}'


def _running(running: Running) -> Iterator[str]:
    for build in running.builds:
        yield f'index build on {build.collection} ({build.indexes}): {_far(build)}'
    for each in running.operations[:MOST]:
        took = duration(round(each.seconds * 1000))
        client = f', {each.client}' if each.client else ''
        yield f'{each.kind} on {each.collection} for {took}{client}'
    if len(running.operations) > MOST:
        yield f'and {len(running.operations) - MOST:,} more operations'
    if not running.sees_all:
        yield 'this user sees only operations of its own'


def _far(build: Build) -> str:
    took = duration(round(build.seconds * 1000))
    if build.total is None or build.done is None:
        return f'for {took}'
    return f'{how_far(build.done, build.total, None)}, for {took}'
