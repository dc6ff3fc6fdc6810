"""What can be typed next, as data, and how `fab` has it typed."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Union


@dataclass(frozen=True, init=False)
class Command:
    """A command that can be typed: its name, values and options.

    Invariant: it says what is to be done and nothing of how that is typed; each face
    spells it in its own way. The name `''` is the command for no name, the status.
    """

    name: str
    values: tuple[str, ...]
    options: Mapping[str, str]

    def __init__(self, name: str = '', /, *values: object, **options: object) -> None:
        """Take the name, then what stands behind it; `None` stands for nothing.

        `Command('execute', '003', dry_run='yes')`.
        """
        given = {key: str(text) for key, text in options.items() if text is not None}
        object.__setattr__(self, 'name', name)
        typed = tuple(str(each) for each in values if each is not None)
        object.__setattr__(self, 'values', typed)
        object.__setattr__(self, 'options', given)

    def having(self, **options: object) -> Command:
        """Give the same command with more options, or with other values for its own."""
        return Command(self.name, *self.values, **{**self.options, **options})

    def as_document(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {
            'command': self.name or 'status',
            'values': list(self.values),
            'options': {key.rstrip('_'): text for key, text in self.options.items()},
        }

    @classmethod
    def parse(cls, text: str) -> Command:
        """Read `execute,003,dry_run=yes`, as examples in docstrings are written."""
        name, *parts = text.strip().split(',')
        options = dict(part.split('=', 1) for part in parts if '=' in part)
        return cls(name, *(part for part in parts if '=' not in part), **options)


class Usage(NamedTuple):
    """How a command may be typed: its name and its parameters.

    Invariant: as a `Command`, it says nothing of how it is spelled.
    """

    name: str
    parameters: Sequence[inspect.Parameter]
    #: Parameters of migopy's own that a class which overrides it does not hand on.
    kept_back: Collection[str] = ()


class Option(NamedTuple):
    """An option by itself, as a sentence names it; `value` may stand for one."""

    name: str
    value: str = ''


class Word(NamedTuple):
    """A command by itself, as a sentence names it: `status`, not `show_status`."""

    name: str


class Again:
    """The command that was typed, to be typed again, with `more` options.

    Invariant: who says so knows nothing of what was typed, and the words before it end
    in `type`. `execute` in its place would run more than the one migration that was
    named, or for real after a dry run.
    """

    def __init__(self, **more: str) -> None:
        self.more = more


class Where(NamedTuple):
    """Where settings are to be set or corrected: `in the fabfile`.

    The first of `names` that is set tells, or the first one where none is; without a
    name it is where the manager's class is.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, place: str) -> Where:
        """Take the settings that a sentence names: `MONGO_HOST and MONGO_PORT`."""
        return cls(tuple(place.split(' and ')))


#: What a sentence is made of.
Part = Union[str, Command, Usage, Option, Word, Where, Again]


class Spelling(Protocol):
    """How one face has commands typed."""

    def command(self, command: Command) -> str:
        """Spell a command so that it can be typed as it stands."""

    def meant(self, command: Command) -> Command:
        """Give a command as it is meant here, for machines: for which databases."""

    def usage(self, usage: Usage) -> str:
        """Show how a command may be typed."""

    def option(self, option: Option) -> str:
        """Spell an option by itself, with its value or what stands for that."""

    def word(self, word: Word) -> str:
        """Spell the name of a command by itself."""

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""


class ForAll:
    """What the spelling of a face has, which is about no database in particular."""

    def meant(self, command: Command) -> Command:
        """Give a command as it is."""
        return command


def spelled(said: Iterable[object], spelling: Spelling) -> str:
    """Join the parts of a text, its commands spelled for one face."""
    return ''.join(_part(each, spelling) for each in said)


def _part(part: object, spelling: Spelling) -> str:
    if isinstance(part, Command):
        return spelling.command(part)
    if isinstance(part, Usage):
        return spelling.usage(part)
    if isinstance(part, Option):
        return spelling.option(part)
    if isinstance(part, Word):
        return spelling.word(part)
    if isinstance(part, Where):
        return spelling.where(part)
    if isinstance(part, Again):
        # Where nobody knows it any better, as in plain Python.
        more = [spelling.option(Option(*each)) for each in part.more.items()]
        return f' the command again{" with " if more else ""}{" and ".join(more)}.'
    return str(part)


#: How usage shows values; `spec_migr` is a name of 1.0.
PLACEHOLDERS = {
    'spec_migr': 'NAME',
    'subtask': 'COMMAND',
    'title': 'TITLE',
    'what': 'list',
    'which': 'NUMBER|NAME',
    'to': 'NAME',
    'last': 'NUMBER',
    'dry_run': 'yes',
    'show': 'NUMBER',
    'phase': 'before|after',
    'preflight': 'yes|no',
    'plan': 'FILE',
    'file': 'FILE',
    'max_per_second': 'NUMBER',
    'forget': 'NAME',
    'worker': 'yes',
    'wait': 'yes',
    'force': 'yes',
    'undo': 'yes',
    'conflicts': 'keep|theirs|ours',
    'yes': 'yes',
    'foreign': 'yes',
    'in_place': 'yes',
    'offline': 'yes',
    'format': 'github',
    'only': 'NAME',
    'except_': 'NAME',
    'sample': 'NUMBER',
    'from_': 'NAME',
    'on': 'URI',
    'canary': 'NAME',
    'workers': 'NUMBER',
    'fail_fast': 'yes',
    'all': 'yes',
}


#: `*values` that a command needs at least one of.
NEEDED = {'title'}


class FabSpelling(ForAll):
    """Commands as Fabric 1 has them: `fab migrations:execute,003,dry_run=yes`."""

    def __init__(self, task: str = 'migrations', before: Sequence[str] = ()) -> None:
        """Take the name that the fabfile gave to the task.

        `before` are the words that stand before it: `['production']`.
        """
        self._task = task
        self._before = before

    def command(self, command: Command) -> str:
        """Spell a command, quoted for a POSIX shell where that is needed."""
        options = [
            f'{escape(key.rstrip("_"))}={escape(text)}'
            for key, text in command.options.items()
        ]
        behind = ','.join([*map(escape, command.values), *options])
        typed = command_line(self._task, command.name or None, behind or None)
        words = ''.join(f' {quoted(word)}' for word in self._before)
        return f'fab{words}{typed[len("fab") :]}'

    def usage(self, usage: Usage) -> str:
        """Show how a command may be typed, optional parts in brackets."""
        before = ''.join(f'{quoted(word)} ' for word in self._before)
        parts = [f'fab {before}{self._task}:{usage.name}']
        for each in usage.parameters:
            usual = 'yes' if each.default == 'no' else '…'
            shown = PLACEHOLDERS.get(each.name, usual)
            if each.kind is each.VAR_POSITIONAL:
                parts.append(f',{shown}' if each.name in NEEDED else f'[,{shown}]')
            elif each.kind is each.VAR_KEYWORD:
                parts.append('[,key=value…]')
            else:
                if each.kind is each.KEYWORD_ONLY:
                    shown = f'{each.name.rstrip("_")}={shown}'
                else:
                    shown = PLACEHOLDERS.get(each.name, each.name.upper())
                needed = each.default is each.empty
                parts.append(f',{shown}' if needed else f'[,{shown}]')
        return ''.join(parts)

    def option(self, option: Option) -> str:
        """Spell an option by itself: `to=NAME`."""
        return f'{option.name}={option.value}'

    def word(self, word: Word) -> str:
        """Spell the name of a command by itself, as it is in code."""
        return word.name

    def where(self, where: Where) -> str:
        """Say where settings are to be set or corrected."""
        return 'in the fabfile'


def escape(value: str) -> str:
    r"""Put `\` before what Fabric would take for a separator."""
    return str(value).replace(',', r'\,').replace('=', r'\=')


def command_line(task: str, name: str | None, option: str | None) -> str:
    """Give `fab task:name,option`, quoted for a shell where it must be.

    `option` is the text as typed after `task:name,`, escapes for Fabric included.
    An empty one is shown too: without it, `execute,` would execute all. So is one
    without a command, as in `task:,dry_run=yes`.
    """
    text = task
    if name or option is not None:
        text += f':{escape(name or "")}'
    if option is not None:
        text += f',{option}'
    return f'fab {quoted(text)}'


def quoted(word: str) -> str:
    r"""Quote a word for a POSIX shell, by itself and inside Fabric's `run()`.

    `run()` puts the whole command in double quotes and escapes `"`, `$` and `` ` ``
    in it, but no `\`: a word with `\$(…)` in it would be executed, whatever its
    quotes. So a quote is closed and opened again behind each `\`, which before a
    `'` is itself, in double quotes and out of them.
    """
    return shlex.quote(word).replace('\\', "\\''")
