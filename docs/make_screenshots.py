"""Pictures of the pages, of a study that really ran: ``make screenshots``.

Starts a service of its own in a temporary folder, runs a study on handwritten digits, and
takes each page in light, dark and on a phone. The pictures that the documents show go to
``docs/images``, all of them to ``build/screenshots``.

Options: ``--data-dir FOLDER`` shows the newest study of an existing data directory instead
(a copy of it, so that nothing there is touched); ``--all-only`` leaves ``docs/images`` alone.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from recipes.study import StudyConfig
from service.client import Client

log = logging.getLogger("screenshots")

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images"
EVERYTHING = HERE.parent / "build" / "screenshots"
SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu"]
DESK, PHONE = (1200, 860), (360, 740)
LOOKS = {"light": ("light", DESK), "dark": ("dark", DESK), "phone": ("light", PHONE)}
SHOWN = {"study": 1250, "step-4": 1000, "trial": 1000}
"""Pictures that the documents show, and how much of the page from its top, in pixels."""


def main() -> None:
    """Take them all."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request says nothing here
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--all-only", action="store_true")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium here: install the package chromium, then run this again")
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        if options.data_dir is not None:
            shutil.copytree(
                options.data_dir, data_dir, ignore=shutil.ignore_patterns("server.json")
            )
        with serving(data_dir) as client, sync_playwright() as playwright:
            study = newest(client) if options.data_dir else trained(client)
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            take(browser, client, data_dir, study, into_docs=not options.all_only)
            browser.close()


@contextmanager
def serving(data_dir: Path) -> Iterator[Client]:
    """A service on a free port, with the worker it starts; both end with this."""
    command = [*SEVENSTEP, "serve", "--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        [*command, "--exit-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        for line in process.stdout:
            if "http" in line:
                break
        with Client.from_server_file(data_dir) as client:
            yield client
    finally:
        process.stdin.close()
        process.wait(30)


def trained(client: Client) -> str:
    """A study on digits, run to its end."""
    uid = client.create(StudyConfig(name="digits", task="digits")).id
    log.info("training; this takes a minute or two")
    client.wait(uid)
    return uid


def newest(client: Client) -> str:
    """The newest study that is there."""
    found = client.studies(limit=1)
    if not found:
        sys.exit("there is no study in that data directory")
    return found[0].id


def take(browser: Browser, client: Client, data_dir: Path, study: str, *, into_docs: bool) -> None:
    """Each page in each look."""
    EVERYTHING.mkdir(parents=True, exist_ok=True)
    link = [*SEVENSTEP, "token", "link", "--data-dir", str(data_dir)]
    view = client.study(study)
    best = view.best.trial if view.best is not None else 0
    base = f"/studies/{study}"
    pages = {
        "studies": "/studies",
        "study": base,
        **{f"step-{number}": f"{base}/steps/{number}" for number in range(1, 8)},
        "trials": f"{base}/trials?step=4&sort=-rung",
        "trial": f"{base}/trials/{best}",
        "trial-untrained": f"{base}/trials/0",
        "report": f"{base}/report",
        "workers": "/workers",
        "new-study": "/studies/new",
        "api": "/docs",
        "not-found": "/studies/none",
    }
    for look, (scheme, (width, height)) in LOOKS.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        page.goto(f"{client.address}/login")
        page.screenshot(path=EVERYTHING / f"login-{look}.png", full_page=True)
        address = subprocess.run(link, check=True, capture_output=True, text=True).stdout.strip()
        page.goto(address)
        for name, path in pages.items():
            page.goto(client.address + path)
            page.screenshot(path=EVERYTHING / f"{name}-{look}.png", full_page=True)
            if into_docs and look == "light" and name in SHOWN:
                crop(page, IMAGES / f"{name}.png", width=width, height=SHOWN[name])
        if look == "light":
            page.goto(f"{client.address}{base}/report")
            page.pdf(path=EVERYTHING / "report.pdf", format="A4")
        context.close()
    log.info("pictures are in %s", EVERYTHING)


def crop(page: Page, path: Path, *, width: int, height: int) -> None:
    """The upper part of a page."""
    page.screenshot(
        path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}
    )


if __name__ == "__main__":
    main()
