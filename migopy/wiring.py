"""What a manager is made of: its site, its speaker, and how commands are called."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from migopy.cluster import Cluster, client_maker
from migopy.commands import Command, Spelling
from migopy.errand import is_typed, spelling_here, wants_quiet
from migopy.errors import MigopyException, StopTaskExecution
from migopy.face import (
    OF_DATABASE,
    Agreed,
    Asking,
    Subtasks,
    base_of,
    call,
    has_many,
    has_option,
    in_place_of_class,
    is_called_as_task,
    is_for_each,
    is_yes,
    require_one_kind,
)
from migopy.files import functions_of
from migopy.lazy import lazy
from migopy.machine import LACKING, exhausted_by
from migopy.overridable import Overridable
from migopy.run import Hooks, Observer, side_by_side
from migopy.scope import says_yes
from migopy.server import CHECKS, OBJECTS, names_given, names_misspelt, require_sound
from migopy.site import Site
from migopy.site_settings import settings_of
from migopy.tell import LINES, Lines, Narrator, Report, Voice, told_in
from migopy.terminal import WriteLine, kept_stdout, told_by

if TYPE_CHECKING:
    from migopy.many import Database as OneOfMany

Document = dict[str, Any]


#: The attributes of a manager that are for one database alone.
OF_ONE = ('_site', '_narrator', 'mongo_client', 'db', 'collection')


class Wiring(Overridable):
    """A manager's site, its speaker, and the way to its commands.

    Invariant: it knows no command of its own; `MigrationsManager`, which derives from
    it, has them.
    """

    #: Which of many databases it is for; `None` if it is for its own, or for all.
    _of_many: OneOfMany | None = None
    #: What was agreed to before its turn came, as one of many.
    _agreed: Agreed | None = None

    def __init__(self, *typed: str, **options: str) -> None:
        """Take no arguments; raises `SystemExit` for what Fabric passes it.

        Any class in a fabfile is a task for `fab`, which calls it by its name.
        """
        if typed or options or is_called_as_task(type(self)):
            meant = self._spelling.command(Command(*typed, **options))
            sys.exit(
                f'{type(self).__name__} is a class and no task; nothing was done.\n'
                f'{in_place_of_class(type(self), meant)}'
            )
        values = {name: getattr(self, name) for name in (*CHECKS, *OBJECTS)}
        base = base_of(type(self))
        require_sound(values, names_given(self, base), names_misspelt(self, base))
        require_one_kind(self)
        # As in 1.0, a new manager has its client; it connects when it is first used.
        server = self._site.settings.server
        if server.database_name and server.embedded_folder is None:
            # A typed command may need no client, and if it does, it says itself why it
            # has none.
            with suppress(*((MigopyException,) if is_typed() else ())):
                self.mongo_client  # noqa: B018 - a cached property

    def has_told(self, error: BaseException) -> bool:
        """Tell whether the person has been told of an error already.

        An error in one of many databases was told by that database's own narrator.
        """
        return getattr(error, 'is_told', False) or self._narrator.has_told(error)

    def disconnect(self) -> None:
        """Close the client, and stop a server that was started for it."""
        self._site.disconnect()

    @lazy
    def mongo_client(self) -> Any:
        """Connect to the server."""
        return self._site.client

    @lazy
    def db(self) -> Database[Document]:
        """Give the database, as migrations get it."""
        return self._site.db

    @lazy
    def collection(self) -> Collection[Document]:
        """Give the collection of registered migrations."""
        return self._site.db[self._site.settings.collection]

    def tasks(self, manager: Wiring | None = None) -> Iterator[Any]:
        """Iterate over the bound commands of `manager`, or of this one."""
        return iter((manager or self)._subtasks)

    def perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        """Run a command by its name, the default one for none.

        With `json=yes` it is told in lines of JSON on stdout, too; all other text goes
        to stderr then. Errors of PyMongo come out as a `MigopyException` that says
        what to do.
        """
        if 'json' not in options or (
            subtask and has_option(type(self), subtask, 'json')
        ):
            return self._perform(subtask, values, options)
        others = {name: text for name, text in options.items() if name != 'json'}
        if not is_yes(options['json'], subtask or '', 'json'):
            return self._perform(subtask, values, others)
        # Few commands need it.
        from migopy.tell import of_error

        with kept_stdout() as write_line:
            lines = self._lines(write_line, subtask)
            try:
                with told_in(lines):
                    result = self._perform(subtask, values, others)
            except BaseException as error:
                lines.end(None if is_quiet(error) else of_error(error, self._spelling))
                raise
            if result is not None:
                lines.answer(result=result)
            lines.end(None)
            return result

    def _perform(
        self, subtask: str | None, values: Sequence[str], options: Mapping[str, str]
    ) -> Any:
        try:
            is_alone = not values and not options
            subtasks = self._subtasks
            method = subtasks.get(subtask, is_alone) if subtask else subtasks.default
            is_offline = says_yes(options, 'offline')
            of_each = self._of_many is None and is_for_each(self, method.__name__)
            if of_each and not is_offline:
                from migopy import many

                known = self._site, self._spelling
                return many.perform(self, *known, method, values, options)
            if method.__name__ in OF_DATABASE and not is_offline:
                self._narrator.about(self._site.settings.server.title)
            with told_by(self._voice):
                return call(method, subtask or method.__name__, values, options)
        except PyMongoError as error:
            if self.has_told(error):
                raise
            raise self._site.explained(error) from error
        except LACKING as error:
            exhausted = exhausted_by(error)
            if exhausted is None or self.has_told(error):
                raise
            raise exhausted from error

    def _lines(self, write_line: WriteLine, subtask: str | None) -> Lines:
        """Make the lines of JSON about a command."""
        server = self._site.settings.server
        name = subtask or self._subtasks.default.__name__
        return Lines(
            write_line,
            'status' if name == 'show_status' else name,
            server.database_name or '',
            server.where if server.database_name else '',
            self._site.secrets,
        )

    @property
    def _subtasks(self) -> Subtasks:
        return Subtasks(self, base_of(type(self)))

    # What it is made of.

    @lazy
    def _site(self) -> Site:
        functions = self.migration_functions
        if type(self).migration_functions is Overridable.migration_functions:
            # As it is: what it looks for is known before a file is imported.
            functions = functions_of
        settings, notify = settings_of(self), self._notify
        cluster = Cluster(settings.server, settings.base, client_maker(self), notify)
        many = has_many(self)
        return Site(settings, cluster, notify, functions, is_of_many=many)

    def _notify(self, text: str) -> None:
        self._observer.warned(text)

    @property
    def _observer(self) -> Observer:
        """Give what hears of a run: text for a person, JSON for a machine, hooks."""
        observers: list[Any] = [self._narrator]
        lines = LINES.get()
        if lines is not None and lines.wants_events:
            from migopy.tell import JsonEvents

            observers.append(JsonEvents(lines, self._spelling, self._narrator.database))
        told = side_by_side(*observers)
        hooks = Hooks(
            self,
            self._narrator.database,
            told.warned,
            self._site.listener.own_work,
            self._site.secrets,
        )
        return side_by_side(told, hooks)

    @lazy
    def _narrator(self) -> Narrator:
        database = self._site.settings.server.database_name or ''
        return Narrator(self._voice, self._spelling, database)

    @property
    def _report(self) -> Report:
        lines = LINES.get()
        if lines is None:
            return Report(self._voice.results, self._spelling)
        from migopy.tell import JsonReport

        return JsonReport(lines, self._voice.results, self._spelling)

    def _copy_for(self, name: str, own: Mapping[str, Any]) -> Wiring:
        """Give a copy for one of many databases, which has settings of its `own`.

        It gets the site of that database by `_take`.
        """
        one = copy(self)
        for each in OF_ONE:
            vars(one).pop(each, None)
        vars(one).update(own, MONGO_DATABASE=name, MONGO_DATABASES=None)
        # A user for all is looked up in admin, a tenant's own user in its database.
        server = self._site.settings.server
        if one.MONGO_USER and not own and not server.says_where_the_user_is:
            one.MONGO_AUTH_SOURCE = 'admin'
        return one

    def _take(
        self, database: OneOfMany, site: Site, logger: Any, narrator: Any = None
    ) -> None:
        """Take the database that this copy is for, its site, and who tells of it.

        Without a `narrator` what happens is told to a person, through `logger`.
        """
        self._of_many, self._site, self.logger = database, site, logger
        if narrator is not None:
            self._narrator = narrator

    def _after(self, agreed: Agreed | None) -> Wiring:
        """Give a copy whose commands are about what was agreed to, or do nothing."""
        one = copy(self)
        one._agreed = agreed
        return one

    @property
    def _voice(self) -> Voice:
        return Voice(self.logger, self._site.secrets, wants_quiet())

    def _asking(self, yes: str | bool, command: str) -> Asking:
        title = self._site.settings.server.title
        return Asking(title, is_yes(yes, command, 'yes'), self._agreed)

    @property
    def _spelling(self) -> Spelling:
        spelling = spelling_here(self.TASK_NAME)
        many = self._of_many
        return spelling if many is None else many.spelling(spelling)


def is_quiet(error: BaseException) -> bool:
    """Tell whether an exception ends a command well, with nothing to be said."""
    if isinstance(error, SystemExit):
        return not error.code
    return isinstance(error, StopTaskExecution)
