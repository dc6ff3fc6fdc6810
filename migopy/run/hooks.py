"""What a fabfile does before and after migrations: its hooks, and what they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from migopy.secrets import redacted
from migopy.signals import is_interruption
from migopy.state import FAILED, IGNORED, Run
from migopy.terminal import unheard
from migopy.traces import excerpt, summary

if TYPE_CHECKING:
    from migopy.effects import Effects, Recording
    from migopy.files import Migration
    from migopy.run.observer import Failure
    from migopy.run.plan import Plan
    from migopy.run.step import Step


class MigrationInfo(NamedTuple):
    """A migration that is run: its file's `name`, and its `direction`, `up` or `down`.

    Invariant: fields may be added at the end, none is taken away.
    """

    name: str
    direction: str


class MigrationOutcome(NamedTuple):
    """How a migration ended: `outcome` is `executed`, `rolled back` or `failed`.

    Invariant: as for `MigrationInfo`. `effects` says in one line what it did, '' for
    nothing; `duration_ms` is `None` of one that failed. `error` is one line, '' where
    all is well; `is_unfinished` is whether somebody has to decide what to do about it.
    """

    outcome: str
    duration_ms: int | None = None
    effects: str = ''
    error: str = ''
    is_unfinished: bool = False


class RunOutcome(NamedTuple):
    """How a command ended that ran migrations, `execute` or `rollback`.

    Invariant: as for `MigrationInfo`. `done`, `failed` and `not_run` are names; `error`
    is one line, '' where all is well.
    """

    command: str
    database: str
    done: Sequence[str] = ()
    failed: str | None = None
    not_run: Sequence[str] = ()
    error: str = ''


class Hooked(Protocol):
    """What has the hooks: a manager."""

    def before_migration(self, migration: MigrationInfo) -> None:
        """Do something before a migration."""

    def after_migration(
        self, migration: MigrationInfo, outcome: MigrationOutcome
    ) -> None:
        """Do something after a migration."""

    def after_run(self, outcome: RunOutcome) -> None:
        """Do something after a command that ran migrations."""


class Hooks:
    """The observer that calls a manager's hooks, for one command.

    Invariant: an error of a hook is reported and ends nothing; only an interruption
    (Ctrl-C, SIGTERM) ends the command. What a hook does to the database counts for no
    migration.
    """

    def __init__(
        self,
        manager: Hooked,
        database: str,
        warn: Callable[[str], None],
        own_work: Callable[[], AbstractContextManager[None]],
        secrets: Sequence[str],
    ) -> None:
        """Take the manager, its database's name, and what tells of errors.

        In `own_work` nothing is counted as a migration's; no text has `secrets`.
        """
        self._manager = manager
        self._database = database
        self._warn = warn
        self._own_work = own_work
        self._secrets = secrets
        self._command = ''
        self._planned: list[str] = []
        self._begun: list[str] = []
        self._done: list[str] = []
        self._failed: str | None = None

    def planned(self, doing: str, plan: Plan, migrations: Sequence[Migration]) -> None:
        """Hear what is going to run."""
        self._command = doing
        self._planned = [each.name for each in migrations]

    def starting(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Call the hook before a migration."""
        self._begun.append(step.name)
        info = MigrationInfo(step.name, step.direction)
        self._call('before_migration', info)

    def finished(self, run: Run, effects: Effects) -> None:
        """Call the hook after a migration that went well; not for `ignore`."""
        if run.outcome == IGNORED:
            return
        self._done.append(run.name)
        said = redacted(effects.describe(self._database), self._secrets)
        outcome = MigrationOutcome(str(run.outcome), run.duration_ms, said)
        self._call('after_migration', MigrationInfo(run.name, run.direction), outcome)

    def failed(self, failure: Failure) -> None:
        """Call the hook after a migration that failed; not in a dry run."""
        if failure.name not in self._begun:
            return
        self._failed = failure.name
        outcome = MigrationOutcome(
            FAILED,
            effects=redacted(failure.written, self._secrets),
            error=summary(failure.error, self._secrets),
            is_unfinished=failure.is_unfinished,
        )
        info = MigrationInfo(failure.name, failure.direction)
        self._call('after_migration', info, outcome)

    def over(self, error: BaseException | None) -> None:
        """Call the hook after the command, if a migration has begun."""
        if not self._begun:
            return
        begun = set(self._begun)
        outcome = RunOutcome(
            self._command,
            self._database,
            self._done,
            self._failed,
            [name for name in self._planned if name not in begun],
            '' if error is None else summary(error, self._secrets),
        )
        self._call('after_run', outcome)

    def _call(self, hook: str, *what: Any) -> None:
        try:
            with self._own_work():
                getattr(self._manager, hook)(*what)
        # SystemExit too: a hook is not to end a deploy half way.
        except (Exception, SystemExit) as error:
            if is_interruption(error):
                raise
            self._warn(f'{hook} failed, which changes nothing:\n{excerpt(error, "")}')

    def __getattr__(self, event: str) -> Callable[..., None]:
        """Ignore an event for which there is no hook."""
        return unheard
