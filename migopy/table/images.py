"""The commands about images, which `rollback` restores documents from."""

from __future__ import annotations

from migopy.face import task
from migopy.overridable import Overridable
from migopy.wiring import Wiring


class Images(Overridable, Wiring):
    """The part of the table of commands that is about images.

    Invariant: none of these changes what migrations have made.
    """

    @task
    def undo(self, what: str = 'list', *, forget: str | None = None) -> None:
        """Show of which migrations images are kept, for a rollback without a down().

        Example: undo,list
        With forget=NAME those of one migration are deleted, and with them what it has
        deleted: they hold whole documents. It rolls nothing back: rollback does.
        """
        from migopy.operations import images

        images.require_list(self._site, what)
        if forget is not None:
            images.forget(self._site, forget, self.LOCK_WAIT, self._narrator)
        self._report.images(images.kept(self._site))
