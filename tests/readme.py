"""The README as a document: its named blocks and its table of settings."""

from __future__ import annotations

import io
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).resolve().parent.parent


def parsed(name: str) -> tuple[nodes.document, str]:
    """Parse a file of the project; give it and all that docutils had to say of it."""
    said = io.StringIO()
    document = publish_doctree(
        (ROOT / name).read_text(encoding='utf-8'),
        source_path=name,
        settings_overrides={
            'report_level': 1,
            'halt_level': 5,
            'warning_stream': said,
        },
    )
    return document, said.getvalue()


def block(name: str) -> str:
    """Give the text of the README's code block of that name."""
    return dict(_blocks(parsed('README.rst')[0]))[name]


def python_blocks() -> list[str]:
    """List the texts of the README's Python blocks."""
    document, _ = parsed('README.rst')
    found = document.findall(nodes.literal_block)
    return [each.astext() for each in found if 'python' in each['classes']]


def settings_table() -> dict[str, str]:
    """Give the README's table of settings: the attribute, and its default as typed."""
    document, _ = parsed('README.rst')
    table = next(
        each
        for each in document.findall(nodes.table)
        if 'settings-table' in each['names']
    )
    rows = [
        [entry.astext() for entry in row.findall(nodes.entry)]
        for body in table.findall(nodes.tbody)
        for row in body.findall(nodes.row)
    ]
    return {attribute: default for attribute, default, _ in rows}


def _blocks(document: nodes.document) -> list[tuple[str, str]]:
    return [
        (name, each.astext())
        for each in document.findall(nodes.literal_block)
        for name in each['names']
    ]
