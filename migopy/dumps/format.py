"""A dump's files: the format of mongodump 100.x.

In a folder named like the database, `<collection>.bson` holds the documents one after
the other, and `<collection>.metadata.json` options and indexes in MongoDB's canonical
extended JSON. A view has no documents; those of a time series are the buckets that the
server keeps them in.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import quote_plus, unquote_plus

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

from migopy.dumps.documents import Damaged, read_batches
from migopy.folders import open_regular

Document = dict[str, Any]

#: Takes a line for a person to read.
Say = Callable[[str], None]

#: Takes a collection's name, the documents done, and how many there are if known.
Progress = Callable[[str, int, Optional[int]], None]

METADATA = '.metadata.json'
DATA = '.bson'

#: The only collection of the server's own that is dumped; it cannot be dropped.
SYSTEM_JS = 'system.js'

#: Characters of a file's name before its ending, the longest being that of gzip.
LONGEST_STEM = 238

#: Stands before the number in the name of a collection that a restore is filling.
STAGED = 'migopy_restoring.'

#: Options that listCollections shows, and that `create` refuses or must not get.
OPTIONS_NOT_TAKEN = ('autoIndexId', 'flags', 'recordIdsReplicated', 'temp')

#: The options in metadata that the command `create` gets; it gets no others.
KNOWN_OPTIONS = {
    *OPTIONS_NOT_TAKEN,
    'capped',
    'changeStreamPreAndPostImages',
    'clusteredIndex',
    'collation',
    'encryptedFields',
    'expireAfterSeconds',
    'indexOptionDefaults',
    'max',
    'pipeline',
    'recordPreImages',
    'size',
    'storageEngine',
    'timeseries',
    'validationAction',
    'validationLevel',
    'validator',
    'viewOn',
}

#: Stands before a time series' name in that of the collection with its documents.
_BUCKETS = 'system.buckets.'

_MOST_METADATA_BYTES = 64 * 1024 * 1024

_JSON = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


#: Errors that come of metadata which mongodump does not write.
_UNSOUND = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    BSONError,
)


@dataclass(frozen=True)
class Stored:
    """A collection, a view or a time series, as a dump holds it."""

    name: str
    options: Document
    indexes: Sequence[Document]
    #: How many documents there are, where they have been counted.
    count: int | None = None

    @property
    def is_view(self) -> bool:
        """Tell whether it has no documents of its own."""
        return 'viewOn' in self.options

    @property
    def is_time_series(self) -> bool:
        """Tell whether its documents are in another collection, as buckets."""
        return 'timeseries' in self.options

    @property
    def is_capped(self) -> bool:
        """Tell whether it keeps the newest documents only."""
        return bool(self.options.get('capped'))

    @property
    def is_validated(self) -> bool:
        """Tell whether the server checks new documents, which old ones need not pass.

        To pass them by needs a right that `readWrite` does not include.
        """
        return 'validator' in self.options

    @property
    def label(self) -> str:
        """Give its name as it fits in a line."""
        return shown(self.name)

    @property
    def data_name(self) -> str:
        """Name the collection that holds the documents."""
        return _BUCKETS + self.name if self.is_time_series else self.name

    @property
    def data_file(self) -> str:
        """Name the file that holds the documents."""
        return f'{file_stem(self.data_name)}.bson'

    def metadata(self, uuid: str | None) -> str:
        """Give the content of `.metadata.json`; `uuid` is the collection's, in hex."""
        kind = 'timeseries' if self.is_time_series else 'collection'
        document: Document = {
            'options': self.options,
            'indexes': self.indexes,
            'uuid': None if self.is_time_series else uuid,
            'collectionName': self.name,
            'type': 'view' if self.is_view else kind,
        }
        # mongodump leaves out what is empty, but for the indexes.
        shown = {k: v for k, v in document.items() if v or k == 'indexes'}
        return json_util.dumps(
            shown, json_options=_JSON, separators=(',', ':'), ensure_ascii=False
        )

    def is_like(self, other: Stored) -> bool:
        """Tell whether they are the same but for the order; NaN is like NaN."""
        return self._in_order() == other._in_order()

    def _in_order(self) -> str:
        given = [self.name, self.options, list(self.indexes)]
        return json_util.dumps(given, json_options=_JSON, sort_keys=True)

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read a `.metadata.json`. Raises `Damaged` where it says something else."""
        with open_regular(path) as file:
            content = file.read(_MOST_METADATA_BYTES + 1)
        try:
            if len(content) > _MOST_METADATA_BYTES:
                raise ValueError('it is too long')
            document = json.loads(content, object_pairs_hook=_from_json)
            stem = path.name[: -len(METADATA)]
            # Older ones do not hold the name.
            name = document.get('collectionName') or unquote_plus(stem)
            stored = cls(name, document.get('options') or {}, document['indexes'] or [])
            stored.require_sound(stem)
        except _UNSOUND as error:
            raise Damaged(f'{path} is damaged: {error}') from error
        return stored

    def require_sound(self, stem: str) -> None:
        """Make sure that it is what it says, the collection of the file `stem`.

        Raises `ValueError`, or another of what is wrong with it.
        """
        if not isinstance(self.options, dict):
            raise TypeError('its options are none')
        if not isinstance(self.name, str) or file_stem(self.name) != stem:
            raise ValueError(f'the collection {self.name!r} does not belong there')
        if self.name.startswith(STAGED) or (
            self.name.startswith('system.') and self.name != SYSTEM_JS
        ):
            raise ValueError(f'{self.name!r} is no name for a collection in a dump')
        if self.name == SYSTEM_JS and (self.is_view or self.is_time_series):
            raise ValueError(f'{self.name!r} is a collection')
        if not isinstance(self.options.get('viewOn', ''), str):
            raise TypeError('a view is on what has no name')
        if self.unknown_options:
            unknown = ', '.join(map(repr, self.unknown_options))
            raise ValueError(f'{unknown} is no known option of a collection')
        for index in self.indexes:
            if not index['key'].items() or not isinstance(index['name'], str):
                raise ValueError('an index has no key or no name')
        bson.encode({'options': self.options, 'indexes': list(self.indexes)})

    @property
    def unknown_options(self) -> list[str]:
        """List the options that a restore refuses."""
        return sorted(set(self.options) - KNOWN_OPTIONS)


def _from_json(pairs: Sequence[tuple[str, Any]]) -> Any:
    # Canonical JSON writes a regular expression otherwise, so this is the operator,
    # which json_util would turn into one, dropping its neighbours.
    if any(name == '$regex' for name, _ in pairs):
        return dict(pairs)
    return json_util.object_pairs_hook(pairs, _JSON)


def shown(name: str) -> str:
    """Give a collection's name as it fits in a line."""
    return name if name.isprintable() else repr(name)


def file_stem(collection: str) -> str:
    """Give a collection's file name without its ending, as mongodump names it.

    That is the name as in a URL's query; what would be longer than a file name may be
    is cut and ends with a hash (mongodump's `outputPath`, in prepare.go).
    """
    escaped = quote_plus(collection)
    if len(escaped) <= LONGEST_STEM:
        return escaped
    digest = hashlib.sha1(collection.encode()).digest()  # noqa: S324
    hashed = base64.urlsafe_b64encode(digest).decode().rstrip('=')
    return f'{escaped[:208]}%24{hashed}'


def read_contents(folder: Path, names: Sequence[str]) -> list[Stored]:
    """Read these files of a database's dump from end to end; give what is in them.

    Raises `Damaged` or `OSError` where a file is not as it was written.
    """
    contents = []
    data = {name for name in names if name.endswith(DATA)}
    for name in sorted(name for name in names if name.endswith(METADATA)):
        stored = Stored.read(folder / name)
        if not stored.is_view:
            if stored.data_file not in data:
                raise Damaged(f'{folder / stored.data_file} is missing from the dump')
            data.remove(stored.data_file)
            count = sum(map(len, read_batches(folder / stored.data_file)))
            stored = replace(stored, count=count)
        contents.append(stored)
    if data:
        raise Damaged(f'{folder / min(data)} belongs to no collection')
    return contents
