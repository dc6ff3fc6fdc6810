"""Note what a dry run tells of each step, to look at it afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migopy.preflight import Recorder, Sightings, Tried
from migopy.run import Failure, Step
from migopy.terminal import unheard

if TYPE_CHECKING:
    from migopy.differences import Comparison
    from migopy.effects import Effects, Recording
    from migopy.standin import Foretold, Told


class TrialNotes:
    """An observer that keeps what is told of each step of a dry run.

    Invariant: `steps` has those that were begun, by name. It says nothing.
    """

    speaker = None

    def __init__(self, records: Callable[[], Recorder] | None = None) -> None:
        """Take what makes a recorder for each step, if they are to be recorded."""
        self.records: dict[str, Recorder] = {}
        self.compared_to: dict[str, Sequence[Comparison]] = {}
        self._makes = records
        self.steps: dict[str, Tried] = {}
        #: The checksums of the files that were tried.
        self.checksums: dict[str, str] = {}
        self.failure: Failure | None = None
        self._began = 0.0

    def watch(self, step: Step) -> Told:
        """Give who is told of the commands of a step."""
        sightings = Sightings(step.name, step.migration.path)
        self.steps[step.name] = Tried(sightings, step.in_transaction)
        self.checksums[step.name] = step.loaded.checksum
        if self._makes is None:
            return sightings.saw
        recorder = self.records[step.name] = self._makes()

        def saw(name: str, database: str, command: Mapping[str, Any]) -> None:
            sightings.saw(name, database, command)
            recorder.saw(name, database, command)

        return saw

    def trying(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a step is about to run."""
        self._began = time.monotonic()

    def stopped(self, step: Step) -> None:
        """Keep how long a step took."""
        self.steps[step.name].seconds = time.monotonic() - self._began

    def tried(self, step: Step, effects: Effects) -> None:
        """Keep what a step would do."""
        self.steps[step.name].effects = effects

    def found(self, step: Step, findings: Sequence[Foretold]) -> None:
        """Keep what was found out of commands that no transaction can do."""
        self.steps[step.name].found += findings

    def untold(
        self, step: Step, effects: Effects, reason: str, after: Sequence[str]
    ) -> None:
        """Keep up to which point it is known what a step would do, and why."""
        self.steps[step.name].effects = effects
        self.steps[step.name].untold = reason

    def compared(
        self, step: Step, comparisons: Sequence[Comparison], since: str
    ) -> None:
        """Keep which documents a step would change."""
        self.compared_to[step.name] = comparisons

    def failed(self, failure: Failure) -> None:
        """Keep what a step has raised."""
        self.failure = failure
        if failure.name in self.steps:
            self.steps[failure.name].error = failure.error

    def __getattr__(self, event: str) -> Callable[..., None]:
        """Hear of all else, and do nothing about it."""
        return unheard
