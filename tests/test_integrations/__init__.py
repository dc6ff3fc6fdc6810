"""Tests that start processes or a server: `pytest tests/test_integrations`."""

import sys
import unittest

from tests import load_package


def load_tests(
    loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: object
) -> unittest.TestSuite:
    return load_package(loader, sys.modules[__name__])
