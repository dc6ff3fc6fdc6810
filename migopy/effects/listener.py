"""Hearing the commands of this process's clients, and telling them to recordings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    register,
)

from migopy.effects.commands import READS
from migopy.effects.recording import Recording, Sent, same_transaction
from migopy.effects.refusals import NO_ANSWER
from migopy.effects.tally import Document


class Here(threading.local):
    """What is so in this thread: whether its commands are migopy's own."""

    own = False


class EffectsListener(CommandListener):
    """Hears the commands of clients and tells them to the recordings that are open.

    Invariant: a command that writes is remembered from its start to its end, and only
    while a recording is open.

    Give it to `MongoClient(event_listeners=[...])`, or use the one of `listen()`.
    Told of an event by both, it counts it once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recordings: tuple[Recording, ...] = ()
        self._unanswered: dict[int, Sent] = {}
        self._here = Here()

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Count the commands of all threads until the end of the block.

        What is given can be read at any time, in the block and after it.
        """
        recording = Recording(self._unanswered)
        with self._lock:
            self._recordings = (*self._recordings, recording)
        try:
            yield recording
        finally:
            with self._lock:
                recording.close()
                self._recordings = tuple(
                    each for each in self._recordings if each is not recording
                )
                if not self._recordings:
                    self._unanswered.clear()

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Leave out what this thread does in the block: it is migopy's own work.

        Commits and aborts are heard all the same, they tell what the rest came to.
        """
        before = self._here.own
        self._here.own = True
        try:
            yield
        finally:
            self._here.own = before

    # PyMongo calls these for every command, so the way of a plain write is short: each
    # property of an event costs a call.

    def started(self, event: CommandStartedEvent) -> None:
        """Hear from PyMongo that a command is about to be sent."""
        name = event.command_name
        if name in READS or not self._recordings:
            return
        command = event.command
        if name == 'abortTransaction':
            self._abort(command)
            return
        if name == 'commitTransaction':
            for recording in self._recordings:
                recording.doubt_commit(command, NO_ANSWER)
        elif self._here.own:
            return
        self._unanswered[event.request_id] = name, command, event

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Hear from PyMongo that a command was answered."""
        sent = self._unanswered.pop(event.request_id, None)
        if sent is None:
            return
        name, command, _ = sent
        database, reply = event.database_name, event.reply
        # PyMongo takes some errors for a success: "no such collection" on a drop.
        done = reply.get('ok', True)
        for recording in self._recordings:
            if done:
                recording.count(name, database, command, reply)
            else:
                recording.doubt(name, database, command, reply)

    def failed(self, event: CommandFailedEvent) -> None:
        """Hear from PyMongo that a command met an error."""
        sent = self._unanswered.pop(event.request_id, None)
        if sent is None:
            return
        for recording in self._recordings:
            recording.doubt(sent[0], event.database_name, sent[1], event.failure)

    def _abort(self, command: Document) -> None:
        # Whatever is answered: nothing but a commit makes a transaction's writes last.
        for request_id, (_, sent, _) in self._unanswered.copy().items():
            if same_transaction(sent, command):
                del self._unanswered[request_id]
        for recording in self._recordings:
            recording.abort(command)


@cache
def listen() -> EffectsListener:
    """Give the listener of this process; it hears every client made from now on.

    That includes a client that a migration makes for itself. PyMongo has no way to
    take a listener back; outside of recordings it costs next to nothing.
    """
    listener = EffectsListener()
    register(listener)
    return listener


def unwatched_clients(listener: EffectsListener) -> bool:
    """Tell whether a client lives in this process that `listener` does not hear.

    PyMongo keeps its clients in a private place, and only where a process can be
    forked; where it is not found the answer is True, for it cannot be known.
    """
    try:
        clients = [*MongoClient._clients.values(), *AsyncMongoClient._clients.values()]
        ears = [client._event_listeners.event_listeners() for client in clients]
    except AttributeError:
        return True
    return not ears or any(listener not in each for each in ears)
