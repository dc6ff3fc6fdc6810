"""`unlock`: take a lock away, once a person has seen whose it is."""

from __future__ import annotations

from migopy.face import Agreed, Asking
from migopy.site import Site
from migopy.state import Holder, Lock, to_unlock
from migopy.state import unlock as take_away


def unlock(site: Site, force: bool, of_worker: bool, asking: Asking) -> Holder | None:
    """Take a lock away from whoever holds it, and give whom.

    A person is shown who holds it and asked; if nobody does, there is nothing to ask.
    Whoever has taken it since then is not robbed. Raises `StillRunning`, unless
    `force`, and `TakenMeanwhile`.
    """
    lock = _meant(site, of_worker)
    with site.listener.own_work():
        agreed = asking.agreed
        if asking.will_ask:
            agreed = _agreed(lock, force, asking)
        robbed = take_away(lock, force, None if agreed is None else agreed.names)
        if robbed is not None:
            site.history.note_robbed(robbed)
            site.history.end_transactions_of([robbed.owner])
        return robbed


def who_holds(site: Site, of_worker: bool) -> tuple[str, str]:
    """Give the owner of a lock, and who that is; `''` if nobody holds it."""
    lock = _meant(site, of_worker)
    with site.listener.own_work():
        holder = lock.holder()
        return ('', '') if holder is None else (holder.owner, _described(lock, holder))


def _meant(site: Site, of_worker: bool) -> Lock:
    return site.lock.of_worker() if of_worker else site.lock


def _agreed(lock: Lock, force: bool, asking: Asking) -> Agreed:
    """Ask about the one who holds the lock; give whom that is about."""
    holder = to_unlock(lock, force)
    if holder is None:
        return Agreed(())
    asking.require(f'The lock is held by {_described(lock, holder)}.\nTake it away')
    return Agreed([holder.owner])


def _described(lock: Lock, holder: Holder) -> str:
    if holder.renewed is None:
        return f'{holder}; when it was renewed is not known'
    runs = ', so that command seems to be running' if lock.seems_alive(holder) else ''
    return f'{holder}; it was renewed {holder.renewed:.0f} s ago{runs}'
