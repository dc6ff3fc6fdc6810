"""The words of a command line that a next command has to begin with as well."""

from __future__ import annotations

import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

#: Fabric's options, with a value, that say where a command runs and which fabfile it
#: is of. None of them is a secret.
OPTIONS = {
    '-H': '--hosts',
    '-R': '--roles',
    '-u': '--user',
    '-i': '-i',
    '-f': '--fabfile',
    '-c': '--config',
    '-x': '--exclude-hosts',
    '-g': '--gateway',
    '--port': '--port',
    '--ssh-config-path': '--ssh-config-path',
}


def words_before(
    typed: Sequence[str], task: str, commands: Mapping[str, object]
) -> list[str]:
    """Give the words of a command line (without `fab`) that lead to the same place.

    These are options that say where, and tasks such as `production` that do nothing but
    set something. A task that does anything else is left out: nobody wants it done
    again for a look at the status. `commands` are the fabfile's tasks by name.
    """
    kept: list[str] = []
    long_options = tuple(f'{long}=' for long in OPTIONS.values())
    words = iter(typed)
    for word in words:
        name = word.partition(':')[0]
        if name == task:
            break
        if word in OPTIONS or word in OPTIONS.values():
            kept += [word, *list(itertools.islice(words, 1))]
        elif word.startswith(long_options) or (
            not word.startswith('-') and _only_sets(commands.get(name))
        ):
            kept.append(word)
    return kept


def _only_sets(command: object) -> bool:
    """Tell whether a task's function does nothing but set variables and attributes."""
    # Only a line with other tasks before migopy's needs it.
    import ast

    function = getattr(command, 'wrapped', command)
    if not callable(function):
        return False
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        [definition] = ast.parse(source).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    return isinstance(definition, ast.FunctionDef) and all(
        _sets(statement) for statement in definition.body
    )


def _sets(statement: ast.stmt) -> bool:
    import ast

    if isinstance(statement, (ast.Global, ast.Pass, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        return not any(isinstance(each, ast.Call) for each in _inner(statement))
    if isinstance(statement, ast.Expr):
        value = statement.value
        if isinstance(value, ast.Constant):
            return True
        # env.update({…}), env.hosts.append(…)
        return (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in ('update', 'append', 'extend', 'setdefault')
            and not any(isinstance(each, ast.Call) for each in _inner(value))
        )
    return False


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    import ast

    return (each for child in ast.iter_child_nodes(node) for each in ast.walk(child))
