"""The check of one migration, as a rehearsal does it, on a database of a test."""

from __future__ import annotations

from typing import Any

from migopy.commands import FabSpelling
from migopy.operations import order_up
from migopy.rehearsal import Copied
from migopy.tell import KeptLines, RehearsalTeller, Voice
from migopy.terminal import unheard


def check(manager: Any, name: str) -> None:
    """Run a migration up, down and up, and compare.

    Raises `AssertionError` where something fails or differs.
    """
    from migopy.operations import rehearsing

    kept, site = KeptLines(), manager._site
    teller = RehearsalTeller(Voice(kept), FabSpelling(), site.db.name)
    order = order_up(manager, 'rehearse', name)
    with site.locked('rehearse', 0, unheard):
        copied = Copied({}, {})
        heard, _ = rehearsing.on_scratch(site, order, copied, teller, is_private=True)
    if not all(each.is_well for each in heard.found):
        raise AssertionError('\n'.join(kept.said))
