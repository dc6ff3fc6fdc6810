"""One typed command on several hosts that may share a database."""

from __future__ import annotations

from migopy.commands import Command
from migopy.errand import ERRAND
from migopy.errors import MigopyException
from migopy.operations.orders import Order
from migopy.run import Observer
from migopy.site import Site
from migopy.state import FAILED, Run


class FailedBefore(MigopyException):
    """The same typed command has failed for another host; `run` is what failed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(
            f'{run.name}: its {run.direction} has failed already by this command, for'
            f' another host ({run.agent}): {run.error}\nNothing was done again. See: ',
            Command(),
        )


def is_done(site: Site, order: Order, observer: Observer) -> bool:
    """Tell whether this typed command has been carried out here for another host.

    Fabric repeats a command for each host, and several hosts may share a database. A
    command for all that is pending may be repeated; one that names or counts migrations
    would do it to further ones. Raises `FailedBefore`.
    """
    is_of_some = bool(order.asked.values or order.asked.options)
    return is_of_some and is_carried_out(site, observer)


def is_carried_out(site: Site, observer: Observer) -> bool:
    """Tell by the history whether this typed command was done for another host.

    The observer is told. Raises `FailedBefore`.
    """
    errand = ERRAND.get()
    if errand is None:
        return False
    runs = site.history.of_command(errand.id)
    # Each time that the lock is taken there is a new owner.
    if len({run.owner for run in runs}) < errand.times:
        return False
    failed = [run for run in runs if run.outcome == FAILED]
    if failed:
        raise FailedBefore(failed[-1])
    observer.repeated(runs)
    return True
