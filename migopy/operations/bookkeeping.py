"""Correct the registry after files were changed, removed or renamed on purpose.

None of these commands runs a migration or touches data; the history has each of them.
"""

from __future__ import annotations

from typing import Any

from migopy.commands import Command
from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.files import BACKGROUND, Migration
from migopy.operations.orders import NothingToPutRight
from migopy.operations.other_hosts import is_carried_out
from migopy.run import (
    AtWork,
    Choice,
    NoFile,
    Observer,
    Plan,
    Unfinished,
    UnknownMigration,
    warn_of_left_without,
)
from migopy.site import Site
from migopy.state import (
    EXECUTED,
    FAILED,
    FORGOTTEN,
    IGNORED,
    RENAMED_TO,
    GuardedWriter,
    Record,
    Run,
    require_rights,
)

ACCEPTED = 'accepted'
RENAMED = 'renamed'


class FileIsThere(MigopyException):
    """A migration to be forgotten or renamed has its file; `name` is its name.

    `runs_again` is whether it runs again when it changes, `is_applied` whether it has a
    record. The next step named touches no data, as only a record was to change.
    """

    is_for_good = True

    def __init__(
        self, name: str, runs_again: bool = False, is_applied: bool = True
    ) -> None:
        self.name = name
        self.is_applied = is_applied
        said = f'{name} is not missing: its file is there, so nothing was done.\n'
        if not is_applied:
            super().__init__(
                f'{said}It has no record of its own here. See the status: ', Command()
            )
        elif runs_again:
            super().__init__(
                f'{said}It runs again whenever it changes (repeat = True). To go back,'
                ' bring back the content that the file had before (from version'
                ' control, say), and execute it. See the status: ',
                Command(),
            )
        else:
            super().__init__(f'{said}See what is applied: ', Command('list'))


class NotRenamedYet(MigopyException):
    """A record is to go to a new name, and its file still has the old one, `name`."""

    is_for_good = True

    def __init__(self, name: str, new: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not missing: its file is there, so nothing was done.\n'
            'rename carries the record over and leaves files alone: give the file its'
            ' new name, then type: ',
            Command('rename', name, new),
        )


class NoNewFile(MigopyException):
    """A record is to go to a file that is not there; `new` is what was typed."""

    def __init__(self, old: str, new: str, folder: str) -> None:
        self.new = new
        super().__init__(
            f'There is no file {new!r} in {folder}; nothing was done.\n'
            'rename carries the record over and leaves files alone: rename the file,'
            ' then type: ',
            Command('rename', old, new),
        )


class RecordNotNamed(MigopyException):
    """No write can name the record of the migration `name`: its `_id` is null, say.

    Migopy writes no such record; other tools may.
    """

    def __init__(self, name: str, collection: str, applied: str) -> None:
        self.name = name
        super().__init__(
            f'The record of {name} has an _id that is null or cannot be read, so it'
            ' cannot be changed; nothing was done.\n'
            f'Remove that document from the collection {collection} by hand. Then mark'
            ' the migration as applied: ',
            Command('ignore', applied),
        )


def accept(site: Site, name: str, wait: float, observer: Observer) -> None:
    """Accept the file of an applied migration, as it is now, as what was executed.

    Raises what `Choice.find` does, `NothingToPutRight` and `RecordNotNamed`.
    """
    with site.locked('accept', wait, observer.waiting, [name]):
        if is_carried_out(site, observer):
            return
        plan = site.plan()
        migration = Choice(plan).find(name)
        records = plan.records_of(migration)
        if not records:
            why = 'is not applied, so there is nothing to accept'
            if migration.name in plan.stand_ins:
                why = 'was not run here, what it replaces was'
            elif migration.name in plan.ran_as_part:
                by = plan.ran_as_part[migration.name]
                why = f'was not run here, {by} was, which replaces it'
            raise NothingToPutRight(migration.name, why)
        checksum = migration.checksum()
        if all(record.checksum == checksum for record in records):
            raise NothingToPutRight(migration.name, 'is as it was executed')
        replaced = list(migration.said().replaces)
        also = {'replaces': replaced} if replaced else {}
        _change(site, records, migration, checksum=checksum, **also)
        _keep(site, migration.name, ACCEPTED, checksum, observer)


def forget(site: Site, name: str, wait: float, observer: Observer) -> None:
    """Remove the record of an applied migration whose file is gone for good.

    Or of one that was ignored, or that is known to have changed nothing when it ran: it
    is pending then. Raises what `Choice.find` does, and `FileIsThere`.
    """
    with site.locked('forget', wait, observer.waiting):
        if is_carried_out(site, observer):
            return
        plan = site.plan()
        gone = _to_forget(site, plan, name)
        runs_it = _what_runs(plan, gone)
        written = _written_by(site, gone) if runs_it or plan.unfinished_of(gone) else ''
        require_rights([site.history.collection])
        site.lock.check()
        site.registry.remove(plan.records_of(gone))
        _settle(site, plan, gone)
        _keep(site, gone.name, FORGOTTEN, None, observer, runs_it)
        warn_of_left_without(gone.name, plan, observer)
        if written:
            then = f'. The next {runs_it} runs it from its beginning, its backfills too'
            observer.warned(
                f'{gone.name} may have written before ({written}), and that was not'
                f' rolled back{then if runs_it else ""}'
            )


def rename(site: Site, old: str, new: str, wait: float, observer: Observer) -> None:
    """Carry the record of an applied migration over to the file's new name.

    Raises what `Choice.find` does, `FileIsThere`, `NotRenamedYet`, `NoNewFile`,
    `NothingToPutRight`, `AtWork`, `Unfinished` and `RecordNotNamed`.
    """
    with site.locked('rename', wait, observer.waiting):
        if is_carried_out(site, observer):
            return
        plan = site.plan()
        try:
            gone = _missing(plan, old)
        except FileIsThere as error:
            if not error.is_applied:
                raise
            raise NotRenamedYet(error.name, new) from error
        migration = _named_anew(site, plan, old, new)
        if plan.records_of(migration):
            raise NothingToPutRight(migration.name, 'is applied itself')
        # With a record it would count as applied.
        for run in plan.at_work:
            if run.name == migration.name:
                raise AtWork(run)
        if half_done := plan.unfinished_of(migration):
            raise Unfinished(half_done, plan.file_of)
        _change(site, plan.records_of(gone), migration, name=migration.name)
        _settle(site, plan, gone)
        moved = f'{gone.name}{RENAMED_TO}{migration.name}'
        _keep(site, moved, RENAMED, None, observer)


def _named_anew(site: Site, plan: Plan, old: str, new: str) -> Migration:
    try:
        return Choice(plan).find(new)
    except UnknownMigration as error:
        raise NoNewFile(old, new, site.settings.directory) from error


def _missing(plan: Plan, name: str) -> Migration:
    """Give an applied migration without a file, as if it had one.

    A number or a short name is looked for first among those without a file: after a
    rename, the new file has the same number.
    """
    choice = Choice(plan)
    try:
        choice.require_not_missing(name)
        found = choice.find(name)
    except NoFile as error:
        return Migration(error.name, 0, '')
    is_applied = bool(plan.records_of(found))
    raise FileIsThere(found.name, found.name in plan.repeats, is_applied)


def _to_forget(site: Site, plan: Plan, name: str) -> Migration:
    """Give an applied migration without a file, or else one that can be pending."""
    try:
        return _missing(plan, name)
    except FileIsThere as error:
        found = plan.file_of(error.name)
        if found is None or not _did_nothing(site, plan, found):
            raise
        return found


def _did_nothing(site: Site, plan: Plan, migration: Migration) -> bool:
    """Tell whether a migration was ignored, or has changed nothing when it ran."""
    records = plan.records_of(migration)
    if {each.how for each in records} == {IGNORED}:
        return True
    return migration.name not in plan.repeats and site.history.did_nothing(records)


def _written_by(site: Site, migration: Migration) -> str:
    """Say what runs of a migration have written that was not rolled back."""
    since = site.history.since_pending(migration.name)
    ran = [run for run in since if run.outcome in (None, EXECUTED, FAILED)]
    wrote = [run for run in ran if run.may_have_written and not run.is_restore]
    effects = sum((Effects.of(run.effects or {}) for run in wrote), Effects())
    unknown = 'it cannot be known what' if wrote else ''
    return effects.describe(site.db.name) or unknown


def _what_runs(plan: Plan, migration: Migration) -> str:
    """Name the command that runs a forgotten migration, if it is pending here."""
    if plan.file_of(migration.name) is None or plan.other_places_of(migration):
        return ''
    return 'work' if plan.phase_of(migration) == BACKGROUND else 'execute'


def _change(
    site: Site, records: list[Record], migration: Migration, **fields: Any
) -> None:
    """Write fields into records, which are a migration's from then on."""
    collection = site.registry.collection
    for record in records:
        if record.id is None:
            raise RecordNotNamed(record.name, collection.name, migration.name)
    require_rights([site.history.collection])
    documents = [{'_id': record.id, **fields} for record in records]
    GuardedWriter(site.lock).merge(collection, documents)


def _settle(site: Site, plan: Plan, migration: Migration) -> None:
    settled = [run.settled() for run in plan.unfinished_of(migration)]
    if settled:
        GuardedWriter(site.lock).merge(site.history.collection, settled)


def _keep(
    site: Site,
    name: str,
    outcome: str,
    checksum: str | None,
    observer: Observer,
    runs_it: str = '',
) -> None:
    """Write to the history what was done, and tell it."""
    run = entry_of(site, name, outcome, checksum)
    GuardedWriter(site.lock).merge(site.history.collection, [run.document()])
    observer.put_right(run, runs_it)


def entry_of(site: Site, name: str, outcome: str, checksum: str | None) -> Run:
    """Make the entry of the history of what was done to a record at this moment."""
    run = Run.new(name, 'up', checksum, site.lock.owner, site.lock.now())
    run.end(outcome, run.started, 0)
    return run
