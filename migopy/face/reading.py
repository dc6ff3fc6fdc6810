"""Options that were typed, read as what they have to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migopy.commands import Command, Option
from migopy.face.typed import WrongOptions
from migopy.texts import whole_number


def is_yes(value: str | bool, subtask: str, option: str) -> bool:
    """Read an option that is yes or no; raises `WrongOptions` for anything else."""
    if isinstance(value, bool):
        return value
    if str(value).lower() in ('yes', 'no'):
        return str(value).lower() == 'yes'
    raise WrongOptions(
        subtask,
        Option(option, str(value)),
        ' is neither yes nor no; nothing was done',
        Command(subtask, **{option: 'yes'}),
    )


def only_one(subtask: str, options: Mapping[str, object]) -> None:
    """Refuse options that exclude each other; raises `WrongOptions`."""
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
            Command('help', subtask),
        )


def one_of(value: str, choices: Sequence[str], subtask: str, option: str) -> str:
    """Read an option that is one of some words; raises `WrongOptions` for another."""
    if value in choices:
        return value
    raise WrongOptions(
        subtask,
        Option(option, value),
        f' is none of {", ".join(choices)}; nothing was done',
        Command(subtask, **{option: choices[0]}),
    )


def number(value: str | int, subtask: str, option: str) -> int:
    """Read an option that is a number from 1 on; raises `WrongOptions`."""
    if found := whole_number(str(value)):
        return found
    raise WrongOptions(
        subtask,
        Option(option, str(value)),
        ' is no number from 1 on; nothing was done',
        Command(subtask, **{option: 1}),
    )
