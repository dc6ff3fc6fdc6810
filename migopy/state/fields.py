"""Read single fields of documents, so that no value of others breaks a command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any, TypeVar

from migopy.texts import kept_line

Value = TypeVar('Value')


def line_or_unknown(document: Mapping[str, Any], field: str) -> str:
    """Read a text field as one line; give `?` where it holds anything else."""
    value = document.get(field)
    return kept_line(value) if isinstance(value, str) else '?'


def date_of(document: Mapping[str, Any], field: str) -> datetime | None:
    """Read a date field; give `None` where it holds anything else."""
    return value_of(document, field, datetime)


def number_of(document: Mapping[str, Any], field: str) -> float | None:
    """Read a finite number; give `None` where the field holds anything else."""
    value = document.get(field)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None


def line_of(document: Mapping[str, Any], field: str) -> str | None:
    """Read a text field as one line; give `None` where it holds anything else."""
    value = value_of(document, field, str)
    return None if value is None else kept_line(value)


def value_of(
    document: Mapping[str, Any], field: str, kind: type[Value]
) -> Value | None:
    """Read a field of one type; give `None` where it holds another."""
    value = document.get(field)
    return value if isinstance(value, kind) else None
