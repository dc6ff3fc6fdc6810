"""A command of a manager that has many databases, from what was typed to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError

from migopy.commands import Command, Spelling
from migopy.errors import MigopyException
from migopy.face import (
    OF_DATABASE,
    Agreed,
    has_option,
    in_place,
    is_own,
    is_yes,
    require_taken,
    usage_of,
)
from migopy.files import first_on_path
from migopy.many.asking import ask
from migopy.many.databases import Database, fitting
from migopy.many.declared import declared_by, where_declared
from migopy.many.errors import DumpOfOne, InDatabase
from migopy.many.fleet import Fleet
from migopy.many.members import Members
from migopy.many.one_database import call_for_one, marking, would_mark
from migopy.many.outcomes import LOOKING
from migopy.many.result import require_well, settle
from migopy.many.selecting import (
    GRAVE,
    SayWhatToUndo,
    SayWhich,
    Selection,
    needs_name,
)
from migopy.scope import deletes_images, is_trial
from migopy.site import Site
from migopy.tell import LINES, Narrator, Voice
from migopy.terminal import told_by
from migopy.texts import counted


class Typed(NamedTuple):
    """A command as it was typed for a manager that has many databases.

    `method` is the manager's for it; `selection` says for which databases it is, and
    has the options that are left for the command itself.
    """

    manager: Any
    method: Any
    values: Sequence[str]
    selection: Selection

    @property
    def name(self) -> str:
        """Give the command's name."""
        return str(self.method.__name__)

    @property
    def command(self) -> Command:
        """Give the command with its values, without options."""
        return Command(self.name, *self.values)

    @property
    def is_ours(self) -> bool:
        """Tell whether it is migopy's own, not one that the fabfile has written."""
        return not is_own(self.manager, self.method)

    @property
    def is_grave(self) -> bool:
        """Tell whether it may do harm in databases that nobody meant."""
        options = self.selection.options
        is_listing = self.name == 'dbrestore' and not self.values
        # Nothing is known of a command that the fabfile has added.
        is_new = self.name not in OF_DATABASE
        is_grave = is_new or self.is_forgetting or self.name in GRAVE
        return is_grave and not is_trial(options) and not is_listing

    @property
    def is_forgetting(self) -> bool:
        """Tell whether it deletes images."""
        return deletes_images(self.name, self.selection.options)

    @property
    def asks(self) -> bool:
        """Tell whether a person is asked, once for all databases."""
        takes_all = not self.values and 'spec_migr' not in self.selection.options
        if self.name == 'ignore':
            return takes_all
        # One database at a time asks about its own images.
        forgets = self.is_forgetting and self.selection.workers > 1
        return forgets or (self.is_grave and self.name in GRAVE)


def perform(
    manager: Any,
    site: Site,
    spelling: Spelling,
    method: Any,
    values: Sequence[str],
    options: Mapping[str, str],
) -> Any:
    """Carry out a command for the databases that `options` select, or for all.

    Raises what the command does where one database is named, `Failed` where
    some of many did.
    """
    selection = Selection.of(method.__name__, options)
    require_taken(method, method.__name__, values, selection.options)
    usage = usage_of(method, method.__name__)
    values, rest = in_place(usage, values, selection.options)
    asked = Command(method.__name__, *values, **rest)
    selection = selection._replace(options=rest, asked=asked)
    typed = Typed(manager, method, values, selection)
    _require_choice(typed)
    members = Members(manager, site)
    try:
        # For what migrations import, in whatever database's thread.
        with first_on_path(site.directory.base):
            databases = members.databases(declared_by(manager), where_declared(manager))
            chosen = selection.wanted.of(databases)
            # Looked for before anything is done, in case it fits none.
            _canaries(selection, chosen)
            if selection.wanted.is_one and len(chosen) == 1:
                return _for_one(typed, members, chosen[0])
            _require_for_many(typed)
            voice = Voice(manager.logger, [*site.secrets, *members.secrets])
            return _for_many(typed, members, voice, spelling, databases, chosen)
    finally:
        members.disconnect()


def _for_many(
    typed: Typed,
    members: Members,
    voice: Voice,
    spelling: Spelling,
    databases: Sequence[Database],
    chosen: Sequence[Database],
) -> None:
    """Carry out a command for those `chosen` of all `databases`; raises `Failed`."""
    selection, name = typed.selection, typed.name
    takes_yes = has_option(type(typed.manager), name, 'yes')
    sure = selection.sure(name) if takes_yes else selection
    fleet = Fleet(members, voice, spelling, name, typed.values, sure)
    if selection.wanted.asks_for_failed:
        chosen = fleet.those_that_failed(chosen)
        if not chosen:
            voice.green('The last run has failed in no database')
            return
    canaries = _canaries(selection, chosen)
    # A canary comes first, whatever was drawn.
    drawn = [*selection.wanted.drawn(chosen), *canaries]
    titles = {each.title for each in drawn}
    chosen = [each for each in databases if each.title in titles]
    lines = LINES.get()
    if lines is not None:
        lines.concern('', members.server)
    if not voice.is_custom:
        voice.white(f'{_counted(chosen, databases)} on {members.where}')
    if members.unseen:
        voice.white(members.unseen)
        if lines is not None and name not in LOOKING:
            lines.event('warned', message=members.unseen)
    agreed: Mapping[str, Agreed] = {}
    if typed.asks:
        where = members.where
        agreed = ask(fleet, chosen, where, typed.command, selection, typed.is_ours)
    if typed.is_ours and name == 'watch':
        _watch(fleet, chosen, voice, spelling, selection)
    elif typed.is_ours and name in LOOKING:
        fleet.show(chosen)
    else:
        if typed.is_ours and name == 'rehearse':
            from migopy.tell import REALLY_RUNS

            voice.red(REALLY_RUNS)
        _carry_out(fleet, chosen, canaries, typed.command, selection, agreed)


def _canaries(
    selection: Selection, databases: Sequence[Database]
) -> Sequence[Database]:
    """Select the databases that are to come first; raises `NoSuchDatabase`."""
    if selection.canary is None:
        return []
    return fitting('canary', selection.canary, databases)


def _require_choice(typed: Typed) -> None:
    """Raise `SayWhich` or `DumpOfOne` for a grave command of unnamed databases."""
    if not typed.is_grave or typed.selection.is_said:
        return
    if typed.name == 'dbrestore':
        raise DumpOfOne(typed.values[0], typed.selection.kept)
    raise SayWhich(typed.name, typed.values, typed.selection)


def _require_for_many(typed: Typed) -> None:
    """Raise an error for a command that cannot be for several databases as it stands.

    That is `DumpOfOne`, `SayWhatToUndo`, or what `rehearse` raises.
    """
    name, values, selection = typed.name, typed.values, typed.selection
    if name == 'rehearse' and typed.is_ours:
        # Takes long to import, and no other command needs it.
        from migopy.many.rehearsing import require_for_many

        require_for_many(values, selection)
    if name == 'dbrestore' and values:
        raise DumpOfOne(values[0], selection.kept)
    if needs_name(name, values, selection) and typed.is_ours:
        raise SayWhatToUndo(selection)


def _carry_out(
    fleet: Fleet,
    databases: Sequence[Database],
    canaries: Sequence[Database],
    asked: Command,
    selection: Selection,
    agreed: Mapping[str, Agreed],
) -> None:
    """Carry a command out, for the canaries first; raises `CanaryFailed`, `Failed`.

    `agreed` is what a person was asked about, by the titles of the databases.
    """
    first_ones = {each.title for each in canaries}
    others = [each for each in databases if each.title not in first_ones]
    if canaries:
        first = fleet.carry_out(canaries, agreed)
        require_well(first, len(others), asked, selection)
    settle(fleet.carry_out(others, agreed), len(databases), asked, selection)


def _watch(
    fleet: Fleet,
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
    watch(fleet, databases, viewer, selection, of_worker)


def _counted(chosen: Sequence[Database], databases: Sequence[Database]) -> str:
    count = counted(len(databases), 'database')
    return count if len(chosen) == len(databases) else f'{len(chosen):,} of {count}'


def _for_one(typed: Typed, members: Members, database: Database) -> Any:
    """Carry out a command for one database, as if there were no others."""
    member = members.member(database, typed.manager.logger)
    narrator: Narrator = member.manager._narrator
    narrator.about(member.site.settings.server.title)
    lines = LINES.get()
    if lines is not None:
        lines.concern(database.name, member.site.settings.server.where)
    call = member, typed.name, typed.values, typed.selection.options
    try:
        with told_by(narrator.speaker):
            names = would_mark(*call)
            if names is not None:
                return narrator.speaker.white(marking(names))
            return call_for_one(*call)
    except Exception as error:
        is_told = narrator.has_told(error)
        found: Exception = error
        if isinstance(error, PyMongoError) and not is_told:
            found = member.site.explained(error)
        elif not isinstance(error, MigopyException) and not is_told:
            raise
        raise InDatabase(database, found, is_told) from error
