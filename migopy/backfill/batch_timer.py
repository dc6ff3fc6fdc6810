"""How long the writes of a batch take, apart from what else the loop's body does."""

from __future__ import annotations

import time

from migopy.backfill.throttle import Throttle
from migopy.effects import Recording


class BatchTimer:
    """The time of one batch of a loop.

    Invariant: if the loop's commands are heard, only the time of its writes counts.
    What else its body does is no work of the server, and smaller batches would only
    have it done more often.
    """

    def __init__(self, effects: Recording | None) -> None:
        """Begin to time; `effects` are those of the loop, if they are heard."""
        self._effects = effects
        self._began = time.monotonic()
        self._answers = effects.answers if effects else 0
        self._seconds = effects.seconds if effects else 0.0

    def tell(self, throttle: Throttle, documents: int, trips: int) -> None:
        """Tell the pace how long a batch of so many documents took.

        `trips` are the round trips of a batch whose commands are not heard.
        """
        seconds = time.monotonic() - self._began
        if self._effects is not None:
            trips = self._effects.answers - self._answers
            # Several threads may have written at once.
            seconds = min(seconds, self._effects.seconds - self._seconds)
        throttle.took(seconds, documents, trips)
