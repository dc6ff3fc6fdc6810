"""The commands that try migrations where nothing can be lost."""

from __future__ import annotations

from migopy.face import number, task
from migopy.operations import order_up
from migopy.wiring import Wiring


class Rehearsals(Wiring):
    """The part of the table of commands that runs migrations on a copy.

    Invariant: the database itself is only read.
    """

    @task
    def rehearse(
        self,
        spec_migr: str | None = None,
        *,
        to: str | None = None,
        sample: str | int | None = None,
        from_: str | None = None,
        on: str | None = None,
    ) -> None:
        """Run pending migrations on a copy: up, down, up; show what differs then.

        Example: rehearse,sample=10000
        The copy is on a private server, and gone afterwards. With sample=10000 it has
        the newest 10,000 documents of each collection, with from=NAME what is in that
        dump; on=URI names another server. The code of the migrations really runs: what
        it does elsewhere (mail, files, other services) is done. Exit status 1 if
        anything fails or differs.
        """
        from migopy.operations import rehearsing

        order = order_up(self, 'rehearse', spec_migr, to, in_trial=True)
        count = None if sample is None else number(sample, 'rehearse', 'sample')
        how = rehearsing.How.of(count, from_, on)
        teller = self._narrator.rehearsal()
        if not rehearsing.rehearse(self._site, order, how, teller):
            teller.nothing_to_rehearse()
