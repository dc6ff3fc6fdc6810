"""Run MongoDB migrations: the package where the distribution migopy is not.

Python takes `migopy/__init__.py` for the package if it is there, else this file.
"""

import os
from typing import TYPE_CHECKING

__path__ = [os.path.join(os.path.dirname(os.path.abspath(__file__)), 'migopy')]

if TYPE_CHECKING:
    from migopy.public import *  # noqa: F403 - each is loaded when it is asked for

# They are found by that path.
from migopy.public import __all__ as __all__
from migopy.public import __dir__ as __dir__
from migopy.public import __getattr__ as __getattr__
from migopy.public import __version__ as __version__

if __name__ == '__main__':
    # `python -m migopy` runs this file where it is the package.
    from migopy.__main__ import main

    main()
