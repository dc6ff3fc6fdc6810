"""What happens in a run, as events and data; who is told decides how it is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from migopy.commands import Command, Part
from migopy.errors import MigopyException
from migopy.run.unfinished import ways_on, ways_out

if TYPE_CHECKING:
    from migopy.differences import Comparison
    from migopy.dumps import Dump
    from migopy.effects import Effects, Recording
    from migopy.files import Migration
    from migopy.preflight import Finding
    from migopy.run.plan import Plan
    from migopy.run.step import Step
    from migopy.standin import Foretold
    from migopy.state import Holder, Run


class Aftermath(Enum):
    """What a failed step has left behind."""

    #: It had written nothing.
    NOTHING = 'nothing'
    #: It may be half done, until somebody settles it.
    UNFINISHED = 'unfinished'
    #: Its transaction was aborted.
    ABORTED = 'aborted'
    #: Its transaction was aborted, as it did what no transaction can do.
    REFUSED = 'refused'
    #: Its transaction may have been committed, and registered with it, or not.
    IN_DOUBT = 'in doubt'
    #: It was a dry run, which is always aborted.
    DRY_RUN = 'dry run'
    #: It was to look only, at a migration that is applied.
    LOOKED = 'looked'


#: What a failed step has left behind that has changed nothing.
CLEAN = (Aftermath.NOTHING, Aftermath.ABORTED, Aftermath.REFUSED)


@dataclass(frozen=True)
class Failure:
    """What is known when a migration has failed.

    Invariant: it is data; nothing in it is spelled for a face. `error` is what the
    migration raised, `asked` the command that goes on with all that was asked for.
    `done` ran before it, `not_run` was to run after it. `written` is what it did, as
    far as that is known, and `refusal` why a transaction cannot do it. `earlier` are
    runs from before that had left it unfinished. `function` is which of the file's
    functions failed: that of the direction, `require` or `verify`, or `import` where
    it could not be imported.
    """

    migration: Migration
    direction: str
    error: BaseException
    aftermath: Aftermath
    asked: Command
    done: Sequence[str] = ()
    not_run: Sequence[str] = ()
    written: str = ''
    refusal: str = ''
    earlier: Sequence[Run] = ()
    function: str = ''
    #: Whether the next worker goes on where this one was stopped.
    goes_on: bool = False
    #: Whether its backfill, run again, does not begin with the first document.
    resumes: bool = False
    #: Whether images are to be kept of it, or it is to fail.
    keeps_images: bool = False
    #: Whether `asked` is for less than what was typed, as a part of that has run.
    is_for_rest: bool = False

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.migration.name

    @property
    def is_unfinished(self) -> bool:
        """Tell whether the migration may be half done, by this attempt or earlier."""
        earlier = self.aftermath in CLEAN and bool(self.earlier)
        return earlier or self.aftermath is Aftermath.UNFINISHED

    @property
    def changed_nothing(self) -> bool:
        """Tell whether nothing was changed, by it and by those that ran before it."""
        return self.aftermath in CLEAN and not self.done

    @property
    def ways_out(self) -> list[Part]:
        """List what settles a migration that is unfinished, a line each.

        If it had written nothing, that is what an earlier run has left, perhaps in the
        other direction.
        """
        if self.aftermath in CLEAN and self.earlier:
            return ways_on(self.earlier[-1], self.migration)
        return ways_out(
            self.name, self.direction, self.migration, self.keeps_images, self.resumes
        )

    @property
    def next(self) -> list[Command]:
        """List what can be typed next."""
        if self.goes_on:
            return [Command('work')]
        if self.is_unfinished:
            return [part for part in self.ways_out if isinstance(part, Command)]
        if self.aftermath is Aftermath.IN_DOUBT:
            return [Command()]
        # Typed again as it was, it could only meet the same error again.
        return self.said_next or [self.asked]

    @property
    def said_next(self) -> list[Command]:
        """List what the error itself says to type, if it says so."""
        return self.error.next if isinstance(self.error, MigopyException) else []


def side_by_side(*observers: Any) -> Observer:
    """Give one observer of several, such as text for a person and JSON lines."""
    several: Any = Observers(*observers)
    return several  # type: ignore[no-any-return]


class Observers:
    """Several observers side by side.

    Invariant: each hears every event, in the order in which they were given; the first
    one is the speaker.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    @property
    def speaker(self) -> Any:
        """Give what the first one has for a migration's own loops."""
        return self._observers[0].speaker

    def __getattr__(self, event: str) -> Callable[..., None]:
        def tell(*what: Any, **named: Any) -> None:
            for observer in self._observers:
                getattr(observer, event)(*what, **named)

        return tell


class Observer(Protocol):
    """Who is told of what happens.

    Invariant: an event is told when it has happened, in order, from the thread of the
    run.
    """

    @property
    def speaker(self) -> Any:
        """Give what writes the lines of a migration's own loops, a logger as of 1.0."""

    def waiting(self, holder: Holder) -> None:
        """Hear that the command waits for another one's lock."""

    def planned(self, doing: str, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Hear what is going to run; `doing` is the command's name."""

    def repeated(self, runs: Sequence[Run]) -> None:
        """Hear that this command has been carried out already, for another host."""

    def warned(self, *said: Part) -> None:
        """Hear of something that does not keep the run from going on."""

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a step is about to run, the `place`th of `count`.

        `effects` counts what it does, until `stopped`.
        """

    def repeating(self, step: Step, error: Exception) -> None:
        """Hear that a step's transaction is tried again, and why."""

    def stopped(self, step: Step) -> None:
        """Hear that a step's function is over, however it ended."""

    def finished(self, run: Run, effects: Effects) -> None:
        """Hear that a run has ended well and that the registry says so."""

    def empty(self, name: str) -> None:
        """Hear that the `up` that a migration has run has nothing in it."""

    def marked(self, names: Sequence[str]) -> None:
        """Hear which migrations count as applied now, though they were not run.

        `finished` has told of each before.
        """

    def put_right(self, run: Run, runs_it: str = '') -> None:
        """Hear that the registry was put right, as the run's outcome says.

        `runs_it` is the command that runs the migration the next time, if it is pending
        again.
        """

    def failed(self, failure: Failure) -> None:
        """Hear that a run has failed; the error is raised after this."""

    def nothing_up_to(self, doing: str, name: str) -> None:
        """Hear that all up to a migration is done; `doing` is the command's name."""

    def awaiting(self, name: str, is_running: bool) -> None:
        """Hear which migration is waited for, and whether a worker runs it."""

    def left(self, names: Sequence[str]) -> None:
        """Hear which migrations are left for a worker."""

    def elsewhere(self, names: Sequence[str], here: str) -> None:
        """Hear which migrations are for other environments than this one.

        `here` is what it is called, `''` where it has no name.
        """

    def over(self, error: BaseException | None) -> None:
        """Hear that the command which ran migrations is over, and its lock free.

        `error` is what ended it, if anything did.
        """

    def trying(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a step is about to run in a dry run, as `starting` tells it."""

    def tried(self, step: Step, effects: Effects) -> None:
        """Hear what a step would do, had it not been a dry run."""

    def found(self, step: Step, findings: Sequence[Foretold]) -> None:
        """Hear what was found out about commands that no transaction can do.

        The values of a finding are what people have stored: they are for no log.
        """

    def untold(
        self, step: Step, effects: Effects, reason: str, after: Sequence[str]
    ) -> None:
        """Hear that it is known only up to a point what a step would do.

        `effects` are what it would have done until then. The steps `after` it are tried
        as if it did nothing more.
        """

    def compared(
        self, step: Step, comparisons: Sequence[Comparison], since: str
    ) -> None:
        """Hear which documents a step would change, if that was asked for.

        Documents are what people have stored: they are shown to whoever asked, and not
        logged. `since` names the first step of the dry run if that is another one; then
        the state before that one was compared.
        """

    def foreseen(self, findings: Sequence[Finding], names: Sequence[str]) -> None:
        """Hear what a person should know before steps run, if there is anything.

        `names` are those of all that were looked at. The values of a finding are what
        people have stored: they are for no log.
        """

    def nothing_to_try(self) -> None:
        """Hear that nothing would run."""

    def tried_all(self, imported: Sequence[str]) -> None:
        """Hear that a dry run is over, and that it has changed nothing.

        `imported` are the files that have written while they were imported.
        """

    def verified(self, migration: Migration) -> None:
        """Hear that `verify` of an applied migration found all as it should be."""

    def dumping(self, database: str) -> None:
        """Hear that a database is about to be dumped."""

    def way_back(self, dump: Dump, is_of_earlier: bool = False) -> None:
        """Hear of the dump that was made before a run that has failed.

        `is_of_earlier` is whether it is from before an earlier attempt of it.
        """

    def restoring(self, dump: Dump) -> None:
        """Hear that the database is about to be brought back to a dump."""

    def restored(self, dump: Dump) -> None:
        """Hear that the database is as a dump had it."""
