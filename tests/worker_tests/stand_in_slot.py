"""A slot process without torch: real pipes and a real process, made-up training.

The task's path says what happens; see ``StandIn.run``.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from recipes.curve import CurveBlock
from recipes.outcome import MemberOutcome
from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptError
from worker.slot.channel import Channel, ChannelReporter
from worker.slot.messages import STACKS_SIGNAL, JobDone, LoadTask, StartJob, TaskLoaded
from worker.slot.process import serve
from worker.slot.signature import signature

COMMAND = (sys.executable, "-P", __file__)


def outcome(trial: int) -> MemberOutcome:
    return MemberOutcome(
        trial=trial,
        state=TrialState.COMPLETE,
        cause=TrialCause.FINISHED,
        iterations=1,
        seconds=0.0,
    )


def channel_descriptor(channel: Channel) -> int:
    """Where the channel's messages go, for words that are none."""
    return channel._messages.fileno()


class StandIn:
    device = "none"

    def __init__(self) -> None:
        self.num_jobs = 0

    def warm_up(self) -> None:
        """Nothing to load."""

    def load(self, load: LoadTask, channel: Channel) -> None:
        """Count from ten on: what comes after shows that this was before."""
        self.num_jobs = 10

    def run(self, job: StartJob, channel: Channel) -> JobDone:
        if job.job.run is None:
            return JobDone(result="succeeded")
        self.num_jobs += 1
        path, _, rest = job.job.task.path.partition(":")
        reporter = ChannelReporter(channel, job.directory)
        trials = [member.trial for member in job.job.run.members]
        if path.startswith("/"):
            channel.send(TaskLoaded(files={path: signature(path)}))
        match rest:
            case "exit":
                print("last words", flush=True)
                os._exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "deaf":
                time.sleep(60)
            case "raise":
                error = AttemptError(kind="error", message="boom", traceback="line 1")
                return JobDone(result="failed", error=error)
            case "orphan":
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                time.sleep(60)
            case "resume":
                for point in job.resume:
                    content = Path(point.path).read_bytes()
                    reporter.checkpoint(point.trial, point.epoch + 1, 2, content + b"+")
            case "pause":
                for trial in trials:
                    reporter.checkpoint(trial, 3, 30, b"state")
                    reporter.snapshot(trial, 2, 20, b"best")
                    reporter.outcome(outcome(trial))
                return JobDone(result="succeeded")
            case "use":
                for file in job.snapshots:
                    reporter.snapshot(file.trial, 1, 1, Path(file.path).read_bytes() + b"+")
            case "stranger":
                os.write(channel_descriptor(channel), b'{"type": "of a later version"}\n')
                time.sleep(60)
        print('{"type": "done", "result": "failed"}')  # user code's prints are no messages
        iterations = job.job.run.iterations or 0
        for trial in trials:
            for iteration in range(iterations):
                if channel.stopping():
                    return JobDone(result="stopped")
                if channel.dropped(trial):
                    break
                reporter.points(
                    CurveBlock(
                        trial=trial,
                        metric="loss",
                        split="train",
                        iterations=(iteration,),
                        values=(float(self.num_jobs),),
                    )
                )
                if rest == "slow":
                    time.sleep(0.01)
            reporter.outcome(outcome(trial))
        return JobDone(result="succeeded")


if __name__ == "__main__":
    faulthandler.register(STACKS_SIGNAL, all_threads=True)
    serve(Channel(), StandIn())
