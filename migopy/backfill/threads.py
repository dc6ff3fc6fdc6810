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
    """Give what starts work in threads; for 0 it is done here when it is waited for."""
    if not count:
        yield partial
        return
    # One more than there are bulks, which reads.
    with ThreadPoolExecutor(count + 1, 'migopy-update') as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result
