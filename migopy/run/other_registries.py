"""Find migrations that are registered in another collection, or by another tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from migopy.commands import Command, Where
from migopy.errors import MigopyException, listing
from migopy.files import Migration
from migopy.run.adoption import (
    NUMBERS,
    TIME_DIGITS,
    TIMESTAMP,
    Match,
    adoption_of,
    is_before,
    plain,
    rolled_back_in,
)
from migopy.run.observer import Observer
from migopy.run.plan import Plan
from migopy.server import own_collection
from migopy.state import (
    TOOLS,
    ForeignRecord,
    ForeignRegistry,
    History,
    Record,
    Registry,
    registries_in,
)

#: The collection of 1.0 and of whoever sets no other.
DEFAULT = 'migrations'

SETTING = 'MIGRATIONS_COLLECTION'

#: Files in common from which on another registry is taken for one of the same project.
CERTAIN = 2

#: The year of MongoDB: nothing was applied in an earlier one.
OLDEST = 2009

#: Documents up to which a collection may be that of a tool's records.
MOST_RECORDS = 100_000


class RegisteredElsewhere(MigopyException):
    """Migrations that are registered in another collection than in the one that is set.

    `names` are theirs, `collection` is that one. Executed, they would run twice.
    """

    def __init__(self, names: Sequence[str], collection: str, here: str) -> None:
        self.names = names
        self.collection = collection
        super().__init__(
            f'Applied already, as {collection} has it, so nothing was done:\n'
            f'{listing(names)}\n'
            f'{SETTING} is {here!r}, where nothing is registered. To go on with'
            f' {collection}, have {SETTING} = {collection!r} ',
            Where((SETTING,)),
            ', then look: ',
            Command(),
            f"\nIf {collection} is another project's, give these files other names.",
        )


class AppliedByAnotherTool(MigopyException):
    """Migrations that another tool has applied here; executed, they would run twice.

    `names` are theirs, `tool` is that one, `collection` is where it keeps its records.
    """

    def __init__(self, names: Sequence[str], tool: str, collection: str) -> None:
        self.names = names
        self.tool = tool
        self.collection = collection
        super().__init__(
            f'Applied already by {tool}, as {collection} has it, so nothing was done:\n'
            f'{listing(names)}\n'
            'To see what it has applied, and how to take that over, type: ',
            Command('adopt', collection=collection),
            "\nIf these are other migrations than that tool's, give them other names.",
        )


def require_not_elsewhere(
    registry: Registry,
    history: History,
    plan: Plan,
    migrations: Sequence[Migration],
    observer: Observer,
) -> None:
    """Make sure that what is to run has not run under another setting or tool.

    It looks only where nothing is registered yet, and for other tools also where what
    is to run is late, as a newer file may have been run alone. A record belongs to a
    file with its name and content. Records of 1.0 have no content; they count if each
    of them has a file here, as another project would have other names. Those of other
    tools count by their whole names, or by a time. What was rolled back here since may
    run. For a single file there is only a warning, as two projects may have one in
    common, unless another tool's record has its very name or time. Raises
    `RegisteredElsewhere`, `AppliedByAnotherTool`.
    """
    if plan.records:
        late = {each.name for each in plan.late}
        if late.isdisjoint(each.name for each in migrations):
            return
    here = registry.collection.name
    # A user with rights for migopy's collections alone does without this check.
    with suppress(OperationFailure):
        database = registry.collection.database
        there = set(database.list_collection_names(authorizedCollections=True))
        others = [] if plan.records else _others(registry, there)
        tools = _tools_in(database, there)
        rolled_back = rolled_back_in(history) if others or tools else {}
        for other, records in others:
            common = _names_in_both(records, plan.migrations) - rolled_back.keys()
            names = [each.name for each in migrations if each.name in common]
            place = other.collection.name
            if names and len(common) >= CERTAIN:
                raise RegisteredElsewhere(names, place, here)
            if names:
                observer.warned(
                    f'{names[0]} is registered in {place}; {SETTING} is {here!r},'
                    ' where nothing is registered'
                )
        for foreign in tools:
            applied = _applied_by(foreign, plan, rolled_back)
            names = [each.name for each in migrations if each.name in applied]
            is_exact = any(_is_exact(applied[name], name) for name in names)
            if names and (is_exact or len(applied) >= CERTAIN):
                raise AppliedByAnotherTool(names, foreign.tool, foreign.collection)
            if names:
                observer.warned(
                    f'{names[0]} is applied already, as {foreign.tool} has it in'
                    f' {foreign.collection}'
                )


def _applied_by(
    foreign: ForeignRegistry, plan: Plan, rolled_back: Mapping[str, datetime]
) -> dict[str, ForeignRecord]:
    """Give the files that a tool has applied under the same whole name or time."""
    applied = {
        plain(name): record
        for record in foreign.records
        for name in record.names
        if not record.not_applied
    }
    pending = {each.number for each in plan.unregistered}
    by_time = {
        match.migration.name: match.record
        for match in adoption_of(foreign, plan, rolled_back).matches
        if match.migration and not (match.record.not_applied or match.is_rolled_back)
        if _is_by_time(match, pending)
    }
    return by_time | {
        each.name: record
        for each in plan.migrations
        if (record := applied.get(plain(each.name)))
        and not is_before(record, rolled_back.get(each.name))
    }


def _is_by_time(match: Match, pending: Set[int]) -> bool:
    """Tell whether a time shows that the record is of the file.

    One that stands for all up to a time does where that time, or the next one if it
    was left half done, is the number of one of the `pending` files: any older file
    would be up to it, another project's too.
    """
    last = match.record.up_to
    if last is None:
        return match.how == TIMESTAMP
    return len(str(last)) >= TIME_DIGITS and not pending.isdisjoint((last, last + 1))


def _is_exact(record: ForeignRecord, name: str) -> bool:
    """Tell whether a record can be of no other file than the one of this name.

    It says when it was applied, as an application's own documents hardly do, and its
    name has a time, or is the file's to the letter and more than a number. One that
    stands for all up to a time counts only where a file has that time.
    """
    if record.up_to is not None:
        return True
    form = plain(name)
    number = NUMBERS.match(form)
    if number is None or record.at is None or record.at.year < OLDEST:
        return False
    if len(number[0].replace('_', '')) >= TIME_DIGITS:
        return True
    to_the_letter = {each.removesuffix('.py') for each in record.names}
    return number[0] != form and name.removesuffix('.py') in to_the_letter


def _names_in_both(
    others: Sequence[Record], migrations: Sequence[Migration]
) -> set[str]:
    """Give the names of the files that another registry has as well."""
    records = {each.name: each for each in others}
    is_ours = records.keys() <= {each.name for each in migrations}
    return {
        each.name
        for each in migrations
        if each.name in records and _is_of(records[each.name], each, is_ours)
    }


def _others(
    registry: Registry, there: Set[str]
) -> list[tuple[Registry, Sequence[Record]]]:
    """Read the other collections that may be registries of migopy, as far as it can."""
    database = registry.collection.database
    found: list[tuple[Registry, Sequence[Record]]] = []
    for name in sorted(there - {registry.collection.name}):
        if name == DEFAULT or f'{name}_history' in there:
            other = Registry(own_collection(database[name]))
            # One that this user may not read hides no other.
            with suppress(OperationFailure):
                found.append((other, other.read().records))
    return found


def _tools_in(database: Database[Any], there: Set[str]) -> list[ForeignRegistry]:
    """Read what other tools have left, as far as it can be read."""
    found: list[ForeignRegistry] = []
    for name in dict.fromkeys(name for tool in TOOLS for name in tool.collections):
        with suppress(OperationFailure):
            found += registries_in(TOOLS, database, there & {name}, MOST_RECORDS)
    return found


def _is_of(record: Record, migration: Migration, is_ours: bool) -> bool:
    if record.checksum is None:
        return is_ours
    return record.checksum == migration.checksum()
