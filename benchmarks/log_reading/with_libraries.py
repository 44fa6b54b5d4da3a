"""Write logs with the libraries themselves: small trainings on made-up data.

    python -m benchmarks.log_reading.with_libraries calibration|report [NAME...]

Wants an environment of its own with keras (KERAS_BACKEND=torch), lightning, transformers,
accelerate, tensorboard, tensorboardX, skorch and lightgbm; the product needs
none of them for this. The files it made are kept in the repository, and so is their truth.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.log_reading.course import course
from benchmarks.log_reading.truth import LogCase, Part, RunTruth, Truth, write

FEATURES, CLASSES = 8, 3


def samples(seed: int, num: int) -> tuple[Any, Any]:
    """Three overlapping clouds, float32 (num, 8), and their labels, int64 (num,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, num)
    centres = np.random.default_rng(0).normal(0, 0.8, (CLASSES, FEATURES))
    return (centres[labels] + rng.normal(0, 1, (num, FEATURES))).astype(np.float32), labels


def version(name: str) -> str:
    """A library and its version."""
    return f"{name} {importlib.metadata.version(name)}"


def keras_fit(seed: int, num_val: int, metric: str, **options: Any) -> tuple[Any, str]:
    """History and what was printed."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[metric])
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        history = model.fit(
            *samples(seed, 200),
            validation_data=samples(seed + 1, num_val),
            epochs=12,
            batch_size=50,
            **options,
        )
    return history.history, out.getvalue()


def keras_truth(
    history: Any, metric: str, num_val: int, format: str, *, first: int, tolerance: float = 1e-6
) -> Truth:
    """The truth of a Keras history."""
    curves = {
        "train loss": history["loss"],
        "train accuracy": history[metric],
        "val loss": history["val_loss"],
        "val accuracy": history[f"val_{metric}"],
    }
    values = {key: [float(v) for v in column] for key, column in curves.items()}
    run = RunTruth(values, [float(first + e) for e in range(len(history["loss"]))])
    return Truth(version("keras"), format, (run,), num_val=num_val, tolerance=tolerance)


def keras_csv(seed: int) -> LogCase:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        history, _ = keras_fit(
            seed, 160, "accuracy", verbose=0, callbacks=[keras.callbacks.CSVLogger(str(path))]
        )
        content = path.read_bytes()
    truth = keras_truth(history, "accuracy", 160, "Keras CSVLogger", first=0)
    return LogCase("keras.csv", content, truth)


def keras_bars(seed: int) -> LogCase:
    history, out = keras_fit(seed, 160, "accuracy", verbose=1)
    truth = keras_truth(history, "accuracy", 160, "plain, Keras bars", first=1, tolerance=1e-4)
    return LogCase("keras_bars.txt", out.encode(), truth)


def keras_semicolon(seed: int) -> LogCase:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        logger = keras.callbacks.CSVLogger(str(path), separator=";")
        metric = "sparse_categorical_accuracy"
        history, _ = keras_fit(seed, 240, metric, verbose=0, callbacks=[logger])
        content = path.read_bytes()
    truth = keras_truth(history, metric, 240, "Keras CSVLogger", first=0)
    return LogCase("keras_log.csv.gz", gzip.compress(content, mtime=0), truth)


def keras_lines(seed: int) -> LogCase:
    history, out = keras_fit(seed, 240, "acc", verbose=2)
    truth = keras_truth(history, "acc", 240, "plain, Keras lines", first=1, tolerance=1e-4)
    return LogCase("keras_lines.txt", out.encode(), truth)


def lightning_csv(seed: int, names: tuple[str, str, str], num_val: int, name: str) -> LogCase:
    """Lightning's CSVLogger; ``names`` of the train loss, validation loss and accuracy."""
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    train_name, val_name, acc_name = names

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(FEATURES, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES)
            )
            self.seen: dict[str, list[float]] = {"val": [], "acc": [], "train": []}
            self.steps: list[float] = []

        def training_step(self, batch: Any, index: int) -> Any:
            loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log(train_name, loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            out = self.net(batch[0])
            self.log(val_name, torch.nn.functional.cross_entropy(out, batch[1]))
            self.log(acc_name, (out.argmax(1) == batch[1]).float().mean())

        def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
            if (self.trainer.global_step) % 2 == 0:
                self.steps.append(float(outputs["loss"]))

        def on_train_epoch_end(self) -> None:
            metrics = self.trainer.callback_metrics
            self.seen["train"].append(float(metrics[f"{train_name}_epoch"]))
            self.seen["val"].append(float(metrics[val_name]))
            self.seen["acc"].append(float(metrics[acc_name]))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    def loader(at: int, num: int, *, whole: bool) -> Any:
        inputs, labels = samples(at, num)
        data = TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
        return DataLoader(data, batch_size=num if whole else 50)

    lightning.seed_everything(seed, verbose=False)
    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=10,
            accelerator="cpu",
            logger=lightning.pytorch.loggers.CSVLogger(folder),
            log_every_n_steps=2,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, loader(seed, 200, whole=False), loader(seed + 1, num_val, whole=True))
        content = next(Path(folder).rglob("metrics.csv")).read_bytes()
    run = RunTruth(
        {
            "train loss": module.seen["train"],
            "val loss": module.seen["val"],
            "val accuracy": module.seen["acc"],
        },
        [float(e) for e in range(10)],
        module.steps,
    )
    truth = Truth(version("lightning"), "Lightning CSVLogger", (run,), num_val=num_val)
    return LogCase(name, content, truth)


def lightning_first(seed: int) -> LogCase:
    return lightning_csv(seed, ("train_loss", "val_loss", "val_acc"), 160, "lightning.csv")


def lightning_slashes(seed: int) -> LogCase:
    names = ("loss/train", "loss/valid", "accuracy/valid")
    return lightning_csv(seed, names, 240, "metrics.csv")


def transformers_run(seed: int, *, by_steps: bool) -> tuple[Any, str, Any, float]:
    """Trainer state as JSON, what was printed, the logged dictionaries, the peak rate."""
    import transformers

    inputs, labels = samples(seed, 200)
    val_inputs, val_labels = samples(seed + 1, 240)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(FEATURES, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES)
            )

        def forward(self, x: Any, labels: Any) -> Any:
            logits = self.net(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    def rows(x: Any, y: Any) -> Any:
        return [{"x": torch.from_numpy(a), "labels": int(b)} for a, b in zip(x, y, strict=True)]

    out = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(out):
        when = "steps" if by_steps else "epoch"
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=9 if by_steps else 8,
            per_device_train_batch_size=25,
            learning_rate=0.01,
            lr_scheduler_type="linear" if by_steps else "constant",
            logging_strategy=when,
            eval_strategy=when,
            logging_steps=6,
            eval_steps=6,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            seed=seed,
        )
        trainer = transformers.Trainer(
            Net(),
            arguments,
            train_dataset=rows(inputs, labels),
            eval_dataset=rows(val_inputs, val_labels),
            compute_metrics=lambda p: {
                "accuracy": float((p.predictions.argmax(1) == p.label_ids).mean())
            },
        )
        trainer.train()
        path = Path(folder) / "trainer_state.json"
        trainer.state.save_to_json(str(path))
        state = path.read_text()
    history = trainer.state.log_history
    rates = [entry["learning_rate"] for entry in history if "learning_rate" in entry]
    return state, out.getvalue(), history, float(max(rates))


def transformers_truth(history: Any, *, by_steps: bool, lr: float, tolerance: float) -> Truth:
    """The truth of a Trainer's history."""
    key = "step" if by_steps else "epoch"
    evals = [entry for entry in history if "eval_loss" in entry]
    train = {entry[key]: entry["loss"] for entry in history if "loss" in entry}
    run = RunTruth(
        {
            "train loss": [float(train[entry[key]]) for entry in evals],
            "val loss": [float(entry["eval_loss"]) for entry in evals],
            "val accuracy": [float(entry["eval_accuracy"]) for entry in evals],
        },
        [float(entry[key]) for entry in evals],
    )
    return Truth(
        version("transformers"),
        "Hugging Face",
        (run,),
        place="iteration" if by_steps else "epoch",
        num_val=240,
        schedule="decayed" if by_steps else "constant",
        lr=lr,
        tolerance=tolerance,
    )


def trainer_state(seed: int) -> LogCase:
    state, _, history, lr = transformers_run(seed, by_steps=False)
    truth = transformers_truth(history, by_steps=False, lr=lr, tolerance=1e-6)
    return LogCase("trainer_state.json", state.encode(), truth)


def trainer_state_steps(seed: int) -> LogCase:
    state, _, history, lr = transformers_run(seed, by_steps=True)
    truth = transformers_truth(history, by_steps=True, lr=lr, tolerance=1e-6)
    return LogCase("trainer_state_steps.json", state.encode(), truth)


def trainer_prints(seed: int) -> LogCase:
    _, out, history, lr = transformers_run(seed, by_steps=False)
    truth = transformers_truth(history, by_steps=False, lr=lr, tolerance=2e-3)
    return LogCase("trainer_prints.txt", out.encode(), truth)


def events(
    name: str, made_by: str, format: str, seeds: tuple[int, ...], fill: Callable[[str, Any], None]
) -> LogCase:
    """A folder of event files: ``fill`` writes each of the courses under a folder."""
    content: dict[str, bytes] = {}
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            c = course(seed, num_val=640, decay=0.1)
            fill(f"{folder}/run{seed}" if len(seeds) > 1 else folder, c)
            curves = {
                "train loss": c.train_loss.tolist(),
                "val loss": c.val_loss.tolist(),
                "val accuracy": c.val_acc.tolist(),
            }
            runs.append(RunTruth(curves, [float(e) for e in range(c.num_epochs)]))
        for path in sorted(Path(folder).rglob("*tfevents*")):
            # A name with the time and the machine in it is kept without them.
            kept = path.relative_to(folder).with_name("events.out.tfevents.0.bench")
            content[str(kept)] = path.read_bytes()
    truth = Truth(
        made_by,
        format,
        tuple(runs),
        num_val=640,
        schedule="decayed",
        lr=float(course(seeds[0]).lr[0]),
        tolerance=1e-5,
    )
    return LogCase(name, content, truth)


def torch_events(seed: int) -> LogCase:
    from torch.utils.tensorboard import SummaryWriter

    def fill(folder: str, c: Any) -> None:
        with SummaryWriter(folder) as writer:
            for e in range(c.num_epochs):
                writer.add_scalar("Loss/train", c.train_loss[e], e)
                writer.add_scalar("Loss/val", c.val_loss[e], e)
                writer.add_scalar("Accuracy/val", c.val_acc[e], e)
                writer.add_scalar("lr", c.lr[e], e)

    return events("torch_events", version("torch"), "TensorBoard event files", (seed,), fill)


def tensorboardx_runs(seed: int) -> LogCase:
    from tensorboardX import SummaryWriter

    def fill(folder: str, c: Any) -> None:
        with SummaryWriter(folder) as writer:
            for e in range(c.num_epochs):
                writer.add_scalar("train/epoch_loss", c.train_loss[e], e)
                writer.add_scalar("validation/epoch_loss", c.val_loss[e], e)
                writer.add_scalar("validation/top1", 100 * c.val_acc[e], e)
                writer.add_scalar("learning_rate", c.lr[e], e)

    seeds = (seed, seed + 3)  # of the same learning rate
    return events("two_runs", version("tensorboardX"), "TensorBoard event files", seeds, fill)


def add_scalars(seed: int) -> LogCase:
    from torch.utils.tensorboard import SummaryWriter

    def fill(folder: str, c: Any) -> None:
        with SummaryWriter(folder) as writer:
            for e in range(c.num_epochs):
                losses = {"train": c.train_loss[e], "val": c.val_loss[e]}
                writer.add_scalars("loss", losses, e)
                writer.add_scalar("acc/val", c.val_acc[e], e)
                writer.add_scalar("lr", c.lr[e], e)

    return events("add_scalars", version("torch"), "TensorBoard event files", (seed,), fill)


def skorch_both(seed: int) -> tuple[str, str, Any]:
    """What skorch prints, its history as JSON, and the history."""
    from skorch import NeuralNetClassifier

    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES)
    )
    out = io.StringIO()
    fitted = NeuralNetClassifier(
        net, criterion=torch.nn.CrossEntropyLoss, max_epochs=12, lr=0.1, batch_size=200
    )
    with contextlib.redirect_stdout(out):
        fitted.fit(*samples(seed, 400))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.json"
        fitted.history.to_file(str(path))
        state = path.read_text()
    return out.getvalue(), state, fitted.history


def skorch_truth(history: Any, tolerance: float) -> Truth:
    """The truth of a skorch history: 80 of 400 samples are for validation."""
    run = RunTruth(
        {
            "train loss": [float(v) for v in history[:, "train_loss"]],
            "val loss": [float(v) for v in history[:, "valid_loss"]],
            "val accuracy": [float(v) for v in history[:, "valid_acc"]],
        },
        [float(v) for v in history[:, "epoch"]],
    )
    return Truth(version("skorch"), "skorch", (run,), num_val=80, tolerance=tolerance)


def skorch_prints(seed: int) -> LogCase:
    out, _, history = skorch_both(seed)
    return LogCase("skorch.txt", out.encode(), skorch_truth(history, 1e-4))


def skorch_json(seed: int) -> LogCase:
    _, state, history = skorch_both(seed)
    return LogCase("skorch.json", state.encode(), skorch_truth(history, 1e-6))


def lightgbm_prints(seed: int) -> LogCase:
    import lightgbm

    result: dict[str, Any] = {}
    train = lightgbm.Dataset(*samples(seed, 300))
    val = lightgbm.Dataset(*samples(seed + 1, 240), reference=train)
    lines: list[str] = []

    class Lines:
        def info(self, text: str) -> None:
            lines.append(text)

        def warning(self, text: str) -> None:
            lines.append(text)

    lightgbm.register_logger(Lines())
    lightgbm.train(
        {
            "objective": "multiclass",
            "num_class": CLASSES,
            "metric": "multi_error",
            "num_threads": 1,
        },
        train,
        num_boost_round=15,
        valid_sets=[train, val],
        valid_names=["train", "valid"],
        callbacks=[lightgbm.log_evaluation(1), lightgbm.record_evaluation(result)],
    )
    run = RunTruth(
        {
            "train accuracy": [1 - v for v in result["train"]["multi_error"]],
            "val accuracy": [1 - v for v in result["valid"]["multi_error"]],
            "train error": list(result["train"]["multi_error"]),
            "val error": list(result["valid"]["multi_error"]),
        },
        [float(e + 1) for e in range(15)],
    )
    truth = Truth(
        version("lightgbm"),
        "plain, boosting",
        (run,),
        num_val=240,  # a round of boosting sees all samples: an epoch
        tolerance=1e-4,
    )
    return LogCase("lightgbm.txt", "\n".join(lines).encode(), truth)


def sklearn_verbose(seed: int) -> LogCase:
    import warnings

    from sklearn.neural_network import MLPClassifier

    out = io.StringIO()
    model = MLPClassifier((16,), max_iter=15, random_state=seed, verbose=True)
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*samples(seed, 200))
    run = RunTruth({}, None, [float(v) for v in model.loss_curve_])
    truth = Truth(version("scikit-learn"), "plain, by iteration", (run,), place="iteration")
    return LogCase("mlp.txt", out.getvalue().encode(), truth)


WRITERS: dict[Part, tuple[tuple[Callable[[int], LogCase], int], ...]] = {
    "calibration": (
        *((keras_csv, 11), (keras_bars, 12), (lightning_first, 13), (trainer_state, 14)),
        *((torch_events, 15),),
    ),
    "report": (
        *((keras_semicolon, 9_111), (keras_lines, 9_112), (lightning_slashes, 9_113)),
        *((trainer_state_steps, 9_114), (trainer_prints, 9_115), (tensorboardx_runs, 9_500)),
        *((add_scalars, 9_117), (skorch_prints, 9_118), (lightgbm_prints, 9_119)),
        *((skorch_json, 9_120), (sklearn_verbose, 9_121)),
    ),
}


def main(part: Part, *names: str) -> None:
    """Write one part's files, or some of them."""
    for writer, seed in WRITERS[part]:
        if not names or writer.__name__ in names:
            case = writer(seed)
            write(case, part)
            print(json.dumps({"wrote": case.name, "by": case.truth.made_by}))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
