"""Which methods of a manager are its subtasks, and how a subtask is called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from types import FunctionType
from typing import Any, TypeVar, overload

from migopy.commands import Command, Option, Part, Usage, Word, escape
from migopy.errors import MigopyException
from migopy.face.marked import DEFAULT, OF_MANY, READING, is_for_each
from migopy.face.misfit import misfit, no_such_option, typed_as_value
from migopy.origins import MARK
from migopy.secrets import redacted

Method = TypeVar('Method', bound=Callable[..., Any])
Subtask = Callable[..., Any]
LISTED = '\nThere are:'

#: What other tools call these commands; `''` is the one for no name.
HABITS = {
    **dict.fromkeys(('apply', 'migrate', 'run', 'up', 'upgrade'), 'execute'),
    **dict.fromkeys(('down', 'downgrade', 'revert'), 'rollback'),
    **dict.fromkeys(('pending', 'show', 'status'), ''),
    **dict.fromkeys(('add', 'generate', 'make', 'new'), 'create'),
    **dict.fromkeys(('fake', 'mark', 'skip', 'stamp'), 'ignore'),
    **dict.fromkeys(('backup', 'dump'), 'dbdump'),
    'log': 'history',
    'ls': 'list',
    'validate': 'verify',
    'restore': 'dbrestore',
}


class UnknownSubtask(MigopyException):
    """There is no such command; `name` was typed, `known` are those there are.

    Invariant: nothing was run, and of a command whose name merely looks alike, and that
    changes something, only the help is offered.
    """

    def __init__(self, name: str, known: Sequence[str], is_alone: bool = False) -> None:
        """Take what was typed, and what there is; `is_alone`: that was all."""
        self.name = name
        self.known = known
        said: list[Part] = [f'There is no command {name!r}; nothing was done.']
        if name in HABITS:
            here = HABITS[name]
            if here and here not in READING and not is_alone:
                other = f'\nHere that is done by {here}, see: '
                said += [other, Command('help', here)]
            else:
                said += ['\nHere that is done by: ', Command(here)]
        else:
            for near in difflib.get_close_matches(name, known, 1):
                said.append(' Did you mean ')
                see: list[Part] = [Word(near), '? See: ', Command('help', near)]
                said += [Command(near), '?'] if near in READING else see
        lines = [part for each in known for part in ('\n  ', Command(each))]
        super().__init__(*said, LISTED, *lines)

    @property
    def next(self) -> list[Command]:
        """List what may have been meant; the others would change something, too."""
        meant = takewhile(lambda part: part != LISTED, self.parts)
        return [part for part in meant if isinstance(part, Command)]


class WrongOptions(MigopyException):
    """A subtask does not take what was typed; `subtask` is its name."""

    def __init__(self, subtask: str, *said: Part) -> None:
        """Take the command, the reason in parts, and at the end what may be typed."""
        *reason, usage = said
        self.subtask = subtask
        super().__init__(Word(subtask), ': ', *reason, '.\nType: ', usage)


@overload
def task(method: Method) -> Method: ...
@overload
def task(*, default: bool = False) -> Callable[[Method], Method]: ...
def task(
    method: Method | None = None, default: bool = False
) -> Method | Callable[[Method], Method]:
    """Mark a method as a subtask, with `default=True` as the one for no subtask."""

    def mark(method: Method) -> Method:
        setattr(method, MARK, DEFAULT if default else True)
        return method

    return mark if method is None else mark(method)


class Subtasks:
    """The subtasks of a manager.

    Invariant: a subtask is a method that is marked, or overrides a subtask, or is a
    public one that a class derived from `base` adds. Attributes are never evaluated, so
    an object that answers to any name is no subtask.
    """

    def __init__(self, manager: object, base: type) -> None:
        self._manager = manager
        self._base = base
        self._names = {
            name: self._mark(name)
            for name in dir(type(manager))
            if not name.startswith('_')
        }

    def __iter__(self) -> Iterator[Subtask]:
        """Iterate over the bound methods in order of name."""
        return (getattr(self._manager, name) for name in self.names)

    @property
    def names(self) -> list[str]:
        """List the names in alphabetical order."""
        return sorted(name for name, mark in self._names.items() if mark)

    def get(self, name: str, is_alone: bool = False) -> Subtask:
        """Give the bound method; raises `UnknownSubtask`.

        `is_alone` is whether the name was all that was typed.
        """
        if not self._names.get(name):
            raise UnknownSubtask(name, self.names, is_alone)
        method: Subtask = getattr(self._manager, name)
        return method

    @property
    def default(self) -> Subtask:
        """Give the one for no name: the most derived class that marks one decides."""
        for cls in type(self._manager).__mro__:
            for name, attribute in vars(cls).items():
                if getattr(attribute, MARK, None) == DEFAULT:
                    return self.get(name)
        raise UnknownSubtask('', self.names)

    def _mark(self, name: str) -> bool:
        attribute = inspect.getattr_static(type(self._manager), name)
        mark = getattr(attribute, MARK, None)
        if mark is True or (isinstance(mark, str) and mark == DEFAULT):
            return True
        if not isinstance(attribute, FunctionType):
            return False
        inherited = getattr(self._base, name, None)
        return inherited is None or hasattr(inherited, MARK)


def call(
    subtask: Subtask, name: str, values: Iterable[str], options: Mapping[str, str]
) -> Any:
    """Call a subtask with what was typed; raises `WrongOptions` before it starts."""
    values = list(values)
    require_taken(subtask, name, values, options)
    try:
        return subtask(*values, **_by_parameter(inspect.signature(subtask), options))
    except MigopyException as error:
        error.keep_within(_shown(name, values, options))
        raise


def _shown(
    name: str, values: Sequence[object], options: Mapping[str, object]
) -> Command:
    """Give what was typed, without passwords in URIs, so that a message may show it."""
    given = [each for each in values if each is not None]
    shown = {key: _text(each) for key, each in options.items() if each is not None}
    return Command(name, *map(_text, given), **shown)


def _text(value: object) -> str:
    """Give what would be typed for a value, which a task of the fabfile may give."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return redacted(str(value))


def _by_parameter(
    signature: inspect.Signature, options: Mapping[str, str]
) -> dict[str, str]:
    """Give options by the names of their parameters: `from` is a parameter `from_`."""
    return {
        f'{key}_' if f'{key}_' in signature.parameters else key: text
        for key, text in options.items()
    }


def require_taken(
    subtask: Subtask, name: str, values: Sequence[str], options: Mapping[str, str]
) -> None:
    """Raise `WrongOptions` for what was typed unless the subtask takes it."""
    signature = inspect.signature(subtask)
    options = _by_parameter(signature, options)
    for value in values:
        wrong = typed_as_value(signature, value)
        if wrong:
            raise WrongOptions(name, *wrong, usage_of(subtask, name))
    _require_known(signature, name, options, usage_of(subtask, name))
    try:
        signature.bind(*values, **options)
    except TypeError as error:
        wrong = misfit(signature, values, options) or [str(error)]
        usage = usage_of(subtask, name)
        raise WrongOptions(name, *wrong, '; nothing was done', usage) from error


def _require_known(
    signature: inspect.Signature, name: str, options: Mapping[str, str], usage: Usage
) -> None:
    """Raise `WrongOptions` for an option that a command does not have."""
    taken = signature.parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        return
    for option in options:
        if option not in signature.parameters:
            known = [each.name.rstrip('_') for each in usage.parameters]
            if option in known:
                useless = ' says which databases, and none is looked at here'
                raise WrongOptions(name, Option(option), useless, usage)
            raise WrongOptions(name, *no_such_option(option, known, usage), usage)


def has_option(manager_class: type, name: str, option: str) -> bool:
    """Tell whether a command of a class takes an option itself.

    An override that passes all on, `*args, **kwargs`, takes what it overrides takes.
    """
    for parameters in _overridden(manager_class, name):
        if not _passes_all_on(parameters):
            kinds = {each.name: each.kind for each in parameters}
            return option in kinds or inspect.Parameter.VAR_KEYWORD in kinds.values()
    return False


def usage_of(subtask: Subtask, name: str) -> Usage:
    """Tell how a subtask may be typed.

    An override that passes all on, `*args, **kwargs`, takes what it overrides takes.
    """
    parameters = tuple(inspect.signature(subtask).parameters.values())
    manager = getattr(subtask, '__self__', None)
    found = _overridden(type(manager), name)
    own = [each for each in found if not _passes_all_on(each)] or found[-1:]
    parameters = own[0] if own else parameters
    known = {each.name for each in parameters}
    kept_back = {one.name.rstrip('_') for each in own[1:] for one in each} - known
    if is_for_each(manager, name):
        taken = {each.name for each in parameters}
        parameters += tuple(each for each in OF_MANY if each.name not in taken)
    return Usage(name, parameters, kept_back)


def _overridden(cls: type, name: str) -> list[tuple[inspect.Parameter, ...]]:
    """List the parameters of a class's method, and of those that it overrides."""
    found = [vars(each)[name] for each in cls.__mro__ if name in vars(each)]
    return [
        tuple(inspect.signature(each).parameters.values())[1:]
        for each in found
        if isinstance(each, FunctionType)
    ]


def _passes_all_on(parameters: Sequence[inspect.Parameter]) -> bool:
    kinds = [each.kind for each in parameters]
    return kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]


def explanation(subtask: Subtask) -> tuple[str, str]:
    """Give the first paragraph of a subtask's docstring in one line, and the rest.

    An override without a docstring has that of what it overrides.
    """
    first, _, rest = (inspect.getdoc(subtask) or '').partition('\n\n')
    return ' '.join(first.split()), rest.strip()


def as_typed(values: Sequence[str], options: Mapping[str, str]) -> str | None:
    r"""Rebuild the text after `task:subtask,`, with `\` before each `,` and `=`.

    Fabric has no way to write a `\` that ends a value before a separator. Only the
    last value on a command line can end in one, so here it comes last again.
    """
    parts = [escape(value) for value in values]
    parts += [f'{escape(name)}={escape(value)}' for name, value in options.items()]
    parts.sort(key=lambda part: part.endswith('\\'))
    return ','.join(parts) if parts else None
