"""Threads that read and write while the function is called."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable

#: Starts work, and gives what waits for its result.
Submit = Callable[..., Callable[[], Any]]


@contextmanager
def threads(count: int) -> Iterator[Submit]:
    """Give what starts work in threads; with 0, work is done here when awaited."""
    if not count:
        yield partial
        return
    # One more thread than there are bulks: it reads.
    with ThreadPoolExecutor(count + 1, 'migopy-update') as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result
