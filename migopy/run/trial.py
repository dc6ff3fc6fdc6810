"""A dry run: steps run for real, in one transaction that is then aborted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from migopy.commands import Command
from migopy.differences import States, look, state_before
from migopy.effects import Evidence, Recording
from migopy.errand import ERRAND
from migopy.errors import MigopyException, enumerated
from migopy.run.compared import Comparer
from migopy.run.observer import Aftermath, Failure, Observer
from migopy.run.performing import Rooms
from migopy.run.plan import Plan
from migopy.run.returned import require_done
from migopy.run.step import Step
from migopy.run.transaction import aborted, kept_inside, why_refused
from migopy.run.unfinished import ways_out
from migopy.state import FAILED, Agent, Run
from migopy.terminal import told_by
from migopy.traces import excerpt


class CannotTry(MigopyException):
    """A migration that a dry run cannot show; `name` is its name."""

    def __init__(
        self, step: Step, reason: str, not_shown: Sequence[str], asked: Command
    ) -> None:
        self.name = step.name
        self.not_shown = not_shown
        lines = [f'{step.name} cannot be tried in a transaction:{reason}']
        if not_shown:
            lines.append(f'Those after it cannot be shown: {enumerated(not_shown)}')
        if step.in_transaction:
            lines.append(
                'The dry run has changed nothing. Executed, it would fail in the same'
                f' way. Correct it, or have `transaction = False` at the top of'
                f' {step.name} (instead of True, if that stands there). Then type: '
            )
        else:
            lines.append('The dry run has changed nothing. Without it: ')
        super().__init__('\n'.join(lines), asked)


class TrialWrote(MigopyException):
    """A dry run has written what cannot be taken back; `name` is the migration's.

    `written` says what, as far as that is known.
    """

    def __init__(self, step: Step, written: str, is_kept: bool) -> None:
        self.name = step.name
        self.written = written
        kept = 'so it is unfinished' if is_kept else 'and the history cannot be told so'
        super().__init__(
            f'The dry run of {step.name} has written past its transaction, or may have:'
            f' {written}. That cannot be taken back, {kept}. Type one of:\n',
            *ways_out(step.name, step.direction, step.migration),
        )


def try_out(
    rooms: Rooms,
    plan: Plan,
    observer: Observer,
    steps: Sequence[Step],
    asked: Command,
    show: int | None = None,
) -> None:
    """Run steps in one transaction that is then aborted, so nothing is changed.

    `asked` is the command that would run them, `show` how many documents of each
    collection are to be compared with what they were, `None` for none at all.
    Nothing is marked or registered, and no lock is needed. Raises what a migration
    raised, `CannotTry` for one that is not to run in a transaction, and `TrialWrote`
    for one that wrote past it.
    """
    names = [step.name for step in steps]
    again = _with(asked, dry_run='yes') if show is None else _with(asked, show=show)
    client, database = rooms.db.client, rooms.db.name
    with ExitStack() as opened:
        comparer = None
        if show is not None:
            # At one moment, or as near as can be: nothing is done between the two.
            before = opened.enter_context(state_before(client, database))
            session = opened.enter_context(aborted(client))
            look(session, client, database)
            comparer = Comparer(States(client, before, session), show, database)
        else:
            session = opened.enter_context(aborted(client))
        for place, step in enumerate(steps):
            not_run = names[place + 1 :]
            if step.refuses_transaction:
                reason = ' it says transaction = False'
                raise CannotTry(step, reason, not_run, asked)
            evidence = None if comparer is None else Evidence()
            with rooms.listener.recording(database, evidence) as effects:
                observer.trying(step, place + 1, len(steps), effects)
                try:
                    _call(rooms, observer, step, session, effects)
                except Exception as error:
                    _require_nothing_past(rooms, plan, step, effects, error)
                    if why_refused(error) is not None:
                        where = f'\n{excerpt(error, step.migration.path)}'
                        raise CannotTry(step, where, not_run, asked) from error
                    observer.failed(_failure(step, error, not_run, again))
                    raise
                except BaseException as error:
                    _require_nothing_past(rooms, plan, step, effects, error)
                    observer.failed(_failure(step, error, not_run, again))
                    raise
                finally:
                    observer.stopped(step)
                _require_nothing_past(rooms, plan, step, effects, None)
            observer.tried(step, effects)
            if comparer is not None and evidence is not None:
                since = names[0] if place else ''
                with rooms.listener.own_work():
                    comparisons = comparer.compare(effects, evidence)
                observer.compared(step, comparisons, since)


def _with(asked: Command, **options: object) -> Command:
    return Command(asked.name, *asked.values, **{**asked.options, **options})


def _call(
    rooms: Rooms,
    observer: Observer,
    step: Step,
    session: ClientSession,
    effects: Recording,
) -> None:
    inside = kept_inside(session, effects, rooms.db.name)
    with inside, session.bind(end_session=False), told_by(observer.speaker):
        returned = step.call(rooms.db)
    require_done(step, returned, effects.wrote)


def _require_nothing_past(
    rooms: Rooms,
    plan: Plan,
    step: Step,
    effects: Recording,
    cause: BaseException | None,
) -> None:
    """Make sure that a step has written nothing that lasts; raises `TrialWrote`.

    What it wrote is kept in the history, which the next status tells of. A child
    process is not heard, so it counts as having written.
    """
    outside = effects.outside
    children = effects.children.told()
    if not (outside.wrote or children):
        return
    said = [outside.describe(rooms.db.name), *children]
    written = '; '.join(filter(None, said))
    run = Run(
        name=step.name,
        direction=step.direction,
        checksum=step.loaded.checksum,
        owner='',
        agent=Agent.current(),
        version=rooms.version,
        started=rooms.history.now(),
        records=[record.id for record in plan.records_of(step.migration)],
        command=errand.id if (errand := ERRAND.get()) else None,
    )
    run.end(FAILED, run.started, 0, unsettled=True)
    run.error = f'a dry run that has written, or may have: {written}'
    run.effects = outside.as_document()
    is_kept = False
    with suppress(PyMongoError), rooms.listener.own_work():
        rooms.history.add(run)
        is_kept = True
    raise TrialWrote(step, written, is_kept) from cause


def _failure(
    step: Step, error: BaseException, not_run: Sequence[str], again: Command
) -> Failure:
    return Failure(
        migration=step.migration,
        direction=step.direction,
        error=error,
        aftermath=Aftermath.DRY_RUN,
        asked=again,
        not_run=not_run,
    )
