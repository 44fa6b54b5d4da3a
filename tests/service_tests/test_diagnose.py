"""``sevenstep diagnose`` and ``POST /api/v1/diagnose``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recipes.cli import build
from service.commands.sparkline import WIDTH, sparkline
from tests.service_tests.served import served

EPOCHS = 20
T = np.arange(1, EPOCHS + 1)
TRAIN = (2.3 * np.exp(-T / 6) + 0.05).round(4).tolist()
VAL = (2.3 * np.exp(-T / 5) + 0.4 + 0.08 * np.maximum(0, T - 8)).round(4).tolist()
RIGHT = (
    np.round(5_000 * (0.85 * (1 - np.exp(-T / 3)) - 0.004 * np.maximum(0, T - 8))) / 5_000
).tolist()
HISTORY = {"loss": TRAIN, "val_loss": VAL, "val_accuracy": RIGHT}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run.csv"
    rows = "\n".join(f"{e},{a},{b},{c}" for e, a, b, c in zip(T, TRAIN, VAL, RIGHT, strict=True))
    path.write_text(f"epoch,train_loss,val_loss,val_acc\n{rows}\n")
    return path


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(build(), ["diagnose", *map(str, words)])


def test_for_people(log: Path) -> None:
    result = invoke(log)
    assert result.exit_code == 0, result.output
    for part in ("overtraining", "▇", "5,000 validation samples", "not checked", "val_acc", "→"):
        assert part in result.output, part


def test_as_json(log: Path) -> None:
    result = invoke(log, "--json", "--n", "777")
    document = json.loads(result.stdout)
    (run,) = document["runs"]
    assert document["refused"] == []
    assert run["source"] == str(log)
    assert run["inferred"]["num_val"] == 777
    assert run["inferred"]["num_val_from"] == "you"
    assert "overtraining" in [each["code"] for each in run["findings"]]
    assert "figures" not in run


def test_as_a_page_that_needs_nothing_else(log: Path, tmp_path: Path) -> None:
    log = log.rename(tmp_path / "<b>&.csv")
    page = tmp_path / "page.html"
    assert invoke(log, "--html", page).exit_code == 0
    text = page.read_text()
    assert text.count("<svg") == 2
    assert "overtraining" in text
    assert "&lt;b&gt;&amp;.csv" in text
    assert "<b>&" not in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#about-|data:image/svg)|url\(|@import', text)
    assert '<a href="#about-overtraining">' in text
    assert '<article id="about-overtraining">' in text
    assert set(re.findall(r'href="#([\w-]+)"', text)) <= set(re.findall(r'id="([\w-]+)"', text))


def test_files_that_are_none_do_not_hinder_the_others(log: Path, tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty.csv", tmp_path / "binary"
    empty.write_bytes(b"")
    binary.write_bytes(bytes(range(256)))
    result = invoke(empty, log, binary, tmp_path / "missing", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert len(document["runs"]) == 1
    assert [Path(each["source"]).name for each in document["refused"]] == [
        "empty.csv",
        "binary",
        "missing",
    ]
    assert "empty" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "field", "cure"),
    [
        (("--map", "val_acc"), "--map", "COLUMN=WHAT"),
        (("--map", "val_acc=beauty"), "--map", "val_accuracy"),
        (("--n", "0"), "--n", "from 1"),
        (("--lr", "-1"), "--lr", "greater than 0"),
        (("--classes", "1"), "--classes", "from 2"),
    ],
)
def test_wrong_options(log: Path, words: tuple[str, ...], field: str, cure: str) -> None:
    result = invoke(log, *words)
    assert result.exit_code == 2
    assert field in result.output
    assert cure in result.output


def test_a_column_that_is_not_there(log: Path) -> None:
    result = invoke(log, "--map", "nothing=val_loss")
    assert result.exit_code == 1
    assert "val_acc" in result.stderr


def test_a_folder_of_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path / "logs"))
    for epoch in range(EPOCHS):
        writer.add_scalar("Loss/train", TRAIN[epoch], epoch)
        writer.add_scalar("Loss/val", VAL[epoch], epoch)
    writer.close()
    result = invoke(tmp_path / "logs", "--json")
    assert result.exit_code == 0, result.output
    (run,) = json.loads(result.stdout)["runs"]
    assert run["inferred"]["format"] == "TensorBoard event file"
    assert "overtraining" in [each["code"] for each in run["findings"]]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no event file" in invoke(empty).output


def test_folders_of_splits_are_one_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    for split, values in (("train", TRAIN), ("validation", VAL)):
        writer = SummaryWriter(str(tmp_path / "logs" / split))
        for epoch, value in enumerate(values):
            writer.add_scalar("epoch_loss", value, epoch)
        writer.close()
    (run,) = json.loads(invoke(tmp_path / "logs", "--json").stdout)["runs"]
    assert {each["split"] for each in run["inferred"]["columns"]} == {"train", "val"}
    assert "overtraining" in [each["code"] for each in run["findings"]]
    (path,) = (tmp_path / "logs" / "validation").iterdir()
    (alone,) = json.loads(invoke(path, "--json").stdout)["runs"]
    assert [each["split"] for each in alone["inferred"]["columns"]] == ["val"]


def test_over_http(tmp_path: Path, sqlite_template: Path) -> None:
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as client:
        answer = client.post("/api/v1/diagnose", json={"curves": HISTORY, "name": "mine"})
        assert answer.status_code == 200, answer.text
        (run,) = answer.json()["runs"]
        assert run["source"] == "mine"
        assert run["inferred"]["num_val"] == 5_000
        assert "overtraining" in [each["code"] for each in run["findings"]]

        gone = {**HISTORY, "loss": [*TRAIN[:10], *["NaN"] * 10]}
        codes = [
            each["code"]
            for each in client.post("/api/v1/diagnose", json={"curves": gone}).json()["runs"][0][
                "findings"
            ]
        ]
        assert codes[0] == "non_finite_loss"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"curves": {}}, "no loss"),
        ({"curves": [1, 2]}, "no loss"),
        ({"curves": {"loss": [1, 2, 3], "val_loss": [1]}}, "unequal length"),
        ({"curves": {"val_acc": [0.5] * 9, "val_accuracy": [0.6] * 9}}, "options.names"),
        ({"curves": HISTORY, "options": {"num_val": 0}}, "num_val"),
        ({"curves": HISTORY, "options": {"names": {"loss": "beauty"}}}, "no metric"),
        ({"curves": HISTORY, "more": 1}, "more"),
    ],
)
def test_wrong_requests(
    tmp_path: Path, sqlite_template: Path, body: dict[str, object], part: str
) -> None:
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as client:
        answer = client.post("/api/v1/diagnose", json=body)
    assert answer.status_code == 422, answer.text
    assert part in answer.text


def test_sparklines() -> None:
    assert sparkline([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0]) == "▁×█"
    assert sparkline([float("inf")] * 3) == "×××"
    assert len(sparkline([float(each) for each in range(10_000)])) <= WIDTH
    assert sparkline([-1e308, 1e308])[0] == "▁"
    assert sparkline([]) == ""
