"""The commands that look ahead, and run nothing for good."""

from __future__ import annotations

from migopy.commands import Option
from migopy.face import WrongOptions, file_of, help_command, is_yes, one_of, task
from migopy.operations import order_up
from migopy.wiring import Wiring


class Previews(Wiring):
    """The part of the table of commands that tells what would be.

    Invariant: none of these changes a database.
    """

    @task
    def preflight(
        self,
        name: str | None = None,
        *,
        to: str | None = None,
        format: str = 'text',
    ) -> None:
        """Show what to know before migrations run; fail if there is a problem.

        Example: preflight,001_add_index.py
        Looks at all that is pending, at the one named, or with to=NAME at those up to
        that one: tries them as a dry run does, asks the server about what they would
        send, and reads their files. Nothing is changed. A comment
        `# migopy: allow=RULE why` on a line silences a finding there. format=json and
        format=github are for machines.
        """
        from migopy.operations import preflighting

        form = one_of(format, ('text', 'github', 'json'), 'preflight', 'format')
        order = order_up(self, 'preflight', name, to, in_trial=True)
        foreseen = preflighting.preflight(self._site, order, self._observer)
        self._report.foreseen(foreseen.names, foreseen.findings, form)
        foreseen.require_none_grave()

    @task
    def plan(
        self,
        name: str | None = None,
        *,
        to: str | None = None,
        file: str = 'plan.json',
        values: str | bool = 'no',
    ) -> None:
        """Write down what would run, for somebody to agree to.

        Example: plan,file=ticket-17.json
        A dry run tells it: each command, what it would do, what preflight finds, and
        the checksums of the files. The same stands beside it as a page, in .md.
        The command execute with that file as its plan runs that and nothing else.
        values=yes shows values, too, which may be personal data. Nothing is changed.
        """
        from migopy.operations import agreed_plan, planning

        shows_values = is_yes(values, 'plan', 'values')
        if not file:
            said = Option('file'), ' needs a value; nothing was done'
            raise WrongOptions('plan', *said, help_command('plan'))
        path = file_of(file, 'plan', 'file')
        order = order_up(self, 'plan', name, to, in_trial=True)
        paths = agreed_plan.paths_of(
            path, '' if self._of_many is None else self._of_many.title
        )
        made, foreseen = planning.make(self._site, order, self._observer, shows_values)
        self._report.foreseen(foreseen.names, foreseen.findings, 'text')
        replaces = planning.write(made, paths)
        self._report.planned(paths, foreseen.names, replaces)
