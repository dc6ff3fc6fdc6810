"""Tests: `test_units` need nothing; `test_integrations` need a MongoDB server."""

from __future__ import annotations

import pkgutil
import unittest
from types import ModuleType


def load_package(
    loader: unittest.TestLoader, package: ModuleType
) -> unittest.TestSuite:
    """Load the tests of all `test_*` modules in a package, in order of name."""
    names = sorted(
        f'{package.__name__}.{module.name}'
        for module in pkgutil.iter_modules(package.__path__)
        if module.name.startswith('test_')
    )
    return loader.loadTestsFromNames(names)
