"""The errors that keep images from being made, or documents from being restored."""

from __future__ import annotations

from collections.abc import Sequence

from bson.errors import BSONError

from migopy.commands import Command
from migopy.differences import Value
from migopy.errors import MOST, MigopyException
from migopy.secrets import redacted_short
from migopy.texts import counted, one_line
from migopy.undo.conflicts import (
    DROPPED_STAYS,
    MADE_AGAIN,
    STOP,
    THEIRS,
    Conflict,
    FoundConflicts,
)
from migopy.undo.image_sets import ImageSet

#: Characters of an `_id` that a message shows.
SHOWN = 200

#: The end of a message about an undo that was interrupted before.
BEGUN = (
    '\nNothing more was restored. A part had been restored before; what you decide now'
    ' is for the rest.'
)

REST_ALONE = (
    'An earlier undo has restored a part of it already: what you decide about conflicts'
    ' now is for the rest'
)


class NotCovered(MigopyException):
    """A migration has done what no images can undo; `what` says what.

    `cause` is the message without what can be done about it.
    """

    def __init__(self, what: Sequence[str]) -> None:
        self.what = what
        lines = ''.join(f'\n  {one_line(each)}' for each in what[:MOST])
        self.cause = f'No images can be kept of this, so it could not be undone:{lines}'
        super().__init__(
            f'{self.cause}\n'
            'Leave it out, or have `undo = False` at the top of the file.'
        )


class OfNoImages(MigopyException):
    """No images can be kept of a collection of this kind; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f'No images can be kept of what it is about to change, as {reason}. Nothing'
            ' was written to that.\n'
            'Do it in a file of its own with `undo = False` at the top, or leave it'
            ' out.'
        )


class TooManyImages(MigopyException):
    """The images of a migration are larger than they may be; `limit` is in MB.

    `cause` is the message without what can be done about it.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.cause = (
            f'Its images are larger than {limit:g} MB, the most that UNDO_MB allows.'
        )
        super().__init__(
            f'{self.cause} Set UNDO_MB to more,'
            " or have `undo = 'best effort'` at the top of the file,"
            ' to do without images then, or `undo = False`.'
        )


class Conflicts(MigopyException):
    """Others have since changed what a migration changed.

    `name` is the migration's; `conflicts` are the first of them, and all of those of
    definitions; `count` is how many there are.
    """

    is_for_good = True

    def __init__(
        self, name: str, found: FoundConflicts, wish: str, is_begun: bool = False
    ) -> None:
        """Take what was found, and what a person has decided about it.

        `is_begun` is whether a part is restored already.
        """
        self.name = name
        self.conflicts = found.first
        self.count = found.count
        super().__init__(
            f'Since then others have {_counted(found)} that {name} changed:'
            + _listed(found)
            + (BEGUN if is_begun else '\nNothing was restored.')
            + ' To restore all others and leave these as they are (their images are'
            f' deleted then{_but_asides(found)}): ',
            Command('rollback', name, undo='yes', conflicts='keep'),
            *(_with_lost(name, wish) if found.lost else _without_lost(name, found)),
        )


class InTheWay(MigopyException):
    """The server refuses a document as it was; `name` is the migration's.

    `code` is the number of the server's error, `what` what it refuses.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        reason: str,
        code: int | None,
        what: str = 'a document',
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.code = code
        super().__init__(
            f'{one_line(namespace)}: {what} cannot be restored as it was before {name}:'
            f' {one_line(reason)}.\nSee to what stands in its way, then type: ',
            Command('rollback', name, undo='yes'),
        )


class NotExact(MigopyException):
    """The server keeps a document otherwise than it was; `name` is the migration's."""

    def __init__(self, name: str, namespace: str, id: Value) -> None:
        self.name = name
        super().__init__(
            f'{one_line(namespace)} _id {shown(id)}: the server does not take it'
            f' exactly as it was before {name} (an empty timestamp in it, say).'
        )


def what_is_restored(kept: ImageSet, is_begun: bool) -> str:
    """Say what an undo restores; `is_begun` is whether a part is restored already."""
    what = f'{"up to " if kept.repeated else ""}{counted(kept.documents, "document")}'
    if not kept.documents and (kept.defined or kept.made):
        what = 'what it defined'
    return f'what is left of {what}' if is_begun else what


def left_to_others(found: FoundConflicts, wish: str) -> str:
    """Say what an undo does not restore, as others have changed it since."""
    documents = found.count - found.defined
    of_fields = wish == THEIRS and documents
    rest = ' and other fields are restored where they can be,' if of_fields else ''
    return (
        f'What others have changed is left as it is,{rest} in'
        f' {_amounts(documents, found.defined)}; the images of it are deleted then'
        f'{_but_asides(found)}:{_listed(found)}'
    )


def described(conflict: Conflict) -> str:
    """Say in a line what others have done to which document or definition."""
    if conflict.id is None:
        return one_line(f'{conflict.namespace} {conflict.what}')
    if conflict.lost is not None:
        index, holder = conflict.lost
        what = f'{conflict.what} in the unique index {index} to _id {shown(holder)}'
    else:
        what = conflict.what
    fields = ', '.join(conflict.fields)
    said = f'{what}: {fields}' if fields else what
    return one_line(f'{conflict.namespace} _id {shown(conflict.id)} {said}')


def _counted(found: FoundConflicts) -> str:
    """Say what others have done, and to how many documents and parts of definitions."""
    changed = _amounts(found.count - found.defined - found.lost, found.defined)
    said = [f'changed {changed}'] if changed else []
    if found.lost:
        said.append(f'taken a unique value of {counted(found.lost, "document")}')
    return ', and '.join(said)


def _amounts(documents: int, definitions: int) -> str:
    """Say how many documents and definitions, nothing where there are none."""
    amounts = {'document': documents, 'definition': definitions}
    return ' and '.join(counted(n, what) for what, n in amounts.items() if n)


def _listed(found: FoundConflicts) -> str:
    """List the first of what others have changed, a line each."""
    lines = ''.join(f'\n  {described(each)}' for each in found.first[:MOST])
    more = found.count - min(len(found.first), MOST)
    return f'{lines}\n  and {more:,} more' if more else lines


def _but_asides(found: FoundConflicts) -> str:
    is_aside = any(each.what == DROPPED_STAYS for each in found.first)
    return ', but nothing that is set aside' if is_aside else ''


def _without_lost(name: str, found: FoundConflicts) -> Sequence[object]:
    # A definition has no fields to be restored.
    which = 'these documents' if found.defined else 'these'
    theirs = (
        f'\nTo restore in {which}, too, the fields that others have not changed (fields'
        ' that belong together may then not fit): ',
        Command('rollback', name, undo='yes', conflicts='theirs'),
    )
    is_made = any(
        each.id is None and each.what in (MADE_AGAIN, DROPPED_STAYS)
        for each in found.first
    )
    drop = ', and drop what they have made again' if is_made else ''
    return (
        *(theirs if found.count > found.defined else ()),
        f'\nTo take back what others have changed there{drop}: ',
        Command('rollback', name, undo='yes', conflicts='ours'),
    )


def _with_lost(name: str, wish: str) -> Sequence[object]:
    decided = {} if wish == STOP else {'conflicts': wish}
    return (
        '\nOr change the unique values in the documents that have them now, then type'
        ' again: ',
        Command('rollback', name, undo='yes', **decided),
    )


def shown(id: Value) -> str:
    """Give an `_id` as a message shows it, cut if it is very long."""
    try:
        text = repr(id.decoded())
    except (BSONError, ValueError, TypeError):
        text = id.data.hex()
    return redacted_short(text, SHOWN)
