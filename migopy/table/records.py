"""The commands that put the record right without running a migration."""

from __future__ import annotations

from migopy.face import is_yes, task
from migopy.operations import order_baseline
from migopy.wiring import Wiring


class Records(Wiring):
    """The part of the table of commands that changes records alone.

    Invariant: none of these runs a migration or touches data.
    """

    @task
    def baseline(self, name: str) -> None:
        """Begin on a database that is as all migrations up to the one named make it.

        Example: baseline,200_add_flag.py
        Registers them at once without running them, as ignore does, where nothing is
        registered yet.
        """
        from migopy.operations import executing

        order = order_baseline(self, name)
        # It has named the last one, and there is nothing yet that it could disturb.
        asking = self._asking('yes', 'baseline')
        executing.ignore(self._site, order, self._observer, asking)

    @task
    def accept(self, name: str) -> None:
        """Take the file of an applied migration as it is now.

        Example: accept,001_add_index.py
        It is not called changed any more. Nothing is run.
        """
        from migopy.operations import bookkeeping

        bookkeeping.accept(self._site, name, self.LOCK_WAIT, self._observer)

    @task
    def forget(self, name: str) -> None:
        """Forget an applied migration whose file is gone for good.

        Example: forget,001_add_index.py
        It is not called missing any more. One that was ignored, or that changed
        nothing when it ran, is pending again, though its file is there. Nothing is run.
        """
        from migopy.operations import bookkeeping

        bookkeeping.forget(self._site, name, self.LOCK_WAIT, self._observer)

    @task
    def rename(self, old: str, new: str) -> None:
        """Carry the record of an applied migration over to its file's new name.

        Example: rename,001_add_index.py,001_index_users.py
        """
        from migopy.operations import bookkeeping

        bookkeeping.rename(self._site, old, new, self.LOCK_WAIT, self._observer)

    @task
    def adopt(
        self,
        *,
        collection: str | None = None,
        field: str | None = None,
        time: str | None = None,
        yes: str | bool = 'no',
    ) -> None:
        """Show what another tool has applied, and register it if told to.

        Example: adopt,yes=yes
        Its records are only read. With yes=yes what fits is registered here.
        collection=NAME looks into that one; there field=NAME is the field that names
        a migration, and time=NAME the field of the time.
        """
        from migopy.operations import adoption

        source = adoption.Source(collection, field, time)
        is_told = is_yes(yes, 'adopt', 'yes')
        found = adoption.look(self._site, source)
        self._report.adoptions(found, None if is_told else source.again(yes='yes'))
        if is_told:
            adoption.adopt(self._site, source, self.LOCK_WAIT, self._observer)
