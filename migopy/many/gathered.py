"""What a command has done to one of many databases, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from migopy.commands import Part, Spelling, spelled
from migopy.run import Failure
from migopy.tell import Narrator, Voice, ended_as

if TYPE_CHECKING:
    from migopy.differences import Comparison
    from migopy.dumps import Dump
    from migopy.effects import Effects, Recording
    from migopy.files import Migration
    from migopy.many.rehearsing import QuietTeller
    from migopy.preflight import Finding
    from migopy.run import Plan, Step
    from migopy.standin import Foretold
    from migopy.state import Holder, Run


class Note(NamedTuple):
    """A message about a dry run, and the method of a logger that says it.

    A note that `is_private` shows documents, so it must be kept in no log.
    """

    method: str
    text: str
    is_private: bool


class Notes(Voice):
    """Keeps what there is to say of a dry run of one database, in order."""

    def __init__(self, said: list[Note] | None = None, is_private: bool = False):
        super().__init__(None)
        self.said: list[Note] = [] if said is None else said
        self._is_private = is_private

    @property
    def on_terminal(self) -> Notes:
        """Give what keeps the messages for a person at a terminal only."""
        return Notes(self.said, is_private=True)

    def white(self, message: object) -> None:
        """Keep a message."""
        self._keep('white', message)

    def white_bold(self, message: object) -> None:
        """Keep a message of weight."""
        self._keep('white_bold', message)

    def red(self, message: object) -> None:
        """Keep what is wrong."""
        self._keep('red', message)

    def green(self, message: object) -> None:
        """Keep that all is well."""
        self._keep('green', message)

    def _keep(self, method: str, message: object) -> None:
        self.said.append(Note(method, str(message), self._is_private))


class Gathered:
    """An observer that says nothing and keeps what there is to say.

    Invariant: it is about one database, and keeps texts and numbers, no documents.
    """

    def __init__(self, speaker: Any, database: str, spelling: Spelling) -> None:
        """Take what writes the lines of a migration's loops, and the database's name.

        The collections of that database are named without it; `spelling` is how
        commands about it are typed.
        """
        #: What a dry run has found out, as a person is told of it.
        self.notes = Notes()
        self._narrator = Narrator(self.notes, spelling, database)
        self._spelling = spelling
        self.speaker = speaker
        self.database = database
        #: What has ended well: the migration, how, and what it changed.
        self.runs: list[tuple[str, str, str]] = []
        #: What a dry run would do: the migration, and what it would change.
        self.trials: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.failure: Failure | None = None
        self.dump: Dump | None = None

    def rehearsal(self) -> QuietTeller:
        """Give who keeps what a rehearsal finds."""
        from migopy.many.rehearsing import QuietTeller

        return QuietTeller(self, self._spelling)

    def has_told(self, error: BaseException) -> bool:
        """Tell whether an error is that of the failure which is kept."""
        return self.failure is not None and self.failure.error is error

    def about(self, title: str) -> None:
        """Hear which database follows."""

    def waiting(self, holder: Holder) -> None:
        """Hear that another command's lock is waited for."""

    def planned(self, doing: str, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Hear what is going to run."""

    def repeated(self, runs: Sequence[Run]) -> None:
        """Hear that the command has been carried out already, for another host."""

    def warned(self, *said: Part) -> None:
        """Keep a warning."""
        self.warnings.append(spelled(said, self._spelling))

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a step is about to run."""

    def trying(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a step is about to run in a dry run."""

    def repeating(self, step: Step, error: Exception) -> None:
        """Hear that a step's transaction is tried again."""

    def stopped(self, step: Step) -> None:
        """Hear that a step's function is over."""

    def finished(self, run: Run, effects: Effects) -> None:
        """Keep how a run has ended."""
        changes = effects.describe(self.database)
        self.runs.append((run.name, ended_as(run), changes))

    def empty(self, name: str) -> None:
        """Keep that an `up` that has run is empty."""
        self.warned(f'The up of {name} is empty, and does not run again')

    def marked(self, names: Sequence[str]) -> None:
        """Hear what was ignored, which `finished` has kept."""

    def put_right(self, run: Run, runs_it: str = '') -> None:
        """Keep what was put right in the registry."""
        self.runs.append((run.name, run.outcome or '', ''))

    def verified(self, migration: Migration) -> None:
        """Keep that a migration is as it should be."""
        self.runs.append((migration.name, 'verified', ''))

    def failed(self, failure: Failure) -> None:
        """Keep a failure."""
        self.failure = failure

    def tried(self, step: Step, effects: Effects) -> None:
        """Keep what a step would do."""
        self.trials.append((step.name, effects.describe(self.database)))
        self._narrator.tried(step, effects)

    def found(self, step: Step, findings: Sequence[Foretold]) -> None:
        """Keep what was found out of commands that no transaction can do."""
        self._narrator.found(step, findings)

    def untold(
        self, step: Step, effects: Effects, reason: str, after: Sequence[str]
    ) -> None:
        """Keep up to which point it is known what a step would do, and why."""
        self.trials.append((step.name, effects.describe(self.database)))
        self._narrator.untold(step, effects, reason, after)

    def compared(
        self, step: Step, comparisons: Sequence[Comparison], since: str
    ) -> None:
        """Keep which documents a step would change, if that was asked for."""
        self._narrator.compared(step, comparisons, since)

    def foreseen(self, findings: Sequence[Finding], names: Sequence[str]) -> None:
        """Keep what to know before migrations run."""
        self._narrator.foreseen(findings, names)

    def nothing_to_try(self) -> None:
        """Hear that nothing would run."""

    def tried_all(self, imported: Sequence[str]) -> None:
        """Hear that a dry run is over."""

    def nothing_up_to(self, doing: str, name: str) -> None:
        """Hear that there is nothing to do here."""

    def awaiting(self, name: str, is_running: bool) -> None:
        """Hear that a migration in the background is waited for."""

    def left(self, names: Sequence[str]) -> None:
        """Hear what is left for a worker, which the status tells."""

    def elsewhere(self, names: Sequence[str], here: str) -> None:
        """Hear what is for other environments, which the status tells."""

    def over(self, error: BaseException | None) -> None:
        """Hear that the command is over for this database."""

    def dumping(self, database: str) -> None:
        """Hear that the database is about to be dumped."""

    def way_back(self, dump: Dump, is_of_earlier: bool = False) -> None:
        """Keep the dump that was made before a failure."""
        self.dump = dump

    def restoring(self, dump: Dump) -> None:
        """Hear that the database is about to be brought back to a dump."""

    def restored(self, dump: Dump) -> None:
        """Keep that the database is as a dump had it."""
        self.runs.append((dump.name, 'restored', ''))
