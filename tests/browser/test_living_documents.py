"""What a document would like to do by itself, in the reader (yardstick G9)."""

import io
from typing import Any

import pytest
from playwright.sync_api import Browser
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from signapp import documents as storage
from signapp.clients import gateway
from tests.browser.test_signapp_pages import chromium, log_in
from tests.signapp.test_pages import CERTIFICATE, document_of
from tests.support import pdfs

__all__ = ["chromium"]  # the fixture
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "signapp"], transaction=True)]


def make_living_pdf(elsewhere: str) -> bytes:
    """Acts when it is opened and when its page is, and has a link for every kind of action."""
    address = f"({elsewhere})".encode()
    actions = [
        b"<< /S /JavaScript /JS (app.alert(1); fetch%s; window.parent.document.title='owned') >>" % address,
        b"<< /S /Launch /F (/bin/sh) >>",
        b"<< /S /SubmitForm /F << /FS /URL /F %s >> >>" % address,
        b"<< /S /URI /URI (javascript:alert\\(1\\)) >>",
        b"<< /S /GoToR /F << /FS /URL /F %s >> /D [0 /Fit] >>" % address,
        b"<< /S /ImportData /F %s >>" % address,
    ]
    objects = pdfs.document_objects()
    widgets = []
    for number, action in enumerate(actions, 10):
        subtype = b"/Widget /FT /Btn /T (b%d)" % number if number % 2 else b"/Link"
        place = b"[50 %d 550 %d]" % (50 * (number - 9), 50 * (number - 9) + 40)
        objects[number] = b"<< /Type /Annot /Subtype %s /Rect %s /A %s /AA << /PO %s >> >>" % (
            *(subtype, place, action, action),
        )
        widgets.append(b"%d 0 R" % number)
    objects[20] = b"<< /Type /EmbeddedFile /Length 4 >>\nstream\nevil\nendstream"
    objects[21] = b"<< /Type /Filespec /F (evil.html) /EF << /F 20 0 R >> >>"
    objects[4] = objects[4].replace(
        b"/Contents", b"/Annots [%s] /AA << /O %s >> /Contents" % (b" ".join(widgets), actions[0])
    )
    objects[1] = (
        b"<< /Type /Catalog /Pages 2 0 R /OpenAction %s /AcroForm << /Fields [%s] >> "
        b"/Names << /JavaScript << /Names [(a) %s] >> /EmbeddedFiles << /Names [(evil.html) 21 0 R] >> >> >>"
        % (actions[0], b" ".join(widgets), actions[0])
    )
    return pdfs.assemble(objects)


def test_g9_the_reader_runs_and_fetches_nothing_of_a_document(
    live_server: LiveServer, chromium: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = "tests.signapp.addresses"
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [CERTIFICATE])
    original = storage.store_file(io.BytesIO(make_living_pdf("http://127.0.0.1:9/elsewhere")))
    document = document_of("alice", state="ready", original=original)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    log_in(context, live_server)
    page = context.new_page()
    asked: list[str] = []
    met: list[Any] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: met.append(dialog))
    page.on("popup", lambda popup: met.append(popup))
    page.on("download", lambda download: met.append(download))
    page.goto(f"{live_server.url}/documents/{document.pk}")
    page.wait_for_selector("[data-reader-pages] canvas")
    title = page.title()
    box = page.locator("[data-reader-pages] canvas").first.bounding_box()
    assert box is not None
    for row in range(1, 7):
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * (1 - row * 50 / 842) - 5)
    page.wait_for_timeout(300)
    assert met == []
    assert {url for url in asked if not url.startswith((live_server.url, "blob:", "data:"))} == set()
    assert page.url == f"{live_server.url}/documents/{document.pk}"
    assert page.title() == title
    context.close()
