"""People in Chromium against a whole instance: the way to a signed document, and what turns up beside it."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from scripts.demo import SAMPLE, verify
from scripts.instance import Instance
from scripts.walk import Person, Walk, WalkError, open_chromium
from tests.browser.inspection import Inspection
from tests.support.instance import start_instance
from tests.support.pdfs import make_certified_pdf, make_encrypted_pdf

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("whole-chain")]
ALICE = Person("Alice Example", "alice@example.org", "seven herons over the canal")
BOB = Person("Bob Example", "bob@example.org", "nine boats below the bridge")
CAROL = Person("Carol Example", "carol@example.org", "four bells beyond the hill")
OPERATOR = Person("Demo Operator", "operator@example.org", "two lamps beside the lock")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    as_it_comes = {"REGISTRATION": "", "SIGNATURE_LEVEL": "B-LT"}
    with start_instance(tmp_path_factory.mktemp("chain"), settings=as_it_comes) as started:
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def newcomer(instance: Instance, chromium: Browser) -> Iterator[Callable[..., Walk]]:
    """A browser that nobody used before, for each call, and the mail."""
    walks = []

    def open_browser(**how: Any) -> Walk:
        walks.append(Walk(chromium, instance.base_url, mail=instance.mailbox, **how))
        return walks[-1]

    yield open_browser
    for walk in walks:
        walk.close()


@pytest.fixture(scope="module")
def alice(newcomer: Callable[..., Walk]) -> Walk:
    """Logged in, with a certificate."""
    walk = newcomer()
    walk.sign_up(ALICE)
    walk.get_certificate(ALICE)
    return walk


@pytest.fixture(scope="module")
def bob(newcomer: Callable[..., Walk]) -> Walk:
    """Logged in, without a certificate."""
    walk = newcomer()
    walk.sign_up(BOB)
    return walk


@pytest.fixture
def passkey(alice: Walk) -> Iterator[dict[str, Any]]:
    """Alice's; a test may take it out of her device, and it is back afterwards."""
    (held,) = alice.device.passkeys()
    yield held
    if alice.device.passkeys() != [held]:
        alice.device.clear()
        alice.device.add(held)


def at_consent(walk: Walk) -> str:
    """An uploaded document's address, with its approval page open."""
    walk.upload(SAMPLE)
    address = walk.page.url
    walk.prepare()
    walk.go_to_approval()
    return address


def words(walk: Walk) -> str:
    return walk.page.inner_text("main")


def test_from_the_landing_page_to_a_file_that_foreign_programs_accept(
    instance: Instance, newcomer: Callable[..., Walk], tmp_path: Path
) -> None:
    carol = newcomer()
    carol.sign_up(CAROL)
    carol.get_certificate(CAROL)
    carol.upload(SAMPLE)
    carol.read()
    shown = carol.prepare()
    assert carol.go_to_approval() == shown
    carol.approve(CAROL)
    carol.await_signed()
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(carol.download())
    root = carol.context.request.get(f"{instance.base_url}/pki/root.pem").body()
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread, and pyHanko wants one of its own
        assert len(apart.submit(lambda: list(verify(SAMPLE.read_bytes(), signed, root))).result()) == 6
    assert carol.complaints == []


def test_who_declines_is_told_so_and_may_sign_afterwards(alice: Walk) -> None:
    address = at_consent(alice)
    alice.press("Decline")
    alice.await_heading("You declined")
    assert "Nothing was signed" in words(alice)
    alice.page.goto(address)
    assert alice.page.get_by_role("link", name="Download the signed PDF").count() == 0
    if alice.page.locator('#panel-action button[form="prepare"]').count():
        alice.prepare()
    alice.go_to_approval()
    alice.approve(ALICE)
    alice.await_signed()


def test_a_wrong_password_shows_the_page_again_and_the_right_one_signs(alice: Walk) -> None:
    address = at_consent(alice)
    alice.approve(Person(ALICE.name, ALICE.email, "eight herons over the canal"))
    expect(alice.page.get_by_role("alert")).to_contain_text("That did not match")
    alice.approve(ALICE)
    alice.await_signed()
    assert alice.page.url == address


def test_a_page_that_was_open_too_long_is_shown_again_and_the_new_one_signs(instance: Instance, alice: Walk) -> None:
    at_consent(alice)
    with closing(sqlite3.connect(instance.var_dir / "authz.sqlite3", timeout=20)) as database, database:
        late = "UPDATE authz_consent SET approval_expires = datetime('now') WHERE state = 'pending'"
        assert database.execute(late).rowcount
    alice.approve(ALICE)
    expect(alice.page.get_by_role("alert")).to_contain_text("This page was open too long")
    alice.approve(ALICE)
    alice.await_signed()


def test_another_persons_passkey_approves_nothing(alice: Walk, bob: Walk, passkey: dict[str, Any]) -> None:
    address = at_consent(alice)
    (foreign,) = bob.device.passkeys()
    alice.device.clear()
    alice.device.add(foreign)
    alice.approve(ALICE)
    expect(alice.page.get_by_role("alert")).to_contain_text("Nothing was approved")
    # Under Alice's own number, but with Bob's key behind it: the browser lets it through.
    alice.device.clear()
    alice.device.add({**foreign, "credentialId": passkey["credentialId"], "userHandle": passkey["userHandle"]})
    alice.approve(ALICE)
    expect(alice.page.get_by_role("alert")).to_contain_text("That did not match")
    alice.page.goto(address)
    assert alice.page.get_by_role("link", name="Download the signed PDF").count() == 0


def test_a_callback_that_is_opened_again_changes_nothing(alice: Walk) -> None:
    address = at_consent(alice)
    asked: list[str] = []
    alice.page.on("request", lambda request: asked.append(request.url))
    alice.approve(ALICE)
    alice.await_signed()
    first = alice.download()
    (callback,) = (url for url in asked if "/approval/callback" in url)
    alice.page.goto(callback)
    assert alice.page.url == address
    assert alice.download() == first


def test_a_code_that_is_worth_nothing_signs_nothing(alice: Walk) -> None:
    address = at_consent(alice)

    def forge(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        target = urlsplit(answer.headers["location"])
        query = parse_qs(target.query) | {"code": ["made-up"]}
        forged = target._replace(query=urlencode(query, doseq=True)).geturl()
        route.fulfill(status=302, headers={"location": forged})

    alice.page.route("**/authz/consents/*", forge)
    alice.approve(ALICE)
    alice.await_heading("The approval came too late")
    assert "it signed nothing" in words(alice)
    alice.page.unroute_all()
    alice.page.goto(address)
    assert alice.page.get_by_role("link", name="Download the signed PDF").count() == 0


REFUSED = {
    "notes.pdf": (b"Mallory was here", "This file is not a PDF."),
    "locked.pdf": (make_encrypted_pdf(), "protected by a password"),
    "certified.pdf": (make_certified_pdf(), "allows no further change"),
    "empty.pdf": (b"", "is empty"),
    "large.pdf": (b"%PDF-1.7\n", "larger than"),
}
LARGE = 500_000_001  # bytes, one more than may be uploaded


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_signed_is_refused_with_a_sentence_and_not_kept(
    instance: Instance, bob: Walk, tmp_path: Path, name: str
) -> None:
    content, sentence = REFUSED[name]
    file = tmp_path / name
    file.write_bytes(content)
    if name == "large.pdf":
        os.truncate(file, LARGE)
    with pytest.raises(WalkError, match=sentence):
        bob.upload(file)
    bob.open("/documents")
    assert name not in words(bob)
    assert not any((instance.var_dir / "signapp").rglob(f"*{name}*"))


def test_after_logging_out_a_login_asks_for_both_factors_again(newcomer: Callable[..., Walk], bob: Walk) -> None:
    browser = newcomer()
    browser.device.add(bob.device.passkeys()[0])
    browser.open("/login")
    browser.log_in(BOB)
    browser.await_heading("Documents")
    browser.press("Log out")
    browser.await_heading("You are logged out")
    browser.press("Log in again")
    browser.log_in(BOB)
    browser.await_heading("Documents")
    # The device counts its uses, and this one went on from where Bob's stood.
    bob.device.clear()
    bob.device.add(browser.device.passkeys()[0])
    assert browser.complaints == []


@pytest.mark.parametrize("way", ["log in", "sign up"])
def test_a_browser_that_somebody_else_logged_out_of_is_good_for_the_next(
    newcomer: Callable[..., Walk], bob: Walk, way: str
) -> None:
    browser = newcomer()
    browser.sign_up(Person("Mallory Example", f"mallory-{len(way)}@example.org", "five keys under the mat"))
    browser.press("Log out")
    browser.await_heading("You are logged out")
    browser.device.clear()
    if way == "sign up":
        browser.sign_up(Person("Dora Example", "dora@example.org", "six swans on the water"))
    else:
        browser.device.add(bob.device.passkeys()[0])
        browser.press("Log in again")
        browser.log_in(BOB)
        browser.await_heading("Documents")
        bob.device.clear()
        bob.device.add(browser.device.passkeys()[0])
    browser.open("/account")
    assert ("dora@example.org" if way == "sign up" else BOB.email) in words(browser)


def test_logging_out_everywhere_at_the_authorization_server_ends_this_login_too(newcomer: Callable[..., Walk]) -> None:
    browser = newcomer()
    browser.sign_up(Person("Erin Example", "erin@example.org", "one candle in the tower"))
    browser.open("/authz/sessions")
    browser.press("Log out everywhere")
    browser.page.locator("dialog[open]").get_by_role("button", name="Log out everywhere").click()
    browser.await_heading("logged out")
    documents, until = f"{browser.base_url}/documents", time.monotonic() + 180
    while browser.context.request.get(documents, max_redirects=0).status == 200:
        assert time.monotonic() < until, "still logged in"
        browser.page.wait_for_timeout(200)
    browser.open("/documents")
    browser.await_heading("Log in")


def test_an_invited_operator_enrols_and_sees_credentials_certificates_and_audit(
    instance: Instance, newcomer: Callable[..., Walk], alice: Walk
) -> None:
    link = instance.manage("create_operator", "--email", OPERATOR.email, "--name", OPERATOR.name, capture=True).strip()
    operator = newcomer()
    operator.page.goto(link)
    operator.await_heading("Set your password")
    operator.page.locator('input[name="password"]').fill(OPERATOR.password)
    operator.press("Continue to your passkey")
    operator.await_heading("Add your passkey")
    operator.press("Add a passkey")
    operator.page.wait_for_url("**/admin/")
    for path, somebody in (
        ("rssp/credential", "Alice Example"),
        ("rssp/certificate", "Alice Example"),
        ("rssp/auditevent", "created"),
        ("authz/user", ALICE.email),
    ):
        operator.open(f"/admin/{path}/")
        assert somebody in operator.page.inner_text("#content")
    assert operator.complaints == []
    operator.page.goto(link)
    operator.await_heading("This link is over")
    alice.open("/admin/")
    assert "What is kept here" not in alice.page.inner_text("body")


def fill_in(walk: Walk, text: str) -> list[str]:
    """Every field that is asked for, one after the other; what each was called."""
    page, asked = walk.page, []
    while True:
        item = page.locator("[data-fill-item]:visible")
        control = item.locator("input")
        asked.append(item.get_attribute("data-name") or "")
        if control.get_attribute("type") == "checkbox":
            control.check()
        elif not control.input_value():
            control.fill(text)
        if page.locator("[data-fill-next]").is_disabled():
            return asked
        page.locator("[data-fill-next]").click()
        expect(page.locator("[data-fill-where]")).to_contain_text(f"Field {len(asked) + 1} of")


def test_fields_are_placed_kept_as_a_template_filled_in_and_signed(alice: Walk, tmp_path: Path) -> None:
    page, inspection, earlier = alice.page, Inspection(), len(alice.complaints)
    alice.open("/envelopes/new")
    page.set_input_files('input[type="file"]', SAMPLE)
    alice.press("Upload and go on")
    page.get_by_label("Name", exact=True).fill("Somebody")
    page.get_by_label("E-mail address").fill("somebody@example.org")
    alice.press("Add this person")
    expect(page.get_by_text("somebody@example.org")).to_be_visible()
    page.get_by_role("link", name="Place fields").click()
    expect(page.locator("[data-placing][data-ready]")).to_be_attached()
    kind = page.locator('[data-kind="signature"]')
    kind.hover()
    page.mouse.down()
    page.mouse.move(300, 640, steps=4)
    page.mouse.up()
    for name in ("initials", "text"):
        page.locator(f'.palette [data-kind="{name}"]').press("Enter")
    placed = page.locator(".placed--text")
    before = placed.bounding_box()
    for key in ("ArrowDown", "Shift+ArrowRight", "Alt+ArrowLeft"):
        placed.press(key)
    after = placed.bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] > before["y"]
    assert after["x"] < before["x"]
    assert after["width"] > before["width"]
    page.get_by_label("What it asks for").fill("Where the keys are")
    page.locator(".placed--initials").focus()
    alice.press("Copy to all pages")
    expect(page.locator(".placed")).to_have_count(5)
    page.locator(".placed--initials").last.press("Delete")
    expect(page.locator(".placed")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator("[data-count]")).to_have_text("5 fields")
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    inspection(alice.page, "place")
    page.get_by_role("link", name="Back to the draft").last.click()
    alice.press("Save as a template")
    page.get_by_label("Role of Somebody").fill("Tenant")
    alice.press("Save the template")
    alice.await_heading("Templates")
    inspection(alice.page, "templates")
    alice.press("Use it")
    page.get_by_label("Name").fill(ALICE.name)
    page.get_by_label("E-mail address").fill(ALICE.email)
    alice.press("Make the draft")
    expect(page.get_by_text("5 fields")).to_be_visible()
    alice.press("Send to 1 person")
    page.get_by_role("link", name="Read and sign").click()
    expect(page.locator(".place").first).to_be_attached()
    page.locator('#panel-action button[form="prepare"]').click()
    expect(page.locator("[data-fill-missing]")).to_contain_text("Fill in “Signature” first.")
    inspection(alice.page, "fill in")
    asked = fill_in(alice, "Under the third flowerpot")
    assert sorted(asked) == ["Initials", "Initials", "Initials", "Signature", "Where the keys are"]
    alice.prepare()
    alice.go_to_approval()
    alice.approve(ALICE)
    alice.await_signed()
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(alice.download())
    told = subprocess.run(["pdfsig", "-nocert", signed], capture_output=True, text=True, check=False).stdout
    assert told.count("Signature is Valid.") == 1, told
    text = subprocess.run(["pdftotext", signed, "-"], capture_output=True, text=True, check=True).stdout
    assert "Under the third flowerpot" in text
    assert inspection.faults == []
    assert alice.complaints[earlier:] == []


def test_all_documents_of_an_envelope_are_signed_by_one_approval(alice: Walk, tmp_path: Path) -> None:
    inspection, earlier = Inspection(), len(alice.complaints)
    alice.open("/envelopes/new")
    alice.page.set_input_files('input[type="file"]', SAMPLE)
    alice.press("Upload and go on")
    alice.page.wait_for_url("**/edit")
    alice.page.set_input_files('input[type="file"]', SAMPLE)
    alice.press("Add it")
    expect(alice.page.locator(".documents .document")).to_have_count(2)
    alice.page.get_by_label("Name", exact=True).fill(ALICE.name)
    alice.page.get_by_label("E-mail address").fill(ALICE.email)
    alice.press("Add this person")
    alice.press("Send to 1 person")
    alice.press("Sign 2 documents at once")
    alice.await_heading("Sign several at once")
    inspection(alice.page, "choose")
    alice.press("Prepare the chosen documents")
    expect(alice.page.get_by_role("button", name="Approve 2 documents")).to_be_visible()
    inspection(alice.page, "prepared")
    shown = alice.page.locator(".fingerprint__value").all_inner_texts()
    alice.press("Approve 2 documents")
    alice.await_heading("You are about to sign 2 documents")
    assert alice.page.locator(".document .fingerprint__value").all_inner_texts() == shown
    alice.approve(ALICE)
    alice.page.wait_for_url("**/batches/*")
    expect(alice.page.get_by_text("2 documents are signed").first).to_be_visible(timeout=180_000)
    inspection(alice.page, "signed")
    for number in range(2):
        with alice.page.expect_download() as waiting:
            alice.page.get_by_role("link", name="Download").nth(number).click()
        signed = tmp_path / f"{number}.pdf"
        signed.write_bytes(waiting.value.path().read_bytes())
        told = subprocess.run(["pdfsig", "-nocert", str(signed)], capture_output=True, text=True, check=False).stdout
        assert told.count("Signature is Valid.") == 1, told
    assert inspection.faults == []
    assert alice.complaints[earlier:] == []
