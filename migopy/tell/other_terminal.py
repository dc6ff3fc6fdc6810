"""The answers of commands about a command that runs in another terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migopy.commands import Spelling, spelled
from migopy.tell.voice import Voice

if TYPE_CHECKING:
    from migopy.tell.steering import Steered
    from migopy.tell.watching import Viewer


class OtherTerminal:
    """The part of `Report` that is about a command in another terminal.

    Invariant: what few commands need is loaded when they need it.
    """

    _voice: Voice
    _spelling: Spelling

    def viewer(self) -> Viewer:
        """Give what shows a command that runs there."""
        from migopy.tell.watching import Viewer

        return Viewer(self._voice, self._spelling)

    def steered(self, steered: Steered) -> None:
        """Say what came of steering it."""
        from migopy.tell.steering import steered_text

        self._voice.white(spelled(steered_text(steered), self._spelling))
