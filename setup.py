"""The distribution migopy: Fabric 1 and migopy-core; where it is edited, all of it."""

import ast
from pathlib import Path

from setuptools import find_packages, setup

from build_backend import is_whole

FABRIC_1 = [
    "fabric3; python_version < '3.10'",
    "fab-classic>=1.21; python_version >= '3.10'",
]

#: What migopy-core requires, its command, and its plugin of pytest;
#: `core/pyproject.toml` has the same.
CORE = ['pymongo>=4.17,<5', 'rich>=13']
SCRIPTS = ['migopy = migopy.__main__:main']
PLUGINS = ['migopy = migopy.testing.plugin']

HERE = Path(__file__).parent


def version():
    """Read the version, which is migopy-core's as well."""
    tree = ast.parse((HERE / 'migopy/version.py').read_text(encoding='utf-8'))
    [value] = [each.value for each in tree.body if isinstance(each, ast.Assign)]
    return ast.literal_eval(value)


if is_whole():
    setup(
        packages=find_packages(include=['migopy', 'migopy.*']),
        install_requires=[*CORE, *FABRIC_1],
        entry_points={'console_scripts': SCRIPTS, 'pytest11': PLUGINS},
    )
else:
    setup(
        packages=[],
        py_modules=['migopy.__init__'],
        package_data={'migopy': []},
        # Of a folder that another build may have left its files in, all would be taken.
        options={'build': {'build_base': 'build/migopy'}},
        install_requires=[f'migopy-core=={version()}', *FABRIC_1],
    )
