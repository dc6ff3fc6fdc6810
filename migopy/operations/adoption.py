"""Take over what another tool has applied: `adopt`.

The other tool's records are only read. What is registered is what migopy would have
registered, with the time at which the other tool applied it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from migopy.commands import Command, Option
from migopy.errors import MigopyException, listing
from migopy.face import WrongOptions
from migopy.operations.bookkeeping import entry_of
from migopy.operations.orders import NothingHere
from migopy.operations.preparing import make_ready
from migopy.run import Adoption, Match, Observer, adoption_of, rolled_back_in
from migopy.site import Site
from migopy.state import (
    TOOLS,
    ForeignRegistry,
    GuardedWriter,
    Run,
    known_by,
    registries_in,
    registries_of,
)

ADOPTED = 'adopted'

#: Documents in one write.
BATCH = 1000


class Source(NamedTuple):
    """Source to look: a collection, and the fields of a name and a time in it.

    `None` is what the known tools use.
    """

    collection: str | None = None
    field: str | None = None
    time: str | None = None

    def again(self, **options: object) -> Command:
        """Give the command that looks there again."""
        return Command('adopt', **{**self._asdict(), **options})


class NothingToAdopt(NothingHere):
    """No records of another tool were found; `source` is where they were looked for."""

    def __init__(self, source: Source, found: str) -> None:
        self.source = source
        tools = [f'{each.name}: {", ".join(each.collections)}' for each in TOOLS]
        super().__init__(
            f'{found}; nothing was done. Known are:\n{listing(tools)}\n'
            'To look into a collection of another name, or for a tool that is not'
            ' known, type, with the names that you have: ',
            Command('adopt', collection='NAME', field='FIELD'),
        )


class SeveralTools(MigopyException):
    """Several tools have left records; `collections` are where."""

    def __init__(self, collections: Sequence[str]) -> None:
        self.collections = collections
        super().__init__(
            'Several tools have left records, see above; nothing was registered. Say'
            ' whose count:',
            *(
                part
                for name in collections
                for part in ('\n  ', Command('adopt', collection=name, yes='yes'))
            ),
        )


def look(site: Site, source: Source) -> list[Adoption]:
    """Compare the records of other tools with the files here.

    Raises `NothingToAdopt`, `WrongOptions`.
    """
    plan = site.plan(unsettled=False)
    registries = _registries(site, source)
    rolled_back = rolled_back_in(site.history)
    return [adoption_of(each, plan, rolled_back) for each in registries]


def adopt(site: Site, source: Source, wait: float, observer: Observer) -> None:
    """Register what another tool has applied, with its times, under the lock.

    Raises `NothingToAdopt`, `SeveralTools`.
    """
    with site.locked('adopt', wait, observer.waiting):
        found = look(site, source)
        if len(found) > 1:
            raise SeveralTools([each.registry.collection for each in found])
        [adoption] = found
        if not adoption.to_register:
            return
        first = adoption.to_register[0].migration
        make_ready(site, first.name if first else '', observer)
        for start in range(0, len(adoption.to_register), BATCH):
            batch = adoption.to_register[start : start + BATCH]
            _register(site, adoption.registry, batch, observer)


def _registries(site: Site, source: Source) -> list[ForeignRegistry]:
    for given, needed in (('field', 'collection'), ('time', 'field')):
        if getattr(source, given) is not None and getattr(source, needed) is None:
            raise WrongOptions(
                'adopt',
                Option(given),
                ' needs ',
                Option(needed),
                '; nothing was done',
                Command('help', 'adopt'),
            )
    there = site.db.list_collection_names()
    if source.collection is None:
        found = list(registries_in(TOOLS, site.db, set(there), math.inf))
        return _some(found, source, 'No records of another tool were found')
    if source.collection not in there:
        said = f'There is no collection {source.collection!r}'
        raise NothingToAdopt(source, said)
    collection = site.db[source.collection]
    if source.field is not None:
        found = registries_of([known_by(source.field, source.time)], collection)
        said = f'No document in {source.collection} names anything in {source.field!r}'
        return _some(found, source, said)
    found = registries_of(TOOLS, collection)
    said = f'No tool that is known has written the documents in {source.collection}'
    # Two tools may have a field of the same name, so that both fit.
    return _some(found, source, said)[:1]


def _some(
    found: list[ForeignRegistry], source: Source, said: str
) -> list[ForeignRegistry]:
    if not found:
        raise NothingToAdopt(source, said)
    return found


def _register(
    site: Site,
    registry: ForeignRegistry,
    matches: Sequence[Match],
    observer: Observer,
) -> None:
    runs, records = [], []
    for match in matches:
        run = _run(site, match)
        runs.append(run)
        records.append(_record(run, registry, match))
    writer = GuardedWriter(site.lock)
    writer.merge(site.registry.collection, records)
    writer.merge(site.history.collection, [run.document() for run in runs])
    for run in runs:
        observer.put_right(run)


def _run(site: Site, match: Match) -> Run:
    """Make the entry of the history that says who has adopted what, and when."""
    assert match.migration is not None  # noqa: S101 - only such are to be registered
    migration = match.migration
    run = entry_of(site, migration.name, ADOPTED, migration.checksum())
    run.replaces = migration.said().replaces
    return run


def _record(run: Run, registry: ForeignRegistry, match: Match) -> dict[str, Any]:
    """Make the document that registers it, as if it had run here then."""
    record = {
        **run.record(),
        'executed_at': match.record.at,
        'duration_ms': match.record.duration_ms,
        'how': ADOPTED,
        'adopted_from': f'{registry.tool}: {match.record.names[0]}',
    }
    if match.record.at is None:
        del record['executed_at']
    return record
