"""A plan that somebody has agreed to, compared with what is going to run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from migopy.commands import Command, Option
from migopy.contents import content_of
from migopy.errors import MigopyException, listing
from migopy.face import WrongOptions, help_command
from migopy.files import checksum_of
from migopy.operations.orders import Manager, Order, order_up
from migopy.preflight import Server, basis_of
from migopy.run import Observer, Plan, Step
from migopy.site import Site
from migopy.texts import one_line

#: The version of what is written.
FORMAT = 1


class NoPlan(MigopyException):
    """A file is no plan; `path` is where it is, or where that of one of many should be.

    `typed` is the name that was typed, which `plan` takes for all databases.
    """

    def __init__(self, path: str, reason: str, typed: str) -> None:
        self.path = path
        again = Command('plan', file=typed)
        super().__init__(
            f'{path} is no plan: {reason}. Nothing was run.\nTo write one: ', again
        )


class OtherThanPlanned(MigopyException):
    """What would run is not what was planned; `differences` say how."""

    def __init__(self, agreed: AgreedPlan, differences: Sequence[str]) -> None:
        path = agreed.path
        self.path = path
        self.differences = differences
        super().__init__(
            f'What would run is not what {path} says, so nothing was run:\n'
            f'{listing(differences)}\n'
            f'To plan it anew, in place of what {path} says now: ',
            # For the same migrations: nobody has agreed to more.
            Command('plan', agreed.name, to=agreed.to, file=agreed.typed),
        )


class AgreedPlan(NamedTuple):
    """A plan that was read: where from, what is in it, and the name that was typed."""

    path: str
    content: Mapping[str, Any]
    typed: str

    @property
    def to(self) -> str | None:
        """Name the last migration, up to which all that is pending is to run."""
        to: str | None = self.content['asked'].get('to')
        return to

    @property
    def name(self) -> str | None:
        """Give the one name that was asked for, if it was."""
        name: str | None = self.content['asked'].get('name')
        return name

    def require(
        self, site: Site, steps: Sequence[Step], plan: Plan, observer: Observer
    ) -> None:
        """Hold what is going to run against it; raises `OtherThanPlanned`.

        The files are those that have been imported. One is warned of indexes and
        options that are others by now.
        """
        differences = list(_differences(site, self, steps, plan))
        if differences:
            raise OtherThanPlanned(self, differences)
        for collection in _changed_since(site, self.content['state']['collections']):
            observer.warned(
                f'{collection} has other indexes or options by now than when'
                f' {self.path} was made'
            )


def require_alone(path: str, others: Mapping[str, object]) -> None:
    """Raise `WrongOptions` if more was typed than the plan, which says it all."""
    for name, value in others.items():
        if value not in (None, 'no', False):
            told = Option(name, str(value)) if name.isidentifier() else name
            raise WrongOptions(
                'execute',
                Option('plan', str(path)),
                ' says what runs, so ',
                told,
                ' does not go with it; nothing was done',
                help_command('execute'),
            )


def order_of(manager: Manager, agreed: AgreedPlan, waits: bool) -> Order:
    """Make the order that executes a plan; raises `WrongOptions`."""
    order = order_up(manager, 'execute', agreed.name, agreed.to, waits=waits)
    return order._replace(asked=Command('execute', plan=agreed.typed))


def paths_of(file: str, database: str) -> tuple[str, str]:
    """Give the paths of a plan and its page; `database` is the title of one of many."""
    stem = file[: -len('.json')] if file.endswith('.json') else file
    stem = f'{stem}-{database.replace("/", "_")}' if database else stem
    return f'{stem}.json', f'{stem}.md'


def read(typed: str, database: str) -> AgreedPlan:
    """Read a plan; one of many databases has its own. Raises `NoPlan`."""
    of_it, _ = paths_of(typed, database)
    is_shared = not os.path.exists(of_it) and os.path.exists(typed)
    path = of_it if database and not is_shared else typed
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except OSError as error:
        raise NoPlan(path, error.strerror or 'it cannot be read', typed) from error
    except (ValueError, RecursionError) as error:
        raise NoPlan(path, 'it is no JSON', typed) from error
    if not isinstance(content, dict) or 'migopy_plan' not in content:
        raise NoPlan(path, 'plan did not write it', typed)
    if content['migopy_plan'] != FORMAT:
        raise NoPlan(path, 'another version of migopy wrote it', typed)
    if not _is_whole(content):
        raise NoPlan(path, 'it is not whole', typed)
    return AgreedPlan(path, content, typed)


def _is_whole(content: Mapping[str, Any]) -> bool:
    """Tell whether all is there that a plan is read for, and is what it should be."""
    asked, state = content.get('asked'), content.get('state')
    helpers = content.get('helpers')
    return (
        isinstance(content.get('database'), str)
        and isinstance(asked, dict)
        and all(isinstance(asked.get(key) or '', str) for key in ('name', 'to'))
        and isinstance(helpers, dict)
        and isinstance(state, dict)
        and _are_rows(state.get('collections'), {'collection': str, 'checksum': str})
        and _are_rows(
            content.get('migrations'),
            {'name': str, 'checksum': str, 'in_transaction': bool},
        )
    )


def _are_rows(rows: object, fields: Mapping[str, type]) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and all(isinstance(row.get(name), kind) for name, kind in fields.items())
        for row in rows
    )


def _changed_since(
    site: Site, collections: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    with site.listener.own_work():
        server = Server(site.db.client, site.db.name)
        before = {each['collection']: each['checksum'] for each in collections}
        for now in basis_of(server, before):
            if now['checksum'] != before[now['collection']]:
                yield now['collection']


def _differences(
    site: Site, agreed: AgreedPlan, steps: Sequence[Step], plan: Plan
) -> Iterator[str]:
    content = agreed.content
    if content['database'] != site.db.name:
        meant = one_line(content['database'])
        yield f'it is for the database {meant}, not {site.db.name}'
    names = [step.name for step in steps]
    wanted = {each['name']: each for each in content['migrations']}
    for name in wanted:
        if name not in names:
            is_applied = name in plan.registered and name not in plan.again
            why = ': it is applied already' if is_applied else ''
            yield f'{one_line(name)} is planned, and would not run{why}'
    for step in steps:
        if step.name not in wanted:
            yield f'{step.name} would run, and is not planned'
        elif step.loaded.checksum != wanted[step.name]['checksum']:
            yield f'{step.name} is another file than the one that was planned'
        elif step.in_transaction != wanted[step.name]['in_transaction']:
            inside = 'in' if step.in_transaction else 'without'
            yield f'{step.name} would run {inside} a transaction, unlike planned'
    if sorted(names) == sorted(wanted) and names != list(wanted):
        yield 'they would run in another order'
    helpers = helpers_of(site, [each.name for each in plan.migrations])
    for name in sorted({*helpers, *content['helpers']}):
        if helpers.get(name) != content['helpers'].get(name):
            yield f'{one_line(name)}, which migrations may import, is not the same'


def helpers_of(site: Site, migrations: Sequence[str]) -> dict[str, str]:
    """Give the checksums of the other Python files of the folder, by name.

    They include those of its packages and those of the archive, which the file that
    replaces them calls.
    """
    folder, known = site.directory.path, frozenset(migrations)
    found = {}
    for place, folders, names in os.walk(folder):
        # A migration can import nothing by its name from any other folder.
        folders[:] = [each for each in folders if each.isidentifier()]
        paths = [os.path.join(place, each) for each in names if each.endswith('.py')]
        others = [each for each in paths if os.path.relpath(each, folder) not in known]
        for path in others:
            # No migration can import a file that cannot be read.
            with suppress(OSError):
                name = os.path.relpath(path, folder)
                found[name] = checksum_of(content_of(path))
    return dict(sorted(found.items()))
