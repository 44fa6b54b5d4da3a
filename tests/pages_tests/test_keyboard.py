"""Pages by keyboard alone: from the list to a trial and back, and a decision."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from service.use_cases import studies
from tests.pages_tests.conftest import Site
from tests.pages_tests.states import States, every_state

pytestmark = pytest.mark.browser

MOST_PRESSES = 120

FOCUSED = """() => {
  const node = document.activeElement;
  const style = getComputedStyle(node);
  return [node.innerText.trim(), style.outlineStyle !== "none" && parseFloat(style.outlineWidth)];
}"""


@pytest.fixture(scope="module")
def states(site: Site) -> States:
    with site.context.database.write() as session:
        return every_state(session)


def tab_to(page: Page, text: str) -> None:
    """Press Tab until something with this text has the focus, and can be seen to have it."""
    for _ in range(MOST_PRESSES):
        page.keyboard.press("Tab")
        said, outline = page.evaluate(FOCUSED)
        if said == text:
            assert outline, f"{text} has the focus and does not show it"
            return
    raise AssertionError(f"{text} is not reached by keyboard on {page.url}")


def test_from_the_list_to_a_trial_and_back(page: Page, site: Site, states: States) -> None:
    whole = states.studies["completed"]
    page.goto(site.login("/studies"))
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)[0] == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to(page, "digits, the whole recipe")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/studies/{whole}")
    tab_to(page, "Coarse search")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("4. Coarse search")
    tab_to(page, "9")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trial 9")
    tab_to(page, "10 ›")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trial 10")
    tab_to(page, "Studies")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/studies")


def test_a_decision(page: Page, site: Site, states: States) -> None:
    page.goto(site.login(f"/studies/{states.studies['accepts']}"))
    tab_to(page, "Go on without…")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("decided by keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("decided by keyboard")


def test_deleting_asks_for_the_name(chromium: Browser, site: Site, states: States) -> None:
    context = chromium.new_context()
    page = context.new_page()
    gone = states.studies["cancelled"]
    page.goto(site.login(f"/studies/{gone}"))
    tab_to(page, "Delete…")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("another name")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("type the study's name: was cancelled")
    page.get_by_role("link", name="Back to the study").click()
    page.get_by_text("Delete…").click()
    page.get_by_label("Name of the study").fill("was cancelled")
    page.get_by_role("button", name="Delete it for good").click()
    expect(page).to_have_url(f"{site.address}/studies")
    expect(page.locator("main")).not_to_contain_text("was cancelled")
    context.close()
    with site.context.database.read() as session:
        assert gone not in [each.id for each in studies.list_studies(session).items]
