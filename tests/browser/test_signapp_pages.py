"""The signer's pages in Chromium: accessible, nothing wider than a small phone, nothing that the policy refuses."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from signapp import documents as storage
from signapp.clients import gateway
from signapp.models import Document
from tests.signapp.test_pages import CERTIFICATE, COOKIE, FINGERPRINT, REQUESTS, browser_of, document_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "signapp"], transaction=True)]
ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "static" / "vendor" / "axe" / "axe.min.js"
SAMPLE = ROOT / "static" / "design" / "sample.pdf"
PAGES = ["/logged-out", "/documents", "/account", "/certificates/new"]


@pytest.fixture(autouse=True)
def _this_role_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = "tests.signapp.addresses"
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [CERTIFICATE])
    monkeypatch.setattr(gateway, "list_requests", lambda **_call: REQUESTS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, and Django would take that for an asynchronous caller.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


def pages_of_alice() -> list[str]:
    """Her pages, with a document in every state."""
    made = []
    for state in Document.State.values:
        original = storage.store_file(io.BytesIO(SAMPLE.read_bytes()))
        known: dict[str, Any] = {"signed": original} if state == "signed" else {"original": original}
        error = "outcome_unknown" if state == "failed" else ""
        made.append(document_of("alice", state=state, fingerprint=FINGERPRINT, error_code=error, **known))
    return [*PAGES, f"/documents/{made[0].pk}/delete", *(f"/documents/{document.pk}" for document in made)]


def log_in(context: BrowserContext, live_server: LiveServer) -> None:
    value = browser_of("alice").cookies[COOKIE or ""].value
    context.add_cookies([{"name": COOKIE or "", "value": value, "url": live_server.url}])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_every_page_is_accessible_and_fits_the_screen(
    live_server: LiveServer, chromium: Browser, theme: Any, width: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme, bypass_csp=True, reduced_motion="reduce"
    )
    page, faults = context.new_page(), []
    for path in ["/", *pages_of_alice()]:
        page.goto(live_server.url + path)
        page.wait_for_timeout(400)
        assert page.url == live_server.url + path
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        page.add_script_tag(path=AXE)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
        faults += [(path, each["id"], each["nodes"][0]["target"]) for each in violations]
        faults += [(path, "too wide", wide)] if wide > 0 else []
        if path == "/":
            log_in(context, live_server)
    context.close()
    assert faults == []


def test_no_page_asks_for_anything_that_the_policy_refuses(live_server: LiveServer, chromium: Browser) -> None:
    context = chromium.new_context()
    log_in(context, live_server)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in pages_of_alice():
        page.goto(live_server.url + path)
        page.wait_for_timeout(1200)
    context.close()
    assert complaints == []
