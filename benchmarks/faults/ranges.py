"""How a healthy base task trains at one rate after another: where its good range lies.

Prints numbers of the training alone; no rule is asked, so it may be used on either half.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.faults.tasks.base import BenchTask
from recipes.run import MemberSpec, RunSpec
from worker.data.data import load_data
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

SGD_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
ADAM_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)


def print_ranges(
    task: BenchTask, *, optimizers: Sequence[str] = ("sgd", "adam"), epochs: int | None = None
) -> None:
    """Train at each rate, middle width and batch size, and print how the run ended.

    Args:
        task: Left alone.
        optimizers: To try.
        epochs: Of a run; the task's own when left out.
    """
    torch.set_num_threads(1)
    data = load_data(task, torch.device("cpu"))
    healthy = task.healthy
    for optimizer in optimizers:
        for lr in SGD_RATES if optimizer == "sgd" else ADAM_RATES:
            run = RunSpec(
                members=(
                    MemberSpec(
                        trial=0,
                        params={
                            "lr": lr,
                            "width": healthy.width,
                            "batch_size": healthy.batch_size,
                            "optimizer": optimizer,
                            "weight_decay": healthy.weight_decay,
                        },
                        seed=1,
                        data_seed=2,
                    ),
                ),
                epochs=epochs or healthy.epochs,
                evaluate=("train", "val"),
            )
            reporter = CollectingReporter()
            train(task, data, run, reporter)
            outcome = reporter.outcomes[0]
            on_train, on_val = outcome.on("train"), outcome.on("val")
            metric = next(iter(set(on_val[0].metrics) - {"loss"}), "loss")
            losses = [each.loss.mean for each in on_val]
            half = on_val[len(on_val) // 2]
            print(
                f"{task.name:20} {optimizer:5} {lr:<7g} {outcome.cause or '':10} "
                f"{metric} train {on_train[-1].metrics[metric].mean:.3f} "
                f"val {on_val[-1].metrics[metric].mean:.3f} "
                f"(half-way {half.metrics[metric].mean:.3f}, "
                f"se {on_val[-1].metrics[metric].standard_error:.3f}); "
                f"loss {losses[0]:.3f}, lowest {min(losses):.3f}, end {losses[-1]:.3f}, "
                f"train {on_train[-1].loss.mean:.4f}; {outcome.seconds:.1f} s",
                flush=True,
            )
