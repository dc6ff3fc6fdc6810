"""A command of a manager that has many databases, from what was typed to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import PyMongoError

from migopy.commands import Command, Spelling
from migopy.errors import MigopyException, enumerated
from migopy.face import OF_DATABASE, Asking, is_own, is_yes, require_taken
from migopy.many.calling import call_for_one, marking, would_mark
from migopy.many.crowd import Crowd
from migopy.many.databases import Database, fitting, shown
from migopy.many.declared import declared_by, where_declared
from migopy.many.ending import require_well, settle
from migopy.many.errors import DumpOfOne
from migopy.many.members import Members
from migopy.many.outcomes import LOOKING
from migopy.many.selecting import (
    GRAVE,
    InDatabase,
    SayWhatToUndo,
    SayWhich,
    Selection,
    needs_name,
)
from migopy.site import Site
from migopy.tell import LINES, Narrator, Voice
from migopy.terminal import told_by


def perform(
    manager: Any,
    site: Site,
    spelling: Spelling,
    method: Any,
    values: Sequence[str],
    typed: Mapping[str, str],
) -> Any:
    """Carry out a command for the databases that `typed` selects, or for all.

    Raises what the command does where one database is named, `Failed` where
    some of many did.
    """
    command = method.__name__
    selection = Selection.of(command, typed)
    require_taken(method, command, values, selection.options)
    is_grave = _is_grave(command, values, selection)
    if is_grave and not selection.is_said:
        if command == 'dbrestore':
            raise DumpOfOne(values[0], selection.kept)
        raise SayWhich(command, values, selection)
    members = Members(manager, site)
    try:
        databases = members.databases(declared_by(manager), where_declared(manager))
        chosen = selection.wanted.of(databases)
        canaries = _canaries(selection, chosen)
        if selection.wanted.is_one and len(chosen) == 1:
            return _for_one(manager, members, method, values, selection, chosen[0])
        is_ours = not is_own(manager, method)
        _require_for_many(command, values, selection, is_ours)
        voice = Voice(manager.logger, [*site.secrets, *members.secrets])
        crowd = Crowd(
            members, voice, spelling, command, values, selection.sure(command)
        )
        if selection.wanted.asks_for_failed:
            chosen = crowd.those_that_failed(chosen)
            if not chosen:
                return voice.green('The last run has failed in no database')
            canaries = _canaries(selection, chosen)
        chosen = selection.wanted.drawn(chosen)
        # A canary comes first, whatever was drawn.
        meant = {each.title for each in [*chosen, *canaries]}
        chosen = [each for each in databases if each.title in meant]
        if not voice.is_custom:
            voice.white(f'{_counted(chosen, databases)} on {members.where}')
        if is_grave and command in GRAVE:
            _ask(command, chosen, selection)
        if command == 'rehearse' and is_ours:
            from migopy.tell import REALLY_RUNS

            voice.red(REALLY_RUNS)
        if command == 'watch' and is_ours:
            return _watch(crowd, chosen, voice, spelling, selection)
        if command in LOOKING and is_ours:
            return crowd.show(chosen)
        _carry_out(crowd, chosen, canaries, Command(command, *values), selection)
        return None
    finally:
        members.disconnect()


def _canaries(
    selection: Selection, databases: Sequence[Database]
) -> Sequence[Database]:
    """Select the databases that are to come first; raises `NoSuchDatabase`."""
    if selection.canary is None:
        return []
    return fitting('canary', selection.canary, databases)


def _is_grave(command: str, values: Sequence[str], selection: Selection) -> bool:
    """Tell whether a command may do harm in all of them that nobody meant."""
    is_listing = command == 'dbrestore' and not values
    # What was forgotten comes back from nowhere.
    is_forgetting = command == 'undo' and 'forget' in selection.options
    is_trial = selection.options.get('dry_run') == 'yes'
    # Of a new command of the fabfile's nothing is known.
    is_new = command not in OF_DATABASE
    is_grave = is_new or is_forgetting or command in GRAVE
    return is_grave and not is_trial and not is_listing


def _require_for_many(
    command: str, values: Sequence[str], selection: Selection, is_ours: bool
) -> None:
    """Make sure that a command can be for several; `is_ours` is: not the fabfile's.

    Raises `DumpOfOne`, `SayWhatToUndo`, and what `rehearse` does.
    """
    if command == 'rehearse' and is_ours:
        # What it needs takes long to import, and other commands need it not.
        from migopy.many.rehearsing import require_for_many

        require_for_many(values, selection)
    if command == 'dbrestore' and values:
        raise DumpOfOne(values[0], selection.kept)
    if needs_name(command, values, selection) and is_ours:
        raise SayWhatToUndo(selection)


def _carry_out(
    crowd: Crowd,
    databases: Sequence[Database],
    canaries: Sequence[Database],
    asked: Command,
    selection: Selection,
) -> None:
    """Carry a command out, for the canaries first; raises `CanaryFailed`, `Failed`."""
    first_ones = {each.title for each in canaries}
    others = [each for each in databases if each.title not in first_ones]
    if canaries:
        first = crowd.carry_out(canaries)
        require_well(first, len(others), asked, selection)
    settle(crowd.carry_out(others), len(databases), asked, selection)


def _watch(
    crowd: Crowd,
    databases: Sequence[Database],
    voice: Voice,
    spelling: Spelling,
    selection: Selection,
) -> None:
    """Show what runs in any of the databases; raises what `watch` does."""
    from migopy.many.viewing import FleetViewer
    from migopy.many.watching import watch

    worker = selection.options.get('worker', 'no')
    of_worker = is_yes(worker, 'watch', 'worker')
    stop = selection.narrow(Command('stop', worker='yes' if of_worker else None))
    viewer = FleetViewer(voice.results, spelling, stop)
    watch(crowd, databases, viewer, selection, of_worker)


def _counted(chosen: Sequence[Database], databases: Sequence[Database]) -> str:
    count = f'{len(databases):,} database{"s" if len(databases) != 1 else ""}'
    return count if len(chosen) == len(databases) else f'{len(chosen):,} of {count}'


def _ask(command: str, databases: Sequence[Database], selection: Selection) -> None:
    names = enumerated([shown(each.title) for each in databases])
    where = f'{len(databases):,} databases: {names}'
    is_sure = selection.options.get('yes') == 'yes'
    Asking(where, is_sure).require(f'Go on with {command}')


def _for_one(
    manager: Any,
    members: Members,
    method: Any,
    values: Sequence[str],
    selection: Selection,
    database: Database,
) -> Any:
    """Carry out a command for one database, as if there were no others."""
    member = members.member(database, manager.logger)
    narrator: Narrator = member.manager._text
    narrator.about(member.site.settings.server.title)
    command = method.__name__
    lines = LINES.get()
    if lines is not None:
        lines.concern(database.name, member.site.settings.server.where)
    try:
        with told_by(narrator.speaker):
            names = would_mark(member, command, values, selection.options)
            if names is not None:
                return narrator.speaker.white(marking(names))
            return call_for_one(member, command, values, selection.options)
    except Exception as error:
        is_told = narrator.has_told(error)
        found: Exception = error
        if isinstance(error, PyMongoError) and not is_told:
            found = member.site.explained(error)
        elif not isinstance(error, MigopyException) and not is_told:
            raise
        raise InDatabase(database, found, is_told) from error
