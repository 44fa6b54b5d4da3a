from __future__ import annotations

from pathlib import Path

import pytest

from worker.agent.client import Gone
from worker.agent.snapshots import SnapshotCache


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    cache = SnapshotCache(tmp_path / "snapshots", most_bytes=25)
    for name in ("a", "b", "a", "c"):
        assert cache.get(name, lambda: b"x" * 10).read_bytes() == b"x" * 10
    assert len(list((tmp_path / "snapshots").iterdir())) == 3
    cache.trim()

    assert not cache.path("b").exists()
    assert cache.path("a").exists()
    assert cache.path("c").exists()
    assert cache.get("b", lambda: b"again").read_bytes() == b"again"


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    cache = SnapshotCache(folder)
    path = cache.get("../../outside", lambda: b"x")

    assert path.parent == folder
    assert [each.name for each in tmp_path.iterdir()] == ["snapshots"]


def test_a_fetch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = SnapshotCache(tmp_path / "snapshots")

    def gone() -> bytes:
        raise Gone("no such artifact")

    with pytest.raises(Gone):
        cache.get("a", gone)
    cache.trim()
    assert cache.get("a", lambda: b"x").read_bytes() == b"x"
