"""A service runs the tasks it was started to run, whoever created the study."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import InvalidInput
from service.task_policy import check_task, held_back, may_run
from tests.service_tests.support import Bench


@pytest.mark.parametrize(
    ("task", "files", "modules", "answer"),
    [
        ("digits", False, (), True),
        ("/a/task.py:Net", False, (), False),
        ("/a/task.py:Net", True, (), True),
        ("package.module:Net", False, (), False),
        ("package.module:Net", False, ("package",), True),
        ("packages.module:Net", False, ("package",), False),
        ("package.module:Net", True, (), True),
    ],
)
def test_which_tasks_may_run(
    task: str, files: bool, modules: tuple[str, ...], answer: bool, bench: Bench
) -> None:
    settings = bench.settings.model_copy(
        update={"allow_task_files": files, "allowed_task_modules": modules}
    )
    assert may_run(task, settings) is answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/data", True),
        ("/data/houses.csv", True),
        ("/data/./a/../houses.csv", True),
        ("/data/../etc/passwd", False),
        ("/database/houses.csv", False),
        ("/etc/passwd", False),
        ("data/houses.csv", False),
        ("~/houses.csv", False),
        ("", False),
        (7, False),
    ],
)
@pytest.mark.parametrize("name", ["path", "test_path"])
def test_built_in_tasks_read_in_the_allowed_folders_alone(
    name: str, path: str | int, answer: bool, bench: Bench
) -> None:
    strict = bench.settings.model_copy(update={"allowed_data_folders": (Path("/data"),)})
    closed = bench.settings.model_copy(update={"allowed_data_folders": ()})
    free = bench.settings.model_copy(update={"allow_task_files": True})
    args = {"target": "y", name: path}

    assert may_run("tabular", strict, args) is answer
    assert may_run("tabular", closed, args) is False
    assert may_run("tabular", free, args) is True


def test_a_path_that_is_refused_is_named_with_the_setting(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match=r"task_args\.path: '/etc/passwd'.*ALLOWED_DATA_FOLD"):
        check_task("tabular", bench.settings, {"path": "/etc/passwd"})


def test_a_left_over_task_file_waits_for_a_service_that_may_run_it(bench: Bench) -> None:
    strict = bench.settings.model_copy(update={"allow_task_files": False})
    free = bench.settings.model_copy(update={"allow_task_files": True})
    worker = bench.worker()
    bench.create(task="/a/task.py:Net")
    later = bench.create(task="digits")

    bench.settings = strict
    claim = bench.must_claim(worker, slot=0)
    assert claim.job.task.path == "digits"
    assert claim.study == later
    assert bench.claim(worker, slot=1) is None
    with bench.database.read() as session:
        assert len(held_back(session, strict)) == 1
        assert held_back(session, free) == []

    bench.settings = free
    assert bench.must_claim(worker, slot=1).job.task.path == "/a/task.py:Net"
