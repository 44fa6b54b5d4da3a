"""Files to report on, written after the second look: kinds that were in neither."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import course
from benchmarks.log_reading.report.runs import LOSSES, USUAL, run_of
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every case of this file."""
    for number, write in enumerate(WRITERS):
        yield write(52_000 + 13 * number)


def allennlp(seed: int) -> LogCase:
    c = course(seed, num_val=480)
    rows = [
        {
            "best_epoch": 3,
            "peak_gpu_0_MB": 900,
            "training_duration": f"0:0{e % 10}:10",
            "epoch": e,
            "training_accuracy": float(c.train_acc[e]),
            "training_loss": float(c.train_loss[e]),
            "validation_accuracy": float(c.val_acc[e]),
            "validation_loss": float(c.val_loss[e]),
            "best_validation_loss": float(c.val_loss[: e + 1].min()),
        }
        for e in range(c.num_epochs)
    ]
    keys = ("train loss", "train accuracy", "val loss", "val accuracy")
    return LogCase(
        "allennlp.json",
        json.dumps(rows).encode(),
        Truth("AllenNLP's metrics, as a list", "JSON", (run_of(c, 12, 0, *keys),), num_val=480),
    )


def espnet(seed: int) -> LogCase:
    c = course(seed, num_val=820)
    lines = [
        f"[host] 2024-05-01 10:{e:02d}:00,123 (trainer:338) INFO: {e + 1}epoch results: [train] "
        f"iter_time=0.001, loss={c.train_loss[e]:.3f}, acc={c.train_acc[e]:.3f}, "
        f"optim0_lr0=0.001, train_time=0.2, [valid] loss={c.val_loss[e]:.3f}, "
        f"acc={c.val_acc[e]:.4f}, time=3.1 seconds"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 3, 1, "train loss", "train accuracy", "val loss")
    curves = {**run.curves, "val accuracy": [round(float(v), 4) for v in c.val_acc]}
    return LogCase(
        "espnet.log",
        "\n".join(lines).encode(),
        Truth(
            "ESPnet's trainer",
            "plain, ESPnet",
            (RunTruth(curves, run.labels),),
            num_val=820,
            schedule="constant",
            lr=0.001,
        ),
    )


def speechbrain(seed: int) -> LogCase:
    c = course(seed, num_val=610, decay=0.5)
    lines = [
        f"epoch: {e + 1}, lr: {c.lr[e]:.2e} - train loss: {c.train_loss[e]:.2f} - valid loss: "
        f"{c.val_loss[e]:.2f}, valid error: {1 - c.val_acc[e]:.4e}"
        for e in range(c.num_epochs)
    ]
    errors = [float(f"{1 - v:.4e}") for v in c.val_acc]
    run = run_of(c, 2, 1, *LOSSES)
    curves = {
        **run.curves,
        "val error": errors,
        "val accuracy": [1 - value for value in errors],
    }
    return LogCase(
        "train_log.txt",
        "\n".join(lines).encode(),
        Truth(
            "SpeechBrain's train log",
            "plain, SpeechBrain",
            (RunTruth(curves, run.labels),),
            num_val=610,
            schedule="decayed",
            lr=float(c.lr[0]),
            tolerance=1e-4,
        ),
    )


def kaldi_like_table(seed: int) -> LogCase:
    c = course(seed, num_val=530)
    lines = ["#epoch train_loss valid_loss valid_acc"]
    lines += [
        f"{e} {a:.5f} {b:.5f} {p:.4f}"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    run = run_of(c, 5, 0, *LOSSES)
    curves = {**run.curves, "val accuracy": [round(float(v), 4) for v in c.val_acc]}
    return LogCase(
        "history.dat",
        "\n".join(lines).encode(),
        Truth(
            "NumPy savetxt with a header",
            "table with blanks",
            (RunTruth(curves, run.labels),),
            num_val=530,
        ),
    )


def cross_validation(seed: int) -> LogCase:
    runs = [course(seed + 40 * k, num_val=290) for k in range(3)]
    lines = ["fold\tepoch\ttrain_loss\tvalid_loss\tvalid_accuracy"]
    lines += [
        f"{k + 1}\t{e}\t{c.train_loss[e]:.4f}\t{c.val_loss[e]:.4f}\t{c.val_acc[e]:.4f}"
        for k, c in enumerate(runs)
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "folds.tsv",
        "\n".join(lines).encode(),
        Truth(
            "TSV by hand, three folds",
            "CSV, tab",
            tuple(run_of(c, 4, 0, *USUAL) for c in runs),
            num_val=290,
        ),
    )


def printed_dicts(seed: int) -> LogCase:
    c = course(seed, num_val=340)
    lines = []
    for e in range(c.num_epochs):
        entry = {
            "epoch": e + 1,
            "train_loss": float(c.train_loss[e]),
            "test_loss": float(c.val_loss[e]),
            "test_acc": float(c.val_acc[e]),
        }
        lines.append(f"{entry}")
    return LogCase(
        "printed.log",
        "\n".join(["Namespace(lr=0.1, epochs=16)", *lines]).encode(),
        Truth(
            "dictionaries by print",
            "JSON lines",
            (run_of(c, 12, 1, *USUAL),),
            num_val=340,
            lr=0.1,
        ),
    )


def warnings_between(seed: int) -> LogCase:
    c = course(seed, num_val=1_450)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"Epoch [{e + 1}/{c.num_epochs}], Train Loss: {c.train_loss[e]:.4f}, "
            f"Val Loss: {c.val_loss[e]:.4f}, Val Accuracy: {100 * c.val_acc[e]:.2f}%",
            f"Validation loss decreased ({c.val_loss[e] + 0.1:.6f} --> {c.val_loss[e]:.6f}).  "
            "Saving model ...",
            "EarlyStopping counter: 1 out of 7",
        ]
    return LogCase(
        "early.txt",
        "\n".join(lines).encode(),
        Truth(
            "print by hand, with an early-stopping class",
            "plain, by hand",
            (run_of(c, 4, 1, *USUAL),),
            num_val=1_450,
        ),
    )


def html_like_markdown(seed: int) -> LogCase:
    c = course(seed, num_val=690)
    lines = ["**Run 7**", "", "|Epoch|Train|Valid|Acc|", "|--|--|--|--|"]
    lines += [
        f"|{e}|{a:.3f}|{b:.3f}|{100 * p:.1f}|"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1)
    ]
    return LogCase(
        "bare.md",
        "\n".join(lines).encode(),
        Truth(
            "Markdown by hand, bare headings",
            "Markdown table",
            (),
            unreadable="a column named after a split alone does not say of what it is",
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(allennlp, espnet, speechbrain, kaldi_like_table, cross_validation, printed_dicts),
    *(warnings_between, html_like_markdown),
)
