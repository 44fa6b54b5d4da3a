"""Take the picture of a study's page that the README shows.

    .venv/bin/python -m benchmarks.screenshots [PNG]

Runs the demo study on a data directory of its own, serves it, and opens its page in
Chromium. The picture is written to ``docs/images/study.png`` when no path is given.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "study.png"
SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
VIEWPORT = {"width": 1100, "height": 1168}
MAX_BYTES = 300_000


@contextmanager
def served(data_dir: str) -> Iterator[str]:
    """Serve a data directory on a free port; gives the link that signs a browser in."""
    command = [*SEVENSTEP, "serve", "--no-worker", "--port", "0", "--data-dir", data_dir]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(line.split()[1] for line in process.stdout if line.startswith("Open "))
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium was found; install chromium")
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data_dir:
        subprocess.run([*SEVENSTEP, "demo", "--data-dir", data_dir], check=True)
        with served(data_dir) as link, sync_playwright() as playwright:
            listed = subprocess.run(
                [*SEVENSTEP, "study", "list", "--json", "--data-dir", data_dir],
                check=True,
                stdout=subprocess.PIPE,
            )
            study = json.loads(listed.stdout)["items"][0]["id"]
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            page = browser.new_page(viewport=VIEWPORT, color_scheme="light")
            page.goto(f"{link}&next=/studies/{study}")
            page.wait_for_selector("svg")
            page.screenshot(path=picture)
            browser.close()
    size = picture.stat().st_size
    print(f"{picture}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"the picture is larger than {MAX_BYTES:,} bytes")


if __name__ == "__main__":
    main()
