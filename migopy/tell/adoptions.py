"""Records of another tool, each with the file that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migopy.errors import enumerated
from migopy.secrets import redacted_short
from migopy.tell.amounts import moment

if TYPE_CHECKING:
    from migopy.run import Match

#: Characters of each name.
WIDEST_RECORD = 60


def row_of(match: Match) -> tuple[str, str, str, str]:
    """Give the row of a table: the record, its time, the file, how that was found."""
    file, how = 'no file', match.how
    if match.migration is not None:
        file = match.migration.name
        if match.is_registered:
            how = 'registered'
        elif match.is_rolled_back:
            how = 'rolled back here'
    elif len(match.fitting) > 1:
        file = f'none, as it fits several: {enumerated(match.fitting)}'
    elif match.fitting:
        file = f'none, as others fit it too: {match.fitting[0]}'
    return (
        redacted_short(match.record.names[0], WIDEST_RECORD),
        match.record.not_applied or moment(match.record.at),
        file,
        how,
    )
