"""Checks of the clients, cursors, threads and JavaScript that a file uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from migopy.preflight.checked_file import CheckedFile, constant
from migopy.preflight.findings import NOTICE, PROBLEM, Finding
from migopy.preflight.source import Call

#: Classes of clients, of PyMongo and of Motor.
CLIENTS = frozenset(
    """
    AsyncIOMotorClient AsyncMongoClient MongoClient MotorClient
    """.split()  # noqa: SIM905
)

#: Classes that hand work to threads, and to processes, whose commands nobody hears.
THREADS = frozenset({'Thread', 'ThreadPool', 'ThreadPoolExecutor'})
PROCESSES = frozenset({'Pool', 'Process', 'ProcessPoolExecutor'})

#: Methods that hand a piece of work over, and methods that bring its error back.
HANDING = frozenset({'apply_async', 'imap', 'imap_unordered', 'map', 'submit'})
LOOKING = frozenset({'as_completed', 'exception', 'get', 'result'})


def javascript(file: CheckedFile) -> Iterator[Finding]:
    """Find filters in JavaScript."""
    for each in file.source.dictionaries:
        for key in each.keys:
            if constant(key) == '$where' and key is not None:
                yield file.finding(
                    'where',
                    NOTICE,
                    key.lineno,
                    '$where runs JavaScript for each document',
                    'no index helps, and a server may have it switched off',
                    '$expr with operators of aggregation',
                )


def endless_cursors(file: CheckedFile) -> Iterator[Finding]:
    """Find cursors that are not to time out."""
    for call in file.source.calls:
        endless = constant(call.keyword('no_cursor_timeout')) is True
        old = call.collection is not None and call.method == 'find'
        if endless or (old and constant(call.keyword('timeout')) is False):
            yield file.finding(
                'cursor-timeout',
                NOTICE,
                call.line,
                'the cursor is not to time out',
                'its session ends after 30 minutes without a call all the same, and'
                ' killed before that it stays open on the server',
                'migopy.update_each, which reads page by page and resumes',
            )


def clients(file: CheckedFile) -> Iterator[Finding]:
    """Find clients that the file makes itself."""
    engines = _imports(file.source.tree, 'mongoengine')
    for call in file.source.calls:
        engine = call.dotted == 'mongoengine.connect' or (
            call.dotted == 'connect' and 'connect' in engines
        )
        if call.dotted.rpartition('.')[2] not in CLIENTS and not engine:
            continue
        inside = file.in_transaction
        yield file.finding(
            'own-client',
            PROBLEM if inside else NOTICE,
            call.line,
            f'{call.dotted} makes a client of its own'
            + (', whose writes the transaction refuses' if inside else ''),
            "it goes to its own address, whatever the command's settings are, and a dry"
            ' run refuses its writes',
            "the db that up gets, or db.client for that server's other databases",
        )


def threads(file: CheckedFile) -> Iterator[Finding]:
    """Find threads whose errors are lost, and work that no transaction includes."""
    source = file.source
    of_processes = _imports(source.tree, 'multiprocessing', 'concurrent.futures')
    of_threads = _imports(
        source.tree, 'threading', 'concurrent.futures', 'multiprocessing.pool'
    )
    for call in source.calls:
        first, _, rest = call.dotted.rpartition('.')
        if rest in PROCESSES and (
            rest in of_processes or first in ('multiprocessing', 'concurrent.futures')
        ):
            yield file.finding(
                'threads',
                PROBLEM if file.in_transaction else NOTICE,
                call.line,
                f'{rest} hands work to other processes',
                'nobody hears what they write: it is in no figures, in no transaction'
                ' and in no dry run, which they would write past',
                'migopy.update_each, which has threads of its own',
            )
        elif rest in THREADS and (rest in of_threads or first):
            yield from _of_threads(file, call, rest)


def _of_threads(file: CheckedFile, call: Call, kind: str) -> Iterator[Finding]:
    if file.in_transaction:
        yield file.finding(
            'threads',
            PROBLEM,
            call.line,
            f'{kind} hands work to threads, whose writes the transaction refuses',
            'the migration fails at their first write',
            'transaction = False, or the same without threads',
        )
    elif kind == 'Thread' or not _looks_at_results(file):
        yield file.finding(
            'threads',
            NOTICE,
            call.line,
            f'{kind} hands work to threads, and nobody asks how it ended',
            'an error in one is lost: the migration counts as executed all the same',
            'ThreadPoolExecutor and result() of each piece of work',
        )


def _looks_at_results(file: CheckedFile) -> bool:
    """Tell whether the file looks how the work that it hands to threads has ended."""
    calls = file.source.calls
    if any(each.method in LOOKING for each in calls):
        return True
    mapped = [each for each in calls if each.method in HANDING]
    return any(not each.is_statement and each.method != 'submit' for each in mapped)


def _imports(tree: ast.Module, *modules: str) -> set[str]:
    """List the names that a file takes from modules."""
    return {
        each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in modules
        for each in node.names
    }
