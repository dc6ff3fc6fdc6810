"""A text that stays in one place on the terminal, drawn anew as it changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from migopy.terminal.console import is_coloured, is_terminal

#: Terminals that cannot move the cursor.
WITHOUT_BOARD = ('dumb', 'unknown')


def is_for_board() -> bool:
    """Tell whether stdout is a terminal that can show one."""
    return is_terminal(sys.stdout) and os.environ.get('TERM') not in WITHOUT_BOARD


@contextmanager
def board() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a text in the place of the one before.

    The last one stays.
    """
    # rich takes a tenth of a second to import, which other commands need not pay.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(no_color=not is_coloured(sys.stdout))
    with Live(console=console, auto_refresh=False) as live:
        yield lambda text: live.update(Text(text), refresh=True)
