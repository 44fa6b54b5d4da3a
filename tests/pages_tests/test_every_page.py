"""Every page in every state, in Chromium: no complaint, nothing missing, readable by all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.pages_tests.conftest import Site
from tests.pages_tests.states import States, every_state

pytestmark = pytest.mark.browser

PHONE, DESK = (360, 740), (1280, 900)
SEVERE = ("serious", "critical")
VIOLATIONS_ALONE = {"resultTypes": ["violations"]}
EXPECTED = {"/studies/none": 404, "/nothing-here": 404}
"""Pages that are there to say that something is not."""


@pytest.fixture(scope="module")
def states(site: Site) -> States:
    with site.context.database.write() as session:
        return every_state(session)


@dataclass
class Watched:
    """A page in a look, and what it complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def watched(request: pytest.FixtureRequest, chromium: Browser, site: Site) -> Iterator[Watched]:
    scheme, size = request.param
    width, height = size
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page = context.new_page()
    watched = Watched(page)
    page.goto(site.login("/workers"))
    expected = {site.address + path for path in EXPECTED}

    def on_console(said: ConsoleMessage) -> None:
        if said.location["url"] not in expected:
            watched.complaints.append(said.text)

    def on_response(answer: Response) -> None:
        if answer.status >= 400 and answer.url not in expected:
            watched.complaints.append(f"{answer.status} {answer.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("response", on_response)
    yield watched
    context.close()


@pytest.mark.parametrize(
    "watched",
    [
        pytest.param(("light", DESK), id="light", marks=pytest.mark.slow),
        pytest.param(("dark", DESK), id="dark", marks=pytest.mark.slow),
        pytest.param(("light", PHONE), id="phone"),
        pytest.param(("dark", PHONE), id="dark-phone", marks=pytest.mark.slow),
    ],
    indirect=True,
)
@pytest.mark.timeout(300)
def test_every_page_in_every_state_can_be_used_by_all(
    watched: Watched, site: Site, states: States
) -> None:
    page, axe = watched.page, Axe()
    width = page.viewport_size["width"] if page.viewport_size else 0
    for path in states.paths():
        answer = page.goto(site.address + path)
        assert answer is not None
        assert answer.status == EXPECTED.get(path, 200), path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = [
            (violation["id"], [node["html"][:160] for node in violation["nodes"][:2]])
            for violation in axe.run(page, options=VIOLATIONS_ALONE).response["violations"]
            if violation["impact"] in SEVERE
        ]
        assert found == [], path
        assert watched.complaints == [], path
        assert len(page.title()) > len(" - Sevenstep"), path
        assert page.locator("h1").count() == 1, path
        levels = page.eval_on_selector_all(
            "h1,h2,h3,h4", "found => found.map((node) => Number(node.nodeName[1]))"
        )
        assert all(b <= a + 1 for a, b in pairwise(levels)), (path, levels)


def test_every_page_is_complete_without_a_script(
    chromium: Browser, site: Site, states: States
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.login("/workers"))
    for path in states.paths():
        page.goto(site.address + path)
        expect(page.locator("h1")).to_be_visible()
        assert len(page.locator("main").inner_text()) > 40, path
        assert page.get_by_text("undefined", exact=True).count() == 0, path
    context.close()


def test_a_session_to_read_with_sees_all_and_is_shown_no_form(
    chromium: Browser, site: Site, states: States
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(site.login("/workers", reads=True))
    for path in states.paths():
        page.goto(site.address + path)
        posts = page.locator("form[method=post]:not(.leave)")
        assert posts.count() == 0, path
    page.goto(f"{site.address}/studies/{states.studies['accepts']}")
    expect(page.locator("main")).to_contain_text("You are signed in to read.")
    context.close()


def test_states_are_told_in_words(page: Page, site: Site, states: States) -> None:
    running = states.studies["running"]
    page.goto(site.login(f"/studies/{running}/trials/{states.trials['waiting']}"))
    said: dict[str, Any] = {
        "waiting": "It is the next that a free worker gets.",
        "running": "It is being trained.",
        "resumed": "Rung 2, on from",
        "error": "ValueError: sizes do not fit",
        "memory": "ran out of memory",
        "lost": "its workers were lost",
        "non_finite": "no finite number",
        "cancelled": "cancelled with its study",
        "untrained": "Activations of the untrained model",
    }
    for state, words in said.items():
        page.goto(f"{site.address}/studies/{running}/trials/{states.trials[state]}")
        expect(page.locator("main")).to_contain_text(words)
    workers = {
        "busy": "Training on",
        "late": "A heartbeat is overdue",
        "lost": "its attempts went to others",
        "gone": "Said goodbye.",
    }
    for state, words in workers.items():
        page.goto(f"{site.address}/workers/{states.workers[state]}")
        expect(page.locator("#now")).to_contain_text(words)


def test_those_who_need_a_person_stand_on_top(page: Page, site: Site, states: States) -> None:
    page.goto(site.login("/studies"))
    waiting = page.get_by_role("region", name="Waiting for you")
    expect(waiting.locator("li.card")).to_have_count(2)
    expect(page.get_by_role("region", name="All others")).not_to_contain_text("needs action")
    page.get_by_label("Name, task or id").fill("PAUSED")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("li.card")).to_have_count(1)
    page.get_by_label("State").select_option("running")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".empty")).to_contain_text("No study fits.")
