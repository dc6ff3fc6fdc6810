"""Where the project is: the folder beside whose fabfile relative paths lie."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: What the files are called that have a manager, without their ending; of two in one
#: folder the first.
FILES = ('migopyfile', 'fabfile')


def project_directory(manager_class: type) -> str:
    """Find the folder beside whose fabfile relative paths lie.

    That is the fabfile which `fab` runs, or `tasks.py` which `inv` does, else the
    module `fabfile` or `migopyfile` in which the class was written, else the working
    directory, as in 1.0.
    """
    # Looked up, not imported: without Fabric there is no fabfile that it runs.
    state = sys.modules.get('fabric.state')
    running: str | None = state.env.get('real_fabfile') if state else None
    if running:
        return os.path.dirname(os.path.abspath(running))
    collection = getattr(invoke_program(), 'collection', None)
    loaded_from: str | None = getattr(collection, 'loaded_from', None)
    if loaded_from:
        return os.path.abspath(loaded_from)
    for cls in manager_class.__mro__:
        module = cls.__module__.split('.')[0]
        if module in FILES:
            file: str | None = getattr(sys.modules.get(module), '__file__', None)
            if file:
                folder = os.path.dirname(os.path.abspath(file))
                is_package = os.path.basename(file) == '__init__.py'
                return os.path.dirname(folder) if is_package else folder
    return os.getcwd()


def invoke_program() -> Any:
    """Give the `invoke.Program` that runs, of Invoke or Fabric 2 or 3, or `None`."""
    # Looked up, not imported, as above. A script that starts one has it by this name.
    for module in ('__main__', 'fabric.main', 'invoke.main'):
        program = getattr(sys.modules.get(module), 'program', None)
        if getattr(program, 'core', None):
            return program
    return None


@contextmanager
def cwd_in_syspath() -> Iterator[None]:
    """Put the working directory first on `sys.path` for a while (a name of 1.0)."""
    directory = os.getcwd()
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(directory)
