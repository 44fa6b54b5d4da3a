"""Files to report on, each by its format's public documentation: text and nested logs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

from benchmarks.log_reading.course import Course, course
from benchmarks.log_reading.report import first_look_tables
from benchmarks.log_reading.truth import LogCase, RunTruth, Truth


def cases() -> Iterator[LogCase]:
    """The tables' and this file's."""
    yield from first_look_tables.cases()
    for number, write in enumerate(WRITERS):
        yield write(number)


def labels(c: Course, first: int = 0) -> list[float]:
    """The epochs, counted from ``first``."""
    return [float(first + e) for e in range(c.num_epochs)]


def rounded(values: object, digits: int) -> list[float]:
    """Values as they are printed."""
    return [round(float(v), digits) for v in values]  # type: ignore[attr-defined]


def imagenet(number: int) -> LogCase:
    c = course(9_000 + number, num_val=5_000, num_epochs=12)
    lines: list[str] = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        mean = 0.0
        for b, value in enumerate(c.batch_losses[e]):
            mean += float(value)
            batches.append(float(f"{value:.4e}"))
            lines.append(
                f"Epoch: [{e}][{10 * b + 1:3d}/391]\tTime  0.512 ( 0.634)\tData  0.010 ( 0.084)"
                f"\tLoss {value:.4e} ({mean / (b + 1):.4e})\tAcc@1  50.00 ( 50.31)\t"
                "Acc@5  87.50 ( 87.90)"
            )
        lines += [
            f"Test: [{b:2d}/20]\tTime  0.313 ( 0.400)\tLoss 9.1234e-01 (9.4321e-01)\t"
            "Acc@1  71.00 ( 71.22)\tAcc@5  92.00 ( 92.11)"
            for b in (1, 11)
        ]
        lines.append(f" *   Acc@1 {100 * c.val_acc[e]:.3f} Acc@5 {99.0:.3f}")
    curves = {
        "val accuracy": rounded(c.val_acc, 5),
        "val top5_accuracy": [0.99] * c.num_epochs,
    }
    return LogCase(
        "imagenet.txt",
        "\n".join(["=> creating model 'resnet18'", *lines]).encode(),
        Truth(
            "pytorch/examples imagenet",
            "plain, PyTorch example",
            (RunTruth(curves, labels(c), batches),),
            num_val=5_000,
        ),
    )


def torchvision_references(number: int) -> LogCase:
    c = course(9_000 + number, num_val=5_000, num_epochs=12)
    lines: list[str] = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(round(float(value), 4))
            lines.append(
                f"Epoch: [{e}]  [{10 * b:3d}/391]  eta: 0:01:{40 - b}  lr: 0.1  "
                f"img/s: 410.11  loss: {value:.4f} ({value + 0.01:.4f})  acc1: 40.6250 (39.1000)  "
                "acc5: 87.5000 (86.0000)  time: 0.1580  data: 0.0021  max mem: 3120"
            )
        lines += [
            f"Epoch: [{e}] Total time: 0:01:02",
            "Test:   [ 0/79]  eta: 0:00:14  loss: 0.9171 (0.9171)  acc1: 70.3125 (70.3125)  "
            "acc5: 96.8750 (96.8750)  time: 0.1831  data: 0.1500  max mem: 3120",
            "Test:  Total time: 0:00:03",
            f"Test:  Acc@1 {100 * c.val_acc[e]:.3f} Acc@5 99.000",
        ]
    curves = {
        "val accuracy": rounded(c.val_acc, 5),
        "val top5_accuracy": [0.99] * c.num_epochs,
    }
    return LogCase(
        "references.log",
        "\n".join(lines).encode(),
        Truth(
            "torchvision references",
            "plain, torchvision",
            (RunTruth(curves, labels(c), batches),),
            num_val=5_000,
            schedule="constant",
            lr=0.1,
        ),
    )


def mmengine_text(number: int) -> LogCase:
    c = course(9_000 + number, num_epochs=12, num_val=1_000)
    lines: list[str] = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(round(float(value), 4))
            lines.append(
                f"2024/05/0{1 + e % 9} 10:{e:02d}:{b:02d} - mmengine - INFO - Epoch(train)  "
                f"[{e + 1}][{100 * (b + 1)}/400]  lr: 1.0000e-02  eta: 0:10:00  time: 0.1000  "
                f"data_time: 0.0100  memory: 812  loss: {value:.4f}"
            )
        lines.append(
            f"2024/05/0{1 + e % 9} 10:{e:02d}:59 - mmengine - INFO - Epoch(val) [{e + 1}][16/16]"
            f"    accuracy/top1: {100 * c.val_acc[e]:.4f}  data_time: 0.0205  time: 0.0310"
        )
    curves = {"val accuracy": rounded(c.val_acc, 6)}
    return LogCase(
        "mmengine.log",
        "\n".join(lines).encode(),
        Truth(
            "MMEngine's text logger",
            "plain, MMEngine",
            (RunTruth(curves, labels(c, 1), batches),),
            num_val=1_000,
            schedule="constant",
            lr=0.01,
        ),
    )


def fairseq_simple(number: int) -> LogCase:
    c = course(9_000 + number)
    lines = []
    for e in range(c.num_epochs):
        updates = 100 * (e + 1)
        lines += [
            f"2022-03-0{1 + e % 9} 11:00:{e:02d} | INFO | train | epoch {e + 1:03d} | "
            f"loss {c.train_loss[e]:.3f} | ppl {2 ** c.train_loss[e]:.2f} | wps 25120.1 | ups 6.8"
            f" | wpb 3692 | bsz 120 | num_updates {updates} | lr 0.0005 | gnorm 1.2"
            f" | wall {e * 30}",
            f"2022-03-0{1 + e % 9} 11:01:{e:02d} | INFO | valid | epoch {e + 1:03d} | "
            f"valid on 'valid' subset | loss {c.val_loss[e]:.3f} | ppl {2 ** c.val_loss[e]:.2f} | "
            f"wps 50120.3 | wpb 2800 | bsz 100 | num_updates {updates}",
        ]
    curves = {
        "train loss": rounded(c.train_loss, 3),
        "val loss": rounded(c.val_loss, 3),
        "train perplexity": rounded(2**c.train_loss, 2),
        "val perplexity": rounded(2**c.val_loss, 2),
    }
    return LogCase(
        "fairseq.log",
        "\n".join(lines).encode(),
        Truth(
            "fairseq, simple format",
            "plain, fairseq",
            (RunTruth(curves, labels(c, 1)),),
            schedule="constant",
            lr=0.0005,
        ),
    )


def nanogpt(number: int) -> LogCase:
    c = course(9_000 + number, per_epoch=5)
    lines: list[str] = ["number of parameters: 10.65M", "compiling the model..."]
    batches: list[float] = []
    for e in range(c.num_epochs):
        lines.append(
            f"step {250 * e}: train loss {c.train_loss[e]:.4f}, val loss {c.val_loss[e]:.4f}"
        )
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(round(float(value), 4))
            lines.append(
                f"iter {250 * e + 50 * b}: loss {value:.4f}, time 43.1{b}ms, mfu 17.{b}0%"
            )
    curves = {"train loss": rounded(c.train_loss, 4), "val loss": rounded(c.val_loss, 4)}
    return LogCase(
        "nanogpt.txt",
        "\n".join(lines).encode(),
        Truth(
            "nanoGPT train.py",
            "plain, by iteration",
            (RunTruth(curves, [250.0 * e for e in range(c.num_epochs)], batches),),
            place="iteration",
        ),
    )


def megatron(number: int) -> LogCase:
    c = course(9_000 + number, per_epoch=3)
    lines: list[str] = []
    batches: list[float] = []
    train_means: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            at = 300 * e + 100 * (b + 1)
            batches.append(float(f"{value:.6E}"))
            lines.append(
                f" iteration {at:8d}/    5000 | consumed samples: {256 * at:12d} | elapsed time "
                f"per iteration (ms): 712.3 | learning rate: 1.500E-04 | global batch size:   256 "
                f"| lm loss: {value:.6E} | loss scale: 1.0 | grad norm: 1.204 | number of skipped "
                "iterations:   0 |"
            )
        train_means.append(float(c.batch_losses[e].mean()))
        lines += [
            "-" * 80,
            f" validation loss at iteration {300 * (e + 1)} | lm loss value: {c.val_loss[e]:.6E} "
            f"| lm loss PPL: {float(2.718281828 ** c.val_loss[e]):.6E} | ",
            "-" * 80,
        ]
    curves = {
        "train loss": train_means,
        "val loss": [float(f"{v:.6E}") for v in c.val_loss],
        "val perplexity": [float(f"{2.718281828**v:.6E}") for v in c.val_loss],
    }
    return LogCase(
        "megatron.log",
        "\n".join(lines).encode(),
        Truth(
            "Megatron-LM",
            "plain, by iteration",
            (RunTruth(curves, [300.0 * (e + 1) for e in range(c.num_epochs)], batches),),
            place="iteration",
            schedule="constant",
            lr=1.5e-4,
        ),
    )


def caffe(number: int) -> LogCase:
    c = course(9_000 + number, num_val=10_000, per_epoch=2)
    lines: list[str] = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        stamp = f"I0612 10:{e:02d}:01.123456  4242 solver.cpp"
        lines += [
            f"{stamp}:330] Iteration {500 * e}, Testing net (#0)",
            f"{stamp}:397]     Test net output #0: accuracy = {c.val_acc[e]:.4f}",
            f"{stamp}:397]     Test net output #1: loss = {c.val_loss[e]:.6g} (* 1 = "
            f"{c.val_loss[e]:.6g} loss)",
        ]
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(float(f"{value:.6g}"))
            lines += [
                f"{stamp}:218] Iteration {500 * e + 250 * b} (82.1 iter/s, 1.2s/100 iters), loss "
                f"= {value:.6g}",
                f"{stamp}:237]     Train net output #0: loss = {value + 0.05:.6g} (* 1 = "
                f"{value + 0.05:.6g} loss)",
                f"I0612 10:{e:02d}:01.123456  4242 sgd_solver.cpp:105] Iteration "
                f"{500 * e + 250 * b}, lr = 0.01",
            ]
    curves = {"val accuracy": rounded(c.val_acc, 4), "val loss": rounded(c.val_loss, 6)}
    return LogCase(
        "caffe.log",
        "\n".join(lines).encode(),
        Truth(
            "Caffe",
            "plain, by iteration",
            (RunTruth(curves, [500.0 * e for e in range(c.num_epochs)], batches),),
            place="iteration",
            num_val=10_000,
            schedule="constant",
            lr=0.01,
        ),
    )


def mxnet(number: int) -> LogCase:
    c = course(9_000 + number, num_val=2_500)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"INFO:root:Epoch[{e}] Batch [0-100]\tSpeed: 1200.21 samples/sec\taccuracy=0.111111",
            f"INFO:root:Epoch[{e}] Train-accuracy={c.train_acc[e]:.6f}",
            f"INFO:root:Epoch[{e}] Time cost=12.{e}11",
            f"INFO:root:Epoch[{e}] Validation-accuracy={c.val_acc[e]:.6f}",
        ]
    curves = {
        "train accuracy": rounded(c.train_acc, 6),
        "val accuracy": rounded(c.val_acc, 6),
    }
    return LogCase(
        "mxnet.log",
        "\n".join(lines).encode(),
        Truth(
            "MXNet Module.fit",
            "plain, MXNet",
            (RunTruth(curves, labels(c)),),
            num_val=2_500,
        ),
    )


def estimator(number: int) -> LogCase:
    c = course(9_000 + number, num_val=4_000, per_epoch=2)
    lines: list[str] = []
    batches: list[float] = []
    for e in range(c.num_epochs):
        for b, value in enumerate(c.batch_losses[e]):
            batches.append(float(f"{value:.6g}"))
            lines.append(
                f"INFO:tensorflow:loss = {value:.6g}, step = {200 * e + 100 * b} (0.512 sec)"
            )
        lines.append(
            f"INFO:tensorflow:Saving dict for global step {200 * (e + 1)}: accuracy = "
            f"{c.val_acc[e]:.6g}, global_step = {200 * (e + 1)}, loss = {c.val_loss[e]:.6g}"
        )
    # The loss of one batch is printed at the iteration of each evaluation but the last.
    at_evaluation = [*batches[2::2], math.nan]
    curves = {
        "train loss": at_evaluation,
        "val accuracy": rounded(c.val_acc, 6),
        "val loss": rounded(c.val_loss, 6),
    }
    return LogCase(
        "estimator.log",
        "\n".join(lines).encode(),
        Truth(
            "TensorFlow Estimator",
            "plain, by iteration",
            (RunTruth(curves, [200.0 * (e + 1) for e in range(c.num_epochs)], batches),),
            place="iteration",
            num_val=4_000,
        ),
    )


def lightning_bar(number: int) -> LogCase:
    c = course(9_000 + number, num_val=800)
    lines = []
    for e in range(c.num_epochs):
        for done in (0, 50, 100):
            full = "█" * (done // 10) + " " * (10 - done // 10)
            end = (
                f", train_loss={c.train_loss[e]:.3f}, val_loss={c.val_loss[e]:.3f}, "
                f"val_acc={c.val_acc[e]:.4f}"
                if done == 100
                else ""
            )
            lines.append(
                f"Epoch {e}: {done:3d}%|{full}| {done // 4}/25 [00:01<00:00, 20.11it/s, "
                f"v_num=0{end}]"
            )
    curves = {
        "train loss": rounded(c.train_loss, 3),
        "val loss": rounded(c.val_loss, 3),
        "val accuracy": rounded(c.val_acc, 4),
    }
    return LogCase(
        "bar.txt",
        "\r".join(lines).encode(),
        Truth(
            "Lightning's progress bar, redirected",
            "plain, progress bar",
            (RunTruth(curves, labels(c)),),
            num_val=800,
        ),
    )


def aligned_sentences(number: int) -> LogCase:
    c = course(9_000 + number, num_val=1_250)
    lines = [
        f"==> Epoch: {e + 1:03d}; train loss is {c.train_loss[e]:.4f}; dev loss is "
        f"{c.val_loss[e]:.4f}; dev accuracy is {100 * c.val_acc[e]:.2f} % "
        f"({c.val_right[e]}/{c.num_val})"
        for e in range(c.num_epochs)
    ]
    curves = {
        "train loss": rounded(c.train_loss, 4),
        "val loss": rounded(c.val_loss, 4),
        "val accuracy": rounded(c.val_acc, 4),
    }
    return LogCase(
        "sentences.txt",
        "\n".join(lines).encode(),
        Truth("print by hand", "plain, by hand", (RunTruth(curves, labels(c, 1)),), num_val=1_250),
    )


def blocks(number: int) -> LogCase:
    c = course(9_000 + number, num_val=640)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"***** epoch {e + 1} of {c.num_epochs} *****",
            f"  [train]  loss = {c.train_loss[e]:.5f}   acc = {c.train_acc[e]:.4f}",
            f"  [valid]  loss = {c.val_loss[e]:.5f}   acc = {c.val_acc[e]:.4f}",
            "",
        ]
    curves = {
        "train loss": rounded(c.train_loss, 5),
        "train accuracy": rounded(c.train_acc, 4),
        "val loss": rounded(c.val_loss, 5),
        "val accuracy": rounded(c.val_acc, 4),
    }
    return LogCase(
        "blocks.out",
        "\n".join(lines).encode(),
        Truth("print by hand", "plain, by hand", (RunTruth(curves, labels(c, 1)),), num_val=640),
    )


def spacy(number: int) -> LogCase:
    c = course(9_000 + number)
    lines = [
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE ",
        "---  ------  ------------  --------  ------  ------  ------  ------",
    ]
    lines += [
        f"{e:3d}  {200 * e:6d}  {100 * a:12.2f}  {100 * b:8.2f}  {100 * p:6.2f}  {100 * p:6.2f}  "
        f"{100 * p:6.2f}  {p:6.2f}"
        for e, (a, b, p) in enumerate(zip(c.train_loss, c.val_loss, c.val_acc, strict=True))
    ]
    return LogCase(
        "spacy.txt",
        "\n".join(lines).encode(),
        Truth(
            "spaCy train",
            "plain, table",
            (),
            unreadable="it has the losses of two components and no validation loss",
        ),
    )


def detectron(number: int) -> LogCase:
    c = course(9_000 + number, per_epoch=1, num_epochs=20)
    lines = [
        json.dumps(
            {
                "data_time": 0.002,
                "eta_seconds": 90.1 - e,
                "iteration": 20 * e + 19,
                "loss_box_reg": c.train_loss[e] / 3,
                "loss_cls": c.train_loss[e] / 2,
                "lr": 0.00025,
                "time": 0.2,
                "total_loss": c.train_loss[e],
            }
        )
        for e in range(c.num_epochs)
    ]
    return LogCase(
        "metrics.json",
        "\n".join(lines).encode(),
        Truth(
            "Detectron2 metrics.json",
            "JSON lines",
            (RunTruth({}, None, c.train_loss.tolist()),),
            place="iteration",
            schedule="constant",
            lr=0.00025,
        ),
    )


def ignite(number: int) -> LogCase:
    c = course(9_000 + number, num_val=500)
    lines = []
    for e in range(c.num_epochs):
        lines += [
            f"Training Results - Epoch: {e + 1}  Avg accuracy: {c.train_acc[e]:.2f} Avg loss: "
            f"{c.train_loss[e]:.2f}",
            f"Validation Results - Epoch: {e + 1}  Avg accuracy: {c.val_acc[e]:.2f} Avg loss: "
            f"{c.val_loss[e]:.2f}",
        ]
    curves = {
        "train loss": rounded(c.train_loss, 2),
        "train accuracy": rounded(c.train_acc, 2),
        "val loss": rounded(c.val_loss, 2),
        "val accuracy": rounded(c.val_acc, 2),
    }
    return LogCase(
        "ignite.txt",
        "\n".join(lines).encode(),
        Truth(
            "Ignite's MNIST example",
            "plain, Ignite",
            (RunTruth(curves, labels(c, 1)),),
            num_val=500,
        ),
    )


WRITERS: tuple[Callable[[int], LogCase], ...] = (
    *(imagenet, torchvision_references, mmengine_text, fairseq_simple, nanogpt, megatron, caffe),
    *(mxnet, estimator, lightning_bar, aligned_sentences, blocks, spacy, detectron, ignite),
)
