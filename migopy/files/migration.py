"""One migration file: its number and name, its content, its checksum."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from migopy.contents import content_of
from migopy.errors import MigopyException
from migopy.files.compiled import compiled, parsed
from migopy.files.metadata import REPEAT, UNREADABLE, Said, said_in, written_out

if TYPE_CHECKING:
    import ast

#: The folder beside the files for those that another file replaces.
ARCHIVE = 'archive'

#: How many files are read before they are looked at: one by one it took a tenth longer.
READ_TOGETHER = 32

#: What some editors put at the beginning of a file in UTF-8.
BYTE_ORDER_MARK = b'\xef\xbb\xbf'


class Unreadable(MigopyException):
    """A migration file could not be read; `name` is the migration's."""

    def __init__(self, name: str, path: str, cause: OSError) -> None:
        self.name = name
        super().__init__(
            f'{name} cannot be read: {cause.strerror}.\n'
            f'See to it that {path} can be, then type the command again.'
        )


#: What a plan has to know of each file: its checksum, and whether it is repeatable. A
#: tuple with names takes four times as long to make.
Glance = tuple[str, bool]


class Migration(NamedTuple):
    """A file of the migrations directory.

    Invariant: `name` is the file's name as it is compared and registered, `number` is
    what the pattern's `migr_nr` found in it, `file` is the name on the disk. To know
    them the file need not be read.
    """

    name: str
    number: int
    directory: str
    file: str = ''

    @property
    def path(self) -> str:
        """Give the file's absolute path."""
        return f'{self.directory}{os.sep}{self.file or self.name}'

    @property
    def stem(self) -> str:
        """Give the name without `.py`."""
        return self.name[: -len('.py')]

    def module_name(self, package: str) -> str:
        """Give the name under which the file is imported."""
        return f'{package}.{self.stem}'

    def content(self) -> bytes:
        """Read the file; raises `Unreadable`."""
        try:
            return content_of(self.path)
        except OSError as error:
            raise Unreadable(self.name, self.path, error) from error

    def defines(self, *functions: str) -> bool:
        """Tell whether the file has one of these functions, without importing it.

        A file that cannot be parsed is taken to have it. One without an `up` that
        replaces others has the functions that all of those have.
        """
        if self._defines(*functions):
            return True
        archived = [] if self._defines('up') else self.archived()
        return bool(archived) and all(each.defines(*functions) for each in archived)

    def archived(self) -> list[Migration]:
        """List the files that it replaces, in order, as they lie in the archive.

        Whether they are there is not looked at. Raises `Unreadable`.
        """
        archive = os.path.join(self.directory, ARCHIVE)
        names = self.said().replaces
        return [Migration(name, self.number, archive, name) for name in names]

    def _defines(self, *functions: str) -> bool:
        try:
            return names_one_of(self.content(), *functions)
        except Unreadable:
            return True

    def text_in(self, variable: str) -> str | None:
        """Give the text that the file sets a variable to, `None` if it does not."""
        value = self.value_in(variable)
        return value if isinstance(value, str) else None

    def value_in(self, variable: str) -> object:
        """Give what the file sets a variable to, without importing it.

        `None` where it sets none that is written out, or cannot be read or parsed.
        """
        import ast

        tree = self._tree()
        for node in tree.body if tree else ():
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            if any(getattr(target, 'id', '') == variable for target in targets):
                value = written_out(node)
                return None if value is UNREADABLE else value
        return None

    def syntax_error(self) -> SyntaxError | ValueError | None:
        """Give why the file is no Python, without importing it.

        `None` where it is, or cannot be read, or is too deep to tell.
        """
        from migopy.server import heard_warnings

        try:
            # Python warns on stderr of what is odd in it, and does so again later.
            with heard_warnings():
                compiled(self.content(), self.path)
        except (SyntaxError, ValueError) as error:
            return error
        except (Unreadable, RecursionError, MemoryError):
            return None
        return None

    def _tree(self) -> ast.Module | None:
        """Parse the file; `None` where it cannot be read or parsed."""
        try:
            return parsed(self.content())
        except Unreadable:
            return None

    def said(self) -> Said:
        """Read what the file says of itself; raises `Unreadable`."""
        return said_in(self.content())

    def is_repeatable(self) -> bool:
        """Tell whether the file says `repeat = True`; not if it cannot be read."""
        with suppress(Unreadable):
            return self.glance_at(self.content())[1]
        return False

    def glance_at(self, content: bytes) -> Glance:
        """Give what a plan has to know of the file, whose content this is."""
        # Few files have the word, and only those are worth parsing.
        is_repeatable = REPEAT in content and said_in(content).repeat
        return checksum_of(content), is_repeatable

    def checksum(self) -> str:
        """Read the file and give its checksum; raises `Unreadable`."""
        return checksum_of(self.content())


def names_one_of(content: bytes, *names: str) -> bool:
    """Tell whether a file's content has one of these names, without importing it.

    What cannot be parsed is taken to have it, and so is what imports all names.
    """
    import ast

    tree = parsed(content)
    if tree is None:
        return True
    # A definition has a `name`, an import may have an `asname`, a variable an `id`.
    return any(
        getattr(node, attribute, None) in (*names, '*')
        for node in ast.walk(tree)
        for attribute in ('name', 'asname', 'id')
    )


def glances(migrations: Sequence[Migration]) -> Iterator[tuple[Migration, Glance]]:
    """Read each file once and look at it; those that cannot be read are left out."""
    for start in range(0, len(migrations), READ_TOGETHER):
        together = migrations[start : start + READ_TOGETHER]
        try:
            contents = [each.content() for each in together]
        except Unreadable:
            yield from _readable(together)
            continue
        for each, content in zip(together, contents):
            yield each, each.glance_at(content)


def _readable(migrations: Sequence[Migration]) -> Iterator[tuple[Migration, Glance]]:
    """Read one file after the other; one that cannot be read is left out."""
    for each in migrations:
        with suppress(Unreadable):
            content = each.content()
            yield each, each.glance_at(content)


def checksum_of(content: bytes) -> str:
    """Hash a file's content: `sha256:` and 64 hexadecimal digits.

    Line ends and a byte order mark do not count, as a checkout on another system may
    change them.
    """
    if content.startswith(BYTE_ORDER_MARK):
        content = content[len(BYTE_ORDER_MARK) :]
    content = content.replace(b'\r\n', b'\n')
    return f'sha256:{sha256(content).hexdigest()}'
