"""A migration that has been imported: its functions, and how they are to run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from migopy.commands import Again
from migopy.effects import Effects
from migopy.errors import MigopyException
from migopy.files.idle import IdleLoop, require_none_idle
from migopy.files.metadata import BACKGROUND, NOTHING, BadSaid, Said, said_by
from migopy.files.migration import Migration
from migopy.files.shapes import CONDITIONS, Functions

#: Words that were meant to be `transaction`, in small letters.
SPELT_WRONG = frozenset({'transaction', 'transactions', 'transactional'})

#: The value of `undo` that keeps images where it can, and goes on where it cannot.
BEST_EFFORT = 'best effort'

#: What importing a file usually does.
NO_EFFECTS = Effects()

#: The name of the parameter of conditions.
DATABASE = 'db'


class NoSuchFunction(MigopyException):
    """A migration file has no usable `up` or `down`; nothing has been run.

    `name` is the migration's, `function` what was looked for, `reason` what there is.
    """

    def __init__(self, name: str, function: str, reason: str) -> None:
        self.name = name
        self.function = function
        self.reason = reason
        super().__init__(
            f'{name} {reason}, so nothing was run.\n'
            f'Write `def {function}(db):` in it, then type',
            Again(),
        )


class InEventLoop(MigopyException):
    """An `async` function would run in a thread that has an event loop already.

    `name` is the migration's, `function` the function's.
    """

    def __init__(self, name: str, function: str) -> None:
        self.name = name
        self.function = function
        super().__init__(
            f'{name} has an async `{function}`, and here an event loop runs already, so'
            ' nothing was run.\nLet the command run in a thread: await'
            ' asyncio.to_thread(manager.execute)'
        )


class BadTransaction(MigopyException):
    """A migration's `transaction` cannot be used; `name` is the migration's.

    It is neither True nor False, or another `word` stands in its place; `wrong` says
    which.
    """

    def __init__(self, name: str, value: object, word: str = 'transaction') -> None:
        self.name = name
        why = (
            'is neither True nor False'
            if word == 'transaction'
            else 'would be passed over, as the word is `transaction`'
        )
        self.wrong = f'{word} = {value!r} {why}'
        super().__init__(
            f'{name}: {self.wrong}, so nothing was run.\nCorrect it, then type',
            Again(),
        )


class BadParallel(MigopyException):
    """A migration's `parallel` is neither True nor False; `name` is the migration's."""

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.wrong = f'parallel = {value!r} is neither True nor False'
        super().__init__(
            f'{name}: {self.wrong}, so nothing was run.\nCorrect it, then type',
            Again(),
        )


class BadUndo(MigopyException):
    """A migration's `undo` cannot be used; `name` is the migration's."""

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.wrong = f"undo = {value!r} is neither True nor False nor 'best effort'"
        super().__init__(
            f'{name}: {self.wrong}, so nothing was run.\nCorrect it, then type',
            Again(),
        )


class LoadedMigration(NamedTuple):
    """A migration that has been imported.

    Invariant: the checksum is that of the content that was compiled, and the module's
    body has run once. `functions` are its `up`, `down` and so on, as far as it has
    them. `turn` is a lock for those who must be alone in the module.
    """

    migration: Migration
    checksum: str
    module: ModuleType
    functions: Functions
    turn: AbstractContextManager[object] = nullcontext()
    #: What the content says of itself, read without importing it.
    written: Said = NOTHING
    #: What was done while it was imported, by the statements outside of its functions.
    at_import: Effects = NO_EFFECTS
    #: The loops of Python 2 in it that do nothing.
    idle: Sequence[IdleLoop] = ()
    #: Its names that are spelt wrong, each with the word that was meant.
    misspelt: Sequence[tuple[str, str]] = ()

    @property
    def name(self) -> str:
        """Give the migration's name."""
        return self.migration.name

    def in_transaction(self, default: bool) -> bool:
        """Tell whether it runs in a transaction: `transaction` in the file decides.

        Raises `BadTransaction` where that is neither `True` nor `False`, or its name
        is spelt in another way.
        """
        for name, value in vars(self.module).items():
            is_other_word = name != 'transaction' and name.lower() in SPELT_WRONG
            # If it were passed over, the migration would run without the transaction.
            if is_other_word and value in (True, False):
                raise BadTransaction(self.name, value, name)
        in_background = self.said().phase == BACKGROUND
        wish = getattr(self.module, 'transaction', default and not in_background)
        if not isinstance(wish, bool):
            raise BadTransaction(self.name, wish)
        if wish and in_background:
            wrong = "transaction = True is not for phase = 'background'"
            raise BadSaid(self.name, f'{wrong}: MongoDB ends one after a minute')
        return wish

    def images(self, default: bool | str) -> bool | str:
        """Tell whether to keep images of what it changes: `undo` in the file decides.

        `'best effort'` keeps them only where that is possible. Raises `BadUndo`, and
        `BadSaid` if `undo` is spelt in another way.
        """
        self._require_spelt('undo', (True, BEST_EFFORT))
        wish = getattr(self.module, 'undo', default)
        # A package or a function of that name is no wish.
        if isinstance(wish, (ModuleType, FunctionType)):
            wish = default
        if not isinstance(wish, bool) and wish != BEST_EFFORT:
            raise BadUndo(self.name, wish)
        return bool(wish) and wish

    def said(self) -> Said:
        """Tell what the file says of itself.

        The plan was made from the text of the file. Raises `BadSaid` if the imported
        module says something else, because the plan has not known of that.
        """
        written = self.written
        if written.wrong:
            raise BadSaid(self.name, written.wrong)
        said = said_by(self.module, self.name)
        for word, value in said._asdict().items():
            if value != getattr(written, word):
                wrong = f'{word} is not written out at the top of the file'
                raise BadSaid(self.name, wrong)
        return said

    def in_parallel(self) -> bool:
        """Tell whether it may run for several databases at once: `parallel` says so.

        Raises `BadParallel` where that is neither `True` nor `False`, and `BadSaid`
        where it is spelt in another way.
        """
        self._require_spelt('parallel', (False,))
        wish = getattr(self.module, 'parallel', True)
        # A package or a function of that name is no wish.
        if isinstance(wish, (ModuleType, FunctionType)):
            return True
        if not isinstance(wish, bool):
            raise BadParallel(self.name, wish)
        return wish

    def _require_spelt(self, word: str, meant: Sequence[object]) -> None:
        """Raise `BadSaid` for the word in capitals, with one of the `meant` values.

        Otherwise it would be passed over as a constant of the file's own.
        """
        for name, value in vars(self.module).items():
            is_other = name != word and name.lower() == word
            if is_other and isinstance(value, (bool, str)) and value in meant:
                wrong = f'{name} would be passed over: the word is `{word}`'
                raise BadSaid(self.name, wrong)

    def function(self, name: str) -> Callable[[Any], object]:
        """Find `up` or `down`.

        Raises `NoSuchFunction`, also for a generator function: a call would return at
        once and leave the work undone. Raises `InEventLoop`, `DoesNothing`.
        """
        function = self.functions.get(name)
        if not callable(function):
            raise NoSuchFunction(self.name, name, f'has no function `{name}`')
        if not takes_one(function):
            # It may be another tool's `upgrade`.
            theirs = [each for each, it in vars(self.module).items() if it is function]
            called = name if name in theirs else (*theirs, name)[0]
            reason = f'has a function `{called}` that cannot be called with `db` alone'
            raise NoSuchFunction(self.name, name, reason)
        require_none_idle(self.name, name, self.idle)
        return self._done_when_it_returns(name, function)

    def condition(self, name: str) -> Callable[[Any], object] | None:
        """Find `require` or `verify`, `None` where the file has none.

        A condition can be called with `db` alone. Any other function of that name is a
        helper, as files of 1.0 may have. Raises `NoSuchFunction` as `function` does.
        """
        function = self.functions.get(name)
        if not callable(function) or not _takes_database(function):
            return None
        return self._done_when_it_returns(name, function)

    @property
    def helpers_like_conditions(self) -> list[str]:
        """List the functions that are named like conditions and are none."""
        functions = {name: self.functions.get(name) for name in CONDITIONS}
        return [
            name
            for name, function in functions.items()
            if callable(function) and not _takes_database(function)
        ]

    def _done_when_it_returns(
        self, name: str, function: Callable[[Any], object]
    ) -> Callable[[Any], object]:
        if inspect.iscoroutinefunction(function) and _is_in_event_loop():
            raise InEventLoop(self.name, name)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(
            function
        ):
            raise NoSuchFunction(
                self.name, name, f'has a function `{name}` that yields'
            )
        return function


def _is_in_event_loop() -> bool:
    # asyncio takes its time to import, and only a few migrations need it.
    if 'asyncio' not in sys.modules:
        return False
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def takes_one(function: Callable[..., object]) -> bool:
    """Tell whether a function can be called with one value, as far as that is known."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # some functions in C have no signature
        pass
    return True


def _takes_database(function: Callable[..., object]) -> bool:
    """Tell whether a function can be called with a parameter `db` alone."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return takes_one(function) and next(iter(signature.parameters)) == DATABASE
