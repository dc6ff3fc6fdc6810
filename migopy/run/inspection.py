"""What can be seen of the files alone, without a database: the check before a merge."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from migopy.commands import Command
from migopy.files import (
    BadParallel,
    BadSaid,
    BadTransaction,
    BadUndo,
    Directory,
    DoesNothing,
    ImportFailed,
    Migration,
    NoSuchFunction,
    OtherDatabase,
    OtherShape,
    Unreadable,
    importable,
    load,
)
from migopy.run import needs, replacing
from migopy.run.pending_files import replaces_of, said_by_pending
from migopy.run.plan import Plan
from migopy.run.repeating import repeats_of
from migopy.run.step import Step
from migopy.texts import one_line
from migopy.traces import line_in, summary


class Problem(NamedTuple):
    """Something about a file that would keep a migration from running, or hurt.

    Invariant: `message` is one line. `path` is absolute, `line` counts from 1.
    """

    path: str
    line: int
    message: str
    #: What mends it, if that is one command.
    next: Command | None = None


def inspect(directory: Directory, transaction: bool) -> tuple[int, list[Problem]]:
    """Check all files of migrations: names, numbers, and whether they could run.

    Each is imported, as it is before a run. Gives how many there are, and what is
    wrong, in order. Raises `NoDirectory`.
    """
    migrations, misnamed = directory.sorted_out()
    problems = [
        Problem(
            os.path.join(directory.path, name),
            1,
            f'{one_line(name)} does not fit MIGRATIONS_FILE_PATTERN, so nothing can be'
            ' executed. Rename it, or begin the name of a helper with _.',
        )
        for name in misnamed
    ]
    plan = replace(Plan(migrations), said=said_by_pending(Plan(migrations)))
    replaces = replaces_of(plan)
    # What a squash that was interrupted has not moved yet; only that is wrong with it.
    unmoved = dict(replacing.still_there(replaces, migrations))
    left = {each.name for olds in unmoved.values() for each in olds}
    once = [each for each in migrations if not each.is_repeatable()]
    problems += _equal_numbers([each for each in once if each.name not in left])
    problems += _needs(plan, replaces, unmoved)
    try:
        with importable(directory):
            for migration in migrations:
                if migration.name not in unmoved:
                    problems += _of_one(migration, directory, transaction)
    except ImportFailed as error:
        # The folder's own __init__.py, without which none of them can be imported.
        path = os.path.join(directory.path, error.name)
        problems.append(_import_failed(error, path))
    return len(migrations) + len(misnamed), sorted(problems, key=lambda each: each[:3])


def unparsable(migrations: Sequence[Migration]) -> list[Problem]:
    """List the files that are no Python, without importing any."""
    found = []
    for migration in migrations:
        if error := migration.syntax_error():
            failed = ImportFailed(migration.name, migration.path, error)
            found.append(_import_failed(failed, migration.path))
    return found


def _equal_numbers(migrations: list[Migration]) -> Iterator[Problem]:
    """Name the files that share a number, as two branches bring them to a merge."""
    groups: dict[int, list[Migration]] = {}
    for migration in migrations:
        groups.setdefault(migration.number, []).append(migration)
    for group in groups.values():
        names = [one_line(each.name) for each in group]
        for place, migration in enumerate(group[1:], start=1):
            yield Problem(
                migration.path,
                1,
                f'{names[place]} has the same number as {names[place - 1]}. Give the'
                ' one that has not been executed anywhere a number of its own.',
            )


def _needs(
    plan: Plan, replaces: replacing.Replaces, unmoved: Collection[str]
) -> Iterator[Problem]:
    """Name the files whose needs no order can meet, and what is not in the archive."""
    migrations = plan.migrations
    paths = {each.name: each.path for each in migrations}
    replaced = {old for olds in replaces.values() for old in olds}
    found = [
        *replacing.problems(migrations, replaces, ()),
        *needs.problems(migrations, plan.said, replaced, repeats_of(migrations)),
    ]
    for name, why in found:
        finish = Command('squash', to=name) if name in unmoved else None
        yield Problem(paths[name], 1, f'{one_line(name)} {one_line(why)}', finish)


def _of_one(
    migration: Migration, directory: Directory, transaction: bool
) -> list[Problem]:
    path, name = migration.path, one_line(migration.name)
    try:
        loaded = load(migration, directory.package, directory.functions_of)
        Step.of(loaded, 'up', transaction)
    except ImportFailed as error:
        return [_import_failed(error, path)]
    except NoSuchFunction as error:
        return [Problem(path, 1, f'{name} {error.reason}')]
    except DoesNothing as error:
        return [Problem(path, error.line, f'{name}: {error.reason}')]
    except (OtherDatabase, OtherShape) as error:
        said, *_ = str(error).splitlines()
        return [Problem(path, 1, one_line(said))]
    except (BadParallel, BadSaid, BadTransaction, BadUndo) as error:
        return [Problem(path, 1, one_line(f'{name}: {error.wrong}'))]
    except Unreadable as error:
        first, *_ = str(error).splitlines()
        return [Problem(path, 1, one_line(first))]
    if written := loaded.at_import.describe():
        said = f'{name} has written while it was imported: {written}. Each import does'
        said = f'{said} so, for this check, too: move it into its up'
        return [Problem(path, 1, one_line(said))]
    return []


def _import_failed(error: ImportFailed, path: str) -> Problem:
    said = f'{one_line(error.name)} cannot be imported: {summary(error.cause)}'
    return Problem(path, _line_of(error.cause, path), said)


def _line_of(error: BaseException, path: str) -> int:
    """Give the line of a file that raised an error, or that does not parse.

    It is 1 where the file has no part in the error.
    """
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 1
    return line_in(error, path) or 1
