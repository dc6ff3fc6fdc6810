"""What tests of dumps share."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from migopy.dumps import (
    Connection,
    Dump,
    Dumps,
)
from migopy.dumps.documents import read_batches
from tests import server

MEGABYTE = 1024 * 1024
RAW = CodecOptions(document_class=RawBSONDocument)

needs_tools = unittest.skipUnless(
    shutil.which('mongodump') and shutil.which('mongorestore'),
    'mongodump and mongorestore are not installed',
)


def everything(db: Database[Any]) -> dict[str, Any]:
    """Give all of a database: of each collection type, options, indexes, raw bytes.

    Documents are in the order of `_id`, of a capped collection in that of time.
    """
    found = {}
    for entry in db.list_collections():
        name = entry['name']
        if name in ('system.views', 'system.profile'):
            continue
        documents = []
        if 'viewOn' not in entry['options'] and entry['type'] != 'timeseries':
            cursor = db[name].with_options(codec_options=RAW).find()
            if not entry['options'].get('capped'):
                cursor = cursor.sort('_id', 1)
            documents = [document.raw for document in cursor]
        indexes = []
        if entry['type'] != 'view':
            indexes = sorted(map(repr, db[name].list_indexes()))
        found[name] = (entry['type'], repr(entry['options']), indexes, documents)
    return found


def left(directory: Path) -> list[Path]:
    """List what is in a folder of dumps, but for git's file."""
    paths = directory.iterdir() if directory.exists() else ()
    return [path for path in paths if path.name != '.gitignore']


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix='migopy-tests-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.directory = self.folder / 'dumps'
        self.said: list[str] = []

    def dumps(self, connection: Connection | None = None) -> Dumps:
        return Dumps(self.directory, connection, say=self.said.append)


class DumpTest(server.DatabaseTest):
    """A test with a folder for dumps, and what was said."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix='migopy-tests-')
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name) / 'some' / 'dumps'
        self.said: list[str] = []

    def dumps(self, connection: Connection | None = None, **options: Any) -> Dumps:
        return Dumps(self.directory, connection, say=self.said.append, **options)

    def documents(self, dump: Dump, collection: str) -> list[dict[str, Any]]:
        path = dump.path / dump.database / f'{collection}.bson'
        return [bson.decode(one) for some in read_batches(path) for one in some]

    def assert_no_dump(self) -> None:
        """Nothing is listed and nothing half is left."""
        self.assertEqual([], self.dumps().of(self.db.name))
        self.assertEqual([], left(self.directory))


FAKE_TOOL = r'''#!{python}
"""Stand in for mongodump: note the arguments and the pipe with the secrets."""
import json, os, signal, stat, sys, time

options = dict(a[2:].split('=', 1) for a in sys.argv[1:] if '=' in a)
config = options['config']
with open(config) as file:
    content = file.read()
with open({notes!r}, 'w') as file:
    json.dump(
        {{
            'arguments': sys.argv[1:],
            'config': json.loads(content),
            'config_is_pipe': stat.S_ISFIFO(os.stat(config).st_mode),
            'environment': dict(os.environ),
            'pid': os.getpid(),
        }},
        file,
    )
if 'out' in options:
    folder = os.path.join(options['out'], options['db'])
    os.makedirs(folder)
    with open(os.path.join(folder, 'notes.bson'), 'wb') as file:
        file.write(bytes([5, 0, 0, 0, 0]))
    with open(os.path.join(folder, 'notes.metadata.json'), 'w') as file:
        file.write('{{"indexes":[],"collectionName":"notes"}}')
{body}
'''


def database(name: str = 'shop', set_name: str | None = 'rs0') -> Any:
    """Stand in for an empty database whose server answers `hello`, and no more."""
    hello = {'setName': set_name} if set_name else {}
    admin = SimpleNamespace(command=lambda command: hello)
    nodes = frozenset({('db.example', 27018)})
    found = SimpleNamespace(name=name, list_collections=list)
    found.client = SimpleNamespace(
        admin=admin, nodes=nodes, get_database=lambda name, **options: found
    )
    return found


def spoil(dump: Path, database: str, chance: random.Random) -> None:
    """Do something bad to a dump's folder, at random."""
    path = chance.choice([path for path in sorted(dump.rglob('*')) if path.is_file()])
    content = bytearray(path.read_bytes())
    tokens = [b'{', b'}', b'"', b'[', b'null', b'1e999', b'\xff', b'\0', b'\\ud800']
    tokens += [b'"$oid"', b'"$date"', b'"$numberLong"', b'"options"', b'../', b'-1']
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(content) + 1)
        end = place + chance.choice([0, 0, 1, 5, 40])
        content[place:end] = chance.choice([b'', chance.choice(tokens)])
    path.write_bytes(content)
    if path.name != 'migopy.json' and chance.random() < 0.8:
        manifest = json.loads((dump / 'migopy.json').read_text())
        manifest['files'][path.relative_to(dump).as_posix()] = len(content)
        (dump / 'migopy.json').write_text(json.dumps(manifest))
    ways: list[Callable[[], object]] = [
        path.unlink,
        lambda: (path.unlink(), os.mkfifo(path)),
        lambda: (path.unlink(), path.symlink_to('/dev/zero')),
        lambda: path.rename(path.with_name(chance.choice(['x', 'x.bson', '.x']))),
    ]
    if chance.random() < 0.1:
        chance.choice(ways)()
