"""What `watch` sees, as JSON: a line each second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from migopy.commands import Spelling
from migopy.tell.json_data import of_holder, of_run
from migopy.tell.json_lines import Lines
from migopy.tell.voice import Voice
from migopy.tell.watching import Sight, Viewer

if TYPE_CHECKING:
    from migopy.state import Doing, Run, Seen

Document = dict[str, Any]


class JsonViewer(Viewer):
    """Tells a machine what `watch` sees, and a person as well, on stderr."""

    def __init__(self, lines: Lines, voice: Voice, spelling: Spelling) -> None:
        super().__init__(voice, spelling)
        self._lines = lines

    def show(self, sight: Sight) -> None:
        """Tell what is seen now."""
        super().show(sight)
        self._lines.event(
            'watched',
            database=self._lines.database,
            **of_seen(sight.seen),
            builds=[each._asdict() for each in sight.running.builds],
            operations=[each._asdict() for each in sight.running.operations],
            load=list(sight.load),
            unseen=list(sight.unread),
        )

    def nothing(self) -> None:
        """Answer that nothing runs."""
        super().nothing()
        self._lines.answer(watched=[])

    def ended(self, seen: Seen, runs: Sequence[Run]) -> None:
        """Answer how it has ended."""
        super().ended(seen, runs)
        self._lines.answer(watched=[of_run(None, run) for run in runs])


def of_seen(seen: Seen) -> Document:
    """Tell what a command does that was seen, and what it was asked."""
    asked = seen.asked
    return {
        'holder': of_holder(seen.holder),
        'doing': of_doing(seen.doing) if seen.doing else None,
        'paused': asked.paused,
        'stop': asked.stop,
        'max_per_second': asked.max_per_second,
    }


def of_doing(doing: Doing) -> Document:
    """Tell what a command does."""
    loop = doing.loop
    return {
        'name': doing.name,
        'direction': doing.direction,
        'place': doing.place,
        'count': doing.count,
        'seconds': round(doing.seconds, 3),
        'in_transaction': doing.in_transaction,
        'is_steerable': doing.in_loop,
        'effects': doing.effects,
        'waits': doing.waits,
        'loop': None
        if loop is None
        else {'title': loop.title, 'done': loop.done, 'total': loop.total},
    }
