"""Members trained together on a GPU, against one by one and against processes that share it.

    python -m benchmarks.fused_gpu [--seconds 3] [--numbers 1 8 32 128] [--compiled 32]

Prints member-iterations a second of an MLP, a small ConvNet and a small residual net, in
float32 and under bf16 autocast: one by one (torch's fused AdamW), in 4 processes at the same
time, and K together; each the median of three runs of some seconds. Together also as a CUDA
graph of one iteration, and for one K with its forward compiled: the trainer does neither, and
this says whether it should. Under eight minutes.
Random data of CIFAR-10's shape, batch 128; metrics and internals are off on all sides.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Task
from recipes.run import MemberSpec, RunSpec
from worker.data.data import TaskData, load_data
from worker.fused.team import Team
from worker.training.member import Member, make_member

BATCH = 128
REPEATS = 3
PROCESSES = 4
WARM_UP = 5


class Block(nn.Module):
    """Two convolutions with batch norm around which the input goes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(inner)))


def mlp() -> nn.Module:
    """3072-256-256-10."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(3072, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)),
    )


def convnet() -> nn.Module:
    """Three convolutions of 16, 32 and 64 channels."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(64, 10)),
    )


def residual() -> nn.Module:
    """A stem and three residual blocks of 32 channels."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(Block(32), nn.MaxPool2d(2), Block(32), nn.MaxPool2d(2), Block(32)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )


MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "convnet": convnet,
    "residual": residual,
}


class Images(Task):
    """Random images of CIFAR-10's shape."""

    num_classes = 10

    def __init__(self, model: str) -> None:
        self._made = MODELS[model]

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        """4,096 of them in each split."""
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.randint(10, (4_096,), generator=generator)
        return torch.randn(4_096, 3, 32, 32, generator=generator), labels

    def model(self, params: Any) -> nn.Module:
        """The one asked for."""
        return self._made()


def members_of(task: Task, data: TaskData, number: int) -> list[Member]:
    """Members that differ in their rate and weights."""
    specs = tuple(
        MemberSpec(
            trial=k,
            params={"optimizer": "adamw", "lr": 1e-3 * (1 + k / number), "batch_size": BATCH},
            seed=k,
            data_seed=0,
        )
        for k in range(number)
    )
    run = RunSpec(members=specs, iterations=1_000_000, evaluate=())
    return [make_member(task, data, run, spec) for spec in specs]


def alone(member: Member, batches: list[tuple[Tensor, Tensor]], bf16: bool) -> Callable[[], None]:
    """One pass over the batches of one member."""

    def run() -> None:
        member.model.train()
        for inputs, target in batches:
            with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
                loss = member.loss(member.model(inputs), target)
            member.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            member.optimizer.step()

    return run


def together(
    task: Task,
    members: list[Member],
    batches: list[tuple[Tensor, Tensor]],
    bf16: bool,
    *,
    is_compiled: bool = False,
) -> Callable[[], None]:
    """One pass of all members."""
    # What is mapped is one trace; the layers written for members are many small ones.
    team = Team.of(task, members, is_mapped=is_compiled)
    team.masks.seed([0] * len(members), epoch=0)
    forward = torch.compile(team.forward.train) if is_compiled else team.forward.train

    def run() -> None:
        for inputs, target in batches:
            with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
                losses, _ = forward(inputs, target, is_shared=True)
            team.backward(losses)
            team.step([1.0] * len(members))

    return run


def as_graph(run: Callable[[], None]) -> Callable[[], None]:
    """The same iterations, recorded once as a CUDA graph. Raises where that cannot be."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def rate(run: Callable[[], None], per_run: int, seconds: float) -> float:
    """Member-iterations a second: the median of a few measurements."""
    for _ in range(WARM_UP):
        run()
    found = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < seconds / REPEATS:
            run()
            torch.cuda.synchronize()
            count += 1
        found.append(count * per_run / (time.perf_counter() - started))
    return statistics.median(found)


def _prepared(model: str) -> tuple[Task, TaskData, list[tuple[Tensor, Tensor]]]:
    task = Images(model)
    data = load_data(task, torch.device("cuda"))
    rows = torch.arange(4_096, device="cuda").split(BATCH)
    return task, data, [data["train"].batch(each) for each in rows[:8]]


def _shares_the_gpu(model: str, bf16: bool, seconds: float, barrier: Any, told: Any) -> None:
    task, data, batches = _prepared(model)
    run = alone(members_of(task, data, 1)[0], batches, bf16)
    run()
    barrier.wait()
    told.put(rate(run, len(batches), seconds))


def in_processes(model: str, bf16: bool, seconds: float) -> float:
    """Member-iterations a second of PROCESSES processes that share the GPU, all together."""
    context = mp.get_context("spawn")
    barrier, told = context.Barrier(PROCESSES), context.Queue()
    arguments = (model, bf16, seconds, barrier, told)
    processes = [context.Process(target=_shares_the_gpu, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    total = sum(told.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--numbers", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--compiled", type=int, default=32, help="K to compile for; 0: none")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here: nothing was measured")
        return 1
    print(torch.cuda.get_device_name(), torch.__version__)
    for model in MODELS:
        for bf16 in (False, True):
            task, data, batches = _prepared(model)
            by_one = rate(
                alone(members_of(task, data, 1)[0], batches, bf16), len(batches), arguments.seconds
            )
            shared = in_processes(model, bf16, arguments.seconds)
            kind = "bf16" if bf16 else "float32"
            print(
                f"{model:9} {kind:8} one by one {by_one:8.0f}/s"
                f"  {PROCESSES} processes {shared / by_one:5.2f}x",
                flush=True,
            )
            for number in arguments.numbers:
                torch.cuda.reset_peak_memory_stats()
                members = members_of(task, data, number)
                per_run = len(batches) * number
                run = together(task, members, batches, bf16)
                found = rate(run, per_run, arguments.seconds)
                memory = torch.cuda.max_memory_allocated() / 2**30
                print(
                    f"{'':18} {number:4} together {found / by_one:6.2f}x"
                    f"  ({found / shared:.2f}x of the processes; peak {memory:.1f} GiB)",
                    flush=True,
                )
                others = {"as a CUDA graph": partial(as_graph, run)}
                if number == arguments.compiled:
                    of_all = partial(together, task, members, batches, bf16)
                    others["compiled"] = partial(of_all, is_compiled=True)
                for name, make in others.items():
                    try:
                        found = rate(make(), per_run, arguments.seconds)
                        print(f"{'':23} {name} {found / by_one:6.2f}x", flush=True)
                    except Exception as error:
                        reason = str(error).splitlines()[0]
                        print(f"{'':23} {name}: not possible: {reason}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
