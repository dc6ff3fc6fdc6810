"""`verify`: check whether what applied migrations did is still so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pymongo.errors import ConnectionFailure

from migopy.commands import Command
from migopy.errors import MigopyException, enumerated
from migopy.files import (
    CONDITIONS,
    ImportFailed,
    InTurn,
    Migration,
    importable,
    load_all,
)
from migopy.run import (
    Aftermath,
    Choice,
    Failure,
    Observer,
    Plan,
    ask_after,
    only_reading,
)
from migopy.site import Site
from migopy.terminal import told_by

#: A file without these words has no `verify`, nor have those that it replaces, so it
#: need not be imported.
WORDS = (CONDITIONS[1].encode(), b'import *', b'replaces')


class NothingToVerify(MigopyException):
    """A migration that cannot be verified; `name` is its name."""

    def __init__(self, name: str, why: str, what_next: str, next: Command) -> None:
        self.name = name
        super().__init__(f'{name} {why}; nothing was done.\n{what_next}: ', next)


class NotVerified(MigopyException):
    """Migrations whose `verify` did not find all as it should be.

    `names` are theirs, `count` is how many were looked at.
    """

    def __init__(self, names: Sequence[str], count: int) -> None:
        self.names = names
        self.count = count
        super().__init__(
            f'{len(names)} of {count} not verified, see above: {enumerated(names)}'
        )


class Looked(NamedTuple):
    """What came of looking at a migration: whether it has a `verify`, and its error."""

    has_verify: bool
    error: BaseException | None = None
    #: The function that the error came out of.
    function: str = ''


def verify(site: Site, name: str | None, observer: Observer) -> int:
    """Run `verify` of the applied migrations that have one, or of the one named.

    Returns how many have one. It writes nothing, and refuses what they would write. If
    one fails, the others are looked at all the same. Raises what `Choice.find` does,
    `NothingToVerify`, `NotVerified`.
    """
    plan = site.plan(unsettled=False)
    migrations = _chosen(plan, name)
    for holder in site.lock.holders():
        observer.warned(f'Another command is running, and may change data: {holder}')
    count, failed = 0, []
    with importable(site.directory):
        for migration in migrations:
            looked = _look_at(site, migration, observer)
            if not looked.has_verify:
                continue
            count += 1
            if looked.error is None:
                observer.verified(migration)
            else:
                failed.append(migration.name)
                observer.failed(_failure(migration, looked.error, looked.function))
    if name is not None and not count:
        raise NothingToVerify(
            migrations[0].name,
            'has no verify(db) in its file',
            'To verify those that have one',
            Command('verify'),
        )
    if failed:
        raise NotVerified(failed, count)
    return count


def _chosen(plan: Plan, name: str | None) -> list[Migration]:
    # A migration that is to run again has not run with its current file.
    registered = plan.registered.keys() - plan.again
    if name is None:
        return [each for each in plan.migrations if each.name in registered]
    chosen = Choice(plan).find(name)
    if chosen.name not in registered:
        why = 'is not applied'
        if chosen.name in plan.again:
            why = 'has changed and is to run again'
        raise NothingToVerify(chosen.name, why, 'See what is pending', Command())
    return [chosen]


def _look_at(site: Site, migration: Migration, observer: Observer) -> Looked:
    """Look at one migration, and warn of what may have been written all the same."""
    content = migration.content()
    if not any(word in content for word in WORDS):
        return Looked(False)
    with site.listener.recording(site.db.name) as effects:
        looked = _looked_at(site, migration, observer)
    outside, children = effects.outside, effects.children.told()
    if outside.wrote or children:
        may = '; '.join(filter(None, [outside.describe(site.db.name), *children]))
        observer.warned(
            f'{migration.name}: its verify is to read only, but may have written: {may}'
        )
    return looked


def _looked_at(site: Site, migration: Migration, observer: Observer) -> Looked:
    db, listener, name = site.db, site.listener, migration.name
    function = 'import'
    try:
        with told_by(observer.speaker):
            with only_reading(name, function, db, listener):
                [loaded] = load_all([migration], site.directory)
                up = loaded.functions.get('up')
                parts = up.parts if isinstance(up, InTurn) else ()
                conditions = [
                    (each.name, condition)
                    for each in (*parts, loaded)
                    if (condition := each.condition('verify'))
                ]
            if not conditions:
                return Looked(False)
            function = 'verify'
            for asked, condition in conditions:
                ask_after(asked, condition, site, db)
    # The server is gone: each of the others would only wait for it again.
    except ConnectionFailure:
        raise
    except ImportFailed as error:
        return Looked(True, error.cause, function)
    except (Exception, SystemExit) as error:
        return Looked(True, error, function)
    return Looked(True)


def _failure(migration: Migration, error: BaseException, function: str) -> Failure:
    return Failure(
        migration=migration,
        direction='up',
        error=error,
        aftermath=Aftermath.LOOKED,
        asked=Command('verify', migration.name),
        function=function,
    )
