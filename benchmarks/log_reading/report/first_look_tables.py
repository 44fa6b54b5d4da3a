"""Files to report on, each by its format's public documentation: tables and JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import Course, course
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every case of this file."""
    for number, write in enumerate(WRITERS):
        yield write(7_000 + number)


def truth_of(c: Course, digits: int, first: int, *, with_train_acc: bool = False) -> RunTruth:
    """Losses of both splits and validation accuracy, as printed."""
    curves = {
        "train loss": [round(float(v), digits) for v in c.train_loss],
        "val loss": [round(float(v), digits) for v in c.val_loss],
        "val accuracy": [round(float(v), digits) for v in c.val_acc],
    }
    if with_train_acc:
        curves["train accuracy"] = [round(float(v), digits) for v in c.train_acc]
    return RunTruth(curves, [float(first + e) for e in range(c.num_epochs)])


def quoted_excel(seed: int) -> LogCase:
    c = course(seed, num_val=300)
    rows = [
        f'"{e}";"{a:.3f}";"{b:.3f}";"{p:.4f}"'.replace(".", ",")
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1)
    ]
    text = "\r\n".join(['"epoch";"loss (train)";"loss (valid)";"accuracy (valid)"', *rows])
    run = RunTruth(
        {
            "train loss": [round(float(v), 3) for v in c.train_loss],
            "val loss": [round(float(v), 3) for v in c.val_loss],
            "val accuracy": [round(float(v), 4) for v in c.val_acc],
        },
        [float(e + 1) for e in range(c.num_epochs)],
    )
    return LogCase(
        "export.csv",
        text.encode("utf-16"),
        Truth(
            "spreadsheet, Unicode text",
            "CSV, semicolon and decimal comma",
            (run,),
            num_val=300,
        ),
    )


def pandas_index(seed: int) -> LogCase:
    c = course(seed, num_val=1_800, decay=0.1)
    rows = [
        f"{e},{e + 1},{a!r},{b!r},{p!r},{lr!r}"
        for e, (a, b, p, lr) in enumerate(
            zip(
                c.train_loss.tolist(),
                c.val_loss.tolist(),
                c.val_acc.tolist(),
                c.lr.tolist(),
                strict=True,
            )
        )
    ]
    text = "\n".join([",Epoch,Training Loss,Validation Loss,Validation Accuracy,LR", *rows])
    return LogCase(
        "frame.csv.gz",
        gzip.compress(text.encode(), mtime=0),
        Truth(
            "a data frame's to_csv, gzip",
            "CSV, comma",
            (truth_of(c, 12, 1),),
            num_val=1_800,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def wandb_export(seed: int) -> LogCase:
    c = course(seed, num_val=500)
    rows = [f'"{e}","{b}","{b}","{b}"' for e, b in enumerate(c.val_loss.tolist())]
    text = "\n".join(
        [
            '"Step","glad-sun-3 - val_loss","glad-sun-3 - val_loss__MIN",'
            '"glad-sun-3 - val_loss__MAX"',
            *rows,
        ]
    )
    run = RunTruth({"val loss": c.val_loss.tolist()}, [float(e) for e in range(c.num_epochs)])
    return LogCase(
        "chart.csv", text.encode(), Truth("Weights & Biases, chart export", "CSV, comma", (run,))
    )


def tensorboard_csv(seed: int) -> LogCase:
    c = course(seed)
    rows = [f"{1.7e9 + 60 * e:.2f},{e},{b}" for e, b in enumerate(c.val_loss.tolist())]
    return LogCase(
        "run-tag.csv",
        "\n".join(["Wall time,Step,Value", *rows]).encode(),
        Truth(
            "TensorBoard, download as CSV",
            "CSV, comma",
            (),
            unreadable="nothing in it says what the values are of",
        ),
    )


def flair_tsv(seed: int) -> LogCase:
    c = course(seed, num_val=1_100, decay=0.5)
    rows = [
        f"{e}\t10:{e:02d}:12\t0\t{lr:.4f}\t{a}\t{b}\t{p:.4f}\t{p:.4f}\t{p:.4f}\t{p:.4f}"
        for e, (a, b, p, lr) in enumerate(
            zip(c.train_loss, c.val_loss, c.val_acc, c.lr, strict=True), 1
        )
    ]
    header = (
        "EPOCH\tTIMESTAMP\tBAD_EPOCHS\tLEARNING_RATE\tTRAIN_LOSS\tDEV_LOSS\tDEV_PRECISION\t"
        "DEV_RECALL\tDEV_F1\tDEV_ACCURACY"
    )
    shares = [round(float(p), 4) for p in c.val_acc]
    curves = {
        "train loss": c.train_loss.tolist(),
        "val loss": c.val_loss.tolist(),
        "val accuracy": shares,
        "val precision": shares,
        "val recall": shares,
        "val f1": shares,
    }
    return LogCase(
        "loss.tsv",
        "\n".join([header, *rows]).encode(),
        Truth(
            "Flair loss.tsv",
            "CSV, tab",
            (RunTruth(curves, [float(e + 1) for e in range(c.num_epochs)]),),
            num_val=1_100,
            schedule="decayed",
            lr=round(float(c.lr[0]), 4),
        ),
    )


def chainer(seed: int) -> LogCase:
    c = course(seed, num_val=900)
    rows = [
        {
            "main/loss": float(c.train_loss[e]),
            "main/accuracy": float(c.train_acc[e]),
            "validation/main/loss": float(c.val_loss[e]),
            "validation/main/accuracy": float(c.val_acc[e]),
            "epoch": e + 1,
            "iteration": 600 * (e + 1),
            "elapsed_time": 3.5 * (e + 1),
        }
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "log",
        json.dumps(rows, indent=4).encode(),
        Truth(
            "Chainer LogReport",
            "JSON",
            (truth_of(c, 12, 1, with_train_acc=True),),
            num_val=900,
        ),
    )


def mmcv_lines(seed: int) -> LogCase:
    c = course(seed, num_val=700, per_epoch=3)
    lines = [json.dumps({"env_info": "sys.platform: linux", "seed": 0, "exp_name": "r.py"})]
    batches: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(float(value))
            lines.append(
                json.dumps(
                    {
                        "mode": "train",
                        "epoch": e + 1,
                        "iter": 100 * (b + 1),
                        "lr": 0.1,
                        "memory": 900,
                        "data_time": 0.01,
                        "loss": float(value),
                        "time": 0.2,
                    }
                )
            )
        lines.append(
            json.dumps(
                {
                    "mode": "val",
                    "epoch": e + 1,
                    "iter": 50,
                    "lr": 0.1,
                    "accuracy_top-1": round(100 * float(c.val_acc[e]), 4),
                }
            )
        )
    run = RunTruth(
        {"val accuracy": [round(float(v), 6) for v in c.val_acc]},
        [float(e + 1) for e in range(c.num_epochs)],
        batches,
    )
    return LogCase(
        "20240101.log.json",
        "\n".join(lines).encode(),
        Truth(
            "MMCV's JSON logger",
            "JSON lines",
            (run,),
            num_val=700,
            schedule="constant",
            lr=0.1,
        ),
    )


def fairseq_json(seed: int) -> LogCase:
    c = course(seed)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            "2022-03-01 11:00:00 | INFO | train | "
            + json.dumps(
                {
                    "epoch": e + 1,
                    "train_loss": f"{c.train_loss[e]:.3f}",
                    "train_num_updates": str(100 * (e + 1)),
                    "train_lr": "0.0005",
                    "train_gnorm": "1.2",
                }
            ),
            "2022-03-01 11:01:00 | INFO | valid | "
            + json.dumps(
                {
                    "epoch": e + 1,
                    "valid_loss": f"{c.val_loss[e]:.3f}",
                    "valid_num_updates": str(100 * (e + 1)),
                }
            ),
        ]
    run = RunTruth(
        {
            "train loss": [round(float(v), 3) for v in c.train_loss],
            "val loss": [round(float(v), 3) for v in c.val_loss],
        },
        [float(e + 1) for e in range(c.num_epochs)],
    )
    return LogCase(
        "fairseq_json.log",
        "\n".join(lines).encode(),
        Truth("fairseq, JSON format", "plain, fairseq", (run,), schedule="constant", lr=0.0005),
    )


def nested_json(seed: int) -> LogCase:
    pair = {"baseline": course(seed, num_val=400), "wide": course(seed + 500, num_val=400)}
    document = {
        "runs": {
            name: {
                "history": [
                    {
                        "epoch": e,
                        "train": {"loss": float(c.train_loss[e])},
                        "val": {"loss": float(c.val_loss[e]), "acc": float(c.val_acc[e])},
                    }
                    for e in range(c.num_epochs)
                ]
            }
            for name, c in pair.items()
        }
    }
    return LogCase(
        "nested.json.gz",
        gzip.compress(json.dumps(document).encode(), mtime=0),
        Truth(
            "JSON by hand, two runs, gzip",
            "JSON",
            tuple(truth_of(c, 12, 0) for c in pair.values()),
            num_val=400,
        ),
    )


def readme_tables(seed: int) -> LogCase:
    pair = (course(seed, num_val=2_200), course(seed + 500, num_val=2_200))
    lines = ["# Experiments", "", "We tried two models.", ""]
    for name, c in zip(("ResNet-18", "ResNet-34"), pair, strict=True):
        lines += [
            f"## {name}",
            "",
            "Epoch | Training loss | Validation loss | Validation accuracy",
            ":-: | :-: | :-: | :-:",
            *(
                f"{e} | {a:.4f} | {b:.4f} | {100 * p:.2f}%"
                for e, (a, b, p) in enumerate(
                    zip(c.train_loss, c.val_loss, c.val_acc, strict=True), 1
                )
            ),
            "",
        ]
    return LogCase(
        "README.md",
        "\n".join(lines).encode(),
        Truth(
            "Markdown by hand, two runs",
            "Markdown table",
            tuple(truth_of(c, 4, 1) for c in pair),
            num_val=2_200,
        ),
    )


def grid_table(seed: int) -> LogCase:
    c = course(seed, num_val=450)
    rule = "+-------+------------+----------+---------+"
    rows = [
        f"| {e:5d} | {a:10.4f} | {b:8.4f} | {p:7.4f} |"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    lines = [rule, "| epoch | train_loss | val_loss | val_acc |", rule, *rows, rule]
    return LogCase(
        "grid.txt",
        "\n".join(lines).encode(),
        Truth("PrettyTable", "table with bars", (truth_of(c, 4, 0),), num_val=450),
    )


def every_fifth(seed: int) -> LogCase:
    c = course(seed, num_val=350, num_epochs=40)
    rows = [
        f"{e},{c.train_loss[e - 1]:.4f},"
        + (f"{c.val_loss[e - 1]:.4f},{c.val_acc[e - 1]:.4f}" if e % 5 == 0 else ",")
        for e in range(1, c.num_epochs + 1)
    ]
    places = list(range(5, c.num_epochs + 1, 5))
    run = RunTruth(
        {
            "train loss": [round(float(c.train_loss[e - 1]), 4) for e in places],
            "val loss": [round(float(c.val_loss[e - 1]), 4) for e in places],
            "val accuracy": [round(float(c.val_acc[e - 1]), 4) for e in places],
        },
        [float(e) for e in places],
    )
    return LogCase(
        "sparse.csv",
        "\n".join(["epoch,loss/train,loss/val,accuracy/val", *rows]).encode(),
        Truth("CSV by hand, validated at every fifth", "CSV, comma", (run,), num_val=350),
    )


def seeds_by_column(seed: int) -> LogCase:
    runs = [course(seed + 300 * k, num_val=520) for k in range(3)]
    rows = [
        f"{k},{e},{c.train_loss[e]:.4f},{c.val_loss[e]:.4f},{100 * c.val_acc[e]:.2f}"
        for e in range(runs[0].num_epochs)
        for k, c in enumerate(runs)
    ]
    return LogCase(
        "seeds.csv",
        "\n".join(["seed,epoch,train_loss,valid_loss,valid_accuracy", *rows]).encode(),
        Truth(
            "CSV by hand, three seeds",
            "CSV, comma",
            tuple(truth_of(c, 4, 0) for c in runs),
            num_val=520,
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(quoted_excel, pandas_index, wandb_export, tensorboard_csv, flair_tsv, chainer, mmcv_lines),
    *(fairseq_json, nested_json, readme_tables, grid_table, every_fifth, seeds_by_column),
)
