"""The entries that the history keeps of calls, told from what others have written."""

from __future__ import annotations

from typing import Any

from bson.errors import InvalidBSON

from migopy.backfill.documents import unpacked


def is_sound(entry: Any) -> bool:
    """Tell whether an entry of the history is what a `Checkpoint` has kept there."""
    if not isinstance(entry, dict) or not isinstance(entry.get('key'), str):
        return False
    count, failed = entry.get('count', 0), entry.get('failed', [])
    wrote = entry.get('wrote', [])
    return (
        type(count) is int
        and isinstance(entry.get('done', False), bool)
        and isinstance(failed, list)
        and all(map(_is_packed, failed))
        and isinstance(wrote, list)
        and all(isinstance(each, str) for each in wrote)
        and ('after' not in entry or _is_packed(entry['after']))
    )


def _is_packed(data: Any) -> bool:
    if not isinstance(data, bytes):
        return False
    try:
        unpacked(data)
    except (InvalidBSON, KeyError):
        return False
    return True
