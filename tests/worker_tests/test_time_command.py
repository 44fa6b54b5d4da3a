"""``describe --time``: an epoch's price, from a few seconds of training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.timing import Timing

SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")
TASK = """\
import time
import torch
from torch import nn
from recipes import Task

class Slow(Task):
    num_classes = 2

    def data(self, split):
        num = 12_800 if split == "train" else 64
        return torch.randn(num, 2), torch.arange(num) % 2

    def model(self, params):
        class Net(nn.Sequential):
            def forward(self, x):
                if self.training:
                    {body}
                return super().forward(x)
        return Net(nn.Linear(2, 2))
"""


def describe(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SEVENSTEP, "describe", *words, "--time", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_long_epoch_is_scaled_up_from_fifty_iterations(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(TASK.format(body="time.sleep(0.02)"))
    ended = describe(str(tmp_path / "slow.py"), "--set", "batch_size=128")
    assert ended.returncode == 0, ended.stderr
    found = Timing.model_validate(json.loads(ended.stdout)["timing"])
    assert found.measured_epochs == pytest.approx(0.5)
    # 100 iterations of 20 ms, and what the iterations themselves take
    assert 2.0 <= found.seconds_per_epoch < 6.0
    assert found.slots >= 1
    assert found.device


def test_a_setting_that_does_not_fit_is_wrong_usage(tmp_path: Path) -> None:
    ended = describe("digits", "--set", "batch_size=0")
    assert ended.returncode == 2
    assert "set.batch_size: 0 does not fit" in ended.stderr


def test_a_model_that_fails_in_training_is_a_problem_of_the_task(tmp_path: Path) -> None:
    body = "raise RuntimeError('only in training')"
    (tmp_path / "slow.py").write_text(TASK.format(body=body))
    ended = describe(str(tmp_path / "slow.py"))
    assert ended.returncode == 1
    assert "only in training" in json.loads(ended.stdout)["problem"]["message"]
