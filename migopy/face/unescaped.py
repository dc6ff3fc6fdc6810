"""Words that Fabric 1 cannot read: `migrations:rehearse,on=mongodb://h/?a=b`."""

from __future__ import annotations

import re
from typing import NamedTuple

from migopy.commands import command_line
from migopy.errors import MigopyException
from migopy.face.subtasks import as_typed
from migopy.secrets import redacted


class TypedWord(NamedTuple):
    """A word of a command line: the task, the command, its values and options.

    Invariant: of several `=` in one part the first one ends the option's name.
    """

    task: str
    subtask: str | None
    values: list[str]
    options: dict[str, str]
    #: Whether Fabric can read it.
    is_readable: bool

    @classmethod
    def of(cls, word: str) -> TypedWord:
        """Read a word as Fabric does, but with any number of `=` in each part."""
        task, _, text = word.partition(':')
        values, options, is_readable = [], {}, True
        for part in _split(',', text):
            name, *rest = _split('=', part)
            is_readable = is_readable and len(rest) < 2
            if rest:
                options[name] = '='.join(rest)
            else:
                values.append(name)
        subtask = values[0] if values else None
        return cls(task, subtask, values[1:], options, is_readable)


class Unescaped(MigopyException):
    r"""A value has a `=`, which has to be typed `\=`.

    Invariant: the text shows no password of a URI.
    """

    def __init__(self, word: TypedWord) -> None:
        options = {name: redacted(text) for name, text in word.options.items()}
        behind = as_typed([*map(redacted, word.values)], options)
        meant = command_line(word.task, word.subtask, behind)[len('fab ') :]
        secret = ' (with the password for ***)' if options != word.options else ''
        super().__init__(
            f'{word.task}: Fabric takes each = for the end of a name, so one in a value'
            f' has to be typed \\=; nothing was done.\nType it like this{secret}:'
            f' {meant}'
        )


def _split(separator: str, text: str) -> list[str]:
    parts = re.split(rf'(?<!\\){separator}', text)
    return [part.replace(f'\\{separator}', separator) for part in parts]
