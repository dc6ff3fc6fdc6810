"""The command `migopy`, as `python -m migopy` too."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Carry out what was typed, and end this process."""
    # Nothing that is imported goes away, so the collector need not look for it.
    gc.disable()
    try:
        from migopy.face.cli import run
        from migopy.manager import MigrationsManager
        from migopy.signals import end_at_ctrl_c
    except KeyboardInterrupt:
        sys.stderr.write('Interrupted.\n')
        sys.exit(130)

    gc.enable()
    program = 'migopy'
    # Of migopy-core alone, `python -m migopy` runs the file migopy.py.
    if os.path.basename(sys.argv[0]) in ('__main__.py', 'migopy.py'):
        program = f'{os.path.basename(sys.executable)} -m migopy'
    status = run(MigrationsManager, sys.argv[1:], program)
    end_at_ctrl_c()
    sys.exit(status)


if __name__ == '__main__':
    main()
