"""The commands about dumps of the whole database."""

from __future__ import annotations

from migopy.face import is_yes, task
from migopy.wiring import Wiring


class Dumps(Wiring):
    """The part of the table of commands that keeps a database and brings it back.

    Invariant: a dump changes nothing; only `dbrestore` does, and asks before.
    """

    @task
    def dbdump(self) -> None:
        """Dump the database, as DO_MONGO_DUMP does before migrations run."""
        from migopy.operations import dumping

        keep, wait = self.MONGO_DUMP_KEEP, self.LOCK_WAIT
        self._report.dumped(dumping.dump(self._site, keep, wait, self._observer))

    @task
    def dbrestore(
        self,
        name: str | None = None,
        *,
        foreign: str | bool = 'no',
        in_place: str | bool = 'no',
        yes: str | bool = 'no',
    ) -> None:
        """Bring the database back to a dump; without a name, list the dumps.

        Example: dbrestore,20261122T093000Z_mydatabase
        What was made since is dropped, the registry comes back with the data.
        foreign=yes takes one that mongodump has made without migopy, or one of another
        server's database of this name. in_place=yes needs less room on the server: it
        drops each collection, then fills it.
        """
        from migopy.operations import dumping, ways_back

        # Two tenants of one name, on two servers, have dumps of their own.
        many = self._of_many
        of_here = many is not None and many.title != many.name
        which = dumping.Restore(
            name or '',
            foreign=is_yes(foreign, 'dbrestore', 'foreign'),
            in_place=is_yes(in_place, 'dbrestore', 'in_place'),
            of_here=of_here,
            wait=self.LOCK_WAIT,
        )
        if name is None:
            found = ways_back.dumps(self._site, of_here)
            return self._report.dumps(ways_back.kept(self._site, found))
        asking = self._asking(yes, 'dbrestore')
        return dumping.restore(self._site, which, self._observer, asking)
