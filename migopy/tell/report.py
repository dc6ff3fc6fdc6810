"""The answers of commands that show something: status, history, dumps, help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from migopy.commands import Command, Part, Spelling, Where, spelled
from migopy.errors import MOST, enumerated
from migopy.run import Entry, OpenRuns, Plan, by_migration, describe, ways_on
from migopy.state import Holder, Run
from migopy.tell.adoptions import row_of
from migopy.tell.amounts import size
from migopy.tell.kept_dumps import KeptDumps, tell_back, tell_dumps
from migopy.tell.narrator import tell_equal_numbers
from migopy.tell.pending import (
    how_to_begin,
    state_of,
    tell_changed,
    tell_elsewhere,
    tell_listed,
    tell_pending,
    tell_wrong,
)
from migopy.tell.runs import attempt_now, tell_runs, watching
from migopy.tell.voice import Voice
from migopy.terminal import duration, table, table_rows
from migopy.texts import counted

if TYPE_CHECKING:
    from migopy.dumps import Dump
    from migopy.preflight import Finding
    from migopy.run import Adoption, Problem
    from migopy.tell.steering import Steered
    from migopy.tell.watching import Viewer
    from migopy.undo import ImageSet


#: How many records of another tool are shown.
MOST_RECORDS = 50


class Report:
    """Shows what was asked for, through a manager's voice.

    Invariant: it decides nothing and reads nothing but what it is given.
    """

    def __init__(self, voice: Voice, spelling: Spelling) -> None:
        self._voice = voice
        self._spelling = spelling

    def status(
        self, plan: Plan, pending: Sequence[str], back: Dump | None = None
    ) -> None:
        """Show 1.0's list of what has not run, then what does not fit.

        `back` is the dump from before what is unfinished, or before all was gone.
        """
        if pending:
            tell_pending(self._voice, self._spelling, plan, pending)
        else:
            self._voice.green('All migrations registered')
            tell_wrong(self._voice, self._spelling, plan)
            if not plan.migrations and not plan.records:
                self._say('To write the first one: ', Command('create', 'what_it_does'))
        self._what_does_not_fit(plan)
        if back is not None:
            tell_back(self._voice, self._spelling, plan, back)

    def _what_does_not_fit(self, plan: Plan) -> None:
        tell_elsewhere(self._voice, self._spelling, plan)
        self._section(
            'Late (a higher number is registered already):',
            [each.name for each in plan.late],
        )
        self._section('Changed since executed:', plan.changed)
        if plan.changed:
            tell_changed(self._voice, self._spelling, plan)
        self._section('Missing (registered, but there is no file):', plan.missing)
        for new, old in list(plan.renamed.items())[:MOST]:
            self._say(
                f'{old} seems to be {new} now. If so: ', Command('rename', old, new)
            )
        for new, old in list(plan.same_number.items())[:MOST]:
            said = f'If {new} is {old} under another name, and not to run: '
            self._say(said, Command('rename', old, new))
        gone = [each for each in plan.missing if each not in plan.renamed.values()]
        if gone:
            self._say(
                f'If {_one_of(gone)} is gone for good, and this checkout is not older'
                ' than the database: ',
                Command('forget', gone[0]),
            )
        tell_equal_numbers(self._voice, plan)
        running = plan.open_runs.running
        lines = [attempt_now(plan, run) for run in running]
        self._section('Running at this moment:', lines)
        if running:
            self._say('To see how far that is: ', watching(plan))
        if plan.foreign:
            self._say(*foreign_documents(plan.foreign, bool(plan.registered)))
        unfinished = by_migration(plan.to_settle)
        for runs in unfinished[:MOST]:
            for run in runs[-MOST:]:
                self._voice.red(f'Unfinished: {describe(run)}')
            self._say(*ways_on(runs[-1], plan.file_of(runs[-1].name)))
        if len(unfinished) > MOST:
            self._voice.red(f'Unfinished: {len(unfinished) - MOST:,} more migrations')

    def problems(self, count: int, problems: Sequence[Problem], form: str) -> None:
        """Show what is wrong with `count` files, a line for each problem."""
        from migopy.tell.problems import lines_of_problems

        for line in lines_of_problems(problems, form, self._spelling):
            # Without a colour, which would make GitHub take no annotation from the
            # line.
            self._voice.white(line)
        if not problems:
            files = counted(count, 'file')
            self._voice.green(f'{files} of migrations, all sound')

    def history(self, open_runs: OpenRuns, runs: Iterable[Run]) -> None:
        """Show runs as a table, in the order given."""
        tell_runs(self._voice, self._spelling, open_runs, runs)

    def listing(
        self, entries: Sequence[Entry], plan: Plan, pending: Sequence[str]
    ) -> None:
        """Show every migration in order, the pending ones in red as `status` does."""
        rows = [
            (
                each.name,
                state_of(each),
                f'{each.when:%Y-%m-%d %H:%M}' if each.when else '',
                '' if each.duration_ms is None else duration(each.duration_ms),
                each.by or '',
            )
            for each in entries
        ]
        titles = ('Migration', 'State', 'When (UTC)', 'Took', 'By')
        if rows:
            tell_listed(self._voice, table_rows(titles, rows), entries)
        states = Counter(each.state for each in entries)
        counts = ', '.join(f'{count:,} {state}' for state, count in states.items())
        many = counted(len(entries), 'migration')
        said = f'{many}: {counts}' if entries else 'No migrations'
        self._say(said, *how_to_begin(plan, pending))

    def settings(self, rows: Iterable[Sequence[str]]) -> None:
        """Show settings: the name, the value without secrets, where it comes from."""
        self._voice.white(table(('Setting', 'Value', 'From'), list(rows)))

    def help(self, title: str, lines: Iterable[str]) -> None:
        """Show lines about commands, below a title if there is one."""
        if title:
            self._voice.white_bold(title)
        for line in lines:
            self._voice.white(line)

    def adoptions(self, found: Sequence[Adoption], register: Command | None) -> None:
        """Show records of other tools against the files.

        `register` is the command that registers what fits, if it is to be named.
        """
        for each in found:
            self._adoption(each)
            count = len(each.to_register)
            if not count:
                self._voice.green('Nothing to register')
            elif register is not None:
                if len(found) > 1:
                    register = register.having(collection=each.registry.collection)
                self._say(f'To register what fits ({count:,}), type: ', register)

    def _adoption(self, adoption: Adoption) -> None:
        registry = adoption.registry
        self._voice.white_bold(f'{registry.tool}, collection {registry.collection}:')
        titles = ('Record there', 'Applied (UTC)', 'File here', 'Found by')
        shown = adoption.matches[:MOST_RECORDS]
        self._voice.white(table(titles, list(map(row_of, shown))))
        if len(adoption.matches) > MOST_RECORDS:
            self._voice.white(f'and {len(adoption.matches) - MOST_RECORDS:,} more')
        self._section(
            'Files without a record there:',
            [each.name for each in adoption.without_record],
        )

    def created(self, path: str) -> None:
        """Name a new migration's file."""
        self._voice.white_bold(path)

    def unlocked(self, holder: Holder | None) -> None:
        """Say from whom the lock was taken."""
        if holder and holder.is_gone:
            self._voice.white_bold(
                f'Took away the lock of a command that is gone: {holder}'
            )
        elif holder:
            self._voice.white_bold(f'Took the lock from {holder}')
            if holder.notices is not None:
                self._voice.white(
                    'If it still runs, it may take'
                    f' {holder.notices:,.0f} s to notice (longer if it is suspended),'
                    ' and writes on until then:'
                    ' wait that long before you type anything else.'
                )
        else:
            self._voice.green('Nobody holds the lock')

    def nothing_to_roll_back(self) -> None:
        """Say that nothing was executed since."""
        self._voice.green('No migration to roll back')

    def nothing_to_work_at(self) -> None:
        """Say that nothing is to run in the background."""
        self._voice.green('No migration is to run in the background')

    def nothing_to_verify(self) -> None:
        """Say that no applied migration can be verified."""
        self._voice.white('No applied migration has a verify(db)')

    def viewer(self) -> Viewer:
        """Give what shows a command that runs in another terminal."""
        from migopy.tell.watching import Viewer

        return Viewer(self._voice, self._spelling)

    def steered(self, steered: Steered) -> None:
        """Say what came of steering a command that runs in another terminal."""
        from migopy.tell.steering import steered_text

        self._say(*steered_text(steered))

    def dumped(self, dump: Dump) -> None:
        """Say where a dump is."""
        self._voice.white_bold(f'Dumped to {dump.path} ({size(dump.size)})')

    def foreseen(
        self, names: Sequence[str], findings: Sequence[Finding], form: str
    ) -> None:
        """Show what a look before a run has found, in one of the forms."""
        from migopy.tell.preflight_findings import tell_foreseen

        tell_foreseen(self._voice, self._spelling, names, findings, form)

    def planned(
        self, paths: Sequence[str], names: Sequence[str], replaces: bool
    ) -> None:
        """Name the files that a plan is in, and how to run it, or that nothing is."""
        runs = enumerated(names) or 'nothing would run'
        self._voice.green(f'{paths[0]} and {paths[1]} written: {runs}')
        if replaces:
            self._voice.white(f'This replaces what {paths[0]} said before')
        if names:
            only = Command('execute', plan=paths[0])
            self._say('To run that and nothing else: ', only)

    def dumps(self, kept: KeptDumps) -> None:
        """List dumps with size and age, and how to go back to one."""
        tell_dumps(self._voice, self._spelling, kept)

    def images(self, kept: Sequence[ImageSet]) -> None:
        """List images, and how to restore documents from them."""
        from migopy.tell.images import tell_images

        tell_images(self._voice, self._spelling, kept)

    def _section(self, title: str, lines: Sequence[str]) -> None:
        if lines:
            self._voice.white(title)
            for line in lines[:MOST]:
                self._voice.white(f'  {line}')
            if len(lines) > MOST:
                self._voice.white(f'  and {len(lines) - MOST:,} more')

    def _say(self, *said: Part) -> None:
        self._voice.white(spelled(said, self._spelling))


def foreign_documents(count: int, has_own: bool) -> Sequence[Part]:
    """Say that another tool's documents are in the registry's collection.

    Once migopy has some of its own there, another setting would not find those.
    """
    are = 'document is' if count == 1 else 'documents are'
    alone = f"{count:,} {are} another tool's; migopy leaves such alone."
    if has_own:
        return [alone]
    return [
        f'{alone} To keep its own apart, set MIGRATIONS_COLLECTION ',
        Where(('MIGRATIONS_COLLECTION',)),
        ' before the first run.',
    ]


def _one_of(names: Sequence[str]) -> str:
    return 'it' if len(names) == 1 else 'the first one'
