"""Options of the command `migopy`, as argparse takes them from signatures."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol

from migopy.commands import Usage
from migopy.errors import MigopyException
from migopy.face.flags import flags_of

#: Switches of every command, with what `--help` says of them.
SWITCHES = {
    'json': 'tell it in lines of JSON, too, on stdout; all else goes to stderr',
    'quiet': 'say only errors and what was asked for',
    'version': "show migopy's version",
    'help': 'show this',
}

#: What `--help` says of the one option of every command that has a value.
MANAGER = 'the class: FILE.py:CLASS or MODULE:CLASS'

#: Options of every command, by their names.
GENERAL = (*SWITCHES, 'manager')

#: Messages of argparse, and what to say instead.
OURS = (
    ('expected one argument', r'\1 needs a value'),
    ('ignored explicit argument .*', r'\1 takes no value'),
)

#: What stands before the name under which argparse keeps an option of one command.
OWN = 'of the command: '


class Options(Protocol):
    """What options are added to: a parser or a group in it."""

    def add_argument(self, *names: str, **of_argparse: Any) -> Any:
        """Add an option."""


class NotReadable(MigopyException):
    """What was typed is not as argparse can read it; nothing was done."""


class Parser(argparse.ArgumentParser):
    """A parser of argparse.

    Invariant: it neither writes nor ends the process; what is wrong is raised.
    """

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        for theirs, ours in OURS:
            message = re.sub(f'^argument (?:-h/)?(\\S+): {theirs}$', ours, message)
        raise NotReadable(f'{message}; nothing was done')


def add_general(parser: Options) -> None:
    """Add the options of every command."""
    parser.add_argument('--manager', metavar='WHICH', help=MANAGER)
    for name, said in SWITCHES.items():
        flags = ['-h', '--help'] if name == 'help' else [f'--{name}']
        parser.add_argument(*flags, action='store_true', help=said)


def add_options(
    parser: Options, usage: Usage, said: Mapping[str, str] | None = None
) -> list[tuple[str, Any]]:
    """Add the options of a command, with what `--help` says of them.

    Returns the parameters' names, each with its action of argparse.
    """
    added = []
    for each in flags_of(usage.parameters):
        parameter = each.parameter
        is_several = parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if is_several or parameter.name in GENERAL:
            continue
        how: dict[str, Any] = {'metavar': each.placeholder}
        if each.is_switch:
            how = {'action': 'store_const', 'const': each.says}
        # `fab` takes values by their names, too, `name=001`. It need not be shown.
        shown = parameter.kind is parameter.KEYWORD_ONLY or each.is_switch
        action = parser.add_argument(
            each.typed,
            dest=f'{OWN}{parameter.name}',
            help=(said or {}).get(parameter.name, '') if shown else argparse.SUPPRESS,
            **how,
        )
        added.append((parameter.name, action))
    return added


def general_in(words: Sequence[str]) -> tuple[Mapping[str, Any], list[str]]:
    """Find the options of every command; give them by their names, and the rest.

    Raises `NotReadable`.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    add_general(parser)
    found, rest = parser.parse_known_args(list(words))
    return vars(found), rest


def own_in(words: Sequence[str], usage: Usage) -> tuple[dict[str, str], list[str]]:
    """Find the options of a command; give them by their names, and the rest.

    Raises `NotReadable`.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    add_options(parser, usage)
    found, rest = parser.parse_known_args(list(words))
    given = {
        name.removeprefix(OWN): text
        for name, text in vars(found).items()
        if text is not None
    }
    return given, rest
