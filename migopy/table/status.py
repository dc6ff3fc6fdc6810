"""The commands that show what is pending, applied or wrong, and what has run."""

from __future__ import annotations

from migopy.commands import Command, Option
from migopy.face import WrongOptions, is_yes, one_of, task
from migopy.operations import DoesNotFit, pending
from migopy.run import Plan, listing
from migopy.wiring import Wiring


class Status(Wiring):
    """The part of the table of commands that shows where a database stands.

    Invariant: none of these changes anything.
    """

    @task(default=True)
    def show_status(self) -> None:
        """Show unregistered migrations, and what does not fit."""
        plan = self._site.survey()
        self._show_with_way_back(plan)

    @task
    def list(self) -> None:
        """Show every migration: its state, when, how long and by whom."""
        plan = self._site.survey(in_full=True)
        waiting = pending(self, plan)
        self._report.listing(listing(plan, waiting), plan, waiting)

    @task
    def check(
        self,
        *,
        phase: str | None = None,
        offline: str | bool = 'no',
        format: str = 'text',
    ) -> None:
        """Show all that is not as it should be; fail if there is anything.

        Example: check,offline=yes
        With offline=yes only the files are looked at, without a database: that all
        can be imported and have an up, names that fit, numbers that are unique.
        format=github tells it in annotations of GitHub Actions. With phase=before what
        is pending for later phases is no reason to fail.
        """
        form = one_of(format, ('text', 'github'), 'check', 'format')
        if is_yes(offline, 'check', 'offline'):
            return self._check_files(form)
        if form != 'text':
            again = Command('check', offline='yes', format=form)
            said = Option('format', form), ' is of the files alone; nothing was done'
            raise WrongOptions('check', *said, again)
        plan = self._site.survey()
        wanted = pending(self, plan, phase)
        self._show_with_way_back(plan)
        if self._tell_unparsable(plan) or wanted or not plan.fits:
            raise DoesNotFit('Some migrations need attention, see above.')
        return None

    @task
    def history(self, which: str | int | None = None) -> None:
        """Show the runs of migrations, newest last.

        Example: history,20
        A number shows that many of the last, a name those of one migration.
        """
        runs = self._site.runs('' if which is None else str(which))
        self._report.history(*runs)

    def _show_with_way_back(self, plan: Plan) -> None:
        waiting = pending(self, plan)
        back = None
        if plan.to_settle:
            from migopy.operations import ways_back

            back = ways_back.way_back(self._site, plan.to_settle)
        elif waiting and not plan.records:
            from migopy.operations import ways_back

            back = ways_back.of_what_was(self._site, plan)
        self._report.status(plan, waiting, back)

    def _tell_unparsable(self, plan: Plan) -> bool:
        from migopy.run import unparsable

        problems = unparsable(plan.unregistered)
        if problems:
            self._report.problems(len(problems), problems, 'text')
        return bool(problems)

    def _check_files(self, form: str) -> None:
        from migopy.run import inspect

        count, problems = inspect(self._site.directory, self.TRANSACTION)
        self._report.problems(count, problems, form)
        if problems:
            raise DoesNotFit('Some files of migrations need attention, see above.')
