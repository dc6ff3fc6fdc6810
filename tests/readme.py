"""README.rst and the pages of docs/ as documents: their code blocks and tables."""

from __future__ import annotations

import functools
import io
import textwrap
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.directives.body import CodeBlock

ROOT = Path(__file__).resolve().parent.parent

#: All pages whose code blocks are tested, as paths from `ROOT`.
PAGES = ['README.rst', *sorted(f'docs/{each.name}' for each in ROOT.glob('docs/*.rst'))]


@dataclass(frozen=True)
class Block:
    """A code block; `caption` is the path of the file that it shows, if it does."""

    page: str
    name: str
    language: str
    caption: str
    text: str


class _CodeBlock(CodeBlock):
    """Sphinx's `code-block`, as far as the pages use it."""

    option_spec = {**CodeBlock.option_spec, 'caption': directives.unchanged}

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = super().run()
        for each in found:
            if isinstance(each, nodes.literal_block):
                each['caption'] = self.options.get('caption', '')
        return found


class _TableOfContents(Directive):
    """Sphinx's `toctree`, of which Sphinx itself checks what is in it."""

    has_content = True
    option_spec = {'maxdepth': int, 'hidden': directives.flag}

    def run(self) -> list[nodes.Node]:
        return []


directives.register_directive('code-block', _CodeBlock)
directives.register_directive('toctree', _TableOfContents)
for role in ('doc', 'ref'):
    roles.register_generic_role(role, nodes.inline)


@functools.cache
def parsed(name: str) -> tuple[nodes.document, str]:
    """Parse a file of the project; give it and all that docutils had to say of it."""
    said = io.StringIO()
    document = publish_doctree(
        (ROOT / name).read_text(encoding='utf-8'),
        source_path=name,
        settings_overrides={
            'report_level': 2,
            'halt_level': 5,
            'warning_stream': said,
        },
    )
    return document, said.getvalue()


@functools.cache
def blocks(page: str) -> list[Block]:
    """List the literal blocks of a page, those without a language among them."""
    return [
        Block(
            page=page,
            name=''.join(each['names'][:1]),
            language=''.join(each['classes'][1:2]),
            caption=each.get('caption', ''),
            text=each.astext(),
        )
        for each in parsed(page)[0].findall(nodes.literal_block)
    ]


def all_blocks() -> list[Block]:
    """List the literal blocks of all pages."""
    return [block for page in PAGES for block in blocks(page)]


def block(name: str) -> str:
    """Give the text of the code block of that name, on whatever page it stands."""
    [found] = [each for each in all_blocks() if each.name == name]
    return found.text


def rows(page: str, name: str) -> list[list[str]]:
    """Give the rows of a page's table of that name, as the texts of their cells."""
    [table] = [
        each for each in parsed(page)[0].findall(nodes.table) if name in each['names']
    ]
    return [
        [entry.astext() for entry in row.findall(nodes.entry)]
        for body in table.findall(nodes.tbody)
        for row in body.findall(nodes.row)
    ]


def settings_table() -> dict[str, str]:
    """Give the table of settings: the attribute, and its default as typed."""
    table = rows('docs/settings.rst', 'settings-table')
    return {attribute: default for attribute, default, _ in table}


def source(page: str) -> str:
    """Give the text of a page."""
    return (ROOT / page).read_text(encoding='utf-8')


def rewrite(block: Block, text: str) -> None:
    """Put another text in the place of a named code block's."""
    page = source(block.page)
    head, name, tail = page.partition(f':name: {block.name}\n')
    before, after = (indented(each, tail) for each in (block.text, text))
    if not block.name or before not in tail:
        raise ValueError(f'{block.page} has no such block: {block.name}')
    page = head + name + tail.replace(before, after, 1)
    (ROOT / block.page).write_text(page, encoding='utf-8')


def indented(text: str, options: str) -> str:
    """Indent a block's text as far as its first line after its options is."""
    lines = [line for line in options.splitlines() if line.strip()]
    indent = next(
        line[: len(line) - len(line.lstrip())]
        for line in lines
        if not line.lstrip().startswith(':')
    )
    return textwrap.indent(text, indent)
