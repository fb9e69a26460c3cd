"""From a mailed invitation to the signed document by keyboard alone, at 200 % zoom and with reduced motion."""

import pytest
from playwright.sync_api import Page, expect

from scripts.instance import Instance
from scripts.tour import Tour
from scripts.walk import Person, Walk, open_chromium

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("people")]
ALICE = Person("Alice Sender", "alice@keys.example", "nine larches by the ferry")
BOB = Person("Bob Keys", "bob@keys.example", "six lanterns under the arch")
# A desktop's 1280 by 800 at 200 %.
ZOOMED = {"width": 640, "height": 400}
_NAME = """() => {
  const at = document.activeElement;
  if (at.id === "main" || at === document.body) return "";
  const labels = [...(at.labels ?? [])].map((each) => each.innerText).join(" ");
  return `${at.getAttribute("aria-label") ?? ""} ${labels} ${at.innerText ?? ""}`.replace(/\\s+/g, " ").trim();
}"""
_SEEN = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
  return box.bottom > 0 && box.top < innerHeight && style.outlineStyle !== "none";
}"""


def reach(page: Page, name: str) -> None:
    """By Tab, as somebody would who sees where the focus is."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(_NAME).startswith(name):
            assert page.evaluate(_SEEN), f"the focus on {name!r} is not seen"
            return
    pytest.fail(f"no Tab leads to {name!r} on {page.url}")


def press(walk: Walk, name: str) -> None:
    assert walk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), walk.page.url
    moving = "document.getAnimations().filter((each) => each.effect.getComputedTiming().duration > 50).length"
    assert walk.page.evaluate(moving) == 0, walk.page.url
    reach(walk.page, name)
    walk.page.keyboard.press("Enter")


def write(walk: Walk, name: str, text: str) -> None:
    reach(walk.page, name)
    walk.page.keyboard.type(text)


def approve(walk: Walk) -> None:
    write(walk, "Your password", BOB.password)
    press(walk, "Approve with passkey")


def test_somebody_signs_from_the_invitation_on_by_keyboard_alone(people_instance: Instance) -> None:
    with open_chromium() as chromium:
        tour = Tour(chromium, people_instance, on_page=lambda _walk, _name: None)
        alice = tour.newcomer()
        alice.sign_up(ALICE)
        tour.send(alice, "Lease by keyboard", [(BOB, "signer")])
        link = tour.mailed(BOB, "/invitations/")
        alice.close()
        bob = Walk(chromium, people_instance.base_url, viewport=ZOOMED, reduced_motion="reduce")
        bob.page.goto(link)
        press(bob, "Create your account")
        bob.await_heading("Create your account")
        write(bob, "Your name", BOB.name)
        write(bob, "E-mail address", BOB.email)
        write(bob, "Password", BOB.password)
        press(bob, "Continue to your passkey")
        bob.await_heading("Add your passkey")
        press(bob, "Add a passkey")
        bob.await_heading("Confirm your address first")
        bob.page.goto(tour.mailed(BOB, "/authz/address/"))
        bob.await_heading("Confirm your address")
        press(bob, "Confirm the address")
        bob.await_heading("Passkeys")
        bob.page.goto(link)
        bob.await_heading("Lease by keyboard")
        press(bob, "Read and sign")
        bob.page.wait_for_selector(".reader__paper canvas")
        press(bob, "Get your certificate")
        bob.await_heading("Get your certificate")
        press(bob, "Continue to approval")
        bob.await_heading("You are about to create a signing certificate")
        approve(bob)
        bob.page.wait_for_selector(".reader__paper canvas")
        press(bob, "Prepare to sign")
        expect(bob.page.locator("#panel-state .fingerprint__value")).to_be_visible()
        press(bob, "Continue to approval")
        bob.await_heading("You are about to sign 1 document")
        approve(bob)
        expect(bob.page.get_by_role("link", name="Download the signed PDF")).to_be_visible(timeout=180_000)
        press(bob, "Go on in the envelope")
        bob.await_heading("Lease by keyboard")
        expect(bob.page.get_by_text("Everybody is done").first).to_be_visible()
        # The invitation's page says that the address is to be confirmed first, by this status.
        assert [text for text in bob.complaints if "status of 403" not in text] == []
