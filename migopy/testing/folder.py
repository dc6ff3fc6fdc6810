"""The folder of the private server of a test run; it needs no import of migopy."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

#: How such folders are called, among the temporary files.
PREFIX = 'migopy-tests-of-'


def folder_of_run() -> Path:
    """Name the folder of a new run's server, which is not made yet."""
    return Path(tempfile.gettempdir(), f'{PREFIX}{uuid.uuid4().hex}')


def remove(folder: Path) -> None:
    """Remove a folder whose server nobody needs any more, if it was ever made."""
    shutil.rmtree(folder, ignore_errors=True)
