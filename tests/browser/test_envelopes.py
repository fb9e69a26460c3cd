"""Three people in Chromium: one sends an envelope, two open the mailed link, sign up, and sign in turn."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from scripts.demo import SAMPLE
from scripts.instance import Instance
from scripts.letters import Mailbox
from scripts.walk import PHONE, Person, Walk
from tests.browser.test_whole_chain import chromium, fill_in, instance, newcomer  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("whole-chain")]
DANA = Person("Dana Example", "dana@example.org", "six lanterns under the arch")
ERIN = Person("Erin Example", "erin@example.org", "ten herrings in the harbour")
FRANK = Person("Frank Example", "frank@example.org", "two ladders against the wall")
# What beat does each minute, after eight days in which nobody answered.
_REMIND = """
from datetime import timedelta
from django.db.models import F
from signapp.models import Recipient
from signapp.services.envelopes.notices import send_notices
from signapp.services.envelopes.tending import tend_envelopes
waiting = Recipient.objects.filter(state="active", envelope__title="Contract", envelope__state="sent")
assert waiting.update(asked_at=F("asked_at") - timedelta(days=8)) == 1
tend_envelopes()
send_notices()
"""


def take_up(walk: Walk, person: Person, mail: Mailbox, link: str) -> None:
    """From the mailed link, by sign-up and the confirmed address, to the envelope."""
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
    walk.page.goto(mail.await_link(person.email, "/authz/address/"))
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
    expect(walk.page.locator(".place").first).to_be_attached()
    assert fill_in(walk, person.name) == ["Signature"]
    walk.prepare()
    walk.go_to_approval()
    walk.approve(person)
    walk.await_signed()
    walk.press("Go on in the envelope")
    walk.await_heading("Contract")


def make_template(alice: Walk) -> None:
    """Of the sample, with a signature's place for each of two roles."""
    page = alice.page
    alice.open("/envelopes")
    alice.press("New envelope")
    alice.await_heading("New envelope")
    page.set_input_files('input[type="file"]', SAMPLE)
    alice.press("Upload and go on")
    for name in ("Tenant", "Landlord"):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("E-mail address").fill(f"{name.lower()}@example.org")
        alice.press("Add this person")
        expect(page.get_by_text(f"{name.lower()}@example.org")).to_be_visible()
    page.get_by_role("link", name="Place fields").click()
    expect(page.locator("[data-placing][data-ready]")).to_be_attached()
    for name in ("Tenant", "Landlord"):
        page.locator(f'[data-signer="{name}"]').check(force=True)
        page.locator('.palette [data-kind="signature"]').press("Enter")
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    page.get_by_role("link", name="Back to the draft").last.click()
    alice.press("Save as a template")
    for name in ("Tenant", "Landlord"):
        page.get_by_label(f"Role of {name}").fill(name)
    alice.press("Save the template")
    alice.await_heading("Templates")


def send(alice: Walk, title: str) -> str:
    """An envelope of the template, to Erin and then to Frank; its address."""
    alice.open("/templates")
    alice.press("Use it")
    for place, person in enumerate((ERIN, FRANK)):
        alice.page.get_by_label("Name").nth(place).fill(person.name)
        alice.page.get_by_label("E-mail address").nth(place).fill(person.email)
    alice.press("Make the draft")
    alice.page.get_by_label("Title").fill(title)
    alice.press("Send to 2 people")
    alice.await_heading(title)
    return alice.page.url.split("#")[0]


def test_two_people_sign_in_turn_what_a_third_sends_of_a_template(
    instance: Instance,  # noqa: F811
    newcomer: Callable[..., Any],  # noqa: F811
    tmp_path: Path,
) -> None:
    mail, people = instance.mailbox, {}
    alice = newcomer()
    alice.sign_up(DANA)
    make_template(alice)
    envelope = send(alice, "Contract")
    mail.await_link(ERIN.email, "/invitations/")
    instance.manage("shell", "--no-imports", "-c", _REMIND, capture=True)
    for person, size in ((ERIN, {}), (FRANK, {"viewport": PHONE})):
        walk = people[person.name] = newcomer(**size)
        take_up(walk, person, mail, mail.await_link(person.email, "/invitations/"))  # Erin's is the reminder's
        sign(walk, person)
    alice.page.goto(envelope)
    expect(alice.page.get_by_text("Everybody is done").first).to_be_visible()
    with alice.page.expect_download() as waiting:
        alice.page.get_by_role("link", name="Download").first.click()
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(waiting.value.path().read_bytes())
    told = subprocess.run(["pdfsig", "-nocert", str(signed)], capture_output=True, text=True, check=False).stdout
    assert told.count("Signature is Valid.") == 2, told
    declined = send(alice, "Another contract")
    erin = people[ERIN.name]
    erin.page.goto(mail.await_link(ERIN.email, "/invitations/"))
    erin.await_heading("Another contract")
    erin.press("Decline")
    erin.page.get_by_label("Reason").fill("Page two names another house.")
    erin.page.locator("main").get_by_role("button", name="Decline").click()
    expect(erin.page.get_by_text("The sender is told why.")).to_be_visible()
    alice.page.goto(declined)
    expect(alice.page.get_by_text("Somebody declined")).to_be_visible()
    expect(alice.page.get_by_text("Page two names another house.").first).to_be_visible()
    assert alice.complaints == []
