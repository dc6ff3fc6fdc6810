"""A command's parameters as flags: `--to 004 --dry-run`.

Invoke's tasks and the command `migopy` have the same ones.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from migopy.commands import NEEDED, PLACEHOLDERS, Command

#: Parameters whose names say little on a command line; `spec_migr` is of 1.0.
NAMES = {'spec_migr': 'name', 'subtask': 'command'}


class Flag(NamedTuple):
    """A parameter of a command, as it is typed.

    Invariant: `name` is what stands on the command line, with `_` where `-` is typed,
    and no two flags of a command have the same. A flag that `is_needed` may be typed
    as a word alone, in the order of the parameters. A switch has no value: to type it
    is to say what it `says`, yes or no, and `is_on` is what holds without it. An option
    that is neither yes nor no until somebody types it has a switch for each.
    """

    parameter: inspect.Parameter
    name: str
    is_needed: bool
    is_switch: bool
    is_on: bool
    says: str = 'yes'

    @property
    def is_many(self) -> bool:
        """Tell whether it may be typed several times, for `*values` and `**options`."""
        several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return self.parameter.kind in several and not self.is_needed

    @property
    def typed(self) -> str:
        """Give it as it is typed: `--dry-run`, `-n`; `--no-dry-run` to switch it off.

        That is what there is to type: a switch that is on can only be switched off.
        """
        is_off = self.is_switch and self.is_on
        return dashed(f'no_{self.name}' if is_off else self.name)

    @property
    def placeholder(self) -> str:
        """Give the word that stands for its value."""
        return PLACEHOLDERS.get(self.parameter.name, self.name.upper())

    def words(self, value: str) -> list[str]:
        """Give the words for a value.

        Invoke takes a separate word that begins with a dash for another flag, or for
        the end of all flags.
        """
        if self.is_switch:
            return [self.typed] if value.lower() == self.says else []
        if self.is_needed and not value.startswith('-'):
            return [value]
        if value.startswith('-'):
            return [f'{self.typed}={value}']
        return [self.typed, value]

    def usage(self) -> str:
        """Show how it is typed, in brackets if it may be left out."""
        if self.is_needed:
            return self.placeholder
        if self.is_switch:
            return f'[{self.typed}]'
        if self.parameter.kind is self.parameter.VAR_KEYWORD:
            return f'[{self.typed} KEY=VALUE]…'
        return f'[{self.typed} {self.placeholder}]' + ('…' if self.is_many else '')


def flags_of(parameters: Iterable[inspect.Parameter]) -> list[Flag]:
    """Give the flags of a command's parameters, in their order."""
    parameters = list(parameters)
    own = {each.name for each in parameters}
    return [flag for each in parameters for flag in _flags(each, own)]


def with_json(flags: Sequence[Flag]) -> list[Flag]:
    """Add `--json`, which `perform` takes of a command that has none of its own."""
    kinds = {each.parameter.name: each.parameter.kind for each in flags}
    keyword = inspect.Parameter.KEYWORD_ONLY
    if 'json' in kinds or inspect.Parameter.VAR_KEYWORD in kinds.values():
        return list(flags)
    parameter = inspect.Parameter('json', keyword, default='no', annotation=bool)
    return [*flags, Flag(parameter, 'json', False, is_switch=True, is_on=False)]


def _flags(parameter: inspect.Parameter, own: set[str]) -> Iterator[Flag]:
    flag = _flag(parameter, own)
    yield flag
    is_open = flag.is_switch and parameter.default is None
    against = f'no_{flag.name}'
    if is_open and parameter.kind is parameter.KEYWORD_ONLY and against not in own:
        yield flag._replace(name=against, says='no')


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
    # Of `*values` those needed are typed as one word.
    is_needed = not has_default if is_single else parameter.name in NEEDED
    is_on = parameter.default in (True, 'yes')
    says = 'no' if is_on else 'yes'
    return Flag(parameter, name, is_needed, is_switch, is_on, says)


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

    `given` has each flag by its name. One that nobody has typed is `None`, an empty
    list, or a switch as it is by itself. Raises `ValueError` for a flag that needs
    another one before it, and for what is no `KEY=VALUE`.
    """
    values: list[str] = []
    options: dict[str, str] = {}
    left_out = ''
    for flag in flags:
        value, parameter = given.get(flag.name), flag.parameter
        if flag.is_switch:
            is_typed = value is not None and bool(value) != flag.is_on
            value = flag.says if is_typed else None
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
    own = {flag.parameter.name for flag in flags}
    # `except` is typed, and no parameter can be called so.
    options = {
        f'{key}_' if f'{key}_' in own else key: text
        for key, text in command.options.items()
    }
    for flag in flags:
        parameter = flag.parameter
        if parameter.kind is parameter.VAR_KEYWORD:
            typed = [f'{key}={options[key]}' for key in options if key not in own]
        elif parameter.name in options:
            typed = [options[parameter.name]]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            typed = []
        elif flag.is_many:
            typed, values = values, []
        else:
            typed, values = values[:1], values[1:]
        words += [word for value in typed for word in flag.words(value)]
    return words


def dashed(name: str) -> str:
    """Give the flag that is typed for an option."""
    name = name.strip('_').replace('_', '-')
    return f'-{name}' if len(name) == 1 else f'--{name}'


def option_words(name: str, text: str) -> list[str]:
    """Give the words for an option of a command whose flags are not known here."""
    # An example of a fabfile's own command says by its value that it is yes or no.
    stands_for = PLACEHOLDERS.get(name) or PLACEHOLDERS.get(f'{name}_', 'yes')
    if stands_for == 'yes' and text in ('yes', 'no'):
        return [dashed(name if text == 'yes' else f'no_{name}')]
    if text.startswith('-'):
        return [f'{dashed(name)}={text}']
    return [dashed(name), text] if text else [dashed(name)]
