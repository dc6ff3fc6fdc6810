"""What a look before a run has found: a finding, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: How grave a finding is: a problem stops a run that asks for that, a notice does not.
PROBLEM, NOTICE = 'problem', 'notice'

#: Where it was found.
SERVER, FILE = 'server', 'file'


@dataclass(frozen=True)
class Finding:
    """Something about a migration to know before it runs.

    Invariant: it is data. `name` is what `# migopy: allow=` calls it, `seen` is
    `SERVER` or `FILE`. `what` is one line, without anything that people have stored;
    `cost` and `instead` are one line each, or empty. `figures` are the numbers in them,
    by name; seconds are estimates. `line` counts from 1; 0 is not known. `values` are
    what people have stored, each with how often it is there, if that is known. They are
    shown to whoever asked, and written to no log.
    """

    name: str
    severity: str
    seen: str
    migration: str
    path: str
    line: int
    what: str
    cost: str = ''
    instead: str = ''
    figures: Mapping[str, Any] = field(default_factory=dict)
    values: Sequence[tuple[Any, int | None]] = ()

    @property
    def is_problem(self) -> bool:
        """Tell whether it is one that stops a run."""
        return self.severity == PROBLEM

    def as_document(self) -> dict[str, Any]:
        """Give it as values that JSON has, without what people have stored."""
        return {
            'name': self.name,
            'severity': self.severity,
            'seen': self.seen,
            'migration': self.migration,
            'path': self.path,
            'line': self.line,
            'what': self.what,
            'cost': self.cost,
            'instead': self.instead,
            'figures': dict(self.figures),
        }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by migration and line; of equal findings on one line the first is kept.

    A loop may come to the same line many times.
    """
    kept: dict[Any, Finding] = {}
    for each in findings:
        kept.setdefault((each.migration, each.name, each.line, each.what), each)
    return sorted(kept.values(), key=lambda each: (each.migration, each.line))
