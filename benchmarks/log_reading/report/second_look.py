"""More files to report on, written after the first look: the kinds that it moved to calibration,
by other loggers and layouts, and some that were not there at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import course
from benchmarks.log_reading.report.runs import LOSSES, USUAL, run_of
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every case of this file."""
    for number, write in enumerate(WRITERS):
        yield write(31_000 + 17 * number)


def structlog(seed: int) -> LogCase:
    c = course(seed, num_val=330)
    lines = [
        "2025-01-01T10:00:00Z [info     ] "
        + json.dumps(
            {
                "event": "epoch done",
                "epoch": e + 1,
                "metrics": {
                    "train": {"loss": round(float(c.train_loss[e]), 4)},
                    "dev": {
                        "loss": round(float(c.val_loss[e]), 4),
                        "acc": round(float(c.val_acc[e]), 4),
                    },
                },
            }
        )
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "service.log",
        "\n".join(lines).encode(),
        Truth(
            "a logger's JSON messages",
            "JSON lines",
            (run_of(c, 4, 1, *USUAL),),
            num_val=330,
        ),
    )


def tabulate_grid(seed: int) -> LogCase:
    c = course(seed, num_val=770)
    rule = "+---------+--------------+------------+-----------+"
    lines = [rule, "|   Epoch |   Train loss |   Val loss |   Val acc |"]
    lines.append(rule.replace("-", "="))
    for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1):
        lines += [f"| {e:7d} | {a:12.4f} | {b:10.4f} | {100 * p:9.2f} |", rule]
    return LogCase(
        "tabulated.txt",
        "\n".join(lines).encode(),
        Truth("tabulate, grid", "table with bars", (run_of(c, 4, 1, *USUAL),), num_val=770),
    )


def simple_table(seed: int) -> LogCase:
    c = course(seed, num_val=410)
    lines = [
        "  epoch    train_loss    valid_loss    valid_acc     lr     dur",
        "-------  ------------  ------------  -----------  -----  ------",
    ]
    lines += [
        f"{e:7d}  \x1b[36m{a:12.4f}\x1b[0m  \x1b[32m{b:12.4f}\x1b[0m  {p:11.4f}  0.010  {0.1:.4f}"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1)
    ]
    return LogCase(
        "coloured.txt",
        "\n".join(lines).encode(),
        Truth(
            "tabulate, simple, coloured",
            "table with blanks",
            (run_of(c, 4, 1, *USUAL),),
            num_val=410,
            schedule="constant",
            lr=0.01,
        ),
    )


def modes_of_json(seed: int) -> LogCase:
    c = course(seed, num_val=260, per_epoch=2, decay=0.1)
    lines = [json.dumps({"config": "c.yaml", "seed": 3, "mode": "setup"})]
    batches: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(float(value))
            entry = {"loss": float(value), "lr": float(c.lr[e]), "epoch": e, "step": 2 * e + b}
            lines.append(json.dumps({"phase": "train", **entry}))
        entry = {"loss": float(c.val_loss[e]), "top1": float(c.val_acc[e]), "epoch": e}
        lines.append(json.dumps({"phase": "eval", **entry}))
    truth = run_of(c, 12, 0, "val loss", "val accuracy")
    means = [float(row.mean()) for row in c.batch_losses]
    run = RunTruth({"train loss": means, **truth.curves}, truth.labels, batches)
    return LogCase(
        "phases.jsonl.gz",
        gzip.compress("\n".join(lines).encode(), mtime=0),
        Truth(
            "JSON lines by hand, phases, gzip",
            "JSON lines",
            (run,),
            num_val=260,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def counted_in_words(seed: int) -> LogCase:
    c = course(seed, num_val=960)
    lines = [
        f"Epoch #{e}: Training loss: {c.train_loss[e]:.3f} | Validation loss: "
        f"{c.val_loss[e]:.3f} | Correct: {c.val_right[e]}/960 | Validation acc: "
        f"{c.val_acc[e]:.4f} [{e + 3}.2s]"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 3, 0, *LOSSES)
    curves = {**run.curves, "val accuracy": [round(float(v), 4) for v in c.val_acc]}
    return LogCase(
        "words.log",
        "\n".join(lines).encode(),
        Truth(
            "print by hand",
            "plain, by hand",
            (RunTruth(curves, run.labels),),
            num_val=960,
        ),
    )


def language_model(seed: int) -> LogCase:
    c = course(seed)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            "-" * 89,
            f"| end of epoch {e + 1:3d} | time: {30 + e}.11s | valid loss {c.val_loss[e]:5.2f} | "
            f"valid ppl {2.718281828 ** c.val_loss[e]:8.2f}",
            "-" * 89,
        ]
    run = RunTruth(
        {
            "val loss": [round(float(v), 2) for v in c.val_loss],
            "val perplexity": [round(float(2.718281828**v), 2) for v in c.val_loss],
        },
        [float(e + 1) for e in range(c.num_epochs)],
    )
    return LogCase(
        "words_lm.txt",
        "\n".join(lines).encode(),
        Truth("pytorch/examples word language model", "plain, PyTorch example", (run,)),
    )


def paddle(seed: int) -> LogCase:
    c = course(seed, num_val=1_000, per_epoch=2)
    lines: list[str] = []
    for e in range(c.num_epochs):
        lines.append(f"Epoch {e + 1}/{c.num_epochs}")
        lines += [
            f"step {10 * (b + 1)}/20 - loss: {value:.4f} - acc: {c.train_acc[e]:.4f} - 12ms/step"
            for b, value in enumerate(c.batch_losses[e])
        ]
        lines += [
            "Eval begin...",
            f"step 4/4 - loss: {c.val_loss[e]:.4f} - acc: {c.val_acc[e]:.4f} - 5ms/step",
            "Eval samples: 1000",
        ]
    batches = [round(float(v), 4) for v in c.batch_losses.ravel()]
    means = [float(row.round(4).mean()) for row in c.batch_losses]
    run = run_of(c, 4, 1, "val loss", "val accuracy")
    return LogCase(
        "paddle.log",
        "\n".join(lines).encode(),
        Truth(
            "Paddle's high-level API",
            "plain, Paddle",
            (RunTruth({"train loss": means, **run.curves}, run.labels, batches),),
            num_val=1_000,
        ),
    )


def xgboost_lines(seed: int) -> LogCase:
    c = course(seed)
    lines = [
        f"[{e}]\ttrain-logloss:{c.train_loss[e]:.5f}\teval-logloss:{c.val_loss[e]:.5f}"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "xgboost.txt",
        "\n".join(lines).encode(),
        Truth("XGBoost's evaluation lines", "plain, boosting", (run_of(c, 5, 0, *LOSSES),)),
    )


def catalyst(seed: int) -> LogCase:
    c = course(seed, num_val=1_600)
    lines = []
    for e in range(c.num_epochs):
        head = f"{e + 1}/{c.num_epochs} * Epoch {e + 1}"
        lines += [
            f"{head} (train): accuracy01: {c.train_acc[e]:.4f} | loss: {c.train_loss[e]:.4f}",
            f"{head} (valid): accuracy01: {c.val_acc[e]:.4f} | loss: {c.val_loss[e]:.4f}",
        ]
    keys = ("train loss", "train accuracy", "val loss", "val accuracy")
    return LogCase(
        "catalyst.log",
        "\n".join(lines).encode(),
        Truth(
            "Catalyst's console logger",
            "plain, Catalyst",
            (run_of(c, 4, 1, *keys),),
            num_val=1_600,
        ),
    )


def transposed(seed: int) -> LogCase:
    c = course(seed, num_val=200)
    lines = [
        "epoch," + ",".join(str(e) for e in range(1, c.num_epochs + 1)),
        "train_loss," + ",".join(f"{v:.4f}" for v in c.train_loss),
        "val_loss," + ",".join(f"{v:.4f}" for v in c.val_loss),
        "val_acc," + ",".join(f"{v:.4f}" for v in c.val_acc),
    ]
    return LogCase(
        "across.csv",
        "\n".join(lines).encode(),
        Truth("CSV by hand, a row a curve", "CSV, comma", (run_of(c, 4, 1, *USUAL),), num_val=200),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(structlog, tabulate_grid, simple_table, modes_of_json, counted_in_words, language_model),
    *(paddle, xgboost_lines, catalyst, transposed),
)
