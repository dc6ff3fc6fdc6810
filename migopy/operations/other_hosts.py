"""One typed command on several hosts, whose database may be one."""

from __future__ import annotations

from migopy.errand import ERRAND
from migopy.operations.orders import FailedBefore, Order
from migopy.run import Observer
from migopy.site import Site
from migopy.state import FAILED


def is_done(site: Site, order: Order, observer: Observer) -> bool:
    """Tell whether this typed command has been carried out here for another host.

    Fabric repeats a command for each host, and several may have one database. What
    takes all that is pending may be repeated; what names migrations, or counts them,
    would be done to others. Raises `FailedBefore`.
    """
    is_of_some = bool(order.asked.values or order.asked.options)
    return is_of_some and is_carried_out(site, observer)


def is_carried_out(site: Site, observer: Observer) -> bool:
    """Tell whether the history has what this typed command has done for another host.

    The observer is told. Raises `FailedBefore`.
    """
    errand = ERRAND.get()
    if errand is None:
        return False
    runs = site.history.of_command(errand.id)
    # Each time under the lock has an owner of its own.
    if len({run.owner for run in runs}) < errand.times:
        return False
    failed = [run for run in runs if run.outcome == FAILED]
    if failed:
        raise FailedBefore(failed[-1])
    observer.repeated(runs)
    return True
