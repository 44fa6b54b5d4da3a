"""Small modules, few exported names, and a wheel that holds our packages alone."""

import statistics
import tomllib

import recipes
from tests.architecture_tests.repository import PACKAGES, ROOT, modules

MEDIAN_LINES = 150
MOST_LINES = 400


def test_modules_are_small() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules()}
    written = {path: count for path, count in lines.items() if path.name != "__init__.py"}
    assert len(written) > len(PACKAGES)
    assert statistics.median(written.values()) < MEDIAN_LINES
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_names_a_task_file_may_import_are_these() -> None:
    assert set(recipes.__all__) == {"Categorical", "Float", "Int", "SearchSpace", "Task"}
    assert all(hasattr(recipes, name) for name in recipes.__all__)


def test_the_wheel_holds_our_packages_and_the_findings_pages_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel) == ["force-include", "packages"]
    assert wheel["force-include"] == {"docs/findings": "service/findings"}
    assert sorted(wheel["packages"]) == sorted(PACKAGES)
    assert all((ROOT / package / "__init__.py").is_file() for package in PACKAGES)


def test_every_package_of_ours_is_one_of_the_four() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == {*PACKAGES, "tests"}
