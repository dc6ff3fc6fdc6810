"""What a command would do, found out in a dry run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """What one command would do, in words.

    Invariant: `text` tells nothing of what people have stored; `values` are theirs, for
    the eyes of who asked and for no log, each with how often it is there, if that is
    known.
    """

    text: str
    values: Sequence[tuple[Any, int | None]] = ()


def counted(count: int, what: str) -> str:
    """Set a number of things: `1 document`, `1,200 documents`."""
    many = what if count == 1 else {'index': 'indexes'}.get(what, f'{what}s')
    return f'{count:,} {many}'
