"""A terminal that keeps what is drawn on it."""

from __future__ import annotations

import io
import re


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and keeps all that was drawn."""

    def isatty(self) -> bool:
        return True

    @property
    def last_lines(self) -> list[str]:
        """List what stays to be read in the end, bars without their dashes."""
        screen = ['']
        row = 0
        for part in re.findall(
            '\033\\[[0-9;?]*[A-Za-z]|\r|\n|[^\r\n\033]+', self.getvalue()
        ):
            if up := re.fullmatch('\033\\[([0-9]*)A', part):
                row -= int(up[1] or 1)
            elif part == '\n':
                row += 1
                screen += [''] * (row + 1 - len(screen))
            elif part == '\033[2K':
                screen[row] = ''
            elif part[0] not in '\r\033':
                screen[row] += part
        stripped = [each.strip('━╸╺ ') for each in screen]
        return [each for each in stripped if each]
