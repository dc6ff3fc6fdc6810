"""End what a failed step has left running on the server, before the lock is free."""

from __future__ import annotations

from collections.abc import Iterator

from migopy.effects import Recording
from migopy.run.observer import Observer
from migopy.run.site import Site
from migopy.run.step import Step
from migopy.server import end_builds, end_sessions, how_to_end


def end_on_server(
    site: Site, step: Step, effects: Recording, observer: Observer
) -> None:
    """End what a failed step still has running; warn of what cannot be ended."""
    with site.listener.own_work():
        for said in still_running(site, effects):
            observer.warned(f'{step.name}: {said}')


def still_running(site: Site, effects: Recording) -> Iterator[str]:
    """End what a step has running, and say how to end what goes on all the same.

    MongoDB goes on with a long write whose client was interrupted or timed out, and
    with an index build whose command has ended.
    """
    unended = effects.unended()
    # The step may have all connections of its own client.
    client = site.cluster.spare
    if not end_sessions(client, unended.sessions):
        yield (
            "what it has begun may still run on the server. In MongoDB's shell an"
            f' administrator ends it with: {how_to_end(unended.sessions)}'
        )
    for build in end_builds(client, unended.builds):
        yield (
            f'an index build goes on on the server: {build}. Unless another client'
            " builds it, too, this ends it in MongoDB's shell, and drops the index if"
            f' it is made by then: {build.how_to_end}'
        )
