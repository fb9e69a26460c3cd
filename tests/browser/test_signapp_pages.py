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
from tests.browser.inspection import Inspection
from tests.signapp.test_pages import CERTIFICATE, COOKIE, FINGERPRINT, REQUESTS, browser_of, document_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "signapp"], transaction=True)]
ROOT = Path(__file__).resolve().parents[2]
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


def test_every_page_is_accessible_fits_the_screen_and_is_within_the_policy(
    live_server: LiveServer, chromium: Browser
) -> None:
    inspection, complaints = Inspection(), []
    context = chromium.new_context()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in ["/", *pages_of_alice()]:
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")
        assert page.url == live_server.url + path
        inspection(page, path)
        if path == "/":
            log_in(context, live_server)
    context.close()
    assert inspection.faults == []
    assert complaints == []
