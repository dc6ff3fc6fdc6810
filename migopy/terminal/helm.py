"""What a running loop reports to, and what may slow it down or stop it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Optional, Protocol

#: Takes a title, what is done, and the total where it is known.
Meter = Callable[[str, int, Optional[int]], None]


class Helm(Protocol):
    """Where a running migration is steered from another terminal."""

    @property
    def max_per_second(self) -> float | None:
        """Give how many items or documents a second somebody wants, if anybody does."""

    def loop(self) -> AbstractContextManager[Meter]:
        """Tell that a loop goes on in the block, and give what hears how far it is."""

    def obey(self, items: int = 0) -> None:
        """Wait as long as somebody wants before so many items; raises `Stopped`."""

    def waits(self, why: str) -> None:
        """Hear why it does not go on at this moment; `''` where it does."""


#: The helm of the migration that runs in this context.
HELM: ContextVar[Helm | None] = ContextVar('HELM', default=None)
