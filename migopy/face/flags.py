"""Commands as Invoke has them typed: `fab migrations.execute --to 004 --dry-run`.

Nothing here imports Invoke: it is about words, and of use to whatever takes flags.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from migopy.commands import PLACEHOLDERS, Command, Option, Usage, Where

#: Parameters whose names say little on a command line; `spec_migr` is of 1.0.
NAMES = {'spec_migr': 'name', 'subtask': 'command'}

#: Several values that a command cannot do without: they are typed as one word.
NEEDED = {'title'}


class Flag(NamedTuple):
    """A parameter of a command, as it is typed.

    Invariant: `name` is what stands on the command line, with `_` where `-` is typed,
    and no two flags of a command have the same. A flag that `is_needed` may be typed
    as a word alone, in the order of the parameters. A switch has no value; it `is_on`
    where nobody says otherwise.
    """

    parameter: inspect.Parameter
    name: str
    is_needed: bool
    is_switch: bool
    is_on: bool

    @property
    def is_many(self) -> bool:
        """Tell whether it may be typed several times, for `*values` and `**options`."""
        several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return self.parameter.kind in several and not self.is_needed

    @property
    def typed(self) -> str:
        """Give it as it is typed: `--dry-run`, `-n`."""
        return _dashed(self.name)

    def words(self, value: str) -> list[str]:
        """Give the words for a value.

        Invoke takes a separate word that begins with a dash for another flag, or for
        the end of all flags.
        """
        if self.is_switch:
            if (value == 'yes') == self.is_on:
                return []
            return [_dashed(f'no_{self.name}') if self.is_on else self.typed]
        if self.is_needed and not value.startswith('-'):
            return [value]
        if value.startswith('-'):
            return [f'{self.typed}={value}']
        return [self.typed, value]

    def usage(self) -> str:
        """Show how it is typed, in brackets if it may be left out."""
        kind = self.parameter.kind
        shown = PLACEHOLDERS.get(self.parameter.name, self.name.upper())
        if self.is_needed:
            return shown
        if self.is_switch:
            return f'[{_dashed(f"no_{self.name}") if self.is_on else self.typed}]'
        if kind is self.parameter.VAR_KEYWORD:
            return f'[{self.typed} KEY=VALUE]…'
        return f'[{self.typed} {shown}]' + ('…' if self.is_many else '')


def flags_of(parameters: Iterable[inspect.Parameter]) -> list[Flag]:
    """Give the flags of a command's parameters, in their order."""
    parameters = list(parameters)
    own = {each.name for each in parameters}
    return [_flag(each, own) for each in parameters]


def with_json(flags: Sequence[Flag]) -> list[Flag]:
    """Add `--json`, which `perform` takes of a command that has none of its own."""
    kinds = {each.parameter.name: each.parameter.kind for each in flags}
    keyword = inspect.Parameter.KEYWORD_ONLY
    if 'json' in kinds or inspect.Parameter.VAR_KEYWORD in kinds.values():
        return list(flags)
    parameter = inspect.Parameter('json', keyword, default='no', annotation=bool)
    return [*flags, Flag(parameter, 'json', False, is_switch=True, is_on=False)]


def _flag(parameter: inspect.Parameter, own: set[str]) -> Flag:
    name = NAMES.get(parameter.name, parameter.name)
    if name in own - {parameter.name}:
        name = parameter.name
    is_single = parameter.kind in (
        parameter.POSITIONAL_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )
    has_default = parameter.default is not parameter.empty
    is_switch = is_single and has_default and _is_yes_or_no(parameter)
    is_needed = not has_default if is_single else parameter.name in NEEDED
    return Flag(
        parameter, name, is_needed, is_switch, parameter.default in (True, 'yes')
    )


def _is_yes_or_no(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    text = getattr(annotation, '__name__', None) or str(annotation)
    return isinstance(parameter.default, bool) or bool(
        re.search(r'\bbool\b', f'{text} {annotation}')
    )


def arguments(
    flags: Sequence[Flag], given: Mapping[str, Any]
) -> tuple[list[str], dict[str, str]]:
    """Turn what flags were given into values and options, as `perform` takes them.

    `given` has each flag's name: with `None`, an empty list or a switch's own state
    where nobody has typed it. Raises `ValueError` that says which flag lacks another,
    or what is no `KEY=VALUE`.
    """
    values: list[str] = []
    options: dict[str, str] = {}
    left_out = ''
    for flag in flags:
        value, parameter = given.get(flag.name), flag.parameter
        if flag.is_switch:
            is_typed = value is not None and bool(value) != flag.is_on
            value = ('yes' if value else 'no') if is_typed else None
        if value is None or (flag.is_many and not value):
            left_out = left_out or flag.typed
        elif parameter.kind is parameter.VAR_KEYWORD:
            options.update(_pair(flag, each) for each in value)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            options[parameter.name] = value
        elif not left_out:
            values += value if flag.is_many else [value]
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            options[parameter.name] = value
        else:
            raise ValueError(f'{flag.typed} needs {left_out} before it')
    return values, options


def _pair(flag: Flag, text: str) -> tuple[str, str]:
    key, equals, value = text.partition('=')
    if not equals:
        raise ValueError(f'{flag.typed} takes KEY=VALUE, and {text} is none')
    return key, value


def words_of(flags: Sequence[Flag], command: Command) -> list[str]:
    """Give the words behind a command's name."""
    words: list[str] = []
    values = list(command.values)
    options = dict(command.options)
    for flag in flags:
        parameter = flag.parameter
        if parameter.kind is parameter.VAR_KEYWORD:
            typed = [f'{key}={value}' for key, value in options.items()]
            options.clear()
        elif parameter.name in options:
            typed = [options.pop(parameter.name)]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            typed = []
        elif flag.is_many:
            typed, values = values, []
        else:
            typed, values = values[:1], values[1:]
        words += [word for value in typed for word in flag.words(value)]
    return words


class FlagSpelling:
    """Commands as Invoke has them: `fab -H web1 migrations.execute --name 003`.

    Invariant: what it gives can be typed as it stands, in a POSIX shell.
    """

    def __init__(
        self,
        before: Sequence[str],
        collection: str,
        flags: Mapping[str, Sequence[Flag]],
        status: str,
        has_dashes: bool = True,
    ) -> None:
        """Take what stands before the commands, and each one's flags by its name.

        `before` are the program and its options: `['fab', '-H', 'web1']`. `collection`
        is the name behind which the commands are, `''` for none; `status` is the
        command that it stands for by itself. `has_dashes`: for `_` a `-` is typed.
        """
        self._before = before
        self._collection = collection
        self._flags = flags
        self._status = status
        self._has_dashes = has_dashes

    def command(self, command: Command) -> str:
        """Spell a command, quoted for a POSIX shell where that is needed."""
        words = words_of(self._flags.get(command.name or self._status, ()), command)
        return shlex.join([*self._before, self._task(command.name), *words])

    def usage(self, usage: Usage) -> str:
        """Show how a command may be typed, optional parts in brackets."""
        typed = shlex.join([*self._before, self._task(usage.name)])
        return ' '.join([typed, *(each.usage() for each in flags_of(usage.parameters))])

    def option(self, option: Option) -> str:
        """Spell an option by itself, with its value or what stands for that."""
        flag = _dashed(option.name)
        return flag if option.value in ('', 'yes') else f'{flag} {option.value}'

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""
        return 'in the fabfile'

    def _task(self, name: str) -> str:
        name = name or ('' if self._collection else self._status)
        if self._has_dashes:
            name = name.replace('_', '-')
        return '.'.join(part for part in (self._collection, name) if part)


def explained(text: str, flags: Sequence[Flag]) -> str:
    """Put flags in the places where a docstring says `to=NAME` or `dry_run=yes`."""

    def typed(option: re.Match[str]) -> str:
        flag = by_name[option[1]]
        if flag.is_switch and option[2] in ('yes', 'no'):
            return ' '.join(flag.words(option[2])) or f'without {flag.typed}'
        return f'{flag.typed} {option[2]}'

    by_name = {
        each.parameter.name: each
        for each in flags
        if each.parameter.kind is each.parameter.KEYWORD_ONLY
    }
    if not by_name:
        return text
    names = '|'.join(by_name)
    return re.sub(rf'\b({names})=(\w+)', typed, text)


def _dashed(name: str) -> str:
    name = name.strip('_').replace('_', '-')
    return f'-{name}' if len(name) == 1 else f'--{name}'
