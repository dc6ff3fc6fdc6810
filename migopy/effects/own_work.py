"""Tell whether the commands of this thread are migopy's own work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OwnWork(threading.local):
    """Whether this thread's commands are migopy's own, and no migration's."""

    own = False

    @contextmanager
    def working(self, own: bool) -> Iterator[None]:
        """Set it for the block."""
        before = self.own
        self.own = own
        try:
            yield
        finally:
            self.own = before
