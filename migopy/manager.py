"""The table of commands: `MigrationsManager`, which a fabfile derives from."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymongo
from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy.commands import Command, FabSpelling, Part, Spelling, command_line
from migopy.effects import listen
from migopy.errors import MigopyException
from migopy.face.help import in_full, overview
from migopy.face.typed import (
    Subtasks,
    call,
    is_yes,
    number,
    only_one,
    task,
)
from migopy.files.directory import (
    TEMPLATE,
    Directory,
    FileNames,
    project_directory,
    read_template,
)
from migopy.files.migration import Migration
from migopy.pymongo3 import legacy_database
from migopy.run.plan import Plan, UnknownMigration
from migopy.run.transaction import require_transactions
from migopy.server import (
    CHECKS,
    NoDatabase,
    Settings,
    await_first_contact,
    explained,
    is_made_for_us,
    names_given,
    own_collection,
    require_sound,
)
from migopy.state.history import History, Run
from migopy.state.lock import Lock, Locked
from migopy.state.registry import Document, Registry
from migopy.tell.report import Reporter
from migopy.terminal.console import ColorsLogger
from migopy.terminal.progress import meter, told_by
from migopy.version import VERSION

# What only some commands need is imported by these: `fab migrations` is to start fast.
if TYPE_CHECKING:
    from migopy.dumps.dumps import Dump, Dumps
    from migopy.run.runner import Runner, Step


#: How many modules are kept from before the first migration runs until it is their
#: turn; those of further migrations are then imported again.
MODULES = 200


class NameNeeded(MigopyException):
    """A rollback without a name; `last` is the migration executed last, if any."""

    def __init__(self, last: str | None) -> None:
        self.last = last
        hint: list[Part] = (
            [f'{last} was executed last. To undo it, type: ', Command('rollback', last)]
            if last
            else ['No migration has been executed, so there is nothing to undo.']
        )
        super().__init__('rollback needs the name of a migration.\n', *hint)


class LeftOut(MigopyException):
    """A migration that the fabfile's `unregistered` leaves out; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is left out by the fabfile's unregistered(); nothing was done.\n"
            'See what is to run: ',
            Command(),
        )


class DoesNotFit(MigopyException):
    """What `check` found is not all well."""


class MigrationsManager:
    """Migrations of one database, as subtasks of a Fabric task.

    A fabfile derives a class from it, changes attributes, overrides methods or adds
    subtasks, and makes the task: `migrations = Migrations.create_task()`.

    Invariant: it wires the rooms of the house and holds no logic of theirs. All that
    it says goes through `logger`.
    """

    #: How the fabfile calls the task.
    TASK_NAME = 'migrations'

    #: Where the migrations lie: beside the fabfile, unless it is an absolute path.
    MIGRATIONS_DIRECTORY = 'mongomigrations'
    #: What a file's name is like; `migr_nr` is the number.
    MIGRATIONS_FILE_PATTERN = r'(?P<migr_nr>[0-9]+)_[a-z0-9_]+\.py'
    #: A file, beside the fabfile, that new migrations are made from.
    MIGRATION_TEMPLATE: str | None = None
    #: The collection of registered migrations; those of the lock and the history have
    #: its name with `_lock` and `_history`.
    MIGRATIONS_COLLECTION = 'migrations'
    #: Whether to execute a migration whose number is smaller than a registered one's.
    ALLOW_LATE = True

    MONGO_HOST = 'localhost'
    MONGO_PORT = 27017
    MONGO_DATABASE: str | None = None
    MONGO_USER: str | None = None
    #: The password; both names do.
    MONGO_USER_PASS: str | None = None
    MONGO_USER_PASSWORD: str | None = None
    #: The database in which the user is; by default `MONGO_DATABASE`, as in 1.0.
    MONGO_AUTH_SOURCE: str | None = None
    #: Instead of host, port and user; `embedded:<folder>` is a private server.
    MONGO_URI: str | None = None
    #: Further arguments for `MongoClient`, TLS among them.
    MONGO_CLIENT_OPTIONS: Mapping[str, Any] = {}

    #: Whether a migration runs in a transaction where its file does not say.
    TRANSACTION = False

    #: Seconds that a lock lasts without renewal, and to wait for another's lock.
    LOCK_TTL: float = 60
    LOCK_WAIT: float = 60

    #: Whether to dump the database before migrations are executed, and where to.
    DO_MONGO_DUMP = False
    MONGO_DUMP_DIRECTORY = 'mongodumps'
    #: How many of the newest dumps are kept; `None` for all.
    MONGO_DUMP_KEEP: int | None = None

    #: The project's folder on the machines that Fabric has for the task (`env.hosts`,
    #: `fab -H`): the command runs there, after `task_hook`. `None`: it runs here.
    REMOTE_DIRECTORY: str | None = None
    #: A shell command to begin with there, such as `. venv/bin/activate`.
    REMOTE_PREFIX: str | None = None

    #: What writes to the person; any object with these four methods.
    logger: Any = ColorsLogger()
    #: What makes the client.
    MongoClient: Any = pymongo.MongoClient

    def __init__(self) -> None:
        require_sound(
            {name: getattr(self, name) for name in CHECKS},
            names_given(self, MigrationsManager),
        )
        self._resources = ExitStack()
        self._listener = listen()
        #: The dump that this run has made.
        self._dump: Dump | None = None
        self._reached = False
        # As in 1.0, a new manager has its client; it connects when it is first used.
        if self._settings.database_name and self._settings.embedded_folder is None:
            self.mongo_client  # noqa: B018 - a cached property

    # The subtasks, in the order in which one needs them.

    @task(default=True)
    def show_status(self) -> None:
        """Show unregistered migrations, and what does not fit."""
        plan = self._survey()
        self._reporter.status(plan, self._unregistered_in(plan))

    @task
    def create(self, *title: str) -> None:
        """Write a new migration file with the next number.

        Example: create,add_user_index
        Quote a title with spaces for the shell, or write _ for them.
        """
        path = self._directory.create(','.join(title), self._template)
        self.logger.white_bold(os.path.relpath(path))

    @task
    def execute(
        self,
        spec_migr: str | None = None,
        *,
        to: str | None = None,
        dry_run: str | bool = 'no',
    ) -> None:
        """Execute unregistered migrations, or the one that is named.

        Example: execute,001_add_index.py
        With to=NAME those up to and with that one are executed. With dry_run=yes
        they run in a transaction that is then aborted, and what each would do is
        shown. The first one that fails ends the run; the rest has not run then.
        """
        if is_yes(dry_run, 'execute', 'dry_run'):
            return self._try_out(self._to_execute(spec_migr, to), 'up')
        with self._locked('execute', spec_migr, to):
            plan, migrations = self._to_execute(spec_migr, to)
            if not migrations:
                self._runner(plan).complete_history()
                return self._reporter.status(plan, self._unregistered_in(plan))
            with self._steps(migrations, 'up') as steps:
                self._reporter.equal_numbers(plan)
                self._reporter.late(plan, migrations)
                self._reporter.about_to('execute', migrations)
                self._prepare()
                if self.DO_MONGO_DUMP:
                    self.dbdump()
                self._run(plan, steps)
        return None

    @task
    def ignore(self, spec_migr: str | None = None) -> None:
        """Register unregistered migrations, or the one named, without running them.

        Example: ignore,001_add_index.py
        """
        with self._locked('ignore', spec_migr):
            plan = self._plan()
            migrations = self._narrowed(plan.to_ignore(spec_migr), spec_migr)
            if not migrations:
                return self._reporter.status(plan, [])
            self._prepare()
            self._runner(plan).ignore(migrations)
        return None

    @task
    def rollback(
        self,
        spec_migr: str | None = None,
        *,
        last: str | int | None = None,
        to: str | None = None,
        dry_run: str | bool = 'no',
    ) -> None:
        """Run down() of the migration that is named, and unregister it.

        Example: rollback,001_add_index.py
        With last=NUMBER those executed last are rolled back, the newest first. With
        to=NAME all that were executed after it. With dry_run=yes what each would do
        is shown and nothing is changed.
        """
        if is_yes(dry_run, 'rollback', 'dry_run'):
            return self._try_out(self._to_roll_back(spec_migr, last, to), 'down')
        with self._locked('rollback', spec_migr, to):
            plan, migrations = self._to_roll_back(spec_migr, last, to)
            if not migrations:
                return self._reporter.nothing_to_roll_back()
            with self._steps(migrations, 'down') as steps:
                self._reporter.about_to('roll back', migrations)
                self._prepare()
                self._runner(plan).run(steps)
        return None

    @task
    def check(self) -> None:
        """Show all that is not as it should be; exit status 1 if there is anything."""
        plan = self._survey()
        self._reporter.status(plan, self._unregistered_in(plan))
        if self._unregistered_in(plan) or not plan.fits:
            raise DoesNotFit('Not all is well with the migrations, see above.')

    @task
    def history(self, which: str | int | None = None) -> None:
        """Show the runs of migrations, newest last.

        Example: history,20
        A number shows that many of the last, a name those of one migration.
        """
        plan = self._survey()
        typed = '' if which is None else str(which)
        if which is None or (typed.isdecimal() and not typed.startswith('0')):
            runs = self._history.last(int(which or 0), without=plan.never_begun)
        else:
            # Of one that is neither here nor registered only the history knows.
            runs = self._runs_of(typed, plan) or self._runs_of(
                plan.name_of(typed), plan
            )
        self._reporter.history(plan, runs)

    @task
    def unlock(self) -> None:
        """Take the lock away from a command that is dead for sure."""
        robbed = self._lock.unlock()
        if robbed:
            self.logger.white_bold(f'Took the lock from {robbed}')
        else:
            self.logger.green('Nobody holds the lock')

    @task
    def dbdump(self) -> None:
        """Dump the database, as DO_MONGO_DUMP does before migrations run."""
        with self._locked('dbdump'), self._dumps() as dumps:
            self._dump = dumps.make(self.db, self.MONGO_DUMP_KEEP)
        self._reporter.dumped(self._dump)

    @task
    def dbrestore(self, name: str | None = None) -> None:
        """Bring the database back to a dump; without a name, list the dumps.

        Example: dbrestore,20261122T093000Z_mydatabase
        What was made since is dropped, the registry comes back with the data.
        """
        with self._dumps() as dumps:
            if name is None:
                return self._reporter.dumps(dumps.of(self.db.name))
            dump = dumps.find(self.db.name, name)
            with self._locked('dbrestore'):
                self._reporter.about_to_restore(dump)
                dumps.restore(self.db, dump)
        self._reporter.restored(dump)
        return None

    @task
    def help(self, subtask: str | None = None) -> None:
        """Show this help, or all about one subtask.

        Example: help,execute
        """
        if subtask is None:
            self._reporter.help(overview(self._subtasks, self._spelling))
        else:
            self._reporter.help_in_full(
                *in_full(self._subtasks.get(subtask), self._spelling)
            )

    # What a fabfile may call or override.

    def sorted(self, file_names: Iterable[str]) -> list[str]:
        """Sort names of migration files by number; raises on a name that is none."""
        return [name for _, name in self._file_names.sorted(file_names)]

    def unregistered(self) -> list[str]:
        """List the names of migrations that are not registered, in order.

        An override narrows what `execute` and `ignore` take.
        """
        return [each.name for each in self._plan(unsettled=False).unregistered]

    def tasks(self, manager: MigrationsManager | None = None) -> Iterator[Any]:
        """Iterate over the bound subtasks of `manager`, or of this one."""
        return iter((manager or self)._subtasks)

    @classmethod
    def create_task(cls) -> Callable[..., Any]:
        """Make the function for the fabfile; this is what imports Fabric."""
        from migopy.face import fab as fabtask

        # A client that the rest of the fabfile makes is to be heard as well.
        listen()
        return fabtask.create(cls)

    @classmethod
    def task_hook(cls, subtask: str | None, option: str | None) -> None:
        """Do something before each subtask; `option` is the text that was typed."""

    @classmethod
    def fab_command(cls, subtask: str | None = None, option: str | None = None) -> str:
        """Give the command that runs a subtask, quoted for a remote shell."""
        return command_line(cls.TASK_NAME, subtask, option)

    # What the task calls.

    @property
    def reported(self) -> BaseException | None:
        """Give the error that the person has been told, if it was the last."""
        return self._reporter.told

    def perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        """Run a subtask by its name, the default one for none.

        Errors of PyMongo come out as a `MigopyException` that says what to do.
        """
        try:
            method = self._subtasks.get(subtask) if subtask else self._subtasks.default
            with told_by(self.logger):
                return call(method, subtask or method.__name__, values, options)
        except PyMongoError as error:
            if error is self.reported:
                raise
            client = vars(self).get('mongo_client')
            raise explained(error, self._settings, client) from error

    def disconnect(self) -> None:
        """Close the client, and stop a server that was started for it."""
        self._resources.close()

    # The rooms, each with this manager's settings.

    @cached_property
    def mongo_client(self) -> Any:
        """Connect to the server."""
        place, options = self._connection
        # Not bound, where a fabfile puts a plain function there.
        make = vars(self).get('MongoClient') or type(self).MongoClient
        before = ObjectId()
        try:
            client = make(*place, **options)
        # OSError: of a certificate's file, say.
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise explained(error, self._settings) from error
        if is_made_for_us(client, make, before):
            self._resources.callback(client.close)
        return client

    @cached_property
    def db(self) -> Database[Document]:
        """Give the database, as migrations get it."""
        name = self._settings.database_name
        if not name:
            raise NoDatabase
        return legacy_database(self.mongo_client, name, self.logger.white)

    @cached_property
    def collection(self) -> Collection[Document]:
        """Give the collection of registered migrations."""
        return self.db[self.MIGRATIONS_COLLECTION]

    @property
    def _settings(self) -> Settings:
        return Settings(
            host=self.MONGO_HOST or 'localhost',
            port=self.MONGO_PORT,
            database=self.MONGO_DATABASE,
            user=self.MONGO_USER,
            password=self.MONGO_USER_PASS or self.MONGO_USER_PASSWORD,
            uri=self.MONGO_URI,
            auth_source=self.MONGO_AUTH_SOURCE,
            options=self.MONGO_CLIENT_OPTIONS,
        )

    @cached_property
    def _connection(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments for a client, of a server that runs."""
        settings = self._settings
        place, options = settings.arguments()
        if settings.embedded_folder is not None:
            from migopy.server.embedded import PrivateMongod

            folder = Path(self._base, settings.embedded_folder)
            place = [self._resources.enter_context(PrivateMongod(folder).running())]
            # In plain Python nobody else may end it.
            atexit.register(self.disconnect)
        return place, options

    @property
    def _base(self) -> str:
        return project_directory(type(self))

    @property
    def _file_names(self) -> FileNames:
        return FileNames(self.MIGRATIONS_FILE_PATTERN)

    @cached_property
    def _directory(self) -> Directory:
        return Directory(self._base, self.MIGRATIONS_DIRECTORY, self._file_names)

    @property
    def _registry(self) -> Registry:
        return Registry(self._own(self.collection))

    @property
    def _history(self) -> History:
        return History(self._beside('history'))

    @cached_property
    def _lock(self) -> Lock:
        return Lock(self._beside('lock'), self.LOCK_TTL, self._listener.own_work)

    @cached_property
    def _reporter(self) -> Reporter:
        database = self._settings.database_name or ''
        return Reporter(self.logger, self._spelling, database)

    @property
    def _spelling(self) -> Spelling:
        return FabSpelling(self.TASK_NAME)

    @property
    def _subtasks(self) -> Subtasks:
        return Subtasks(self, MigrationsManager)

    def _beside(self, suffix: str) -> Collection[Document]:
        name = f'{self.collection.name}_{suffix}'
        return self._own(self.collection.database[name])

    def _own(self, collection: Collection[Document]) -> Collection[Document]:
        if not self._reached:
            await_first_contact(self.mongo_client, self._settings)
            self._reached = True
        return own_collection(collection)

    def _runner(self, plan: Plan) -> Runner:
        from migopy.run.runner import Runner

        return Runner(
            db=self.db,
            lock=self._lock,
            registry=self._registry,
            history=self._history,
            plan=plan,
            listener=self._listener,
            observer=self._reporter,
            version=VERSION,
        )

    def _to_execute(
        self, name: str | None, to: str | None
    ) -> tuple[Plan, list[Migration]]:
        only_one('execute', {'a name': name, 'to=': to})
        plan = self._plan()
        return plan, self._narrowed(plan.to_execute(name, self.ALLOW_LATE, to), name)

    def _to_roll_back(
        self, name: str | None, last: str | int | None, to: str | None
    ) -> tuple[Plan, list[Migration]]:
        only_one('rollback', {'a name': name, 'last=': last, 'to=': to})
        plan = self._plan()
        if last is not None:
            return plan, plan.to_roll_back_last(number(last, 'rollback', 'last'))
        if to is not None:
            return plan, plan.to_roll_back_to(to)
        if name is None:
            raise NameNeeded(plan.last_executed)
        return plan, [plan.to_rollback(name)]

    @contextmanager
    def _steps(
        self, migrations: list[Migration], direction: str
    ) -> Iterator[list[Step]]:
        """Import all that is going to run, before the first one does."""
        from migopy.run.runner import Step

        with self._directory.importable(), told_by(self.logger):
            steps: list[Step] = []
            for migration in migrations:
                loaded = migration.load(self._directory.package)
                step = Step.of(loaded, direction, self.TRANSACTION)
                steps.append(step if len(steps) < MODULES else step.released())
            for step in steps:
                if step.in_transaction:
                    require_transactions(self.db.client, step.name)
                    break
            yield steps

    def _try_out(self, selected: tuple[Plan, list[Migration]], direction: str) -> None:
        plan, migrations = selected
        holder = self._lock.holder()
        if holder:
            raise Locked(holder, waited=0)
        if not migrations:
            return self._reporter.nothing_to_try()
        require_transactions(self.db.client, 'A dry run')
        with self._steps(migrations, direction) as steps:
            self._runner(plan).try_out(steps)
        self.logger.green('Dry run: nothing was changed')
        return None

    def _run(self, plan: Plan, steps: list[Step]) -> None:
        try:
            self._runner(plan).run(steps)
        except BaseException:
            if self._dump:
                self._reporter.way_back(self._dump)
            raise

    @contextmanager
    def _locked(self, subtask: str, *names: str | None) -> Iterator[None]:
        """Hold the lock, which a subtask that another one calls holds already.

        Of names that fit nothing one hears before it is waited for.
        """
        if self._lock.is_held:
            yield
            return
        self._require_known([name for name in names if name is not None])
        with self._lock.held(subtask, self.LOCK_WAIT, self._reporter.waiting):
            yield

    @contextmanager
    def _dumps(self) -> Iterator[Dumps]:
        from migopy.dumps.dumps import Dumps
        from migopy.dumps.tools import Connection

        place, options = self._connection
        with told_by(self.logger), meter() as progress:
            yield Dumps(
                Path(self._base, self.MONGO_DUMP_DIRECTORY),
                Connection(*place, **options),
                apart={self._lock.collection.name},
                say=self.logger.white,
                progress=progress,
            )

    def _require_known(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                Plan(self._directory.migrations()).find(name)
            except UnknownMigration:
                # It may be that of a file which is gone.
                self._plan().find(name)

    def _plan(self, unsettled: bool = True) -> Plan:
        """Read the files and the registry: what a command needs that changes them."""
        migrations = self._directory.migrations()
        # In this order: a run that ends well meanwhile is in the registry then.
        runs = self._history.unsettled() if unsettled else []
        holder = self._lock.holder() if runs else None
        return Plan(migrations, self._registry.records(), runs=runs, holder=holder)

    def _survey(self) -> Plan:
        """Read all there is to know, for a person who looks."""
        plan = self._plan()
        return replace(plan, checksums=dict(self._changed(plan)))

    def _changed(self, plan: Plan) -> Iterator[tuple[str, str]]:
        # Of ten thousand files only those are kept that somebody will hear of.
        for migration in plan.with_checksum:
            checksum = migration.checksum()
            if checksum != plan.registered[migration.name].checksum:
                yield migration.name, checksum

    def _runs_of(self, name: str, plan: Plan) -> list[Run]:
        return self._history.last(name=name, without=plan.never_begun)

    def _unregistered_in(self, plan: Plan) -> list[str]:
        return [each.name for each in self._narrowed(plan.unregistered)]

    def _narrowed(
        self, migrations: list[Migration], name: str | None = None
    ) -> list[Migration]:
        """Leave out what an override of `unregistered` does.

        Raises `LeftOut` where that is the one named.
        """
        if getattr(self.unregistered, '__func__', None) is _UNREGISTERED:
            return migrations
        wanted = set(self.unregistered())
        narrowed = [each for each in migrations if each.name in wanted]
        if name is not None and not narrowed:
            raise LeftOut(migrations[0].name)
        return narrowed

    def _prepare(self) -> None:
        self._history.prepare()
        for warning in self._registry.prepare():
            self.logger.white(warning)

    @property
    def _template(self) -> str:
        if self.MIGRATION_TEMPLATE is None:
            return TEMPLATE
        return read_template(os.path.join(self._base, self.MIGRATION_TEMPLATE))


_UNREGISTERED = MigrationsManager.unregistered
