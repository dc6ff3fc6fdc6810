"""The check of one migration, as a rehearsal does it, on a database of a test."""

from __future__ import annotations

from typing import Any

from migopy.commands import FabSpelling
from migopy.operations import order_up
from migopy.rehearsal import Copied
from migopy.tell import Voice, rehearsal_teller


class Gathering:
    """A logger that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def white(self, message: object) -> None:
        """Keep a message."""
        self.said.append(str(message))

    white_bold = red = green = white


def check(manager: Any, name: str) -> None:
    """Run a migration up, down and up, and compare.

    Raises `AssertionError` where something fails or differs.
    """
    from migopy.operations import rehearsing

    gathering, site = Gathering(), manager._site
    teller = rehearsal_teller(Voice(gathering), FabSpelling(), site.db.name)
    order = order_up(manager, 'rehearse', name)
    with site.locked('rehearse', 0, _nobody):
        copied = Copied({}, {})
        heard, _ = rehearsing.on_scratch(site, order, copied, teller, is_private=True)
    if not all(each.is_well for each in heard.found):
        raise AssertionError('\n'.join(gathering.said))


def _nobody(_what: object) -> None:
    """Hear of another command, which there is not."""
