"""Find words and functions of a migration file whose names are spelt wrong.

They would be passed over: the file would run elsewhere than was meant, or unchecked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

from migopy.files.compiled import parsed
from migopy.files.loaded import BEST_EFFORT, LoadedMigration, takes_one
from migopy.files.metadata import READERS, BadSaid
from migopy.files.shapes import OWN, SHAPES, Functions
from migopy.spelt import is_misspelling

if TYPE_CHECKING:
    import ast

#: What a file may say, beside what its functions do.
WORDS = (*READERS, 'transaction', 'undo', 'parallel')

#: Names that mean something themselves, here or in the files of other tools.
KNOWN = frozenset((*WORDS, *SHAPES, 'downgrade', 'dependencies', 'name'))

#: What a `down` heeds, too. No other slip is to be in the way of one that undoes.
BOTH_WAYS = ('transaction', 'parallel')


def require_spelt(loaded: LoadedMigration, direction: str) -> None:
    """Raise `BadSaid` for the first name that a direction would pass over."""
    for name, word in loaded.misspelt:
        if direction == 'up' or word in BOTH_WAYS:
            said = f'{name} would be passed over: the word is `{word}`'
            own = f'or call it _{name} if it is your own'
            raise BadSaid(loaded.name, f'{said} ({own})')


def misspelt_in(
    module: ModuleType, content: bytes, functions: Functions
) -> Sequence[tuple[str, str]]:
    """Give the names that are spelt wrong, each with the word that was meant.

    A name is the file's own if the file uses it, has the word as well, or gives it what
    the word could not mean. `functions` are those of the migration, however called.
    """
    names = vars(module)
    found = [
        (name, word)
        for name in names
        if name not in KNOWN
        for word in words_like(name)
        if word not in names and _is_meant(name, word, names[name])
    ]
    found = [
        (name, word)
        for name, word in found
        if not any(names[name] is each for each in functions.values())
    ]
    # Hardly a file has such a name, and only those are worth parsing.
    tree = parsed(content) if found else None
    own = _only_set(tree) if tree else frozenset()
    return tuple(each for each in found if each[0] in own)


@lru_cache(maxsize=4096)
def words_like(name: str) -> Sequence[str]:
    """Give the words that a name may be a misspelling of."""
    return tuple(word for word in (*WORDS, *OWN) if is_misspelling(name, word))


def _is_meant(name: str, word: str, value: object) -> bool:
    """Tell whether what a name stands for would do as what a word stands for."""
    if word in OWN:
        return isinstance(value, FunctionType) and takes_one(value)
    if word in ('transaction', 'undo', 'parallel', 'repeat'):
        # What is so without the word, too, does no harm.
        wishes = {'transaction': (True, False), 'parallel': (False,)}
        is_text = word == 'undo' and isinstance(value, str) and value == BEST_EFFORT
        return is_text or (
            isinstance(value, bool) and value in wishes.get(word, (True,))
        )
    # A constant may name an environment, and list whatever is needed.
    is_constant = name.isupper()
    if word == 'environments' and isinstance(value, str):
        return bool(value.strip()) and not is_constant
    read, _ = READERS['replaces' if word == 'needs' and is_constant else word]
    return bool(read(value))


def _only_set(tree: ast.Module) -> frozenset[str]:
    """Give the names that a file sets or defines, and neither uses nor imports."""
    import ast

    defined: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Name):
            (defined if isinstance(node.ctx, ast.Store) else used).add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            used |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Global):
            used |= set(node.names)
        elif isinstance(node, (ast.Assign, ast.AugAssign)) and _is_all(node):
            used |= {
                each.value
                for each in ast.walk(node.value)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
    return frozenset(defined - used)


def _is_all(node: ast.Assign | ast.AugAssign) -> bool:
    import ast

    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(getattr(each, 'id', '') == '__all__' for each in targets)
