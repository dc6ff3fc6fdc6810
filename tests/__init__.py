"""Tests: `test_units` need nothing; `test_integrations` start servers and processes."""

from __future__ import annotations

import pkgutil
import signal
import unittest
from types import ModuleType

from migopy.effects import listen

# Before any client is made: a failure tells of clients that are not heard.
listen()

# A shell's background jobs and nohup ignore these, and so would all that is started
# here to be interrupted.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


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
