"""Unknown commands and flags in a line that was typed for Invoke.

Invoke itself says only that it has no idea what a word is. What is said here is certain
even before Invoke knows all of its tasks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from migopy.commands import Option, Part, Usage
from migopy.face.flags import Flag
from migopy.face.misfit import no_such_option
from migopy.face.subtasks import WrongOptions

#: A migration, by its name or number, which no task is named like.
MIGRATION = re.compile(r'\d+|.*\.py')

HELP = ('-h', '--help')


def unknown_in(
    words: Sequence[str], collection: str, commands: Collection[str]
) -> str | None:
    """Give the unknown command that a line begins with, `None` if it is known.

    A fabfile may have the collection in others.
    """
    within = rf'(?:.+\.)?{re.escape(collection)}\.(\w+)'
    found = re.fullmatch(within, underscored((words or [''])[0]))
    name = found[1] if found else None
    return name if name not in commands else None


def path_in(words: Sequence[str], collection: str) -> str:
    """Give the collection that a line begins with, as a path: `db.migrations`.

    It is that of the fabfile, in others, or the collection itself where the line has no
    such path.
    """
    within = rf'(.+\.{re.escape(collection)})(?:[.:,].*)?'
    found = re.fullmatch(within, underscored((words or [''])[0]))
    return found[1] if found else collection


def mistake_in(
    words: Sequence[str],
    collection: str,
    commands: Mapping[str, Sequence[Flag]],
    default: str,
    of_program: Collection[str],
) -> WrongOptions | None:
    """Give what is wrong behind the command that a line begins with, if anything.

    `commands` are those of the collection with their flags, `default` is the one that
    the collection's name stands for. `of_program` are flags that are taken anywhere.
    """
    typed, *behind = words or ['']
    typed = underscored(typed)
    begin, _, name = typed.rpartition('.')
    if typed == collection:
        begin, name = collection, default
    flags = commands.get(name)
    if begin != collection or flags is None:
        return None
    said = _wrong_word(behind, flags, of_program)
    # One parameter may be typed as two flags.
    parameters = {each.parameter.name: each.parameter for each in flags}
    usage = Usage(name, list(parameters.values()))
    return WrongOptions(name, *said, usage) if said else None


def underscored(name: str) -> str:
    """Give the name of a task as it is in code: for `_` a `-` is typed."""
    return name.replace('-', '_')


def _wrong_word(
    words: Sequence[str], flags: Sequence[Flag], of_program: Collection[str]
) -> Sequence[Part]:
    """Say what is wrong with the words behind a command, up to the next task."""
    by_word = {each.typed: each for each in flags}
    needed = [each for each in flags if each.is_needed]
    left = iter(words)
    for word in left:
        flag, equals, _ = word.partition('=')
        if word in HELP and needed:
            # Invoke takes it for the value that is missing.
            return [f'{word} is typed before the command here; nothing was done']
        # It is not known here whether a value follows a flag of the program's own.
        if flag in of_program:
            return []
        if flag in by_word:
            needed = [each for each in needed if each.typed != flag]
            _skip_value(left, by_word[flag], bool(equals))
        elif word.startswith('--'):
            known = [each.name.rstrip('_') for each in flags]
            option = flag.lstrip('-').replace('-', '_')
            return no_such_option(option, known, None, flag)
        elif needed:
            del needed[0]
        else:
            return _behind_a_flag(word, flags) if MIGRATION.fullmatch(word) else []
    return [f'it needs {needed[0].placeholder}; nothing was done'] if needed else []


def _skip_value(words: Iterator[str], flag: Flag, is_there: bool) -> None:
    if not flag.is_switch and not is_there:
        next(words, None)


def _behind_a_flag(word: str, flags: Sequence[Flag]) -> Sequence[Part]:
    """Say behind which flag a migration is typed, or that the command takes none."""
    for flag in flags:
        by_place = flag.parameter.kind is flag.parameter.POSITIONAL_OR_KEYWORD
        if by_place and not flag.is_needed:
            meant = Option(flag.parameter.name, word)
            return [f'{word} is typed ', meant, ' here; nothing was done']
    if any(each.parameter.kind is each.parameter.VAR_POSITIONAL for each in flags):
        return []
    return [f'{word} is too much here; nothing was done']
