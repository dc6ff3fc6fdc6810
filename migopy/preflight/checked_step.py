"""One step of a dry run, for the checks that ask the server about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migopy.preflight.findings import SERVER, Finding
from migopy.preflight.server_queries import Server
from migopy.preflight.sightings import Sighting, Sightings

if TYPE_CHECKING:
    from migopy.effects import Effects
    from migopy.standin import Foretold


@dataclass
class Tried:
    """What a dry run has told of one step.

    Invariant: `sightings` are the commands it has sent, `found` is what was found out
    about commands that no transaction can do, `effects` is what it would do. `seconds`
    is how long it took; `error` is what ended it, if anything did. `untold` is why it
    could not be tried to its end, `''` if it could.
    """

    sightings: Sightings
    in_transaction: bool
    found: list[Foretold] = field(default_factory=list)
    effects: Effects | None = None
    seconds: float = 0.0
    error: BaseException | None = None
    untold: str = ''


@dataclass(frozen=True)
class CheckedStep:
    """One step of a dry run, to be judged with the server's help.

    Invariant: `earlier` are what the steps before it have sent.
    """

    server: Server
    tried: Tried
    earlier: Sequence[Sightings] = ()

    @property
    def sightings(self) -> Sightings:
        """Give what the step has sent."""
        return self.tried.sightings

    def finding(
        self,
        name: str,
        severity: str,
        line: int,
        what: str,
        cost: str = '',
        instead: str = '',
        values: Sequence[tuple[Any, int | None]] = (),
        **figures: Any,
    ) -> Finding:
        """Make a finding: what is the case, what it costs, what to write instead."""
        named = self.sightings.name, self.sightings.path, line
        return Finding(
            name, severity, SERVER, *named, what, cost, instead, figures, values
        )

    def short(self, namespace: str) -> str:
        """Name a collection, without the name of the migrations' own database."""
        return namespace.removeprefix(f'{self.server.database}.')

    def before(self, sighting: Sighting) -> list[Sighting]:
        """List what was sent before something, in this step and the earlier ones."""
        sent = self.sightings.all()
        here = sent[: next(n for n, each in enumerate(sent) if each is sighting)]
        return [*(each for step in self.earlier for each in step.all()), *here]


def statements_of(sighting: Sighting) -> list[Mapping[str, Any]]:
    """Give the kept statements of a sighting, each as the arguments of a `find`.

    `multi` is whether it is to change all that it finds.
    """
    select = SELECTING.get(sighting.name)
    if select is None:
        return []
    return [each for command in sighting.commands for each in select(command)]


def _of_updates(command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        _selected(each, each['q'], bool(each.get('multi')))
        for each in command['updates']
    ]


def _of_deletes(command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        _selected(each, each['q'], each.get('limit') == 0)
        for each in command['deletes']
    ]


def _of_modify(command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_selected(command, command.get('query') or {}, False)]


def _of_find(command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_selected(command, command.get('filter') or {}, False)]


def _of_aggregate(command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    pipeline = command.get('pipeline') or [{}]
    query = pipeline[0].get('$match') if isinstance(pipeline[0], Mapping) else None
    return [] if query is None else [_selected(command, query, False)]


def _selected(
    statement: Mapping[str, Any], query: Any, multi: bool
) -> Mapping[str, Any]:
    options = {key: statement[key] for key in ('collation', 'hint') if key in statement}
    return {'filter': query, 'multi': multi, **options}


SELECTING = {
    'aggregate': _of_aggregate,
    'delete': _of_deletes,
    'find': _of_find,
    'findAndModify': _of_modify,
    'update': _of_updates,
}
