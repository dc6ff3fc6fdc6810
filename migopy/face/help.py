"""What `help` shows of commands, from their docstrings and parameters."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from migopy.commands import Command, Option, Spelling, Usage, Word
from migopy.face.subtasks import Subtask, Subtasks, explanation, usage_of
from migopy.terminal import is_terminal, width, wrapped

#: What `fab -l` shows the first line of, and `fab -d migrations` the whole.
ESSENTIALS = """Show unregistered MongoDB migrations.

    fab {task}                        what has not run yet
    fab {task}:execute                run it
    fab {task}:execute,dry_run=yes    see what it would do
    fab {task}:rollback,001_x.py      undo one
    fab {task}:create,what_it_does    write the next one
    fab {task}:help                   all the rest
"""

#: The line of a docstring that shows how a command is typed, behind the task's name.
EXAMPLE = re.compile('^Example: (.*)$', re.MULTILINE)


def overview(subtasks: Iterable[Subtask], spelling: Spelling) -> list[str]:
    """Show each command: its first line, its options if any, an example."""
    lines = []
    for subtask in subtasks:
        name = subtask.__name__
        first, rest = explanation(subtask)
        command = spelling.command(Command(name))
        lines.append(wrapped(f'{command} - {first}', indent=4))
        usage = usage_of(subtask, name)
        example = EXAMPLE.search(rest)
        if example or usage.parameters:
            lines.append(folded(spelling.usage(usage), indent=4))
        if example:
            lines.append(f'    {as_typed_here(example[0], usage, spelling)}')
    return lines


def in_full(
    subtasks: Subtasks, typed: str, spelling: Spelling
) -> tuple[str, list[str]]:
    """Give how a command is typed, and the lines of its docstring.

    `typed` is its name, or the word for it here. Raises `UnknownSubtask`.
    """
    name = names_by_word(subtasks.names, spelling).get(typed, typed)
    subtask = subtasks.get(name)
    usage = usage_of(subtask, name)
    first, rest = explanation(subtask)
    lines = [wrapped(first)]
    if rest:
        lines.append(as_typed_here(rest, usage, spelling))
    return spelling.usage(usage), lines


def names_by_word(names: Iterable[str], spelling: Spelling) -> dict[str, str]:
    """Give the names of commands by what may be typed for them: these names, too."""
    found = {spelling.word(Word(name)): name for name in names}
    return found | {
        word: name for name in names for word in (name.replace('_', '-'), name)
    }


def as_typed_here(text: str, usage: Usage, spelling: Spelling) -> str:
    """Give a docstring with its examples and options spelled as one types them here."""
    names = [re.escape(each.name.rstrip('_')) for each in usage.parameters]
    option = re.compile(rf'\b({"|".join(names or ["(?!)"])})=(\w+)')

    def spelled(line: str) -> str:
        example = EXAMPLE.match(line)
        if example:
            return f'Example: {spelling.command(Command.parse(example[1]))}'
        return option.sub(lambda match: spelling.option(Option(*match.groups())), line)

    return '\n'.join(map(spelled, text.split('\n')))


def folded(usage: str, indent: int) -> str:
    """Break the usage of a command between its options, on a narrow terminal."""
    lines = [' ' * indent]
    for part in usage.replace('[', '\n[').split('\n'):
        if len(lines[-1]) + len(part) > width() and is_terminal(sys.stdout):
            lines.append(' ' * 2 * indent)
        lines[-1] += part
    return '\n'.join(lines)
