"""Which migrations a command takes, by what was typed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from functools import cached_property

from migopy.commands import Command, Part
from migopy.errors import MigopyException, listing
from migopy.files import Migration
from migopy.run.plan import Plan
from migopy.run.unfinished import Unfinished


class UnknownMigration(MigopyException):
    """A name that fits no file; `name` is what was typed."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        self.name = name
        self.nearest = nearest
        meant = f' Did you mean {" or ".join(nearest)}?' if nearest else ''
        super().__init__(
            f'There is no migration {name!r}.{meant}\nSee those that have not run: ',
            Command(),
            ', and those that have: ',
            Command('history'),
        )


class AmbiguousName(MigopyException):
    """A short name that fits several files; `candidates` are their names."""

    def __init__(self, name: str, candidates: Sequence[str]) -> None:
        self.name = name
        self.candidates = candidates
        super().__init__(
            f'{name!r} may be any of:\n{listing(candidates)}\nType the whole name.'
        )


class NoFile(MigopyException):
    """A migration whose file is gone, though it has run; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} has run, but its file is missing. Bring the file back'
            ' (from version control, say), then type the command again.'
        )


class AlreadyRegistered(MigopyException):
    """A migration that is not to run twice; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is registered already; nothing was done.\n'
            'To run it again, first undo it: ',
            Command('rollback', name),
        )


class NotApplied(MigopyException):
    """A migration to roll back that is not applied; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not applied, so there is nothing to roll back; nothing was'
            ' done.\nTo run its down() all the same: ',
            Command('rollback', name, force='yes'),
        )


class NotExecuted(MigopyException):
    """A migration to go back to that is not executed; `name` is its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'{name} is not among those executed, so there is no way back to it;'
            ' nothing was done.\nSee what was executed when: ',
            Command('history'),
        )


class NameNeeded(MigopyException):
    """A rollback without a name; `last` is the migration executed last, if any."""

    def __init__(self, last: str | None) -> None:
        self.last = last
        hint: list[Part] = (
            [f'{last} was executed last. To undo it, type: ', Command('rollback', last)]
            if last
            else ['No migration has been executed, so there is nothing to undo.']
        )
        super().__init__('rollback needs the name of a migration.\n', *hint)


class LateRefused(MigopyException):
    """Late migrations where `ALLOW_LATE` is false; `names` are theirs."""

    def __init__(self, names: Sequence[str], last: str) -> None:
        self.names = names
        super().__init__(
            f'Late, as {last} is registered already, so nothing was done:\n'
            f'{listing(names)}\n'
            'ALLOW_LATE = False refuses them. Give them higher numbers, or run one by'
            ' its name: ',
            Command('execute', names[0]),
        )


class Choice:
    """What can be chosen from a plan.

    Invariant: pure, as the plan is. While a migration is unfinished, no other one can
    be chosen: each method but `find` and `name_of` raises `Unfinished`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def _by_name(self) -> dict[str, Migration]:
        return {each.name: each for each in self._plan.migrations}

    def find(self, name: str) -> Migration:
        """Select one migration by its file name, `001_x`, `001` or `1`.

        Raises `UnknownMigration`, `AmbiguousName`, `NoFile`.
        """
        wanted = os.path.basename(name.strip())
        named = self._by_name.get(wanted) or self._by_name.get(f'{wanted}.py')
        if named is not None:
            return named
        migrations = self._plan.migrations
        fitting = [
            each
            for each in migrations
            if wanted.isdecimal() and each.number == int(wanted)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise AmbiguousName(name, [each.name for each in fitting])
        unfinished = [run.name for run in self._plan.unfinished]
        for missing in [*self._plan.missing, *unfinished]:
            if wanted in (missing, missing[: -len('.py')]):
                raise NoFile(missing)
        names = [each.name for each in migrations]
        raise UnknownMigration(name, difflib.get_close_matches(wanted, names, 3))

    def name_of(self, name: str) -> str:
        """Give the whole name of a migration, of one without a file too.

        Raises `UnknownMigration`, `AmbiguousName`.
        """
        try:
            return self.find(name).name
        except NoFile as error:
            return error.name

    def to_execute(
        self, name: str | None, allow_late: bool, to: str | None = None
    ) -> list[Migration]:
        """Select what `execute` runs: all that is unregistered, or the one named.

        With `to` those up to and with that one. Raises what `find` does,
        `AlreadyRegistered`, and `LateRefused`. The unfinished one can be named.
        """
        chosen = None if name is None else self.find(name)
        last = None if to is None else self.find(to)
        self._refuse_unfinished(chosen)
        plan = self._plan
        if chosen is not None:
            if chosen.name in plan.registered and not plan.unfinished_of(chosen):
                raise AlreadyRegistered(chosen.name)
            return [chosen]
        late = plan.late
        wanted = plan.unregistered
        if last is not None:
            end = (last.number, last.name)
            wanted = [each for each in wanted if (each.number, each.name) <= end]
        if late and not allow_late and plan.last_registered:
            raise LateRefused([each.name for each in late], plan.last_registered.name)
        return wanted

    def to_ignore(self, name: str | None) -> list[Migration]:
        """Select what `ignore` registers; raises as `to_execute` does."""
        return self.to_execute(name, allow_late=True)

    def to_roll_back(
        self,
        name: str | None,
        last: int | None = None,
        to: str | None = None,
        force: bool = False,
    ) -> list[Migration]:
        """Select what `rollback` undoes, the newest first by the time of execution.

        That is the one named, which must be registered or unfinished, or with `force`
        any, as in 1.0; the `last` so many, or all
        where there are fewer; or all that were executed after the one named in `to`.
        Raises what `find` does, `NameNeeded`, `NotApplied`, `NotExecuted`.
        """
        names = [record.name for record in self._plan.executed]
        if name is not None:
            chosen = self.find(name)
            self._refuse_unfinished(chosen)
            known = chosen.name in self._plan.registered
            if not (known or force or self._plan.unfinished_of(chosen)):
                raise NotApplied(chosen.name)
            return [chosen]
        self._refuse_unfinished(None)
        if to is not None:
            mark = self.find(to).name
            if mark not in names:
                raise NotExecuted(mark)
            last = len(names) - names.index(mark) - 1
        elif last is None:
            raise NameNeeded(names[-1] if names else None)
        return [self.find(each) for each in names[::-1][:last]]

    def _refuse_unfinished(self, chosen: Migration | None) -> None:
        unfinished = self._plan.unfinished
        if any(chosen and run.name == chosen.name for run in unfinished):
            return
        if unfinished:
            raise Unfinished(unfinished)
