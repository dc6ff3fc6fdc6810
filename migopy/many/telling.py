"""What a command on many databases has to say: a line for each, and a table of all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import MigopyException, some_of
from migopy.many.databases import Database, shown
from migopy.many.outcomes import Outcome
from migopy.many.status import Standing, remarks_of, rows_of
from migopy.tell import Voice, failure_text
from migopy.terminal import duration, table, unnamed
from migopy.traces import summary

#: How many failures are told in full; of further ones the first line is told.
IN_FULL = 10

#: How many lines of a kind are shown; of further ones the number is told.
MOST = 50


class FleetReport:
    """Tells of many databases, through a manager's voice.

    Invariant: what is said of a database names it, and is said in one piece at its end,
    so that lines of two databases never mix.
    """

    def __init__(
        self, voice: Voice, spelling: Spelling, for_one: Callable[[Database], Spelling]
    ) -> None:
        """Take the voice, and how commands for all and for one are spelled."""
        self._voice = voice
        self._spelling = spelling
        self._for_one = for_one
        self._failures = 0
        self._warnings: set[str] = set()
        self._turn = threading.Lock()

    def line(self, method: str, text: str) -> None:
        """Say something from the thread of one database, while no other one does."""
        with self._turn, unnamed():
            getattr(self._voice, method)(text)

    def done(self, outcome: Outcome) -> None:
        """Say how a command has ended for one database.

        If there was nothing to do, nothing is said.
        """
        with self._turn:
            self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        name = shown(outcome.database.title)
        for warning in outcome.gathered.warnings:
            # The same warning often comes from all databases.
            if warning not in self._warnings and len(self._warnings) < MOST:
                self._warnings.add(warning)
                self._voice.white(f'{name}: {warning}')
        for method, text, is_private in outcome.gathered.notes.said:
            # Documents stand below the line that says how many there are.
            voice = self._voice.on_terminal if is_private else self._voice
            getattr(voice, method)(text if is_private else f'{name}: {text}')
        if outcome.is_failure:
            # The error may be about what the command has found before it.
            if outcome.said and outcome.gathered.failure is None:
                self._show(name, outcome.said)
            self._failed(name, outcome)
        elif outcome.is_gone:
            self._voice.white(f'{name} is gone')
        elif not outcome.is_idle:
            self._ended_well(name, outcome)

    def status(
        self, standings: Sequence[tuple[str, Standing]], next: Sequence[Part]
    ) -> None:
        """Show how many databases are where, and what does not fit in some."""
        results = self._voice.results
        rows = [
            (
                f'{len(row.titles):,}',
                row.applied_up_to or 'none',
                f'{row.pending:,} from {row.first_pending}' if row.pending else 'none',
                some_of([shown(title) for title in row.titles]),
            )
            for row in rows_of(standings)
        ]
        titles = ('Databases', 'Applied up to', 'Pending', 'Which')
        if rows:
            results.white(table(titles, rows))
        remarks = remarks_of(standings)
        for remark, where in remarks[:MOST]:
            results.red(f'{remark} ({_databases(where)})')
        if len(remarks) > MOST:
            results.white(f'and {len(remarks) - MOST:,} more')
        if next:
            results.white(spelled(next, self._spelling))

    def ended(self, outcomes: Counter[str], seconds: float) -> None:
        """Say at the end what was done in all."""
        said = [f'{count:,} {what}' for what, count in outcomes.items() if count]
        took = duration(round(seconds * 1000))
        self._voice.green(f'Databases: {", ".join(said)} ({took})')

    def _ended_well(self, name: str, outcome: Outcome) -> None:
        gathered, took = outcome.gathered, duration(round(outcome.seconds * 1000))
        if len(gathered.runs) == 1:
            run, how, changes = gathered.runs[0]
            changed = f': {changes}' if changes else ''
            self._voice.white_bold(f'{name}: {run} {how} in {took}{changed}')
        elif gathered.runs:
            counts = Counter(how for _, how, _ in gathered.runs)
            said = ', '.join(f'{count:,} {how}' for how, count in counts.items())
            self._voice.white_bold(f'{name}: {said} in {took}')
        elif gathered.trials:
            return
        elif outcome.said:
            self._show(name, outcome.said)

    def _show(self, name: str, said: Sequence[str]) -> None:
        """Show what a command had to show of a database."""
        only = said[0] if len(said) == 1 else '\n'
        # GitHub reads an annotation at the beginning of a line alone.
        in_line = '\n' not in only and not only.startswith('::')
        text = f'{name}: {only}' if in_line else '\n'.join([f'{name}:', *said])
        self._voice.results.white(text)

    def _failed(self, name: str, outcome: Outcome) -> None:
        self._failures += 1
        spelling, failure = self._for_one(outcome.database), outcome.gathered.failure
        error = outcome.error
        if failure is not None:
            text = failure_text(failure, spelling)
        elif isinstance(error, MigopyException):
            text = error.spelled(spelling)
        else:
            text = '' if error is None else summary(error)
        if self._failures > IN_FULL:
            first, _, rest = text.partition('\n')
            text = f'{first} …' if rest else first
            if (
                failure is not None
                and failure.is_for_rest
                and not failure.is_unfinished
            ):
                # It may be named nowhere else: what goes on is not the same in all.
                text += f' To go on, type: {spelling.command(failure.asked)}'
        elif outcome.gathered.dump is not None:
            back = Command('dbrestore', outcome.gathered.dump.name)
            typed = spelling.command(back)
            text += f'\nTo go back to the dump from before that:\n  {typed}'
        self._voice.red(f'{name}: {text}')


class Named:
    """A logger that says at once what a migration's loops tell, behind a name.

    Invariant: each message is said in one piece.
    """

    def __init__(self, report: FleetReport, name: str) -> None:
        self._report = report
        self._name = name

    def white(self, message: object) -> None:
        """Say a message."""
        self._report.line('white', f'{self._name}: {message}')

    white_bold = red = green = white


def _databases(titles: Sequence[str]) -> str:
    names = some_of([shown(title) for title in titles])
    return f'{len(titles):,} databases: {names}' if len(titles) > 1 else names
