"""Why a dry run of a step ends early, where the step itself would go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pymongo.errors import OperationFailure

from migopy.codes import OF_CONSTRAINTS, TRANSACTION_OVER
from migopy.effects import Recording
from migopy.run.step import Step
from migopy.run.transaction import CaughtError, CaughtRefusal, is_gone, why_refused
from migopy.server import code_of, reason_of
from migopy.standin import StandIn, Unanswerable, World
from migopy.traces import line_in

#: Errors of a `hint`, of `$near`, `$text` and `$geoNear` for which there is no index.
WITHOUT_INDEX = frozenset({2, 27, 291})


class Ended(NamedTuple):
    """Why a step's trial has ended before its end.

    `is_over` is whether its transaction has ended with it.
    """

    reason: str
    is_over: bool


def why_ended(
    step: Step,
    error: BaseException,
    world: World,
    standin: StandIn,
    effects: Recording,
) -> Ended | None:
    """Say why an error does not tell what would happen; `None` where it does."""
    line = line_in(error, step.migration.path)
    where = '' if line is None else f'line {line}: '
    if isinstance(error, Unanswerable):
        return Ended(f'{where}{error.reason}', is_over=False)
    if isinstance(error, CaughtError):
        return Ended(
            'it goes on after an error that ends the transaction of a dry run:'
            f' {error.failed}',
            is_over=True,
        )
    if isinstance(error, CaughtRefusal):
        return Ended(
            'it goes on after an error that it has in the transaction of a dry run'
            f' alone: {error.failed}',
            is_over=is_gone(world.session, effects.database),
        )
    failed = effects.failed
    if isinstance(error, OperationFailure):
        if failed and failed.namespace in world.loosened and is_constraint(error):
            reason = f'{where}what would be gone is still there: {reason_of(error)}'
            return Ended(reason, is_over=True)
        unmade = not world.unmade.isdisjoint(standin.touched)
        if unmade and _wants_index(error) and is_gone(world.session, effects.database):
            reason = f'{where}it wants an index that would be there: '
            return Ended(f'{reason}{reason_of(error)}', is_over=True)
        if code_of(error) in TRANSACTION_OVER:
            reason = (
                f'{where}the server has ended the transaction, as it does after 60 s'
                ' and when it stops or another member becomes primary'
            )
            return Ended(reason, is_over=True)
    if isinstance(error, Exception) and why_refused(error) is not None:
        over = is_gone(world.session, effects.database)
        return Ended(f'{where}{why_refused(error)}', is_over=over)
    return None


def is_constraint(error: OperationFailure) -> bool:
    """Tell whether a unique index or a validator has brought an error."""
    return any(each.get('code') in OF_CONSTRAINTS for each in _errors_of(error))


def _wants_index(error: OperationFailure) -> bool:
    """Tell whether an error says that there is not the index that a call needs."""
    return any(
        each.get('code') in WITHOUT_INDEX and 'index' in str(each.get('errmsg'))
        for each in _errors_of(error)
    )


def _errors_of(error: OperationFailure) -> list[Mapping[str, Any]]:
    """List an error of a server, and those of the single writes of a bulk."""
    details = error.details or {}
    return [{'errmsg': str(error), 'code': error.code}, *details.get('writeErrors', ())]
