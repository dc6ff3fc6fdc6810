"""The folder of migrations as it was at one moment, shared by many databases."""

from __future__ import annotations

from migopy.files.directory import Directory
from migopy.files.metadata import Said
from migopy.files.migration import Glance, Migration
from migopy.lazy import lazy


class KeptMigration(Migration):
    """A migration whose file is read once.

    Invariant: everybody gets the same content, even if the file changes meanwhile.
    """

    @lazy
    def _content(self) -> bytes:
        return super().content()

    @lazy
    def _said(self) -> Said:
        return super().said()

    @lazy
    def _glance(self) -> Glance:
        return super().glance_at(self._content)

    @lazy
    def _syntax_error(self) -> SyntaxError | ValueError | None:
        return super().syntax_error()

    def syntax_error(self) -> SyntaxError | ValueError | None:
        """Give why the file is no Python, as it was the first time."""
        return self._syntax_error

    def glance_at(self, content: bytes) -> Glance:
        """Look at the file's content, the first time, for what a plan has to know."""
        return self._glance

    def said(self) -> Said:
        """Read what the file says of itself, the first time; raises `Unreadable`."""
        return self._said

    def content(self) -> bytes:
        """Read the file, the first time; raises `Unreadable`."""
        return self._content

    def checksum(self) -> str:
        """Read the file, the first time, and give its checksum; raises `Unreadable`."""
        return self._glance[0]


class KeptDirectory(Directory):
    """A folder that is listed once, and whose files are read and imported once.

    Invariant: all users of it get the same migrations, even if files change meanwhile.
    `loaded` has each migration that was imported.
    """

    def __init__(self, directory: Directory) -> None:
        """List a folder; raises `NoDirectory`, `BadFileNames`."""
        super().__init__(
            directory.base,
            directory.path,
            directory.file_names,
            directory.functions_of,
        )
        self.package = directory.package
        self.loaded = {}
        self._kept = [KeptMigration(*each) for each in directory.migrations()]

    def migrations(self) -> list[Migration]:
        """List the migrations in order."""
        return list(self._kept)
