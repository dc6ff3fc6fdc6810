"""The answers of commands that show something, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from migopy.commands import Command, Spelling
from migopy.run import Entry, OpenRuns, Plan
from migopy.state import Holder, Run
from migopy.tell.images import of_kept
from migopy.tell.json_data import (
    of_adoption,
    of_dump,
    of_entry,
    of_holder,
    of_problem,
    of_run,
    of_status,
)
from migopy.tell.json_lines import Lines
from migopy.tell.kept_dumps import KeptDumps
from migopy.tell.report import Report
from migopy.tell.voice import Voice

if TYPE_CHECKING:
    from migopy.dumps import Dump
    from migopy.preflight import Finding
    from migopy.run import Adoption, Problem
    from migopy.tell.steering import Steered
    from migopy.tell.watching import Viewer
    from migopy.undo import ImageSet


class JsonReport(Report):
    """Keeps what was asked for, for the last line of JSON, and shows it as well.

    Invariant: what it shows goes to a person, on stderr; the line has the same, as
    data.
    """

    def __init__(self, lines: Lines, voice: Voice, spelling: Spelling) -> None:
        super().__init__(voice, spelling)
        self._lines = lines

    def status(
        self, plan: Plan, pending: Sequence[str], back: Dump | None = None
    ) -> None:
        """Answer what is pending, then what does not fit."""
        super().status(plan, pending, back)
        status = of_status(plan, pending, self._spelling)
        status['way_back'] = None if back is None else of_dump(back)
        self._lines.answer(status=status)

    def problems(self, count: int, problems: Sequence[Problem], form: str) -> None:
        """Answer what is wrong with files."""
        super().problems(count, problems, form)
        found = [of_problem(each, self._spelling) for each in problems]
        self._lines.answer(files=count, problems=found)

    def planned(
        self, paths: Sequence[str], names: Sequence[str], replaces: bool
    ) -> None:
        """Answer which files a plan is in."""
        super().planned(paths, names, replaces)
        self._lines.answer(plan={'files': list(paths), 'migrations': list(names)})

    def foreseen(
        self, names: Sequence[str], findings: Sequence[Finding], form: str
    ) -> None:
        """Answer what a look before a run has found."""
        super().foreseen(names, findings, form)
        found = [each.as_document() for each in findings]
        self._lines.answer(migrations=list(names), findings=found)

    def history(self, open_runs: OpenRuns, runs: Iterable[Run]) -> None:
        """Answer runs, in the order given."""
        told = partial(of_run, open_runs)
        super().history(open_runs, self._lines.answer_each('history', runs, told))

    def listing(
        self, entries: Sequence[Entry], plan: Plan, pending: Sequence[str]
    ) -> None:
        """Answer every migration in order."""
        super().listing(entries, plan, pending)
        self._lines.answer(list=[of_entry(each) for each in entries])

    def settings(self, rows: Iterable[Sequence[str]]) -> None:
        """Answer settings, with no secret in them."""
        rows = list(rows)
        super().settings(rows)
        self._lines.answer(
            settings=[
                {'name': name, 'value': value, 'from': where}
                for name, value, where in rows
            ]
        )

    def help(self, title: str, lines: Iterable[str]) -> None:
        """Answer lines about commands."""
        lines = list(lines)
        super().help(title, lines)
        self._lines.answer(help={'title': title, 'lines': lines})

    def adoptions(self, found: Sequence[Adoption], register: Command | None) -> None:
        """Answer which records of other tools belong to which files."""
        super().adoptions(found, register)
        self._lines.answer(adoptions=[of_adoption(each) for each in found])

    def created(self, path: str) -> None:
        """Answer where a new migration's file is."""
        super().created(path)
        self._lines.answer(created=path)

    def unlocked(self, holder: Holder | None) -> None:
        """Answer from whom the lock was taken."""
        super().unlocked(holder)
        self._lines.answer(unlocked=of_holder(holder) if holder else None)

    def images(self, kept: Sequence[ImageSet]) -> None:
        """Answer which migrations have images, the oldest first."""
        super().images(kept)
        self._lines.answer(images=[of_kept(each) for each in kept])

    def viewer(self) -> Viewer:
        """Give what tells, and shows, a command that runs elsewhere."""
        from migopy.tell.json_watching import JsonViewer

        return JsonViewer(self._lines, self._voice, self._spelling)

    def steered(self, steered: Steered) -> None:
        """Answer what came of steering a command that runs elsewhere."""
        from migopy.tell.json_watching import of_doing

        super().steered(steered)
        run = steered.run
        self._lines.answer(
            steered={
                'command': steered.command,
                'is_heard': steered.is_heard,
                'doing': of_doing(steered.doing),
                'run': of_run(None, run) if run else None,
            }
        )

    def dumped(self, dump: Dump) -> None:
        """Answer where a dump is."""
        super().dumped(dump)
        self._lines.answer(dump=of_dump(dump))

    def dumps(self, kept: KeptDumps) -> None:
        """Answer which dumps there are, the oldest first."""
        super().dumps(kept)
        self._lines.answer(dumps=[of_dump(dump) for dump in kept.dumps])
