"""The living page in Chromium: accessible, nothing wider than a small phone, and every page of a PDF shown."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import Settings

from config import appearance

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "static" / "vendor" / "axe" / "axe.min.js"
PAGES = ["/design/?theme={theme}", "/design/card", "/design/workspace", "/design/reader", "/design/nothing"]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the library's)
        return None


@pytest.fixture
def address(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The living page shows samples, without a database: neither then has its product a name of an operator's.
    monkeypatch.setattr(appearance, "read_product", lambda: appearance.Product(settings.PRODUCT_NAME))
    settings.ROOT_URLCONF = "config.design"
    settings.SESSION_REALMS = [("/", None, None)]
    with make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_every_frame_and_component_is_accessible_and_fits_the_screen(
    address: str, chromium: Browser, theme: str, width: int
) -> None:
    # Only the test's own script needs the policy lifted; what the policy refuses is watched for in the next test.
    scheme: Any = theme
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    for path in PAGES:
        opened(page, address + path.format(theme=theme))
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px wider than the screen"
        page.add_script_tag(path=AXE)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
        assert [(path, each["id"], each["nodes"][0]["target"]) for each in violations] == []
    context.close()


def test_no_page_asks_for_anything_that_the_policy_refuses(address: str, chromium: Browser) -> None:
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in PAGES[:-1]:
        opened(page, address + path.format(theme="light"))
    page.close()
    assert complaints == []


def test_the_reader_shows_every_page_with_its_text_and_counts_them(address: str, chromium: Browser) -> None:
    page = opened(chromium.new_page(viewport={"width": 1280, "height": 800}), address + "/design/reader")
    page.wait_for_selector(".reader__paper canvas")
    height = page.evaluate("document.documentElement.scrollHeight")
    # A page's text is laid over it once it is drawn.
    expect(page.locator(".reader__page").first).to_contain_text("Lease for the house by the canal")
    assert page.get_attribute("[data-reader]", "data-all-shown") is None
    for number in (2, 3):
        page.click("[data-reader-next]")
        expect(page.locator("[data-reader-where]")).to_have_text(f"Page {number} of 3")
    page.wait_for_selector("[data-reader][data-all-shown]")
    expect(page.locator("[data-reader-live]")).to_have_text("All 3 pages were shown")
    assert page.evaluate("document.documentElement.scrollHeight") == height, "the page jumped while it loaded"
    page.close()


def test_what_lies_on_a_page_keeps_the_focus_while_the_page_is_drawn_anew(address: str, chromium: Browser) -> None:
    page = opened(chromium.new_page(viewport={"width": 1280, "height": 800}), address + "/design/reader")
    page.wait_for_selector(".reader__paper canvas")
    page.evaluate(
        """() => {
          const field = document.createElement("button");
          document.querySelector(".reader__layer").append(field);
          field.focus();
          document.querySelector(".reader__paper canvas").dataset.old = "yes";
          document.querySelector("[data-reader-in]").click();
        }"""
    )
    expect(page.locator(".reader__paper >> nth=0").locator("canvas:not([data-old])")).to_be_attached()
    assert page.evaluate("document.activeElement.matches('.reader__layer > button')")
    page.close()


def test_a_file_that_is_no_pdf_is_a_sentence_and_a_link(address: str, chromium: Browser) -> None:
    page = chromium.new_page()
    page.route("**/sample.pdf", lambda route: route.fulfill(body="Mallory was here", content_type="application/pdf"))
    page.goto(address + "/design/reader")
    page.wait_for_selector("[data-reader-failed]:not([hidden])")
    assert "could not be shown" in page.inner_text("[data-reader-failed]")
    assert page.get_attribute("[data-reader-failed] a", "href") == "/static/design/sample.pdf"
    page.close()


def test_the_primary_button_is_in_view_on_a_small_phone(address: str, chromium: Browser) -> None:
    page = opened(chromium.new_page(viewport={"width": 320, "height": 568}), address + "/design/reader")
    box = page.locator(".reader-panel__action .button").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 568
    page.close()


def test_a_large_or_foreign_file_is_refused_before_it_is_sent(address: str, chromium: Browser, tmp_path: Path) -> None:
    page = opened(chromium.new_page(), address + "/design/?theme=light")
    page.set_input_files("#light-document", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"})
    error = page.locator("[data-file-error]").first
    expect(error).to_contain_text("not a PDF")
    large = tmp_path / "large.pdf"
    large.write_bytes(b"%PDF-1.7\n" + b"0" * (52428800 + 1))
    page.set_input_files("#light-document", large)
    expect(error).to_contain_text("larger than 50")
    page.close()
