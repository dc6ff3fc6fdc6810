"""A dry run: steps run for real, in one transaction that is then aborted."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.client_session import ClientSession

from migopy.commands import Command
from migopy.effects import Recording
from migopy.errors import MigopyException, enumerated
from migopy.run.observer import Aftermath, Failure, Observer
from migopy.run.performing import Rooms
from migopy.run.returned import require_done
from migopy.run.step import Step
from migopy.run.transaction import aborted, require_inside, why_refused
from migopy.terminal.progress import told_by
from migopy.traces import excerpt


class CannotTry(MigopyException):
    """A migration that a dry run cannot show; `name` is its name."""

    def __init__(
        self, step: Step, reason: str, not_shown: Sequence[str], asked: Command
    ) -> None:
        self.name = step.name
        self.not_shown = not_shown
        lines = [f'{step.name} cannot be tried in a transaction: {reason}']
        if not_shown:
            lines.append(f'Those after it cannot be shown: {enumerated(not_shown)}')
        lines.append('The dry run has changed nothing. Without it: ')
        super().__init__('\n'.join(lines), asked)


def try_out(
    rooms: Rooms, observer: Observer, steps: Sequence[Step], asked: Command
) -> None:
    """Run steps in one transaction that is then aborted, so nothing is changed.

    `asked` is the command that would run them. Nothing is marked or registered, and no
    lock is needed. Raises what a migration raised, and `CannotTry` for one that is not
    to run in a transaction.
    """
    names = [step.name for step in steps]
    with aborted(rooms.db.client) as session:
        for place, step in enumerate(steps):
            not_run = names[place + 1 :]
            if step.refuses_transaction:
                reason = 'it says transaction = False'
                raise CannotTry(step, reason, not_run, asked)
            with rooms.listener.recording() as effects:
                observer.trying(step, place + 1, len(steps), effects)
                try:
                    _call(rooms, observer, step, session, effects)
                except Exception as error:
                    if why_refused(error) is not None:
                        where = f'\n{excerpt(error, step.migration.path)}'
                        raise CannotTry(step, where, not_run, asked) from error
                    observer.failed(_failure(step, error, not_run, asked))
                    raise
                finally:
                    observer.stopped(step)
            observer.tried(step, effects)


def _call(
    rooms: Rooms,
    observer: Observer,
    step: Step,
    session: ClientSession,
    effects: Recording,
) -> None:
    with session.bind(end_session=False), told_by(observer.speaker):
        returned = step.call(rooms.db)
    require_done(step, returned, effects.wrote)
    require_inside(effects, rooms.db.name)


def _failure(
    step: Step, error: Exception, not_run: Sequence[str], asked: Command
) -> Failure:
    again = Command(asked.name, *asked.values, **{**asked.options, 'dry_run': 'yes'})
    return Failure(
        migration=step.migration,
        direction=step.direction,
        error=error,
        aftermath=Aftermath.DRY_RUN,
        asked=again,
        not_run=not_run,
    )
