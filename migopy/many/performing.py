"""A command of a manager that has many databases: which ones it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import PyMongoError

from migopy.commands import Spelling
from migopy.errors import MigopyException, enumerated
from migopy.face import OF_DATABASE, Asking, call, is_own, require_taken
from migopy.many.crowd import Crowd
from migopy.many.databases import Database, fitting, shown
from migopy.many.errors import DumpOfOne, WatchOne
from migopy.many.kinds import LOOKING
from migopy.many.members import Members
from migopy.many.selecting import (
    GRAVE,
    SINGLE,
    InDatabase,
    OneAtATime,
    SayWhich,
    Selection,
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
    is_listing = command == 'dbrestore' and not values
    is_trial = selection.options.get('dry_run') == 'yes'
    # Of a new command of the fabfile's nothing is known.
    is_new = command not in OF_DATABASE
    is_grave = (is_new or command in GRAVE) and not is_trial and not is_listing
    if is_grave and not selection.is_said:
        raise SayWhich(command, *values)
    members = Members(manager, site)
    try:
        databases = members.databases(manager.databases())
        chosen = selection.wanted.of(databases)
        if selection.wanted.is_one and len(chosen) == 1:
            return _for_one(manager, members, method, values, selection, chosen[0])
        if command in SINGLE:
            raise OneAtATime(command, *values)
        if command == 'dbrestore' and values:
            raise DumpOfOne(values[0])
        if command == 'watch':
            raise WatchOne
        voice = Voice(manager.logger, [*site.secrets, *members.secrets])
        crowd = Crowd(
            members, voice, spelling, command, values, selection.sure(command)
        )
        if selection.wanted.asks_for_failed:
            chosen = crowd.those_that_failed(chosen)
            if not chosen:
                return voice.green('In no database the last run has failed')
        if not voice.is_custom:
            voice.white(f'{_counted(chosen, databases)} on {members.where}')
        if is_grave and command in GRAVE:
            _ask(command, chosen, selection)
        if command in LOOKING and not is_own(manager, method):
            return crowd.show(chosen)
        canaries = _canaries(selection, chosen)
        if canaries:
            others = [each for each in chosen if each not in canaries]
            crowd.require_well(crowd.carry_out(canaries), len(others))
            chosen = others
        return crowd.settle(crowd.carry_out(chosen), chosen)
    finally:
        members.disconnect()


def _canaries(
    selection: Selection, databases: Sequence[Database]
) -> Sequence[Database]:
    """Select the databases that are to come first; raises `NoSuchDatabase`."""
    if selection.canary is None:
        return []
    return fitting('canary', selection.canary, databases)


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
    own = getattr(member.manager, command)
    try:
        with told_by(narrator.speaker):
            return call(own, command, values, selection.options)
    except Exception as error:
        is_told = narrator.has_told(error)
        found: Exception = error
        if isinstance(error, PyMongoError) and not is_told:
            found = member.site.explained(error)
        elif not isinstance(error, MigopyException) and not is_told:
            raise
        raise InDatabase(database, found, is_told) from error
