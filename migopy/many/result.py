"""What came of a command in many databases, and the error that it ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from migopy.commands import Command, Part
from migopy.errors import MigopyException
from migopy.many.databases import MOST_NAMED
from migopy.many.errors import CanaryFailed, Failed
from migopy.many.outcomes import (
    DONE,
    NOT_BEGUN,
    NOTHING,
    WORDS,
    Outcome,
    is_in_history,
    word,
)
from migopy.many.patterns import FAILED_ONES, typed_only
from migopy.many.selecting import Selection
from migopy.run import Before, DependencyRefused, Renamed, Unfinished, by_migration


class Failing(NamedTuple):
    """A database where a command failed.

    `in_history` is whether the database's own history tells of it. `ways` are the ways
    to settle what was left unfinished, empty if nothing was or if they stand in the
    error alone. `is_for_good` is whether the same command would be refused there again,
    `first` the commands that have to come before it. `rest` is the command that goes on
    there, where the same one would be about others: a part of what was typed has run.
    `settles_otherwise` is whether other commands are named there than the same one.
    """

    title: str
    in_history: bool
    ways: Sequence[Part]
    is_for_good: bool
    is_unfinished: bool
    first: Sequence[Command]
    rest: Command | None = None
    settles_otherwise: bool = False

    @classmethod
    def of(cls, outcome: Outcome) -> Failing:
        """Take from an outcome what is told of it at the end."""
        error, ways, failure = outcome.error, _ways(outcome), outcome.gathered.failure
        is_for_good = isinstance(error, MigopyException) and error.is_for_good
        title, in_history = outcome.database.title, is_in_history(outcome)
        is_unfinished = bool(ways) or isinstance(error, Unfinished)
        first = _first(error)
        rest = failure.asked if failure is not None and failure.is_for_rest else None
        others = any('last' not in each.options for each in _named(outcome))
        return cls(
            title, in_history, ways, is_for_good, is_unfinished, first, rest, others
        )

    def goes_on(self, selection: Selection) -> bool:
        """Tell whether what was typed, or the rest of that, is to be typed again there.

        A number of migrations would be of others once something else has settled it.
        """
        counts = 'last' in selection.options
        return not self.is_for_good and not (counts and self.settles_otherwise)


class Tally(NamedTuple):
    """What came of a command in many databases.

    `gone` are the titles of those that do not exist any more. `refused` is why nothing
    was done, if nothing was done in any. `is_whole` is whether all have had their turn.
    """

    failed: Sequence[Failing]
    gone: Sequence[str]
    refused: BaseException | None
    is_whole: bool


@dataclass
class Counts:
    """What has come so far of a command in `of` databases.

    Invariant: `words` counts the outcomes by what they are in a word, in the order of
    `WORDS`. `of_all` is an error that every database would meet, `refused` the last one
    of any other. `idle` is what was said of databases with nothing to do.
    """

    of: int
    words: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(WORDS, 0))
    )
    failed: list[Failing] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    idle: set[str] = field(default_factory=set)
    of_all: BaseException | None = None
    refused: BaseException | None = None

    def take(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.words[word(outcome)] += 1
        if outcome.is_of_all:
            self.of_all = outcome.error
            return
        if outcome.is_failure:
            self.failed.append(Failing.of(outcome))
        if outcome.is_gone:
            self.gone.append(outcome.database.title)
        if outcome.is_idle:
            self.idle.add('\n'.join(outcome.said))
        self.refused = outcome.error or self.refused

    def end(self) -> None:
        """Count the databases that have not had their turn by now."""
        self.words[NOT_BEGUN] = self.of - sum(self.words.values())

    @property
    def are_idle(self) -> bool:
        """Tell whether there was nothing to do in any of the databases."""
        return self.words[NOTHING] == self.of

    @property
    def are_worth_telling(self) -> bool:
        """Tell whether there is more to say than what `of_all` says itself."""
        did = self.of_all is None or bool(self.words[DONE] or self.words[NOTHING])
        return did and self.words[NOT_BEGUN] < self.of

    def tally(self, titles: Sequence[str]) -> Tally:
        """Give what came of the command, once `end` was called.

        `titles` are those of all databases, in the order in which they are told.
        """
        why = self.refused if self.are_idle else None
        place = {title: number for number, title in enumerate(titles)}
        failed = sorted(self.failed, key=lambda each: place[each.title])
        gone = sorted(self.gone, key=place.__getitem__)
        return Tally(failed, gone, why, not self.words[NOT_BEGUN])


def settle(tally: Tally, count: int, typed: Command, selection: Selection) -> None:
    """Raise `Failed`, or the error that says why nothing was done in any of `count`."""
    if isinstance(tally.refused, MigopyException):
        tally.refused.change_commands(selection.narrow)
    if tally.refused is not None:
        raise tally.refused
    if tally.failed:
        titles = [each.title for each in tally.failed]
        raise Failed(titles, count, _next(tally, count, typed, selection))


def require_well(
    tally: Tally, not_begun: int, typed: Command, selection: Selection
) -> None:
    """Raise `CanaryFailed` unless all is well in the databases that come first."""
    titles = [*(each.title for each in tally.failed), *tally.gone]
    if titles:
        again = Command(typed.name, *typed.values, **selection.typed)
        if any(each.rest or not each.goes_on(selection) for each in tally.failed):
            raise CanaryFailed(titles, not_begun)
        raise CanaryFailed(titles, not_begun, again)


def _first(error: BaseException | None) -> list[Command]:
    """List the commands that have to come before the same one again."""
    if isinstance(error, Renamed):
        return [each for each in error.next if each.name == 'rename']
    if isinstance(error, DependencyRefused):
        return [each for each in error.next if each.name == 'work']
    return error.next[:1] if isinstance(error, Before) else []


def _named(outcome: Outcome) -> Sequence[Command]:
    """List the commands that a failure names."""
    if outcome.gathered.failure is not None:
        return outcome.gathered.failure.next
    return outcome.error.next if isinstance(outcome.error, MigopyException) else []


def _ways(outcome: Outcome) -> list[Part]:
    failure, error = outcome.gathered.failure, outcome.error
    if failure is not None:
        if not failure.is_unfinished or failure.goes_on:
            return []
        return failure.ways_out
    if not isinstance(error, Unfinished) or len(by_migration(error.runs)) != 1:
        return []
    said: list[Part] = []
    # Each has a dump of its own.
    for part in error.parts[: len(error.parts) - len(error.back)]:
        if isinstance(part, Command):
            said += [part] if said else ['  ', part]
        elif said:
            said.append(str(part))
    return said


def _next(tally: Tally, count: int, typed: Command, selection: Selection) -> list[Part]:
    """Say what to type for exactly those that failed, if that can be typed."""
    others = [
        each for each in tally.failed if each.is_unfinished or each.goes_on(selection)
    ]
    if not others:
        return []
    them = 'all of them' if len(others) == len(tally.failed) else 'the unfinished ones'
    tally = tally._replace(failed=others)
    only = _only(tally, selection)
    ways = tally.failed[0].ways
    # The same command again would only say that they are unfinished.
    if only and ways and all(each.ways == ways for each in tally.failed):
        said = [
            part.having(only=only) if isinstance(part, Command) else part
            for part in ways
        ]
        if only != FAILED_ONES:
            of_all = f'For {them}, type' if len(tally.failed) > 1 else 'Type'
            return [f'{of_all} one of:\n', *said]
        # By then `failed` may be other databases; to run `up` again hurts none of them.
        first = next(each for each in said if isinstance(each, Command))
        if first.name == 'execute':
            return [f'To run it again in {them}, type: ', first]
    again = _again(tally, typed, selection, only)
    if any(each.is_unfinished for each in tally.failed):
        settle = (
            'First settle what is unfinished: the lines that do so stand above, too.'
        )
        if again is None or not all(each.goes_on(selection) for each in others):
            return [settle]
        return [f'{settle} Then type: ', again]
    if again is None:
        return ['To go on, type for each the command that stands above.']
    waiting = [each for each in tally.failed if each.first]
    if waiting and all(each.first == waiting[0].first for each in waiting):
        there = [each.title for each in waiting]
        said = []
        for each in waiting[0].first:
            before = selection.for_those(each, there, count)
            said += [before, '\n'] if before else []
        if said:
            return ['First type: ', *said, 'Then type: ', again]
    return ['To go on, type: ', again]


def _again(
    tally: Tally, typed: Command, selection: Selection, only: str | None
) -> Command | None:
    """Give the command that goes on in those that failed; `None` if there is no one."""
    rest = tally.failed[0].rest
    if any(each.rest != rest for each in tally.failed):
        return None
    if rest is None:
        options = selection.typed if only is None else {**selection.kept, 'only': only}
        return Command(typed.name, *typed.values, **options)
    if only is None:
        return None
    own = selection.options
    kept = {name: text for name, text in selection.kept.items() if name not in own}
    return rest.having(**kept, only=only)


def _only(tally: Tally, selection: Selection) -> str | None:
    titles = [each.title for each in tally.failed]
    are_told = all(each.in_history for each in tally.failed)
    are_unfinished = all(each.ways for each in tally.failed)
    # What is left to do in these need not be what is in others.
    are_alike = all(each.rest is None for each in tally.failed)
    is_failed = are_told and selection.wanted.is_all and are_alike
    if is_failed and not are_unfinished:
        return FAILED_ONES
    if len(titles) <= MOST_NAMED:
        return ' '.join(map(typed_only, titles))
    return FAILED_ONES if is_failed and tally.is_whole else None
