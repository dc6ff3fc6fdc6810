"""The commands about images, which `rollback` restores documents from."""

from __future__ import annotations

from migopy.face import task
from migopy.wiring import Wiring


class Images(Wiring):
    """The part of the table of commands that is about images.

    Invariant: none of these changes what migrations have made.
    """

    @task
    def undo(self, what: str = 'list', *, forget: str | None = None) -> None:
        """Show which migrations have images, for a rollback without a down().

        Example: undo,list
        With forget=NAME the images of one migration are deleted: they hold whole
        documents, also those that it has deleted. On a terminal it asks before. To roll
        back there is rollback.
        """
        from migopy.operations import images

        images.require_list(self._site, what)
        if forget is not None:
            asking = self._asking('no', 'undo')
            images.forget(self._site, forget, self.LOCK_WAIT, self._observer, asking)
        self._report.images(images.kept(self._site))
