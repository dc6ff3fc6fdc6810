"""What a function may answer, and what came of its answers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from pymongo import DeleteOne, ReplaceOne, UpdateOne

from migopy.backfill.documents import shown
from migopy.errors import MigopyException, listing
from migopy.texts import one_line

#: Failed documents that a message shows.
SHOWN = 20


class Delete:
    """The type of `DELETE`, its only instance."""

    __module__ = 'migopy.backfill'

    def __repr__(self) -> str:
        return 'migopy.DELETE'

    def __reduce__(self) -> str:
        return 'DELETE'


#: What a function returns for a document that is to be deleted.
DELETE = Delete()

Answer = Union[Mapping[str, Any], Sequence[Mapping[str, Any]], Delete, None]


@dataclass
class Counts:
    """What came of the documents that the filter matched, in this call.

    Invariant: `matched` is the sum of the others. `left` are those for which the
    function returned `None`; `gone` were deleted meanwhile, or do not fit the filter
    any more.
    """

    matched: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    left: int = 0
    gone: int = 0
    failed: int = 0

    __module__ = 'migopy.backfill'

    def add(self, other: Counts) -> None:
        """Add what came of other documents."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)

    def __str__(self) -> str:
        said = [f'{count:,} {name}' for name, count in vars(self).items() if count]
        return ', '.join(said) or '0 matched'


class DocumentsFailed(MigopyException):
    """Documents of `update_each` failed.

    `failures` are pairs of `_id` and text for the first thousand; `counts` says what
    came of all documents, `note` what else one should know. The first error is chained.
    """

    # As it is pickled and shown, whatever room it is in.
    __module__ = 'migopy.backfill'

    def __init__(
        self,
        namespace: str,
        failures: Sequence[tuple[Any, str]],
        counts: Counts,
        note: str = '',
    ) -> None:
        self.namespace = namespace
        self.failures = failures
        self.counts = counts
        self.note = note
        where = one_line(namespace)
        if counts.failed == 1:
            key, reason = failures[0]
            text = f'{where}: the document with _id {shown(key)} failed: {reason}'
        else:
            rows = [f'_id {shown(key)}: {reason}' for key, reason in failures[:SHOWN]]
            if counts.failed > SHOWN:
                rows.append(f'and {counts.failed - SHOWN:,} more')
            text = f'{where}: {counts.failed:,} documents failed:\n{listing(rows)}'
        lines = [text, note, f'Of all in this call: {counts}']
        super().__init__('\n'.join(filter(None, lines)))


def kind_of(answer: object) -> type | None:
    """Tell what a function wants done; raises `TypeError`."""
    if answer is None:
        return None
    if answer is DELETE:
        return DeleteOne
    if isinstance(answer, list) and answer:
        return UpdateOne
    # To look whether a dict is a Mapping takes ten times as long as to see its type.
    if (type(answer) is dict or isinstance(answer, Mapping)) and answer:
        return UpdateOne if str(next(iter(answer))).startswith('$') else ReplaceOne
    raise TypeError(
        f'the function returned {textwrap.shorten(repr(answer), 80)}, which is no'
        ' update, no document, not None and not migopy.DELETE'
    )
