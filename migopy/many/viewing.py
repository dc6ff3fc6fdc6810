"""What `watch` shows of many databases: a block for each that runs something."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from migopy.commands import Command, Part, Spelling, spelled
from migopy.many.databases import shown
from migopy.many.in_json import answer_ended, tell_looked
from migopy.many.outcomes import Outcome
from migopy.state import FAILED, Run, Seen
from migopy.tell import Rates, Voice, line_of_run, lines_of_seen
from migopy.terminal import LINE_EVERY, board, is_for_board
from migopy.texts import one_line

#: How many databases are shown at a time; of further ones the number is told.
MOST = 20


class FleetViewer:
    """Shows what runs in many databases to a person, and to a machine.

    Invariant: on a terminal it stays in one place and is drawn anew with each look.
    Elsewhere a line for each database is written every ten seconds, and one whenever a
    database begins to wait for something else.
    """

    def __init__(self, voice: Voice, spelling: Spelling, stop: Command) -> None:
        """Take who says it, and the command that stops what runs there."""
        self._voice = voice
        self._spelling = spelling
        self._stop = stop
        self._rates: dict[str, Rates] = defaultdict(Rates)
        self._stack = ExitStack()
        self._draw: Callable[[str], None] | None = None
        self._said = -LINE_EVERY
        #: What each database waited for when it was written of last.
        self._waits: dict[str, str] = {}

    def show(self, running: Sequence[Outcome], count: int) -> None:
        """Show those of `count` databases where something runs now."""
        tell_looked(running, count)
        now = time.monotonic()
        blocks = {
            each.database.title: list(
                lines_of_seen(each.seen, self._rates[each.database.title], now)
            )
            for each in running[:MOST]
            if each.seen is not None
        }
        more = len(running) - len(blocks)
        idle = count - len(running)
        rest = f'and {more:,} more; ' if more else ''
        summary = f'{rest}idle: {idle:,} of {count:,} databases'
        if not self._voice.is_custom and is_for_board():
            if self._draw is None:
                self._draw = self._stack.enter_context(board())
            texts = [
                '\n  '.join([f'{shown(title)}: {first}', *others])
                for title, (first, *others) in blocks.items()
            ]
            self._draw(self._voice.fitted('\n'.join([*texts, summary])))
            return
        self._write(running, blocks, summary, now)

    def nothing(self, count: int) -> None:
        """Show that nothing runs in any of `count` databases."""
        answer_ended([])
        self._voice.green(
            f'No migration command is running in any of {count:,} databases'
            if count > 1
            else 'No migration command is running'
        )

    def ended(self, ended: Sequence[tuple[str, Run]]) -> None:
        """Show how all has ended that was watched, given with the databases."""
        self.close()
        answer_ended(ended)
        self._voice.white_bold('Ended: nothing runs any more')
        self._write_ended(ended)

    def left(
        self, ended: Sequence[tuple[str, Run]], running: Sequence[Outcome]
    ) -> None:
        """Show what has ended, what comes of the rest, and how to end that.

        A person has stopped watching.
        """
        self.close()
        answer_ended(ended)
        self._write_ended(ended)
        for said in self._what_comes_of([each.seen for each in running if each.seen]):
            self._voice.white(one_line(spelled(said, self._spelling)))

    def _what_comes_of(self, running: Sequence[Seen]) -> Iterator[list[Part]]:
        end: list[Part] = ['To end it after its batch: ', self._stop]
        hearing = [each for each in running if each.hears]
        paused = [each for each in running if each.is_paused]
        if paused:
            resume = Command('resume', *self._stop.values, **self._stop.options)
            yield ['What is paused stays so. To let it go on: ', resume]
        if len(paused) < len(running) or not running:
            yield ['What runs goes on. ', *(end if hearing or not running else [])]
        else:
            yield end
        deaf = {each.holder.agent: None for each in running if not each.hears}
        for agent in list(deaf)[:MOST]:
            yield [f'To end what is in no loop that hears stop: {agent.way_to_end}']

    def _write_ended(self, ended: Sequence[tuple[str, Run]]) -> None:
        failures_first = sorted(ended, key=lambda each: each[1].outcome != FAILED)
        for title, run in failures_first[:MOST]:
            self._voice.white(f'  {shown(title)}: {line_of_run(run)}')
        if len(ended) > MOST:
            self._voice.white(f'  and {len(ended) - MOST:,} more that were watched')

    def close(self) -> None:
        """Stop drawing; what is on the terminal stays there."""
        self._stack.close()

    def _write(
        self,
        running: Sequence[Outcome],
        blocks: dict[str, list[str]],
        summary: str,
        now: float,
    ) -> None:
        """Write of all that run, if it is time, else only of those that wait anew."""
        waits = {
            each.database.title: each.seen.doing.waits
            for each in running
            if each.seen is not None and each.seen.doing is not None
        }
        is_time = bool(running) and now - self._said >= LINE_EVERY
        for title, lines in blocks.items():
            waits_now = waits.get(title, '')
            if is_time or (waits_now and waits_now != self._waits.get(title)):
                self._voice.white(f'{shown(title)}: {"; ".join(lines)}')
        if is_time:
            self._said = now
            self._voice.white(summary)
        self._waits = waits
