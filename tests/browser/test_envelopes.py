"""Three people in Chromium: one sends an envelope, two open the mailed link, sign up, and sign in turn."""

import email
import re
import subprocess
import time
from collections.abc import Callable
from email import policy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from scripts.demo import SAMPLE
from scripts.instance import Instance
from scripts.walk import PHONE, Person, Walk
from tests.browser.test_whole_chain import chromium, instance, newcomer  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("whole-chain")]
DANA = Person("Dana Example", "dana@example.org", "six lanterns under the arch")
ERIN = Person("Erin Example", "erin@example.org", "ten herrings in the harbour")
FRANK = Person("Frank Example", "frank@example.org", "two ladders against the wall")


def link_to(mails: Path, person: Person, pattern: str) -> str:
    """The newest link of this kind that was mailed to somebody, once it has come."""
    for _attempt in range(120):
        for path in sorted(mails.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
            message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            if body is not None and message["To"] == person.email:
                found = re.search(rf"https?://\S*{pattern}\S+", body.get_content())
                if found:
                    return found[0]
        time.sleep(0.25)
    raise AssertionError(f"no {pattern} for {person.email}")


def take_up(walk: Walk, person: Person, mails: Path) -> None:
    """From the mailed link, by sign-up and the confirmed address, to the envelope."""
    link = link_to(mails, person, "/invitations/")
    walk.page.goto(link)
    walk.await_heading("Documents wait for you")
    walk.press("Create your account")
    walk.await_heading("Create your account")
    walk.page.get_by_label("Your name").fill(person.name)
    walk.page.get_by_label("E-mail address").fill(person.email)
    walk.page.locator('input[name="password"]').fill(person.password)
    walk.press("Continue to your passkey")
    walk.await_heading("Add your passkey")
    walk.press("Add a passkey")
    walk.await_heading("Confirm your address first")
    walk.page.goto(link_to(mails, person, "/address/"))
    walk.press("Confirm the address")
    walk.mail = None  # so the certificate asks for no second confirmation
    walk.page.goto(link)
    walk.await_heading("Contract")


def sign(walk: Walk, person: Person) -> None:
    address = walk.page.url
    walk.open("/documents")
    walk.get_certificate(person)
    walk.page.goto(address)
    walk.page.get_by_role("link", name="Read and sign").click()
    walk.prepare()
    walk.go_to_approval()
    walk.approve(person)
    walk.await_signed()
    walk.press("Go on in the envelope")
    walk.await_heading("Contract")


def test_two_people_sign_in_turn_what_a_third_sends(
    instance: Instance,  # noqa: F811
    newcomer: Callable[..., Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    mails = instance.var_dir / "mail"
    alice = newcomer()
    alice.sign_up(DANA)
    alice.open("/envelopes")
    alice.press("New envelope")
    alice.await_heading("New envelope")
    alice.page.set_input_files('input[type="file"]', SAMPLE)
    alice.press("Upload and go on")
    for person in (ERIN, FRANK):
        alice.page.get_by_label("Name", exact=True).fill(person.name)
        alice.page.get_by_label("E-mail address").fill(person.email)
        alice.press("Add this person")
        expect(alice.page.get_by_text(person.email)).to_be_visible()
    alice.page.get_by_label("Title").fill("Contract")
    alice.press("Send to 2 people")
    alice.await_heading("Contract")
    envelope = alice.page.url.split("#")[0]
    for person, size in ((ERIN, {}), (FRANK, {"viewport": PHONE})):
        walk = newcomer(**size)
        take_up(walk, person, mails)
        sign(walk, person)
    alice.page.goto(envelope)
    expect(alice.page.get_by_text("Everybody is done").first).to_be_visible()
    with alice.page.expect_download() as waiting:
        alice.page.get_by_role("link", name="Download").first.click()
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(waiting.value.path().read_bytes())
    told = subprocess.run(["pdfsig", "-nocert", str(signed)], capture_output=True, text=True, check=False).stdout
    assert told.count("Signature is Valid.") == 2, told
    assert alice.complaints == []
