"""The pages of a study that went through all seven steps, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from recipes.study import StudyState
from service.use_cases import studies
from tests.pages_tests.conftest import Site
from tests.pages_tests.gallery import whole_study
from tests.pages_tests.gallery_reports import BEST
from tests.pages_tests.test_pages import CONTRAST

pytestmark = pytest.mark.browser

PASSES_TO_ACCEPT = 4
"""Reports up to the one that asks to widen."""


@pytest.fixture(scope="module")
def whole(site: Site) -> str:
    with site.context.database.write() as session:
        return whole_study(session)


@pytest.fixture
def waiting(site: Site) -> str:
    with site.context.database.write() as session:
        state = StudyState.NEEDS_ACTION
        return whole_study(session, name="waits", until=PASSES_TO_ACCEPT, state=state)


def state_of(site: Site, study: str) -> StudyState:
    with site.context.database.read() as session:
        return studies.get(session, study).state


def test_the_result_stands_first_with_its_error_and_what_it_is_the_best_of(
    page: Page, site: Site, whole: str
) -> None:
    page.goto(site.login("/studies"))
    card = page.locator(f"li.card:has(a[href='/studies/{whole}'])")
    expect(card).to_contain_text("0.9712 ± 0.0043 accuracy, best of 31 settings")
    page.goto(f"{site.address}/studies/{whole}")
    expect(page.locator("#now")).to_contain_text("Another round would gain nothing")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("0.9712 ± 0.0043")
    expect(result).to_contain_text("best of 31 settings, the mean of 3 seeds")
    expect(result).to_contain_text("Your present setting")
    expect(result).to_contain_text("0.9655 ± 0.0061 on 360 test samples")
    result.get_by_role("link", name=f"Trial {BEST.trial}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Trial {BEST.trial}")


def test_rounds_have_their_steps_and_what_they_tried(page: Page, site: Site, whole: str) -> None:
    page.goto(site.login(f"/studies/{whole}"))
    changed = page.locator("section.tried")
    expect(changed).to_contain_text("A cosine schedule with learning rates x3 and x10")
    expect(changed).to_contain_text("confirmed")
    expect(changed).to_contain_text("refuted")
    assert page.locator("section.round > h2").all_inner_texts()[0] == "Round 1"
    earlier = page.locator("#round-2 details.earlier")
    expect(earlier.locator("ol > li").first).not_to_be_visible()
    earlier.locator("summary").first.click()
    earlier.get_by_role("link", name="Fine search").click()
    expect(page).to_have_url(re.compile(r"/steps/5\?round=2&pass=1$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("5. Fine search")


def test_warnings_of_earlier_rounds_are_folded_and_those_of_the_last_use_the_width(
    page: Page, site: Site, whole: str
) -> None:
    page.goto(site.login(f"/studies/{whole}"))
    earlier = page.locator("#round-2 details.earlier")
    earlier.locator("summary").first.click()
    folded = earlier.locator(".rung-findings details").first
    expect(folded.locator("summary").first).to_have_text("1 warning")
    expect(folded.locator("li.finding").first).not_to_be_visible()
    last = page.locator("section.round").last.locator("li.rung:has(.finding)").first
    expect(last.locator("li.finding").first).to_be_visible()
    rung, told = last.bounding_box(), last.locator(".rung-findings").bounding_box()
    assert rung is not None
    assert told is not None
    assert told["width"] > 0.85 * rung["width"]
    assert page.get_by_text("how sure the rule is that this is the cause").count() == 1


def test_passes_are_folded_behind_the_last(page: Page, site: Site, whole: str) -> None:
    page.goto(site.login(f"/studies/{whole}"))
    coarse = page.locator("ol.ladder > li").nth(3)
    expect(coarse).to_contain_text("pass 2")
    coarse.get_by_text("1 earlier run").click()
    coarse.get_by_role("link", name="pass 1").click()
    expect(page.locator("#now")).to_contain_text("The best lies at the edge.")


def test_trials_are_filtered_and_sorted_without_a_script(
    page: Page, site: Site, whole: str
) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    reader = plain.new_page()
    reader.goto(site.login(f"/studies/{whole}/trials"))
    reader.get_by_label("State").select_option("pruned")
    reader.get_by_label("Sort by").select_option("-value")
    reader.get_by_role("button", name="Show").click()
    numbers = [
        int(text) for text in reader.locator("table.trials th[scope=row]").all_inner_texts()
    ]
    assert numbers
    assert all(number % 3 == 0 for number in numbers)
    values = [
        float(text.split()[0])
        for text in reader.locator("td.value").all_inner_texts()
        if text != "diverged"
    ]
    assert values == sorted(values, reverse=True)
    plain.close()


def test_a_trial_shows_where_its_best_epoch_was(page: Page, site: Site, whole: str) -> None:
    page.goto(site.login(f"/studies/{whole}/trials/1"))
    expect(page.locator("#now")).to_contain_text("on validation at epoch")
    expect(page.get_by_role("img", name="Accuracy").first).to_contain_text("best epoch")
    page.locator(".figures details summary").first.click()
    expect(page.locator(".figures table").first).to_be_visible()


def test_a_person_pauses_and_resumes(page: Page, site: Site) -> None:
    study = site.create("to pause")
    page.goto(site.login(f"/studies/{study}"))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#now")).to_contain_text("Paused")
    assert state_of(site, study) is StudyState.PAUSED
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert state_of(site, study) is StudyState.PENDING


def test_cancelling_asks_first(page: Page, site: Site) -> None:
    study = site.create("to cancel")
    page.goto(site.login(f"/studies/{study}"))
    sure = page.get_by_role("button", name="Cancel this study for good")
    expect(sure).not_to_be_visible()
    page.get_by_text("Cancel…").click()
    sure.click()
    expect(page.locator("#now")).to_contain_text("Cancelled.")
    assert state_of(site, study) is StudyState.CANCELLED


def test_a_person_accepts_what_a_step_offers(page: Page, site: Site, waiting: str) -> None:
    page.goto(site.login(f"/studies/{waiting}"))
    expect(page.locator("#now")).to_contain_text("Step 4, coarse search, asks")
    page.get_by_role("button", name="Accept: run it again over the wider range").click()
    expect(page).to_have_url(f"{site.address}/studies/{waiting}")
    assert state_of(site, waiting) is StudyState.RUNNING
    with site.context.database.read() as session:
        assert studies.step(session, waiting, 4).accepted


def test_a_page_left_open_cannot_decide_twice(page: Page, site: Site, waiting: str) -> None:
    page.goto(site.login(f"/studies/{waiting}"))
    form = page.locator("form[action$=accept]")
    action = form.get_attribute("action")
    fields: dict[str, str | float | bool] = {
        name: form.locator(f"input[name={name}]").get_attribute("value") or ""
        for name in ("form_token", "round", "pass")
    }
    with site.context.database.write() as session:
        studies.cancel(session, waiting)
    answer = page.request.post(
        f"{site.address}{action}", form=fields, headers={"Origin": site.address}
    )
    assert answer.status == 409
    assert "Not in this state" in answer.text()
    assert "Back to the study" in answer.text()


def test_skipping_needs_a_reason_and_keeps_it(page: Page, site: Site, waiting: str) -> None:
    page.goto(site.login(f"/studies/{waiting}/steps/4"))
    page.get_by_text("Go on without…").click()
    page.get_by_role("button", name="Go on without it").click()
    assert state_of(site, waiting) is StudyState.NEEDS_ACTION  # the browser asks for a reason
    page.get_by_label("Why").fill("the rate is fixed elsewhere")
    page.get_by_role("button", name="Go on without it").click()
    expect(page.locator("ol.ladder")).to_contain_text("Skipped: the rate is fixed elsewhere")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_other_pages_cannot_act_for_a_person(
    page: Page, site: Site, waiting: str, origin: str | None
) -> None:
    page.goto(site.login(f"/studies/{waiting}"))
    token = page.locator("input[name=form_token]").first.get_attribute("value") or ""
    headers = {} if origin is None else {"Origin": origin}
    answer = page.request.post(
        f"{site.address}/studies/{waiting}/cancel", form={"form_token": token}, headers=headers
    )
    assert answer.status == 403
    assert state_of(site, waiting) is StudyState.NEEDS_ACTION


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_without_this_sessions_token_is_refused(
    page: Page, site: Site, waiting: str, token: str
) -> None:
    page.goto(site.login("/studies"))
    answer = page.request.post(
        f"{site.address}/studies/{waiting}/cancel",
        form={"form_token": token},
        headers={"Origin": site.address},
    )
    assert answer.status == 403
    assert "open the page again" in answer.text()
    assert state_of(site, waiting) is StudyState.NEEDS_ACTION


def test_a_session_writes_through_forms_alone(page: Page, site: Site, waiting: str) -> None:
    page.goto(site.login(f"/studies/{waiting}"))
    answer = page.request.post(
        f"{site.address}/api/v1/studies/{waiting}/cancel", headers={"Origin": site.address}
    )
    assert answer.status == 403
    assert state_of(site, waiting) is StudyState.NEEDS_ACTION


def test_the_report_tells_all_of_it_and_prints(page: Page, site: Site, whole: str) -> None:
    page.goto(site.login(f"/studies/{whole}/report"))
    report = page.locator("article.report")
    for said in (
        "0.9628 to 0.9796",
        "Your present setting",
        "A cosine schedule",
        "3. Find the learning rate",
        "7. Loop or stop, round 3",
        "hidden above 256: the range was hard.",
        "sevenstep run digits",
    ):
        expect(report).to_contain_text(said)
    page.emulate_media(media="print")
    expect(page.locator(".top")).not_to_be_visible()
    expect(report.get_by_role("img").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_keep_their_contrast(
    page: Page, site: Site, whole: str, waiting: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site.login("/studies"))
    for path in (
        f"/studies/{whole}",
        f"/studies/{waiting}",
        f"/studies/{whole}/steps/4",
        f"/studies/{whole}/steps/6",
        f"/studies/{whole}/trials",
        f"/studies/{whole}/trials/9",
        f"/studies/{whole}/report",
        "/docs",
    ):
        page.goto(site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, (path, where)


def test_the_interface_is_described_without_anything_from_afar(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.address}/docs")  # open to anyone
    assert asked
    assert all(url.startswith(site.address) for url in asked)
    create = page.locator("#create_study")
    create.locator("summary").click()
    expect(create).to_contain_text("StudyConfig")
    create.get_by_role("link", name="StudyConfig").click()
    expect(page.locator("#model-StudyConfig")).to_contain_text("max_rounds")
