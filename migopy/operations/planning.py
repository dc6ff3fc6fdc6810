"""`plan`: write down what would run, for somebody to agree to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from bson import decode, json_util

from migopy.commands import Again, Command
from migopy.differences import Comparison, changes
from migopy.errors import MigopyException, enumerated
from migopy.files import Migration, importable
from migopy.folders import write_whole
from migopy.operations.agreed_plan import FORMAT, helpers_of
from migopy.operations.orders import Order
from migopy.operations.preflighting import Outlook, foresee
from migopy.operations.preparing import selected_unlocked
from migopy.operations.trial_notes import TrialNotes
from migopy.preflight import Recorder, Server, basis_of, checksum_of
from migopy.run import Observer, require_transactions
from migopy.secrets import redacted_in
from migopy.server import AS_THEY_ARE
from migopy.site import Site
from migopy.tell import as_markdown
from migopy.texts import fit, fit_in_json

#: The finding that `known_to_its_end` and `reason` tell already.
NOT_SHOWN = 'not-shown'

#: Documents of each collection that are compared.
COMPARED = 5


class CannotPlan(MigopyException):
    """Migrations cannot be planned, as a dry run of them fails; `names` are theirs."""

    def __init__(self, names: Sequence[str], asked: Command) -> None:
        self.names = names
        super().__init__(
            f'{enumerated(names)} cannot be planned: the dry run has not come to its'
            ' end. Nothing was changed, and no plan was written. See why: ',
            asked,
        )


class ChangedWhileTried(MigopyException):
    """Files were changed while a dry run tried them; `names` are theirs."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        have = 'has' if len(names) == 1 else 'have'
        super().__init__(
            f'{enumerated(names)} {have} changed while the dry run went on, so no plan'
            ' was written. Nothing was changed in the database.\nTo plan what is there'
            ' now, type',
            Again(),
        )


class NotWritten(MigopyException):
    """A plan could not be written; `path` is where."""

    def __init__(self, path: str, cause: OSError) -> None:
        self.path = path
        super().__init__(
            f'{path} cannot be written: {cause.strerror}. Nothing was changed.\n'
            'See to it that its folder is there and can be written to, then type',
            Again(),
        )


def make(
    site: Site, order: Order, observer: Observer, values: bool
) -> tuple[dict[str, Any], Outlook]:
    """Plan what an order takes, by a dry run; give the plan and what was foreseen.

    Nothing is changed. Without `values` it shows nothing of what people have stored.
    Raises `CannotPlan` where a migration fails, `ChangedWhileTried`, `Locked`,
    `NoTransactions`.
    """
    plan, migrations = selected_unlocked(site, order)
    names = [each.name for each in plan.migrations]
    helpers = helpers_of(site, names)
    require_transactions(site.db.client, 'A plan', '.')
    notes = TrialNotes(lambda: Recorder(values))
    foreseen = Outlook((), (), ())
    if migrations:
        with importable(site.directory):
            foreseen = foresee(site, plan, migrations, order, observer, notes, COMPARED)
    _require_tried(order, migrations, notes)
    _require_unchanged(notes, migrations, helpers, helpers_of(site, names))
    tried = notes.steps.values()
    touched = {seen.namespace for each in tried for seen in each.sightings.all()}
    with site.listener.own_work():
        basis = basis_of(Server(site.db.client, site.db.name), touched)
    name = order.asked.values[0] if order.asked.values else None
    return {
        'migopy_plan': FORMAT,
        'made': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'database': site.db.name,
        'server': site.settings.server.where,
        'asked': {'name': name, 'to': order.asked.options.get('to')},
        'has_values': values,
        'migrations': [
            _migration(each.name, notes, foreseen, values, site) for each in migrations
        ],
        'helpers': helpers,
        'state': {'checksum': checksum_of(basis), 'collections': basis},
    }, foreseen


def _require_tried(
    order: Order, migrations: Sequence[Migration], notes: TrialNotes
) -> None:
    """Make sure that a dry run has come to its end; raises `CannotPlan`."""
    ended = {name for name, each in notes.steps.items() if each.error is None}
    failed = [each.name for each in migrations if each.name not in ended]
    if failed:
        asked = order.asked
        options = {'to': asked.options.get('to'), 'dry_run': 'yes'}
        raise CannotPlan(failed, Command('execute', *asked.values, **options))


def _require_unchanged(
    notes: TrialNotes,
    migrations: Sequence[Migration],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """Make sure that the files are those that were tried; raises `ChangedWhileTried`.

    `before` and `after` are the checksums of those that migrations may import.
    """
    tried = notes.checksums
    changed = [e.name for e in migrations if tried[e.name] != e.checksum()]
    others = {*before, *after}
    changed += sorted(n for n in others if before.get(n) != after.get(n))
    if changed:
        raise ChangedWhileTried(changed)


def _migration(
    name: str,
    notes: TrialNotes,
    foreseen: Outlook,
    values: bool,
    site: Site,
) -> dict[str, Any]:
    tried, record = notes.steps[name], notes.records[name]
    effects = tried.effects
    found = [
        each
        for each in foreseen.findings
        if each.migration == name and each.name != NOT_SHOWN
    ]
    return {
        'name': name,
        'checksum': notes.checksums[name],
        'in_transaction': tried.in_transaction,
        'known_to_its_end': not tried.untold,
        # It may show values, as an error of the server does.
        'reason': tried.untold if values else '',
        'effects': effects.as_document() if effects else {},
        'summary': effects.describe(site.db.name) if effects else '',
        'notes': [each.text for each in tried.found],
        'commands': record.commands,
        'commands_in_all': record.count,
        'commands_left_out': record.left_out,
        'commands_checksum': record.digest,
        'differences': [
            _difference(each, values) for each in notes.compared_to.get(name, ())
        ],
        'findings': [_relative(each.as_document(), site) for each in found],
    }


def _relative(finding: dict[str, Any], site: Site) -> dict[str, Any]:
    # A plan is also read on other machines.
    return {**finding, 'path': os.path.relpath(finding['path'], site.settings.base)}


def _difference(comparison: Comparison, values: bool) -> dict[str, Any]:
    """Tell which fields change in the first documents, and what they are if wanted."""
    kinds = [_kind(each.before, each.after) for each in comparison.differences]
    fields = {
        b'.'.join(change.path).decode(errors='replace'): None
        for each in comparison.differences
        if each.before and each.after
        for change in changes(each.before, each.after)
    }
    told: dict[str, Any] = {
        'collection': comparison.namespace,
        'first': {kind: kinds.count(kind) for kind in ('changed', 'new', 'deleted')},
        'fields': list(fields),
    }
    if values:
        told['documents'] = [
            {'before': _document(each.before), 'after': _document(each.after)}
            for each in comparison.differences
        ]
    return told


def _kind(before: bytes | None, after: bytes | None) -> str:
    if before and after:
        return 'changed'
    return 'deleted' if before else 'new'


def _document(raw: bytes | None) -> Any:
    if raw is None:
        return None
    return json.loads(
        json_util.dumps(
            decode(raw, AS_THEY_ARE), json_options=json_util.RELAXED_JSON_OPTIONS
        )
    )


def write(plan: dict[str, Any], paths: tuple[str, str]) -> bool:
    """Write a plan and its page, each whole or not at all; raises `NotWritten`.

    Returns whether there was a file in the plan's place, which somebody may have agreed
    to.

    With values in it, only the user who types the command can read them. There are no
    passwords of URIs in it, and nothing that steers the terminal of its reader.
    """
    plan = redacted_in(plan)
    text = json.dumps(plan, indent=2, ensure_ascii=False, default=str)
    mode = 0o600 if plan['has_values'] else 0o644
    page = fit(as_markdown(plan, paths[0]))
    replaces = os.path.exists(paths[0])
    for path, content in zip(paths, (f'{fit_in_json(text)}\n', page)):
        try:
            write_whole(path, content, mode)
        except OSError as error:
            raise NotWritten(path, error) from error
    return replaces
