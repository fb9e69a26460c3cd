"""An operator at the certificates' admin pages, on a desktop and on a phone: nothing is broken, wide or inline."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scripts.instance import Instance
from scripts.walk import DESKTOP, Person, Walk, open_chromium
from tests.support.instance import start_instance

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("certificate-admin")]
ALICE = Person("Alice Example", "alice@example.org", "seven herons over the canal")
OPERATOR = Person("Demo Operator", "operator@example.org", "two lamps beside the lock")
# What the content security policy would refuse. Styles that scripts set are theirs to set.
INLINE = """
[...document.querySelectorAll('script:not([src]):not([type="application/json"])'),
 ...[...document.querySelectorAll('*')].filter(node => [...node.attributes].some(each => each.name.startsWith('on')))
].map(node => node.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with start_instance(tmp_path_factory.mktemp("admin")) as started:
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def operator(instance: Instance, chromium: Browser) -> Iterator[Walk]:
    """Logged in to the administration, where Alice's certificate is."""
    alice = Walk(chromium, instance.base_url)
    alice.sign_up(ALICE)
    alice.get_certificate(ALICE)
    alice.close()
    link = instance.manage("create_operator", "--email", OPERATOR.email, "--name", OPERATOR.name, capture=True).strip()
    walk = Walk(chromium, instance.base_url)
    walk.page.goto(link)
    walk.page.locator('input[name="password"]').fill(OPERATOR.password)
    walk.press("Continue to your passkey")
    walk.await_heading("Add your passkey")
    walk.press("Add a passkey")
    walk.page.wait_for_url("**/admin/")
    yield walk
    walk.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["list", "certificate", "authority", "revoke"])
def test_the_certificate_pages_are_whole(operator: Walk, tmp_path: Path, name: str, width: int) -> None:
    page, before = operator.page, len(operator.complaints)
    page.set_viewport_size({"width": width, "height": 900})
    operator.open("/admin/rssp/certificate/authority/" if name == "authority" else "/admin/rssp/certificate/")
    if name == "certificate":
        page.get_by_role("link", name="CN=Alice Example").first.click()
        page.wait_for_url("**/change/**")
    if name == "revoke":
        page.locator("tr", has_text="CN=Alice Example").locator("input.action-select").first.check()
        page.locator('select[name="action"]').select_option("revoke")
        page.locator('button[name="index"]').click()
        page.get_by_role("heading", name="Are you sure?").wait_for()
    page.screenshot(path=Path(os.environ.get("TEST_PICTURES_DIR", tmp_path)) / f"{name}-{width}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    inline = page.evaluate(INLINE)
    words = page.inner_text("#content")
    page.set_viewport_size(DESKTOP)
    assert wide <= 0
    assert inline == []
    assert operator.complaints[before:] == []
    expected = {
        "list": ("Alice Example", "demonstration"),
        "certificate": ("This service, by CRL and OCSP: valid.", "DER", "PEM", "content_commitment"),
        "authority": ("issuing", "in this token"),
        "revoke": ("CN=Alice Example", "for ever"),
    }[name]
    assert [item for item in expected if item not in words] == []


def test_contents_and_downloads_stand_before_the_record(operator: Walk) -> None:
    operator.open("/admin/rssp/certificate/")
    operator.page.get_by_role("link", name="CN=Alice Example").first.click()
    operator.page.wait_for_url("**/change/**")
    words = operator.page.inner_text("#content")
    places = [words.lower().index(word) for word in ("who publishes its status", "download", "contents", "public key")]
    assert places == sorted(places)
    with operator.page.expect_download() as download:
        operator.page.get_by_role("link", name="PEM").click()
    assert Path(download.value.path()).read_text().startswith("-----BEGIN CERTIFICATE-----")
