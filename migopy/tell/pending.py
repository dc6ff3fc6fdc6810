"""What is pending, and what to type to run it."""

from __future__ import annotations

from collections.abc import Sequence

from migopy.commands import Command, Part, Spelling, spelled
from migopy.files import AFTER, BACKGROUND, BEFORE
from migopy.run import Plan
from migopy.tell.voice import Voice


def tell_pending(
    voice: Voice, spelling: Spelling, plan: Plan, pending: Sequence[str]
) -> None:
    """Show 1.0's list of what has not run, with its phase where it is not the usual.

    What to type is said only where nothing stands in the way.
    """
    phases = {each.name: plan.phase_of(each) for each in plan.unregistered}
    voice.white_bold('Unregistered migrations:')
    for name in pending:
        phase = phases.get(name, BEFORE)
        voice.red(name if phase == BEFORE else f'{name} ({phase})')
    for name, why in plan.wrong:
        voice.white(f'{name}: {why}')
    running = [run.name for run in plan.at_work]
    stopped = plan.in_the_way or plan.renamed or plan.wrong
    if stopped or len(plan.open_runs.running) > len(running):
        return
    found = {phases.get(name, BEFORE) for name in pending if name not in running}
    said: list[Part] = []
    if found & {BEFORE, AFTER}:
        said += ['To execute them: ', Command('execute')]
    if found >= {BEFORE, AFTER}:
        said += ['\nOnly what is to run before the new code: ']
        said += [Command('execute', phase=BEFORE)]
    if BACKGROUND in found:
        said += ['\n' if said else '', 'In the background: ', Command('work')]
    if said:
        voice.white(spelled(said, spelling))
