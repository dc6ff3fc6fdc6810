"""Checks of the calls in a file that write or drop something."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from migopy.preflight.checked_file import (
    ONE,
    OPERATIONS,
    CheckedFile,
    constant,
    inside,
    is_empty,
)
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.source import DOWN, UP, Call

#: Classes that take a write concern.
CONCERNED = frozenset({'AsyncMongoClient', 'MongoClient', 'WriteConcern'})

#: How many documents make a loop that writes them one by one slow.
MANY = 10_000


def empty_filters(file: CheckedFile) -> Iterator[Finding]:
    """Find filters that select all documents, or whichever comes first."""
    calls = file.source.calls
    refilled = {
        each.collection for each in calls if each.method.startswith('insert_')
    } - {None}
    for call in calls:
        size = file.size(call.collection)
        if not size or not is_empty(call.argument(0, 'filter', 'spec_or_id')):
            continue
        of = f'{call.collection}, which has {size:,} documents'
        allow = 'if that is meant, say so: # migopy: allow=empty-filter why'
        if call.method in ('delete_many', 'remove') and call.collection not in refilled:
            yield file.finding(
                'empty-filter',
                NOTICE,
                call.line,
                f'{call.method} with an empty filter deletes all of {of}',
                'what is gone comes back from a dump only',
                f'a filter; {allow}',
                documents=size,
            )
        elif call.method in ONE and size > 1:
            yield file.finding(
                'empty-filter',
                NOTICE,
                call.line,
                f'{call.method} with an empty filter takes whichever document comes'
                f' first of {of}',
                'which one that is differs from server to server',
                f'a filter, such as one of _id; {allow}',
                documents=size,
            )


def write_concerns(file: CheckedFile) -> Iterator[Finding]:
    """Find writes that do not wait for an answer, and those an election can undo."""
    for call in file.source.calls:
        if call.dotted.rpartition('.')[2] not in CONCERNED and not file.writes(call):
            continue
        concern = constant(call.keyword('w'))
        if call.method == 'WriteConcern' and call.node.args:
            concern = constant(call.node.args[0])
        if concern is ... or isinstance(concern, bool):
            continue
        if concern == 0:
            yield file.finding(
                'write-concern',
                PROBLEM,
                call.line,
                'w=0 writes without waiting for an answer',
                'an error is never heard: the migration counts as executed all the'
                ' same, and its figures are not known',
                "no write concern of the file's own, or w='majority'",
            )
        elif concern == 1:
            yield file.finding(
                'write-concern',
                NOTICE,
                call.line,
                'w=1 waits for the primary alone',
                'an election may undo what was written, and the migration counts as'
                ' executed all the same',
                "no write concern of the file's own, or w='majority'",
            )


def local_times(file: CheckedFile) -> Iterator[Finding]:
    """Find local times without a time zone that are given to the database."""
    source = file.source
    for call in source.calls:
        if not _is_naive_now(call.node, call.dotted):
            continue
        if any(_has(file, each, call) for each in source.calls):
            yield file.finding(
                'local-time',
                NOTICE,
                call.line,
                f'{call.dotted}() is the local time, without its zone',
                'MongoDB takes it for UTC: it is hours off, by another number on each'
                ' machine',
                'datetime.now(timezone.utc)',
            )


def _is_naive_now(node: ast.Call, dotted: str) -> bool:
    named = dotted.endswith(('datetime.now', 'datetime.today'))
    return named and not node.args and not node.keywords


def _has(file: CheckedFile, writing: Call, now: Call) -> bool:
    """Tell whether a call gives the database a time, itself or by a name."""
    if not file.writes(writing) and writing.method not in OPERATIONS:
        return False
    if any(each is now.node for each in inside(writing)):
        return not _is_measured(writing, now.node)
    if now.function is None or writing.function is not now.function:
        return False
    names = {
        getattr(target, 'id', '')
        for each in ast.walk(now.function)
        if isinstance(each, (ast.Assign, ast.AnnAssign, ast.NamedExpr))
        and each.value is now.node
        for target in getattr(each, 'targets', None) or [getattr(each, 'target', None)]
    } - {''}
    given = [
        each
        for each in inside(writing)
        if isinstance(each, ast.Name) and each.id in names
    ]
    return any(not _is_measured(writing, each) for each in given)


def _is_measured(call: Call, node: ast.AST) -> bool:
    """Tell whether a time is made into something else: a text, a year, a duration."""
    return any(
        isinstance(each, (ast.Attribute, ast.JoinedStr))
        and each is not getattr(node, 'func', None)
        and any(inner is node for inner in ast.walk(each))
        for each in inside(call)
    )


def loops(file: CheckedFile) -> Iterator[Finding]:
    """Find loops over a large collection that write one document at a time.

    If the file was tried, `single_writes` tells it by the commands that were counted.
    """
    for call in file.source.calls if not file.is_tried else ():
        if call.loop is None or not file.writes(call) or call.method == 'bulk_write':
            continue
        size = file.size(_looped_over(file, call))
        if size and size >= MANY and not call.method.endswith('_many'):
            yield file.finding(
                'write-per-document',
                NOTICE,
                call.line,
                f'a loop over {size:,} documents writes one at a time',
                'a round trip for each; if it is killed, it starts over',
                'migopy.update_each, which writes in bulk and resumes',
                documents=size,
            )


def _looped_over(file: CheckedFile, call: Call) -> str | None:
    """Give the collection that is read as a whole by the loop around a call."""
    iterated = getattr(call.loop, 'iter', None)
    for each in file.source.calls:
        is_there = iterated is not None and any(
            inner is each.node for inner in ast.walk(iterated)
        )
        wanted = each.argument(0, 'filter', 'spec')
        if is_there and each.method == 'find' and (wanted is None or is_empty(wanted)):
            return each.collection
    return None


def empty_ups(file: CheckedFile) -> Iterator[Finding]:
    """Find an `up` in which nothing stands, as in a file that `create` has written."""
    ups = file.source.functions(UP) if file.source.direction == 'up' else []
    if ups and all(map(_does_nothing, ups)):
        yield file.finding(
            'empty-up',
            NOTICE,
            ups[0].lineno,
            'its up is empty',
            'it is registered as executed all the same, and will not run again',
        )


def drops(file: CheckedFile) -> Iterator[Finding]:
    """Find collections that are dropped in a file whose `down` cannot undo that.

    Where images are kept, such a collection is, too.
    """
    source = file.source
    downs = source.functions(DOWN)
    if file.has_images or any(not _does_nothing(each) for each in downs):
        return
    for call in source.calls:
        dropped = _dropped(file, call)
        if dropped and call.function is not None and call.function.name not in DOWN:
            has = 'its down does nothing' if downs else 'the file has no down'
            yield file.finding(
                'no-way-back',
                NOTICE,
                call.line,
                f'{dropped} is dropped, and {has}',
                'rollback does not bring it back'
                + (', and says that it did' if downs else ''),
                'a rename now and the drop in a later migration; or a down that raises'
                ' an error and says why',
            )


def _dropped(file: CheckedFile, call: Call) -> str | None:
    if call.method == 'drop' and call.collection is not None:
        return call.collection if file.size(call.collection) else None
    if call.method != 'drop_collection' or not isinstance(
        call.node.func, ast.Attribute
    ):
        return None
    named = constant(call.argument(0, 'name_or_collection'))
    if not isinstance(named, str):
        return None
    is_of_database = file.source.names.is_database(call.node.func.value)
    return named if is_of_database and file.size(named) else None


def _does_nothing(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in function.body
    )
