"""What `--help` shows, from the commands' signatures and docstrings."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap

from migopy.commands import Command, Spelling, Usage
from migopy.face.help import EXAMPLE, as_typed_here
from migopy.face.marked import MEANING_OF_MANY, OF_MANY
from migopy.face.options import Parser, add_general, add_options
from migopy.face.spelling import word_of
from migopy.face.subtasks import Subtask, Subtasks, explanation, usage_of


def help_of(subtask: Subtask, name: str, spelling: Spelling) -> str:
    """Give what `--help` shows of a command, from its signature and docstring."""
    usage = usage_of(subtask, name)
    first, rest = explanation(subtask)
    general, of_options = told_apart(rest, usage, spelling)
    description = '\n'.join(map(_wrapped, [first, *general.splitlines()]))
    parser = _for_help(spelling.usage(usage), description)
    options = parser.add_argument_group('options of this command')
    add_options(options, usage, of_options)
    add_general(parser.add_argument_group('options of every command'))
    return parser.format_help().rstrip()


def overview_of(subtasks: Subtasks, spelling: Spelling, place: str) -> str:
    """Give what `--help` shows without a command; `place` has the manager, if any."""
    of = f' of {place}' if place else ''
    parser = _for_help(
        f'{spelling.command(Command())} [COMMAND] [OPTION ...]',
        f'Run the MongoDB migrations{of}. Without a command: show what is pending.',
    )
    add_general(parser.add_argument_group('options of every command'))
    lines = [
        f'  {word_of(each.__name__):<12} {explanation(each)[0]}' for each in subtasks
    ]
    parser.epilog = '\n'.join(['commands:', *lines])
    return parser.format_help().rstrip()


def _for_help(usage: str, description: str) -> Parser:
    return Parser(
        add_help=False,
        usage=usage.replace('%', '%%'),
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _wrapped(line: str) -> str:
    """Wrap a line as argparse wraps what it says of options; an example stays whole."""
    if EXAMPLE.match(line):
        return line
    return textwrap.fill(line, shutil.get_terminal_size().columns - 2)


def told_apart(
    text: str, usage: Usage, spelling: Spelling
) -> tuple[str, dict[str, str]]:
    """Give the general text of a docstring, and what it says of each option."""
    examples = [
        as_typed_here(each[0], usage, spelling) for each in EXAMPLE.finditer(text)
    ]
    prose = ' '.join(EXAMPLE.sub('', text).split())
    general = []
    said = {
        each.name: MEANING_OF_MANY[each.name]
        for each in usage.parameters
        if each in OF_MANY
    }
    names = [each.name for each in usage.parameters]
    for sentence in re.split(r'(?<=\.) (?=[A-Z]|\w+=)|(?<=;) ', prose):
        about = [each for each in names if _is_about(each, sentence)]
        spelled = as_typed_here(sentence, usage, spelling)
        whole = f'{spelled[:1].upper()}{spelled[1:].rstrip(".;")}.'
        for name in about:
            # In argparse a % begins what it fills in.
            said[name] = ' '.join([*said.get(name, '').split(' '), whole]).strip()
        if not about and sentence:
            general.append(whole)
    of_options = {name: text.replace('%', '%%') for name, text in said.items()}
    return '\n'.join([*examples, ' '.join(general)]).strip(), of_options


def _is_about(name: str, sentence: str) -> bool:
    """Tell whether a sentence names an option; `from_` is typed `from`."""
    option = name.rstrip('_')
    return re.search(rf'\b{option}=\w', sentence) is not None
