"""The page of each finding's code, in Chromium on a phone. Axe looks at them in every_page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from service.views import finding_docs
from tests.pages_tests.conftest import Site

pytestmark = pytest.mark.browser

PHONE_WIDTH = 360
SHOWN = "found => found.every((picture) => picture.complete && picture.naturalWidth > 0)"


def test_every_page_fits_a_phone_and_shows_its_picture(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(viewport={"width": PHONE_WIDTH, "height": 740})
    page = context.new_page()
    page.goto(site.login("/findings"))
    assert page.locator("main dt a").count() == len(finding_docs.codes())
    for code in finding_docs.codes():
        page.goto(f"{site.address}/findings/{code}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH, code
        assert page.locator("h1").inner_text() == code
        assert page.locator("main img").count() == finding_docs.has_picture(code), code
        assert page.eval_on_selector_all("main img", SHOWN), code
    context.close()


def test_links_lead_from_page_to_page_and_back_to_the_list(page: Page, site: Site) -> None:
    page.goto(site.login("/findings"))
    page.get_by_role("link", name="lr too high", exact=True).click()
    page.get_by_role("link", name="underfitting").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("underfitting")
    page.get_by_role("navigation", name="Path").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Findings")
