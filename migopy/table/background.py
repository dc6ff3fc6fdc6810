"""The command that runs migrations in the background."""

from __future__ import annotations

from migopy.face import task
from migopy.operations import order_work
from migopy.wiring import Wiring


class Background(Wiring):
    """The part of the table of commands that is for a worker, beside deploys."""

    @task
    def work(self, name: str | None = None) -> None:
        """Run the migrations that are to run in the background, until none is left.

        Example: work,002_fill_email.py
        Their files say phase = 'background'. Deploys go on meanwhile. One that was
        stopped goes on where its update_each was; one that failed is run again only
        when it is named.
        """
        from migopy.operations import background

        order = order_work(self, name)
        if not background.work(self._site, order, self._observer):
            self._report.nothing_to_work_at()
