"""Time to target: what was known when, how long a target took, and the table of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks.time_to_target.peers.alone import raise_loopback
from benchmarks.time_to_target.picture import picture
from benchmarks.time_to_target.plain import epochs
from benchmarks.time_to_target.reports import (
    Report,
    ReportFile,
    best_so_far,
    read,
    seconds_to,
)
from benchmarks.time_to_target.section import TITLES, section
from worker.tasks.digits import DigitsMLP


def known(*reports: tuple[float, float]) -> list[Report]:
    return [Report(at, accuracy, {}, 1) for at, accuracy in reports]


def test_only_rises_within_the_time_count() -> None:
    reports = known((12, 0.5), (13, 0.4), (14, 0.7), (15, 0.7), (31, 0.9))
    rises = best_so_far(reports, began=10, ends=30)
    assert rises == [[2, 0.5], [4, 0.7]]
    assert seconds_to(0.5, rises) == 2
    assert seconds_to(0.6, rises) == 4
    assert seconds_to(0.8, rises) is None


def test_reports_of_two_processes_come_back_in_order(tmp_path: Path) -> None:
    files = [ReportFile(tmp_path / "reports") for _ in range(2)]
    for number in range(6):
        files[number % 2].add(number / 10, {"lr": 0.1}, number)
    with (tmp_path / "reports").open("a") as file:
        file.write('[1.0, 0.9, {"lr"')  # cut off by a kill
    assert [each.epoch for each in read(tmp_path / "reports")] == [0, 1, 2, 3, 4, 5]
    assert read(tmp_path / "missing") == []


def test_the_plain_loop_learns_and_ends_where_it_diverges() -> None:
    torch.set_num_threads(1)
    setting = {"lr": 0.05, "weight_decay": 0.0, "hidden": 32}
    found = list(epochs(DigitsMLP(), setting, seed=0, num_epochs=3))
    assert [each.number for each in found] == [1, 2, 3]
    assert found[-1].accuracy > 0.8
    again = list(epochs(DigitsMLP(), setting, seed=0, num_epochs=3))
    assert [each.accuracy for each in again] == [each.accuracy for each in found]
    wild = list(epochs(DigitsMLP(), {**setting, "lr": 1e30}, seed=0, num_epochs=9))
    assert len(wild) < 9


def test_the_section_names_the_best_peer_and_who_never_met_a_target() -> None:
    def cells(*seconds: float) -> list[dict[str, object]]:
        return [
            {"rises": [] if math.isinf(at) else [[at, 0.999]], "test": [0.9, 0.92]}
            for at in seconds
        ]

    steps = [{"step": number, "round": 1, "began": 1.5 * number} for number in range(1, 8)]
    runs = {
        "sevenstep": [{**cell, "steps": steps} for cell in cells(2, 4, 3)],
        "optuna": cells(12, 9, 10),
        "ray": cells(30, 40, 35),
        "random": cells(math.inf, math.inf, 20),
    }
    text = section({"digits-mlp": runs}, ["Something was left out."])
    first = "| digits-mlp (60 s, 3 seeds)"
    (row, *_) = [line for line in text.splitlines() if line.startswith(first)]
    assert "| 3.0 (3.0 to 4.0) |" in row
    assert "| not met, 1 of 3 runs |" in row
    assert row.endswith("| 3.3x |")
    (row,) = [line for line in text.splitlines() if line.startswith("| digits-mlp | 1.5")]
    own, soonest = "3.0 (2.5 to 3.5)", "10.0 (9.5 to 11.0)"
    assert row.endswith(f"| 4.5 (4.5 to 4.5) | 1.5 % | {own} | {soonest} |")
    assert "Something was left out." in text
    drawn = picture({"digits-mlp": runs})
    assert drawn.startswith("<svg")
    assert all(title.split(":")[0] in drawn for title in TITLES.values())


def test_ray_is_not_started_where_there_are_other_interfaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    with pytest.raises(RuntimeError, match="eth0"):
        raise_loopback()
