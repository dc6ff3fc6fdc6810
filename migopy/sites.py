"""The site of a manager, made from its attributes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from migopy.defaults import Defaults
from migopy.files import Functions
from migopy.site import Site
from migopy.site_settings import settings_of


def site_of(
    manager: Defaults,
    notify: Callable[[str], None],
    functions: Callable[[ModuleType], Functions],
) -> Site:
    """Make the site of a manager's settings.

    `notify` takes what a person should know of calls that PyMongo dropped; `functions`
    gives those of a migration's module.
    """
    # Not bound, where a fabfile puts a plain function there.
    of_class: Any = type(manager)
    make_client = vars(manager).get('MongoClient') or of_class.MongoClient
    return Site(settings_of(manager), make_client, notify, functions)
