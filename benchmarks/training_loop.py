"""What the training loop costs over a minimal one written by hand, on the digits MLP.

    .venv/bin/python -m benchmarks.training_loop [iterations] [rounds]

Prints iterations per CPU-second, one thread, the best of interleaved rounds, and the
ratios. The hand-written loop has torch's fused optimiser and looks at its loss at every
tenth iteration; ours also records loss and accuracy of every iteration, obeys stops and
sends its curves. "internals" samples gradient norm and update ratios every 10th iteration.
"""

from __future__ import annotations

import sys
import time

import torch
import torch.nn.functional as F

from recipes.run import MemberSpec, RunSpec
from worker.data.data import load_data
from worker.tasks.digits import DigitsMLP
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

PARAMS = {
    "sgd": {"hidden": 128, "optimizer": "sgd", "lr": 0.05, "momentum": 0.9},
    "adamw": {"hidden": 128, "optimizer": "adamw", "lr": 1e-3},
}


def by_hand(optimizer_name: str, num_iterations: int) -> float:
    task = DigitsMLP()
    inputs, target = task.data("train")
    torch.manual_seed(0)
    model = task.model(PARAMS[optimizer_name])
    optimizer = (
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, fused=True)
        if optimizer_name == "sgd"
        else torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    )
    iteration = 0
    started = time.process_time()
    while True:
        for rows in torch.randperm(len(inputs)).split(64):
            if iteration == num_iterations:
                return num_iterations / (time.process_time() - started)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs[rows]), target[rows])
            loss.backward()
            optimizer.step()
            iteration += 1
            if iteration % 10 == 0:
                loss.item()


def by_us(optimizer_name: str, num_iterations: int, internals_every: int | None) -> float:
    task = DigitsMLP()
    data = load_data(task, torch.device("cpu"))
    member = MemberSpec(trial=0, params=PARAMS[optimizer_name], seed=0, data_seed=0)
    run = RunSpec(
        members=(member,),
        iterations=num_iterations,
        evaluate=(),
        internals_every=internals_every,
    )
    report = CollectingReporter()
    started = time.process_time()
    train(task, data, run, report)
    assert report.outcomes[0].iterations == num_iterations
    return num_iterations / (time.process_time() - started)


def main(num_iterations: int = 2_000, num_rounds: int = 9) -> None:
    torch.set_num_threads(1)
    for name in PARAMS:
        hand, ours, internals = 0.0, 0.0, 0.0
        for _ in range(num_rounds):
            hand = max(hand, by_hand(name, num_iterations))
            ours = max(ours, by_us(name, num_iterations, None))
            internals = max(internals, by_us(name, num_iterations, 10))
        print(
            f"{name:6} by hand {hand:6.0f}/s  ours {ours:6.0f}/s ({ours / hand:.2f}x)"
            f"  with internals {internals:6.0f}/s ({internals / ours:.2f}x of ours)"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
