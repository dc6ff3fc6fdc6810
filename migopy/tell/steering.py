"""What is said of a command that was steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from migopy.commands import Command, Part
from migopy.files import BACKGROUND
from migopy.terminal import how_far

if TYPE_CHECKING:
    from migopy.state import Doing, Run


class Steered(NamedTuple):
    """A request to a running migration, and what came of it.

    `doing` is what it did last; `is_heard` is false if it has not answered in time, or
    has ended for another reason. `run` is the history's entry of a migration that has
    ended since, `was_stopped` whether a `stop` has ended it.
    """

    command: str
    doing: Doing
    is_heard: bool
    run: Run | None = None
    was_stopped: bool = False
    #: Whether the worker was meant, even if there is another command.
    worker: bool = False
    max_per_second: float | None = None


def steered_text(steered: Steered) -> list[Part]:
    """Say what came of `pause`, `resume`, `speed` or `stop`, and what to type next."""
    doing = steered.doing
    if steered.run is not None:
        return _ended(steered.command, steered.run, steered.was_stopped)
    name, command = doing.name, steered.command
    worker = 'yes' if steered.worker else None
    if not steered.is_heard:
        return [
            f'Asked {name} to {command}; it has not answered yet, and does so after its'
            ' batch. See what it does: ',
            Command('watch', worker=worker),
        ]
    where = ''
    if doing.loop is not None:
        title = f'{doing.loop.title}: ' if doing.loop.title else ''
        where = f' at {title}{how_far(doing.loop.done, doing.loop.total, None)}'
    if command == 'pause':
        return [
            f'Paused {name}{where}. To let it go on: ',
            Command('resume', worker=worker),
        ]
    if command == 'resume':
        return [f'{name} goes on{where}']
    if command == 'speed' and steered.max_per_second is not None:
        return [f'{name} writes {steered.max_per_second:,g} a second at most{where}']
    return [f'{name} writes as fast as its pace lets it{where}']


def _ended(command: str, run: Run, was_stopped: bool) -> list[Part]:
    if not was_stopped:
        when = 'before it could stop' if command == 'stop' else 'meanwhile'
        return [f'{run.name} has ended {when}: {run.outcome or "how is not known"}']
    said = f'Stopped {run.name}'
    if command != 'stop':
        said = f'{run.name} was stopped meanwhile'
    if run.unsettled and not run.checkpoints and run.images is None:
        left = 'It is unfinished, and would begin anew'
        return [f'{said}. {left}. To decide what to do: ', Command()]
    left = 'It is unfinished' if run.unsettled else 'It has left nothing half done'
    again = Command('execute' if run.direction == 'up' else 'rollback', run.name)
    if run.direction == 'up' and run.phase == BACKGROUND:
        again = Command('work')
    return [f'{said}. {left}. To go on: ', again]
