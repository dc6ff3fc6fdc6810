"""Sizes, ages and times, as a person says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migopy.texts import counted

if TYPE_CHECKING:
    from datetime import datetime

    from migopy.dumps import Dump


def size(count: float) -> str:
    """Set a number of bytes: `12 KB`, `3.4 MB`."""
    if count < 1000:
        return counted(round(count), 'byte')
    for unit in ('KB', 'MB', 'GB'):
        count /= 1000
        if count < 1000:
            return f'{count:.0f} {unit}' if count >= 10 else f'{count:.1f} {unit}'
    return f'{count / 1000:,.1f} TB'


def age(dump: Dump) -> str:
    """Set how long ago a dump was made, in its largest unit: `3 days`."""
    if dump.age is None:
        return '? (the clock was ahead)'
    seconds = int(dump.age.total_seconds())
    count, unit = seconds, 'second'
    for length, longer in ((86_400, 'day'), (3600, 'hour'), (60, 'minute')):
        if seconds >= length:
            count, unit = seconds // length, longer
            break
    return counted(count, unit)


#: What a restore does to what is not in the dump.
IS_LOST = 'What was written since the dump is lost, by the application, too.'


def ago(dump: Dump) -> str:
    """Say when a dump was made: `made 3 days ago`."""
    if dump.age is None:
        return 'made at a time that is not known, as the clock was ahead'
    return f'made {age(dump)} ago'


def moment(at: datetime | None) -> str:
    """Set a time, or say that it is not known."""
    return 'time unknown' if at is None else f'{at:%Y-%m-%d %H:%M:%S}'
