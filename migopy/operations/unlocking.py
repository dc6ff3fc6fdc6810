"""`unlock`: take a lock away, once a person has seen whose it is."""

from __future__ import annotations

from migopy.face import Asking
from migopy.site import Site
from migopy.state import Holder, Lock


def unlock(site: Site, force: bool, of_worker: bool, asking: Asking) -> Holder | None:
    """Take a lock away from whoever holds it, and give whom.

    A person is shown who holds it and asked; if nobody does, there is nothing to ask.
    Raises `StillRunning`, unless `force`.
    """
    lock = _meant(site, of_worker)
    with site.listener.own_work():
        may_rob = _agreed(lock, force, asking) if asking.will_ask else force
        robbed = lock.unlock(may_rob)
        if robbed is not None:
            site.history.note_robbed(robbed)
            site.history.end_transactions_of([robbed.owner])
        return robbed


def who_holds(site: Site, of_worker: bool) -> str:
    """Say who holds a lock, `''` if nobody does."""
    lock = _meant(site, of_worker)
    with site.listener.own_work():
        holder = lock.holder()
        return '' if holder is None else _described(lock, holder)


def _meant(site: Site, of_worker: bool) -> Lock:
    return site.lock.of_worker() if of_worker else site.lock


def _agreed(lock: Lock, force: bool, asking: Asking) -> bool:
    """Ask about the one who holds the lock; tell whether that one may be robbed.

    Whoever has taken the lock since then may not be.
    """
    holder = lock.to_unlock(force)
    if holder is None:
        return False
    asking.require(f'The lock is held by {_described(lock, holder)}.\nTake it away')
    now = lock.holder()
    return force and now is not None and now.owner == holder.owner


def _described(lock: Lock, holder: Holder) -> str:
    if holder.renewed is None:
        return f'{holder}; when it was renewed is not known'
    runs = ', so that command seems to be running' if lock.seems_alive(holder) else ''
    return f'{holder}; it was renewed {holder.renewed:.0f} s ago{runs}'
