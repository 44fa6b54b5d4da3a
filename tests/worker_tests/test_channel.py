"""What a slot process hands to its agent by way of files."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from recipes.value import Value
from recipes.wire import ArtifactKind
from worker.slot.channel import ChannelReporter
from worker.slot.messages import ArtifactWritten


class Listening:
    """The channel's end that a reporter speaks into."""

    def __init__(self) -> None:
        self.messages: list[Value] = []

    def send(self, message: Value) -> None:
        self.messages.append(message)


def test_a_checkpoint_without_room_is_left_out_and_a_snapshot_without_room_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    channel: Any = Listening()
    reporter = ChannelReporter(channel, str(tmp_path))
    move = os.replace

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    reporter.checkpoint(3, 1, 10, b"state")
    with pytest.raises(OSError, match="No space left"):
        reporter.snapshot(3, 1, 10, b"best")

    assert channel.messages == []
    assert list(tmp_path.iterdir()) == [], "what was written of them gives its room back"
    assert "the checkpoint of trial 3 is not kept: [Errno 28] No space" in capsys.readouterr().err

    monkeypatch.setattr(os, "replace", move)
    reporter.checkpoint(3, 2, 20, b"state")
    (written,) = channel.messages
    assert isinstance(written, ArtifactWritten)
    assert (written.kind, written.trial, written.epoch) == (ArtifactKind.CHECKPOINT, 3, 2)
    assert Path(written.path).read_bytes() == b"state"
