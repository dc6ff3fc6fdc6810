"""What somebody with ill will, or another tool, may have put into a database."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

import bson
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.raw_bson import RawBSONDocument

Document = dict[str, Any]


def document(*fields: bytes) -> bytes:
    """Put fields, as BSON has them, into a document."""
    inner = b''.join(fields)
    return struct.pack('<i', len(inner) + 5) + inner + b'\0'


def unreadable(name: str) -> bytes:
    """Give a field that a server keeps and PyMongo refuses to decode.

    It is binary data of the old subtype 2, which has its length twice, and here a
    wrong one.
    """
    return b'\x05' + name.encode() + b'\0' + struct.pack('<i', 3) + b'\x02abc'


def raw(content: bytes) -> RawBSONDocument:
    """Have PyMongo send a document as it is."""
    return RawBSONDocument(content, bson.CodecOptions(document_class=RawBSONDocument))


def with_unreadable(fields: Document, name: str) -> RawBSONDocument:
    """Make a document in which the field of this name cannot be read."""
    others = {key: value for key, value in fields.items() if key != name}
    return raw(document(bson.encode(others)[4:-1], unreadable(name)))


#: Texts that could steer a terminal, forge a line, or mean something to a shell, to
#: Fabric, to MongoDB or to Python's formatting.
TEXTS = [
    '',
    ' ',
    'text',
    '\x1b[2J\x1b]0;title\x07',
    'first\nAll migrations registered',
    'a\r\tb\x00c',
    '\u202egnp.exe',
    '\ud83d'.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace'),
    '漢字 🙂',
    '{0} %s %(x)s {title}',
    '$name',
    '$$ROOT',
    '../../etc/passwd',
    '/',
    '.py',
    '001_x.py',
    '999_none.py',
    '001_x\n.py',
    'mongodb://ann:secret@db.example/',
    'x' * 5000,
    '9' * 5000,
    "'; touch executed; '",
]


def values(dice: random.Random) -> list[Callable[[], Any]]:
    """List what makes a value of each kind that a server keeps."""
    moments = [
        datetime(1, 1, 1),
        datetime(9999, 12, 31, 23, 59, 59),
        datetime(2026, 1, 1),
    ]
    return [
        lambda: None,
        lambda: dice.choice([True, False]),
        lambda: dice.choice([0, 1, -1, 60, 2**31 - 1]),
        lambda: Int64(dice.choice([2**63 - 1, -(2**63), 2**40])),
        lambda: dice.choice([1.5, 1e308, -0.0, float('nan'), float('inf')]),
        lambda: dice.choice(TEXTS),
        lambda: dice.choice(TEXTS),
        lambda: dice.choice([b'', b'bytes', bson.encode({'_id': 1})]),
        lambda: Binary(b'abc', dice.choice([0, 2, 3, 4, 5, 9, 128])),
        list,
        lambda: [value(dice), value(dice)],
        dict,
        lambda: {dice.choice(['a', '$set', '$ref', 'x.y', '']): value(dice)},
        lambda: ObjectId(),
        lambda: dice.choice(moments),
        lambda: DatetimeMS(dice.choice([2**63 - 1, -(2**63), 10**15, -(10**15)])),
        lambda: Regex(dice.choice(['x', '((((']), 'i'),
        lambda: Timestamp(2**32 - 1, 2**32 - 1),
        lambda: Decimal128(dice.choice(['NaN', '1E+6000', '5'])),
        lambda: Code('f()'),
        lambda: Code('f()', {'x': 1}),
        lambda: DBRef('c', 5),
        lambda: MinKey(),
        lambda: MaxKey(),
    ]


def value(dice: random.Random) -> Any:
    """Make a value of any kind."""
    return dice.choice(values(dice))()


#: Fields of the three collections that mean something to migopy.
FIELDS = [
    *('name', 'executed_at', 'duration_ms', 'checksum', 'by', 'how'),
    *('direction', 'started', 'ended', 'outcome', 'user', 'host', 'pid', 'error'),
    *('version', 'owner', 'unsettled', 'records', 'after', 'effects', 'checkpoints'),
    *('command', 'subtask', 'since', 'expires', 'place', 'ttl'),
]


def spoiled(fields: Document, dice: random.Random) -> RawBSONDocument:
    """Make another document of one: fields gone, of any value, or unreadable."""
    made = dict(fields)
    bad: list[str] = []
    for _ in range(dice.choice([1, 1, 2, 3, 6])):
        name = dice.choice(['_id', *made, *made, *FIELDS])
        way = dice.random()
        if way < 0.1:
            made.pop(name, None)
        elif way < 0.2:
            bad.append(name)
        else:
            made[name] = value(dice)
    if isinstance(made.get('_id'), (list, Regex)):
        del made['_id']  # a server keeps no such
    if '_id' not in made and '_id' not in bad:
        made = {'_id': ObjectId(), **made}
    # No name twice: MongoDB 6.0.5 itself aborts where a pipeline updates such a one.
    parts = {key: bson.encode({key: each})[4:-1] for key, each in made.items()}
    parts.update({name: unreadable(name) for name in bad})
    return raw(document(*parts.values()))
