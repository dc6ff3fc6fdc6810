"""What asks a person before something is done."""

from __future__ import annotations

from typing import Protocol


class Asking(Protocol):
    """What asks a person, where there is one."""

    def require(self, doing: str) -> None:
        """Ask whether to do something; raises unless the answer is yes."""
