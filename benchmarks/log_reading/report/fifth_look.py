"""Files to report on, written after the fourth look: kinds that were in none before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import course
from benchmarks.log_reading.report.runs import (
    ALL,
    LOSSES,
    USUAL,
    batches_of,
    means_of,
    run_of,
    shares,
)
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """Every case of this file."""
    for number, write in enumerate(WRITERS):
        yield write(90_000 + 23 * number)


def geometric(seed: int) -> LogCase:
    c = course(seed, num_val=500)
    lines = [
        f"Epoch: {e + 1:03d}, Loss: {c.train_loss[e]:.4f}, Train: {c.train_acc[e]:.4f}, "
        f"Val: {c.val_acc[e]:.4f}, Test: {c.val_acc[e] - 0.01:.4f}"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "geometric.txt",
        "\n".join(lines).encode(),
        Truth(
            "PyTorch Geometric's GCN example",
            "plain, PyTorch example",
            (run_of(c, 4, 1, "train loss", "train accuracy", "val accuracy"),),
            num_val=500,
        ),
    )


def dgl(seed: int) -> LogCase:
    c = course(seed, num_val=300)
    lines = ["Training..."]
    lines += [
        f"Epoch {e:05d} | Loss {c.train_loss[e]:.4f} | Accuracy {c.val_acc[e]:.4f} "
        for e in range(c.num_epochs)
    ]
    lines += ["Testing...", "Test accuracy 0.8150"]
    return LogCase(
        "dgl.txt",
        "\n".join(lines).encode(),
        Truth(
            "DGL's GCN example",
            "plain, PyTorch example",
            (run_of(c, 4, 0, "train loss", "val accuracy"),),
            num_val=300,
        ),
    )


def mlflow_export(seed: int) -> LogCase:
    runs = [course(seed + 31 * k, num_val=720) for k in range(2)]
    rows = ["run_name,metric,step,timestamp,value"]
    for k, c in enumerate(runs):
        columns = {"train_loss": c.train_loss, "val_loss": c.val_loss, "val_accuracy": c.val_acc}
        for name, values in columns.items():
            rows += [
                f"able-cat-{k},{name},{e},17000000{e:02d}000,{value:.6f}"
                for e, value in enumerate(values)
            ]
    return LogCase(
        "mlflow.csv",
        "\n".join(rows).encode(),
        Truth(
            "MLflow's metric histories, exported",
            "CSV, comma",
            tuple(run_of(c, 6, 0, *USUAL) for c in runs),
            num_val=720,
        ),
    )


def percent_cells(seed: int) -> LogCase:
    c = course(seed, num_val=800)
    rows = ["Epoch,Train loss,Validation loss,Validation accuracy,Time"]
    rows += [
        f"{e + 1}/{c.num_epochs},{c.train_loss[e]:.4f},{c.val_loss[e]:.4f},"
        f"{100 * c.val_acc[e]:.2f}%,00:0{e % 10}:12"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 4, 1, *LOSSES)
    curves = {**run.curves, "val accuracy": shares(c.val_acc.tolist(), 2)}
    return LogCase(
        "signs.csv",
        "\n".join(rows).encode(),
        Truth(
            "CSV by hand, percent signs in the cells",
            "CSV, comma",
            (RunTruth(curves, run.labels),),
            num_val=800,
        ),
    )


def bold_markdown(seed: int) -> LogCase:
    c = course(seed, num_val=450)
    best = int(c.val_acc.argmax())
    lines = ["# Training", "", "| Epoch | Train loss | Val loss | Val acc |", "|---|---|---|---|"]
    for e in range(c.num_epochs):
        shown = f"{c.val_acc[e]:.4f}"
        lines.append(
            f"| {e + 1} | {c.train_loss[e]:.4f} | {c.val_loss[e]:.4f} | "
            f"{f'**{shown}**' if e == best else shown} |"
        )
    return LogCase(
        "bold.md",
        "\n".join([*lines, "", "Best in bold."]).encode(),
        Truth(
            "Markdown by hand, the best value in bold",
            "Markdown table",
            (run_of(c, 4, 1, *USUAL),),
            num_val=450,
        ),
    )


def keyed_epochs(seed: int) -> LogCase:
    c = course(seed, num_val=390)
    document = {
        f"epoch_{e + 1}": {
            "train": {"loss": float(c.train_loss[e]), "acc": float(c.train_acc[e])},
            "val": {"loss": float(c.val_loss[e]), "acc": float(c.val_acc[e])},
        }
        for e in range(c.num_epochs)
    }
    return LogCase(
        "keyed.json",
        json.dumps(document).encode(),
        Truth(
            "JSON by hand, an object an epoch",
            "JSON",
            (run_of(c, 12, 1, *ALL),),
            num_val=390,
        ),
    )


def wandb_history(seed: int) -> LogCase:
    c = course(seed, num_val=510, decay=0.1)
    rows = [
        {
            "_step": e,
            "_runtime": 12.5 * (e + 1),
            "_timestamp": 1_700_000_000 + 12 * e,
            "epoch": e,
            "train/loss": float(c.train_loss[e]),
            "val/loss": float(c.val_loss[e]),
            "val/acc": float(c.val_acc[e]),
            "lr-SGD": float(c.lr[e]),
        }
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "wandb-history.jsonl",
        "\n".join(map(json.dumps, rows)).encode(),
        Truth(
            "Weights & Biases, history",
            "JSON lines",
            (run_of(c, 12, 0, *USUAL),),
            num_val=510,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def coqui(seed: int) -> LogCase:
    c = course(seed)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"\x1b[4m\x1b[1m > EPOCH: {e}/{c.num_epochs}\x1b[0m",
            "\x1b[1m > TRAINING\x1b[0m",
        ]
        for b, loss in enumerate(c.batch_losses[e]):
            at = c.batch_losses.shape[1] * e + b
            lines += [
                f"   --> TIME: 2024-01-01 10:00:00 -- STEP: {b}/4 -- GLOBAL_STEP: {at}",
                f"     | > loss: {loss:.5f}  ({loss:.5f})",
                "     | > current_lr: 0.00020 ",
                "     | > step_time: 0.31  (0.30)",
            ]
        lines += [
            "\x1b[1m > EVALUATION \x1b[0m",
            "  \x1b[1m--> EVAL PERFORMANCE\x1b[0m",
            f"     | > avg_loss: {c.val_loss[e]:.5f}  (+0.00000)",
        ]
    return LogCase(
        "tts.log",
        "\n".join(lines).encode(),
        Truth(
            "Coqui's trainer",
            "plain, with headings",
            (
                RunTruth(
                    {**run_of(c, 5, 0, "val loss").curves, "train loss": means_of(c, 5)},
                    [float(e) for e in range(c.num_epochs)],
                    batches_of(c, 5),
                ),
            ),
            schedule="constant",
            lr=0.0002,
        ),
    )


def commented_table(seed: int) -> LogCase:
    c = course(seed, num_epochs=20, num_val=610)
    rows = ["# seed: 3", "# commit: 0123abc", "epoch\ttrain_loss\tval_loss\tval_acc"]
    rows += [
        f"{e + 1}\t{c.train_loss[e]:.4f}\t"
        + (f"{c.val_loss[e]:.4f}\t{c.val_acc[e]:.4f}" if e % 2 else "nan\tnan")
        for e in range(c.num_epochs)
    ]
    at = [float(e + 1) for e in range(c.num_epochs) if e % 2]
    run = run_of(c, 4, 1, *USUAL)
    curves = {
        key: [v for e, v in enumerate(values) if e % 2] for key, values in run.curves.items()
    }
    return LogCase(
        "every_second.tsv",
        "\n".join(rows).encode(),
        Truth(
            "TSV by hand, comments above, validated at every second epoch",
            "CSV, tab",
            (RunTruth(curves, at),),
            num_val=610,
        ),
    )


def trials_as_lines(seed: int) -> LogCase:
    runs = [course(seed + 53 * k, num_val=580) for k in range(3)]
    rows = []
    for k, c in enumerate(runs):
        rows.append({"event": "start", "trial": k, "lr": float(c.lr[0])})
        rows += [
            {
                "event": "epoch",
                "trial": k,
                "epoch": e,
                "train_loss": float(c.train_loss[e]),
                "val_loss": float(c.val_loss[e]),
                "val_acc": float(c.val_acc[e]),
            }
            for e in range(c.num_epochs)
        ]
    return LogCase(
        "trials.jsonl",
        "\n".join(map(json.dumps, rows)).encode(),
        Truth(
            "JSON lines by hand, three trials",
            "JSON lines",
            tuple(run_of(c, 12, 0, *USUAL) for c in runs),
            num_val=580,
        ),
    )


def phases_in_blocks(seed: int) -> LogCase:
    c = course(seed, num_val=930)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"=== Epoch {e + 1} of {c.num_epochs} ===",
            "Training errors:",
            f"    loss {c.train_loss[e]:.4f}",
            f"    accuracy {100 * c.train_acc[e]:.2f} %",
            "Validation errors:",
            f"    loss {c.val_loss[e]:.4f}",
            f"    accuracy {100 * c.val_acc[e]:.2f} %",
            "",
        ]
    run = run_of(c, 4, 1, *LOSSES)
    curves = {
        **run.curves,
        "train accuracy": shares(c.train_acc.tolist(), 2),
        "val accuracy": shares(c.val_acc.tolist(), 2),
    }
    return LogCase(
        "phases.txt",
        "\n".join(lines).encode(),
        Truth(
            "print by hand, a block a phase",
            "plain, by hand",
            (RunTruth(curves, run.labels),),
            num_val=930,
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(geometric, dgl, mlflow_export, percent_cells, bold_markdown, keyed_epochs),
    *(wandb_history, coqui, commented_table, trials_as_lines, phases_in_blocks),
)
