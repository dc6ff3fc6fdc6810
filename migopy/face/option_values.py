"""Options that were typed, read as yes or no, as a number, as one of some words."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from migopy.commands import Command, Option, Usage
from migopy.face.subtasks import WrongOptions
from migopy.texts import whole_number


def help_command(subtask: str) -> Command:
    """Give the next step after an option that cannot be used: the command's help.

    The command with a corrected option would lack the rest of what was typed, such as
    the name of the one migration that was meant.
    """
    return Command('help', subtask or None)


def refused_value(value: object, subtask: str, option: str, why: str) -> WrongOptions:
    """Give the error of a value that an option cannot have."""
    said = Option(option, str(value)), f' {why}; nothing was done'
    return WrongOptions(subtask, *said, help_command(subtask))


def is_yes(value: str | bool, subtask: str, option: str) -> bool:
    """Read an option that is yes or no; raises `WrongOptions` for anything else."""
    if isinstance(value, bool):
        return value
    if str(value).lower() in ('yes', 'no'):
        return str(value).lower() == 'yes'
    raise refused_value(value, subtask, option, 'is neither yes nor no')


def in_place(
    usage: Usage, values: Sequence[str], options: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Give what was typed with each value in its place: `name=001` is `001`."""
    placed, rest = list(values), dict(options)
    by_place = [
        each for each in usage.parameters if each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    for each in by_place[len(placed) :]:
        if each.name not in rest:
            break
        placed.append(rest.pop(each.name))
    return placed, rest


def only_one(subtask: str, options: Mapping[str, object]) -> None:
    """Raise `WrongOptions` if more than one of some options was given."""
    given = [option for option, value in options.items() if value is not None]
    if len(given) > 1:
        parts = [
            part
            for option in given
            for part in (' and ', Option(option) if option.isidentifier() else option)
        ]
        raise WrongOptions(
            subtask,
            *parts[1:],
            ' exclude each other; nothing was done',
            help_command(subtask),
        )


def one_of(value: str, choices: Sequence[str], subtask: str, option: str) -> str:
    """Read an option that is one of some words; raises `WrongOptions` for another."""
    if value in choices:
        return value
    raise refused_value(value, subtask, option, f'is none of {", ".join(choices)}')


def number(value: str | int, subtask: str, option: str) -> int:
    """Read an option that is a number from 1 on; raises `WrongOptions`."""
    if found := whole_number(str(value)):
        return found
    raise refused_value(value, subtask, option, 'is no number from 1 on')


def file_of(value: str | os.PathLike[str], subtask: str, option: str) -> str:
    """Read an option that is the path of a file; raises `WrongOptions`."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if isinstance(path, str):
        return path
    raise refused_value(value, subtask, option, 'is no path of a file')


def read_speed(value: str | float) -> float | None:
    """Read documents a second, `none` for no limit; raises `WrongOptions`."""
    if str(value).lower() == 'none':
        return None
    try:
        speed = float(str(value))
    except ValueError:
        speed = math.nan
    if speed > 0 and math.isfinite(speed):
        return speed
    raise refused_value(
        value, 'speed', 'max_per_second', 'is no number greater than 0, and not none'
    )
