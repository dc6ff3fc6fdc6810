"""Parse and compile what a file has at this moment, whatever bytecode there is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


def compiled(content: bytes, path: str) -> CodeType:
    """Compile a file's content.

    Its `assert` holds under `python -O` and `PYTHONOPTIMIZE` as well, as a `require` or
    a `verify` may look by it.
    """
    return compile(content, path, 'exec', dont_inherit=True, optimize=0)


def parsed(content: bytes) -> ast.Module | None:
    """Parse a file's content; `None` where that cannot be done."""
    # Few files need it: those that say something of themselves, or have gone wrong.
    import ast

    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class LoaderOfCode(SourceFileLoader):
    """A loader that takes the code it is given, not what the file has by then.

    Python takes bytecode of an earlier import for the file's if time and size agree. So
    an edited file might not run, though its checksum is recorded.
    """

    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        """Give the code."""
        return self.code


class LoaderOfHelper(SourceFileLoader):
    """A loader that compiles a helper's file, and neither reads nor writes bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file."""
        path = self.get_filename(fullname)
        return compiled(self.get_data(path), path)


class HelperFinder:
    """Finds modules of a package that was imported as the folder of migrations is."""

    @staticmethod
    def find_spec(
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Give where a helper is and what loads it, `None` of any other module."""
        package = sys.modules.get(fullname.rpartition('.')[0])
        loader = getattr(package, '__loader__', None)
        if not isinstance(loader, (LoaderOfCode, LoaderOfHelper)):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = LoaderOfHelper(spec.loader.name, spec.loader.path)
        return spec


def find_helpers() -> None:
    """Have Python ask `HelperFinder` first, from now on."""
    if HelperFinder not in sys.meta_path:
        sys.meta_path.insert(0, HelperFinder)
