"""A service runs the tasks it was started to run, whoever created the study."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from recipes.built_in import BUILT_IN_TASKS
from service.database.models import Study
from service.errors import InvalidInput
from service.settings import Settings
from service.use_cases.task_policy import check_new_task, check_task, held_back, may_run
from tests.service_tests.support import Bench
from worker.tasks import BUILT_IN


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
        # what could pass for an allowed name and is none
        ("os:system", False, ("package",), False),
        ("package.os:system.__globals__", False, ("package",), False),
        ("package:Net.attribute", False, ("package",), False),
        ("package.:Net", False, ("package",), False),
        ("package..os:Net", False, ("package",), False),
        (".package:Net", False, ("package",), False),
        ("package/../os:Net", False, ("package",), False),
        ("package.module:Net ", False, ("package",), False),
        (" package.module:Net", False, ("package",), False),
        ("package.module:Net\n", False, ("package",), False),
        ("package.module\x00:Net", False, ("package",), False),
        ("package.module:Net:Net", False, ("package",), False),
        ("p\u0430ckage.module:Net", False, ("package",), False),  # a Cyrillic a
        ("\uff50ackage.module:Net", False, ("package",), False),  # a wide p
        ("package_evil:Net", False, ("package",), False),
        ("PACKAGE:Net", False, ("package",), False),
        ("package.py:Net", False, ("package",), False),
        ("package.module.py:Net", False, ("package",), False),
        ("/package/module.py:Net", False, ("package",), False),
        ("digits\n", False, (), False),
        ("digits;os", False, (), False),
        ("../digits", False, (), False),
        ("", False, (), False),
        ("./task.py:Net", True, (), False),
        ("~/task.py:Net", True, (), False),
        ("/a/task.py:Net\x00", True, (), False),
        ("/a/task.py\n:Net", True, (), False),
        ("/a/task.sh", True, (), False),
    ],
)
def test_which_tasks_may_run(
    task: str, files: bool, modules: tuple[str, ...], answer: bool, settings: Settings
) -> None:
    settings = settings.model_copy(
        update={"allow_task_files": files, "allowed_task_modules": modules}
    )
    assert may_run(task, settings) is answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/data", True),
        ("/data/houses.csv", True),
        ("/data/./a//houses.csv", True),
        ("/data/ä b/houses.csv", True),
        ("/data/a/../houses.csv", False),
        ("/data/..", False),
        ("/data/../../data/houses.csv", False),
        ("/data\x00/houses.csv", False),
        ("/data/\n", False),
        ("/DATA/houses.csv", False),
        ("\\data\\houses.csv", False),
        ("file:///data/houses.csv", False),
        ("/data\u2215houses.csv", False),
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
    name: str, path: str | int, answer: bool, settings: Settings
) -> None:
    strict = settings.model_copy(update={"allowed_data_folders": (Path("/data"),)})
    closed = settings.model_copy(update={"allowed_data_folders": ()})
    free = settings.model_copy(update={"allow_task_files": True})
    args = {"target": "y", name: path}

    assert may_run("tabular", strict, args) is answer
    assert may_run("tabular", closed, args) is False
    assert may_run("tabular", free, args) is True


@pytest.mark.parametrize("task", BUILT_IN_TASKS)
def test_a_new_study_may_name_every_built_in_task(task: str, settings: Settings) -> None:
    check_new_task(task, settings.model_copy(update={"allow_task_files": False}))


def test_the_names_are_the_workers() -> None:
    assert set(BUILT_IN_TASKS) == set(BUILT_IN)


def test_a_name_that_nobody_has_is_refused_at_once(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match=r"task: 'digitz'.*did you mean 'digits'\?"):
        check_new_task("digitz", settings)
    with pytest.raises(
        InvalidInput, match=r"'nothing'.*built in are digits, digits-conv, image_f"
    ):
        check_new_task("nothing", settings)
    assert may_run("nothing", settings)  # one that is there is for the worker to explain


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
        both = session.scalars(select(Study.id).order_by(Study.id)).all()
        assert held_back(session, strict, both) == [both[0]]
        assert held_back(session, strict, both[1:]) == []
        assert held_back(session, free, both) == []

    bench.settings = free
    assert bench.must_claim(worker, slot=1).job.task.path == "/a/task.py:Net"
