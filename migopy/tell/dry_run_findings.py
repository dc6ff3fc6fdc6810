"""What a dry run has found out about commands that no transaction takes, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from migopy.tell.values import cut, in_full
from migopy.texts import one_line

if TYPE_CHECKING:
    from migopy.standin import Foretold
    from migopy.tell.voice import Voice


def tell_findings(voice: Voice, findings: Sequence[Foretold], database: str) -> None:
    """Say each in a line; its values are shown only to a person at a terminal.

    The collections of `database` are named without it.
    """
    for finding in findings:
        text = f'  {one_line(finding.text)}'.replace(f' {database}.', ' ')
        if voice.is_custom or not finding.values:
            voice.white(text)
        else:
            voice.white(f'{text}: {values_of(finding.values)}')


def values_of(values: Sequence[tuple[Any, int | None]]) -> str:
    """List what people have stored, for whoever asked, and for no log."""
    listed = ', '.join(_value(*each) for each in values)
    return f'{listed}, …' if len(values) > 1 else listed


def _value(value: Any, count: int | None) -> str:
    shown = cut(in_full(value))
    return f'_id {shown}' if count is None else f'{shown} ({count:,})'
