"""What a column's name says: which metric, on which samples, or what else it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test", ""]
What = Literal["metric", "epoch", "iteration", "lr", "run", "split", "ignored"]

SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validating", "dev"), "val"),
    **dict.fromkeys(("eval", "evaluation", "evaluating", "validate"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}

MINIMISED = (
    "loss",
    "error",
    "mse",
    "rmse",
    "mae",
    "perplexity",
    "wer",
    "cer",
    "fid",
    "bpc",
)
MAXIMISED = (
    *("accuracy", "r2", "f1", "auc", "iou", "dice", "map", "precision", "recall", "bleu", "rouge"),
    *("kappa", "mcc", "psnr", "ssim", "balanced_accuracy", "top5_accuracy"),
)

METRICS = {
    **{name: name for name in (*MINIMISED, *MAXIMISED)},
    **dict.fromkeys(("losses", "nll", "xent", "ce", "bce", "crossentropy", "cost"), "loss"),
    **dict.fromkeys(("acc", "accu", "accuracies", "acc1", "top1", "prec1"), "accuracy"),
    **dict.fromkeys(("err", "errors", "err1"), "error"),
    **dict.fromkeys(("acc5", "top5", "prec5"), "top5_accuracy"),
    **dict.fromkeys(("auroc", "rocauc"), "auc"),
    **dict.fromkeys(("miou", "jaccard"), "iou"),
    **dict.fromkeys(("fscore", "f1score"), "f1"),
    **dict.fromkeys(("ppl",), "perplexity"),
}

NEVER = frozenset(
    (
        *("best", "min", "max", "std", "stdev", "stderr", "var", "time", "duration", "eta", "sec"),
        *(
            "seconds",
            "grad",
            "gradient",
            "norm",
            "scale",
            "scaler",
            "memory",
            "mem",
            "gpu",
            "wall",
        ),
        *("samples", "images", "speed", "throughput", "patience", "count", "num", "target"),
        *("delta", "diff", "gap", "lambda", "weight", "runtime", "size", "total"),
    )
)
"""Words that make of a metric's name something else: a running best, a spread, a clock."""

PLAIN = frozenset(
    (
        *("avg", "average", "mean", "epoch", "categorical", "sparse"),
        *("binary", "cross", "entropy", "score", "rate", "at", "set", "the", "on", "value", "top"),
        *("1", "k", "prec", "percent", "pct", "metrics", "metric", "summary", "overall", "data"),
    )
)
"""Words that change nothing about what a metric is."""

PER_ITERATION = frozenset(("step", "batch", "iter", "iteration", "minibatch", "running"))
EPOCHS = frozenset(("epoch", "epochs", "ep"))
ITERATIONS = frozenset(
    ("step", "steps", "iter", "iters", "iteration", "iterations", "globalstep", "batch", "update")
)
RUNS = frozenset(("run", "runid", "trial", "seed", "fold", "experiment", "model", "arch"))
SPLIT_COLUMNS = frozenset(("split", "phase", "mode", "subset", "stage", "dataset", "set"))


@dataclass(frozen=True, slots=True)
class Role:
    """What a column is.

    Attributes:
        metric: Canonical name; empty where ``what`` is no metric.
        split: Empty where the name does not tell.
        is_clean: Every word of the name is understood; else it is a component or a variant.
        per_iteration: The name says that it is of single batches.
        is_rate: An error that its name calls a rate of wrong answers.
    """

    what: What
    metric: str = ""
    split: Split = ""
    is_clean: bool = True
    per_iteration: bool = False
    is_rate: bool = False

    @property
    def maximise(self) -> bool:
        """Whether more of it is better."""
        return self.metric in MAXIMISED


IGNORED = Role("ignored")


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: ``valTop1-Acc`` is val, top1, acc."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    found = re.findall(
        r"[a-z]+\d*|\d+", spaced.lower().replace("²", "2").replace("%", " percent ")
    )
    joined: list[str] = []
    for word in found:
        if (
            joined
            and word in ("1", "5")
            and joined[-1] in ("top", "acc", "prec", "err", "accuracy")
        ):
            joined[-1] = ("acc" if joined[-1] == "accuracy" else joined[-1]) + word
        elif joined and (joined[-1], word) in (("cross", "entropy"), ("learning", "rate")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def role_of(name: str) -> Role:
    """What a column of this name most likely is; ``ignored`` where the name says nothing."""
    words = words_of(name)
    if not words:
        return IGNORED
    if words[0] == "lr" or "learningrate" in words or words[-1] == "lr":
        return Role("lr")
    if "perplexity" not in words and set(words) <= EPOCHS | {
        "current",
        "num",
        "number",
        "no",
        "idx",
    }:
        return Role("epoch") if EPOCHS & set(words) else IGNORED
    if set(words) <= ITERATIONS | {"global", "num", "trainer", "train"} and ITERATIONS & set(
        words
    ):
        return Role("iteration")
    if len(words) <= 2 and (words[0] in RUNS or "".join(words) in RUNS) and words[-1] != "time":
        return Role("run")
    if len(words) == 1 and words[0] in SPLIT_COLUMNS:
        return Role("split")
    return _metric(words)


def _metric(words: list[str]) -> Role:
    found = [METRICS[word] for word in words if word in METRICS]
    if not found or NEVER.intersection(words):
        return IGNORED
    split: Split = next((SPLITS[word] for word in words if word in SPLITS), "")
    metric = _kind(words, found)
    known = {*METRICS, *SPLITS, *PLAIN, *PER_ITERATION, "balanced", "crossentropy"}
    if metric != "loss":
        known |= {"cls", "classification"}  # a loss of that name is one of several
    return Role(
        "metric",
        metric,
        split,
        is_clean=known.issuperset(words),
        per_iteration=bool(PER_ITERATION.intersection(words)),
        is_rate=metric == "error"
        and bool({"rate", "top1", "err1", "cls", "percent"} & set(words)),
    )


def _kind(words: list[str], found: list[str]) -> str:
    """One metric out of the words that name one: ``top1 err`` is an error, ``map`` no accuracy."""
    if "accuracy" in found and "balanced" in words:
        return "balanced_accuracy"
    if {"5", "top5", "acc5", "prec5"}.intersection(words):
        return "top5_accuracy" if "error" not in found else "top5_error"
    if "perplexity" in found:
        return "perplexity"  # Megatron's "lm loss PPL"
    for name in ("error", "loss"):
        if name in found and not ({"mse", "mae", "rmse"} & set(found) and name == "error"):
            return name
    if "accuracy" in found:
        return "accuracy"
    return found[0]
