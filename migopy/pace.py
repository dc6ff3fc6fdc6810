"""How much of a server `update_each` may take."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, Optional, Union


class Pace(NamedTuple):
    """What `update_each` keeps to, so that others can work beside it.

    Invariant: it is a value; `None` is no limit.

    `max_lag` is in seconds that a secondary may be behind; `max_per_second` in
    documents; `hours` the time of day, on this machine's clock, at which it works:
    `('22:00', '06:00')`. `target` is how many seconds the writes of a batch take,
    beside what the messages are under way, to which the size of batches is adapted.
    `max_dirty` is the part of the server's cache that is not on disk yet, `max_queued`
    the operations that wait for a lock or a ticket, and `min_oplog_hours` what a full
    oplog must hold.
    """

    max_lag: Optional[float] = 5.0  # noqa: UP045 - evaluated on Python 3.9
    max_per_second: Optional[float] = None  # noqa: UP045
    hours: Optional[tuple[str, str]] = None  # noqa: UP045
    target: Optional[float] = 0.25  # noqa: UP045
    max_dirty: Optional[float] = 0.15  # noqa: UP045
    max_queued: Optional[float] = 50  # noqa: UP045
    min_oplog_hours: Optional[float] = 1.0  # noqa: UP045

    def is_open(self, minute: int) -> bool:
        """Tell whether it works at a minute of the day."""
        if self.hours is None:
            return True
        begin, end = map(minutes, self.hours)
        if begin <= end:
            return begin <= minute < end
        return minute >= begin or minute < end


#: What a setting or argument may be: a pace, 'careful', 'full', or nothing.
Wanted = Union[Pace, str, None]

CAREFUL = Pace()
NOTHING = Pace(
    max_lag=None, target=None, max_dirty=None, max_queued=None, min_oplog_hours=None
)

NAMED = {'careful': CAREFUL, 'full': NOTHING}


def minutes(time: str) -> int:
    """Give the minute of the day of a text such as `22:00`."""
    hour, _, minute = time.partition(':')
    return int(hour) * 60 + int(minute)


def is_count(value: Any) -> bool:
    """Tell whether it can say how many documents or threads there are to be."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def require_yes_or_no(name: str, value: Any) -> None:
    """Raise `ValueError` if it is no `bool`: `'no'` would count as a yes."""
    if not isinstance(value, bool):
        raise ValueError(f'{name} must be True or False, not {value!r}')


def wish_for(value: Any) -> str | None:
    """Say what a pace should be, to follow `must be`; `None` if it is right."""
    if value is None or (isinstance(value, str) and value in NAMED):
        return None
    if not isinstance(value, Pace):
        return "'careful', 'full', or a migopy.Pace(max_lag=5)"
    for name, limit in value._asdict().items():
        if name == 'hours':
            if limit is not None and not _are_hours(limit):
                return "a Pace with hours such as ('22:00', '06:00')"
        elif limit is not None and not _is_limit(limit):
            return f'a Pace whose {name} is a number greater than 0, or None'
    return None


def _are_hours(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(
            isinstance(each, str)
            and re.fullmatch(r'([01]?[0-9]|2[0-3]):[0-5][0-9]', each, re.ASCII)
            for each in value
        )
        and value[0] != value[1]
    )


def _is_limit(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return is_number and value > 0 and math.isfinite(value)
    except OverflowError:
        return False  # an int that no float can hold
