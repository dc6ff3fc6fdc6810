"""The migrations of a project, run for tests on databases of their own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from pymongo.database import Database

from migopy.commands import FabSpelling
from migopy.errand import Errand, carrying_out
from migopy.files import Migration
from migopy.manager import MigrationsManager
from migopy.operations import order_up
from migopy.run import Choice, OtherPhase, Plan, in_order, repeats_of
from migopy.testing.checks import check
from migopy.testing.copies import Copy
from migopy.testing.failing import run
from migopy.testing.fixtures import fixture_of, load_fixture
from migopy.testing.projects import client_for, manager_of, on_database

#: How databases of tests are called.
PREFIX = 'migopy_test_'


class Migrations:
    """The migrations of a project, for tests on the server `uri`.

    Invariant: each database that it gives belongs to one test, and `drop` drops them. A
    state that many tests begin with is migrated once, kept in memory, and copied.
    """

    def __init__(
        self, uri: str, manager: type[MigrationsManager] | str | None = None
    ) -> None:
        """Take a server for tests, and the manager or where it is, `FILE.py:CLASS`."""
        if manager is None or isinstance(manager, str):
            manager = manager_of(manager)
        self._manager_class = manager
        self._uri = uri
        self.client = client_for(self._manager_class, uri)
        self._copies: dict[tuple[str, ...], Copy] = {}
        self._given: list[str] = []
        self._opened = ExitStack()
        self._opened.callback(self.client.close)

    def __call__(self, at: str | None = None, before: str | None = None) -> Any:
        """Give a database in which all migrations up to the one named `at` have run.

        Or all those that come before the one named `before`, or all there are. Names
        are as for `execute`. Raises `UnknownMigration`, and what a migration does; and
        as `execute` by its name where that one does not run here: `OtherEnvironment`,
        `OtherPhase`, `LeftOut`.
        """
        __tracebackhide__ = True
        return run(partial(self._given_at, at, before))

    @property
    def names(self) -> Sequence[str]:
        """List the names of the migrations in order."""
        return [each.name for each in self._migrations]

    def empty(self) -> Any:
        """Give an empty database."""
        name = f'{PREFIX}{uuid.uuid4().hex}'
        self._given.append(name)
        return self.client[name]

    def up(self, db: Database[Any], name: str) -> None:
        """Execute a migration in a database that was given here.

        One that is for the background is run as `work` does.
        """
        __tracebackhide__ = True
        run(partial(_execute, self._on(db.name), name))

    def down(self, db: Database[Any], name: str) -> None:
        """Roll a migration back in a database that was given here."""
        __tracebackhide__ = True
        run(partial(self._on(db.name).rollback, name))

    def check(self, name: str) -> None:
        """Run a migration up, down and up on its fixtures, and compare.

        Those are in the folder `fixtures` beside it. Raises `AssertionError` where
        something fails or differs, with what a rehearsal says of it.
        """
        migration = Choice(Plan(self._migrations)).find(name)
        db = self(before=migration.name)
        path = fixture_of(migration)
        if path is not None:
            load_fixture(path, db)
        with carrying_out(Errand(spelling=FabSpelling())):
            check(self._on(db.name), migration.name)

    def drop(self) -> None:
        """Drop the databases that were given."""
        while self._given:
            self.client.drop_database(self._given.pop())

    def close(self) -> None:
        """Drop the databases that were given, and close the client."""
        self.drop()
        self._opened.close()

    @property
    def _migrations(self) -> Sequence[Migration]:
        site: Any = self._on(PREFIX)._site
        migrations = site.directory.migrations()
        return in_order(migrations, repeats_of(migrations))

    def _given_at(self, at: str | None, before: str | None) -> Any:
        migrations = self._selected(at, before)
        if at is not None:
            # A copy does not tell, as it may have been made for another test.
            self._require_to_run(migrations[-1].name)
        return self._with(migrations)

    def _selected(self, at: str | None, before: str | None) -> Sequence[Migration]:
        if at is not None and before is not None:
            raise TypeError('at and before exclude each other')
        migrations = self._migrations
        named = at if before is None else before
        if named is None:
            return migrations
        place = migrations.index(Choice(Plan(migrations)).find(named))
        return migrations[: place + (before is None)]

    def _require_to_run(self, name: str) -> None:
        manager: Any = self._on(PREFIX)
        order_up(manager, 'execute', name).select(manager._site.plan(unsettled=False))

    def _with(self, migrations: Sequence[Migration]) -> Any:
        db = self.empty()
        if not migrations:
            return db
        # A copy is of no use after a file has changed, or in another environment.
        site: Any = self._on(PREFIX)._site
        files = [f'{each.name} {each.checksum()}' for each in migrations]
        key = (site.settings.environment, *files)
        if key not in self._copies:
            self._copies[key] = self._migrated(migrations[-1].name)
        self._copies[key].made_in(db)
        return db

    def _migrated(self, name: str) -> Copy:
        db = self.empty()
        manager: Any = self._on(db.name)
        run(partial(manager.execute, to=name))
        return Copy.of(db, {manager._site.lock.collection.name})

    def _on(self, database: str) -> MigrationsManager:
        return on_database(self._manager_class, self.client, self._uri, database)


def _execute(manager: MigrationsManager, name: str) -> None:
    with suppress(OtherPhase):
        manager.execute(name)
        return
    manager.work(name)
