"""A password, and a repair, as a signer meets them in Chromium: asked for beside the file, read in the page."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from signapp.clients import gateway
from signapp.models import Document, StoredFile
from tests.browser.test_signapp_pages import log_in
from tests.gateway import remote as beyond
from tests.gateway.test_repairs import cut_references
from tests.signapp.test_pages import CERTIFICATE
from tests.support import pdfs

DATABASES = ["default", *{"gateway", "signapp"} & set(django_settings.DATABASES)]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=DATABASES, transaction=True)]
PASSWORD = "sëcret"


@pytest.fixture
def page(
    live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Page]:
    """Alice's, before the gateway itself."""
    settings.CLIENT_TRANSPORT = "tests.contract.test_signapp_asks_gateway.transport_for"
    settings.SIGNAPP_DOCUMENTS_DIR, settings.GATEWAY_DOCUMENTS_DIR = tmp_path / "library", tmp_path / "jobs"
    monkeypatch.setattr(beyond, "current", beyond.Remote())
    beyond.current.service_tokens["token"] = beyond.current.service_tokens[beyond.current.log_in("alice")]
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [CERTIFICATE])
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        log_in(context, live_server)
        opened = context.new_page()
        opened.goto(f"{live_server.url}/documents")
        yield opened
        browser.close()


def choose(page: Page, folder: Path, pdf: bytes) -> None:
    (folder / "Lease.pdf").write_bytes(pdf)
    page.locator('input[type="file"]').set_input_files(folder / "Lease.pdf")


def shot(page: Page, name: str) -> None:
    """Kept where somebody asks for pictures."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_password_is_asked_for_beside_the_file_and_again_where_it_is_read(page: Page, tmp_path: Path) -> None:
    sent: list[bytes] = []
    page.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    expect(page.get_by_label("Password of the document", exact=True)).to_be_hidden()
    choose(page, tmp_path, pdfs.encrypt_pdf(pdfs.make_pdf(pages=2), "AES-256", user=PASSWORD))
    page.get_by_role("button", name="Upload", exact=True).click()
    password = page.get_by_label("Password of the document", exact=True)
    expect(password).to_be_focused()
    expect(page.locator("[data-file-error]")).to_contain_text("protected by a password")
    shot(page, "password-asked")
    password.fill("secret")
    password.press("Enter")
    expect(page.locator("[data-file-error]")).to_contain_text("has another password")
    password.fill(PASSWORD)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/documents/*-*")
    expect(page.locator("#panel-state")).to_contain_text("Encrypted (AES-256)")

    sent.clear()
    reading = page.get_by_label("Password of the document", exact=True)
    expect(reading).to_be_visible()
    shot(page, "password-reader")
    page.set_viewport_size({"width": 390, "height": 844})
    shot(page, "password-reader-phone")
    reading.fill("wrong one")
    reading.press("Enter")
    expect(page.locator("[data-reader-wrong]")).to_be_visible()
    reading.fill(PASSWORD)
    page.get_by_role("button", name="Open it").click()
    expect(page.locator("[data-reader-where]")).to_have_text("Page 1 of 2")
    assert not any(PASSWORD.encode() in body or b"wrong one" in body for body in sent)
    assert StoredFile.objects.get().wrapped_password


def test_a_repair_is_offered_done_and_told_before_the_document_is_read(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, cut_references(pdfs.make_pdf(pages=2)))
    offered = page.get_by_role("button", name="Repair it and upload")
    expect(offered).to_be_hidden()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(offered).to_be_visible()
    shot(page, "repair-offered")
    assert not Document.objects.exists()
    offered.click()
    page.wait_for_url("**/documents/*-*")
    expect(page.locator("#panel-state")).to_contain_text("This is a repaired document")
    expect(page.locator("#panel-state")).to_contain_text("The list of its parts was made anew.")
    expect(page.locator("[data-reader-where]")).to_have_text("Page 1 of 2")
    shot(page, "repair-told")
    # Another file is another question.
    page.go_back()
    choose(page, tmp_path, pdfs.make_pdf())
    expect(offered).to_be_hidden()
