"""A slot's child process: takes jobs on its standard input, reports on its output.

Everything that user code does happens here and nowhere else. Whatever it prints goes to
standard error; the pipe the agent reads is out of its reach. When the agent dies, by
whatever cause, the input closes and this process ends with all it started.
"""

from __future__ import annotations

import faulthandler
import signal
from typing import Protocol

from recipes.failpoint import failpoint
from worker.slot.channel import Channel
from worker.slot.messages import STACKS_SIGNAL, JobDone, LoadTask, Ready, StartJob

QUIET_SECONDS = 0.3
"""A process that got no job for so long has a moment to warm up."""


class Runner(Protocol):
    """Carries out jobs. Made once a process, so that it can keep a task's data."""

    device: str

    def warm_up(self) -> None:
        """Use the first quiet moment."""
        ...

    def load(self, load: LoadTask, channel: Channel) -> None:
        """Load a task for a later job."""
        ...

    def run(self, job: StartJob, channel: Channel) -> JobDone:
        """Carry out one job, reporting as it goes. User code's errors are its result."""
        ...


def serve(channel: Channel, runner: Runner) -> None:
    """Carry out jobs until the agent goes away."""
    channel.send(Ready(device=runner.device))
    is_warm = False
    while True:
        match channel.next_job(None if is_warm else QUIET_SECONDS):
            case None:
                runner.warm_up()
                is_warm = True
            case LoadTask() as load:
                runner.load(load, channel)
            case StartJob() as job:
                failpoint("slot.after_job")
                done = runner.run(job, channel)
                failpoint("slot.before_done")
                channel.send(done)


def main() -> None:
    """Run a slot process."""
    channel = Channel()  # before the slow imports: the agent may die during them
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the agent says when to stop
    faulthandler.enable()  # a segmentation fault leaves its Python stack in the tail
    faulthandler.register(STACKS_SIGNAL, all_threads=True)
    from worker.slot.jobs import JobRunner

    serve(channel, JobRunner())


if __name__ == "__main__":
    main()
