"""One database and what belongs to it, wired from settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pymongo import AsyncMongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from migopy.cluster import Cluster
from migopy.effects import EffectsListener, listen
from migopy.errors import MigopyException
from migopy.files import TEMPLATE, Directory, FileNames, Functions, read_template
from migopy.lazy import lazy
from migopy.run import (
    AmbiguousName,
    Choice,
    OpenRuns,
    Plan,
    UnknownMigration,
    as_files_say,
    last_runs,
    read_open_runs,
    runs_of,
)
from migopy.server import (
    NoDatabase,
    OneOfMany,
    await_first_contact,
    explained,
    own_collection,
)
from migopy.site_settings import SiteSettings
from migopy.state import History, Holder, Lock, Registry, Run, read
from migopy.terminal import meter

# `fab migrations` is to start fast.
if TYPE_CHECKING:
    from migopy.dumps import Dumps
    from migopy.undo import Images

Document = dict[str, Any]


class Site:
    """One database, its migrations, and what is kept of them.

    Invariant: all in it belongs to this one database. It shares nothing with another
    site except what it was given, so sites work side by side in threads of one process.
    """

    def __init__(
        self,
        settings: SiteSettings,
        cluster: Cluster,
        notify: Callable[[str], None],
        functions: Callable[[ModuleType], Functions],
        directory: Directory | None = None,
        is_of_many: bool = False,
        others: frozenset[str] = frozenset(),
    ) -> None:
        """Take the cluster, and `notify`, which hears of calls that PyMongo dropped.

        `functions` gives the functions of a migration's module; `directory` is given if
        many databases share it, and `others` are those on the same server.
        """
        self._functions = functions
        self.settings = settings
        self.cluster = cluster
        self._notify = notify
        self._directory = directory
        self._is_of_many = is_of_many
        self.others = others
        self.listener: EffectsListener = listen()

    def disconnect(self) -> None:
        """Close the client, and stop a server that was started for it."""
        self.cluster.disconnect()

    @property
    def template(self) -> str:
        """Give what new migrations are made from; raises `NotCreated`."""
        settings = self.settings
        if settings.template is None:
            return TEMPLATE
        return read_template(os.path.join(settings.base, settings.template))

    # Its parts.

    @property
    def client(self) -> Any:
        """Connect to the server."""
        return self.cluster.client

    @property
    def heartbeats(self) -> Any:
        """Give a client that hears of members more often, if one can be made."""
        return self.cluster.heartbeats

    def async_client(self) -> AsyncMongoClient[Document]:
        """Make a client of PyMongo's asynchronous kind, for the running event loop."""
        place, options = self.cluster.connection
        return AsyncMongoClient(*place, **options)

    @lazy
    def db(self) -> Database[Document]:
        """Give the database, as migrations get it."""
        from migopy.pymongo3 import legacy_database  # no status needs it

        name = self._database.name
        return legacy_database(self.client, name, self._notify)

    @property
    def _database(self) -> Any:
        if self._is_of_many:
            raise OneOfMany
        if not (name := self.settings.server.database_name):
            raise NoDatabase
        return self.client[name]

    @lazy
    def directory(self) -> Directory:
        """Give the folder of migrations."""
        if self._directory is not None:
            return self._directory
        settings = self.settings
        names = FileNames(settings.file_pattern, settings.helpers)
        return Directory(settings.base, settings.directory, names, self._functions)

    @lazy
    def registry(self) -> Registry:
        """Give the registered migrations."""
        return Registry(own_collection(self._reached))

    @lazy
    def history(self) -> History:
        """Give the runs of migrations."""
        return History(self._beside('history'))

    @lazy
    def lock(self) -> Lock:
        """Give the lock."""
        lock = self._beside('lock')
        ttl, own_work = self.settings.lock_ttl, self.listener.own_work
        return Lock(lock, ttl, own_work, spare=lambda: self.cluster.spare)

    @lazy
    def images(self) -> Images:
        """Give the images of what migrations have changed."""
        from migopy.undo import Images

        return Images(self._beside('undo'), self.listener)

    @contextmanager
    def dumps(self, say: Callable[[str], None]) -> Iterator[Dumps]:
        """Give the dumps; `say` takes what a person should read while one is made."""
        from migopy.dumps import Connection, Dumps

        place, options = self.cluster.connection
        with meter() as progress:
            yield Dumps(
                Path(self.settings.base, self.settings.dump_directory),
                Connection(*place, **options),
                excluded={self.lock.collection.name},
                say=say,
                progress=progress,
            )

    def _beside(self, suffix: str) -> Collection[Document]:
        collection = self._reached
        return own_collection(collection.database[f'{collection.name}_{suffix}'])

    @lazy
    def _reached(self) -> Collection[Document]:
        """Give the collection of registered migrations, once a server was reached."""
        collection: Collection[Document] = self._database[self.settings.collection]
        await_first_contact(self.client, self.settings.server)
        return collection

    @property
    def secrets(self) -> Sequence[str]:
        """Give the secrets that no text may show."""
        return self.settings.server.secrets

    def explained(self, error: Exception) -> MigopyException:
        """Turn an error of PyMongo's into one that says what to do."""
        return explained(error, self.settings.server, self.cluster.made)

    # What is read from them.

    def plan(self, unsettled: bool = True, in_full: bool = False) -> Plan:
        """Read the files and the registry, for a command that changes migrations.

        Without `unsettled` the history is not read; with `in_full` the records tell
        how long each took, and by whom.
        """
        migrations = self.directory.migrations()
        if unsettled:
            kept = read(self.history, self.registry, self.lock, in_full)
            runs, holders, contents = kept
        else:
            runs, holders, contents = [], [], self.registry.read(in_full)
        plan = Plan(
            migrations,
            contents.records,
            runs=runs,
            holders=holders,
            foreign=contents.foreign,
            file_names=self.directory.file_names,
            environment=self.settings.environment,
        )
        return as_files_say(plan)

    def survey(self, in_full: bool = False) -> Plan:
        """Read all there is to know, for a person."""
        return self.surveyed(self.plan(in_full=in_full))

    def surveyed(self, plan: Plan) -> Plan:
        """Add to a plan which files have changed since they were executed.

        Of the first of them, for which is told what to type, also whether its run is
        known to have changed nothing, and whether it surely has no way back.
        """
        changed = dict(self._changed(plan))
        if changed == plan.checksums:
            return plan
        plan = replace(plan, checksums=changed)
        first = plan.changed[:1]
        vain = [name for name in first if self.history.did_nothing(plan.of_name(name))]
        undo, ways = self.settings.undo, self.directory.may_be_undone
        one_way = [name for name in first if not ways(plan.file_of(name), undo)]
        return replace(plan, in_vain=frozenset(vain), one_way=frozenset(one_way))

    def runs(self, which: str) -> tuple[OpenRuns, Iterable[Run]]:
        """Read the last runs: so many, those of one migration, or all for `''`.

        The runs that are open come first in the result. Raises what `last_runs` and
        `runs_of` do.
        """
        open_runs = read_open_runs(self.history, self.lock, self.registry)
        found = last_runs(self.history, open_runs, which)
        if found is None:
            found = runs_of(which, self.history, open_runs, self.plan(unsettled=False))
        return open_runs, found

    def _changed(self, plan: Plan) -> Iterator[tuple[str, str]]:
        # Of ten thousand checksums, only those that have changed are kept.
        for migration in plan.to_compare:
            checksum = migration.checksum()
            if checksum != plan.registered[migration.name].checksum:
                yield migration.name, checksum

    # Its lock.

    def under(self, lock: Lock) -> Site:
        """Give this site with another lock in the place of its own."""
        site = copy(self)
        site.lock = lock
        return site

    @contextmanager
    def locked(
        self,
        command: str,
        wait: float,
        waiting: Callable[[Holder], None],
        names: Sequence[str | None] = (),
    ) -> Iterator[None]:
        """Hold the lock; a command that is called by another one has it already.

        `names` that fit no migration raise an error before it waits for the lock.
        """
        if self.lock.is_held:
            yield
            return
        for name in names:
            if name is not None:
                self._require_known(name)
        with self.listener.own_work(), self.lock.held(command, wait, waiting):
            self.history.end_transactions_of(self.lock.formers)
            yield

    def _require_known(self, name: str) -> None:
        try:
            Choice(Plan(self.directory.migrations())).find(name)
        except (UnknownMigration, AmbiguousName):
            # It may be one whose file is gone; the plan tells which ones have run.
            Choice(self.plan()).find(name)
