"""A stand-in for MongoDB 8, before the real server: what PyMongo sends only to that.

Written after the manual and the server's own interface definitions, as MongoDB 8 cannot
be installed from a package registry.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import bson
from bson.codec_options import DEFAULT_CODEC_OPTIONS
from bson.raw_bson import RawBSONDocument

from tests.faults.proxy import OP_MSG, Line, read_message

Document = dict[str, Any]

#: By the first number of a release: the version of the protocol that it speaks.
WIRE_VERSIONS = {7: 21, 8: 25}

OP_QUERY = 2004

#: A bit of a message's flags: more replies follow, or no reply is wanted.
MORE_TO_COME = 2

#: Nothing in a document is to be changed by being read.
RAW = DEFAULT_CODEC_OPTIONS.with_options(document_class=RawBSONDocument)

#: What the reply to bulkWrite counts.
COUNTS = ('nErrors', 'nInserted', 'nMatched', 'nModified', 'nUpserted', 'nDeleted')

#: What a member of a replica set says of itself, and what only a shard knows.
OF_A_MEMBER = frozenset(
    {'setName', 'setVersion', 'hosts', 'primary', 'me', 'electionId', 'secondary'}
)
OF_SHARDS = frozenset({'dbHash', 'replSetGetConfig', 'replSetGetStatus', 'top'})

#: Commands whose replies a router gives by shard.
RAW_REPLIES = frozenset({'collMod', 'createIndexes', 'deleteIndexes', 'dropIndexes'})

#: What a part of a bulkWrite has of the whole.
SHARED = ('lsid', 'txnNumber', 'autocommit', '$clusterTime', 'writeConcern')


class LaterServer(Line):
    """Says to clients that a mongod on loopback is a later one, and acts as that.

    Invariant: `bulkWrite` is done as insert, update and delete of one document or
    statement each, so in or outside of a transaction what comes of it is the server's.
    With `batch`, no more results than that are in the first reply. With `routes` it is
    the router of a sharded cluster, whose only shard the mongod is.
    """

    def __init__(self, port: int, version: int = 8) -> None:
        super().__init__(port)
        self.version = version
        self.batch: int | None = None
        self.routes = False
        #: All bulkWrite commands that have come.
        self.heard: list[Document] = []
        #: What the next ones are answered, in place of being done.
        self.refusals: list[Document] = []
        #: The results of cursors that are not read to their end.
        self.left: dict[int, list[Document]] = {}

    def connect(self, client: socket.socket) -> None:
        """Carry the messages of a client, in a thread of its own."""
        threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(('127.0.0.1', self.server_port))
            with server:
                conversation = Conversation(self, server)
                while message := read_message(client):
                    for reply in conversation.replies(message):
                        client.sendall(reply)


class Conversation:
    """What one client says, put to the server on a connection of its own."""

    def __init__(self, later: LaterServer, server: socket.socket) -> None:
        self._later = later
        self._server = server

    def replies(self, message: bytes) -> Iterator[bytes]:
        """Give the replies to a message."""
        (request_id,) = struct.unpack_from('<i', message, 4)
        (code,) = struct.unpack_from('<i', message, 12)
        if code == OP_QUERY:
            self._server.sendall(message)
            reply = read_message(self._server)
            yield _old_reply(reply, self._greeting(bson.decode(reply[36:])))
            return
        (flags,) = struct.unpack_from('<I', message, 16)
        command = _command_of(message)
        name = next(iter(command))
        if name == 'bulkWrite':
            self._later.heard.append(command)
            refusals = self._later.refusals
            answer = refusals.pop() if refusals else self._bulk_write(command)
        elif name in ('getMore', 'killCursors') and (
            command.get('collection', command[name]) == '$cmd.bulkWrite'
        ):
            answer = self._rest(command)
        elif flags & MORE_TO_COME:
            self._server.sendall(message)
            return
        elif self._later.routes and name in OF_SHARDS:
            answer = {'ok': 0.0, 'code': 59, 'errmsg': f'no such command: {name}'}
        else:
            self._server.sendall(message)
            reply = read_message(self._server)
            answer = self._changed(name, command, _command_of(reply))
            if answer is None:
                yield reply
                return
        if not flags & MORE_TO_COME:
            yield _message(answer, request_id)

    def _changed(
        self, name: str, command: Document, reply: Document
    ) -> Document | None:
        """Say what a later server replies, `None` where it is the same."""
        if name in ('hello', 'isMaster', 'ismaster'):
            return self._greeting(reply)
        if name in ('buildInfo', 'buildinfo'):
            version = self._later.version
            version_array = [version, 0, 16, 0]
            return {
                **reply,
                'version': f'{version}.0.16',
                'versionArray': version_array,
            }
        if name == 'drop' and reply.get('code') == 26:
            return {'ok': 1.0}
        if name == 'create' and reply.get('code') == 48 and self._is_same(command):
            return {'ok': 1.0}
        if self._later.routes and reply.get('ok') and name in RAW_REPLIES:
            return {'raw': {'shard/127.0.0.1': reply}, 'ok': 1.0}
        if self._later.routes and reply.get('ok') and name == 'drop':
            return {'ok': 1.0}
        return None

    def _is_same(self, command: Document) -> bool:
        """Tell whether a collection is there with the options that it is to have."""
        named = {'filter': {'name': command['create']}, '$db': command['$db']}
        found = self._ask({'listCollections': 1, **named})['cursor']['firstBatch']
        beside = {'create', 'comment', 'lsid', 'txnNumber', 'writeConcern'}
        wanted = {
            key: command[key]
            for key in command
            if key not in beside and not key.startswith('$')
        }
        return any(dict(each['options']) == wanted for each in found)

    def _greeting(self, reply: Document) -> Document:
        reply['maxWireVersion'] = WIRE_VERSIONS[self._later.version]
        # So that each is asked for.
        reply.pop('topologyVersion', None)
        if self._later.routes:
            kept = {key: reply[key] for key in reply if key not in OF_A_MEMBER}
            return {**kept, 'msg': 'isdbgrid'}
        return reply

    def _ask(self, command: Document) -> Document:
        self._server.sendall(_message(command, 0))
        return _command_of(read_message(self._server))

    def _bulk_write(self, command: Document) -> Document:
        names = [each['ns'] for each in command['nsInfo']]
        counts = dict.fromkeys(COUNTS, 0)
        results: list[Document] = []
        fresh = {
            key: command[key]
            for key in ('startTransaction', 'readConcern')
            if key in command
        }
        for index, operation in enumerate(command['ops']):
            part = _part(command, operation, names, index)
            if part is None:
                text = 'Cannot use retryable writes with multi=true'
                reply = {'writeErrors': [{'code': 72, 'errmsg': text}], 'n': 0, 'ok': 1}
            else:
                reply = self._ask({**part, **fresh})
                fresh = {}
            if not reply['ok'] and (
                'errorLabels' in reply or reply['code'] in (13, 16, 73, 112)
            ):
                return reply
            result = _result(index, operation, reply, counts)
            if not result['ok'] or not command['errorsOnly']:
                results.append(result)
            if not result['ok'] and (command['ordered'] or 'autocommit' in command):
                break
        batch = self._later.batch or len(results)
        first, rest = results[:batch], results[batch:]
        cursor_id = 0
        if rest:
            cursor_id = len(self._later.left) + 1
            self._later.left[cursor_id] = rest
        cursor = {
            'id': bson.Int64(cursor_id),
            'firstBatch': first,
            'ns': 'admin.$cmd.bulkWrite',
        }
        return {'cursor': cursor, **counts, 'ok': 1.0}

    def _rest(self, command: Document) -> Document:
        if 'killCursors' in command:
            return {'cursorsKilled': command['cursors'], 'ok': 1.0}
        rest = self._later.left.pop(command['getMore'])
        cursor = {'id': bson.Int64(0), 'nextBatch': rest, 'ns': 'admin.$cmd.bulkWrite'}
        return {'cursor': cursor, 'ok': 1.0}


def _part(
    command: Document, operation: Document, names: list[str], index: int
) -> Document | None:
    """Give the command for one operation, `None` where it can't be sent again."""
    kind = next(iter(operation))
    database, _, collection = names[operation[kind]].partition('.')
    part: Document = {kind: collection}
    options = {key: operation[key] for key in ('collation', 'hint') if key in operation}
    many = bool(operation.get('multi'))
    if kind == 'insert':
        part['documents'] = [operation['document']]
    elif kind == 'update':
        statement = {
            'q': operation['filter'],
            'u': operation['updateMods'],
            'multi': many,
            'upsert': operation.get('upsert', False),
            **options,
        }
        if 'arrayFilters' in operation:
            statement['arrayFilters'] = operation['arrayFilters']
        part['updates'] = [statement]
    else:
        limit = 0 if many else 1
        part['deletes'] = [{'q': operation['filter'], 'limit': limit, **options}]
    part.update({key: command[key] for key in SHARED if key in command})
    if command.get('let') and kind != 'insert':
        part['let'] = command['let']
    if command.get('bypassDocumentValidation') and kind != 'delete':
        part['bypassDocumentValidation'] = True
    if 'txnNumber' in command and 'autocommit' not in command:
        if many:
            return None
        part['stmtId'] = index
    return {**part, '$db': database}


def _result(
    index: int, operation: Document, reply: Document, counts: Document
) -> Document:
    """Give the result of one operation, and add it to the counts."""
    errors = reply.get('writeErrors') or ([] if reply['ok'] else [reply])
    if errors:
        counts['nErrors'] += 1
        told = ('code', 'errmsg', 'keyPattern', 'keyValue', 'errInfo')
        error = {key: errors[0][key] for key in told if key in errors[0]}
        return {'ok': 0.0, 'idx': index, **error, 'n': 0}
    result: Document = {'ok': 1.0, 'idx': index, 'n': reply['n']}
    if 'insert' in operation:
        counts['nInserted'] += reply['n']
    elif 'delete' in operation:
        counts['nDeleted'] += reply['n']
    else:
        result['nModified'] = reply['nModified']
        counts['nModified'] += reply['nModified']
        if reply.get('upserted'):
            result['upserted'] = {'_id': reply['upserted'][0]['_id']}
            counts['nUpserted'] += 1
        else:
            counts['nMatched'] += reply['n']
    return result


def _command_of(message: bytes) -> Document:
    """Read a message: its document, with those that were sent beside it."""
    end, place = len(message), 20
    command: Document = {}
    if struct.unpack_from('<I', message, 16)[0] & 1:
        end -= 4
    while place < end:
        kind = message[place]
        (length,) = struct.unpack_from('<i', message, place + 1)
        section = message[place + 1 : place + 1 + length]
        if kind == 0:
            raw = RawBSONDocument(section)
            command = {**dict(raw), **command}
        else:
            name, _, documents = section[4:].partition(b'\0')
            command[name.decode()] = bson.decode_all(documents, RAW)
        place += 1 + length
    return command


def _message(document: Document, request_id: int) -> bytes:
    body = struct.pack('<IB', 0, 0) + bson.encode(document)
    return struct.pack('<iiii', 16 + len(body), 0, request_id, OP_MSG) + body


def _old_reply(reply: bytes, document: Document) -> bytes:
    body = reply[16:36] + bson.encode(document)
    return struct.pack('<i', 16 + len(body)) + reply[4:16] + body
