"""What a rehearsal does and finds, told to a person and to a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any

from migopy.commands import Part, Spelling, spelled
from migopy.errors import enumerated
from migopy.rehearsal import HARMLESS, Caution, Deviation, Kind, Rehearsed, Stage
from migopy.tell.failures import respelled
from migopy.tell.heartbeats import Heartbeats
from migopy.tell.json_data import of_effects, of_error
from migopy.tell.json_lines import LINES
from migopy.tell.voice import Voice
from migopy.terminal import duration
from migopy.texts import one_line
from migopy.traces import excerpt

if TYPE_CHECKING:
    from migopy.effects import Effects, Recording
    from migopy.run import Failure, Step

#: How many deviations of one migration are told.
MOST = 20

#: What is said of a collection that differs, by the kind of deviation.
DIFFERS = {
    Kind.MISSING: 'collection {0} is missing',
    Kind.EXTRA: 'collection {0} is new',
    Kind.TYPE: '{0} is now a {1}',
    Kind.OPTION: 'the option {1} of {0} differs',
    Kind.INDEX_MISSING: 'index {0}.{1} is missing',
    Kind.INDEX_EXTRA: 'index {0}.{1} is new',
    Kind.INDEX_CHANGED: 'index {0}.{1} differs',
    Kind.DOCUMENTS: 'documents of {0} differ',
    Kind.NUMBER: '{0} has {1}',
    Kind.EMPTY: 'the empty collection {0} is {1}',
    Kind.IDS: 'documents of {0} have other generated _ids, nothing else',
    Kind.ORDER: 'documents of {0} have their fields in another order, nothing else',
}

#: What is said of things that a rehearsal cannot tell.
CAUTIONS = {
    'other database': 'it wrote to {0}, which was not copied and is not compared',
    'counted': 'the documents of {0} were counted, not compared: they are too many',
    'unheard': '{0}: what that does is neither refused nor compared',
    'unique': 'whether {0} is unique is not known: only a sample was looked at',
}

#: What is to be known before any code runs.
REALLY_RUNS = (
    'The code of migrations really runs: what it does outside of the database'
    ' (mail, files, other services) is done.'
)


class RehearsalTeller:
    """Tells a person of a rehearsal, and a machine that asked for JSON.

    Invariant: documents are shown on the terminal alone, and in no log.
    """

    def __init__(self, voice: Voice, spelling: Spelling, database: str) -> None:
        """Take the voice, how commands are spelled, and the database's name."""
        self._voice = voice
        self._spelling = spelling
        self._database = database
        self._lines = LINES.get()
        self._heartbeats = Heartbeats()

    @property
    def speaker(self) -> Any:
        """Give what writes the lines of a migration's own loops."""
        return self._voice

    def warned(self, *said: Part) -> None:
        """Say a warning; the rehearsal goes on."""
        text = spelled(said, self._spelling)
        self._voice.white(text)
        self._event('warned', message=text)

    def copying(self, names: Sequence[str], origin: str, where: str) -> None:
        """Say what is rehearsed on which copy, and that the code really runs."""
        what = f'{enumerated(names)} ' if names else 'what is pending '
        self._voice.white(f'Rehearsing {what}on a copy of {origin}')
        self._voice.red(REALLY_RUNS)
        self._event('copying', migrations=list(names), source=origin, target=where)

    def begins(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Say what is about to run, and now and then that it still does."""
        self.beginning(step.doing, step.name, place, count)
        self._heartbeats.begin(partial(self._running, step, effects))

    def beginning(self, doing: str, name: str, place: int, count: int) -> None:
        """Say what is about to run."""
        of = f' ({place} of {count})' if count > 1 else ''
        self._voice.white(f'Rehearsing the {doing} of {name}{of}')
        where = {'place': place, 'count': count}
        self._event('rehearsing', name=name, direction=doing, **where)

    def ends(self, step: Step) -> None:
        """Hear that it is over."""
        self._heartbeats.end()

    def rehearsed(self, found: Rehearsed) -> None:
        """Say what came of a migration."""
        self._event('rehearsed', **self._as_document(found))
        stages = found.stages
        self._voice.white_bold(f'{found.name}: {self._stages(stages)}')
        if found.estimate is not None:
            took = duration(found.estimate)
            self._voice.white(f'  on all documents its up may take {took} (estimated)')
        if found.failure is not None:
            self._voice.red(indent(self._failure(found.failure), '  '))
        limits = list(self.limits(found))
        if not found.way_back and found.failure is None:
            self._voice.white(f'  {limits.pop(0)}')
        self._deviations(f'after its {_word(stages, 1)}', found.after_down)
        is_harmless = all(each.kind in HARMLESS for each in found.after_up)
        if found.after_up and found.after_down and not is_harmless:
            self._voice.white('  so its second up gives something else, too')
        else:
            self._deviations('after its second up', found.after_up)
        if not (found.failure or found.after_down or found.after_up):
            if found.way_back:
                self._voice.green(
                    f'  its {found.way_back} brings back all that was,'
                    ' its second up gives the same'
                )
            elif found.repeats:
                self._voice.green('  its second up gives the same')
        for each in limits:
            self._voice.white(f'  {each}')

    def limits(self, found: Rehearsed) -> Iterator[str]:
        """Say which parts of a migration were not rehearsed, or cannot be told."""
        if not found.way_back and found.failure is None:
            what = 'its up was run twice, as it may be at any time'
            if not found.repeats:
                what = 'it has no down, so only its up was rehearsed'
            yield what
        for each in found.cautions:
            yield _caution(each)

    def nothing_to_rehearse(self) -> None:
        """Say that nothing would run."""
        self._voice.green('Nothing to rehearse')

    def over(self, found: Sequence[Rehearsed], not_run: Sequence[str]) -> None:
        """Say that it is over, and which were not rehearsed."""
        if not_run:
            self._voice.white(f'Not rehearsed: {enumerated(not_run)}')
        self._voice.white(f'{self._database} was only read, and the copy is gone')
        self.answer(found, not_run)

    def answer(self, found: Sequence[Rehearsed], not_run: Sequence[str]) -> None:
        """Keep what was found for the last line, if JSON was asked for."""
        if self._lines is not None:
            rehearsed = [self._as_document(each) for each in found]
            self._lines.answer(rehearsed=rehearsed, not_rehearsed=list(not_run))

    def _event(self, event: str, **what: Any) -> None:
        if self._lines is not None:
            self._lines.event(event, **what)

    def _running(self, step: Step, effects: Recording, seconds: float) -> None:
        changes = self._changes(effects.answered)
        passed = duration(round(seconds * 1000))
        self.speaker.white(f'{step.name} running for {passed}: {changes} so far')

    def _stages(self, stages: Sequence[Stage]) -> str:
        said = []
        for place, each in enumerate(stages):
            is_again = place and each.direction == 'up'
            word = f'{_word(stages, place)}{" again" if is_again else ""}'
            if each.failure is not None:
                said.append(f'{word} failed')
            elif place:
                said.append(f'{word} {duration(each.milliseconds)}')
            else:
                changes = self._changes(each.effects)
                said.append(f'{word} {duration(each.milliseconds)} ({changes})')
        return ', '.join(said)

    def _changes(self, effects: Effects) -> str:
        return effects.describe(self._database) or 'nothing changed'

    def _failure(self, failure: Failure) -> str:
        error = excerpt(failure.error, failure.migration.path)
        error = respelled(error, failure.error, self._spelling)
        return f'it failed in its {failure.function or failure.direction}:\n{error}'

    def _deviations(self, when: str, found: Sequence[Deviation]) -> None:
        # Imported late: few commands compare anything.
        from migopy.tell.differences import lines

        if not found:
            return
        is_harmless = all(each.kind in HARMLESS for each in found)
        say = self._voice.white if is_harmless else self._voice.red
        harmless = ', which does no harm' if is_harmless else ''
        say(f'  {when} it is not as it was{harmless}:')
        for each in found[:MOST]:
            does_none = each.kind in HARMLESS and not is_harmless
            say(f'    {_deviation(each)}{" (this does no harm)" if does_none else ""}')
            if each.comparison is not None:
                on_terminal = self._voice.on_terminal
                for line in lines(each.comparison, self._database):
                    getattr(on_terminal, line.method)(f'    {line.text}')
                if each.comparison.is_full:
                    count = each.comparison.wanted
                    on_terminal.white(f'      (no more than {count} are shown)')
        if len(found) > MOST:
            say(f'    and {len(found) - MOST:,} more')

    def _as_document(self, found: Rehearsed) -> dict[str, Any]:
        failure = found.failure
        return {
            'name': found.name,
            'ok': found.is_well,
            'has_down': found.has_down,
            'stages': [self._stage(each) for each in found.stages],
            'error': failure and of_error(failure.error, self._spelling),
            'after_down': [_as_document(each) for each in found.after_down],
            'after_up': [_as_document(each) for each in found.after_up],
            'estimate_ms': found.estimate,
            'cautions': [_caution(each) for each in found.cautions],
        }

    def _stage(self, stage: Stage) -> dict[str, Any]:
        return {
            'direction': stage.direction,
            'ok': stage.failure is None,
            'duration_ms': stage.milliseconds,
            'effects': of_effects(stage.effects, self._database),
        }


def _word(stages: Sequence[Stage], place: int) -> str:
    return stages[place].direction if place < len(stages) else 'down'


def _deviation(deviation: Deviation) -> str:
    collection, name = one_line(deviation.collection), one_line(deviation.name)
    return DIFFERS[deviation.kind].format(collection, name)


def _caution(caution: Caution) -> str:
    return CAUTIONS[caution.what].format(one_line(caution.about))


def _as_document(deviation: Deviation) -> dict[str, Any]:
    return {
        'collection': deviation.collection,
        'kind': deviation.kind.value.replace(' ', '_'),
        'name': deviation.name,
    }
