"""The logger that lines leave by, given nothing that could steer a terminal."""

from __future__ import annotations

from typing import Any

from migopy.texts import fit, text_of


class Voice:
    """A manager's logger for what migopy says.

    Invariant: what the logger gets has no control characters but line ends and tabs,
    whatever a database or a migration has put into it.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def white(self, message: object) -> None:
        """Say something."""
        self._logger.white(fit(text_of(message)))

    def white_bold(self, message: object) -> None:
        """Say something of weight."""
        self._logger.white_bold(fit(text_of(message)))

    def red(self, message: object) -> None:
        """Say an error, or a migration that has not run."""
        self._logger.red(fit(text_of(message)))

    def green(self, message: object) -> None:
        """Say that all is well."""
        self._logger.green(fit(text_of(message)))
