"""Write logs with libraries that none of the earlier looks had: Poutyne, Lightning's TensorBoard.

    python -m benchmarks.log_reading.with_more_libraries

Wants an environment of its own with poutyne, lightning and tensorboardX.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.log_reading.truth import LogCase, RunTruth, Truth, write
from benchmarks.log_reading.with_libraries import CLASSES, FEATURES, samples, version

EPOCHS = 12
NUM_VAL = 370


def poutyne_csv(seed: int) -> LogCase:
    """Poutyne's CSVLogger, which writes tabs."""
    from poutyne import CSVLogger, Model

    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES)
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    model = Model(network, optimizer, "cross_entropy", batch_metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.tsv"
        history = model.fit(
            *samples(seed, 300),
            validation_data=samples(seed + 1, NUM_VAL),
            epochs=EPOCHS,
            batch_size=50,
            callbacks=[CSVLogger(str(path), separator="\t")],
            verbose=False,
        )
        content = path.read_bytes()
    curves = {
        "train loss": [each["loss"] for each in history],
        "train accuracy": [each["acc"] / 100 for each in history],
        "val loss": [each["val_loss"] for each in history],
        "val accuracy": [each["val_acc"] / 100 for each in history],
    }
    truth = Truth(
        version("poutyne"),
        "CSV, tab",
        (RunTruth(curves, [float(each["epoch"]) for each in history]),),
        num_val=NUM_VAL,
        schedule="constant",
        lr=0.05,
        tolerance=1e-5,
    )
    return LogCase("poutyne.tsv", content, truth)


def lightning_events(seed: int) -> LogCase:
    """Lightning's TensorBoardLogger, which counts iterations and notes epochs beside them."""
    import lightning
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
    from torch.nn import functional
    from torch.utils.data import DataLoader, TensorDataset

    class Net(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Linear(FEATURES, CLASSES)

        def training_step(self, batch: Any) -> Any:
            loss = functional.cross_entropy(self.body(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch: Any) -> None:
            output = self.body(batch[0])
            self.log("val_loss", functional.cross_entropy(output, batch[1]))
            self.log("val_acc", (output.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    lightning.seed_everything(seed, verbose=False)

    def loader(at: int, num: int) -> Any:
        inputs, labels = samples(at, num)
        return DataLoader(
            TensorDataset(torch.tensor(inputs), torch.tensor(labels)), batch_size=num // 2
        )

    with tempfile.TemporaryDirectory() as folder:
        loggers = [TensorBoardLogger(folder, name="events"), CSVLogger(folder, name="csv")]
        trainer = lightning.Trainer(
            max_epochs=EPOCHS,
            logger=loggers,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
        )
        trainer.fit(Net(), loader(seed, 400), loader(seed + 1, NUM_VAL))
        (events,) = Path(folder, "events").rglob("*tfevents*")
        content = events.read_bytes()
        (table,) = Path(folder, "csv").rglob("metrics.csv")
        with table.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    columns = {"train loss": "train_loss", "val loss": "val_loss", "val accuracy": "val_acc"}
    curves = {
        key: [float(row[column]) for row in rows if row[column]] for key, column in columns.items()
    }
    labels = [float(row["epoch"]) for row in rows if row["val_loss"]]
    truth = Truth(
        version("lightning"),
        "TensorBoard event files",
        (RunTruth(curves, labels),),
        num_val=NUM_VAL,
        tolerance=1e-5,
    )
    return LogCase("lightning_events", {"events.out.tfevents.0.bench": content}, truth)


def main() -> None:
    """Write them."""
    for case in (poutyne_csv(81_001), lightning_events(81_002)):
        write(case, "report")
        print(json.dumps({"wrote": case.name, "by": case.truth.made_by}))


if __name__ == "__main__":
    main()
