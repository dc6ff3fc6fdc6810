"""Which migrations a command takes, by what was typed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from migopy.files import BACKGROUND, BEFORE, PHASES, BadSaid, Migration, begins_with
from migopy.run.choice_errors import (
    AlreadyBegun,
    AlreadyRegistered,
    AmbiguousName,
    AtWork,
    Before,
    LateRefused,
    NameNeeded,
    NoFile,
    NotApplied,
    NotExecuted,
    OtherEnvironment,
    OtherPhase,
    Renamed,
    UnknownMigration,
)
from migopy.run.plan import Plan
from migopy.run.repeating import NoPlaceAmong
from migopy.run.replacing import (
    HalfReplaced,
    InPlaceOf,
    NotRunAsOne,
    RanAsPart,
    Replaced,
    StillThere,
    half,
    half_applied,
    still_there,
    there_still,
)
from migopy.run.unfinished import Unfinished, goes_on
from migopy.texts import name_given, whole_number

#: How similar a name must be to what was typed, to be suggested.
SIMILARITY = 0.8


class Choice:
    """What can be chosen from a plan.

    Invariant: pure, as the plan is. While a migration is unfinished, no other one can
    be chosen: each method but `find` and `name_of` raises `Unfinished`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def find(self, name: str) -> Migration:
        """Select one migration by its file name, `001_x`, `001` or `1`.

        Raises `UnknownMigration`, `AmbiguousName`, `NoFile`, `Replaced`.
        """
        wanted = name_given(name)
        plan = self._plan
        named = plan.file_of(wanted) or plan.file_of(f'{wanted}.py')
        if named is not None:
            return named
        number = whole_number(wanted)
        fitting = [
            each
            for each in plan.migrations
            if each.number == number or begins_with(each.name, wanted)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise AmbiguousName(name, [each.name for each in fitting], plan.registered)
        self.require_not_missing(name)
        for squashed, olds in plan.elsewhere_squashed.items():
            if wanted in (squashed, squashed[: -len('.py')]):
                raise InPlaceOf(squashed, olds)
        self._refuse_replaced(wanted)
        raise UnknownMigration(name, self._nearest(wanted))

    def _refuse_replaced(self, wanted: str) -> None:
        number = whole_number(wanted)
        for old, by in {**self._plan.ran_as_part, **self._plan.replaced}.items():
            fits = begins_with(old, wanted) or wanted in (old, old[: -len('.py')])
            if fits or (number is not None and number == self._plan.number_of(old)):
                raise Replaced(old, by)

    def _nearest(self, wanted: str) -> list[str]:
        """List up to three names that may have been meant by a mistyped one."""
        numbered = {each.name: each.name for each in self._plan.migrations}
        # The same without the number, which not everybody types.
        bare = {name.partition('_')[2]: name for name in numbered}
        known = {**bare, **numbered}
        wanted = wanted if wanted.endswith('.py') else f'{wanted}.py'
        near = difflib.get_close_matches(wanted, known, 3, SIMILARITY)
        return list(dict.fromkeys(known[each] for each in near))

    def require_not_missing(self, name: str) -> None:
        """Raise `NoFile` if a migration of this name has lost its file.

        Raises `AmbiguousName` if the name fits several of those.
        """
        wanted = name_given(name)
        plan = self._plan
        gone = [*plan.missing, *(run.name for run in plan.unfinished)]
        gone = [each for each in dict.fromkeys(gone) if plan.file_of(each) is None]
        fitting = [each for each in gone if wanted in (each, each[: -len('.py')])]
        number = whole_number(wanted)
        if not fitting and number is not None:
            fitting = [each for each in gone if plan.number_of(each) == number]
        fitting = fitting or [each for each in gone if begins_with(each, wanted)]
        if len(fitting) > 1:
            raise AmbiguousName(name, fitting)
        if fitting:
            raise NoFile(fitting[0], fitting[0] in plan.registered, plan.renamed)

    def name_of(self, name: str) -> str:
        """Give a migration's whole name, also without a file; raises as `find`."""
        try:
            return self.find(name).name
        except NoFile as error:
            return error.name

    def to_execute(
        self,
        name: str | None,
        allow_late: bool,
        to: str | None = None,
        phases: Collection[str] = PHASES,
    ) -> list[Migration]:
        """Select what `execute` runs: all that is unregistered, or the one named.

        With `to` it selects those up to and with that one, and only those of the given
        phases. An unfinished one can be named. So can one that runs again when it
        changes, changed or not; and one for other environments, where all phases are
        wanted, as by `ignore`. Raises what `find` does, `AlreadyRegistered`,
        `OtherEnvironment`, `OtherPhase`, `AtWork`, `Renamed`, `LateRefused`, and for
        files that replace others `HalfReplaced`, `StillThere`.
        """
        chosen = None if name is None else self.find(name)
        last = None if to is None else self.find(to)
        self._refuse_half_replaced()
        self._refuse_wrong(chosen, phases)
        self._refuse_unfinished(chosen)
        if chosen is not None:
            self._refuse_run(chosen, phases)
            return [chosen]
        plan = self._plan
        wanted = [each for each in plan.unregistered if plan.phase_of(each) in phases]
        late = [each for each in plan.late if each in wanted]
        if last is not None:
            end = plan.place_of(last)
            wanted = [each for each in wanted if plan.place_of(each) <= end]
        if late and not allow_late and plan.last_registered:
            raise LateRefused([each.name for each in late], plan.last_registered.name)
        self._refuse_at_work(wanted)
        self._refuse_renamed(wanted)
        return wanted

    def _refuse_run(self, chosen: Migration, phases: Collection[str]) -> None:
        """Refuse one that was named, and is not to run now; see `to_execute`."""
        plan, name = self._plan, chosen.name
        if name in plan.ran_as_part:
            raise RanAsPart(name, plan.ran_as_part[name])
        is_settled = not plan.unfinished_of(chosen)
        # One that runs again when it changes runs by its name at any time.
        if name in plan.registered.keys() - plan.repeats and is_settled:
            how, later = plan.registered[name].how, len(plan.executed_after(name))
            raise AlreadyRegistered(name, how, later=later)
        places = plan.other_places_of(chosen)
        if places and len(phases) < len(PHASES):
            raise OtherEnvironment(name, places, plan.environment)
        if plan.phase_of(chosen) not in phases:
            raise OtherPhase(name, plan.phase_of(chosen))
        self._refuse_at_work([chosen])
        self._refuse_renamed([chosen])

    def to_work(self, name: str | None) -> list[Migration]:
        """Select what a worker can run: all in the background, or the one named.

        One that is named runs again even where an error has left it unfinished. Raises
        what `to_execute` does.
        """
        if name is not None:
            return self.to_execute(name, allow_late=True, phases=[BACKGROUND])
        self._refuse_half_replaced()
        self._refuse_wrong(None, [BACKGROUND])
        self._refuse_unfinished(None)
        return self._plan.background

    def require_ready(
        self, chosen: Migration, pending: Sequence[Migration], to: str | None = None
    ) -> None:
        """Make sure that it is the turn of one that nobody has named, but up `to` one.

        Raises `Unfinished` where a person is to decide first, `Before` where one of
        those `pending` is to run first, and `Renamed`.
        """
        plan, runs = self._plan, self._plan.unfinished_of(chosen)
        if runs and not goes_on(runs[-1]):
            raise Unfinished(runs, plan.file_of)
        self._refuse_renamed([chosen])
        for each in pending:
            is_earlier = plan.place_of(each) < plan.place_of(chosen)
            if plan.phase_of(each) == BEFORE and is_earlier:
                raise Before(chosen.name, each.name, to)

    def to_ignore(self, name: str | None, to: str | None = None) -> list[Migration]:
        """Select what `ignore` registers; raises as `to_execute` does."""
        plan, chosen = self._plan, self.to_execute(name, allow_late=True, to=to)
        settled = [each for each in chosen if not plan.unfinished_of(each)]
        for each in settled:
            if each.name in plan.registered.keys() - plan.again:
                raise AlreadyRegistered(each.name)
        return chosen

    def to_begin_at(self, name: str) -> list[Migration]:
        """Select what `baseline` registers: all up to and with the one named.

        Raises what `find` does, and `AlreadyBegun` where anything is registered.
        """
        chosen = self.find(name)
        if self._plan.records:
            raise AlreadyBegun(chosen.name, len(self._plan.records))
        return self.to_ignore(None, chosen.name)

    def to_roll_back(
        self,
        name: str | None,
        last: int | None = None,
        to: str | None = None,
        force: bool = False,
    ) -> list[Migration]:
        """Select what `rollback` undoes, the newest first by the time of execution.

        That is the one named, which must be registered or unfinished, or with `force`
        any, as in 1.0; or the `last` so many, all where there are fewer; or all that
        were executed after the one named in `to`. What runs again when it changes is no
        step of that way back. Raises what `find` does, `NameNeeded`, `NotApplied`,
        `NotExecuted`, `NotRunAsOne`.
        """
        names = [record.name for record in self._plan.executed]
        if name is not None:
            chosen = self.find(name)
            self._refuse_unfinished(chosen)
            self._refuse_at_work([chosen])
            if chosen.name in self._plan.ran_as_part:
                raise RanAsPart(chosen.name, self._plan.ran_as_part[chosen.name])
            if chosen.name in self._plan.stand_ins:
                raise NotRunAsOne(chosen.name, self._plan.replaces[chosen.name])
            is_known = chosen.name in self._plan.registered or force
            if not is_known and not self._plan.unfinished_of(chosen):
                self._refuse_renamed([chosen])
                raise NotApplied(chosen.name)
            return [chosen]
        self._refuse_unfinished(None)
        if to is not None:
            mark = self.find(to).name
            if mark in self._plan.repeats:
                raise NoPlaceAmong(mark)
            if mark not in names:
                raise NotExecuted(mark)
            last = len(names) - names.index(mark) - 1
        elif last is None:
            raise NameNeeded(names[-1] if names else None)
        return [self.find(each) for each in names[::-1][:last]]

    def _refuse_unfinished(self, chosen: Migration | None) -> None:
        plan = self._plan
        is_own = chosen is not None and bool(plan.unfinished_of(chosen))
        # In a database that is not whole nothing goes on either.
        if in_the_way := plan.restores or ([] if is_own else plan.in_the_way):
            raise Unfinished(in_the_way, plan.file_of)

    def _refuse_wrong(self, chosen: Migration | None, phases: Collection[str]) -> None:
        """Refuse where a file does not say in a usable way which phase it is for."""
        for name, why in self._plan.wrong:
            if len(phases) < len(PHASES) and (chosen is None or chosen.name == name):
                raise BadSaid(name, why)

    def _refuse_half_replaced(self) -> None:
        plan = self._plan
        for name, there in still_there(plan.replaces, plan.migrations):
            raise StillThere(name, there_still(there))
        for name, wanting in half_applied(plan.replaces, plan.done):
            raise HalfReplaced(name, half(plan.replaces[name], wanting), wanting[-1])

    def _refuse_at_work(self, wanted: Sequence[Migration]) -> None:
        names = {each.name for each in wanted}
        for run in self._plan.at_work:
            if run.name in names:
                raise AtWork(run)

    def _refuse_renamed(self, wanted: Sequence[Migration]) -> None:
        names = [each.name for each in wanted]
        renamed = {new: old for new, old in self._plan.renamed.items() if new in names}
        if renamed:
            raise Renamed(renamed)
