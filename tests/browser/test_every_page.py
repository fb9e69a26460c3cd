"""Every page and state of signapp and authz, as `make screenshots` meets them: accessible, no wider than a small phone,
within its budget, and nothing that the browser complains about. A page of the URL tables that the tour does not come to
fails."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from scripts.instance import Instance
from scripts.pages import NOT_PAGES, addresses, unseen
from scripts.tour import Tour
from scripts.walk import Walk, open_chromium
from tests.browser.inspection import Inspection

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("people")]
# What is refused on the way is refused with these.
_EXPECTED = re.compile(r"status of (400|403|404|409|410|422)|net::ERR_ABORTED")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


def test_every_page_is_accessible_fits_the_screen_and_keeps_its_budget(
    people_instance: Instance, chromium: Browser
) -> None:
    inspection = Inspection()
    tour = Tour(chromium, people_instance, on_page=lambda walk, name: inspection(walk.page, name))
    tour.go()
    assert inspection.faults == []
    assert [text for text in tour.complaints if not _EXPECTED.search(text)] == []
    stranger = Walk(chromium, people_instance.base_url)
    assert unseen(tour.paths, stranger.context.request, people_instance.base_url) == []
    stranger.close()


def test_what_is_named_as_no_page_is_an_address() -> None:
    assert set(NOT_PAGES) - set(addresses()) == set()
