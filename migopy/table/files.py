"""The commands that change files of migrations alone."""

from __future__ import annotations

import os

from migopy.commands import Command
from migopy.face import Asking, WrongOptions, has_many, is_yes, task
from migopy.files import create
from migopy.wiring import Wiring


class Files(Wiring):
    """The part of the table of commands that is about the folder of migrations.

    Invariant: none of these runs a migration, or writes to a database.
    """

    @task
    def create(self, *title: str) -> None:
        """Write a new migration file with the next number.

        Example: create,add_user_index
        Quote a title with spaces for the shell, or write _ for them.
        """
        site, words = self._site, ','.join(map(str, filter(None, title)))
        path = create(site.directory, words, site.template, self.MIGRATION_NUMBERING)
        self._report.created(os.path.relpath(path))

    @task
    def squash(self, *, to: str | None = None, yes: str | bool = 'no') -> None:
        """Make one file of all migrations up to the one named, for new databases.

        Example: squash,to=003_fill_note.py
        Databases that have run them know it as applied. The files are moved into the
        folder archive beside them; on a terminal it asks first, unless yes=yes.
        """
        from migopy.operations import squashing

        if to is None:
            wanted = 'it needs the name of the last one'
            raise WrongOptions('squash', wanted, Command('squash', to='NAME'))
        asking = Asking(self._site.directory.path, is_yes(yes, 'squash', 'yes'))
        many = has_many(self)
        done = squashing.squash(self._site, to, self.TRANSACTION, asking, many)
        if many:
            self._observer.warned(
                'Whether all were applied in each database, as the files were, has not'
                ' been looked at: check tells of those where that is not so'
            )
        if done.without_down:
            names = ', '.join(done.without_down)
            self._observer.warned(f'It has no down(), as these have none: {names}')
        self._report.created(os.path.relpath(done.path))
