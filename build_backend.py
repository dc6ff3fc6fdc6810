"""Builds the distribution migopy, by setuptools.

In a wheel it is one file, and requires migopy-core, which `core/` builds. An editable
install has all of the tree instead: who works on migopy needs one command.
"""

from __future__ import annotations

import os

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    'build_editable',
    'build_sdist',
    'build_wheel',
    'get_requires_for_build_editable',
    'get_requires_for_build_sdist',
    'get_requires_for_build_wheel',
    'is_whole',
    'prepare_metadata_for_build_editable',
    'prepare_metadata_for_build_wheel',
]

#: Tells setup.py, which setuptools runs, that all of the tree is wanted. Each hook has
#: a process of its own.
WHOLE = 'MIGOPY_BUILD_WHOLE'


def is_whole():
    """Tell whether all of the tree is wanted."""
    return WHOLE in os.environ


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the wheel of an editable install."""
    os.environ[WHOLE] = '1'
    return build_meta.build_editable(
        wheel_directory, config_settings, metadata_directory
    )


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    """Write what an editable install requires."""
    os.environ[WHOLE] = '1'
    return build_meta.prepare_metadata_for_build_editable(
        metadata_directory, config_settings
    )
