"""Leave migopy/__init__.py to the distribution migopy, which 1.0 has left it to.

An update of 1.0 removes that file after all that migopy needs has been installed: it
must be migopy's own then. Without it, `migopy.py` is what is imported.
"""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class WithoutInit(build_py):
    """Builds the package without its first file."""

    def find_package_modules(self, package, package_dir):
        """List the modules of a package, as (package, name, path)."""
        found = super().find_package_modules(package, package_dir)
        return [each for each in found if each[:2] != ('migopy', '__init__')]


setup(cmdclass={'build_py': WithoutInit})
