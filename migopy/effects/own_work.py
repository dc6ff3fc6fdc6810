"""Whether what this thread sends is migopy's own work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OwnWork(threading.local):
    """What is so in this thread: whether its commands are migopy's own."""

    own = False

    @contextmanager
    def working(self, own: bool) -> Iterator[None]:
        """Have it so in the block."""
        before = self.own
        self.own = own
        try:
            yield
        finally:
            self.own = before
