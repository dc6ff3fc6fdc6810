"""The plugin of pytest: fixtures, and a test of each migration with `--migopy`.

Pytest loads it wherever migopy is installed, so it imports nothing of migopy before a
test needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from migopy.testing.folder import folder_of_run, remove

if TYPE_CHECKING:
    from migopy.testing.migrations import Migrations

#: What a process of pytest-xdist is told of the server's folder.
FOLDER = 'migopy_folder'

#: The setting that names the manager, and with `--migopy` the one in its file.
INI = 'migopy_manager'

#: What is said where `--migopy` tests nothing.
NOTHING = (
    '--migopy has made no test: name the file of the manager, as in:'
    ' pytest --migopy fabfile.py'
)

#: What a process keeps: the server's folder, what ends with the run, and for checks the
#: migrations of each manager.
SERVER_FOLDER = pytest.StashKey[Path]()
OPENED = pytest.StashKey[ExitStack]()
MIGRATIONS = pytest.StashKey['dict[Any, Migrations]']()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting."""
    group = parser.getgroup('migopy', 'MongoDB migrations')
    group.addoption(
        '--migopy',
        action='store_true',
        help='make a test of each migration of the manager in a file that is named,'
        ' as in: pytest --migopy fabfile.py',
    )
    parser.addini(INI, 'the manager for tests of migrations: FILE.py:CLASS', default='')


def pytest_load_initial_conftests(args: list[str]) -> None:
    """Hear the clients that a project's files make, where migrations are checked."""
    if '--migopy' in args:
        from migopy.effects import listen

        listen()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist which server all of them have."""
    node.workerinput[FOLDER] = str(_folder(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of the server, once no process needs it."""
    if OPENED in config.stash:
        config.stash[OPENED].close()
    if SERVER_FOLDER in config.stash:
        remove(config.stash[SERVER_FOLDER])


@pytest.fixture(scope='session')
def migopy_server(pytestconfig: pytest.Config) -> Iterator[str]:
    """Give the URI of a private MongoDB server, one for all processes of this run."""
    from migopy.testing.server import server_in

    with server_in(_folder(pytestconfig)) as uri:
        yield uri


@pytest.fixture(scope='session')
def _migopy_project(
    migopy_server: str, pytestconfig: pytest.Config
) -> Iterator[Migrations]:
    from migopy.testing.migrations import Migrations

    migrations = Migrations(migopy_server, _manager(pytestconfig))
    yield migrations
    migrations.close()


@pytest.fixture
def migopy_db(migopy_server: str) -> Iterator[Any]:
    """Give an empty database of a private server, dropped afterwards."""
    import uuid

    from pymongo import MongoClient

    client: MongoClient[Any]
    with MongoClient(migopy_server) as client:
        name = f'migopy_test_{uuid.uuid4().hex}'
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def migrations(_migopy_project: Migrations) -> Iterator[Migrations]:
    """Give the project's migrations, on databases that are dropped afterwards.

    `migrations(at='003')` gives one in which all up to that one have run.
    """
    yield _migopy_project
    _migopy_project.drop()


@pytest.hookimpl(hookwrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    """Make tests of the migrations of a file that was named, and no others of it."""
    outcome: Any = yield
    config = parent.config
    is_named = config.getoption('--migopy') and parent.session.isinitpath(file_path)
    if is_named and 'MigrationsManager' in file_path.read_text('utf-8', 'replace'):
        made = MigrationsFile.from_parent(parent, path=file_path)
        outcome.force_result([made])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Warn where `--migopy` makes no test, as where no file is named."""
    if not config.getoption('--migopy'):
        return
    if not any(isinstance(each, MigrationItem) for each in items):
        warnings.warn(pytest.PytestWarning(NOTHING), stacklevel=1)


class MigrationsFile(pytest.File):
    """The file of a manager, with a test of each migration."""

    def collect(self) -> Iterator[pytest.Item]:
        """List the tests, in the order of the migrations."""
        from migopy.errors import MigopyException
        from migopy.testing.projects import manager_of, names_of

        try:
            manager = manager_of(self._which())
            names = names_of(manager)
        except MigopyException as error:
            raise self.CollectError(str(error)) from error
        for name in names:
            yield MigrationItem.from_parent(self, name=name, manager=manager)

    def _which(self) -> str:
        """Name the manager in this file: pytest's settings may say which of several."""
        path, named = str(self.path), _manager(self.config) or ''
        return named if named.startswith(f'{path}:') else path


class MigrationItem(pytest.Item):
    """The test of one migration: imported, run up, down and up, and compared."""

    def __init__(self, *, manager: Any, **given: Any) -> None:
        """Take the manager whose migration it is."""
        super().__init__(**given)
        self._manager = manager

    def runtest(self) -> None:
        """Check the migration on its fixtures."""
        _migrations_of(self._manager, self.config).check(self.name)

    def teardown(self) -> None:
        """Drop what it had."""
        _migrations_of(self._manager, self.config).drop()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Say what a rehearsal says, without the way there through migopy."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the migration."""
        return self.path, 0, f'migration {self.name}'


def _migrations_of(manager: Any, config: pytest.Config) -> Migrations:
    """Give the migrations of a manager, on a server that ends with the run."""
    from migopy.testing.migrations import Migrations
    from migopy.testing.server import server_in

    opened = config.stash.setdefault(OPENED, ExitStack())
    known = config.stash.setdefault(MIGRATIONS, {})
    if manager not in known:
        uri = opened.enter_context(server_in(_folder(config)))
        known[manager] = Migrations(uri, manager)
        opened.callback(known[manager].close)
    return known[manager]


def _folder(config: pytest.Config) -> Path:
    """Give the folder of the run's server, the same in all of its processes."""
    given = getattr(config, 'workerinput', {}).get(FOLDER)
    if given is not None:
        return Path(given)
    if SERVER_FOLDER not in config.stash:
        config.stash[SERVER_FOLDER] = folder_of_run()
    return config.stash[SERVER_FOLDER]


def _manager(config: pytest.Config) -> str | None:
    """Give the manager that pytest's settings name, if they do."""
    named = str(config.getini(INI))
    return str(config.rootpath / named) if named else None
