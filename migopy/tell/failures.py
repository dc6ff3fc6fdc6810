"""What is said of a migration that has failed."""

from __future__ import annotations

import re

from pymongo.errors import ConnectionFailure, WaitQueueTimeoutError

from migopy.commands import Command, Part, Spelling, spelled
from migopy.errors import MigopyException, enumerated
from migopy.run import Aftermath, Failure
from migopy.server import lacked_by
from migopy.signals import Stopped, is_interruption
from migopy.texts import text_of
from migopy.traces import excerpt

#: How PyMongo tells that the server has not answered in the time that it was given.
_TIMED_OUT = re.compile(r'timed out \(.*\b(socketTimeoutMS|timeoutMS): ([\d.]+)ms')

#: How PyMongo 4 refuses a `uuid.UUID` that nobody has told it how to encode.
_UNTOLD_UUID = 'cannot encode native uuid.UUID with UuidRepresentation.UNSPECIFIED'

#: Where each of these is set.
_SET_IN = {
    'socketTimeoutMS': 'MONGO_URI or MONGO_CLIENT_OPTIONS',
    'timeoutMS': 'MONGO_URI or MONGO_CLIENT_OPTIONS, or by pymongo.timeout',
}


def failure_text(failure: Failure, spelling: Spelling) -> str:
    """Say what happened, what has run and what has not, and what to type."""
    how = 'was interrupted' if is_interruption(failure.error) else 'failed'
    error = excerpt(failure.error, failure.migration.path)
    if isinstance(failure.error, Stopped):
        # The traceback is of no interest: it stopped where it may stop.
        how, error = 'was stopped', f'{failure.error}.'
    error = respelled(error, failure.error, spelling)
    function = failure.function or failure.direction
    lines = [f'{failure.name} {how} in its {function}.', error]
    advice = (_timed_out, _all_busy, _untold_uuid, _lacked_right)
    lines += filter(None, (each(failure.error) for each in advice))
    if failure.done:
        done = 'Executed' if failure.direction == 'up' else 'Rolled back'
        lines.append(f'{done} before it: {enumerated(failure.done)}')
    if failure.not_run:
        lines.append(f'Not run: {enumerated(failure.not_run)}')
    return '\n'.join([*lines, spelled(_left_behind(failure), spelling)])


def respelled(text: str, error: BaseException, spelling: Spelling) -> str:
    """Spell the commands that an error of migopy's names in a text as a face has it."""
    if not isinstance(error, MigopyException):
        return text
    said = text_of(error)
    return text.replace(said, error.spelled(spelling)) if said else text


def _timed_out(error: BaseException) -> str:
    """Say of a time-out of the settings that it comes each time; `''` of all else."""
    found = _TIMED_OUT.search(text_of(error))
    if found is None:
        return ''
    option, milliseconds = found.groups()
    return (
        f'The client waits {float(milliseconds) / 1000:g} s for an answer at most, by'
        f' {option} in {_SET_IN[option]}. Whatever takes the server longer fails each'
        ' time: make that longer first, or take it out.'
    )


def _all_busy(error: BaseException) -> str:
    """Say of a wait for a free connection what ends it; `''` of all else."""
    if not isinstance(error, WaitQueueTimeoutError):
        return ''
    return (
        'All connections that the client may have were busy for as long as it waits.'
        ' Have a larger maxPoolSize, or a longer waitQueueTimeoutMS, in MONGO_URI or'
        ' MONGO_CLIENT_OPTIONS.'
    )


def _untold_uuid(error: BaseException) -> str:
    """Say how to have a `uuid.UUID` taken that was refused; `''` of all else."""
    if _UNTOLD_UUID not in text_of(error):
        return ''
    from migopy.pymongo3 import written_uuid_advice  # no status needs it

    return written_uuid_advice()


def _lacked_right(error: BaseException) -> str:
    """Say which right the user lacks that was refused something; `''` of all else."""
    lacked = lacked_by(error)
    return '' if lacked is None else lacked.advice


def _left_behind(failure: Failure) -> list[Part]:
    """Say in which state the migration is now, and what can be typed."""
    aftermath, asked = failure.aftermath, failure.asked
    if aftermath is Aftermath.DRY_RUN:
        return ['The dry run has changed nothing. To try again: ', asked]
    if failure.goes_on:
        written = failure.written or 'nothing'
        return [
            f'Until then it has done: {written}. To go on where it stopped, type: ',
            Command('work'),
        ]
    if failure.is_unfinished and failure.earlier:
        began = f'{failure.earlier[0].started:%Y-%m-%d %H:%M:%S} UTC'
        now = 'may have written as well' if failure.written else 'has written nothing'
        return [
            f'This attempt {now}. An earlier one, of {began}, had left it unfinished.'
            f'{_correct_first(failure.error)} Type one of:\n',
            *failure.ways_out,
        ]
    if aftermath is Aftermath.LOOKED:
        return ['To look again: ', asked]
    if aftermath is Aftermath.UNFINISHED:
        written = failure.written or 'it cannot be known what'
        return [
            f'It may have written already ({written}), so it is unfinished.'
            f'{_correct_first(failure.error)} Type one of:\n',
            *failure.ways_out,
        ]
    if aftermath is Aftermath.IN_DOUBT:
        return [
            'It ran in a transaction, and it cannot be known whether that was'
            ' committed: all was done and registered, or nothing. See: ',
            Command(),
        ]
    return _unchanged(failure)


def _is_at_fault(error: BaseException) -> bool:
    """Tell whether to run the migration again alone would not help."""
    return not is_interruption(error) and not isinstance(error, ConnectionFailure)


def _correct_first(error: BaseException) -> str:
    """Say that to run it again alone would not help; `''` where it might."""
    if not _is_at_fault(error):
        return ''
    lacked = lacked_by(error)
    first = 'correct the file or the data' if lacked is None else lacked.first
    return f' Before you run it again, {first}.'


def _unchanged(failure: Failure) -> list[Part]:
    """Say that nothing was written or all of it taken back, and what can be typed."""
    aftermath, asked = failure.aftermath, failure.asked
    is_undo = failure.function == 'undo'
    if is_undo:
        is_whole = aftermath in (Aftermath.ABORTED, Aftermath.REFUSED)
        said = (
            'It ran in a transaction, so nothing was changed.'
            if is_whole
            else 'It had written nothing.'
        )
        # One that others have got in the way of says itself what can be typed.
        return [said] if failure.said_next else [f'{said} To try again: ', asked]
    if aftermath is Aftermath.REFUSED:
        # What migopy has found itself stands above already.
        is_ours = isinstance(failure.error, MigopyException)
        why = '' if is_ours else f': {failure.refusal}'
        # Without this, each of two errors would advise what leads to the other.
        images = (
            ' With undo = True and no transaction, only update_each and loops over'
            ' migopy.batches may change documents; for anything else have'
            ' `undo = False` as well.'
        )
        return [
            f'A transaction cannot do this{why}. Nothing was changed.\n'
            f'Correct it, or have `transaction = False` at the top of {failure.name}'
            ' (instead of True, if that stands there).'
            f'{images if failure.keeps_images else ""} Then type: ',
            asked,
        ]
    at_fault = _is_at_fault(failure.error)
    again = 'Correct it, then type: ' if at_fault else 'To go on, type: '
    if (lacked := lacked_by(failure.error)) is not None:
        again = f'{lacked.first.capitalize()}, then type: '
    if aftermath is Aftermath.ABORTED:
        return [f'It ran in a transaction, so nothing was changed. {again}', asked]
    return [f'It had written nothing. {again}', asked]
