"""The commands that see and steer what runs in another terminal."""

from __future__ import annotations

from migopy.face import is_yes, read_speed, task
from migopy.wiring import Wiring


class Steering(Wiring):
    """The part of the table of commands that is about a command which runs elsewhere.

    Invariant: none of these takes the lock or touches data; what they ask of another
    command ends with that.
    """

    @task
    def watch(self, *, worker: str | bool = 'no') -> None:
        """Show what runs at this moment, from any machine, until it has ended.

        How far it is, how fast, why it waits, how busy the server is. Ctrl-C ends the
        watching; what is watched goes on. With worker=yes it shows what `work` runs,
        even while another command runs, too.
        """
        from migopy.operations import watching

        of_worker = is_yes(worker, 'watch', 'worker')
        watching.watch(self._site, self._report.viewer(), of_worker)

    @task
    def pause(self, *, worker: str | bool = 'no') -> None:
        """Have the migration that runs wait after its batch, until resume is typed."""
        from migopy.operations import steering

        of_worker = is_yes(worker, 'pause', 'worker')
        self._report.steered(steering.pause(self._site, of_worker))

    @task
    def resume(self, *, worker: str | bool = 'no') -> None:
        """Have the migration that was paused go on."""
        from migopy.operations import steering

        of_worker = is_yes(worker, 'resume', 'worker')
        self._report.steered(steering.resume(self._site, of_worker))

    @task
    def speed(self, *, max_per_second: str | float, worker: str | bool = 'no') -> None:
        """Set how many documents a second the migration that runs may write.

        Example: speed,max_per_second=500
        max_per_second=none takes the limit away.
        """
        from migopy.operations import steering

        wanted = read_speed(max_per_second)
        of_worker = is_yes(worker, 'speed', 'worker')
        self._report.steered(steering.speed(self._site, of_worker, wanted))

    @task
    def stop(self, *, worker: str | bool = 'no') -> None:
        """Have the migration that runs end after its batch, to go on another time.

        Its command ends with exit status 4.
        """
        from migopy.operations import steering

        of_worker = is_yes(worker, 'stop', 'worker')
        self._report.steered(steering.stop(self._site, of_worker))
