"""The bad input of the contract: a clear refusal or an honest "inconclusive", never more."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator

import numpy as np

from benchmarks.log_reading.judging import Verdict
from recipes.training_logs.diagnosis import diagnose
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import read_log

HONEST = frozenset({"inconclusive"})
"""Codes that claim nothing about a run."""

POINTS = 1_000_000


def bad_verdicts(num_points: int = POINTS) -> Iterator[tuple[str, Verdict]]:
    """Each bad input and what came of it: refused and right are both answers; wrong is a
    finding that the input does not bear, or a refusal that names no cure."""
    for name, data, allowed in _inputs(num_points):
        yield name, _verdict(data, allowed)


def _verdict(data: bytes, allowed: frozenset[str]) -> Verdict:
    try:
        reading = read_log(data, LogOptions(), source="log")
    except LogError as error:
        return Verdict("refused", str(error))
    if reading.refused:
        return Verdict("refused", reading.refused[0][1])
    codes = {each.code for run in reading.runs for each in diagnose(run).findings}
    if codes <= HONEST | allowed:
        return Verdict("right", ", ".join(sorted(codes)))
    return Verdict("wrong", f"claims {', '.join(sorted(codes - HONEST - allowed))}")


def _inputs(num_points: int) -> Iterator[tuple[str, bytes, frozenset[str]]]:
    """Name, content, and the codes that it does bear."""
    t = np.arange(1, 21)
    train, val = 2 * np.exp(-t / 4) + 0.1, 2 * np.exp(-t / 4) + 0.3
    none: frozenset[str] = frozenset()
    yield "unequal length", b'{"loss": [2, 1, 0.5, 0.4], "val_loss": [2, 1]}', none
    yield "one point", b"epoch,train_loss,val_loss\n1,2.3,2.2\n", none
    yield "all NaN", _csv(np.full(20, math.nan), np.full(20, math.nan)), none
    yield "constant", _csv(np.full(20, 0.5), np.full(20, 0.5)), frozenset({"plateau"})
    yield "negative losses", _csv(-train[::-1], -val[::-1]), none
    mixed = "\n".join(f"{e},{v}" for e, v in enumerate([0.1, 0.3, 0.5, 52.0, 55.0, 61.0]))
    yield "fractions mixed with percent", f"epoch,val_acc\n{mixed}\n".encode(), none
    order = np.random.default_rng(1).permutation(20)
    yield "epochs out of order", _csv(train[order], val[order], t[order]), none
    again = np.repeat(t, 3)
    yield "epochs repeated", _csv(np.tile(train, 3), np.tile(val, 3), again), none
    losses = 2.3 * np.exp(-5 * np.arange(num_points) / num_points)
    rows = "\n".join(f"{e},{v:.4f}" for e, v in enumerate(losses))
    yield f"{num_points:,} points", f"step,loss\n{rows}\n".encode(), none
    yield "empty file", b"", none
    yield "blanks alone", b" \n\t\n", none
    yield "binary file", bytes(range(256)) * 20, none
    yield "pickle", pickle.dumps({"loss": [1.0, 0.5]}), none
    yield "damaged gzip", b"\x1f\x8b\x08" + bytes(40), none
    yield "no numeric column", b"epoch,loss\none,low\ntwo,lower\n", none
    yield "no header", b"1,2.3,2.2\n2,2.1,2.0\n", none
    both = "\n".join(f"{e},{v:.4f},{v + 0.2:.4f}" for e, v in enumerate(val))
    yield "two candidate columns", f"epoch,val_loss_a,val_loss_b\n{both}\n".encode(), none
    yield "accuracy above 100", b"epoch,val_acc\n1,20\n2,140\n3,155\n", none


def _csv(train: np.ndarray, val: np.ndarray, epochs: np.ndarray | None = None) -> bytes:
    places = np.arange(1, len(train) + 1) if epochs is None else epochs
    rows = [f"{e},{a:.5f},{b:.5f}" for e, a, b in zip(places, train, val, strict=True)]
    return "\n".join(["epoch,train_loss,val_loss", *rows]).encode()
