"""Where the project is: the folder beside whose fabfile relative paths lie."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import Counter
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
    return _program_on_the_stack()


def _program_on_the_stack() -> Any:
    """Give the program that runs in the main thread, whatever its script calls it."""
    module: Any = sys.modules.get('invoke.program')
    main = threading.main_thread().ident
    frame = sys._current_frames().get(main or 0) if module else None
    while frame is not None:
        if frame.f_code is module.Program.run.__code__:
            program = frame.f_locals['self']
            return program if getattr(program, 'core', None) else None
        frame = frame.f_back
    return None


class _FirstOnPath:
    """Folders that come first on `sys.path` while any thread wants them there.

    Invariant: what was put there is taken away only when nobody wants it any more. A
    thread that looks for a module at that moment would pass over the folder that moves
    to the place of the one before it, and not find what is there.
    """

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._wanted = Counter[str]()
        self._put = Counter[str]()

    def enter(self, folder: str) -> None:
        """Put a folder first, if another one is."""
        with self._turn:
            self._wanted[folder] += 1
            if sys.path[:1] != [folder]:
                sys.path.insert(0, folder)
                self._put[folder] += 1

    def leave(self, folder: str) -> None:
        """Hear that a thread does not want it there any more."""
        with self._turn:
            self._wanted[folder] -= 1
            if self._wanted[folder]:
                return
            del self._wanted[folder]
            for _ in range(self._put.pop(folder, 0)):
                with contextlib.suppress(ValueError):
                    sys.path.remove(folder)


#: There is one path.
_FIRST = _FirstOnPath()


@contextmanager
def first_on_path(folder: str) -> Iterator[None]:
    """Have a folder first on `sys.path` from the beginning of the block to its end."""
    _FIRST.enter(folder)
    try:
        yield
    finally:
        _FIRST.leave(folder)


@contextmanager
def cwd_in_syspath() -> Iterator[None]:
    """Put the working directory first on `sys.path` for a while (a name of 1.0)."""
    with first_on_path(os.getcwd()):
        yield
