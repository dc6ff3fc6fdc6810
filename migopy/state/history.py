"""What is known of each run of a migration: the history collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from migopy.codes import TOO_LARGE_TO_SORT
from migopy.server import end_sessions
from migopy.state.concerns import DURABLE, MARK, PREPARE_SECONDS, UNHEARD, repeat
from migopy.state.documents import all_readable, raw, readable
from migopy.state.fields import value_of
from migopy.state.holder import Holder
from migopy.state.registry import Record
from migopy.state.runs import FORGOTTEN, IGNORED, RENAMED_TO, ROLLED_BACK, Run

Document = dict[str, Any]

#: Which runs may have left something half done.
UNSETTLED: Document = {'unsettled': True}
#: The number of pages of a run that another one has taken over.
TAKEN_OVER = -1
#: How many runs come with one reply: a quarter of a megabyte.
BATCH = 1000
#: What is of use only while a run is open: half of its bytes.
ONLY_WHILE_OPEN = ('checksum', 'owner', 'version', 'records', 'checkpoints', 'session')


class History:
    """The collection of runs.

    Invariant: a run's document is written before the run starts and completed when it
    has ended. If several were written at once, each begins when the run that it names
    in `after` is registered, and not before. Reading never writes.
    """

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def prepare(self) -> None:
        """Make the index that finds unsettled runs in a long history."""
        make = partial(
            self.collection.create_index,
            'unsettled',
            partialFilterExpression={'unsettled': True},
        )
        repeat(make, PREPARE_SECONDS)

    def complete(
        self, run: Run, earlier: Sequence[Run], session: ClientSession
    ) -> None:
        """Write a run's whole document, in the session's transaction.

        `earlier` are runs that it settles.
        """
        document = run.document()
        self.collection.replace_one(
            {'_id': run.id}, document, upsert=True, session=session
        )
        for each in earlier:
            self.collection.update_one(
                {'_id': each.id}, {'$set': {'unsettled': False}}, session=session
            )

    def send(self, ends: Sequence[Document]) -> None:
        """Send what is to be merged into the documents of runs, without waiting.

        On another connection it may arrive after the lock is released, and after what
        others do then. So it needs no lock, and restores neither a run that was
        forgotten nor a name that was changed.
        """
        unheard = self.collection.with_options(write_concern=UNHEARD)
        changes = [
            UpdateOne(
                {key: end[key] for key in ('_id', 'name') if key in end}, {'$set': end}
            )
            for end in ends
        ]
        # In order, PyMongo would wait for each.
        unheard.bulk_write(changes, ordered=False)

    def now(self) -> datetime:
        """Give the server's time, in UTC without a zone."""
        admin = self.collection.database.client.admin
        hello = admin.command('hello', codec_options=self.collection.codec_options)
        now: datetime = hello['localTime']
        return now

    def note_robbed(self, holder: Holder) -> None:
        """Note of the runs whose lock was taken away until when they may write.

        Where that cannot be noted, the lock is taken all the same.
        """
        if holder.is_gone or holder.notices is None:
            return
        theirs = {'owner': holder.owner, 'outcome': None, 'unsettled': True}
        marked = self.collection.with_options(write_concern=MARK)
        with suppress(PyMongoError):
            until = self.now() + timedelta(seconds=holder.notices)
            marked.update_many(theirs, {'$set': {'writes_until': until}})

    def add(self, run: Run) -> None:
        """Write a run that began and ended without the lock; waits for a majority."""
        collection = self.collection.with_options(write_concern=DURABLE)
        collection.insert_one(run.document())

    def take_over(self, run: Run) -> list[Document] | None:
        """Give how far an earlier run has come, and keep it from going any further.

        It is `None` if the run was killed before it noted anything. Its last
        transaction is ended, which a killed process leaves open for a minute; a user
        who may not end it waits until the server does.
        """
        collection = self.collection.with_options(write_concern=DURABLE)
        mine = {'_id': run.id}
        session = self._read(raw(collection).find_one(mine)).get('session')
        if session is not None:
            with suppress(OperationFailure):
                client = collection.database.client
                client.admin.command('killSessions', [{'id': session}])
        found = raw(collection).find_one_and_update(
            mine,
            {'$set': {'pages': TAKEN_OVER}},
            return_document=ReturnDocument.AFTER,
        )
        return value_of(self._read(found), 'checkpoints', list)

    def end_transactions_of(self, owners: Sequence[str]) -> None:
        """End the transactions that owners of the lock have left open, which are gone.

        A process that was killed leaves its transaction open for a minute, in which
        others who write the same documents wait. The server itself ends those of
        another user.
        """
        if not owners:
            return
        left = {
            'owner': {'$in': list(owners)},
            'outcome': None,
            'session': {'$type': 'binData'},
        }
        found = raw(self.collection).find(left, ['session'])
        sessions = [self._read(each)['session'] for each in found]
        end_sessions(self.collection.database.client, sessions)

    def forget(self, runs: Sequence[Run]) -> None:
        """Remove the documents of runs that never began."""
        if runs:
            self.collection.delete_many({'_id': {'$in': [run.id for run in runs]}})

    def unsettled(self) -> list[Run]:
        """Read the runs that may have left something half done, the oldest first.

        Documents that cannot be runs of migopy are left out.
        """
        return self.unsettled_of(raw(self.collection).find(UNSETTLED))

    def unsettled_of(self, documents: Iterable[RawBSONDocument]) -> list[Run]:
        """Read documents of the collection as `unsettled` does."""
        runs = [Run.of(self._read(document)) for document in documents]
        ours = [run for run in runs if run.may_be_ours]
        return sorted(ours, key=lambda run: (run.started, run.id))

    def last(self, count: int) -> list[Run]:
        """Read the last `count` runs, newest last."""
        return list(self.each(count))

    def each(
        self, count: int = 0, name: str | None = None, without: Sequence[Run] = ()
    ) -> Iterator[Run]:
        """Read the last `count` runs (0: all), of one migration or all, newest last.

        Those of one include the entries of when it was given its name and when it lost
        it. `without` are runs to leave out. Runs are read as they are iterated over,
        without the fields of `ONLY_WHILE_OPEN`.
        """
        query: Document = {}
        if name:
            names = {'$split': ['$name', RENAMED_TO]}
            is_text = {'$eq': [{'$type': '$name'}, 'string']}
            mine = {'$in': [{'$literal': name}, {'$cond': [is_text, names, []]}]}
            query = {'$or': [{'name': name}, {'$expr': mine}]}
        if without:
            query['_id'] = {'$nin': [run.id for run in without]}
        return self._runs(query, count, [{'$unset': list(ONLY_WHILE_OPEN)}])

    def last_of(self, name: str) -> list[Run]:
        """Read the last run of a migration, if there is one."""
        return list(self._runs({'name': name}, 1))

    def since_pending(self, name: str) -> list[Run]:
        """Read the runs of a migration since it was last pending, the oldest first.

        Those are the ones after its last rollback, or after it was forgotten.
        """
        runs: list[Run] = []
        for run in self._runs({'name': name}):
            is_back = run.outcome == ROLLED_BACK or run.outcome == FORGOTTEN
            if is_back or (run.direction, run.outcome) == ('down', IGNORED):
                runs = []
            else:
                runs.append(run)
        return runs

    def did_nothing(self, records: Sequence[Record]) -> bool:
        """Tell whether all runs behind a migration's records have changed nothing.

        That is known only of records that its own runs have left. An earlier run that
        failed may have changed something, too.
        """
        runs = self.since_pending(records[0].name) if records else []
        own = [run.id for run in runs]
        is_known = bool(runs) and all(record.id in own for record in records)
        return is_known and not any(run.may_have_written for run in runs)

    def of_command(self, command: str) -> list[Run]:
        """Read the runs that belong to one typed command, the oldest first."""
        return list(self._runs({'command': command}))

    def of_owner(self, owner: str) -> list[Run]:
        """Read the runs under one owner of the lock, the oldest first."""
        return list(self._runs({'owner': owner}))

    def _runs(
        self, query: Document, count: int = 0, shaped: Sequence[Document] = ()
    ) -> Iterator[Run]:
        last = [{'$sort': {'started': -1, '_id': -1}}, {'$limit': count}]
        pipeline = [{'$match': query}, *shaped, *(last if count else ())]
        pipeline.append({'$sort': {'started': 1, '_id': 1}})
        documents = (each.raw for each in self._sorted(pipeline))
        yield from map(Run.of, all_readable(documents, self.collection.codec_options))

    def _sorted(self, pipeline: Sequence[Document]) -> Iterable[Any]:
        """Aggregate what the server sorts, with its disk if memory is too small.

        The disk is asked for only then: some providers refuse any command that does.
        """
        ask = partial(raw(self.collection).aggregate, pipeline, batchSize=BATCH)
        try:
            return ask()
        except OperationFailure as error:
            if error.code not in TOO_LARGE_TO_SORT:
                raise
            return ask(allowDiskUse=True)

    def _read(self, document: Any) -> Document:
        options = self.collection.codec_options
        return {} if document is None else readable(document, options)
