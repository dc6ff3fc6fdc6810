"""What is typed behind `migopy`, parsed by the signatures of the commands.

`options`, which needs argparse, is loaded where an option is typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from migopy.commands import Command, Option, Usage
from migopy.face.flags import flags_of
from migopy.face.misfit import no_such_option
from migopy.face.subtasks import Subtask, WrongOptions, usage_of

#: A negative number is a value.
NUMBER = re.compile(r'-\.?\d')


class Line(NamedTuple):
    """What was typed, taken apart but not checked.

    `words` are the command, its values and its options; `behind` are the values that
    stand behind `--`.
    """

    words: Sequence[str]
    behind: Sequence[str]
    manager: str | None = None
    in_json: bool = False
    is_quiet: bool = False
    wants_help: bool = False
    wants_version: bool = False


class Typed(NamedTuple):
    """A command as it was typed, as `perform` takes it."""

    values: Sequence[str]
    options: Mapping[str, str]


def parted(typed: Sequence[str]) -> Line:
    """Take the options that every command has out of a line; raises `NotReadable`."""
    words = list(typed)
    behind: list[str] = []
    if '--' in words:
        place = words.index('--')
        words, behind = words[:place], words[place + 1 :]
    if not any(word.startswith('-') for word in words):
        return Line(words, behind)
    from migopy.face.options import NotReadable, general_in

    try:
        found, rest = general_in(words)
    except NotReadable as error:
        raise NotReadable(f'{error}.\nSee: ', Command('help')) from error
    return Line(
        rest,
        behind,
        found['manager'],
        found['json'],
        found['quiet'],
        found['help'],
        found['version'],
    )


def read(subtask: Subtask, name: str, words: Sequence[str], line: Line) -> Typed:
    """Read the values and options of a command; raises `WrongOptions`.

    `words` are those of the line that stand behind the command.
    """
    usage = usage_of(subtask, name)
    options, rest = _options(words, name, usage)
    values = []
    for word in rest:
        if not word.startswith('-') or word == '-' or NUMBER.match(word):
            _require_no_option(word, name, usage)
            values.append(word)
        else:
            option, text = _further_option(word, name, usage)
            options[option] = text
    if line.is_quiet and any(each.name == 'quiet' for each in usage.parameters):
        options['quiet'] = 'yes'
    # `perform` takes it, unless it is the command's own.
    if line.in_json:
        options['json'] = 'yes'
    return Typed([*values, *line.behind], options)


def _options(
    words: Sequence[str], name: str, usage: Usage
) -> tuple[dict[str, str], Sequence[str]]:
    if not any(word.startswith('-') for word in words):
        return {}, words
    from migopy.face.options import NotReadable, own_in

    try:
        return own_in(words, usage)
    except NotReadable as error:
        raise WrongOptions(name, str(error), usage) from error


def _require_no_option(word: str, name: str, usage: Usage) -> None:
    """Raise `WrongOptions` for an option as `fab` has it, `dry_run=yes`.

    It would be taken for the name of a migration.
    """
    option, equals, text = word.partition('=')
    for each in usage.parameters:
        if equals and each.name == option:
            meant = Option(option, text)
            said = f'{word} is typed ', meant, ' here; nothing was done'
            raise WrongOptions(name, *said, usage)


def _further_option(word: str, name: str, usage: Usage) -> tuple[str, str]:
    """Read an option that only `**options` of a command takes."""
    flag, equals, text = word.partition('=')
    option = flag.lstrip('-').replace('-', '_')
    if any(each.kind is each.VAR_KEYWORD for each in usage.parameters):
        return option, text if equals else 'yes'
    from migopy.face.options import GENERAL

    known = [*GENERAL, *(each.name for each in flags_of(usage.parameters))]
    raise WrongOptions(name, *no_such_option(option, known, usage, flag), usage)
