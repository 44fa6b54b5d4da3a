"""Files to report on, written after the fifth look: the reader was not changed since."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import course
from benchmarks.log_reading.report.runs import ALL, LOSSES, USUAL, run_of, shares
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every case of this file."""
    for number, write in enumerate(WRITERS):
        yield write(120_000 + 29 * number)


def errors_in_percent(seed: int) -> LogCase:
    c = course(seed, num_val=1_200, decay=0.1)
    lines = [
        f"[epoch {e + 1:>3}] lr {c.lr[e]:.5f} train_loss {c.train_loss[e]:.4f} "
        f"test_loss {c.val_loss[e]:.4f} test_err {100 * (1 - c.val_acc[e]):.2f}%"
        for e in range(c.num_epochs)
    ]
    errors = shares([1 - float(v) for v in c.val_acc], 2)
    run = run_of(c, 4, 1, *LOSSES)
    return LogCase(
        "errors.txt",
        "\n".join(lines).encode(),
        Truth(
            "print by hand, errors in percent",
            "plain, by hand",
            (RunTruth({**run.curves, "val accuracy": [1 - v for v in errors]}, run.labels),),
            num_val=1_200,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def semicolon_runs(seed: int) -> LogCase:
    runs = [course(seed + 41 * k, num_val=360) for k in range(2)]
    rows = ["model;epoch;loss;val_loss;acc;val_acc"]
    rows += [
        f"net-{'ab'[k]};{e};"
        + ";".join(
            f"{v:.4f}".replace(".", ",")
            for v in (c.train_loss[e], c.val_loss[e], c.train_acc[e], c.val_acc[e])
        )
        for e in range(runs[0].num_epochs)
        for k, c in enumerate(runs)
    ]
    return LogCase(
        "models.csv",
        "\n".join(rows).encode(),
        Truth(
            "CSV by hand, two models by turns",
            "CSV, semicolon and decimal comma",
            tuple(run_of(c, 4, 0, *ALL) for c in runs),
            num_val=360,
        ),
    )


def columns_in_json(seed: int) -> LogCase:
    c = course(seed, num_val=275)
    document = {
        "config": {"optimizer": "adam", "batch_size": 32},
        "metrics": {
            "train": {"loss": c.train_loss.tolist()},
            "validation": {"loss": c.val_loss.tolist(), "accuracy": c.val_acc.tolist()},
        },
    }
    run = run_of(c, 12, 1, *USUAL)
    return LogCase(
        "by_split.json",
        json.dumps(document).encode(),
        Truth("JSON by hand, lists by split", "JSON", (run,), num_val=275),
    )


def log_with_dates(seed: int) -> LogCase:
    c = course(seed, num_val=840)
    lines = ["2024-07-01 08:00:00,001 - trainer - INFO - 12 layers, 1.2M parameters, seed 5"]
    for e in range(c.num_epochs):
        stamp = f"2024-07-01 08:{e:02d}:30,512 - trainer - INFO -"
        lines += [
            f"{stamp} Epoch {e + 1} finished in 28.4s",
            f"{stamp} Training   | loss: {c.train_loss[e]:.4f}",
            f"{stamp} Validation | loss: {c.val_loss[e]:.4f} | accuracy: {c.val_acc[e]:.4f}",
            f"{stamp} Saved checkpoint to ckpt-{e + 1}.pt (1.2 MB)",
        ]
    return LogCase(
        "trainer.log",
        "\n".join(lines).encode(),
        Truth(
            "Python's logging, a line a phase",
            "plain, by hand",
            (run_of(c, 4, 1, *USUAL),),
            num_val=840,
        ),
    )


def org_table(seed: int) -> LogCase:
    c = course(seed, num_val=415)
    lines = ["#+TITLE: run 12", "| epoch | train loss | dev loss | dev acc |", "|-------+-----|"]
    lines += [
        f"| {e + 1} | {c.train_loss[e]:.4f} | {c.val_loss[e]:.4f} | {c.val_acc[e]:.4f} |"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "run.org",
        "\n".join(lines).encode(),
        Truth("Org mode's table", "table with bars", (run_of(c, 4, 1, *USUAL),), num_val=415),
    )


def last_words(seed: int) -> LogCase:
    c = course(seed, num_val=505)
    lines = [
        f"epoch {e + 1}/{c.num_epochs}: train loss {c.train_loss[e]:.4f}, train acc "
        f"{c.train_acc[e]:.4f}, valid loss {c.val_loss[e]:.4f}, valid acc {c.val_acc[e]:.4f}"
        for e in range(c.num_epochs)
    ]
    lines += ["test loss 0.9123, test acc 0.7012", "total time 312.4 s"]
    return LogCase(
        "ending.txt",
        "\n".join(lines).encode(),
        Truth(
            "print by hand, a test result at the end",
            "plain, by hand",
            (run_of(c, 4, 1, *ALL),),
            num_val=505,
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(errors_in_percent, semicolon_runs, columns_in_json, log_with_dates, org_table, last_words),
)
