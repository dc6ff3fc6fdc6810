"""A command for many databases, several at a time: carried out, told, counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial

from pymongo.errors import PyMongoError

from migopy.commands import Command, Spelling
from migopy.errors import MigopyException
from migopy.face import Agreed
from migopy.machine import LACKING, exhausted_by
from migopy.many.agreeing import about_now
from migopy.many.databases import Database, shown
from migopy.many.errors import Failed
from migopy.many.first_contact import are_apart, greet
from migopy.many.gathered import Gathered
from migopy.many.in_json import answer_result, answer_standings, tell_outcome
from migopy.many.members import Member, Members
from migopy.many.one_database import MARKED, call_for_one, marking, would_mark
from migopy.many.outcomes import (
    OF_LOST,
    QUIET,
    TOLD_ONCE,
    Outcome,
    Turn,
    is_idle,
    is_of_all,
)
from migopy.many.result import Counts, Tally
from migopy.many.selecting import Selection
from migopy.many.status import failed_last, next_steps, standing_of
from migopy.many.telling import FleetReport, Named
from migopy.many.workers import Workers, in_order
from migopy.operations import DoesNotFit
from migopy.state import Locked
from migopy.tell import KeptLines, Voice, gather_answers
from migopy.terminal import meter, spoken_by, told_by, unheard, whole_lines

#: What is done for one database.
Deed = Callable[[Member, Outcome, Turn], Outcome]


class Fleet:
    """A command that is carried out for many databases.

    Invariant: each database has an outcome of its own; a failure in one is none in
    another.
    """

    def __init__(
        self,
        members: Members,
        voice: Voice,
        spelling: Spelling,
        command: str,
        values: Sequence[str],
        selection: Selection,
    ) -> None:
        """Take the databases' members, who tells, and what was typed."""
        self._members = members
        self._voice = voice
        self._command = command
        self._spelling = spelling
        self._values = values
        self._selection = selection
        is_list = command == 'dbrestore' and not values
        #: Whether it only shows something of each database.
        self._only_shows = is_list or command in ('history', 'list')
        self._report = FleetReport(voice, spelling, self._for_one)

    def _for_one(self, database: Database) -> Spelling:
        """Give how commands are spelled that are for one database alone."""
        return database.spelling(self._spelling)

    def those_that_failed(self, databases: Sequence[Database]) -> list[Database]:
        """Select those whose last run failed or is unfinished, by their histories."""
        failed = {
            outcome.database.title: outcome
            for outcome in self._outcomes(databases, self._look_back)
            if not outcome.is_idle
        }
        for outcome in failed.values():
            if outcome.is_of_all and outcome.error is not None:
                raise outcome.error
            if outcome.is_failure:
                self._report.done(outcome)
        return [each for each in databases if each.title in failed]

    def show(self, databases: Sequence[Database]) -> None:
        """Show where all stand; raises `Failed`, an error of all, `DoesNotFit`."""
        looks = self._outcomes(databases, self._look)
        outcomes = list(in_order(databases, looks))
        standings = [
            (each.database.title, each.standing) for each in outcomes if each.standing
        ]
        fatal = next((each.error for each in outcomes if each.is_of_all), None)
        if fatal is not None:
            raise fatal
        failed = [each for each in outcomes if each.is_failure]
        gone = [each for each in outcomes if each.is_gone]
        for each in [*gone, *failed]:
            self._report.done(each)
        self._report.status(standings, next_steps(standings, self._selection))
        answer_standings(standings)
        if failed:
            titles = [each.database.title for each in failed]
            again = self._selection.narrow(Command())
            raise Failed(titles, len(databases), ['To look again, type: ', again])
        if self._command == 'check' and any(
            each.pending or each.does_not_fit for _, each in standings
        ):
            raise DoesNotFit('Some migrations need attention, see above.')

    def looks(self, databases: Sequence[Database], deed: Deed) -> list[Outcome]:
        """Look at something in each database; give the outcomes in their order.

        Nothing is told of it. Raises an error that all databases would meet.
        """
        given = self._outcomes(databases, deed, has_bar=False)
        with closing(given) as outcomes:
            looks = list(in_order(databases, outcomes))
        fatal = next((each.error for each in looks if each.is_of_all), None)
        if fatal is not None:
            raise fatal
        return looks

    def tell(self, outcome: Outcome) -> None:
        """Say how it has ended for one database."""
        self._report.done(outcome)

    def carry_out(
        self, databases: Sequence[Database], agreed: Mapping[str, Agreed]
    ) -> Tally:
        """Carry the command out for databases, and tell of each; give what came of it.

        `agreed` is what a person was asked about, by their titles. Raises an error that
        all databases would meet, once those under way have ended.
        """
        began = time.monotonic()
        counts = Counts(len(databases))
        try:
            given = self._outcomes(databases, partial(self._do, agreed))
            with closing(given) as ended:
                for outcome in (
                    in_order(databases, ended) if self._only_shows else ended
                ):
                    counts.take(outcome)
                    if not outcome.is_of_all:
                        self._report.done(outcome)
                        tell_outcome(outcome, self._for_one(outcome.database))
        finally:
            counts.end()
            self._tell(counts, time.monotonic() - began)
        if isinstance(counts.of_all, MigopyException):
            counts.of_all.change_commands(self._selection.narrow)
        if counts.of_all is not None:
            raise counts.of_all
        return counts.tally([each.title for each in databases])

    def _tell(self, counts: Counts, seconds: float) -> None:
        """Say at the end what was done in all, and once why there was nothing to do."""
        if self._command in TOLD_ONCE and counts.are_idle and len(counts.idle) == 1:
            self._report.line('white', *counts.idle)
        if counts.are_worth_telling and not self._only_shows:
            self._report.ended(counts.words, seconds)

    def _outcomes(
        self, databases: Sequence[Database], deed: Deed, has_bar: bool = True
    ) -> Generator[Outcome, None, None]:
        """Do some work for each database; with `has_bar` show how far that is."""
        selection = self._selection
        greeted = greet(self._members, databases, selection)
        work = partial(self._tried, deed, are_apart(databases))
        count, fail_fast = selection.workers, selection.fail_fast
        workers = Workers(greeted.reached, work, count, fail_fast)
        done = len(greeted.unreached)
        for each in greeted.unreached:
            yield replace(self._empty(each), error=greeted.error)
        with (
            # One at a time may ask a person something, as a debugger does.
            whole_lines() if selection.workers > 1 else nullcontext(),
            told_by(self._voice),
            meter() if has_bar else nullcontext(unheard) as show,
            closing(workers.outcomes()) as outcomes,
        ):
            show('databases', done, len(databases))
            for outcome in outcomes:
                if outcome is not None:
                    done += 1
                    yield outcome
                show('databases', done, len(databases))

    # What is done for one database, in a thread of its own.

    def _do(
        self,
        agreed: Mapping[str, Agreed],
        member: Member,
        outcome: Outcome,
        earlier: Turn,
    ) -> Outcome:
        """Carry the command out; in the first turn do not wait for a lock."""
        if outcome.database.found and not member.site.db.list_collection_names():
            return replace(outcome, is_gone=True)
        known = earlier.agreed if earlier else agreed.get(outcome.database.title)
        if earlier is None:
            member.manager.LOCK_WAIT = 0
        typed = self._command, self._values, self._selection.options
        names = would_mark(member, *typed)
        if names is not None:
            outcome.gathered.notes.white(marking(names))
            outcome.gathered.trials += [(name, MARKED) for name in names]
            return outcome
        try:
            result = call_for_one(member, *typed, known)
        except Locked as error:
            if earlier:
                raise
            # In its second turn it is about nothing else.
            known = known or about_now(member, *typed)
            return replace(outcome, error=error, agreed=known)
        answer_result(result)
        did = outcome.gathered.runs or outcome.gathered.trials
        return replace(outcome, is_idle=self._command in QUIET and not did)

    def _look(self, member: Member, outcome: Outcome, earlier: Turn) -> Outcome:
        """Read where a database stands."""
        plan = member.site.survey()
        found = outcome.database.found and not plan.records
        if found and not member.site.db.list_collection_names():
            return replace(outcome, is_gone=True)
        phase = self._selection.options.get('phase')
        parses = self._command == 'check'
        standing = standing_of(member.manager, member.site, plan, phase, parses)
        return replace(outcome, standing=standing)

    def _look_back(self, member: Member, outcome: Outcome, earlier: Turn) -> Outcome:
        """Read whether the last run of a database failed, or one is unfinished."""
        return replace(outcome, is_idle=not failed_last(member.site))

    def _empty(self, database: Database) -> Outcome:
        """Give the outcome of a database to which nothing has been done so far."""
        speaker = Named(self._report, shown(database.title))
        gathered = Gathered(speaker, database.name, self._for_one(database))
        return Outcome(database, gathered)

    def _tried(
        self, deed: Deed, are_apart: bool, database: Database, earlier: Turn
    ) -> Outcome:
        """Do something for a database, and give how that ended, whatever happens.

        `are_apart` is whether some may be on other servers.
        """
        outcome = self._empty(database)
        unreached = self._members.error_of(database)
        if unreached is not None:
            return replace(outcome, error=unreached)
        answers = gather_answers()
        began = time.monotonic()
        lines = KeptLines()
        gathered = outcome.gathered
        try:
            member = self._members.member(database, lines, gathered)
            if earlier is not None and isinstance(earlier.error, Locked):
                member.site.lock.awaited.add(earlier.error.holder.owner)
            try:
                with told_by(gathered.speaker), spoken_by(shown(database.title)):
                    outcome = deed(member, outcome, earlier)
            except PyMongoError as error:
                if gathered.has_told(error):
                    raise
                raise member.site.explained(error) from error
            except LACKING as error:
                exhausted = exhausted_by(error)
                if exhausted is None or gathered.has_told(error):
                    raise
                raise exhausted from error
            finally:
                self._members.done(database)
        # Whatever a migration raises, SystemExit too, is this database's outcome alone.
        except BaseException as error:
            if are_apart and isinstance(error, OF_LOST):
                self._members.unreached(database, error)
            outcome = replace(
                outcome,
                error=error,
                is_idle=is_idle(self._command, error),
                is_of_all=is_of_all(self._command, are_apart, error),
            )
        seconds = time.monotonic() - began
        kept = {} if answers is None else answers.answers
        return replace(outcome, said=lines.said, shown=kept, seconds=seconds)
