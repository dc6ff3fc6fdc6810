"""Run MongoDB migrations from a fabfile, or from a shell.

In a wheel this file alone is the distribution migopy's, as it is that of 1.0; all else
is migopy-core's. So an update of 1.0 leaves none of it missing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migopy.public import *  # noqa: F403 - each is loaded when it is asked for

try:
    from migopy.public import __all__ as __all__
    from migopy.public import __dir__ as __dir__
    from migopy.public import __getattr__ as __getattr__
    from migopy.public import __version__ as __version__
except ModuleNotFoundError as error:
    if error.name != 'migopy.public':
        raise
    from importlib.metadata import version

    raise ImportError(
        'migopy is installed, but not migopy-core, which it is made of.\n'
        f'Type: pip install migopy-core=={version("migopy")}'
    ) from error
