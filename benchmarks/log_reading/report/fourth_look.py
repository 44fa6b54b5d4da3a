"""Files to report on, written after the third look: kinds that were in none before."""

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
        yield write(74_000 + 19 * number)


def torch_quickstart(seed: int) -> LogCase:
    c = course(seed, num_val=10_000)
    lines = []
    for e in range(c.num_epochs):
        lines += [f"Epoch {e + 1}", "-------------------------------"]
        lines += [
            f"loss: {loss:>7f}  [{(100 * b + 1) * 64:>5d}/60000]"
            for b, loss in enumerate(c.batch_losses[e])
        ]
        lines += [
            "Test Error: ",
            f" Accuracy: {100 * c.val_acc[e]:>0.1f}%, Avg loss: {c.val_loss[e]:>8f} ",
            "",
        ]
    run = run_of(c, 6, 1, "val loss")
    curves = {
        **run.curves,
        "train loss": means_of(c, 6),
        "val accuracy": shares(c.val_acc.tolist(), 1),
    }
    return LogCase(
        "quickstart.txt",
        "\n".join([*lines, "Done!"]).encode(),
        Truth(
            "PyTorch's quickstart",
            "plain, PyTorch example",
            (RunTruth(curves, run.labels, batches_of(c, 6)),),
            num_val=10_000,
        ),
    )


def darknet(seed: int) -> LogCase:
    c = course(seed, num_epochs=30)
    lines = ["Learning Rate: 0.001, Momentum: 0.9, Decay: 0.0005"]
    for e, loss in enumerate(c.train_loss):
        lines += [
            "Loaded: 0.000041 seconds",
            f"{e + 1}: {loss + 0.01:.6f}, {loss:.6f} avg, 0.001000 rate, 3.129000 seconds, "
            f"{64 * (e + 1)} images",
        ]
    return LogCase(
        "darknet.log",
        "\n".join(lines).encode(),
        Truth(
            "Darknet's detector",
            "plain, by iteration",
            (RunTruth({}, None, [round(float(v) + 0.01, 6) for v in c.train_loss]),),
            place="iteration",
            schedule="constant",
            lr=0.001,
        ),
    )


def chainer_table(seed: int) -> LogCase:
    c = course(seed, num_val=500)
    lines = ["epoch       iteration   main/loss   validation/main/loss  main/accuracy"]
    lines[0] += "  validation/main/accuracy  elapsed_time"
    lines += [
        f"{e + 1:<12d}{60 * (e + 1):<12d}{c.train_loss[e]:<12.6g}{c.val_loss[e]:<22.6g}"
        f"{c.train_acc[e]:<15.6g}{c.val_acc[e]:<26.6g}{7.1 * (e + 1):<12.6g}"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "print_report.txt",
        "\n".join(lines).encode(),
        Truth(
            "Chainer PrintReport",
            "table with blanks",
            (run_of(c, 6, 1, *ALL),),
            num_val=500,
            tolerance=1e-5,
        ),
    )


def opennmt(seed: int) -> LogCase:
    c = course(seed, num_val=3_000)
    lines = []
    for e in range(c.num_epochs):
        for b, loss in enumerate(c.batch_losses[e]):
            at = 100 * (c.batch_losses.shape[1] * e + b + 1)
            lines.append(
                f"[2024-03-01 09:00:00,511 INFO] Step {at}/ 6400; acc: {40 + e:.1f}; ppl: "
                f"{2.718281828**loss:.2f}; xent: {loss:.4f}; lr: 0.00100; sents:   6400; "
                f"bsz: 3200/2800/64; 21000/19000 tok/s; {at // 10} sec;"
            )
        lines += [
            "[2024-03-01 09:01:00,100 INFO] valid stats calculation",
            f"[2024-03-01 09:01:02,100 INFO] Train perplexity: "
            f"{2.718281828 ** c.train_loss[e]:.4f}",
            f"[2024-03-01 09:01:02,101 INFO] Train accuracy: {100 * c.train_acc[e]:.4f}",
            f"[2024-03-01 09:01:02,102 INFO] Validation perplexity: "
            f"{2.718281828 ** c.val_loss[e]:.4f}",
            f"[2024-03-01 09:01:02,103 INFO] Validation accuracy: {100 * c.val_acc[e]:.4f}",
        ]
    per_epoch = 100 * c.batch_losses.shape[1]
    keys = {
        "train perplexity": [round(2.718281828**v, 4) for v in c.train_loss.tolist()],
        "train accuracy": shares(c.train_acc.tolist(), 4),
        "val perplexity": [round(2.718281828**v, 4) for v in c.val_loss.tolist()],
        "val accuracy": shares(c.val_acc.tolist(), 4),
    }
    labels = [float(per_epoch * (e + 1)) for e in range(c.num_epochs)]
    return LogCase(
        "opennmt.log",
        "\n".join(lines).encode(),
        Truth(
            "OpenNMT-py",
            "plain, by iteration",
            (RunTruth(keys, labels, batches_of(c, 4)),),
            place="iteration",
            num_val=3_000,
            schedule="constant",
            lr=0.001,
            tolerance=1e-5,
        ),
    )


def yolo_classify(seed: int) -> LogCase:
    c = course(seed, num_val=400, decay=0.1)
    head = "epoch,time,train/loss,metrics/accuracy_top1,metrics/accuracy_top5,val/loss"
    rows = [f"{head},lr/pg0,lr/pg1,lr/pg2"]
    for e in range(c.num_epochs):
        rate = ",".join([f"{c.lr[e]:.6g}"] * 3)
        rows.append(
            f"{e + 1},{3.2 * (e + 1):.5g},{c.train_loss[e]:.5f},{c.val_acc[e]:.5f},0.99,"
            f"{c.val_loss[e]:.5f},{rate}"
        )
    run = run_of(c, 5, 1, *USUAL)
    curves = {**run.curves, "val top5_accuracy": [0.99] * c.num_epochs}
    return LogCase(
        "results_classify.csv",
        "\n".join(rows).encode(),
        Truth(
            "Ultralytics classify results.csv",
            "CSV, comma",
            (RunTruth(curves, run.labels),),
            num_val=400,
            schedule="decayed",
            lr=float(c.lr[0]),
        ),
    )


def flax(seed: int) -> LogCase:
    c = course(seed, num_val=1_000)
    lines = [
        f"I0301 10:00:0{e % 10}.123456 140 train.py:146] epoch:{e + 1: 3d}, train_loss: "
        f"{c.train_loss[e]:.4f}, train_accuracy: {100 * c.train_acc[e]:.2f}, test_loss: "
        f"{c.val_loss[e]:.4f}, test_accuracy: {100 * c.val_acc[e]:.2f}"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 4, 1, *ALL)
    curves = {**run.curves, "train accuracy": shares(c.train_acc.tolist(), 2)}
    return LogCase(
        "flax.log",
        "\n".join(lines).encode(),
        Truth(
            "Flax's MNIST example",
            "plain, JAX example",
            (RunTruth(curves, run.labels),),
            num_val=1_000,
        ),
    )


def flux(seed: int) -> LogCase:
    c = course(seed, num_val=1_000)
    lines = [
        f"Epoch: {e + 1}   Train: (loss = {c.train_loss[e]:.4f}, acc = "
        f"{100 * c.train_acc[e]:.4f})   Test: (loss = {c.val_loss[e]:.4f}, acc = "
        f"{100 * c.val_acc[e]:.4f})"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 4, 1, *ALL)
    curves = {**run.curves, "train accuracy": shares(c.train_acc.tolist(), 4)}
    return LogCase(
        "flux.txt",
        "\n".join(lines).encode(),
        Truth(
            "Flux's model zoo",
            "plain, Julia example",
            (RunTruth(curves, run.labels),),
            num_val=1_000,
        ),
    )


def llama_factory(seed: int) -> LogCase:
    c = course(seed, num_val=900)
    lines, total = [], 10 * c.batch_losses.size
    for e in range(c.num_epochs):
        for b, loss in enumerate(c.batch_losses[e]):
            at = 10 * (c.batch_losses.shape[1] * e + b + 1)
            shared = {
                "epoch": round(at / total * c.num_epochs, 4),
                "percentage": round(100 * at / total, 2),
                "elapsed_time": "0:00:10",
                "remaining_time": "0:01:10",
            }
            place = {"current_steps": at, "total_steps": total}
            lines.append({**place, "loss": round(float(loss), 4), "lr": 5e-05, **shared})
        lines.append({**place, "eval_loss": round(float(c.val_loss[e]), 4), **shared})
    run = run_of(c, 4, 1, "val loss")
    return LogCase(
        "trainer_log.jsonl",
        "\n".join(map(json.dumps, lines)).encode(),
        Truth(
            "LLaMA-Factory's trainer log",
            "JSON lines",
            (
                RunTruth(
                    {**run.curves, "train loss": means_of(c, 4)}, run.labels, batches_of(c, 4)
                ),
            ),
            schedule="constant",
            lr=5e-05,
        ),
    )


def notebook_table(seed: int) -> LogCase:
    c = course(seed, num_val=408)
    lines = ["Epoch\tTraining Loss\tValidation Loss\tAccuracy\tF1"]
    lines += [
        f"{e + 1}\t{c.train_loss[e]:.6f}\t{c.val_loss[e]:.6f}\t{c.val_acc[e]:.6f}\t0.{80 + e}0000"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 6, 1, *USUAL)
    f1 = [float(f"0.{80 + e}") for e in range(c.num_epochs)]
    return LogCase(
        "notebook.tsv",
        "\n".join(lines).encode(),
        Truth(
            "Hugging Face Trainer's notebook table, pasted",
            "CSV, tab",
            (RunTruth({**run.curves, "val f1": f1}, run.labels),),
            num_val=408,
        ),
    )


def logfmt(seed: int) -> LogCase:
    c = course(seed, num_val=777)
    lines = [
        f'ts=2024-05-02T11:{e:02d}:00Z level=info msg="epoch done" epoch={e} '
        f"train_loss={c.train_loss[e]:.5f} valid_loss={c.val_loss[e]:.5f} "
        f"valid_acc={c.val_acc[e]:.5f} lr={c.lr[e]:g} took=12.5s"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "job.log",
        "\n".join(lines).encode(),
        Truth(
            "logfmt by hand",
            "plain, by hand",
            (run_of(c, 5, 0, *USUAL),),
            num_val=777,
            schedule="constant",
            lr=float(c.lr[0]),
        ),
    )


def yaml_history(seed: int) -> LogCase:
    c = course(seed, num_val=650)
    lines = ["name: baseline", "history:"]
    for e in range(c.num_epochs):
        lines += [
            f"  - epoch: {e + 1}",
            f"    train_loss: {c.train_loss[e]:.5f}",
            f"    val_loss: {c.val_loss[e]:.5f}",
            f"    val_accuracy: {c.val_acc[e]:.5f}",
        ]
    return LogCase(
        "history.yaml",
        "\n".join(lines).encode(),
        Truth("YAML by hand", "YAML", (run_of(c, 5, 1, *USUAL),), num_val=650),
    )


def utf16(seed: int) -> LogCase:
    c = course(seed, num_val=260)
    rows = ["Epoch\tTrain Loss\tVal Loss\tVal Acc"]
    rows += [
        f"{e + 1}\t{c.train_loss[e]:.4f}\t{c.val_loss[e]:.4f}\t{c.val_acc[e]:.4f}"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "unicode.txt",
        "\r\n".join(rows).encode("utf-16"),
        Truth("spreadsheet, UTF-16", "CSV, tab", (run_of(c, 4, 1, *USUAL),), num_val=260),
    )


def two_headers(seed: int) -> LogCase:
    c = course(seed, num_val=350)
    rows = ["split,train,train,val,val", "metric,loss,accuracy,loss,accuracy", "epoch,,,,"]
    rows += [
        f"{e + 1},{c.train_loss[e]:.5f},{c.train_acc[e]:.5f},{c.val_loss[e]:.5f},"
        f"{c.val_acc[e]:.5f}"
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "columns.csv",
        "\n".join(rows).encode(),
        Truth(
            "a data frame's to_csv, columns of two levels",
            "CSV, comma",
            (run_of(c, 5, 1, *ALL),),
            num_val=350,
        ),
    )


def ray_results(seed: int) -> LogCase:
    c = course(seed, num_val=420)
    rows = [
        {
            "train_loss": float(c.train_loss[e]),
            "val_loss": float(c.val_loss[e]),
            "mean_accuracy": float(c.val_acc[e]),
            "done": e + 1 == c.num_epochs,
            "training_iteration": e + 1,
            "trial_id": "a1b2c_00000",
            "time_this_iter_s": 2.5,
            "config": {"lr": float(c.lr[0]), "batch_size": 64},
        }
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 12, 1, *USUAL)
    return LogCase(
        "result.json",
        "\n".join(map(json.dumps, rows)).encode(),
        Truth(
            "Ray Tune's result.json",
            "JSON lines",
            (run,),
            num_val=420,
            schedule="constant",
            lr=float(c.lr[0]),
        ),
    )


def regression(seed: int) -> LogCase:
    c = course(seed)
    lines = [
        f"[{e + 1:03d}/{c.num_epochs:03d}] train MSE {c.train_loss[e]:.5f} | valid MSE "
        f"{c.val_loss[e]:.5f} | valid R2 {1 - c.val_loss[e] / 4:.4f}"
        for e in range(c.num_epochs)
    ]
    run = run_of(c, 5, 1, *LOSSES)
    curves = {
        "train mse": run.curves["train loss"],
        "val mse": run.curves["val loss"],
        "val r2": [round(1 - v / 4, 4) for v in c.val_loss.tolist()],
    }
    return LogCase(
        "regression.log",
        "\n".join(lines).encode(),
        Truth("print by hand, regression", "plain, by hand", (RunTruth(curves, run.labels),)),
    )


def sweep(seed: int) -> LogCase:
    runs = [course(seed + 70 * k, num_val=540) for k in range(3)]
    lines = []
    for k, c in enumerate(runs):
        lines.append(f"===== Trial {k + 1}/3: lr={0.1 / 10**k:g}, weight_decay=0.0001 =====")
        lines += [
            f"  epoch {e + 1:2d}  train loss {c.train_loss[e]:.4f}  val loss "
            f"{c.val_loss[e]:.4f}  val acc {c.val_acc[e]:.4f}"
            for e in range(c.num_epochs)
        ]
        lines.append(f"Trial {k + 1} best val acc {c.val_acc.max():.4f}")
    return LogCase(
        "sweep.log",
        "\n".join(lines).encode(),
        Truth(
            "print by hand, three trials",
            "plain, by hand",
            tuple(run_of(c, 4, 1, *USUAL) for c in runs),
            num_val=540,
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(torch_quickstart, darknet, chainer_table, opennmt, yolo_classify, flax, flux),
    *(llama_factory, notebook_table, logfmt, yaml_history, utf16, two_headers, ray_results),
    *(regression, sweep),
)
