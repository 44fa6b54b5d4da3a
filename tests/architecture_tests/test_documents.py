"""Links lead somewhere, examples work, and nothing private stands in a file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture_tests.repository import (
    ROOT,
    anchor,
    documents,
    files,
    headings,
    prose,
)

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PYTHON_BLOCK = re.compile(r"^```python[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("http://", "https://", "mailto:")

# Put together from parts, so that this file is not a find of its own.
MACHINE_PATHS = re.compile("|".join(rf"(?<![\w.$}}-])/{name}/" for name in ("work", "root")))
REGISTRY_HOSTS = re.compile(
    "|".join(
        rf"{host}\.(?:org|com|io|net|dev)\b"
        for host in ("py" + "pi", "python" + "hosted", "j" + "frog")
    )
    + "|download\\.py"
    + "torch"
)
MAX_BYTES = 1_000_000


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    dead = []
    for target in LINK.findall(prose(path)):
        if target.startswith(ELSEWHERE):
            continue
        name, _, fragment = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        if not found.exists() or (fragment and fragment not in map(anchor, headings(found))):
            dead.append(target)
    assert dead == []


def test_there_is_a_dead_link_where_one_is(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A b\n\n[one](#a-b), [two](#c), [three](missing.md)\n")
    with pytest.raises(AssertionError, match=r"#c.*missing\.md"):
        test_relative_links_lead_somewhere(document)


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        for target in LINK.findall(prose(path)):
            found = (path.parent / target.partition("#")[0]).resolve()
            if not target.startswith(ELSEWHERE) and found.suffix == ".md":
                waiting.append(found)
    assert set(documents()) - reached == set()


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_tasks_in_the_documents_can_be_used(name: str, tmp_path: Path) -> None:
    blocks = PYTHON_BLOCK.findall((ROOT / name).read_text())
    assert len(blocks) == 1
    file = tmp_path / "my_task.py"
    file.write_text(blocks[0])
    done = _sevenstep("describe", str(file), "--json", data_dir=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert '"description"' in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "shown"),
    [
        ("README.md", 0, "✓ passed  Step 2"),
        ("docs/tutorial.md", 3, "inputs_not_normalised"),
    ],
)
def test_checks_in_the_documents_end_as_they_say(
    name: str, code: int, shown: str, tmp_path: Path
) -> None:
    file = tmp_path / "my_task.py"
    file.write_text(PYTHON_BLOCK.findall((ROOT / name).read_text())[0])
    done = _sevenstep("check", str(file), "--slots", "1", data_dir=tmp_path / "data")
    assert done.returncode == code, done.stderr
    assert shown in done.stdout


def test_no_file_names_this_machine_or_a_registry() -> None:
    finds = []
    for path in files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode().splitlines(), start=1):
            if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line):
                finds.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert finds == []


def test_no_file_holds_a_token() -> None:
    token = re.compile(rb"svss?_[A-Za-z0-9_-]{40,}")
    assert [path for path in files() if token.search(path.read_bytes())] == []


def test_no_file_is_large() -> None:
    assert [path for path in files() if path.stat().st_size > MAX_BYTES] == []


def _sevenstep(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "recipes.cli", *arguments],
        env={**os.environ, "SEVENSTEP_DATA_DIR": str(data_dir), "SEVENSTEP_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
