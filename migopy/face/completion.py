"""What can be typed next, for the completion of bash, zsh and fish.

The shells' part is argcomplete's, which migopy's extra `completion` brings along.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from migopy.commands import Usage
from migopy.errors import MigopyException
from migopy.face.flags import flags_of
from migopy.face.help_option import told_apart
from migopy.face.marked import OF_DATABASE
from migopy.face.options import Parser, add_general, add_options
from migopy.face.project import project_here, subtasks_of
from migopy.face.spelling import CommandSpelling, word_of
from migopy.face.subtasks import Subtasks, explanation, usage_of
from migopy.files import FileNames
from migopy.site_settings import settings_of

#: The line as it is typed so far.
LINE = 'COMP_LINE'

#: Parameters of migopy's own commands that take the name of a migration.
OF_MIGRATIONS = frozenset({'name', 'old', 'spec_migr', 'to', 'which'})


def complete(base: type[Any], environment: Mapping[str, str]) -> None:
    """Tell the shell what can be typed next, and end the process.

    `base` is the class that all managers derive from; outside of a project its commands
    are offered. Without argcomplete nothing is.
    """
    try:
        import argcomplete
    except ImportError:
        return
    try:
        manager = project_here(base, _manager_in(environment)).manager_class
    except MigopyException:
        manager = base
    parser = whole_parser(subtasks_of(manager, base), names_of(manager))
    argcomplete.autocomplete(parser, always_complete_options=False)


def whole_parser(subtasks: Subtasks, names: Sequence[str]) -> Parser:
    """Make the parser of all commands; `names` are the migrations'."""
    parser = Parser(prog='migopy', add_help=False, allow_abbrev=False)
    add_general(parser)
    commands = parser.add_subparsers(parser_class=Parser)
    for subtask in subtasks:
        name = subtask.__name__
        first, rest = explanation(subtask)
        usage = usage_of(subtask, name)
        of_command = commands.add_parser(
            word_of(name), add_help=False, allow_abbrev=False, help=_in_help(first)
        )
        add_general(of_command)
        _, of_options = told_apart(rest, usage, CommandSpelling())
        takes_names = name in OF_DATABASE and name != 'dbrestore'
        for parameter, action in (
            *add_options(of_command, usage, of_options),
            *_add_values(of_command, usage),
        ):
            fits = takes_names and parameter in OF_MIGRATIONS
            action.completer = partial(_given, names if fits else ())
    return parser


def names_of(manager_class: type[Any]) -> Sequence[str]:
    """List the names of a manager's migrations, without the ending `.py`.

    A file whose name fits nothing takes no other's away. Of settings of a wrong type
    there are no names.
    """
    try:
        settings = settings_of(object.__new__(manager_class))
        folder = os.path.join(settings.base, settings.directory)
        file_names = FileNames(settings.file_pattern, settings.helpers)
        found, _ = file_names.sorted_out(os.listdir(folder))
    except (MigopyException, OSError, AttributeError, TypeError, ValueError):
        return []
    return [name[: -len('.py')] for _, name in found]


def _add_values(parser: Parser, usage: Usage) -> Iterator[tuple[str, Any]]:
    """Add the values of a command, which have no name before them."""
    for flag in flags_of(usage.parameters):
        each, shown = flag.parameter, flag.placeholder
        if each.kind is each.VAR_POSITIONAL:
            yield each.name, parser.add_argument(each.name, nargs='*', metavar=shown)
        elif each.kind is each.POSITIONAL_OR_KEYWORD and not flag.is_switch:
            yield each.name, parser.add_argument(each.name, nargs='?', metavar=shown)


def _given(names: Sequence[str], **_of_argcomplete: object) -> Sequence[str]:
    return names


def _manager_in(environment: Mapping[str, str]) -> str | None:
    """Give the value of `--manager` in a line that somebody is still typing."""
    words = environment.get(LINE, '').split()
    for place, word in enumerate(words[:-1]):
        if word == '--manager':
            return words[place + 1]
    equals = [word for word in words if word.startswith('--manager=')]
    return equals[0].partition('=')[2] if equals else None


def _in_help(text: str) -> str:
    """Write each % twice, as argparse fills in something behind a single one."""
    return text.replace('%', '%%')
