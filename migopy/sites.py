"""The site of a manager, made from its attributes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from migopy.cluster import Cluster, client_maker
from migopy.defaults import Defaults
from migopy.files import Functions
from migopy.site import Site
from migopy.site_settings import settings_of


def site_of(
    manager: Defaults,
    notify: Callable[[str], None],
    functions: Callable[[ModuleType], Functions],
    is_of_many: bool,
) -> Site:
    """Make the site of a manager's settings.

    `notify` takes what a person should know about what PyMongo ignores; `functions`
    gives the functions of a migration's module. `is_of_many` is whether the manager has
    many databases, and this site stands for none of them.
    """
    settings = settings_of(manager)
    cluster = Cluster(settings.server, settings.base, client_maker(manager), notify)
    return Site(settings, cluster, notify, functions, is_of_many=is_of_many)
