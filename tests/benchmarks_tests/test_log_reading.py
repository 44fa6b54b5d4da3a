"""The bench of logs: its judge tells right from wrong, and its files are read as it says."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.log_reading.__main__ import verdict
from benchmarks.log_reading.bad_input import bad_verdicts
from benchmarks.log_reading.judging import judge
from benchmarks.log_reading.page import Row, page_of
from benchmarks.log_reading.truth import FILES, MOVED, SUFFIX, RunTruth, Truth, read
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import read_log

CSV = b"epoch,train_loss,val_loss,val_acc\n1,2.0,2.1,0.25\n2,1.5,1.7,0.5\n3,1.2,1.6,0.75\n"
TRUTH = Truth(
    made_by="by hand",
    format="CSV, comma",
    runs=(
        RunTruth(
            {
                "train loss": [2.0, 1.5, 1.2],
                "val loss": [2.1, 1.7, 1.6],
                "val accuracy": [0.25, 0.5, 0.75],
            },
            [1.0, 2.0, 3.0],
        ),
    ),
)
SOURCES = sorted(
    path.with_name(path.name.removesuffix(SUFFIX)) for path in FILES.glob(f"*/*{SUFFIX}")
)


def with_run(**changes):
    return dataclasses.replace(TRUTH, runs=(dataclasses.replace(TRUTH.runs[0], **changes),))


def curves(**changes):
    return {**TRUTH.runs[0].curves, **{k.replace("_", " "): v for k, v in changes.items()}}


def test_what_is_true_is_right():
    assert judge(read_log(CSV, LogOptions(), source="log"), TRUTH).outcome == "right"


@pytest.mark.parametrize(
    ("truth", "outcome"),
    [
        pytest.param(with_run(curves=curves(val_loss=[2.1, 1.7, 1.61])), "wrong", id="number"),
        pytest.param(with_run(labels=[0.0, 1.0, 2.0]), "wrong", id="place"),
        pytest.param(with_run(curves=curves(train_accuracy=[0.1] * 3)), "in part", id="missing"),
        pytest.param(
            with_run(curves={"val loss": [2.1, 1.7, 1.6]}), "wrong", id="a curve there is not"
        ),
        pytest.param(dataclasses.replace(TRUTH, runs=TRUTH.runs * 2), "wrong", id="runs"),
        pytest.param(dataclasses.replace(TRUTH, place="iteration"), "wrong", id="unit of places"),
        pytest.param(dataclasses.replace(TRUTH, unreadable="no one can"), "wrong", id="a guess"),
    ],
)
def test_the_judge(truth, outcome):
    assert judge(read_log(CSV, LogOptions(), source="log"), truth).outcome == outcome


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: f"{each.parent.name}/{each.name}")
def test_no_file_of_the_bench_is_read_wrongly(source):
    if source.is_dir():
        pytest.importorskip("tensorboard")
    found = verdict(source, read(source))
    assert found.outcome != "wrong", found.why


def test_bad_input_bears_no_claim():
    found = dict(bad_verdicts(num_points=20_000))
    assert len(found) == 18
    assert {name: each.why for name, each in found.items() if each.outcome == "wrong"} == {}


def test_files_that_moved_are_for_calibration_alone():
    assert not [path for path in SOURCES if path.name in MOVED and path.parent.name == "report"]
    assert all((FILES / "calibration" / name).exists() for name in MOVED)


def test_the_kept_files_are_small():
    sizes = {path: path.stat().st_size for path in FILES.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 60_000
    assert sum(sizes.values()) < 1_000_000


def test_the_page_counts_each_outcome():
    right = judge(read_log(CSV, LogOptions(), source="log"), TRUTH)
    rows = [Row("report", "a", "CSV", "by hand", right), Row("bad", "c", "", "", right)]
    page = page_of(rows)
    assert "| report (1) | 1 | 0 | 0 | 0 |" in page
    assert "| a | CSV | by hand | right |  |" in page
