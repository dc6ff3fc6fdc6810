"""What is said of a command that was steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from migopy.commands import Command, Part
from migopy.files import BACKGROUND
from migopy.terminal import how_far

if TYPE_CHECKING:
    from migopy.state import Doing, Run


class Steered(Protocol):
    """What was asked of a migration, and what came of it."""

    @property
    def command(self) -> str:
        """Give what was typed."""

    @property
    def doing(self) -> Doing:
        """Give what it did last."""

    @property
    def is_heard(self) -> bool:
        """Tell whether it has answered in time."""

    @property
    def was_stopped(self) -> bool:
        """Tell whether a `stop` is what has ended it."""

    @property
    def run(self) -> Run | None:
        """Give what the history has of it, if it has ended."""

    @property
    def worker(self) -> bool:
        """Tell whether the worker was meant."""

    @property
    def max_per_second(self) -> float | None:
        """Give the speed that was set."""


def steered_text(steered: Steered) -> list[Part]:
    """Say what came of `pause`, `resume`, `speed` or `stop`, and what to type next."""
    doing: Doing = steered.doing
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
