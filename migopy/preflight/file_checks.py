"""All checks of a file, and the findings that its comments allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from migopy.files import Migration
from migopy.preflight.checked_file import CheckedFile
from migopy.preflight.file_clients import clients, endless_cursors, javascript, threads
from migopy.preflight.file_writes import (
    drops,
    empty_filters,
    empty_ups,
    local_times,
    loops,
    write_concerns,
)
from migopy.preflight.findings import NOTICE, Finding, in_order
from migopy.preflight.source import Source

CHECKS: tuple[Callable[[CheckedFile], Iterator[Finding]], ...] = (
    clients,
    drops,
    empty_filters,
    empty_ups,
    endless_cursors,
    javascript,
    local_times,
    loops,
    threads,
    write_concerns,
)

#: All names that a comment can allow.
NAMES = frozenset(
    """
    arrays capped cursor-timeout disk drop-and-build duplicates empty-filter empty-up
    expired fails geo index-build index-in-use large-write local-time member-behind
    member-down no-way-back not-read not-shown oplog own-client rights scan shard-key
    standalone text threads time-series transaction-limits validator watched where
    write-concern write-per-document
    """.split()  # noqa: SIM905
)


def source_of(migration: Migration, direction: str) -> Source | None:
    """Parse a file; `None` if it is no Python, or is nested too deeply."""
    try:
        return Source(migration, direction, migration.content())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def check(file: CheckedFile) -> list[Finding]:
    """Check a file for all that can be seen in it."""
    found = [each for find in CHECKS for each in find(file)]
    return in_order([*found, *_of_comments(file)])


def without_allowed(
    source: Source | None, findings: Iterable[Finding]
) -> list[Finding]:
    """Leave out the findings that comments of the file allow with a reason."""
    return [
        each
        for each in findings
        if source is None or not each.line or not source.allows(each.name, each.line)
    ]


def _of_comments(file: CheckedFile) -> Iterator[Finding]:
    """Find comments that allow nothing: they give no reason, or name no finding."""
    for line, each in file.source.allowed.items():
        if each.name not in NAMES:
            what = f'allow={each.name} names nothing that is looked for'
        elif not each.reason:
            what = f'allow={each.name} gives no reason, so it allows nothing'
        else:
            continue
        yield file.finding(
            'allow',
            NOTICE,
            line,
            what,
            '',
            'the name of the finding, then the reason: # migopy: allow=NAME why',
        )
