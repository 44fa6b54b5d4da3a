"""The built wheel works by itself: elsewhere, from a clean environment, migrations included."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_our_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "recipes",
        "service",
        "worker",
        "migrations",
    }
    assert any(name.startswith("migrations/versions/0001") for name in names)
    assert any(name.endswith("templates/study.html") for name in names)
    pages = {name for name in names if name.startswith("service/findings/")}
    written = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs/findings").rglob("*.*")}
    assert pages == {f"service/{path}" for path in written}


def test_the_wheel_explains_findings_from_its_own_pages(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    say = "from service.views import finding_docs as docs; print(docs.__file__)"
    say += "; print(docs.page('overfitting')); print(docs.picture('overfitting').decode())"
    done = subprocess.run(
        [sys.executable, "-c", say],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(f"{tmp_path}/service/")
    assert (ROOT / "docs/findings/overfitting.md").read_text() in done.stdout
    assert "</svg>" in done.stdout


def test_the_wheel_carries_out_a_study_elsewhere(wheel, tmp_path):
    environment = tmp_path / "a clean place"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    binaries = environment / "bin"
    install = [binaries / "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies of this environment, but not its editable install of this project: a
    # .pth file's folder is searched, and .pth files inside it are not read.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = tmp_path / "empty home"
    home.mkdir()

    where = subprocess.run(
        [binaries / "python", "-P", "-c", "import service; print(service.__file__)"],
        cwd=elsewhere,
        check=True,
        capture_output=True,
        text=True,
    )
    run = subprocess.run(
        [binaries / "sevenstep", "run", "digits", "--slots", "1"],
        cwd=elsewhere,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=200,
    )

    assert Path(where.stdout.strip()).is_relative_to(site)
    assert run.returncode == 0, run.stderr
    for step in range(1, 8):
        assert re.search(rf"(✓ passed|▲ warning) +Step {step},", run.stdout), run.stdout
    assert list(home.rglob("sevenstep.db"))
