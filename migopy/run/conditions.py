"""What a file asks before its `up` and after it: its `require` and its `verify`."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, TracebackType
from typing import Any, NoReturn

from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.database import Database

from migopy.effects import EffectsListener, Recording, RefusedWrite
from migopy.errand import is_typed
from migopy.errors import MigopyException
from migopy.run.never_awaited import call_awaited
from migopy.run.own_collections import OwnCollections
from migopy.run.returned import require_done
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.run.surroundings import SURROUNDINGS
from migopy.run.threads import call_with_threads
from migopy.terminal import open_again

#: The id of no session at all, so no write belongs to it.
NO_SESSION = {'id': b''}


class NotAsItShouldBe(MigopyException):
    """A `require` or a `verify` has returned something other than `True` or nothing.

    `name` is the migration's, `function` which of the two.
    """

    def __init__(self, name: str, function: str, answer: object) -> None:
        self.name = name
        self.function = function
        said = 'False'
        if answer is not False:
            kind = type(answer).__name__
            said = f'a value of type {kind}; it is to return True, False or nothing'
        super().__init__(f'{name}: its {function} returned {said}')


class WroteWhileLooking(MigopyException):
    """A `require` or a `verify` was about to write, which was refused.

    `name` is the migration's, `function` which of the two, `command` what was to be
    sent, and `namespace` what it was for.
    """

    def __init__(self, name: str, function: str, refused: RefusedWrite) -> None:
        self.name = name
        self.function = function
        self.command = refused.command
        self.namespace = refused.namespace
        super().__init__(
            f'{name}: its {function} tried to write ({refused.command} on'
            f' {refused.namespace}). It is to read only, so that was refused before it'
            ' was sent'
        )


def carry_out(
    step: Step,
    site: Site,
    db: Any,
    effects: Recording,
    own: OwnCollections,
    session: ClientSession | None = None,
) -> None:
    """Call `require`, the step's own function, and `verify`; those of parts in between.

    `own` is told of all commands. With `session` they are called in its transaction.
    Raises what they raise, `NotAsItShouldBe`, `WroteWhileLooking`, `TakesOwn`,
    `LeftUndone`, `NeverAwaited`.
    """
    if step.require is not None:
        _ask_before(step.name, step.require, site, db, session)
    if step.parts:
        for part in step.parts:
            carry_out(part, site, db, effects, own, session)
    else:
        run = partial(
            _call, step.name, step.direction, step.function, site, db, session
        )
        call = partial(own.call, run)
        returned = call_with_threads(call, lambda: site.lock.is_lost)
        require_done(step, returned, effects)
    if step.verify is not None:
        ask_after(step.name, step.verify, site, db, session)


def ask_after(
    name: str,
    verify: Callable[[Any], object],
    site: Site,
    db: Any,
    session: ClientSession | None = None,
) -> None:
    """Call a migration's `verify`; raises as `carry_out` does."""
    with only_reading(name, 'verify', db, site.listener):
        answer = _call(name, 'verify', verify, site, db, session)
        _require_yes(name, 'verify', answer)


def _ask_before(
    name: str,
    require: Callable[[Any], object],
    site: Site,
    db: Any,
    session: ClientSession | None,
) -> None:
    with only_reading(name, 'require', db, site.listener):
        answer = _call(name, 'require', require, site, db, session)
        _require_yes(name, 'require', answer)


def _call(
    name: str,
    called: str,
    function: Callable[[Any], object],
    site: Site,
    db: Any,
    session: ClientSession | None,
) -> object:
    db = _on_primary(db)
    if not inspect.iscoroutinefunction(function):
        return _call_here(partial(call_awaited, partial(function, db), name, called))
    # What only a few migrations need takes its time to be imported.
    from migopy.run.asynchronous import run_to_end

    connect, lock = site.async_client, site.lock
    run = partial(run_to_end, function, db, connect, session, lambda: lock.is_lost)
    return _call_here(partial(call_awaited, run, name, called))


def _call_here(call: Callable[[], object]) -> object:
    """Call a file's function, in this process alone; give what it returns.

    If the function forks, the child ends here when it returns: it must neither register
    the migration nor release the lock. What is said next is written even if it has
    closed stdout or stderr, or has put something else there.
    """
    process = os.getpid()
    SURROUNDINGS.enter()
    try:
        returned = call()
    except BaseException:
        if os.getpid() != process:
            _end_child(1, traceback.print_exc)
        raise
    finally:
        SURROUNDINGS.leave()
        open_again()
    if os.getpid() != process:
        _end_child(0)
    return returned


def _end_child(status: int, say: Callable[[], None] = lambda: None) -> NoReturn:
    """End this process whatever comes of what it says last; nobody may read that."""
    try:
        say()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _on_primary(db: Any) -> Any:
    """Give a database that reads what a migration and those before it have written.

    Another member may not have it yet, and the URI may be that of an application which
    reads there.
    """
    if not isinstance(db, Database) or db.read_preference == ReadPreference.PRIMARY:
        return db
    return db.with_options(read_preference=ReadPreference.PRIMARY)


def function_of(error: BaseException | None, otherwise: str) -> str:
    """Tell by the traceback which function of a file raised an error.

    That is `require`, `verify`, or else what `otherwise` says.
    """
    seen = set[int]()
    # `raise error from error` makes an error its own cause.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for code in _codes(error.__traceback__):
            if code in FUNCTIONS:
                return FUNCTIONS[code]
        error = error.__cause__
    return otherwise


#: What calls a function of a file, and the function's name.
FUNCTIONS = {_ask_before.__code__: 'require', ask_after.__code__: 'verify'}


@contextmanager
def only_reading(
    name: str, function: str, db: Any, listener: EffectsListener
) -> Iterator[None]:
    """Refuse all writes in the block, before they are sent.

    `name` is the migration's, `function` what runs in the block. Raises
    `WroteWhileLooking`, also where the refusal has been swallowed.
    """
    with listener.recording(db.name) as effects:
        try:
            with effects.kept_to(NO_SESSION, is_typed()):
                yield
        except RefusedWrite as refused:
            raise WroteWhileLooking(name, function, refused) from refused
    if effects.refused is not None:
        raise WroteWhileLooking(name, function, effects.refused)


def _require_yes(name: str, function: str, answer: object) -> None:
    # A function that checks with `assert` returns nothing.
    if answer is not None and answer is not True:
        raise NotAsItShouldBe(name, function, answer)


def _codes(frame: TracebackType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.tb_frame.f_code
        frame = frame.tb_next
