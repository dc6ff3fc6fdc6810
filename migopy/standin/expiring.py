"""Documents that a TTL index would have deleted at once, counted on the real ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from bson import CodecOptions, DatetimeMS, Decimal128

from migopy.standin.checks import looked_through
from migopy.standin.findings import EXPIRED, Foretold
from migopy.standin.world import Document, World

#: Versions for which NaN is no time at all. Before, nothing expired by it; for later
#: ones it is the most that there is.
NAN_IS_ZERO = (((5, 0, 0), (5, 0, 14)), ((5, 1, 0), (6, 0, 2)))
MOST_SECONDS = 2**31 - 1

#: The earliest date that the server has, in milliseconds.
EARLIEST = -(2**63)

DELETED = 'the server deletes them within about a minute'

#: An index in which the date in one field decides; the server deletes by no other one.
OPTION = 'expireAfterSeconds'


class Expired(NamedTuple):
    """How many documents have expired; `unknown` says why that was not counted."""

    number: int = 0
    unknown: str = ''


def expires(index: Mapping[str, Any]) -> bool:
    """Tell whether the server deletes what an index says has expired."""
    ways = list(index['key'].values())
    is_plain = len(ways) == 1 and isinstance(ways[0], (int, float))
    return is_plain and _is_number(index.get(OPTION))


def is_sooner(was: Any, now: Any) -> bool:
    """Tell whether documents expire sooner, or at all where they did not."""
    if not _is_number(now):
        return False
    return not _is_number(was) or not _seconds(was) <= _seconds(now)


def expired(world: World, namespace: str, index: Document, lag: int = 0) -> Expired:
    """Count the documents that an index has the server delete at once.

    It is `lag` seconds late.
    """
    latest = _latest(world, index[OPTION], lag)
    if latest is None:
        return Expired()
    [key] = index['key']
    stages: list[Document] = [{'$match': {key: {'$lte': DatetimeMS(latest)}}}]
    if index.get('partialFilterExpression'):
        stages.append({'$match': index['partialFilterExpression']})
    stages.append({'$count': 'n'})
    rows, unknown = looked_through(world, namespace, stages, index.get('collation'))
    return Expired(rows[0]['n'] if rows else 0, unknown)


def tell_expired(
    world: World,
    findings: list[Foretold],
    namespace: str,
    index: Document,
    doing: str,
    lag: int = 0,
) -> None:
    """Tell how many documents an index has the server delete, after what is done."""
    found = expired(world, namespace, index, lag)
    said = f'{doing} ({OPTION} {index[OPTION]}): {world.documents(namespace)}, '
    if found.unknown:
        said += f'not counted which have expired already: {found.unknown}'
        said += '; the server deletes those within about a minute'
    elif not found.number:
        said += 'none has expired yet'
    else:
        said += f'{_have_expired(found.number)}, and {DELETED}'
    findings.append(_foretold(said, namespace, index, found))
    world.expiring.add_index(namespace, index, found.number)


def expired_since(world: World) -> list[Foretold]:
    """Tell of the indexes that would find more expired than when they were made."""
    told = []
    for each in world.expiring.to_be_checked():
        index = each.index or {}
        found = expired(world, each.namespace, index)
        if found.number > each.broken:
            said = f'index {each.namespace}.{index["name"]} ({OPTION} {index[OPTION]})'
            said = f'{said} would be given documents that have expired already:'
            said = f'{said} {found.number:,} in the end, and {DELETED}'
            told.append(_foretold(said, each.namespace, index, found))
    return told


def _foretold(text: str, namespace: str, index: Document, found: Expired) -> Foretold:
    is_told = found.number or found.unknown
    return Foretold(
        text,
        (),
        EXPIRED if is_told else '',
        namespace,
        str(index['name']),
        found.number,
        found.unknown,
    )


def _have_expired(number: int) -> str:
    have = 'has' if number == 1 else 'have'
    return f'{number:,} of them {have} expired already'


def _latest(world: World, seconds: Any, lag: int) -> int | None:
    """Give the last date that has expired, in milliseconds; `None` if none has.

    The server's clock decides.
    """
    after = _seconds(seconds)
    if math.isnan(after):
        if world.version < (5, 0):
            return None
        ranges = NAN_IS_ZERO
        is_zero = any(low <= world.version[:3] < high for low, high in ranges)
        after = 0 if is_zero else MOST_SECONDS
    admin = world.database('admin')
    plain: CodecOptions[Document] = CodecOptions()
    reply = admin.command('hello', codec_options=plain, session=world.outside)
    now = int(DatetimeMS(reply['localTime']))
    return max(now - (int(after) + lag) * 1000, EARLIEST)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal128)) and not isinstance(value, bool)


def _seconds(value: Any) -> float:
    return float(value.to_decimal() if isinstance(value, Decimal128) else value)
