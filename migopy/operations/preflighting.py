"""`preflight`: look for what one should know before migrations run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from migopy.commands import Again, Command
from migopy.errors import MigopyException, enumerated
from migopy.files import Migration, importable
from migopy.operations.orders import Order
from migopy.operations.preparing import require_registrable, selected_unlocked
from migopy.operations.trial_notes import TrialNotes
from migopy.preflight import Ahead, Finding, Server, judge
from migopy.run import (
    CannotTry,
    NotAllShown,
    Observer,
    Plan,
    Step,
    require_dependencies,
    side_by_side,
    steps_of,
    try_out,
    warn_of_imports,
)
from migopy.site import Site
from migopy.terminal import told_by, unheard


class ProblemsAhead(MigopyException):
    """A look before a run has found problems; `names` are the migrations'."""

    def __init__(
        self, findings: Sequence[Finding], anyway: Command | None = None
    ) -> None:
        problems = [each for each in findings if each.is_problem]
        self.names = list(dict.fromkeys(each.migration for each in problems))
        count = 'a problem' if len(problems) == 1 else f'{len(problems):,} problems'
        super().__init__(
            f'There {"is" if len(problems) == 1 else "are"} {count} ahead in'
            f' {enumerated(self.names)}, see above. Nothing was changed.',
            *(() if anyway is None else ('\nTo run them all the same: ', anyway)),
        )


class ChangedSinceLook(MigopyException):
    """Files were changed after a look at them; `names` are the migrations'."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        have = 'has' if len(names) == 1 else 'have'
        super().__init__(
            f'{enumerated(names)} {have} changed since preflight looked, so nothing was'
            ' run.\nTo run what is there now, type',
            Again(),
        )


class Outlook(NamedTuple):
    """What a look before a run has come to.

    Invariant: `names` are the migrations that were looked at; of those in `not_tried`
    only the file was read. `checksums` are those of the files.
    """

    names: Sequence[str]
    not_tried: Sequence[str]
    findings: Sequence[Finding]
    checksums: Sequence[str] = ()

    def require_unchanged(self, steps: Sequence[Step]) -> None:
        """Make sure that steps are of those files; raises `ChangedSinceLook`."""
        looked = dict(zip(self.names, self.checksums))
        changed = [e.name for e in steps if e.loaded.checksum != looked.get(e.name)]
        if changed:
            raise ChangedSinceLook(changed)

    def require_none_grave(self, anyway: Command | None = None) -> None:
        """Raise `ProblemsAhead` where there are problems.

        `anyway` is the command that does not look.
        """
        if any(each.is_problem for each in self.findings):
            raise ProblemsAhead(self.findings, anyway)


def preflight(site: Site, order: Order, observer: Observer) -> Outlook:
    """Look at what an order takes, by a dry run and by what the server says then.

    Nothing is changed. Where no dry run is possible, only the files are read. Raises
    `Locked` where another command runs, `TrialWrote`, and what keeps migrations from
    being imported.
    """
    plan, migrations = selected_unlocked(site, order)
    if not migrations:
        return Outlook((), (), ())
    with importable(site.directory):
        foreseen = foresee(site, plan, migrations, order, observer)
    if foreseen.not_tried:
        last = foreseen.names[: -len(foreseen.not_tried)][-1:]
        why = (
            f'that of {last[0]} did not come to its end'
            if last
            else 'there are no transactions here'
        )
        observer.warned(
            f'No dry run of {enumerated(foreseen.not_tried)}, as {why}: what stands in'
            ' the files is all that was looked at'
        )
    return foreseen


def look_ahead(
    site: Site,
    plan: Plan,
    migrations: Sequence[Migration],
    order: Order,
    observer: Observer,
) -> Outlook:
    """Look before migrations are executed; raises `ProblemsAhead`."""
    require_registrable(site, migrations[0].name)
    foreseen = foresee(site, plan, migrations, order, observer)
    if foreseen.findings:
        observer.foreseen(foreseen.findings, foreseen.names)
    foreseen.require_none_grave(anyway=order.asked.having(preflight='no'))
    return foreseen


def foresee(
    site: Site,
    plan: Plan,
    migrations: Sequence[Migration],
    order: Order,
    observer: Observer,
    notes: TrialNotes | None = None,
    show: int | None = None,
) -> Outlook:
    """Try migrations, and judge what comes of it.

    They are imported for this alone: what is executed later is imported anew. With
    `show`, documents are compared and `notes` hears the result.
    """
    with site.listener.own_work():
        server = Server(site.db.client, site.db.name)
        can_be_tried = server.has_transactions
    with told_by(observer.speaker):
        steps = steps_of(migrations, site.directory, order.direction, order.transaction)
    warn_of_imports(steps, observer)
    require_dependencies(steps, plan, order.in_trial)
    notes = notes or TrialNotes()
    if can_be_tried:
        _try(site, plan, observer, steps, order.asked, notes, show)
    return look_at(site, steps, notes)


def look_at(site: Site, steps: Sequence[Step], notes: TrialNotes) -> Outlook:
    """Judge steps by their files, by what a dry run has told, and by the server."""
    ahead = [
        Ahead(
            each.migration,
            each.direction,
            each.in_transaction,
            notes.steps.get(each.name),
            has_images=each.loaded.images(site.settings.undo) is True,
        )
        for each in steps
    ]
    with site.listener.own_work():
        # The dry run may have taken longer than the time that one look has.
        server = Server(site.db.client, site.db.name)
        findings = judge(server, ahead, site.settings.collection)
    names = [each.name for each in steps]
    not_tried = [name for name in names if name not in notes.steps]
    return Outlook(names, not_tried, findings, [e.loaded.checksum for e in steps])


def _try(
    site: Site,
    plan: Plan,
    observer: Observer,
    steps: Sequence[Step],
    asked: Command,
    notes: TrialNotes,
    show: int | None,
) -> None:
    """Try steps to see what they send; an error of a migration is only noted."""
    both = side_by_side(OnlyProgress(observer), notes)
    try:
        try_out(site, plan, both, steps, asked, show, notes.watch)
    except NotAllShown:
        pass
    except CannotTry as error:
        notes.steps[error.name].error = error.__cause__
    except (Exception, SystemExit) as error:
        failure = notes.failure
        if failure is None or failure.error is not error:
            raise


class OnlyProgress:
    """Lets an observer hear only how far a dry run is."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __getattr__(self, event: str) -> Any:
        if event in ('speaker', 'stopped', 'trying', 'warned'):
            return getattr(self._observer, event)
        return unheard
