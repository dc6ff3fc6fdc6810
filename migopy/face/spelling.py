"""How commands are spelled with flags: for the command `migopy`, and for Invoke."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from migopy.commands import Command, ForAll, Option, Usage, Where, Word
from migopy.face import program
from migopy.face.flags import NAMES, Flag, flags_of, option_words, words_of

#: What a person types for a command that has another name in code, a name of 1.0.
WORDS = {'show_status': 'status'}


class CommandSpelling(ForAll):
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

        `place` is the file with its class, if any. `given` says of settings that
        override those of the class where they come from: `MIGOPY_MONGO_URI`.
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
            for word in option_words(name, text)
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
        for each in flags_of(usage.parameters):
            shown = _shown(each)
            parts.append(shown if each.is_needed else f'[{shown}]')
        return ' '.join(parts)

    def option(self, option: Option) -> str:
        """Spell an option by itself, with its value or what stands for that."""
        return ' '.join(option_words(*option))

    def word(self, word: Word) -> str:
        """Spell the name of a command by itself."""
        return word_of(word.name)

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


def _shown(flag: Flag) -> str:
    """Show a parameter as one types it for `migopy`, with its flag if it needs one."""
    parameter = flag.parameter
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f'{flag.placeholder} ...'
    if parameter.kind is parameter.VAR_KEYWORD:
        return '--NAME=VALUE ...'
    if flag.is_switch:
        return flag.typed
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f'{flag.typed} {flag.placeholder}'
    return flag.placeholder


class FlagSpelling(ForAll):
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
        return ' '.join(option_words(NAMES.get(option.name, option.name), option.value))

    def word(self, word: Word) -> str:
        """Spell the name of a command by itself."""
        return word.name.replace('_', '-') if self._has_dashes else word.name

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""
        name = program.file_name()
        if name == '':
            return 'in the file of the class'
        return 'in the fabfile' if name in (None, 'fabfile') else f'in {name}.py'

    def _task(self, name: str) -> str:
        name = name or ('' if self._collection else self._status)
        path = '.'.join(part for part in (self._collection, name) if part)
        return path.replace('_', '-') if self._has_dashes else path
