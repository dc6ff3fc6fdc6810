"""The table of commands: `MigrationsManager`, which a fabfile derives from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from migopy.face import file_of, in_full, is_yes, overview, task
from migopy.operations import (
    DryRun,
    Order,
    order_down,
    order_up,
    pending,
    wanted_dry_run,
)
from migopy.origins import shown
from migopy.table import (
    Background,
    Dumps,
    Files,
    Images,
    Previews,
    Records,
    Rehearsals,
    Status,
    Steering,
)

if TYPE_CHECKING:
    from migopy.operations import agreed_plan


class MigrationsManager(
    Background,
    Dumps,
    Files,
    Previews,
    Records,
    Rehearsals,
    Status,
    Steering,
    Images,
):
    """Migrations of one database, as commands of a Fabric task.

    A fabfile derives a class from it, changes attributes, overrides methods or adds
    commands, and makes the task: `migrations = Migrations.create_task()`.

    Invariant: it is the table of commands, of which it has those that run migrations;
    the others are in `table`, by what they are for. Its settings are in `Defaults`, and
    what else can be overridden is in `Overridable`. The work is done by its site and
    `operations`, and all that it says goes through `logger`.
    """

    @task
    def execute(
        self,
        spec_migr: str | None = None,
        *,
        to: str | None = None,
        phase: str | None = None,
        wait: str | bool = 'no',
        dry_run: str | bool = 'no',
        show: str | int | None = None,
        preflight: str | None = None,
        plan: str | None = None,
    ) -> None:
        """Execute unregistered migrations, or the one that is named.

        Example: execute,001_add_index.py
        With to=NAME all up to and including that one are executed. phase=before (or
        after) takes those that are to run before (or after) the new code. With wait=yes
        it waits for what they need and a worker still runs. With dry_run=yes they run
        in a transaction that is then aborted, and what each would do is shown. With
        show=5 the first five documents that each would change are shown as well. The
        first one that fails ends the run; those after it are not run. preflight=yes
        looks ahead first and stops at a problem; preflight=no does not, whatever the
        fabfile's PREFLIGHT is. With plan=FILE only what that says is run.
        """
        waits = is_yes(wait, 'execute', 'wait')
        if plan is not None:
            typed = {'a name': spec_migr, 'to': to, 'phase': phase, 'show': show}
            return self._execute_plan(
                plan, {**typed, 'dry_run': dry_run}, waits, preflight
            )
        wanted = wanted_dry_run('execute', dry_run, show)
        in_trial = wanted is not None
        order = order_up(self, 'execute', spec_migr, to, phase, in_trial, waits)
        if wanted is not None:
            return self._dry_run(order, wanted)
        return self._execute(order, preflight)

    @task
    def ignore(
        self,
        spec_migr: str | None = None,
        *,
        to: str | None = None,
        yes: str | bool = 'no',
    ) -> None:
        """Register unregistered migrations, or the one named, without running them.

        Example: ignore,001_add_index.py
        With to=NAME all up to and including that one are registered. On a terminal it
        asks before several, unless yes=yes.
        """
        from migopy.operations import executing

        order = order_up(self, 'ignore', spec_migr, to)
        asking = self._asking(yes, 'ignore')
        plan = executing.ignore(self._site, order, self._observer, asking)
        if plan is not None:
            self._report.status(plan, pending(self, plan))

    @task
    def rollback(
        self,
        spec_migr: str | None = None,
        *,
        last: str | int | None = None,
        to: str | None = None,
        force: str | bool = 'no',
        dry_run: str | bool = 'no',
        show: str | int | None = None,
        undo: str | bool | None = None,
        conflicts: str = 'stop',
        yes: str | bool = 'no',
    ) -> None:
        """Run down() of the migration that is named, and unregister it.

        Example: rollback,001_add_index.py
        With last=NUMBER those that ran last are rolled back, the newest first; with
        to=NAME all that ran after it. dry_run=yes shows what each would do; show=5
        shows the first five documents, too. Without a down() documents are restored
        from images, if the file has undo = True; undo=yes restores from images even
        where there is a down(), undo=no never. What others have changed since stops it
        (conflicts=stop). conflicts=keep leaves those documents as they are;
        conflicts=theirs restores in them the fields that nobody else has changed, which
        may not fit the others; conflicts=ours restores all of them. With force=yes the
        one named need not be applied. On a terminal it asks before several, and before
        one that others ran after, unless yes=yes.
        """
        forced = is_yes(force, 'rollback', 'force')
        order = order_down(self, spec_migr, last, to, forced, undo, conflicts)
        wanted = wanted_dry_run('rollback', dry_run, show)
        if wanted is not None:
            return self._dry_run(order, wanted)
        from migopy.operations import rolling_back

        asking = self._asking(yes, 'rollback')
        if not rolling_back.roll_back(self._site, order, self._observer, asking):
            self._report.nothing_to_roll_back()
        return None

    @task
    def verify(self, name: str | None = None) -> None:
        """Check applied migrations, each by its own verify.

        Example: verify,001_add_index.py
        Calls verify(db) of each file that has one. Exit status 1 if one of them fails.
        """
        from migopy.operations import verification

        if not verification.verify(self._site, name, self._observer):
            self._report.nothing_to_verify()

    @task
    def unlock(
        self,
        *,
        force: str | bool = 'no',
        worker: str | bool = 'no',
        yes: str | bool = 'no',
    ) -> None:
        """Take the lock away from a command that is certainly gone.

        With force=yes also from one that seems to be running. worker=yes takes the lock
        of `work`. On a terminal it shows whose it is and asks, unless yes=yes.
        """
        from migopy.operations import unlocking

        forced = is_yes(force, 'unlock', 'force')
        of_worker = is_yes(worker, 'unlock', 'worker')
        asking = self._asking(yes, 'unlock')
        self._report.unlocked(unlocking.unlock(self._site, forced, of_worker, asking))

    @task
    def settings(self) -> None:
        """Show each setting, and where it comes from."""
        self._report.settings(shown(self))

    @task
    def help(self, subtask: str | None = None) -> None:
        """Show this help, or all about one command.

        Example: help,execute
        """
        if subtask is None:
            return self._report.help('', overview(self._subtasks, self._spelling))
        shown = in_full(self._subtasks, str(subtask), self._spelling)
        return self._report.help(*shown)

    # What `execute` and `rollback` do.

    def _dry_run(self, order: Order, wanted: DryRun) -> None:
        from migopy.operations import dry_running

        dry_running.dry_run(self._site, order, self._observer, wanted.show)

    def _execute_plan(
        self, path: str, typed: Mapping[str, object], waits: bool, preflight: str | None
    ) -> None:
        from migopy.operations import agreed_plan

        agreed_plan.require_alone(path, typed)
        of_many = '' if self._of_many is None else self._of_many.title
        agreed = agreed_plan.read(file_of(path, 'execute', 'plan'), of_many)
        order = agreed_plan.order_of(self, agreed, waits)
        self._execute(order, preflight, agreed)

    def _execute(
        self,
        order: Order,
        preflight: str | None,
        agreed: agreed_plan.AgreedPlan | None = None,
    ) -> None:
        from migopy.operations import executing

        dump = self.dbdump if self.DO_MONGO_DUMP else None
        ahead = self.PREFLIGHT if preflight is None else preflight
        looks = is_yes(ahead, 'execute', 'preflight')
        plan = executing.execute(self._site, order, self._observer, dump, looks, agreed)
        if plan is not None:
            self._report.status(plan, pending(self, plan))
