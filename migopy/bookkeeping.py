"""Put the registry right where files were changed, removed or renamed on purpose.

None of these commands runs a migration or touches data; each stands in the history.
"""

from __future__ import annotations

import os
import re
from typing import Any

from migopy.commands import Command
from migopy.errand import ERRAND
from migopy.errors import MigopyException
from migopy.files import Migration
from migopy.run import AmbiguousName, Choice, NoFile, NotApplied, Observer, Plan
from migopy.site import Site
from migopy.state import Agent, GuardedWriter, Record, Run

ACCEPTED = 'accepted'
FORGOTTEN = 'forgotten'
RENAMED = 'renamed'


class NothingToPutRight(MigopyException):
    """The registry is as it should be; `name` is the migration's."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(
            f'{name} {why}; nothing was done.\nSee the status: ', Command()
        )


class FileIsThere(MigopyException):
    """A migration to be forgotten or renamed has its file; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not missing: its file is there, so nothing was done.\n'
            'To undo it: ',
            Command('rollback', name),
        )


def accept(site: Site, name: str, wait: float, observer: Observer) -> None:
    """Take the file of an applied migration as it is now for what was executed.

    Raises what `Choice.find` does, `NotApplied` and `NothingToPutRight`.
    """
    with site.locked('accept', wait, observer.waiting, [name]):
        plan = site.plan()
        migration = Choice(plan).find(name)
        records = plan.records_of(migration)
        if not records:
            raise NotApplied(migration.name)
        checksum = migration.checksum()
        if all(record.checksum == checksum for record in records):
            raise NothingToPutRight(migration.name, 'is as it was executed')
        _change(site, records, checksum=checksum)
        _keep(site, migration.name, ACCEPTED, checksum, observer)


def forget(site: Site, name: str, wait: float, observer: Observer) -> None:
    """Remove the record of an applied migration whose file is gone for good.

    Raises what `Choice.find` does, and `FileIsThere`.
    """
    _missing(site.plan(), name)  # of an unknown name one hears at once
    with site.locked('forget', wait, observer.waiting):
        plan = site.plan()
        gone = _missing(plan, name)
        site.lock.check()
        site.registry.remove(plan.records_of(gone))
        _settle(site, plan, gone)
        _keep(site, gone.name, FORGOTTEN, None, observer)


def rename(site: Site, old: str, new: str, wait: float, observer: Observer) -> None:
    """Carry the record of an applied migration over to the file's new name.

    Raises what `Choice.find` does, `FileIsThere` and `NothingToPutRight`.
    """
    _missing(site.plan(), old)  # of an unknown name one hears at once
    with site.locked('rename', wait, observer.waiting, [new]):
        plan = site.plan()
        gone = _missing(plan, old)
        migration = Choice(plan).find(new)
        if plan.records_of(migration):
            raise NothingToPutRight(migration.name, 'is applied itself')
        _change(site, plan.records_of(gone), name=migration.name)
        _settle(site, plan, gone)
        _keep(site, f'{gone.name} -> {migration.name}', RENAMED, None, observer)


def _missing(plan: Plan, name: str) -> Migration:
    """Give an applied migration without a file, as if it had one.

    A number or a short name is looked for among those without a file first: a renamed
    one has left its number to its new file.
    """
    wanted = os.path.basename(name.strip())
    fitting = [each for each in plan.missing if _stands_for(wanted, each)]
    if len(fitting) > 1:
        raise AmbiguousName(name, fitting)
    if fitting:
        return Migration(fitting[0], 0, '')
    try:
        found = Choice(plan).find(name)
    except NoFile as error:
        return Migration(error.name, 0, '')
    raise FileIsThere(found.name)


def _stands_for(wanted: str, name: str) -> bool:
    if wanted in (name, name[: -len('.py')]):
        return True
    number = re.search(r'\d+', name)
    is_number = wanted.isdecimal() and number is not None
    return is_number and int(wanted) == int(number[0])  # type: ignore[index]


def _change(site: Site, records: list[Record], **fields: Any) -> None:
    documents = [{'_id': record.id, **fields} for record in records]
    GuardedWriter(site.lock).merge(site.registry.collection, documents)


def _settle(site: Site, plan: Plan, migration: Migration) -> None:
    settled = [run.settled() for run in plan.unfinished_of(migration)]
    if settled:
        GuardedWriter(site.lock).merge(site.history.collection, settled)


def _keep(
    site: Site, name: str, outcome: str, checksum: str | None, observer: Observer
) -> None:
    """Write to the history what was done, and tell it."""
    errand = ERRAND.get()
    run = Run(
        name=name,
        direction='up',
        checksum=checksum,
        owner=site.lock.owner,
        agent=Agent.current(),
        version=site.version,
        started=site.lock.now(),
        command=errand.id if errand else None,
    )
    run.end(outcome, run.started, 0)
    GuardedWriter(site.lock).merge(site.history.collection, [run.document()])
    observer.put_right(run)
