"""Files of every format are read as what they are, or refused; none is read wrongly."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from recipes.training_logs.diagnosis import diagnose
from recipes.training_logs.errors import LogError
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import read_event_files, read_log
from recipes.training_logs.text import is_event_file

SAMPLES = Path(__file__).parent / "samples"
EPOCHS = 20


def one(text, **options):
    """The only run of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    reading = read_log(data, LogOptions(**options), source="log")
    assert reading.refused == []
    (run,) = reading.runs
    return run


def turning():
    """Losses that part at epoch 9, and accuracies of 5,000 samples that fall from there."""
    t = np.arange(1, EPOCHS + 1)
    train = 2.3 * np.exp(-t / 6) + 0.05
    val = 2.3 * np.exp(-t / 5) + 0.4 + 0.08 * np.maximum(0, t - 8)
    right = np.round(5_000 * (0.85 * (1 - np.exp(-t / 3)) - 0.004 * np.maximum(0, t - 8)))
    return train, val, right / 5_000


TRAIN, VAL, ACCURACY = turning()


def is_right(run, *, has_accuracy=True):
    """The curves are these, on the splits they are of."""
    assert run.curves["loss", "train"] == pytest.approx(TRAIN, abs=1e-3)
    assert run.curves["loss", "val"] == pytest.approx(VAL, abs=1e-3)
    if has_accuracy:
        assert run.curves["accuracy", "val"] == pytest.approx(ACCURACY, abs=1e-4)
        assert run.inferred.num_val == 5_000
    assert "overtraining" in [each.code for each in diagnose(run).findings]


def table(separator, header, percent=False, comma=False):
    scale = 100 if percent else 1
    rows = [
        f"{e + 1}{separator}{a:.4f}{separator}{b:.4f}{separator}{scale * c:.4f}"
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    ]
    if comma:
        rows = [row.replace(".", ",") for row in rows]
    return "\n".join([separator.join(header), *rows]) + "\n"


HEADER = ("epoch", "train_loss", "val_loss", "val_acc")


@pytest.mark.parametrize("separator", [",", ";", "\t", "  "])
@pytest.mark.parametrize("percent", [False, True])
def test_separated(separator, percent):
    is_right(one(table(separator, HEADER, percent)))


def test_decimal_commas():
    run = one(table(";", HEADER, comma=True))
    is_right(run)
    assert any("decimal comma" in note for note in run.inferred.notes)


@pytest.mark.parametrize(
    "header",
    [
        ("Epoch", "Train Loss", "Valid Loss", "Valid Accuracy"),
        ("epoch", "train/loss", "val/loss", "val/acc1"),
        ("epoch", "loss", "val_loss", "val_accuracy"),
        ("epoch", "train_loss", "valid_loss", "accuracy"),
        ("Ep", "trainLoss", "testLoss", "testTop1"),
        ("epoch", "training_nll", "validation_nll", "validation_top-1"),
        ("epoch", "tr_loss", "dev_loss", "dev_acc"),
    ],
)
def test_names(header):
    is_right(one(table(",", header)))


def test_error_rates_become_accuracies():
    rows = "\n".join(
        f"{e},{a:.4f},{b:.4f},{100 * (1 - c):.2f}"
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    )
    run = one("epoch,train_loss,val_loss,val_top1_err\n" + rows)
    is_right(run)
    assert run.inferred.direction == "maximize"


def test_a_mean_absolute_error_is_no_rate():
    rows = "\n".join(f"{e},{v:.6f},{math.sqrt(v) / 2:.6f}" for e, v in enumerate(VAL))
    run = one("epoch,val_loss,val_error\n" + rows)
    assert ("accuracy", "val") not in run.curves
    assert run.inferred.metric == "loss"


def test_json_history():
    history = {
        "loss": [*map(float, TRAIN)],
        "val_loss": [*map(float, VAL)],
        "val_accuracy": [*map(float, ACCURACY)],
    }
    is_right(one(json.dumps(history)))
    is_right(one(json.dumps({"history": history})))
    nested = {
        "train": {"loss": history["loss"]},
        "val": {"loss": history["val_loss"], "accuracy": history["val_accuracy"]},
    }
    is_right(one(json.dumps(nested)))


def in_pairs(values, *, every=1):
    return [[every * at, float(value)] for at, value in enumerate(values, start=1)]


@pytest.mark.parametrize(("every", "place"), [(1, "epoch"), (500, "iteration")])
def test_json_pairs_of_place_and_value(every, place):
    document = {"loss": in_pairs(TRAIN, every=every), "val_loss": in_pairs(VAL, every=every)}
    run = one(json.dumps(document))

    is_right(run, has_accuracy=False)
    assert run.inferred.place == place
    assert run.labels.tolist() == [every * at for at in range(1, EPOCHS + 1)]


def test_json_pairs_at_places_of_their_own():
    train = [pair for at, a in in_pairs(TRAIN, every=500) for pair in ([at - 250, a + 1], [at, a])]
    run = one(json.dumps({"train_loss": train, "val_loss": in_pairs(VAL, every=500)}))

    is_right(run, has_accuracy=False)
    assert run.labels.tolist() == [500 * at for at in range(1, EPOCHS + 1)]


def test_json_pairs_of_two_values_are_not_read_as_places_and_values():
    both = [[float(a), float(b)] for a, b in zip(TRAIN, VAL, strict=True)]
    with pytest.raises(LogError, match="loss: pairs that do not begin with a place"):
        one(json.dumps({"loss": both}))

    run = one(json.dumps({"loss": [*TRAIN], "val_loss": [*VAL], "accuracy": both}))
    is_right(run, has_accuracy=False)
    assert any("accuracy left out: pairs" in note for note in run.inferred.notes)


def rows():
    return [
        {"epoch": e + 1, "train": {"loss": float(a)}, "val_loss": float(b), "val_acc": float(c)}
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    ]


def test_json_rows_and_lines():
    is_right(one(json.dumps(rows())))
    is_right(one(json.dumps({"log_history": rows()})))
    lines = "\n".join(map(json.dumps, rows()))
    is_right(one(lines))
    is_right(one("\n".join(str(row) for row in rows())))
    cut = one(lines + '\n{"epoch": 21, "val_lo')
    is_right(cut)
    assert any("no JSON" in note for note in cut.inferred.notes)


def test_json_runs_are_told_apart():
    document = {name: {"loss": [*TRAIN], "val_loss": [*VAL]} for name in ("small", "large")}
    reading = read_log(json.dumps(document).encode(), LogOptions(), source="log")
    assert [run.name for run in reading.runs] == ["small", "large"]


def test_mode_lines():
    lines = []
    for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True)):
        lines += [
            {"mode": "train", "epoch": e + 1, "iter": 10 * at, "loss": a + 0.01} for at in range(5)
        ]
        lines[-1]["loss"] = a - 0.04
        lines.append({"mode": "val", "epoch": e + 1, "iter": 50, "loss": b, "accuracy": c})
    run = one("\n".join(json.dumps(each) for each in lines))
    is_right(run)
    assert len(run.losses) == 5 * EPOCHS


def test_long_rows():
    lines = [
        json.dumps({"epoch": row["epoch"], "metric": name, "value": value})
        for row in rows()
        for name, value in (("train_loss", row["train"]["loss"]), ("val_loss", row["val_loss"]))
    ]
    is_right(one("\n".join(lines)), has_accuracy=False)


def test_markdown_tables():
    head = "| epoch | train loss | val loss | val acc |\n|---|:---:|---|---|\n"
    body = "".join(
        f"| {e + 1} | {a:.4f} | {b:.4f} | **{100 * c:.2f} %** |\n"
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    )
    is_right(one(f"# A run\n\nWords.\n\n{head}{body}\nMore words.\n"))


def test_markdown_tables_of_each_split():
    def part(values):
        lines = "".join(f"| {e + 1} | {v:.4f} |\n" for e, v in enumerate(values))
        return f"| epoch | loss |\n| --- | --- |\n{lines}\n"

    text = f"## Training\n\n{part(TRAIN)}## Validation\n\n{part(VAL)}"
    is_right(one(text), has_accuracy=False)


PLAIN = {
    "dashes": "Epoch {e}/20\n----------\nlr: 0.1\ntrain Loss: {a:.4f}\n"
    "val Loss: {b:.4f} Acc: {c:.4f}\n",
    "bars": "Epoch: {e:02d} | Train Loss: {a:.4f} | Val. Loss: {b:.4f} | Val. Acc: {p:.2f}%\n",
    "counts": "Train Epoch: {e} [0/600 (0%)]\tLoss: {a:.4f}\n"
    "\nTest set: Average loss: {b:.4f}, Accuracy: {k}/5000 ({q:.0f}%)\n",
    "logger": "2024-03-01 10:00:00,123 - INFO - epoch={e} train_loss={a:.4f} val_loss={b:.4f} "
    "val_acc={c:.4f} time=12.3s\n",
    "imagenet": "Epoch: [{e}][  0/391]\tTime  0.5 ( 1.2)\tLoss {a:.4f} (9.9)\tAcc@1  10.0 (9.0)\n"
    "Test: [ 0/79]\tTime 0.2\tLoss 9.9 (9.9)\tAcc@1 1.0 (1.0)\n"
    " * Val loss {b:.4f} Acc@1 {p:.3f} Acc@5 99.000\n",
    "sections": "Epoch {e}\nTraining:\n  loss: {a:.4f}\nValidation:\n  loss: {b:.4f}\n"
    "  accuracy: {c:.4f}\n",
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_logs(name):
    text = "Start training on 1 GPU\n" + "".join(
        PLAIN[name].format(e=e + 1, a=a, b=b, c=c, p=100 * c, q=100 * c, k=round(5000 * c))
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    )
    is_right(one(text + "Best val accuracy: 99.9\n"))


def test_a_heading_of_test_errors():
    lines = []
    for e in range(EPOCHS):
        lines += [f"Epoch {e + 1}", "-----"]
        lines += [f"loss: {TRAIN[e]:>7f}  [{64 * b:>5d}/60000]" for b in range(1, 4)]
        lines += ["Test Error: ", f" Accuracy: {100 * ACCURACY[e]:.2f}%, Avg loss: {VAL[e]:>8f} "]

    is_right(one("\n".join(lines)))


def test_a_rate_in_the_next_trials_heading_is_not_this_ones():
    lines = []
    for trial, lr in enumerate((0.1, 0.01)):
        lines.append(f"===== Trial {trial}: lr={lr} =====")
        lines += [
            f"epoch {e + 1}  train loss {a:.4f}  val loss {b:.4f}"
            for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
        ]
    reading = read_log("\n".join(lines).encode(), LogOptions(), source="log")

    assert len(reading.runs) == 2
    for run in reading.runs:
        assert math.isnan(run.inferred.lr)
        assert run.inferred.schedule == "unknown"


def by_epoch(word="Epoch"):
    return [
        f"{word} {e + 1}: train loss {a:.4f}  val loss {b:.4f}"
        for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
    ]


@pytest.mark.parametrize(
    "settings",
    [
        "Namespace(val_split=0.2, batch_size=128, epochs={}, lr=0.1, lr_decay=0.5, seed=1)",
        "{{'lr_decay': 0.5, 'epochs': {}, 'learning_rate': 0.1}}",
        "warmup epochs: 5\nTraining with epochs: {}, lr: 0.1",
    ],
)
@pytest.mark.parametrize(("announced", "is_cut_off"), [(EPOCHS, False), (90, True)])
def test_settings_tell_how_long_and_at_which_rate(settings, announced, is_cut_off):
    run = one("\n".join([settings.format(announced), *by_epoch()]))

    assert run.labels.tolist() == [*range(1, EPOCHS + 1)]
    assert run.curves["loss", "val"] == pytest.approx(VAL, abs=1e-3)
    assert (run.inferred.lr, run.inferred.schedule) == (0.1, "unknown")
    assert any("cut off" in note for note in run.inferred.notes) is is_cut_off


def test_each_run_of_a_file_has_the_rate_of_its_own_settings():
    lines = [
        line
        for lr, length in ((0.1, EPOCHS), (0.01, 12))
        for line in [f"Namespace(epochs={length}, lr={lr})", *by_epoch()[:length]]
    ]
    reading = read_log("\n".join(lines).encode(), LogOptions(), source="log")

    assert reading.refused == []
    assert [run.inferred.lr for run in reading.runs] == [0.1, 0.01]
    assert [len(run.labels) for run in reading.runs] == [EPOCHS, 12]


@pytest.mark.parametrize(
    "lines",
    [
        by_epoch("Epochs:"),
        [part for line in by_epoch("Epochs:") for part in line.split(": train", 1)],
    ],
    ids=["beside", "above"],
)
def test_a_log_may_count_by_the_plural(lines):
    text = "\n".join(line if "Epochs" in line else f"train{line}" for line in lines)

    is_right(one(text), has_accuracy=False)


def test_what_stands_in_an_epochs_own_line_is_no_setting():
    lines = [
        part
        for e, line in enumerate(by_epoch("-"))
        for part in (f"Epoch {e + 1}, epochs: {EPOCHS}", line.partition(": ")[2])
    ]

    is_right(one("\n".join(lines)), has_accuracy=False)


def test_a_rate_told_on_the_way_counts_more_than_the_settings():
    lines = [f"{line}  LR 0.05" for line in by_epoch()]
    told = one("\n".join(["Namespace(epochs=20, lr=0.1)", *lines])).inferred

    assert (told.lr, told.schedule) == (0.05, "constant")


def test_a_rate_told_once_does_not_tell_the_schedule():
    rows = [f"{e + 1},{a:.4f},{b:.4f}," for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))]
    head = "epoch,train_loss,val_loss,lr\n"
    once = one(head + "\n".join([f"{rows[0]}0.1", *rows[1:]])).inferred
    each = one(head + "\n".join(f"{row}0.1" for row in rows)).inferred

    assert (once.lr, once.schedule) == (0.1, "unknown")
    assert (each.lr, each.schedule) == (0.1, "constant")


def test_a_metric_by_batch_that_names_no_split_is_of_training():
    lines = []
    for e in range(EPOCHS):
        lines += [f"Step {100 * e + at}; xent: {TRAIN[e]:.4f}" for at in (25, 50, 75, 100)]
        lines += [f"Train accuracy: {99:.2f}", f"Validation accuracy: {100 * ACCURACY[e]:.2f}"]
    run = one("\n".join(lines))

    assert len(run.losses) == 4 * EPOCHS
    assert {(each.metric, each.split) for each in run.inferred.columns if each.per == "batch"} == {
        ("loss", "train")
    }


def test_a_bare_accuracy_beside_a_bare_loss_is_left_out():
    lines = [
        f"Epoch {e:05d} | Loss {a:.4f} | Accuracy {b:.4f}"
        for e, (a, b) in enumerate(zip(TRAIN, ACCURACY, strict=True))
    ]
    run = one("\n".join([*lines, "Test accuracy 0.8150"]))
    told = one("\n".join(lines), names={"Accuracy": "val_accuracy"})

    assert set(run.curves) == {("loss", "train")}
    assert "--map Accuracy=val_accuracy" in " ".join(run.inferred.notes)
    assert told.curves["accuracy", "val"] == pytest.approx(ACCURACY, abs=1e-4)


def test_an_accuracy_alone_that_names_no_split_is_refused():
    rows = "\n".join(f"{e},{value:.4f}" for e, value in enumerate(ACCURACY))
    reading = read_log(f"epoch,accuracy\n{rows}\n".encode(), LogOptions(), source="log")

    assert reading.runs == []
    assert "--map accuracy=val_accuracy" in reading.refused[0][1]


def test_evaluations_by_iteration():
    text = "".join(
        "".join(f"iter {250 * e + 10 * i}: loss {a + 0.001:.4f}, time 12ms\n" for i in range(25))
        + f"step {250 * (e + 1)}: train loss {a:.4f}, val loss {b:.4f}\n"
        for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
    )
    run = one(text)
    is_right(run, has_accuracy=False)
    assert run.inferred.place == "iteration"
    (finding,) = [each for each in diagnose(run).findings if each.code == "overtraining"]
    assert "iteration 2000" in finding.sentence
    assert finding.evidence["turning_epoch"] == 2_000


def test_keras_csv_logger():
    run = one((SAMPLES / "keras.csv").read_bytes())
    columns = {each.column: (each.metric, each.split) for each in run.inferred.columns}
    assert columns == {
        "accuracy": ("accuracy", "train"),
        "loss": ("loss", "train"),
        "val_accuracy": ("accuracy", "val"),
        "val_loss": ("loss", "val"),
    }
    assert (run.inferred.num_val, run.inferred.num_val_from) == (200, "steps")
    assert [each.code for each in diagnose(run).findings] == ["overtraining"]


def test_lightning_csv_logger():
    run = one((SAMPLES / "lightning.csv").read_bytes())
    used = {each.column: each.per for each in run.inferred.columns}
    assert used["train_loss_epoch"] == used["val_loss"] == "evaluation"
    assert used["train_loss_step"] == "batch"
    assert run.inferred.num_evaluations == 20
    assert len(run.losses) == 100
    assert run.inferred.num_val == 5_000


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path))
    for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True)):
        for tag, value in (("Loss/train", a), ("Loss/val", b), ("Accuracy/val", c)):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=float(value))])
            writer.add_event(Event(step=e, summary=summary))
    writer.close()
    (path,) = tmp_path.iterdir()
    assert is_event_file(path.read_bytes())
    reading = read_event_files([path], LogOptions(), source="events")
    is_right(reading.runs[0])
    assert reading.runs[0].inferred.place == "epoch"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    cut = read_event_files([path], LogOptions(), source="events").runs[0]
    assert 5 < cut.inferred.num_evaluations < EPOCHS


def test_runs_appended_to_one_file():
    text = table(",", HEADER) + table(",", HEADER).split("\n", 1)[1]
    reading = read_log(text.encode(), LogOptions(), source="log")
    assert len(reading.runs) == 2
    for run in reading.runs:
        is_right(run)
    other = table(",", HEADER) + table(",", ("epoch", "loss", "val_loss", "val_accuracy"))
    assert len(read_log(other.encode(), LogOptions(), source="log").runs) == 2


def test_runs_named_by_a_column():
    lines = table(",", HEADER).splitlines()
    text = "\n".join(
        [f"run,{lines[0]}", *(f"{name},{line}" for line in lines[1:] for name in ("a", "b"))]
    )
    reading = read_log(text.encode(), LogOptions(), source="log")
    assert [run.name for run in reading.runs] == ["run a", "run b"] or [
        run.name for run in reading.runs
    ] == ["a", "b"]
    for run in reading.runs:
        is_right(run)


def test_a_resumed_run_is_one():
    lines = table(",", HEADER).splitlines()
    run = one("\n".join([*lines[:13], *lines[10:]]))
    is_right(run)
    assert any("goes back" in note for note in run.inferred.notes)


def test_rows_out_of_order():
    lines = table(",", HEADER).splitlines()
    order = np.random.default_rng(1).permutation(EPOCHS) + 1
    run = one("\n".join([lines[0], *(lines[at] for at in order)]))
    is_right(run)


def test_a_log_that_was_cut_off_is_not_finished():
    text = "".join(
        f"Epoch {e + 1}/90\ntrain loss: {a:.4f}\nval loss: {a + 0.01:.4f}\n"
        for e, a in enumerate(TRAIN)
    )
    run = one(text)
    assert run.cause is None
    assert [each.code for each in diagnose(run).findings][-1] == "inconclusive"


@pytest.mark.parametrize(
    "name", ["log-dense101-vs-resnet34_v2.md", "log-resnet_18-vs-34-vs-50.md"]
)
def test_public_logs(name):
    path = Path(__file__).resolve().parents[4] / "shared" / "data" / "logs" / name
    if not path.exists():
        pytest.skip("the public logs are not here")
    reading = read_log(path.read_bytes(), LogOptions(), source=name)
    assert reading.refused == []
    assert len(reading.runs) == (2 if "dense" in name else 3)
    for run in reading.runs:
        told = run.inferred
        assert (told.num_evaluations, told.first, told.last) == (100, 1, 100)
        assert (told.num_val, told.num_val_from, told.num_train) == (12_032, "log", 40_058)
        assert told.schedule == "decayed"
        assert [each.code for each in diagnose(run).findings] == ["inconclusive"]


def test_nan_at_the_end_is_non_finite():
    losses = [*map(str, TRAIN[:6]), *["nan"] * 6]
    text = "epoch,loss,val_loss\n" + "\n".join(f"{e},{v},{v}" for e, v in enumerate(losses))
    (finding, *_) = diagnose(one(text)).findings
    assert finding.code == "non_finite_loss"
    assert "NaN" not in finding.sentence.replace("became NaN", "")


def test_nan_between_numbers_is_not_measured():
    text = "epoch,loss,val_loss\n" + "\n".join(
        f"{e},{a},{b if e % 2 else 'nan'}" for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
    )
    run = one(text)
    assert np.isfinite(run.curves["loss", "val"]).all()
    assert len(run.labels) == EPOCHS / 2


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "pickle"),
        (b"PK\x03\x04" + bytes(50), "zip"),
        (bytes(range(256)) * 10, "binary"),
        (b"just words\nand more words\n", "nothing in it"),
        (b"a,b,c\nx,y,z\n", "nothing in it"),
        (b"1,2,3\n4,5,6\n", "nothing in it"),
        (b"{}", "no curve"),
        (b"[1, 2, 3]", "no curve"),
        (b'{"loss": [1, 2, 3], "val_loss": [1]}', "unequal length"),
    ],
)
def test_what_is_no_log_is_refused(data, word):
    with pytest.raises(LogError, match=word):
        read_log(data, LogOptions(), source="log")


@pytest.mark.parametrize(
    ("header", "values", "word"),
    [
        ("epoch,val_loss_cls,val_loss_box2d", (0.5, 0.7), None),
        ("epoch,val_acc,val_accuracy", (0.5, 0.7), "could each be"),
        ("epoch,val_loss,val_acc", (0.5, 250), "250"),
        ("epoch,val_loss,val_acc", (0.5, -3), "-3"),
    ],
)
def test_what_cannot_be_told_is_refused(header, values, word):
    text = header + "\n" + "\n".join(f"{e},{values[0]},{values[1]}" for e in range(12))
    reading = read_log(text.encode(), LogOptions(), source="log")
    if word is None:
        assert reading.refused or reading.runs[0].inferred.columns[0].by in ("guess", "name")
        return
    assert reading.runs == []
    assert word in reading.refused[0][1]
    assert "--map" in reading.refused[0][1]


def test_fractions_mixed_with_percent_are_refused():
    values = [0.1, 0.3, 0.45, 0.5, 52.0, 55.0, 60.0, 61.0]
    text = "epoch,val_acc\n" + "\n".join(f"{e},{v}" for e, v in enumerate(values))
    reading = read_log(text.encode(), LogOptions(), source="log")
    assert "--unit" in reading.refused[0][1]
    assert read_log(text.encode(), LogOptions(unit="percent"), source="log").runs


def test_percent_that_begin_near_zero_are_percent():
    text = "epoch,val_top1\n" + "\n".join(f"{e},{v}" for e, v in enumerate([0.1, 4.2, 15.3, 30.9]))
    assert one(text).curves["accuracy", "val"][0] == pytest.approx(0.001)


def test_parts_of_a_loss_are_not_the_loss():
    text = "epoch,val/box_loss,val/cls_loss\n" + "\n".join(f"{e},0.5,0.6" for e in range(12))
    reading = read_log(text.encode(), LogOptions(), source="log")
    assert "could each be val loss" in reading.refused[0][1]


def test_runs_that_nothing_tells_apart_are_refused():
    lines = table(",", HEADER).splitlines()
    mixed = [lines[0], *(line for line in lines[1:] for _ in range(3))]
    reading = read_log("\n".join(mixed).encode(), LogOptions(), source="log")
    assert reading.runs == []
    assert "--map" in reading.refused[0][1]


def test_what_is_told_is_not_guessed():
    header = ("t", "a", "b", "c")
    names = {"t": "epoch", "a": "train_loss", "b": "val_loss", "c": "val_accuracy"}
    is_right(one(table(",", header), names=names))
    with pytest.raises(LogError, match="no column"):
        one(table(",", HEADER), names={"nothing": "val_loss"})
    with pytest.raises(LogError, match="no metric"):
        one(table(",", HEADER), names={"val_acc": "val_beauty"})
    assert one(table(",", HEADER), num_val=777).inferred.num_val == 777


@pytest.mark.parametrize("count", [30_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_points(count):
    rng = np.random.default_rng(0)
    losses = 2.3 * np.exp(-5 * np.arange(count) / count) + 0.01 * rng.random(count)
    text = "step,loss\n" + "\n".join(f"{e},{v:.4f}" for e, v in enumerate(losses))
    run = one(text)
    assert len(run.losses) <= 2_000
    assert run.iterations == count - 1
    assert diagnose(run).findings[-1].code == "inconclusive"


def test_a_cell_that_never_ends_leaves_the_reader_of_others_alone():
    before = csv.field_size_limit()
    rows = table(",", HEADER).splitlines()
    long = "\n".join([*rows, '"' + "x" * 2 * before, rows[-1]])

    is_right(one(long))

    assert csv.field_size_limit() == before


def plain_log(losses, *, announced=20, accuracy=0.1):
    return "\n".join(
        f"Epoch {at}/{announced} - loss: {loss} - val_loss: {loss} - val_acc: {accuracy}"
        for at, loss in enumerate(losses, start=1)
    )


def test_a_model_that_never_left_chance_is_told_so_without_its_classes():
    (run,) = read_log(plain_log([2.3026] * 20).encode(), LogOptions(), source="x").runs
    first, *_ = diagnose(run).findings

    assert first.code == "stuck_at_chance"
    assert "guessing among 10" in first.sentence


def test_a_loss_that_is_nan_before_the_log_ends_is_counted_to_there():
    losses = [2.0, 1.5, 1.2, 1.0, 0.9, 0.8, "nan", "nan"]
    (run,) = read_log(plain_log(losses).encode(), LogOptions(), source="x").runs
    (finding,) = [each for each in diagnose(run).findings if each.code == "non_finite_loss"]

    assert "after 6 epochs, from one epoch to the next" in finding.sentence
    assert "the log announces 20 epochs and ends at 8: cut off" in run.inferred.notes


@pytest.mark.parametrize(
    ("rates", "schedule"),
    [
        ([1e-4, 4e-4, 7e-4, *[1e-3] * 9], "constant"),
        ([*np.linspace(1e-4, 1e-3, 12)], "decayed"),
        ([1e-4, 1e-3, *np.linspace(1e-3, 1e-5, 10)], "decayed"),
    ],
    ids=["warm-up", "climb", "warm-up and decay"],
)
def test_a_warm_up_to_a_rate_that_stays_is_no_decay(rates, schedule):
    rows = "\n".join(f"{at},{1 / (at + 1)},{1 / (at + 1)},{lr}" for at, lr in enumerate(rates))
    text = f"epoch,train_loss,val_loss,lr\n{rows}"
    (run,) = read_log(text.encode(), LogOptions(), source="x").runs

    assert run.inferred.schedule == schedule


def test_a_log_by_iteration_has_its_curve():
    text = "\n".join(f"step {at}00 | loss {4 / at:.3f} | lr 3e-4" for at in range(1, 9))
    (run,) = read_log(text.encode(), LogOptions(), source="x").runs
    (figure,) = diagnose(run).figures

    assert figure.x_label == "iteration"
    assert figure.series[0].y[0] == pytest.approx(4.0)
    assert figure.series[0].x[-1] == 800


@pytest.mark.parametrize(
    "text", ['{"loss": [1,', '[{"epoch": 1, "loss": 0.5}, {"ep', '{"epoch": 1']
)
def test_json_that_breaks_off_is_refused_as_such(text):
    with pytest.raises(LogError, match="the JSON is broken at line 1"):
        read_log(text.encode(), LogOptions(), source="x")


@pytest.mark.parametrize("head", ['{"lr": 0.1}', "[2026-11-20 10:00:01] start"])
def test_a_plain_log_may_begin_like_json(head):
    text = f"{head}\n{plain_log([2.0, 1.0, 0.5])}"

    assert len(read_log(text.encode(), LogOptions(), source="x").runs) == 1


def test_places_that_were_left_out_are_counted_on_both_curves():
    text = "epoch,train_loss,val_loss\n1,abc,1\n2,0.5,xx\n3,0.4,0.6\n"
    (run,) = read_log(text.encode(), LogOptions(), source="x").runs

    assert (
        "2 of 3 places were left out: there one of the curves has no value" in run.inferred.notes
    )
    assert "train_loss: 1 value is no number and was left out" in run.inferred.notes


def test_no_model_is_said_to_have_no_parameters():
    epochs = np.arange(1, 21)
    rows = "\n".join(f"{at},{1 / at},{0.99},{0.5 + 0.01 * at},{0.6}" for at in epochs)
    text = f"epoch,train_loss,train_acc,val_loss,val_acc\n{rows}"
    options = LogOptions(num_val=200, num_train=5_000, train_mode="eval")
    (run,) = read_log(text.encode(), options, source="x").runs
    (finding,) = [each for each in diagnose(run).findings if each.code == "overfitting"]

    assert "5,000 training samples are few for this model." in [
        each.sentence for each in finding.causes
    ]


def test_a_test_result_at_the_end_says_nothing_of_the_validation_samples():
    lines = [f"{line}  val acc {c:.4f}" for line, c in zip(by_epoch(), ACCURACY, strict=True)]
    run = one("\n".join([*lines, "Test accuracy: 8123/10000"]))

    is_right(run)
    assert run.inferred.num_val_from == "steps"


def test_a_metric_that_was_told_is_one_beside_a_column_of_splits():
    rows = [
        f"{e + 1},{split},{value:.4f}"
        for e, (a, b) in enumerate(zip(TRAIN, VAL, strict=True))
        for split, value in (("train", a), ("val", b))
    ]
    run = one("\n".join(["epoch,phase,objective", *rows]), names={"objective": "loss"})

    is_right(run, has_accuracy=False)
    assert {each.by for each in run.inferred.columns} == {"you"}


def test_figures_count_as_the_file_does():
    rows = [
        f"{250 * (e + 1)},{a:.4f},{b:.4f},{c:.4f}"
        for e, (a, b, c) in enumerate(zip(TRAIN, VAL, ACCURACY, strict=True))
    ]
    run = one("\n".join(["step,train_loss,val_loss,val_acc", *rows]))
    loss, metric = diagnose(run).figures

    assert (loss.title, loss.x_label) == ("Loss by iteration", "iteration")
    assert (metric.title, metric.x_label) == ("Accuracy by iteration", "iteration")
    for line in (*loss.series[:2], *metric.series):
        assert line.x == tuple(250.0 * at for at in range(1, EPOCHS + 1))
        assert len(line.y) == EPOCHS
    lowest = 250 * (1 + int(np.argmin(VAL)))
    assert loss.series[2].x == (lowest,)
    assert f"iteration {lowest} " in loss.summary


def test_a_train_loss_alone_is_drawn_where_the_file_has_it():
    rows = "\n".join(f"{2 * e},{a:.4f}" for e, a in enumerate(TRAIN))
    (figure,) = diagnose(one(f"epoch,train_loss\n{rows}")).figures

    assert figure.x_label == "epoch"
    assert figure.series[0].x == tuple(2.0 * e for e in range(EPOCHS))


@pytest.mark.parametrize(("place", "every"), [("step", 1_000_000), ("epoch", 5)])
def test_what_is_told_of_an_epoch_is_of_an_evaluation_where_these_differ(place, every):
    values = 2 * np.exp(-np.arange(1, EPOCHS + 1) / 15)
    rows = "\n".join(
        f"{every * at},{0.9 * value:.4f},{value:.4f}" for at, value in enumerate(values, start=1)
    )
    run = one(f"{place},train_loss,val_loss\n{rows}", schedule="constant")
    (finding,) = [each for each in diagnose(run).findings if each.code == "still_improving"]

    assert " an evaluation (" in finding.sentence
    assert "epoch" not in finding.sentence
