"""What a migration file says of itself, read without importing it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from migopy.commands import Command
from migopy.errors import MigopyException
from migopy.files.compiled import parsed
from migopy.secrets import redacted_short
from migopy.texts import same_name

if TYPE_CHECKING:
    import ast

#: When a migration is to run, in the order of a roll-out: before the new code, after
#: it, or beside it for as long as it takes.
PHASES = ('before', 'after', 'background')
BEFORE, AFTER, BACKGROUND = PHASES

#: A file without a line that begins so need not be parsed.
WORDS = re.compile(
    rb'^(?:phase|needs|environments?|replaces|repeat(?:s|ed|able)?)\b',
    re.MULTILINE | re.IGNORECASE,
)

#: What is in each file that says that it is to run again.
REPEAT = b'repeat'

#: Where what the file says is no value that can be read in it.
UNREADABLE = object()

#: Characters of a value that cannot be used which are shown.
WIDEST_VALUE = 60


class Said(NamedTuple):
    """What a file says of itself.

    Invariant: what it does not say is as if all files were alike; `wrong` is why it
    cannot be used, `''` where it can. If something is wrong, nothing else is said.
    """

    phase: str = BEFORE
    needs: tuple[str, ...] = ()
    #: Where it is to run, in the order of the file; everywhere where it names none.
    environments: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    #: Whether it runs again, after all others, whenever its content has changed.
    repeat: bool = False
    wrong: str = ''

    def is_for(self, environment: str) -> bool:
        """Tell whether it is to run in an environment, `''` for one without a name.

        Nobody loses a migration by a capital letter.
        """
        names = [each.strip().casefold() for each in self.environments]
        return not names or environment.strip().casefold() in names


#: What a file says that says nothing.
NOTHING = Said()


class BadSaid(MigopyException):
    """What a file says of itself cannot be used; `name` is the migration's."""

    def __init__(self, name: str, wrong: str) -> None:
        self.name = name
        self.wrong = wrong
        super().__init__(
            f'{name}: {wrong}, so nothing was run.\nCorrect it, then type: ', Command()
        )


def _phase(value: object) -> str | None:
    return value if isinstance(value, str) and value in PHASES else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _names(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, (list, tuple)):
        return None
    good = all(isinstance(name, str) and name.strip() for name in value)
    return tuple(value) if good else None


def _files(value: object) -> tuple[str, ...] | None:
    # A name without its ending fits no record: what has run would run again.
    names = _names(value)
    if names is None or not all(re.fullmatch(r'[^/\\]+\.py', each) for each in names):
        return None
    return tuple(map(same_name, names))


def _some_names(value: object) -> tuple[str, ...] | None:
    return _names(value) or None


#: What `environments` would be passed over as. Passed over, it would run everywhere.
MISSPELT = ('environment', 'ENVIRONMENTS')

#: What `repeat` would be passed over as. Passed over, it would not run again.
MISSPELT_REPEAT = ('REPEAT', 'repeatable', 'repeated', 'repeats')

ALL_MISSPELT = frozenset((*MISSPELT, *MISSPELT_REPEAT))

#: How each word is read, `None` for what cannot be used, and what is wanted of it.
READERS: Mapping[str, tuple[Callable[[object], Any], str]] = {
    'environments': (_some_names, "no list of names such as ['staging']"),
    'needs': (_names, "no list of names such as ['001_add_index.py']"),
    'phase': (_phase, "none of 'before', 'after' and 'background'"),
    'repeat': (_flag, 'neither True nor False'),
    'replaces': (_files, "no list of files' names such as ['001_add_index.py']"),
}


def said_in(content: bytes) -> Said:
    """Read what a file's content says of the file.

    What cannot be parsed says nothing: it cannot be imported either.
    """
    if not WORDS.search(content):
        return NOTHING
    tree = parsed(content)
    if tree is None:
        return NOTHING
    values = _assigned(tree)
    for name in MISSPELT:
        # A constant of one's own may be called so; a list of names is meant as this.
        if _names(values.get(name)):
            right = 'the word is `environments`'
            return Said(wrong=f'{name} would be passed over: {right}')
    for name in MISSPELT_REPEAT:
        if values.get(name) is True:
            right = 'the word is `repeat`'
            return Said(wrong=f'{name} would be passed over: {right}')
    return said_by_values(values)


def said_by_values(values: Mapping[str, object]) -> Said:
    """Read what values by their names say; others than the known ones say nothing."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        word = name.lower()
        if word not in READERS:
            continue
        read, wanted = READERS[word]
        if name != word:
            # Passed over, it would run at another time than was meant. A constant of
            # one's own is called so, too, but names no files.
            is_meant = {'phase': _phase, 'needs': _files, 'replaces': _files}.get(word)
            if is_meant and is_meant(value):
                return Said(wrong=f'{name} would be passed over: the word is `{word}`')
            continue
        if value is UNREADABLE:
            return Said(wrong=f'{word} is not written out at the top of the file')
        found[word] = read(value)
        if found[word] is None:
            shown = redacted_short(repr(value), WIDEST_VALUE)
            return Said(wrong=f'{word} = {shown} is {wanted}')
    said = Said(**found)
    if said.repeat and said.replaces:
        return Said(wrong='repeat = True is not for a file that replaces others')
    return said


def said_by(module: ModuleType, name: str) -> Said:
    """Read what an imported file says, as `said_in` does before; raises `BadSaid`.

    `name` is the migration's. A function or a module of such a name says nothing.
    """
    said = said_by_values(
        {
            word: value
            for word, value in vars(module).items()
            if not (isinstance(value, ModuleType) or callable(value))
        }
    )
    if said.wrong:
        raise BadSaid(name, said.wrong)
    return said


def _assigned(tree: ast.Module) -> dict[str, object]:
    """Give what the top of a file sets variables to, the last value of each."""
    import ast

    found: dict[str, object] = {}
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif (isinstance(node, ast.AnnAssign) and node.value is not None) or isinstance(
            node, ast.AugAssign
        ):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and (
                target.id.lower() in READERS or target.id in ALL_MISSPELT
            ):
                found[target.id] = written_out(node)
    return found


def written_out(node: ast.stmt) -> object:
    """Give the value of an assignment, `UNREADABLE` where only running it tells."""
    import ast

    if isinstance(node, ast.AugAssign):
        return UNREADABLE
    try:
        return ast.literal_eval(node.value)  # type: ignore[attr-defined]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNREADABLE
