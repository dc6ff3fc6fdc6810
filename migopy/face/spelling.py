"""How the command `migopy` has commands typed."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping, Sequence

from migopy.commands import PLACEHOLDERS, Command, Option, Usage, Where
from migopy.face.typed import is_flag

#: What a person types for a command that has another name in code, a name of 1.0.
WORDS = {'show_status': 'status'}


class CommandSpelling:
    """Commands as the program has them: `migopy execute 003 --dry-run`.

    Invariant: what it spells can be typed in a POSIX shell as it stands, and leads to
    the same manager as what was typed.
    """

    def __init__(
        self,
        program: str = 'migopy',
        before: Sequence[str] = (),
        place: str = '',
        given: Mapping[str, str] | None = None,
    ) -> None:
        """Take how the program is called, and the words that lead to the manager.

        `place` is the file with its class, if any, and `given` says of settings that
        stand over those of the class where they are: `MIGOPY_MONGO_URI`.
        """
        self._begin = [program, *map(shlex.quote, before)]
        self._place = place
        self._given = given or {}

    def command(self, command: Command) -> str:
        """Spell a command, quoted for a POSIX shell where that is needed."""
        words = [word_of(command.name)] if command.name else []
        options = [
            word
            for name, text in command.options.items()
            for word in _option(name, text)
        ]
        values = list(command.values)
        if any(value.startswith('-') for value in values):
            words += [*options, '--', *values]
        else:
            words += [*values, *options]
        return ' '.join([*self._begin, *map(shlex.quote, words)])

    def usage(self, usage: Usage) -> str:
        """Show how a command may be typed, optional parts in brackets."""
        parts = [*self._begin, word_of(usage.name)]
        for each in usage.parameters:
            if each.kind is each.VAR_POSITIONAL:
                parts.append(f'[{placeholder(each)} ...]')
            elif each.kind is each.VAR_KEYWORD:
                parts.append('[--NAME=VALUE ...]')
            else:
                needed = each.default is each.empty
                shown = _shown(each)
                parts.append(shown if needed else f'[{shown}]')
        return ' '.join(parts)

    def option(self, option: Option) -> str:
        """Spell an option by itself, with its value or what stands for that."""
        if not option.value:
            return flag_of(option.name)
        return ' '.join(_option(*option))

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""
        given = [self._given[name] for name in where.names if name in self._given]
        if given:
            name, _, file = given[0].partition(' in ')
            return f'in {file or "the environment"} ({name})'
        if self._place or not where.names:
            return f'in {self._place or "the file of the class"}'
        return f'in the environment (MIGOPY_{where.names[0]})'


def word_of(name: str) -> str:
    """Give the word that is typed for a command."""
    return WORDS.get(name, name).replace('_', '-')


def flag_of(name: str) -> str:
    """Give the flag that is typed for an option."""
    return f'--{name.replace("_", "-")}'


def off_flag_of(name: str) -> str:
    """Give the flag that switches off an option which is on by itself."""
    return f'--no-{name.replace("_", "-")}'


def placeholder(parameter: inspect.Parameter) -> str:
    """Give the word that stands for a value."""
    return PLACEHOLDERS.get(parameter.name, parameter.name.upper())


def is_on(parameter: inspect.Parameter) -> bool:
    """Tell whether an option that is yes or no is on where nothing is typed."""
    return parameter.default in (True, 'yes')


def _shown(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if is_flag(parameter):
        return off_flag_of(name) if is_on(parameter) else flag_of(name)
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f'{flag_of(name)} {placeholder(parameter)}'
    return placeholder(parameter)


def _option(name: str, text: str) -> list[str]:
    # An example of a fabfile's own command says by its value that it is yes or no.
    if PLACEHOLDERS.get(name, 'yes') == 'yes' and text in ('yes', 'no'):
        return [flag_of(name) if text == 'yes' else off_flag_of(name)]
    if text.startswith('-'):
        return [f'{flag_of(name)}={text}']
    return [flag_of(name), text]
