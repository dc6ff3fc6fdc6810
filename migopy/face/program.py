"""What was typed for the program of Invoke or of Fabric 2 or 3.

The program is looked up, not imported: it is running already, or, in plain Python,
there is none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from migopy.files import invoke_program

#: The options before a command that say where it is to run, and which file it is in.
#: None of them has a secret.
KEPT = frozenset(
    """
    collection config connect-timeout hosts identity prompt-for-login-password
    prompt-for-passphrase search-root ssh-config
    """.split()  # noqa: SIM905
)

#: Those of them that are sent to another machine, where the same file lies.
SENT_ALONG = frozenset({'collection'})


def name_words() -> list[str]:
    """Give the words that start the program: `fab`, `inv`, `python -m fabric`."""
    if invoke_program() is None:
        return ['fab']
    folder, name = os.path.split(sys.argv[0])
    if name == '__main__.py':
        return [os.path.basename(sys.executable), '-m', os.path.basename(folder)]
    return [name]


def option_words(kept: frozenset[str]) -> list[str]:
    """Give the program's options that are to be `kept`, as they are typed.

    They may have been typed before the tasks or behind one.
    """
    words: list[str] = []
    for option in _options():
        if not kept.intersection(option.names) or not option.got_value:
            continue
        letter = next((f'-{each}' for each in option.names if len(each) == 1), None)
        word = letter or f'--{option.names[0]}'
        if option.kind is bool:
            words += [word] if option.value else []
        else:
            values = option.value if option.kind is list else [option.value]
            words += [part for value in values for part in (word, str(value))]
    return words


def words_before() -> list[str]:
    """Give the words that lead to the same tasks again: the program and its options."""
    return [*name_words(), *option_words(KEPT)]


def as_fabric(words: Sequence[str]) -> list[str]:
    """Turn the words of a line for `inv` into those for `fab` with the same file."""
    program = invoke_program()
    if program is None or any('hosts' in option.names for option in _options()):
        return list(words)
    start = len(name_words())
    options = list(words[start:])
    if not option_words(SENT_ALONG):
        options = ['-c', str(program.config.tasks.collection_name), *options]
    return ['fab', *options]


def hosts() -> list[str]:
    """List the hosts that were typed, in their order; Invoke alone knows none."""
    [typed] = [each.value for each in _options() if 'hosts' in each.names] or ['']
    return str(typed).split(',') if typed else []


def _options() -> list[Any]:
    program = invoke_program()
    return list(program.args.values()) if program else []


def first_words() -> Sequence[str]:
    """List what was typed from the first task on, as it was typed."""
    program = invoke_program()
    return [str(word) for word in program.core.unparsed] if program else []


def own_flags() -> set[str]:
    """List the flags that the program itself takes, before a task or behind it."""
    program = invoke_program()
    if program is None:
        return set()
    context = program.initial_context
    return {*context.flags, *context.inverse_flags, '-h', '--help', '--'}


def collection_of(body: Callable[..., Any]) -> str | None:
    """Find the name of the collection that has a task with this function.

    It is what the fabfile calls it: `db.migrations`, say. `''` if the task is in none;
    `None` if no program runs, or it has not read its tasks yet.
    """
    collection: Any = getattr(invoke_program(), 'collection', None)
    for name in collection.task_names if collection else ():
        if ':' not in name and collection[name].body is body:
            return str(name).rpartition('.')[0]
    return None


def file_name() -> str | None:
    """Give what the file of tasks is called, without its ending: `fabfile`, `tasks`.

    `None` where no program runs, `''` where it brings its tasks along.
    """
    program = invoke_program()
    if program is None:
        return None
    if 'collection' not in program.args:
        return ''
    return str(program.args.collection.value or program.config.tasks.collection_name)


def has_dashes() -> bool:
    """Tell whether names of tasks are typed with `-` for `_`, as is usual."""
    collection = getattr(invoke_program(), 'collection', None)
    return bool(getattr(collection, 'auto_dash_names', True))


def times_typed(body: Callable[..., Any], given: Mapping[str, Any]) -> int:
    """Count how often a task was typed with the same arguments, in one line."""
    program: Any = invoke_program()
    same = [
        each
        for each in getattr(program, 'tasks', ())
        if program.collection[each.name].body is body and each.as_kwargs == given
    ]
    return len(same) or 1
