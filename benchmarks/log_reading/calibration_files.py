"""Files to improve the reader on, each by its format's public documentation."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import Course, course
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every calibration file that no library is needed for."""
    for number, write in enumerate(WRITERS):
        yield write(number)


def run_of(c: Course, *keys: str, first: int = 1, digits: int = 4) -> RunTruth:
    """The truth of a run that gives these curves, printed to so many decimals."""
    given = {
        "train loss": c.train_loss,
        "val loss": c.val_loss,
        "train accuracy": c.train_acc,
        "val accuracy": c.val_acc,
    }
    return RunTruth(
        {key: [round(float(each), digits) for each in given[key]] for key in keys},
        [float(first + at) for at in range(c.num_epochs)],
    )


def comma_fractions(number: int) -> LogCase:
    c = course(100 + number)
    rows = [
        f"{e},{a:.4f},{b:.4f},{p:.4f},{lr:g}"
        for e, (a, b, p, lr) in enumerate(
            zip(c.train_loss, c.val_loss, c.val_acc, c.lr, strict=True), 1
        )
    ]
    text = "\n".join(["epoch,train_loss,val_loss,val_acc,lr", *rows]) + "\n"
    keys = ("train loss", "val loss", "val accuracy")
    return LogCase(
        "comma.csv",
        text.encode(),
        Truth(
            "CSV by hand",
            "CSV, comma",
            (run_of(c, *keys),),
            num_val=c.num_val,
            schedule="constant",
            lr=float(c.lr[0]),
        ),
    )


def semicolon_decimal_comma(number: int) -> LogCase:
    c = course(100 + number, decay=0.1)
    rows = [
        f"{e};{a:.4f};{b:.4f};{100 * p:.2f};{lr:g}".replace(".", ",")
        for e, (a, b, p, lr) in enumerate(
            zip(c.train_loss, c.val_loss, c.val_acc, c.lr, strict=True), 1
        )
    ]
    text = "\r\n".join(["Epoch;Train Loss;Val Loss;Val Acc (%);Learning Rate", *rows]) + "\r\n"
    keys = ("train loss", "val loss", "val accuracy")
    return LogCase(
        "semicolon.csv",
        ("\ufeff" + text).encode(),
        Truth(
            "CSV as a German spreadsheet writes it",
            "CSV, semicolon and decimal comma",
            (run_of(c, *keys),),
            num_val=c.num_val,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def tabs_gzip(number: int) -> LogCase:
    c = course(100 + number)
    rows = [
        f"{e}\t{a:.5f}\t{b:.5f}\t{1 - p:.4f}"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    text = "\n".join(["epoch\ttrain_loss\tval_loss\tval_error_rate", *rows]) + "\n"
    truth = run_of(c, "train loss", "val loss", "val accuracy", first=0, digits=5)
    return LogCase(
        "tabs.tsv.gz",
        gzip.compress(text.encode(), mtime=0),
        Truth("TSV, gzip", "CSV, tab", (truth,), num_val=c.num_val),
    )


def json_history(number: int) -> LogCase:
    c = course(100 + number)
    document = {
        "loss": c.train_loss.tolist(),
        "accuracy": c.train_acc.tolist(),
        "val_loss": c.val_loss.tolist(),
        "val_accuracy": c.val_acc.tolist(),
    }
    truth = RunTruth(
        {
            "train loss": document["loss"],
            "train accuracy": document["accuracy"],
            "val loss": document["val_loss"],
            "val accuracy": document["val_accuracy"],
        }
    )
    return LogCase(
        "history.json",
        json.dumps(document, indent=1).encode(),
        Truth("Keras History.history, dumped", "JSON", (truth,), num_val=c.num_val),
    )


def json_lines(number: int) -> LogCase:
    c = course(100 + number, decay=0.5)
    lines = []
    for e in range(c.num_epochs):
        lines.append(
            json.dumps({"epoch": e, "split": "train", "loss": c.train_loss[e], "lr": c.lr[e]})
        )
        lines.append(
            json.dumps({"epoch": e, "split": "val", "loss": c.val_loss[e], "acc": c.val_acc[e]})
        )
    truth = run_of(c, "train loss", "val loss", "val accuracy", first=0, digits=9)
    return LogCase(
        "lines.jsonl",
        "\n".join(lines).encode(),
        Truth(
            "JSON lines by hand",
            "JSON lines",
            (truth,),
            num_val=c.num_val,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def markdown(number: int) -> LogCase:
    c = course(100 + number)
    rows = [
        f"| {e} | {a:.4f} | {b:.4f} | {100 * p:.2f} |"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1)
    ]
    text = "\n".join(
        [
            "# Results",
            "",
            "| Epoch | Train loss | Val loss | Val acc [%] |",
            "|---:|---:|---:|---:|",
            *rows,
        ]
    )
    return LogCase(
        "table.md",
        text.encode(),
        Truth(
            "Markdown by hand",
            "Markdown table",
            (run_of(c, "train loss", "val loss", "val accuracy"),),
            num_val=c.num_val,
        ),
    )


def pytorch_mnist(number: int) -> LogCase:
    c = course(100 + number, num_val=10_000)
    lines = []
    batches = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            lines.append(
                f"Train Epoch: {e + 1} [{640 * b}/60000 ({b / 9.38:.0f}%)]\tLoss: {value:.6f}"
            )
            batches.append(float(value))
        right = c.val_right[e]
        lines.append(
            f"\nTest set: Average loss: {c.val_loss[e]:.4f}, Accuracy: {right}/10000 "
            f"({right / 100:.0f}%)\n"
        )
    truth = run_of(c, "val loss", "val accuracy")
    means = [float(row.mean()) for row in c.batch_losses]
    curves = {"train loss": means, **truth.curves}
    return LogCase(
        "mnist.log",
        "\n".join(lines).encode(),
        Truth(
            "pytorch/examples mnist",
            "plain, PyTorch example",
            (RunTruth(curves, truth.labels, batches),),
            num_val=10_000,
        ),
    )


def fastai_table(number: int) -> LogCase:
    c = course(100 + number)
    lines = ["epoch     train_loss  valid_loss  accuracy  time    "]
    lines += [
        f"{e:<10}{a:<12.6f}{b:<12.6f}{p:<10.6f}00:0{e % 9}  "
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    truth = run_of(c, "train loss", "val loss", "val accuracy", first=0, digits=6)
    return LogCase(
        "fastai.txt",
        "\n".join(lines).encode(),
        Truth("fastai Recorder, as printed", "plain, fastai", (truth,), num_val=c.num_val),
    )


def timm_summary(number: int) -> LogCase:
    c = course(100 + number, decay=0.1)
    rows = [
        f"{e},{a:.6f},{b:.6f},{100 * p:.4f},{min(99.9, 100 * p + 5):.4f},{lr}"
        for e, (a, b, p, lr) in enumerate(
            zip(c.train_loss, c.val_loss, c.val_acc, c.lr, strict=True)
        )
    ]
    text = "\n".join(["epoch,train_loss,eval_loss,eval_top1,eval_top5,lr", *rows]) + "\n"
    truth = run_of(c, "train loss", "val loss", "val accuracy", first=0, digits=6)
    top5 = [round(min(99.9, 100 * p + 5), 4) / 100 for p in c.val_acc]
    curves = {**truth.curves, "val top5_accuracy": top5}
    return LogCase(
        "summary.csv",
        text.encode(),
        Truth(
            "timm summary.csv",
            "CSV, comma",
            (RunTruth(curves, truth.labels),),
            num_val=c.num_val,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def timm_log(number: int) -> LogCase:
    c = course(100 + number)
    lines = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        running = 0.0
        for b, value in enumerate(c.batch_losses[e]):
            running += float(value)
            lines.append(
                f"Train: {e} [{100 * b:>4d}/391 ({100 * b / 390:>3.0f}%)]  Loss: {value:#.3g} "
                f"({running / (b + 1):#.3g})  Time: 0.061s, 2094.63/s  (0.07s, 1823.1/s)  "
                f"LR: {c.lr[e]:.3e}  Data: 0.003 (0.009)"
            )
            batches.append(float(f"{value:.3g}"))
        lines.extend(
            f"Test: [{b:>4d}/78]  Time: 0.1 (0.1)  Loss:  {c.val_loss[e] + 0.1:>6.3f} "
            f"({c.val_loss[e]:>6.3f})  Acc@1: {99.0:>7.3f} ({100 * c.val_acc[e]:>7.3f})  "
            f"Acc@5: {99.5:>7.3f} ({99.5:>7.3f})"
            for b in (0, 78)
        )
    return LogCase(
        "timm.log",
        "\n".join(lines).encode(),
        Truth(
            "timm train.py, its log",
            "plain, timm",
            (
                RunTruth(
                    {
                        "val loss": [round(float(v), 3) for v in c.val_loss],
                        "val accuracy": [round(float(v), 5) for v in c.val_acc],
                    },
                    [float(e) for e in range(c.num_epochs)],
                    batches,
                ),
            ),
            num_val=c.num_val,
            schedule="constant",
            lr=float(c.lr[0]),
            tolerance=1e-5,
        ),
    )


def yolo_results(number: int) -> LogCase:
    c = course(100 + number)
    header = (
        "               epoch,      train/box_loss,      train/obj_loss,      train/cls_loss,   "
        "metrics/precision,      metrics/recall,     metrics/mAP_0.5,metrics/mAP_0.5:0.95,        "
        "val/box_loss,        val/obj_loss,        val/cls_loss,               x/lr0"
    )
    rows = [
        ",".join(
            f"{v:>20.5g}" for v in (e, a, a / 2, a / 3, p, p, p, p / 2, b, b / 2, b / 3, 0.01)
        )
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    return LogCase(
        "results.csv",
        "\n".join([header, *rows]).encode(),
        Truth(
            "YOLOv5 results.csv",
            "CSV, comma",
            (),
            unreadable="which of three losses is meant, and which mean precision, is not told",
        ),
    )


def printf_lines(number: int) -> LogCase:
    c = course(100 + number)
    lines = [
        f"[{e}/{c.num_epochs}] loss_train={a:.4f} loss_val={b:.4f} acc_val={100 * p:.2f}%"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1)
    ]
    return LogCase(
        "printf.txt",
        "\n".join(["using device cuda:0", *lines, "done in 12.5s"]).encode(),
        Truth(
            "print by hand",
            "plain, by hand",
            (run_of(c, "train loss", "val loss", "val accuracy"),),
            num_val=c.num_val,
        ),
    )


def sentences(number: int) -> LogCase:
    c = course(100 + number)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"INFO 2025-02-0{1 + e % 9} 10:{10 + e}:00 trainer.py:88] Epoch {e + 1} finished in "
            "33.2 s",
            f"INFO trainer.py:90]   training loss {c.train_loss[e]:.4f}",
            f"INFO trainer.py:91]   validation loss {c.val_loss[e]:.4f}, validation accuracy "
            f"{c.val_acc[e]:.4f} (best so far {max(c.val_acc[: e + 1]):.4f})",
        ]
    return LogCase(
        "sentences.log",
        "\n".join(lines).encode(),
        Truth(
            "print by hand",
            "plain, by hand",
            (run_of(c, "train loss", "val loss", "val accuracy"),),
            num_val=c.num_val,
        ),
    )


def two_runs(number: int) -> LogCase:
    pair = (course(100 + number), course(200 + number))
    rows = [
        f"{e};{a:.4f};{b:.4f}"
        for c in pair
        for e, (a, b) in enumerate(zip(c.train_loss, c.val_loss, strict=True), 1)
    ]
    return LogCase(
        "two.csv",
        "\n".join(["epoch;train_loss;val_loss", *rows]).encode(),
        Truth(
            "CSV by hand, two runs appended",
            "CSV, semicolon",
            tuple(run_of(c, "train loss", "val loss") for c in pair),
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(comma_fractions, semicolon_decimal_comma, tabs_gzip, json_history, json_lines, markdown),
    *(pytorch_mnist, fastai_table, timm_summary, timm_log, yolo_results, printf_lines),
    *(sentences, two_runs),
)
