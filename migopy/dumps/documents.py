"""The documents of a `.bson` file: one after the other, and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from migopy.folders import open_regular

#: How many bytes are read, written and sent at a time, so that memory is bounded.
BATCH_BYTES = 1024 * 1024

#: The size in bytes, with which a document begins, and an array, too.
SIZE = struct.Struct('<i')

# The server's limit: 16 MB, and what the server itself may add to a document.
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024


class Damaged(Exception):
    """A dump's file is not as it was written; the text says which, and how."""


def read_batches(path: Path) -> Iterator[list[bytes]]:
    """Give the documents of a `.bson` file, about a megabyte at a time.

    Raises `Damaged` at the first that is not whole.
    """
    data, position, lacking = b'', 0, 0
    with open_regular(path) as file:
        while read := file.read(max(BATCH_BYTES, lacking)):
            data += read
            documents, end, lacking = _whole_documents(data)
            if documents:
                yield documents
            position += end
            data = data[end:]
            if not lacking and data:
                break
    if data:
        raise Damaged(f'{path} is damaged at byte {position}')


def _whole_documents(data: bytes) -> tuple[list[bytes], int, int]:
    """Give the whole documents at the start of some bytes, and where they end.

    Gives also how many bytes the next document lacks; with 0 it is damaged.
    """
    documents: list[bytes] = []
    add, size_at = documents.append, SIZE.unpack_from
    position, last = 0, len(data) - 4
    while position <= last:
        [size] = size_at(data, position)
        end = position + size
        if not 5 <= size <= _MAX_DOCUMENT_BYTES:
            return documents, position, 0
        if end > last + 4:
            return documents, position, end - last - 4
        if data[end - 1]:
            return documents, position, 0
        add(data[position:end])
        position = end
    return documents, position, 4
