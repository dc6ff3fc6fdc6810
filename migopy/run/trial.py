"""A dry run: steps run for real, in a transaction that is then aborted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

from pymongo.client_session import ClientSession

from migopy.backfill import TriedStep, loops_tried
from migopy.commands import Command
from migopy.differences import States, pin_snapshot, state_before
from migopy.effects import Evidence, Recording
from migopy.errors import kept_within
from migopy.pymongo3 import answered_by, commented
from migopy.run.conditions import carry_out, function_of
from migopy.run.observer import Aftermath, Failure, Observer
from migopy.run.own_collections import OwnCollections
from migopy.run.plan import Plan
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.transaction import aborted, kept_inside, why_refused
from migopy.run.trial_comparison import Comparer
from migopy.run.trial_ends import Ended, why_ended
from migopy.run.trial_errors import CannotTry, NotAllShown
from migopy.run.trial_images import TriedPages, refusing
from migopy.run.trial_writes import require_nothing_past
from migopy.signals import require_no_end
from migopy.standin import Answering, StandIn, Told, Unanswerable, World
from migopy.terminal import told_by
from migopy.traces import excerpt

#: Gives who is told of the commands of a step.
Watch = Callable[[Step], Told]


def try_out(
    site: Site,
    plan: Plan,
    observer: Observer,
    steps: Sequence[Step],
    asked: Command,
    show: int | None = None,
    watch: Watch | None = None,
) -> None:
    """Run steps in a transaction that is then aborted, so nothing is changed.

    `asked` is the command that would run them, `show` how many documents of each
    collection are to be compared with what they were, `None` for none at all. `watch`
    gives who is told of the commands of a step. Nothing is marked or registered, and no
    lock is needed.

    What no transaction can do is answered by what stands in for the server, except in a
    step that is to run in a transaction. If the outcome of a step cannot be known, the
    next steps are tried as far as they do not depend on what it has touched.

    Raises what a migration raised, `CannotTry` for one that fails in its transaction,
    `NotAllShown` at the end, and `TrialWrote` for one that wrote past it.
    """
    client, database = site.db.client, site.db.name
    # One that a user of few rights may read as well.
    readable = site.registry.collection.name
    with ExitStack() as opened:
        before = None
        if show is not None:
            before = opened.enter_context(state_before(client, database, readable))
        outside = opened.enter_context(client.start_session())
        trial = Trial(site, plan, observer, steps, asked, show, watch)
        place = 0
        while place < len(steps):
            with aborted(client) as session:
                # At the moment of the state before, or as near as can be.
                pin_snapshot(session, database, readable)
                states = None if before is None else States(client, before, session)
                place = trial.run(place, World(client, session, outside), states)
    if trial.not_shown:
        raise NotAllShown(trial.not_shown, show=show)


class Trial:
    """The steps of a dry run.

    Invariant: for each step the observer hears all that it would do, or where and why
    that ends; then its name is in `not_shown`.
    """

    def __init__(
        self,
        site: Site,
        plan: Plan,
        observer: Observer,
        steps: Sequence[Step],
        asked: Command,
        show: int | None,
        watch: Watch | None,
    ) -> None:
        self._watch = watch
        self._site = site
        self._plan = plan
        self._observer = observer
        self._steps = steps
        self._names = [step.name for step in steps]
        # `show` alone makes it a dry run, but does not read as one.
        self._again = asked.having(dry_run='yes', show=show)
        self._comparer = Comparer(show or 0, site.db.name)
        self.not_shown: list[str] = []
        #: Collections whose content is not known any more, with the reason.
        self._doubtful: dict[str, str] = {}
        #: What the steps have written in the current transaction, and which step.
        self._written: dict[str, str] = {}

    def run(self, place: int, world: World, states: States | None) -> int:
        """Try the steps from a place on, in a new transaction.

        Gives the place from which to go on in another one, or the number of steps.
        """
        self._written = {}
        while place < len(self._steps):
            require_no_end()
            step = self._steps[place]
            evidence = None if states is None else Evidence()
            watcher = None if self._watch is None else self._watch(step)
            pages = refusing(step, self._site, watcher)
            own = OwnCollections(self._site, watcher if pages is None else pages.hear)
            standin = StandIn(world, self._doubtful, step.in_transaction, own.hear)
            listener, database = self._site.listener, self._site.db.name
            with listener.recording(database, evidence, standin) as effects:
                self._observer.trying(step, place + 1, len(self._steps), effects)
                try:
                    ended = self._try(place, world, standin, effects, pages, own)
                finally:
                    self._observer.stopped(step)
            place += 1
            if ended is not None:
                after = self._names[place:]
                self._observer.untold(step, effects, ended.reason, after)
                self._found(step, standin)
                self._doubt(step, standin, ended.is_over)
                if ended.is_over:
                    break
                continue
            self._written.update(dict.fromkeys(world.written, step.name))
            self._observer.tried(step, effects)
            self._found(step, standin)
            if states is not None and evidence is not None:
                self._compare(place - 1, states, effects, evidence)
        return place

    def _try(
        self,
        place: int,
        world: World,
        standin: StandIn,
        effects: Recording,
        pages: TriedPages | None,
        own: OwnCollections,
    ) -> Ended | None:
        """Call a step's function; give why it has ended early, if it has.

        Raises what ends the dry run.
        """
        step, not_run = self._steps[place], self._names[place + 1 :]
        try:
            self._call(step, world.session, standin, effects, pages, own)
            cause: BaseException | None = None
        except BaseException as error:
            cause = error
        require_nothing_past(self._site, self._plan, step, effects, cause)
        if cause is None:
            with self._site.listener.own_work():
                broken = standin.settle()
            return Ended(broken, is_over=False) if broken else None
        ended = why_ended(step, cause, world, standin, effects)
        if ended is not None and not step.in_transaction:
            return ended
        if isinstance(cause, Exception) and why_refused(cause) is not None:
            where = f'\n{excerpt(cause, step.migration.path)}'
            raise CannotTry(step, where, not_run, self._again) from cause
        if isinstance(cause, Unanswerable):
            return Ended(cause.reason, is_over=False)
        self._found(step, standin)
        self._observer.failed(self._failure(step, cause, not_run))
        raise cause

    def _call(
        self,
        step: Step,
        session: ClientSession,
        standin: StandIn,
        effects: Recording,
        pages: TriedPages | None,
        own: OwnCollections,
    ) -> None:
        site = self._site
        answers = Answering(standin, effects, site.listener)
        inside = kept_inside(session, effects, site.db.name)
        loops = loops_tried(TriedStep(effects, step.images is True))
        with (
            step.turn,
            inside,
            nullcontext() if pages is None else pages.in_force(),
            nullcontext() if step.in_transaction else loops,
            session.bind(end_session=False),
            told_by(self._observer.speaker),
            answered_by(None if step.in_transaction else answers),
            commented(f'migopy: dry run of {step.direction} of {step.name}'),
        ):
            carry_out(step, site, site.db, effects, own, session)

    def _found(self, step: Step, standin: StandIn) -> None:
        if standin.findings:
            self._observer.found(step, standin.findings)

    def _doubt(self, step: Step, standin: StandIn, is_over: bool) -> None:
        """Remember the collections whose content is not known any more."""
        self.not_shown.append(step.name)
        for namespace in standin.touched:
            reason = f'what {step.name} leaves there is not known'
            self._doubtful.setdefault(namespace, reason)
        if is_over:
            for namespace, name in self._written.items():
                reason = f'what {name} would have written is not there any more'
                self._doubtful.setdefault(namespace, reason)

    def _compare(
        self, place: int, states: States, effects: Recording, evidence: Evidence
    ) -> None:
        with self._site.listener.own_work():
            comparisons = self._comparer.compare(states, effects, evidence)
        since = self._names[0] if place else ''
        self._observer.compared(self._steps[place], comparisons, since)

    def _failure(
        self, step: Step, error: BaseException, not_run: Sequence[str]
    ) -> Failure:
        return Failure(
            migration=step.migration,
            direction=step.direction,
            error=kept_within(error, self._again),
            aftermath=Aftermath.DRY_RUN,
            asked=self._again,
            not_run=not_run,
            function=function_of(error, step.doing),
        )
