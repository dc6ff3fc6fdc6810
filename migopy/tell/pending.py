"""What is pending, and what to type to run it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from migopy.commands import Command, Part, Spelling, Where, spelled
from migopy.errors import MOST, enumerated
from migopy.files import AFTER, BACKGROUND, BEFORE, Migration
from migopy.run import PENDING, Entry, Plan, still_there
from migopy.tell.voice import Voice
from migopy.terminal import texts_of


def tell_pending(
    voice: Voice, spelling: Spelling, plan: Plan, pending: Sequence[str]
) -> None:
    """Show 1.0's list of what has not run, with phases other than the usual one.

    What to type is said only if nothing is in the way.
    """
    files = {each.name: each for each in plan.unregistered if each.name in plan.said}
    phases = {name: plan.phase_of(file) for name, file in files.items()}
    waits = {name: plan.waits_for(file) for name, file in files.items()}
    lines = {
        name: _with_remarks(plan, name, phases.get(name, BEFORE), waits.get(name))
        for name in pending
    }
    new = [name for name in pending if name not in plan.again]
    again = [name for name in pending if name in plan.again]
    for title, names in (
        ('Unregistered migrations:', new),
        ('Changed, to run again:', again),
    ):
        if names:
            voice.white_bold(title)
        for name in names:
            voice.red(lines[name])
    tell_wrong(voice, spelling, plan)
    if said := ways_to_run(phases_to_run(plan, pending), phases_waiting(plan, pending)):
        voice.white(spelled(said, spelling))


def tell_wrong(voice: Voice, spelling: Spelling, plan: Plan) -> None:
    """Say what is wrong with files, and how to finish a squash that was interrupted."""
    for name, why in plan.wrong:
        voice.white(f'{name}: {why}')
    for name, _ in still_there(plan.replaces, plan.migrations):
        said = f'To move what {name} replaces: ', Command('squash', to=name)
        voice.white(spelled(said, spelling))


def how_to_begin(plan: Plan, pending: Sequence[str]) -> list[Part]:
    """Say which command is to be typed first, nothing where none can be now.

    No single command runs those of several phases.
    """
    phases, waiting = phases_to_run(plan, pending), phases_waiting(plan, pending)
    if phases <= waiting:
        return []
    said = ways_to_run(phases, waiting)
    first = next(part for part in said if isinstance(part, Command))
    begin = ', begin with' if len(phases) > 1 else ''
    return [f'. To execute those pending{begin}: ', first]


def phases_waiting(plan: Plan, pending: Sequence[str]) -> frozenset[str]:
    """Give the phases in which something needs what is still in the background.

    What is in the background itself comes behind it in any case.
    """
    return frozenset(
        plan.phase_of(file)
        for file in plan.unregistered
        if file.name in plan.said and file.name in pending
        for needed in plan.waits_for(file)
        if plan.phase_of(needed) == BACKGROUND
    ) - {BACKGROUND}


def phases_to_run(plan: Plan, pending: Sequence[str]) -> frozenset[str]:
    """Give the phases of what can be run now; none if something is in the way."""
    running = [run.name for run in plan.at_work]
    stopped = plan.in_the_way or plan.renamed or plan.wrong
    if stopped or len(plan.open_runs.running) > len(running):
        return frozenset()
    files = {each.name: each for each in plan.unregistered if each.name in plan.said}
    return frozenset(
        plan.phase_of(files[name]) if name in files else BEFORE
        for name in pending
        if name not in running
    )


def ways_to_run(found: Collection[str], waiting: Collection[str] = ()) -> list[Part]:
    """Say what to type for what is pending in each phase, a line each, in their order.

    In the phases that are `waiting` something needs a migration that is still in the
    background, and would be refused before that has ended.
    """
    # Whoever has phases must not be told a command that runs all of them at once.
    in_phase = BEFORE if AFTER in found else None
    begin = 'To execute them' if in_phase is None else 'Before the new code'
    ways = {
        BEFORE: (begin, Command('execute', phase=in_phase)),
        AFTER: ('When no old code runs any more', Command('execute', phase=AFTER)),
        BACKGROUND: ('In the background', Command('work')),
    }
    order = [each for each in (BEFORE, AFTER) if each not in waiting]
    order += [BACKGROUND, *(each for each in (BEFORE, AFTER) if each in waiting)]
    what = 'that' if BACKGROUND in found else 'what is in the background'
    said: list[Part] = []
    for each in order:
        if each in found:
            when, command = ways[each]
            if each in waiting:
                when = f'When {what} has ended, {when[0].lower()}{when[1:]}'
            said += ['\n' if said else '', f'{when}: ', command]
    return said


def elsewhere_of(plan: Plan) -> str:
    """Say why migrations for other environments do not run here."""
    if plan.environment:
        return f'Not for {plan.environment}'
    return 'For some environments alone, and none is named here'


def tell_changed(voice: Voice, spelling: Spelling, plan: Plan) -> None:
    """Say what to do about what has changed: mark it alone, or run what it says now.

    There is nothing to roll back of one that did nothing when it ran: its `down` would
    undo what others have done.
    """
    first = plan.changed[0]
    which = 'it' if len(plan.changed) == 1 else first
    undone = 'roll it back first: ', Command('rollback', first)
    if first in plan.one_way:
        undone = (
            'write a down() in it that undoes what has run (it has none), then: ',
            Command('rollback', first),
        )
    if first in plan.in_vain:
        undone = 'first (its run changed nothing): ', Command('forget', first)
    for said in (
        (f'To take {which} as it is now, and run nothing: ', Command('accept', first)),
        (f'To run what it says now, {undone[0]}', undone[1]),
        ('  and then: ', Command('execute', first)),
    ):
        voice.white(spelled(said, spelling))


def tell_elsewhere(voice: Voice, spelling: Spelling, plan: Plan) -> None:
    """Show what is for other environments, and what to set if this is one of them.

    Show also what has run from another folder instead of files in this one.
    """
    _tell_squashed(voice, plan)
    if not plan.elsewhere:
        return
    voice.white(f'{elsewhere_of(plan)}:')
    for name, places in list(plan.elsewhere.items())[:MOST]:
        voice.white(f'  {name} ({", ".join(places)})')
    if len(plan.elsewhere) > MOST:
        voice.white(f'  and {len(plan.elsewhere) - MOST:,} more')
    if not plan.environment:
        said = (
            'If this is one of those, set MIGOPY_ENVIRONMENT in the environment, or'
            ' ENVIRONMENT ',
            Where(),
            ', to its name.',
        )
        voice.white(spelled(said, spelling))


def _tell_squashed(voice: Voice, plan: Plan) -> None:
    for name, olds in plan.elsewhere_squashed.items():
        there = [old for old in olds if plan.file_of(old)]
        voice.white(
            f'{name}, which has no file in this folder, has run here in place of'
            f' {enumerated(there or olds)}'
        )


def state_of(entry: Entry) -> str:
    """Give the state of a migration in the list of all, and what else is to be said."""
    places = ', '.join(entry.environments)
    state = f'{entry.state} ({places})' if places else entry.state
    return ', '.join([state, *entry.also])


def tell_listed(voice: Voice, lines: Iterator[str], entries: Sequence[Entry]) -> None:
    """Show a table of all, the pending ones in red, and what each replaces."""
    voice.white(next(lines))
    both = zip(lines, entries)
    for is_pending, group in groupby(both, lambda one: one[1].state == PENDING):
        say = voice.red if is_pending else voice.white
        for text in texts_of(row for row, _ in group):
            say(text)
    for line in _replaced_in(entries):
        voice.white(line)


def _replaced_in(entries: Sequence[Entry]) -> Iterator[str]:
    olds: dict[str, list[str]] = {}
    for each in entries:
        if each.replaced_by:
            olds.setdefault(each.replaced_by, []).append(each.name)
    for name, names in olds.items():
        yield f'Replaced by {name}: {enumerated(names)}'


def _with_remarks(
    plan: Plan, name: str, phase: str, needed: Sequence[Migration] | None
) -> str:
    remarks = [] if phase == BEFORE else [phase]
    if needed:
        remarks.append(f'needs {enumerated([each.name for each in needed])}')
    if name in plan.repeats and name not in plan.again:
        remarks.append('repeat')
    return f'{name} ({", ".join(remarks)})' if remarks else name
