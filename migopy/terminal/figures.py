"""How far a loop is, in figures: count, total, rate and time left."""

from __future__ import annotations

from migopy.terminal.console import duration


def line(title: str, count: int, total: int | None, first: int, seconds: float) -> str:
    """Say how far a loop is: `notes: 12,000 of 31,995 (38%), 1,200/s, 16.7 s left`.

    `first` is where it has begun, so many seconds ago: what an earlier run has done
    says nothing of how fast this one is. A total that has been exceeded is not shown.
    """
    said = numbers(count, total, first, seconds)
    return f'{title}: {said}' if title else said


def numbers(count: int, total: int | None, first: int, seconds: float) -> str:
    """Say how far a loop is, without a title."""
    done = count - first
    return how_far(count, total, done / seconds if done > 0 and seconds else None)


def how_far(count: int, total: int | None, rate: float | None) -> str:
    """Say how far a loop is; `rate` is how many a second it does, if that is known."""
    if total is not None and count > total:
        total = None
    said = f'{count:,}'
    if total:
        said += f' of {total:,} ({count / total:.0%})'
    if rate:
        said += f', {rate:,.0f}/s' if rate >= 10 else f', {rate:.1f}/s'
        if total and count < total:
            said += f', {duration(round((total - count) / rate * 1000))} left'
    return said
