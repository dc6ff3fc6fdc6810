"""What a rehearsal found, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from migopy.commands import Part
    from migopy.differences import Comparison
    from migopy.effects import Effects, Recording
    from migopy.run import Failure, Step


class Kind(Enum):
    """In what a collection differs from what it should be."""

    MISSING = 'missing'
    EXTRA = 'extra'
    TYPE = 'type'
    OPTION = 'option'
    INDEX_MISSING = 'index missing'
    INDEX_EXTRA = 'index extra'
    INDEX_CHANGED = 'index changed'
    DOCUMENTS = 'documents'
    #: A time series has more documents, or fewer.
    NUMBER = 'number of documents'
    #: Its documents differ only in the order of their fields, which few care about.
    ORDER = 'order of fields'
    #: Its documents differ only in their `_id`s, which were generated anew.
    IDS = 'generated ids'
    #: It is new or missing, without documents, options or indexes: the server creates
    #: such a collection by itself.
    EMPTY = 'empty'


#: How a collection may differ without harm.
HARMLESS = frozenset({Kind.ORDER, Kind.IDS, Kind.EMPTY})


class Deviation(NamedTuple):
    """A collection that differs from what it should be.

    `name` is that of the option or the index, or says what it is now. `comparison` has
    some of the documents that differ.
    """

    collection: str
    kind: Kind
    name: str = ''
    comparison: Comparison | None = None


class Caution(NamedTuple):
    """What a rehearsal cannot tell: which of its limits, and what it is about."""

    what: str
    about: str = ''


@dataclass
class Stage:
    """A run of `up`, `down` or `undo`; `failure` is why it did not come to its end.

    `milliseconds` is what it took, without the rehearsal's own work meanwhile.
    """

    direction: str
    milliseconds: int
    effects: Effects
    failure: Failure | None = None


@dataclass
class Rehearsed:
    """What came of one migration: of its `up`, its `down` if any, and `up` again.

    Without a `down` the undo from images takes its place, if it keeps any. If it
    `repeats`, its `up` is run twice in a row.

    Invariant: stages stand in the order in which they ran; those that did not run are
    not there. `after_down` is how the database after the `down` differed from what it
    was before, `after_up` how it differed after the second `up` from after the first.
    """

    name: str
    has_down: bool
    #: Whether `up` runs again right after itself, as it may at any time.
    repeats: bool = False
    stages: list[Stage] = field(default_factory=list)
    after_down: Sequence[Deviation] = ()
    after_up: Sequence[Deviation] = ()
    cautions: list[Caution] = field(default_factory=list)
    #: What the first `up` may take on all documents, where it ran on a sample.
    estimate: int | None = None

    @property
    def way_back(self) -> str:
        """Give what was rehearsed as the way back, `down` or `undo`, or `''`."""
        words = [each.direction for each in self.stages if each.direction != 'up']
        return words[0] if words else ''

    @property
    def failure(self) -> Failure | None:
        """Give what ended it early, if anything did."""
        return next((each.failure for each in self.stages if each.failure), None)

    @property
    def is_well(self) -> bool:
        """Tell whether nothing failed, and nothing differs in a way that matters."""
        found = [*self.after_down, *self.after_up]
        return not self.failure and all(each.kind in HARMLESS for each in found)


class Teller(Protocol):
    """Who is told of a rehearsal, event by event."""

    @property
    def speaker(self) -> Any:
        """Give what writes the lines of a migration's own loops."""

    def warned(self, *said: Part) -> None:
        """Hear a warning; the rehearsal goes on."""

    def copying(self, names: Sequence[str], origin: str, where: str) -> None:
        """Hear that the database is about to be copied for these migrations.

        From `origin`, to `where`.
        """

    def begins(self, step: Step, place: int, count: int, effects: Recording) -> None:
        """Hear that a function is about to run, of the `place`th of `count`."""

    def ends(self, step: Step) -> None:
        """Hear that it is over, however it ended."""

    def rehearsed(self, found: Rehearsed) -> None:
        """Hear what came of a migration."""

    def nothing_to_rehearse(self) -> None:
        """Hear that nothing would run."""

    def over(self, found: Sequence[Rehearsed], not_run: Sequence[str]) -> None:
        """Hear that all is over, and that those `not_run` were not rehearsed."""
