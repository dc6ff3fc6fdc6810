"""A server or a cluster, as one client sees it, for one database or many."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from migopy.defaults import Defaults
from migopy.lazy import lazy
from migopy.machine import LACKING, exhausted_by
from migopy.server import (
    UNUSABLE,
    Settings,
    another_client,
    explained,
    has_few_connections,
    heard_warnings,
    is_made_for_us,
    listening_client,
    named_client,
    require_password,
    without_last_word,
)
from migopy.terminal import unheard


class Cluster:
    """What a client is made of, and the client.

    Invariant: there is one client at most, made when it is first asked for. What was
    made or started here ends with `disconnect`; what the application made does not.
    """

    def __init__(
        self,
        settings: Settings,
        base: str,
        make_client: Callable[..., Any],
        notify: Callable[[str], object] = unheard,
    ) -> None:
        """Take the settings, the folder of relative paths, and what makes a client.

        `notify` takes what a person should know of options that PyMongo passes over.
        """
        self._notify = notify
        self._settings = settings
        self._base = base
        self._make_client = named_client(make_client, settings, base)
        self._resources = ExitStack()

    @lazy
    def client(self) -> Any:
        """Make the client; raises what `explained` gives for what PyMongo refuses."""
        place, options = self.connection
        require_password(self._settings, self._make_client)
        before = ObjectId()
        try:
            with self._without_warnings():
                client = self._make_client(*place, **options)
        # OSError: of a certificate's file, say.
        except (PyMongoError, *UNUSABLE, *LACKING) as error:
            exhausted = exhausted_by(error)
            if exhausted is None and not isinstance(error, (PyMongoError, *UNUSABLE)):
                raise
            raise exhausted or explained(error, self._settings) from error
        if is_made_for_us(client, self._make_client, before):
            self._resources.callback(close, client)
        for each in self._passed_over:
            self._notify(f'{self._settings.place}: {each}')
        return client

    @lazy
    def heartbeats(self) -> Any:
        """Give a client that hears of members more often, if one can be made."""
        place, options = self.connection
        with self._without_warnings():
            client = listening_client(self._make_client, place, options)
        if client is None:
            return self.client
        self._resources.callback(close, client)
        return client

    @lazy
    def spare(self) -> Any:
        """Give a client for what goes on while a migration has all connections.

        It is the same, unless that may have few of them.
        """
        if not has_few_connections(self.client):
            return self.client
        place, options = self.connection
        try:
            with self._without_warnings():
                client = another_client(self._make_client, place, options)
        except (PyMongoError, *UNUSABLE, *LACKING):
            client = None
        if client is None:
            return self.client
        self._resources.callback(close, client)
        return client

    @lazy
    def _passed_over(self) -> list[str]:
        return self._settings.passed_over

    def _without_warnings(self) -> AbstractContextManager[object]:
        """Keep PyMongo from warning, in Python's words, of what a person is told."""
        return heard_warnings() if self._passed_over else nullcontext()

    @property
    def made(self) -> Any:
        """Give the client if it was made, else `None`."""
        return vars(self).get('client')

    @lazy
    def connection(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments for a client, of a server that runs."""
        place, options = self._settings.arguments()
        if self._settings.embedded_folder is not None:
            from migopy.server.embedded import PrivateMongod

            folder = Path(self._base, self._settings.embedded_folder)
            place = [self._resources.enter_context(PrivateMongod(folder).running())]
            # In plain Python nobody else may end it.
            atexit.register(self.disconnect)
        return place, options

    def disconnect(self) -> None:
        """Close the client, and stop a server that was started for it."""
        self._resources.close()


def close(client: Any) -> None:
    """Close a client without a last word to its server."""
    with without_last_word():
        client.close()


def client_maker(manager: Defaults) -> Callable[..., Any]:
    """Give what makes a manager's client."""
    # Not bound, where a fabfile puts a plain function there.
    of_class: Any = type(manager)
    make_client: Callable[..., Any] = (
        vars(manager).get('MongoClient') or of_class.MongoClient
    )
    return make_client
