from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from recipes.fusing import Fusing
from recipes.outcome import MemberOutcome
from service.database.models import Study, Trial
from tests.pages_tests.conftest import Site
from tests.recipes_tests.builders import description

pytestmark = pytest.mark.browser

CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = rgb(getComputedStyle(node).backgroundColor);
      if (a > 0.9) return [r, g, b];
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const node of document.querySelectorAll("main *:not(svg *)")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 120)];
  }
  return worst;
}
"""


@pytest.fixture(scope="module")
def judged(site: Site) -> str:
    study = site.create("judged")
    site.move_on()
    return study


def test_the_ladder_shows_verdicts_figures_and_findings(
    page: Page, site: Site, judged: str
) -> None:
    page.goto(site.login(f"/studies/{judged}"))
    expect(page).to_have_url(f"{site.address}/studies/{judged}")
    expect(page.locator("ol.ladder > li")).to_have_count(7)
    first = page.locator("ol.ladder > li").first
    expect(first).to_contain_text("passed")
    expect(first).to_contain_text("loss 0.4 against 2.3 at chance")
    expect(first.get_by_role("img", name="Loss by learning rate")).to_be_visible()
    expect(first).to_contain_text("<script>1e0</script>")
    expect(first).to_contain_text("The rate is high.")
    expect(page.locator("#now")).to_contain_text("Stopped: it needs you.")


def test_every_page_reads_without_a_script(page: Page, site: Site, judged: str) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    reader = plain.new_page()
    reader.goto(site.login(f"/studies/{judged}"))
    expect(reader.locator("ol.ladder > li")).to_have_count(7)
    reader.get_by_role("link", name="Initial loss").click()
    expect(reader.get_by_role("heading", level=1)).to_contain_text("1. Initial loss")
    reader.get_by_role("link", name="0", exact=True).first.click()
    expect(reader.get_by_role("heading", level=1)).to_contain_text("Trial 0")
    expect(reader.get_by_role("img", name="Loss")).to_be_visible()
    reader.get_by_role("link", name="Workers").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("Workers")
    plain.close()


def test_a_page_follows_its_study_live(page: Page, site: Site) -> None:
    study = site.create("live")
    page.goto(site.login(f"/studies/{study}"))
    expect(page.locator("#fresh")).to_have_text("live")
    expect(page.locator("#now")).to_contain_text("the task")
    page.evaluate("window.stays = true")
    site.move_on()
    expect(page.locator("#now")).to_contain_text("Stopped: it needs you.", timeout=4000)
    expect(page.locator("ol.ladder > li").nth(1)).to_contain_text("failed")
    assert page.evaluate("window.stays") is True  # changed in place, not loaded again


def test_pages_say_how_trials_trained(page: Page, site: Site) -> None:
    uid = site.create("together")
    site.move_on()
    fusing = Fusing(chunk=16, rates={"1": 10.0, "16": 24.0})
    with site.context.database.write() as session:
        study = session.scalars(select(Study).where(Study.uid == uid)).one()
        study.description = description(fusing=fusing).model_dump_json()
        first, second = session.scalars(
            select(Trial).where(Trial.study_id == study.id).order_by(Trial.number).limit(2)
        )
        changes = {"engine": "fused", "num_together": 16}
        assert first.outcome is not None
        found = MemberOutcome.model_validate_json(first.outcome).model_copy(update=changes)
        first.outcome, second.engine_reason = found.model_dump_json(), "LSTM has no batching rule"

    page.goto(site.login(f"/studies/{uid}/trials/{first.number}"))
    expect(page.get_by_text("Trained together with 15 others (fused).")).to_be_visible()
    page.goto(f"{site.address}/studies/{uid}/trials/{second.number}")
    expect(page.get_by_text("Trained alone: LSTM has no batching rule.")).to_be_visible()
    said = "Trials train up to 16 at a time: 2.4 times as fast as one by one."
    for path in ("", "/report"):
        page.goto(f"{site.address}/studies/{uid}{path}")
        expect(page.get_by_text(said)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_keep_their_contrast(
    page: Page, site: Site, judged: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site.login("/studies"))
    for path in (
        "/studies",
        f"/studies/{judged}",
        f"/studies/{judged}/steps/2",
        f"/studies/{judged}/trials/0",
        "/workers",
        "/login",
    ):
        page.goto(site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, (path, where)


def test_the_keyboard_reaches_the_content_first(page: Page, site: Site, judged: str) -> None:
    page.goto(site.login(f"/studies/{judged}"))
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))


def test_a_person_signs_in_with_the_token(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/workers")
    page.get_by_label("Token").fill(site.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.address}/workers")
    expect(page.get_by_role("heading", level=1)).to_have_text("Workers")


def test_a_figure_stands_alone_as_a_file(page: Page, site: Site, judged: str) -> None:
    page.goto(site.login(f"/api/v1/studies/{judged}/figures/step-1-loss.svg"))
    assert page.evaluate("document.documentElement.nodeName") == "svg"
    fill = page.evaluate("getComputedStyle(document.querySelector('.c-train')).fill")
    assert fill == "rgb(0, 114, 178)"
