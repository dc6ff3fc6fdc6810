"""What a fabfile may call or override, beside settings and commands."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from migopy.face import original
from migopy.files import FileNames, Functions, functions_of
from migopy.manager_class import ManagerClass
from migopy.run import MigrationInfo, MigrationOutcome, RunOutcome
from migopy.site import Site


class Overridable(ManagerClass):
    """The methods of a manager that are no commands and are there to be overridden.

    Invariant: as they stand here, the hooks do nothing, and the others tell what the
    files and the database say.
    """

    #: What `Wiring` makes.
    _site: Site

    @original
    def sorted(self, file_names: Iterable[str]) -> list[str]:
        """Sort names of migration files by number; raises for any other name.

        An override has to give the same order, as numbers tell what is late.
        """
        names = FileNames(self.MIGRATIONS_FILE_PATTERN, self.MIGRATIONS_HELPERS)
        return [name for _, name in names.sorted(file_names)]

    @original
    def unregistered(self) -> list[str]:
        """List the names of migrations that are not registered, in order.

        An override narrows what `execute` and `ignore` take.
        """
        return [each.name for each in self._site.plan(unsettled=False).unregistered]

    @original
    def databases(self) -> Iterable[Any]:
        """List the databases that the migrations are for, if there are many.

        By default these are `MONGO_DATABASES`. An override gives names, patterns, or
        pairs of a name and a dict of settings (`MONGO_URI`, …) for that one alone. Each
        command calls it again.
        """
        return self.MONGO_DATABASES or []

    def migration_functions(self, module: ModuleType) -> Functions:
        """Give the functions of a migration's module by name: `up`, `down` and so on.

        An override takes files of a shape of one's own; the names are migopy's, the
        functions take a database. Raises what `functions_of` does.
        """
        return functions_of(module)

    @classmethod
    def task_hook(cls, subtask: str | None, option: str | None) -> None:
        """Do something before each command; `option` is the text that was typed."""

    def before_migration(self, migration: MigrationInfo) -> None:
        """Do something before each migration that `execute` or `rollback` runs."""

    def after_migration(
        self, migration: MigrationInfo, outcome: MigrationOutcome
    ) -> None:
        """Do something after each of them, however it ended."""

    def after_run(self, outcome: RunOutcome) -> None:
        """Do something after a command that ran any, when its lock is free."""
